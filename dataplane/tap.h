// SPDX-License-Identifier: BSD-3-Clause
// Copies of messages for control: traces, HEP, evidence. A ring of 64-byte slots for each worker;
// what finds it full is dropped and counted, the worker never waits. Threads: the worker produces,
// control consumes; tap_make() and tap_free() are control's.
#pragma once

#include <stdatomic.h>

#include "b2bua/tap.h"
#include "dataplane/mbuf.h"
#include "stat/verdict.h"

#define TAP_SLOT    64
#define TAP_RING    32768 // slots: 2 MiB
#define TAP_LEARNED 4096

struct worker;

struct tap_state {
	struct rte_ring *ring;
	uint64_t lost; // W: worker, R: control (relaxed)
	// Call-IDs of calls whose messages are wanted, so that what is left of them when the call
	// has ended (transactions) is found: hash of the Call-ID, and who wants it.
	uint64_t learned[TAP_LEARNED];
	uint8_t learned_taps[TAP_LEARNED];
	uint8_t room[TAP_SLOT + MBUF_LARGE_ROOM]; // head and bytes in one piece
};

// Errors: -ENOMEM.
int tap_make(struct worker *w);
void tap_free(struct worker *w);

// The filter that control has published, from now on.
void tap_take(struct worker *w);

// A message that the engine has handled, and one that it sends. Only while w->tap_filter != NULL.
void tap_received(struct worker *w, const struct rx *rx, enum verdict verdict);
void tap_sent(struct worker *w, const struct send *send);
// The sample of a peer's departure from an RFC that the last input left, if it left one.
void tap_sample(struct worker *w);
