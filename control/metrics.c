// SPDX-License-Identifier: BSD-3-Clause
// The HTTP endpoint. Thread: control, through libmicrohttpd's external epoll; nothing here waits.
// A reply is made in steps as the client takes it, so its values are of slightly different
// instants.
#include "control/metrics.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_view.h"

#define CONNECTIONS   16
#define PER_ADDRESS   4
#define TIMEOUT_S     15
#define MEMORY	      16384
#define BLOCK	      16384
#define TRUNKS_A_STEP 16
#define WORKERS_MAX   64

// Load of a worker between two scrapes.
struct load {
	uint64_t busy_us, idle_us; // at the last one
	unsigned ratio_pm;
};

struct metrics {
	struct MHD_Daemon *daemon;
	const struct control_view *view;
	int epoll;
	tick_t sampled;
	struct load loads[WORKERS_MAX];
};

// One reply that is being made.
struct reply {
	struct metrics *m;
	struct prometheus_writer writer;
	struct prometheus_cursor cursor;
	unsigned part, trunk;
	char *text; // made and not yet taken: [from, len)
	size_t from, len, cap;
};

static int put(void *arg, const char *text, size_t len)
{
	struct reply *r = arg;

	if (r->cap - r->len < len) {
		size_t cap = (r->len + len) * 2;
		char *more = realloc(r->text, cap);

		if (more == NULL)
			return -ENOMEM;
		r->text = more;
		r->cap = cap;
	}
	memcpy(r->text + r->len, text, len);
	r->len += len;
	return 0;
}

static const struct prometheus_label no_label;

static void sample_loads(struct metrics *m)
{
	const struct control_view *v = m->view;
	tick_t now = v->now(v->ctx);

	if (m->sampled != 0 && now - m->sampled < TICK_S(1))
		return;
	m->sampled = now;
	for (unsigned i = 0; i < v->n_workers && i < WORKERS_MAX; i++) {
		struct load *l = &m->loads[i];
		uint64_t busy = stat_read(&v->worker_stats[i]->busy_us);
		uint64_t idle = stat_read(&v->worker_stats[i]->idle_us);
		uint64_t b = busy - l->busy_us, all = b + idle - l->idle_us;

		l->ratio_pm = all != 0 ? (unsigned)(b * 1000 / all) : 0;
		l->busy_us = busy;
		l->idle_us = idle;
	}
}

static void put_process(struct reply *r)
{
	const struct control_view *v = r->m->view;
	const struct control_stats *c = control_stats(v->core);
	struct prometheus_writer *w = &r->writer;
	char number[16];

	prometheus_head(w, "verge_build_info", PROMETHEUS_GAUGE,
			"Version of this program; always 1.");
	prometheus_sample(w, "verge_build_info",
			  (struct prometheus_label){"version", VERGE_VERSION}, "", 1);
	prometheus_head(w, "verge_config_reloads_total", PROMETHEUS_COUNTER,
			"Configurations put into use by reload or by vergectl set, and refused.");
	prometheus_sample(w, "verge_config_reloads_total", no_label, "result=\"ok\"",
			  c->reloads_ok);
	prometheus_sample(w, "verge_config_reloads_total", no_label, "result=\"failed\"",
			  c->reloads_failed);
	prometheus_head(w, "verge_config_version", PROMETHEUS_GAUGE,
			"Snapshots of the configuration since start.");
	prometheus_sample(w, "verge_config_version", no_label, "",
			  control_config(v->core)->version);
	prometheus_head(w, "verge_session_timer_refreshes_waiting", PROMETHEUS_GAUGE,
			"Refreshes that wait for budget or for another try.");
	prometheus_sample(w, "verge_session_timer_refreshes_waiting", no_label, "",
			  c->legs_waiting);
	prometheus_head(w, "verge_session_timer_refreshes_in_flight", PROMETHEUS_GAUGE,
			"Refreshes of verge without an answer yet.");
	prometheus_sample(w, "verge_session_timer_refreshes_in_flight", no_label, "",
			  c->legs_in_flight);
	prometheus_head(w, "verge_worker_busy_ratio", PROMETHEUS_GAUGE,
			"Part of the time since the last scrape in which this worker had work.");
	for (unsigned i = 0; i < v->n_workers && i < WORKERS_MAX; i++) {
		snprintf(number, sizeof(number), "%u", i);
		prometheus_sample_micro(w, "verge_worker_busy_ratio",
					(struct prometheus_label){"worker", number}, "",
					r->m->loads[i].ratio_pm * 1000u);
	}
	if (v->more_metrics != NULL)
		v->more_metrics(v->ctx, w);
}

