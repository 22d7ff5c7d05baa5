// SPDX-License-Identifier: BSD-3-Clause
// What a worker's calls live in: the engine's memory, the arena of leg texts, the channels to
// control, and the functions by which the engine gets buffers and text. Thread: control makes and
// frees, the worker uses.
#include <errno.h>
#include <stdio.h>

#include <rte_malloc.h>

#include "classify/classify.h"
#include "dataplane/arena.h"
#include "dataplane/dataplane_private.h"
#include "dataplane/memory.h"
#include "dataplane/tap.h"

#define CALLS_EVENT_RING  4096
#define CALLS_RECORD_RING 1024
#define CALLS_ORDER_RING  4096
#define CALLS_RETIRED	  65536 // texts that may wait for readers beyond those of all calls

static struct sip_buf *buf_get(void *ctx, uint32_t size)
{
	const struct worker *w = ctx;

	return mbuf_sip_get(&w->pools, size);
}

static void buf_put(void *, struct sip_buf *buf)
{
	rte_pktmbuf_free(mbuf_of(buf));
}

static void *text_alloc(void *ctx, uint32_t size)
{
	const struct worker *w = ctx;

	return arena_alloc(w->arena, size);
}

static void text_retire(void *ctx, void *text, uint32_t size)
{
	struct worker *w = ctx;

	retire_text(&w->retire, text, size);
}

static int make_channels(struct worker *w)
{
	uint32_t calls = w->dp->calls;
	char name[32];
	int rc;

	// As many events and records as calls can bring forth at once wait when control is slow.
	snprintf(name, sizeof(name), "verge_events%u", w->id);
	rc = channel_open(&w->events, name, sizeof(struct event), CALLS_EVENT_RING,
			  4 * calls + CALLS_EVENT_RING);
	snprintf(name, sizeof(name), "verge_records%u", w->id);
	if (rc == 0)
		rc = channel_open(&w->records, name, sizeof(struct call_record), CALLS_RECORD_RING,
				  calls + CALLS_RECORD_RING);
	snprintf(name, sizeof(name), "verge_orders%u", w->id);
	if (rc == 0)
		rc = channel_open(&w->orders, name, sizeof(struct order), CALLS_ORDER_RING,
				  4 * calls + CALLS_ORDER_RING);
	return rc;
}

static int make_engine_memory(struct worker *w, bool hugetlb)
{
	bool got;

	w->engine_bytes = engine_footprint(&w->engine_params);
	w->engine_memory = memory_table(w->engine_bytes, hugetlb, &got);
	return w->engine_memory != NULL ? 0 : -ENOMEM;
}

static int make_arena(struct worker *w, const struct config *c, struct outbuf *why)
{
	static const enum arena_pages pages[] = {
		[CONFIG_HUGEPAGES_AUTO] = ARENA_PAGES_HUGE,
		[CONFIG_HUGEPAGES_REQUIRED] = ARENA_PAGES_REQUIRED,
		[CONFIG_HUGEPAGES_NONE] = ARENA_PAGES_SMALL,
	};
	uint64_t bytes = 2ull * w->dp->calls * c->system.capacity.leg_text;
	char warning[160] = "";
	int rc = arena_create(&w->arena, bytes, pages[c->system.hugepages], warning,
			      sizeof(warning));

	if (warning[0] != 0 && w->id == 0) {
		outbuf_put_str(why, warning);
		outbuf_put_char(why, '\n');
	}
	return rc;
}

int calls_make(struct worker *w, const struct dataplane_params *params, struct outbuf *why)
{
	static const struct engine_ops base = {buf_get, buf_put, text_alloc, text_retire, NULL};
	const struct config *c = params->config;
	int rc = -ENOMEM;

	w->ops = base;
	w->ops.hash = params->hash;
	w->trunk_stats = memory_lazy(CONFIG_MAX_TRUNKS * sizeof(w->trunk_stats[0]));
	w->engine_params = (struct engine_params){
		.calls = w->dp->calls,
		.transactions = w->dp->transactions,
		.worker = (uint8_t)w->id,
		.key = params->key,
		.ops = &w->ops,
		.ops_ctx = w,
		.live = params->live,
		.trunk_stats = w->trunk_stats,
		.stats = w->stats,
	};
	if (w->trunk_stats != NULL)
		rc = make_engine_memory(w, w->dp->hugepages);
	if (rc == 0)
		rc = make_arena(w, c, why);
	if (rc == 0)
		rc = retire_init(&w->retire, w->arena, 4 * w->dp->calls + CALLS_RETIRED);
	if (rc == 0)
		rc = make_channels(w);
	if (rc == 0)
		rc = tap_make(w);
	if (rc == 0)
		rc = classify_scratch_make(&w->own_scratch, w->dp->patterns);
	return rc;
}

void calls_free(struct worker *w)
{
	classify_scratch_free(w->own_scratch);
	channel_close(&w->events);
	channel_close(&w->records);
	channel_close(&w->orders);
	tap_free(w);
	retire_free(&w->retire);
	arena_destroy(w->arena);
	memory_free(w->engine_memory, w->engine_bytes);
	memory_free(w->trunk_stats, CONFIG_MAX_TRUNKS * sizeof(w->trunk_stats[0]));
	w->engine = NULL;
	w->engine_memory = NULL;
	w->arena = NULL;
	w->scratch = w->own_scratch = NULL;
	w->trunk_stats = NULL;
}
