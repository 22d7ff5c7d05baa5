// SPDX-License-Identifier: BSD-3-Clause
// A worker's loop. See worker.h.
#include "dataplane/worker.h"

#include <errno.h>

#include <rte_malloc.h>

#include "dataplane/admit.h"
#include "dataplane/arp_nd.h"
#include "dataplane/call.h"
#include "dataplane/clock.h"
#include "dataplane/dataplane_private.h"
#include "dataplane/egress.h"
#include "dataplane/expiry.h"
#include "dataplane/handoff.h"
#include "dataplane/orders.h"
#include "dataplane/pipeline.h"
#include "dataplane/reassemble.h"
#include "dataplane/rx.h"
#include "dataplane/tap.h"
#include "rules/rules.h"

#define WORKER_TICK	     TICK_MS(100) // neighbours and old fragments
#define WORKER_LOOK	     TICK_MS(1)	  // buffers and rings
#define WORKER_ANNOUNCE	     TICK_S(2)
#define WORKER_ANNOUNCEMENTS 2
#define WORKER_RECORDS	     512 // waiting for room in their ring: nothing new begins
#define WORKER_EVENTS	     2048
#define WORKER_RETIRE	     256 // leg texts given back in one round

int worker_init(struct worker *w)
{
	w->sip = rte_zmalloc("sip_burst", sizeof(*w->sip), 64);
	w->stats = rte_zmalloc("worker_stats", sizeof(*w->stats), 64);
	if (w->sip == NULL || w->stats == NULL || handoff_init(w) != 0 || reassemble_init(w) != 0 ||
	    admit_init(w) != 0) {
		worker_free(w);
		return -ENOMEM;
	}
	return 0;
}

static void free_pending(struct worker *w)
{
	rte_pktmbuf_free_bulk(w->undelivered, w->n_undelivered);
	w->n_undelivered = 0;
	for (unsigned i = 0; i < NEIGHBOUR_SLOTS; i++) {
		struct neighbour *e = &w->neighbours.slot[i];

		rte_pktmbuf_free_bulk(e->pending, e->n_pending);
		e->n_pending = 0;
	}
}

void worker_free(struct worker *w)
{
	free_pending(w);
	admit_free(w);
	reassemble_free(w);
	handoff_free(w);
	rte_free(w->stats);
	rte_free(w->sip);
	w->stats = NULL;
	w->sip = NULL;
}

static void poll_queues(struct worker *w)
{
	for (uint32_t i = 0; i < w->n_rx; i++) {
		uint32_t n = BURST;

		// A queue that fills bursts is emptied: what is urgent may stand behind what is
		// not.
		for (unsigned bursts = 0; n == BURST && bursts < WORKER_BURSTS; bursts++) {
			n = rx_poll(w, &w->rx[i], &w->burst);
			if (n == 0)
				break;
			w->gave_work = true;
			admit_sort(w, n == BURST);
			pipeline_frames(w, &w->burst);
		}
	}
}

// Own addresses are told twice, two seconds apart (RFC 5227 s2.3): what is sent just after a link
// has come back may not leave.
static void announce(struct worker *w)
{
	if (w->announcements == 0 || w->now < w->announce_tk)
		return;
	w->announcements--;
	w->announce_tk = w->now + WORKER_ANNOUNCE;
	arp_nd_announce(w);
}

static void tick(struct worker *w)
{
	uint32_t links;

	if (w->now < w->tick_tk)
		return;
	w->tick_tk = w->now + WORKER_TICK;
	// relaxed: a counter that control moves when a link went up or down.
	links = atomic_load_explicit(&w->dp->links_changed, memory_order_relaxed);
	if (w->id == 0 && links != w->links_changed) {
		w->links_changed = links;
		w->announcements = WORKER_ANNOUNCEMENTS;
	}
	announce(w);
	arp_nd_tick(w);
	reassemble_tick(w);
	if (w->engine != NULL)
		engine_gauges(w->engine);
}

// The snapshot that control has published, from now on. Orders of what is written: the new one is
// in use before control is told that the old one is not.
static void take_config(struct worker *w)
{
	// acquire: pairs with the release in dataplane_configure(); the snapshot is complete.
	const struct config *c = atomic_load_explicit(&w->dp->config, memory_order_acquire);

	if (c == w->config)
		return;
	w->config = c;
	// what classifies comes with the rules that it finds things for, this worker's scratch too
	w->patterns = c->program != NULL ? rules_patterns(c->program) : w->dp->patterns;
	w->scratch = c->program != NULL ? rules_scratch(c->program, w->id) : w->own_scratch;
	if (w->engine != NULL)
		engine_configure(w->engine, c);
	// release: pairs with the acquire in dataplane_configure(); the old snapshot is not read
	// again.
	atomic_store_explicit(&w->config_in_use, c, memory_order_release);
}

static void run_calls(struct worker *w)
{
	orders_run(w);
	expiry_run(w);
	if (w->n_undelivered != 0)
		call_undelivered(w);
	channel_push(&w->events);
	channel_push(&w->records);
	retire_poll(&w->retire, WORKER_RETIRE);
}

static void look_around(struct worker *w)
{
	if (w->engine == NULL || w->now < w->look_tk)
		return;
	w->look_tk = w->now + WORKER_LOOK;
	engine_buffers_scarce(w->engine, mbuf_pools_scarce(&w->pools));
	// Control does not keep up: what it is to be told of the calls that are there has room yet.
	w->refusing = channel_waiting(&w->records) >= WORKER_RECORDS ||
		      channel_waiting(&w->events) >= WORKER_EVENTS;
	engine_refuse_new(w->engine, w->refusing);
}

bool worker_poll(struct worker *w)
{
	w->gave_work = false;
	take_config(w);
	look_around(w);
	tap_take(w);
	poll_queues(w);
	if (w->n_workers > 1) {
		handoff_poll(w);
		arp_nd_news(w);
		egress_serve(w);
	}
	admit_run(w);
	if (w->engine != NULL)
		run_calls(w);
	tick(w);
	egress_flush(w);
	return w->gave_work;
}

// Time since the last round is this round's or idle's, by whether there was work.
static void account(struct worker *w, tick_t then, bool had_work)
{
	stat_add(had_work ? &w->stats->busy_us : &w->stats->idle_us, w->now - then);
}

int worker_prepare(void *worker)
{
	struct worker *w = worker;

	w->now = clock_now();
	if (w->engine_memory != NULL)
		w->engine = engine_init(w->engine_memory, &w->engine_params, w->now);
	take_config(w);
	return 0;
}

// When there is work again even if nothing arrives.
static tick_t next_work(const struct worker *w)
{
	tick_t next = w->engine != NULL ? engine_next(w->engine) : TICK_NEVER;

	return next < w->tick_tk ? next : w->tick_tk;
}

int worker_run(void *worker)
{
	struct worker *w = worker;
	struct idle idle;
	bool had_work = false;

	idle_init(&idle, w->dp->busy);
	w->now = clock_now();
	w->announcements = w->id == 0 ? WORKER_ANNOUNCEMENTS : 0;
	// relaxed: nothing is read that the flag would publish.
	while (!atomic_load_explicit(&w->dp->stop, memory_order_relaxed)) {
		tick_t then = w->now;

		w->now = clock_now();
		account(w, then, had_work);
		had_work = worker_poll(w);
		idle_round(&idle, had_work, w->now, next_work(w));
	}
	return 0;
}
