// SPDX-License-Identifier: BSD-3-Clause
// SIP transactions as state tables (RFC 3261 s17, RFC 6026, RFC 4320) and their timers.
// Pure: a machine is a table of rows in transaction.def, txn_step() looks one up, the caller does
// what the row says. Nothing here sends, reads a clock, allocates, or knows what a call is.
#pragma once

#include <assert.h>
#include <stdbool.h>

#include "base/tick.h"

enum txn_machine {
	TXN_INVITE_CLIENT,
	TXN_INVITE_SERVER,
	TXN_CLIENT, // any method but INVITE and ACK
	TXN_SERVER,
	// A 2xx to INVITE until its ACK (RFC 3261 s13.3.1.4) and until retransmitted INVITEs have
	// died out (timer L of RFC 6026): where transaction and dialog layer are one, an INVITE
	// server becomes this machine when it sends a 2xx, instead of its state ACCEPTED, so that
	// one timer serves both.
	TXN_ANSWER,
	TXN_MACHINE_N
};

enum txn_state {
	TXN_ST_NEW,	// every machine begins here and leaves it by TXN_EV_START
	TXN_ST_CALLING, // INVITE client: no response yet
	TXN_ST_TRYING,	// others: no response yet
	TXN_ST_PROCEEDING,
	TXN_ST_CANCELLING, // INVITE client: CANCEL was sent; 64*T1 for the final response (s9.1)
	TXN_ST_COMPLETED,
	TXN_ST_CONFIRMED, // INVITE server: ACK for the non-2xx came
	TXN_ST_ACCEPTED,  // RFC 6026; answer: 2xx is retransmitted
	TXN_ST_ACKED,	  // answer: ACK came
	TXN_ST_TERMINATED,
	TXN_ST_N
};

enum txn_event {
	TXN_EV_NONE,
	TXN_EV_START,	// client: send the request; server: the request came for the first time;
			// answer: send 2xx
	TXN_EV_REQUEST, // the same request came again
	TXN_EV_ACK,	// matches the INVITE server, or the dialog of an answer
	TXN_EV_TRYING,	// client: 100 came; server: send it
	TXN_EV_PROVISIONAL, // 101-199
	TXN_EV_2XX,
	TXN_EV_FINAL,	  // 300-699
	TXN_EV_CANCEL,	  // client: a CANCEL for it was sent
	TXN_EV_RESEND,	  // timers A, E, G
	TXN_EV_TIMEOUT,	  // timers B, C, F, H and the lingering D, I, J, K, L, M
	TXN_EV_TRANSPORT, // the transport refused what was sent last
	TXN_EV_N
};

// What to do, in the order of the bits.
enum txn_do {
	TXN_DO_SEND = 1,	// send what came with the event and keep it for retransmission
	TXN_DO_RESEND = 2,	// send what was kept again (nothing, if nothing was)
	TXN_DO_ACK = 4,		// send the ACK for this non-2xx (s17.1.1.3), again if it was sent
	TXN_DO_TIMERS = 8,	// txn_timer_start() for the new state; without it the timer goes on
	TXN_DO_PASS = 16,	// hand the message to the call logic
	TXN_DO_TIMED_OUT = 32,	// tell it: no final response, or no ACK for ours (H)
	TXN_DO_RINGS_LONG = 64, // tell it: timer C
	TXN_DO_NO_ACK = 128, // tell it: 2xx never acknowledged: the dialog gets a BYE (s13.3.1.4)
	TXN_DO_UNREACHABLE = 256, // tell it: transport error
	TXN_DO_DESTROY = 512,	  // the transaction is over
};

struct txn_step {
	uint16_t actions; // enum txn_do
	uint8_t state;	  // enum txn_state that follows
	bool expected;	  // false: no row has this event in this state; nothing changes
};

struct txn_step txn_step(enum txn_machine machine, enum txn_state state, enum txn_event event);

// Event that a response of this status is, received or about to be sent; TXN_EV_NONE outside
// 100-699.
enum txn_event txn_event_of_status(unsigned status);

// --- timers

struct txn_times {
	uint32_t t1_us, t2_us, t4_us;
	uint32_t c_us; // timer C; 0 = none
	bool reliable; // TCP and the like: no A, E, G; D, I, J, K end at once
};

#define TXN_TIMES_DEFAULT ((struct txn_times){500000, 4000000, 5000000, 185000000, false})

// All timers of one transaction: one entry in the wheel, for txn_timer_next().
struct txn_timer {
	tick_t start_tk;      // when the timers of this state began
	uint32_t resend_us;   // next retransmission after start_tk; 0 = none
	uint32_t interval_us; // interval before it
};
static_assert(sizeof(struct txn_timer) == 16, "timers of a transaction");

// Whether what runs in `state` is timer C: the only one that asks for c_us.
bool txn_timer_is_c(enum txn_machine machine, enum txn_state state);

// The transaction has entered `state`: start its timers. Returns when txn_timer_fire() has work
// first; TICK_NEVER if no timer runs in this state.
tick_t txn_timer_start(struct txn_timer *t, enum txn_machine machine, enum txn_state state,
		       const struct txn_times *times, tick_t now);

// What is due at `now`: TXN_EV_TIMEOUT, TXN_EV_RESEND or TXN_EV_NONE. Put the event through
// txn_step(); then txn_timer_next() is right whether or not the state changed without
// TXN_DO_TIMERS. Retransmissions keep to the instants of the RFC; those that a late call has missed
// are left out, not made up for.
enum txn_event txn_timer_fire(struct txn_timer *t, enum txn_machine machine, enum txn_state state,
			      const struct txn_times *times, tick_t now);

// When it has work next.
tick_t txn_timer_next(const struct txn_timer *t, enum txn_machine machine, enum txn_state state,
		      const struct txn_times *times);

const char *txn_machine_name(enum txn_machine machine);
const char *txn_state_name(enum txn_state state);
const char *txn_event_name(enum txn_event event);
