// SPDX-License-Identifier: BSD-3-Clause
// What the command socket and the metrics see of the shell (control_view.h).
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "control/loop.h"

static tick_t view_now(void *ctx)
{
	(void)ctx;
	return dataplane_now();
}

static uint64_t view_unix_us(void *ctx, tick_t tick)
{
	uint64_t unix_us = loop_unix_us();
	tick_t now = dataplane_now();

	(void)ctx;
	return unix_us - now + tick;
}

static const struct trunk_stats *view_trunk_stats(void *ctx, unsigned worker, unsigned trunk)
{
	const struct loop *l = ctx;

	return dataplane_trunk_stats(l->dp, worker, trunk);
}

static uint32_t view_calls_max(void *ctx, unsigned worker)
{
	const struct loop *l = ctx;

	return dataplane_calls_max(l->dp, worker);
}

static int view_call(void *ctx, unsigned worker, uint32_t index, struct call_view *view)
{
	struct loop *l = ctx;

	return dataplane_call(l->dp, worker, index, view);
}

static uint32_t view_find(void *ctx, unsigned worker, struct slice call_id)
{
	struct loop *l = ctx;

	return dataplane_find(l->dp, worker, call_id);
}

static const char *view_trouble(void *ctx)
{
	static char text[120];
	const struct loop *l = ctx;
	tick_t for_us;
	int still = notify_still(&l->notify, dataplane_now(), &for_us);

	if (l->state != LOOP_RUNNING)
		return "stopping";
	if (still < 0)
		return NULL;
	snprintf(text, sizeof(text),
		 "worker %d on CPU %u stands still: it has not moved for at least %llu s", still,
		 l->cpus[still], (unsigned long long)(for_us / TICK_S(1)));
	return text;
}

static int view_reload(void *ctx, struct config_errors *errors)
{
	return loop_reload(ctx, errors);
}

static void view_publish(void *ctx, struct config *config)
{
	(void)loop_publish(ctx, config);
}

static int view_log_level(void *ctx, const char *level)
{
	struct loop *l = ctx;

	return log_set_level(l->log, level);
}

static int view_trace_start(void *ctx, const struct control_trace *trace)
{
	return taps_trace_start(ctx, trace);
}

static int view_trace_stop(void *ctx, struct control_trace_end *end)
{
	return taps_trace_stop(ctx, end);
}

static void view_trace_status(void *ctx, struct control_trace_end *status)
{
	taps_trace_status(ctx, status);
}

static void view_cdr_stats(void *ctx, struct cdr_file_stats *stats)
{
	const struct loop *l = ctx;

	cdr_file_stats(l->cdr, stats);
}

// Buffers of the data plane.

static void put(struct prometheus_writer *w, const char *name, const char *labels, uint64_t value)
{
	prometheus_sample(w, name, (struct prometheus_label){0}, labels, value);
}

static void put_mbufs(const struct loop *l, struct prometheus_writer *w)
{
	struct dataplane_gauges g;

	dataplane_gauges(l->dp, &g);
	prometheus_head(w, "verge_mbufs", PROMETHEUS_GAUGE,
			"Packet buffers: in use, and all that there are.");
	put(w, "verge_mbufs", "kind=\"used\",pool=\"small\"", g.mbufs_small);
	put(w, "verge_mbufs", "kind=\"used\",pool=\"large\"", g.mbufs_large);
	put(w, "verge_mbufs", "kind=\"all\",pool=\"small\"", g.mbufs_small_max);
	put(w, "verge_mbufs", "kind=\"all\",pool=\"large\"", g.mbufs_large_max);
	prometheus_head(w, "verge_hugepages", PROMETHEUS_GAUGE, "1 if memory is in hugepages.");
	put(w, "verge_hugepages", "", g.hugepages);
}

// One metric of a worker's rings: `pick` names the member.
static void put_rings(const struct loop *l, struct prometheus_writer *w, const char *name,
		      void (*pick)(const struct dataplane_worker_gauges *g, uint64_t out[3]))
{
	static const char *const rings[] = {"events", "records", "orders"};

	for (unsigned i = 0; i < l->n_workers; i++) {
		struct dataplane_worker_gauges g;
		uint64_t values[3];
		char labels[64];

		dataplane_worker_gauges(l->dp, i, &g);
		pick(&g, values);
		for (unsigned r = 0; r < 3; r++) {
			snprintf(labels, sizeof(labels), "worker=\"%u\",ring=\"%s\"", i, rings[r]);
			put(w, name, labels, values[r]);
		}
	}
}

static void pick_used(const struct dataplane_worker_gauges *g, uint64_t out[3])
{
	out[0] = g->events;
	out[1] = g->records;
	out[2] = g->orders;
}

static void pick_late(const struct dataplane_worker_gauges *g, uint64_t out[3])
{
	out[0] = g->events_late;
	out[1] = g->records_late;
	out[2] = g->orders_late;
}

static void pick_lost(const struct dataplane_worker_gauges *g, uint64_t out[3])
{
	out[0] = g->events_lost;
	out[1] = g->records_lost;
	out[2] = g->orders_lost;
}

