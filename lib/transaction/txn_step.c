// SPDX-License-Identifier: BSD-3-Clause
// The state tables of transaction.def, looked up (RFC 3261 s17, RFC 6026, RFC 4320).
// Pure; any thread. O(1).
#include "transaction/transaction.h"

// Rows spell actions without their prefix.
enum {
	SEND = TXN_DO_SEND,
	RESEND = TXN_DO_RESEND,
	ACK = TXN_DO_ACK,
	TIMERS = TXN_DO_TIMERS,
	PASS = TXN_DO_PASS,
	TIMED_OUT = TXN_DO_TIMED_OUT,
	RINGS_LONG = TXN_DO_RINGS_LONG,
	NO_ACK = TXN_DO_NO_ACK,
	UNREACHABLE = TXN_DO_UNREACHABLE,
	DESTROY = TXN_DO_DESTROY,
};

static const struct txn_step table[TXN_MACHINE_N][TXN_ST_N][TXN_EV_N] = {
#define TXN(machine, from, event, to, do)                  \
	[TXN_##machine][TXN_ST_##from][TXN_EV_##event] = { \
		.actions = (do), .state = TXN_ST_##to, .expected = true},
#include "transaction/transaction.def"
};

struct txn_step txn_step(enum txn_machine machine, enum txn_state state, enum txn_event event)
{
	struct txn_step step = {.state = (uint8_t)state};

	assert(machine < TXN_MACHINE_N && state < TXN_ST_N && event < TXN_EV_N);
	if (table[machine][state][event].expected)
		step = table[machine][state][event];
	return step;
}

enum txn_event txn_event_of_status(unsigned status)
{
	if (status < 100 || status > 699)
		return TXN_EV_NONE;
	if (status == 100)
		return TXN_EV_TRYING;
	if (status < 200)
		return TXN_EV_PROVISIONAL;
	return status < 300 ? TXN_EV_2XX : TXN_EV_FINAL;
}

const char *txn_machine_name(enum txn_machine machine)
{
	static const char *const names[TXN_MACHINE_N] = {
		[TXN_INVITE_CLIENT] = "INVITE client",
		[TXN_INVITE_SERVER] = "INVITE server",
		[TXN_CLIENT] = "client",
		[TXN_SERVER] = "server",
		[TXN_ANSWER] = "answer",
	};

	return machine < TXN_MACHINE_N ? names[machine] : "?";
}

const char *txn_state_name(enum txn_state state)
{
	static const char *const names[TXN_ST_N] = {
		[TXN_ST_NEW] = "new",
		[TXN_ST_CALLING] = "calling",
		[TXN_ST_TRYING] = "trying",
		[TXN_ST_PROCEEDING] = "proceeding",
		[TXN_ST_CANCELLING] = "cancelling",
		[TXN_ST_COMPLETED] = "completed",
		[TXN_ST_CONFIRMED] = "confirmed",
		[TXN_ST_ACCEPTED] = "accepted",
		[TXN_ST_ACKED] = "acked",
		[TXN_ST_TERMINATED] = "terminated",
	};

	return state < TXN_ST_N ? names[state] : "?";
}

const char *txn_event_name(enum txn_event event)
{
	static const char *const names[TXN_EV_N] = {
		[TXN_EV_NONE] = "none",	      [TXN_EV_START] = "start",
		[TXN_EV_REQUEST] = "request", [TXN_EV_ACK] = "ACK",
		[TXN_EV_TRYING] = "100",      [TXN_EV_PROVISIONAL] = "1xx",
		[TXN_EV_2XX] = "2xx",	      [TXN_EV_FINAL] = "3xx-6xx",
		[TXN_EV_CANCEL] = "CANCEL",   [TXN_EV_RESEND] = "resend",
		[TXN_EV_TIMEOUT] = "timeout", [TXN_EV_TRANSPORT] = "transport error",
	};

	return event < TXN_EV_N ? names[event] : "?";
}
