// SPDX-License-Identifier: BSD-3-Clause
// Messages from worker to worker: mbufs whose private area says all that the owner needs, through
// one ring for each worker (many producers, one consumer), in bursts. Thread: the worker.
#pragma once

#include "dataplane/worker.h"

#define HANDOFF_RING 4096
#define HANDOFF_NEWS 256

// The rings of a worker. 0 or -ENOMEM. Control thread.
int handoff_init(struct worker *w);
void handoff_free(struct worker *w);

void handoff_put(struct worker *w, unsigned to, struct rte_mbuf *m);
// What waits goes into the rings; what finds one full is counted and freed.
void handoff_flush(struct worker *w);
// Run what others have put in; returns how many.
uint32_t handoff_poll(struct worker *w);