static const char *trunk_name(const struct control_view *v, unsigned trunk)
{
	const struct config *c = control_config(v->core);

	return trunk < c->n_trunks && !c->trunks[trunk].gone ? c->trunks[trunk].name : NULL;
}

static void put_at_risk(struct reply *r, unsigned trunk, const char *name)
{
	const struct control_view *v = r->m->view;
	uint64_t counts[CONTROL_AT_RISK_N];
	char labels[32];

	control_at_risk(v->core, trunk, v->now(v->ctx), counts);
	for (unsigned i = 0; i < CONTROL_AT_RISK_N; i++) {
		snprintf(labels, sizeof(labels), "le=\"%u\"", control_at_risk_le_s[i]);
		prometheus_sample(&r->writer, "verge_session_timer_at_risk",
				  (struct prometheus_label){"trunk", name}, labels, counts[i]);
	}
}

static void put_causes(struct reply *r, unsigned trunk, const char *name)
{
	static const char *const directions[] = {[SIDE_A] = "in", [SIDE_B] = "out"};
	const struct control_trunk_stats *s = control_trunk_stats(r->m->view->core, trunk);
	char labels[96];

	for (unsigned i = 0; s != NULL && i < 2 * CAUSE_N; i++) {
		unsigned side = i / CAUSE_N, cause = i % CAUSE_N;

		if (s->causes[side][cause] == 0)
			continue;
		snprintf(labels, sizeof(labels), "direction=\"%s\",cause=\"%s\"", directions[side],
			 cause_word((enum cause)cause));
		prometheus_sample(&r->writer, "verge_call_ends_total",
				  (struct prometheus_label){"trunk", name}, labels,
				  s->causes[side][cause]);
	}
}

static void put_would_drop(struct reply *r, unsigned trunk, const char *name)
{
	const struct control_trunk_stats *s = control_trunk_stats(r->m->view->core, trunk);

	if (s != NULL)
		prometheus_sample(&r->writer, "verge_session_timer_would_drop_total",
				  (struct prometheus_label){"trunk", name}, "", s->would_drop);
}

static void put_paced(struct reply *r, unsigned trunk, const char *name)
{
	const struct control_trunk_stats *s = control_trunk_stats(r->m->view->core, trunk);
	const struct prometheus_label label = {"trunk", name};

	if (s == NULL)
		return;
	prometheus_sample(&r->writer, "verge_session_timer_paced_total", label, "how=\"waited\"",
			  s->paced);
	prometheus_sample(&r->writer, "verge_session_timer_paced_total", label, "how=\"overran\"",
			  s->pace_overruns);
}

static void put_quarantined(struct reply *r, unsigned trunk, const char *name)
{
	const struct trunk_live *live = &r->m->view->live[trunk];

	// relaxed: one word that may be late
	prometheus_sample(&r->writer, "verge_session_timer_quarantined",
			  (struct prometheus_label){"trunk", name}, "",
			  (atomic_load_explicit(&live->flags, memory_order_relaxed) &
			   TRUNK_LIVE_OBSERVE) != 0);
}

