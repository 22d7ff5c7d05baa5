// SPDX-License-Identifier: BSD-3-Clause
// Copies of messages that workers send, and who gets them. See taps.h.
#include "control/taps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/pool.h"
#include "control/loop.h"

#define TAPS_AT_ONCE 1024 // of one worker before the others and timers get their turn
#define FLUSH_EVERY  TICK_MS(100)

void taps_init(struct loop *l)
{
	trace_init(&l->taps.trace);
	hep_init(&l->taps.hep);
	taps_configure(l);
}

void taps_close(struct loop *l)
{
	trace_close(&l->taps.trace);
	hep_close(&l->taps.hep);
	evidence_free(l->taps.evidence);
}

static uint64_t lost(const struct loop *l)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < l->n_workers; i++)
		sum += dataplane_taps_lost(l->dp, i);
	return sum;
}

// Give workers the filter that is being made; NULL where nobody wants anything.
static int publish(struct loop *l, struct tap_filter *next)
{
	bool wanted = next->tracing || next->trunks;
	int rc = wanted || l->taps.published ? dataplane_tap(l->dp, wanted ? next : NULL) : 0;

	if (rc != 0) { // a worker may still take it: it must not change any more
		log_event(l->log, CONTROL_ERROR, "trace", "publish_failed error=\"%s\"",
			  strerrordesc_np(-rc));
		return rc;
	}
	l->taps.current ^= 1u;
	l->taps.published = wanted;
	return 0;
}

static struct tap_filter *next_filter(struct loop *l)
{
	struct tap_filter *next = &l->taps.filter[l->taps.current ^ 1u];

	*next = l->taps.filter[l->taps.current];
	return next;
}

static uint8_t taps_of(const struct loop *l, const struct config_trunk *t)
{
	return (uint8_t)((t->hep && l->taps.hep.fd >= 0 ? TAP_HEP : 0) |
			 (t->evidence && l->taps.evidence != NULL ? TAP_EVIDENCE : 0));
}

static void make_evidence(struct loop *l)
{
	struct siphash_key key;

	for (uint32_t i = 0; i < l->config->n_trunks && l->taps.evidence == NULL; i++)
		if (l->config->trunks[i].evidence && getrandom(&key, sizeof(key), 0) == sizeof(key))
			l->taps.evidence = evidence_new(&key);
}

void taps_configure(struct loop *l)
{
	struct tap_filter *next = next_filter(l);
	int rc = hep_configure(&l->taps.hep, &l->config->hep);

	if (rc != 0)
		log_event(l->log, CONTROL_ERROR, "trace", "hep_failed error=\"%s\"",
			  strerrordesc_np(-rc));
	make_evidence(l);
	next->trunks = false;
	memset(next->of_trunk, 0, sizeof(next->of_trunk));
	for (uint32_t i = 0; i < l->config->n_trunks; i++) {
		next->of_trunk[i] = taps_of(l, &l->config->trunks[i]);
		next->trunks |= next->of_trunk[i] != 0;
	}
	(void)publish(l, next);
}

void taps_end(struct loop *l, unsigned worker, const struct call_record *record, tick_t now)
{
	if (l->taps.evidence != NULL)
		evidence_end(l->taps.evidence, worker, record, now);
}

static void add_call_id(struct tap_filter *f, const char *text, size_t len)
{
	if (len == 0 || len > TAP_CALL_ID_MAX || f->n_call_ids == TAP_CALL_IDS ||
	    (f->n_call_ids == 1 && f->call_id_len[0] == len &&
	     memcmp(f->call_id[0], text, len) == 0))
		return;
	memcpy(f->call_id[f->n_call_ids], text, len);
	f->call_id_len[f->n_call_ids++] = (uint16_t)len;
}

// A call that is there already is known by the Call-IDs of both its legs.
static void add_call_ids(struct loop *l, struct tap_filter *f, const char *call_id)
{
	struct call_view view;

	add_call_id(f, call_id, strlen(call_id));
	for (unsigned w = 0; call_id[0] != '\0' && w < l->n_workers; w++) {
		uint32_t call = dataplane_find(l->dp, w, slice_of_str(call_id));

		if (call == POOL_NONE || dataplane_call(l->dp, w, call, &view) != 0)
			continue;
		for (unsigned side = 0; side < 2; side++)
			if (view.legs[side].call_id_len < sizeof(view.legs[side].call_id))
				add_call_id(f, view.legs[side].call_id,
					    view.legs[side].call_id_len);
	}
}

int taps_trace_start(struct loop *l, const struct control_trace *want)
{
	struct tap_filter *next;
	struct log_value value;
	int trunk =
		want->trunk[0] != '\0' ? config_trunk_find(l->config, want->trunk) : TAP_ANY_TRUNK;
	int rc;

	if (trunk < 0)
		return trunk;
	rc = trace_open(&l->taps.trace, l->config, want->file,
			(uint64_t)l->config->trace.max_size_mib << 20);
	if (rc != 0)
		return rc;
	next = next_filter(l);
	next->tracing = true;
	next->marked = want->marked;
	next->trunk = (uint16_t)trunk;
	next->n_call_ids = 0;
	add_call_ids(l, next, want->call_id);
	snprintf(next->number, sizeof(next->number), "%s", want->number);
	l->taps.lost_before = lost(l);
	rc = publish(l, next);
	if (rc != 0)
		trace_close(&l->taps.trace);
	else
		log_event(l->log, CONTROL_INFO, "trace", "started file=%s",
			  log_quote(&value, want->file));
	return rc;
}

static void end_filter(struct loop *l)
{
	struct tap_filter *next = next_filter(l);

	l->taps.trace.lost = lost(l) - l->taps.lost_before;
	next->tracing = false;
	(void)publish(l, next);
}

