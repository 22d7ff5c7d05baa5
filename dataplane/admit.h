// SPDX-License-Identifier: BSD-3-Clause
// Who goes first when more arrives than a worker can do. While its queues are full, messages that
// begin something new wait here, those of calls that are there go by. What does not find room gets
// 503 while that is cheap, else it is dropped, counted: no retransmission, refresh or BYE is lost
// to new calls (RFC 3261 s21.5.4; RFC 7339 s4).
// Thread: the worker.
#pragma once

#include "dataplane/worker.h"

#define ADMIT_WAITING 4096 // at 40,000 new calls a second: 0.1 s, well before T1

// Make what the worker needs; -ENOMEM. Control thread.
int admit_init(struct worker *w);
void admit_free(struct worker *w);

// After a look at a queue: full, as many as fit a burst were there.
void admit_sort(struct worker *w, bool full);
// A datagram before its checksum is looked at: the verdict under which it goes no further, or
// VERDICT_NONE. Nothing but the order of the two keeps a flood from being summed first.
enum verdict admit_look(struct worker *w, const struct flow *flow, struct slice message);
// A message for this worker: true if it waits now or is gone, false if it goes on at once.
bool admit_defer(struct worker *w, struct rte_mbuf *m);
// A message that begins something new and has no place: it gets 503 while few do in this round,
// else it goes no further under the verdict, and false. Takes it. w has an engine.
bool admit_refuse(struct worker *w, struct rte_mbuf *m, enum verdict otherwise);
// Once a round, after all queues: a burst of those that wait, and the refusals.
void admit_run(struct worker *w);