static void put_ports(const struct loop *l, struct prometheus_writer *w)
{
	struct dataplane_port port;
	char labels[128];

	prometheus_head(w, "verge_port_up", PROMETHEUS_GAUGE, "1 if the link of the port is up.");
	for (unsigned i = 0; i < l->config->n_ports; i++) {
		if (dataplane_port(l->dp, i, &port) != 0)
			continue;
		snprintf(labels, sizeof(labels), "port=\"%u\",driver=\"%s\"", i, port.driver);
		prometheus_sample(w, "verge_port_up", (struct prometheus_label){"name", port.name},
				  labels, port.link_up);
	}
	prometheus_head(w, "verge_port_packets_total", PROMETHEUS_COUNTER,
			"Packets of the device; missed: there was no room in its queue.");
	for (unsigned i = 0; i < l->config->n_ports; i++) {
		if (dataplane_port(l->dp, i, &port) != 0)
			continue;
		prometheus_sample(w, "verge_port_packets_total",
				  (struct prometheus_label){"name", port.name}, "direction=\"in\"",
				  port.rx_packets);
		prometheus_sample(w, "verge_port_packets_total",
				  (struct prometheus_label){"name", port.name}, "direction=\"out\"",
				  port.tx_packets);
		prometheus_sample(w, "verge_port_packets_total",
				  (struct prometheus_label){"name", port.name},
				  "direction=\"missed\"", port.rx_missed + port.rx_no_mbuf);
	}
}

static void put_cdr(const struct loop *l, struct prometheus_writer *w)
{
	struct cdr_file_stats stats;

	cdr_file_stats(l->cdr, &stats);
	prometheus_head(w, "verge_cdr_lines_total", PROMETHEUS_COUNTER,
			"CDRs by what became of them; lost: the disk was away for too long.");
	put(w, "verge_cdr_lines_total", "result=\"written\"", stats.lines);
	put(w, "verge_cdr_lines_total", "result=\"lost\"", stats.lost);
	prometheus_head(
		w, "verge_cdr_errors_total", PROMETHEUS_COUNTER,
		"Failed attempts to open, write, rotate or force to the disk the CDR file.");
	put(w, "verge_cdr_errors_total", "", stats.errors);
	prometheus_head(w, "verge_cdr_rotations_total", PROMETHEUS_COUNTER,
			"CDR files that were finished.");
	put(w, "verge_cdr_rotations_total", "", stats.rotations);
	prometheus_head(w, "verge_cdr_backlog_bytes", PROMETHEUS_GAUGE,
			"CDRs that wait for the disk.");
	put(w, "verge_cdr_backlog_bytes", "", stats.backlog_bytes);
}

static void put_log(const struct loop *l, struct prometheus_writer *w)
{
	struct log_stats stats;

	log_stats(l->log, &stats);
	prometheus_head(w, "verge_log_lines_total", PROMETHEUS_COUNTER,
			"Log lines by what became of them; limited: too many of their kind, lost: "
			"nobody took them.");
	put(w, "verge_log_lines_total", "result=\"written\"", stats.written);
	put(w, "verge_log_lines_total", "result=\"limited\"", stats.limited);
	put(w, "verge_log_lines_total", "result=\"lost\"", stats.lost);
}

static void view_more_metrics(void *ctx, struct prometheus_writer *w)
{
	const struct loop *l = ctx;

	put_mbufs(l, w);
	prometheus_head(w, "verge_ring_used", PROMETHEUS_GAUGE,
			"Messages that wait in the rings between a worker and control.");
	put_rings(l, w, "verge_ring_used", pick_used);
	prometheus_head(w, "verge_ring_late_total", PROMETHEUS_COUNTER,
			"Messages that found their ring full and waited; many of them, and new "
			"calls are refused as overload.");
	put_rings(l, w, "verge_ring_late_total", pick_late);
	prometheus_head(w, "verge_ring_lost_total", PROMETHEUS_COUNTER,
			"Messages for which ring and waiting room were full.");
	put_rings(l, w, "verge_ring_lost_total", pick_lost);
	put_ports(l, w);
	put_cdr(l, w);
	taps_metrics(l, w);
	put_log(l, w);
}

void shell_view_init(struct loop *l, tick_t now)
{
	for (unsigned i = 0; i < l->n_workers; i++) {
		l->worker_stats[i] = dataplane_stats(l->dp, i);
		l->verdicts[i] = dataplane_verdicts(l->dp, i);
		l->cpus[i] = (uint16_t)dataplane_worker_cpu(l->dp, i);
	}
	l->view = (struct control_view){
		.ctx = l,
		.core = l->control,
		.n_workers = l->n_workers,
		.worker_stats = l->worker_stats,
		.verdicts = l->verdicts,
		.worker_cpus = l->cpus,
		.now = view_now,
		.unix_us = view_unix_us,
		.started_tk = now,
		.live = l->live,
		.trunk_stats = view_trunk_stats,
		.calls_max = view_calls_max,
		.call = view_call,
		.find = view_find,
		.more_metrics = view_more_metrics,
		.trouble = view_trouble,
		.reload = view_reload,
		.publish = view_publish,
		.log_level = view_log_level,
		.cdr_stats = view_cdr_stats,
		.trace_start = view_trace_start,
		.trace_stop = view_trace_stop,
		.trace_status = view_trace_status,
	};
}
