// SPDX-License-Identifier: BSD-3-Clause
// One verge in virtual time: engines (workers) and the real control core, wired together as the
// shell does, on a clock that somebody else advances: what the scenarios and the replay of captures
// drive. One thread of the caller. The same seed
// and the same inputs give the same outputs, byte for byte.
#pragma once

#include "config/config_kept.h"
#include "control/control.h"
#include "control/world_memory.h"
#include "stat/verdict.h"

#define WORLD_WORKERS_MAX 4
#define WORLD_START_TK	  TICK_S(1000) // the clock of a new world
#define WORLD_ORDERS_MAX  4096
#define WORLD_MAPS_MAX	  16

// Control's orders on their way.
struct world_order {
	unsigned worker;
	struct order order;
};

struct world_hooks {
	void *ctx;
	// A message leaves verge. The bytes are valid during the call only.
	void (*sent)(void *ctx, const struct flow *flow, const uint8_t *bytes, uint32_t len);
	void (*event)(void *ctx, const struct event *event);	    // optional
	void (*order)(void *ctx, const struct order *order);	    // optional
	void (*log)(void *ctx, const char *area, const char *line); // optional
	void (*cdr)(void *ctx, const char *json);
};

struct world_params {
	const struct world_hooks *hooks;
	const struct sip_digest_hash *hash;
	uint64_t seed;
	uint64_t wall_us; // wall clock at the start; 0 = any
	unsigned workers; // 0 = as many as the configuration says
	uint32_t calls;	  // most calls; 0 = as many as the configuration says
};

struct world {
	tick_t now;
	uint64_t wall_us; // wall clock at WORLD_START_TK
	unsigned workers;
	uint32_t calls; // capacity over all workers
	struct engine_ops ops;
	struct engine *engine[WORLD_WORKERS_MAX];
	struct control *control;
	struct config_kept kept;	    // snapshot in use, and those that calls go by,
	struct config *config[CONFIG_KEPT]; // to be given back
	struct world_memory memory;
	struct trunk_live *live;
	struct trunk_stats *trunk_stats[WORLD_WORKERS_MAX];
	struct worker_stats *worker_stats[WORLD_WORKERS_MAX];
	uint64_t verdicts[VERDICT_N];
	struct world_hooks hooks;
	struct world_order *orders; // ring of WORLD_ORDERS_MAX
	unsigned order_head, order_tail;
	struct {
		void *mem;
		size_t size;
	} map[WORLD_MAPS_MAX]; // what world_free() gives back
	unsigned n_maps;
	struct classify_scratch *scratch;
	char error[256]; // first thing that verge did and must not; "" = none
};

// Begin with a configuration (YAML). 0, or -1 with the reason in w->error.
int world_init(struct world *w, const char *yaml, const struct world_params *params);
// The same with a snapshot that has been loaded; the world's from now on.
int world_start(struct world *w, struct config *config, const struct world_params *params);
void world_free(struct world *w);
// Another configuration from now on.
int world_reload(struct world *w, const char *yaml);

// NULL: there was none that could be loaded.
static inline const struct config *world_config(const struct world *w)
{
	return w->kept.now;
}

// One datagram from a peer: flow.local is verge's address, flow.peer the sender's.
void world_input(struct world *w, const struct flow *flow, const uint8_t *bytes, uint32_t len);
// The first bytes of a message of ours, as an ICMP error quotes them.
void world_unreachable(struct world *w, const uint8_t *bytes, uint32_t len);
// Empty outboxes, hand events to control and orders to workers until nothing moves.
void world_settle(struct world *w);
// When something is due at the earliest; TICK_NEVER if nothing is.
tick_t world_next(const struct world *w);
// Set the clock, never beyond world_next(), and run what is due.
void world_advance(struct world *w, tick_t now);

// Sums over the workers.
void world_usage(const struct world *w, struct engine_usage *sum);
// Invariants and memory: NULL or what is wrong.
const char *world_check(struct world *w);
