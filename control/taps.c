// SPDX-License-Identifier: BSD-3-Clause
// Copies of messages that workers send, and who gets them. See taps.h.
#include "control/taps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "control/loop.h"

#define TAPS_AT_ONCE 1024 // of one worker before the others and timers get their turn
#define FLUSH_EVERY  TICK_MS(100)

void taps_init(struct loop *l)
{
	trace_init(&l->taps.trace);
}

void taps_close(struct loop *l)
{
	trace_close(&l->taps.trace);
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
		log_event(l->log, CONTROL_INFO, "trace", "started file=\"%s\"", want->file);
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
	end_filter(l);
	log_event(l->log, CONTROL_WARNING, "trace", "ended file=\"%s\" reason=\"%s\" packets=%llu",
		  l->taps.trace.path, l->taps.trace.reason,
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

	if (t->path[0] == '\0')
		return -ENOENT;
	if (trace_runs(t)) {
		end_filter(l); // first: then no worker adds to the rings
		while (taps_poll(l, dataplane_now()) != 0 && trace_runs(t))
			;
		trace_close(t);
		log_event(l->log, CONTROL_INFO, "trace", "stopped file=\"%s\" packets=%llu",
			  t->path, (unsigned long long)t->packets);
	}
	taps_trace_status(l, end);
	t->path[0] = '\0';
	return 0;
}

static unsigned drain(struct loop *l, unsigned worker, uint64_t to_unix)
{
	struct taps *t = &l->taps;
	struct tap_head head;
	unsigned n = 0;

	for (; n < TAPS_AT_ONCE && dataplane_taps(l->dp, worker, &head, t->bytes) != 0; n++)
		if ((head.taps & TAP_TRACE) != 0 && trace_runs(&t->trace) &&
		    !trace_put(&t->trace, l->config, &head, t->bytes, to_unix + head.at))
			ended(l);
	return n;
}

unsigned taps_poll(struct loop *l, tick_t now)
{
	struct taps *t = &l->taps;
	uint64_t to_unix = loop_unix_us() - now;
	unsigned taken = 0;

	for (unsigned i = 0; i < l->n_workers; i++)
		taken += drain(l, i, to_unix);
	if (trace_runs(&t->trace) && now >= t->flush_tk) {
		t->flush_tk = now + FLUSH_EVERY;
		if (!trace_flush(&t->trace))
			ended(l);
	}
	return taken;
}