// The trace has ended by itself.
static void ended(struct loop *l)
{
	struct log_value value;

	end_filter(l);
	log_event(l->log, CONTROL_WARNING, "trace", "ended file=%s reason=\"%s\" packets=%llu",
		  log_quote(&value, l->taps.trace.path), l->taps.trace.reason,
		  (unsigned long long)l->taps.trace.packets);
}

void taps_trace_status(struct loop *l, struct control_trace_end *status)
{
	const struct trace *t = &l->taps.trace;

	*status = (struct control_trace_end){.runs = trace_runs(t),
					     .packets = t->packets + t->buffer.packets,
					     .bytes = t->bytes + t->buffer.len,
					     .lost = trace_runs(t) ? lost(l) - l->taps.lost_before
								   : t->lost};
	snprintf(status->file, sizeof(status->file), "%s", t->path);
	snprintf(status->reason, sizeof(status->reason), "%s", t->reason);
}

int taps_trace_stop(struct loop *l, struct control_trace_end *end)
{
	struct trace *t = &l->taps.trace;
	struct log_value value;

	if (t->path[0] == '\0')
		return -ENOENT;
	if (trace_runs(t)) {
		end_filter(l); // first: then no worker adds to the rings
		while (taps_poll(l, dataplane_now()) != 0 && trace_runs(t))
			;
		trace_close(t);
		log_event(l->log, CONTROL_INFO, "trace", "stopped file=%s packets=%llu",
			  log_quote(&value, t->path), (unsigned long long)t->packets);
	}
	taps_trace_status(l, end);
	t->path[0] = '\0';
	return 0;
}

// Both legs of a call under one name.
static void send_hep(struct loop *l, unsigned worker, const struct tap_head *head, uint64_t unix_us)
{
	char correlation[64] = "";

	if (head->about.call != UINT32_MAX)
		snprintf(correlation, sizeof(correlation), "verge-%llx-%u-%u-%u",
			 (unsigned long long)l->view.started_tk, worker, head->about.call,
			 head->about.gen);
	hep_send(&l->taps.hep, &l->config->hep, head, l->taps.bytes, unix_us, correlation);
}

static unsigned drain(struct loop *l, unsigned worker, uint64_t to_unix)
{
	struct taps *t = &l->taps;
	struct tap_head head;
	unsigned n = 0;

	for (; n < TAPS_AT_ONCE && dataplane_taps(l->dp, worker, &head, t->bytes) != 0; n++) {
		if ((head.taps & TAP_TRACE) != 0 && trace_runs(&t->trace) &&
		    !trace_put(&t->trace, l->config, &head, t->bytes, to_unix + head.at))
			ended(l);
		if ((head.taps & TAP_EVIDENCE) != 0 && t->evidence != NULL)
			evidence_put(t->evidence, l->config, worker, &head, t->bytes);
		if ((head.taps & TAP_SAMPLE) != 0)
			control_sample(l->control, &head, t->bytes);
		if ((head.taps & TAP_HEP) != 0 && t->hep.fd >= 0)
			send_hep(l, worker, &head, to_unix + head.at);
	}
	return n;
}

static void write_evidence(struct loop *l, tick_t now, uint64_t to_unix)
{
	struct log_value value;
	char path[300], why[128];

	evidence_poll(l->taps.evidence, l->config, now, to_unix, path, why);
	if (path[0] != '\0')
		log_event(l->log, CONTROL_INFO, "trace", "evidence file=%s",
			  log_quote(&value, path));
	if (why[0] != '\0')
		log_event(l->log, CONTROL_WARNING, "trace", "evidence_failed error=\"%s\"", why);
}

unsigned taps_poll(struct loop *l, tick_t now)
{
	struct taps *t = &l->taps;
	uint64_t to_unix = loop_unix_us() - now;
	unsigned taken = 0;

	for (unsigned i = 0; i < l->n_workers; i++)
		taken += drain(l, i, to_unix);
	if (t->evidence != NULL)
		write_evidence(l, now, to_unix);
	if (trace_runs(&t->trace) && now >= t->flush_tk) {
		t->flush_tk = now + FLUSH_EVERY;
		if (!trace_flush(&t->trace))
			ended(l);
	}
	return taken;
}

void taps_metrics(const struct loop *l, struct prometheus_writer *w)
{
	const struct prometheus_label none = {0};
	struct evidence_stats e = {0};

	if (l->taps.evidence != NULL)
		evidence_stats(l->taps.evidence, &e);
	prometheus_head(w, "verge_tap_lost_total", PROMETHEUS_COUNTER,
			"Copies of messages (traces, HEP, evidence) for which a ring had no room.");
	prometheus_sample(w, "verge_tap_lost_total", none, "", lost(l));
	prometheus_head(w, "verge_hep_packets_total", PROMETHEUS_COUNTER,
			"Packets to the Homer collector; failed: the socket did not take them.");
	prometheus_sample(w, "verge_hep_packets_total", none, "result=\"sent\"", l->taps.hep.sent);
	prometheus_sample(w, "verge_hep_packets_total", none, "result=\"failed\"",
			  l->taps.hep.failed);
	prometheus_head(
		w, "verge_evidence_total", PROMETHEUS_COUNTER,
		"Dropped calls of trunks with evidence: written, not written (failed, more than "
		"evidence.files), and calls forgotten for want of evidence.memory.");
	prometheus_sample(w, "verge_evidence_total", none, "result=\"written\"", e.files);
	prometheus_sample(w, "verge_evidence_total", none, "result=\"failed\"", e.failed);
	prometheus_sample(w, "verge_evidence_total", none, "result=\"suppressed\"", e.suppressed);
	prometheus_sample(w, "verge_evidence_total", none, "result=\"forgotten\"", e.forgotten);
}
