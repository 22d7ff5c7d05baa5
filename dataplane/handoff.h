// SPDX-License-Identifier: BSD-3-Clause
// Messages from worker to worker: mbufs whose private area says all that the owner needs, through
// one ring for each worker (many producers, one consumer), in bursts. Thread: the worker.
#pragma once

#include "dataplane/worker.h"

#define HANDOFF_RING 4096
#define HANDOFF_KEPT 1024 // of it: for what belongs to calls that are there
#define HANDOFF_NEWS 256

// The rings of a worker. 0 or -ENOMEM. Control thread.
int handoff_init(struct worker *w);
void handoff_free(struct worker *w);

void handoff_put(struct worker *w, unsigned to, struct rte_mbuf *m);
// Whether what begins something new has no place in that worker's ring: it is refused here, with
// 503, by a worker that has time. Its owner has not looked at 3,072 messages, which takes it 6 ms:
// a retransmission, which comes after T1, is not taken for new unless it stands still for that
// long.
bool handoff_filling(struct worker *w, unsigned to);
// What waits goes into the rings; what finds one full is counted and freed.
void handoff_flush(struct worker *w);
// Run what others have put in, until nothing is left or as many bursts as of a device's queue.
void handoff_poll(struct worker *w);
