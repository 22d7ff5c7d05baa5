// SPDX-License-Identifier: BSD-3-Clause
// Leg texts that their worker does not use any more, until no reader can be inside them
// (rte_rcu_qsbr). Threads: the worker retires and frees and never waits; control reads between
// retire_read_begin() and retire_read_end().
#pragma once

#include <stdint.h>

struct arena;
struct rte_rcu_qsbr;

#define RETIRE_READERS 1 // control

struct retired {
	void *text;
	uint32_t size;
	uint64_t token; // of the grace period; none yet in those that are fresh
};

struct retire {
	struct rte_rcu_qsbr *qsbr; // readers of this worker's records
	struct arena *arena;
	struct retired *fifo; // ring of `max`
	uint32_t max, head, n;
	uint32_t fresh;	 // of the n, the last ones: retired since the latest grace period began
	uint64_t leaked; // texts given up because the ring was full; never seen, R: control
};

// Errors: -ENOMEM. Control thread.
int retire_init(struct retire *r, struct arena *arena, uint32_t max);
void retire_free(struct retire *r);

// Worker.
void retire_text(struct retire *r, void *text, uint32_t size);
// Free what no reader can see; up to `max` texts. Returns how many wait still.
uint32_t retire_poll(struct retire *r, uint32_t max);

// Control: what is read of the worker's calls in between stays readable. Not nested; keep it short,
// memory grows meanwhile.
void retire_read_begin(struct retire *r);
void retire_read_end(struct retire *r);
