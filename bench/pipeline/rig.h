// SPDX-License-Identifier: BSD-3-Clause
// A data plane for benchmarks: verge's own start, then ports in memory (net_ring) on which the
// program's own threads run the workers' rounds, so that only these are timed. Frames of peers go
// in, what verge sends goes back to peers. Each trunk's frames arrive at one worker, as a NIC would
// have it for one 5-tuple; the owner of the call may be another one.
// Thread: the one that runs worker 0, unless a function says otherwise.
#pragma once

#include "dataplane/dataplane_private.h"
#include "peers.h"

#define RIG_WORKERS 4

struct rig_params {
	uint32_t calls;	       // capacity
	uint32_t transactions; // capacity, over all workers
	uint32_t leg_text;     // bytes
	unsigned workers; // 1 .. RIG_WORKERS; more than two share CPUs: for who runs them in turn
	const char *more; // further sections of the configuration, or ""
};

struct rig {
	struct dataplane *dp;
	struct config *config;
	struct trunk_live *live;
	unsigned workers;
	uint64_t start_ms; // from configuration to workers that run
};

extern struct rig rig;

// Exits the program with a reason where something fails.
void rig_start(const struct rig_params *params);

static inline struct worker *rig_worker(unsigned i)
{
	return &rig.dp->workers[i];
}

// The worker at whose queue frames of this trunk arrive.
static inline unsigned rig_queue(const struct peers_message *p)
{
	return p->trunk % rig.workers;
}

// Before the first turn of a worker that another thread runs: its frames are handed to that thread
// outside of the workers' buffers. That thread copies them with rig_carry_in() before the worker's
// round and rig_carry_out() after it: so they lie on its own CPU, as one worker's do, and not in
// the cache of who plays the peers.
void rig_apart(unsigned worker);
void rig_carry_in(unsigned worker);
void rig_carry_out(unsigned worker);

void rig_send(const struct peers_message *p);
// Frames that a worker's queue of a port holds.
unsigned rig_waiting(unsigned worker, unsigned port);
// What all workers have sent, to the peers. Returns how many messages.
unsigned rig_receive(void);
// Events and records that control would take.
void rig_drain(void);

uint64_t rig_cpu_ns(void); // of the calling thread
uint64_t rig_wall_ms(void);
uint64_t rig_resident(void); // bytes as the system reports them, hugepages included
