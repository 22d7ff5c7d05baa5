// SPDX-License-Identifier: BSD-3-Clause
// The timers of a transaction as one deadline at a time (RFC 3261 s17 table 4, RFC 6026 s7.1).
// Pure; the thread that owns the transaction. O(1), a few steps more after a late call.
#include "transaction/transaction.h"

enum resend { RESEND_NONE, RESEND_DOUBLING, RESEND_CAPPED, RESEND_AT_T2, RESEND_ALWAYS };

enum lasts {
	LASTS_NEVER,
	LASTS_T64,
	LASTS_C,
	LASTS_LINGER_D,
	LASTS_LINGER_T4,
	LASTS_LINGER_T64,
};

struct timers {
	uint8_t resend; // enum resend
	uint8_t lasts;	// enum lasts
};

#define TIMER_D_US 32000000 // at least (s17.1.1.2)

static const struct timers table[TXN_MACHINE_N][TXN_ST_N] = {
#define TXN_TIMERS(machine, state, resend, lasts) \
	[TXN_##machine][TXN_ST_##state] = {RESEND_##resend, LASTS_##lasts},
#include "transaction/timers.def"
};

static struct timers timers_of(enum txn_machine machine, enum txn_state state)
{
	assert(machine < TXN_MACHINE_N && state < TXN_ST_N);
	return table[machine][state];
}

bool txn_timer_is_c(enum txn_machine machine, enum txn_state state)
{
	return timers_of(machine, state).lasts == LASTS_C;
}

static tick_t deadline(const struct txn_timer *t, enum lasts lasts, const struct txn_times *times)
{
	tick_t t64 = (tick_t)times->t1_us * 64;

	switch (lasts) {
	case LASTS_NEVER:
		break;
	case LASTS_T64:
		return t->start_tk + t64;
	case LASTS_C:
		return times->c_us != 0 ? t->start_tk + times->c_us : TICK_NEVER;
	case LASTS_LINGER_D:
		if (times->reliable)
			return t->start_tk;
		return t->start_tk + (t64 > TIMER_D_US ? t64 : TIMER_D_US);
	case LASTS_LINGER_T4:
		return times->reliable ? t->start_tk : t->start_tk + times->t4_us;
	case LASTS_LINGER_T64:
		return times->reliable ? t->start_tk : t->start_tk + t64;
	}
	return TICK_NEVER;
}

static bool resends(enum resend resend, const struct txn_times *times)
{
	return resend == RESEND_ALWAYS || (resend != RESEND_NONE && !times->reliable);
}

tick_t txn_timer_start(struct txn_timer *t, enum txn_machine machine, enum txn_state state,
		       const struct txn_times *times, tick_t now)
{
	struct timers row = timers_of(machine, state);

	t->start_tk = now;
	t->interval_us = 0;
	if (resends((enum resend)row.resend, times))
		t->interval_us = row.resend == RESEND_AT_T2 ? times->t2_us : times->t1_us;
	t->resend_us = t->interval_us;
	return txn_timer_next(t, machine, state, times);
}

tick_t txn_timer_next(const struct txn_timer *t, enum txn_machine machine, enum txn_state state,
		      const struct txn_times *times)
{
	struct timers row = timers_of(machine, state);
	tick_t end = deadline(t, (enum lasts)row.lasts, times);
	tick_t resend = t->start_tk + t->resend_us;

	if (row.resend == RESEND_NONE || t->resend_us == 0 || resend > end)
		return end;
	return resend;
}

static uint32_t interval_after(const struct txn_timer *t, enum resend resend,
			       const struct txn_times *times)
{
	uint32_t doubled = t->interval_us < UINT32_MAX / 4 ? t->interval_us * 2 : t->interval_us;

	switch (resend) {
	case RESEND_DOUBLING:
		return doubled;
	case RESEND_AT_T2:
		return times->t2_us;
	case RESEND_NONE:
	case RESEND_CAPPED:
	case RESEND_ALWAYS:
		break;
	}
	return doubled < times->t2_us ? doubled : times->t2_us;
}

enum txn_event txn_timer_fire(struct txn_timer *t, enum txn_machine machine, enum txn_state state,
			      const struct txn_times *times, tick_t now)
{
	struct timers row = timers_of(machine, state);
	tick_t end = deadline(t, (enum lasts)row.lasts, times);

	if (now >= end)
		return TXN_EV_TIMEOUT;
	if (row.resend == RESEND_NONE || t->resend_us == 0 || now < t->start_tk + t->resend_us)
		return TXN_EV_NONE;
	// now < end = start + 64*T1: the offsets stay far below 2^32
	do {
		t->interval_us = interval_after(t, (enum resend)row.resend, times);
		t->resend_us += t->interval_us;
	} while (t->interval_us != 0 && t->start_tk + t->resend_us <= now);
	return TXN_EV_RESEND;
}