static void put_peers(struct reply *r, unsigned trunk, const char *name)
{
	const struct control_view *v = r->m->view;
	const struct prometheus_label label = {"trunk", name};
	unsigned n = control_config(v->core)->trunks[trunk].peers.n;
	// relaxed: one word that may be late
	uint64_t down = atomic_load_explicit(&v->live[trunk].peers_down, memory_order_relaxed) &
			(((uint64_t)1 << n) - 1);
	unsigned n_down = (unsigned)__builtin_popcountll(down);

	prometheus_sample(&r->writer, "verge_trunk_peers", label, "state=\"up\"", n - n_down);
	prometheus_sample(&r->writer, "verge_trunk_peers", label, "state=\"down\"", n_down);
}

// Metrics of a trunk that control keeps: one a part. at_risk has the label le, cumulative like a
// histogram's, but is a gauge: only an untyped metric may.
static const struct part {
	const char *name, *help;
	enum prometheus_type type;
	void (*put)(struct reply *r, unsigned trunk, const char *name);
} parts[] = {
	{"verge_session_timer_at_risk", "Legs this close to expiry without a successful refresh.",
	 PROMETHEUS_UNTYPED, put_at_risk},
	{"verge_session_timer_quarantined", "1 while control only observes the trunk's timers.",
	 PROMETHEUS_GAUGE, put_quarantined},
	{"verge_session_timer_would_drop_total",
	 "Calls that a timer would have ended if it were let.", PROMETHEUS_COUNTER, put_would_drop},
	{"verge_session_timer_paced_total",
	 "Refreshes that waited for the budget, or could wait no longer.", PROMETHEUS_COUNTER,
	 put_paced},
	{"verge_call_ends_total",
	 "Calls that ended, by why; a cause is shown once it has happened.", PROMETHEUS_COUNTER,
	 put_causes},
	{"verge_trunk_peers", "Peers by whether they answer OPTIONS.", PROMETHEUS_GAUGE, put_peers},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static void put_part(struct reply *r, const struct part *p)
{
	const struct control_view *v = r->m->view;
	unsigned n = control_config(v->core)->n_trunks, stop = r->trunk + TRUNKS_A_STEP;

	if (r->trunk == 0)
		prometheus_head(&r->writer, p->name, p->type, p->help);
	for (; r->trunk < n && r->trunk < stop; r->trunk++) {
		const char *name = trunk_name(v, r->trunk);

		if (name != NULL)
			p->put(r, r->trunk, name);
	}
	if (r->trunk >= n) {
		r->trunk = 0;
		r->part++;
	}
}

static const struct trunk_stats *view_trunk(void *arg, unsigned w, unsigned t)
{
	const struct control_view *v = arg;
	const struct control_trunk_stats *own;

	if (w < v->n_workers)
		return v->trunk_stats(v->ctx, w, t);
	own = control_trunk_stats(v->core, t);
	return own != NULL ? &own->shared : NULL;
}

static const char *view_trunk_name(void *arg, unsigned t)
{
	return trunk_name(arg, t);
}

// The next piece of text. False when there is none.
static bool step(struct reply *r)
{
	const struct control_view *v = r->m->view;
	union {
		const struct control_view *v;
		void *arg;
	} view = {v};
	const struct prometheus_view tables = {
		.n_workers = v->n_workers,
		.workers = v->worker_stats,
		.verdicts = v->verdicts,
		.n_trunks = control_config(v->core)->n_trunks,
		.trunk = view_trunk,
		.trunk_name = view_trunk_name,
		.arg = view.arg,
	};

	if (r->writer.error != 0)
		return false;
	if (r->part == 0) {
		put_process(r);
		r->part++;
	} else if (r->part == 1) {
		r->part += !prometheus_step(&r->writer, &tables, &r->cursor);
	} else if (r->part - 2 < PARTS) {
		put_part(r, &parts[r->part - 2]);
	} else if (r->part - 2 == PARTS) {
		prometheus_end(&r->writer);
		r->part++;
	} else {
		return false;
	}
	return true;
}

static ssize_t read_reply(void *cls, uint64_t, char *buf, size_t max)
{
	struct reply *r = cls;
	size_t n;

	while (r->from == r->len) {
		r->from = r->len = 0;
		if (!step(r))
			return r->writer.error != 0 ? MHD_CONTENT_READER_END_WITH_ERROR
						    : MHD_CONTENT_READER_END_OF_STREAM;
	}
	n = r->len - r->from < max ? r->len - r->from : max;
	memcpy(buf, r->text + r->from, n);
	r->from += n;
	return (ssize_t)n;
}

static void free_reply(void *cls)
{
	struct reply *r = cls;

	free(r->text);
	free(r);
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status,
				 const char *text)
{
	union {
		const char *text;
		void *arg;
	} body = {text}; // MHD takes void *, and with PERSISTENT only reads it
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), body.arg, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result rc;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	rc = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result send_metrics(struct metrics *m, struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
	bool openmetrics = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;
	struct reply *r = calloc(1, sizeof(*r));
	struct MHD_Response *response;
	enum MHD_Result rc;

	if (r == NULL)
		return MHD_NO;
	r->m = m;
	r->writer = (struct prometheus_writer){put, r, openmetrics, 0};
	sample_loads(m);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_reply, r,
						     free_reply);
	if (response == NULL) {
		free_reply(r);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type",
				openmetrics ? "application/openmetrics-text; version=1.0.0; "
					      "charset=utf-8"
					    : "text/plain; version=0.0.4; charset=utf-8");
	rc = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return rc;
}

// NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's
static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *, const char *, size_t *upload,
			      void **seen)
{
	struct metrics *m = cls;

	// The first call has the headers only; a body, which nobody needs here, is skipped.
	if (*seen == NULL) {
		*seen = m;
		return MHD_YES;
	}
	if (*upload != 0) {
		*upload = 0;
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD only\n");
	if (strcmp(url, "/metrics") == 0)
		return send_metrics(m, connection);
	if (strcmp(url, "/healthz") == 0)
		return m->view->healthy(m->view->ctx)
			       ? send_text(connection, MHD_HTTP_OK, "ok\n")
			       : send_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
					   "starting or stopping\n");
	return send_text(connection, MHD_HTTP_NOT_FOUND, "here are /metrics and /healthz\n");
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void read_address(union address *a, const struct config_endpoint *listen)
{
	memset(a, 0, sizeof(*a));
	if (listen->ip.family == 6) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(listen->udp);
		memcpy(&a->v6.sin6_addr, listen->ip.bytes, 16);
	} else {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(listen->udp);
		memcpy(&a->v4.sin_addr, listen->ip.bytes, 4);
	}
}

int metrics_new(struct metrics **out, const struct config_endpoint *listen,
		const struct control_view *view)
{
	unsigned flags = MHD_USE_EPOLL | (listen->ip.family == 6 ? MHD_USE_IPv6 : 0);
	const union MHD_DaemonInfo *info;
	union address address;
	struct metrics *m;

	*out = NULL;
	if (listen->ip.family == 0)
		return 0;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	m->view = view;
	read_address(&address, listen);
	errno = 0;
	m->daemon = MHD_start_daemon(
		flags, listen->udp, NULL, NULL, answer, m, MHD_OPTION_SOCK_ADDR, &address.any,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)PER_ADDRESS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_END);
	info = m->daemon != NULL ? MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (info == NULL) {
		int rc = errno != 0 ? -errno : -EIO;

		metrics_free(m);
		return rc;
	}
	m->epoll = info->epoll_fd;
	*out = m;
	return 0;
}

void metrics_free(struct metrics *m)
{
	if (m == NULL)
		return;
	if (m->daemon != NULL)
		MHD_stop_daemon(m->daemon);
	free(m);
}

int metrics_fd(const struct metrics *m)
{
	return m->epoll;
}

void metrics_poll(struct metrics *m, tick_t)
{
	MHD_run(m->daemon);
}

tick_t metrics_next(const struct metrics *m, tick_t now)
{
	MHD_UNSIGNED_LONG_LONG ms;

	return MHD_get_timeout(m->daemon, &ms) == MHD_YES ? now + TICK_MS(ms) : TICK_NEVER;
}
