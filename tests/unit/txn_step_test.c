// SPDX-License-Identifier: BSD-3-Clause
// The state tables of transactions: what the RFCs say about each state and event, written a second
// time from their point of view, and the whole table against what must hold in every row.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transaction/transaction.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

// A run of one machine: events and what they must lead to.
struct run_step {
	enum txn_event event;
	enum txn_state state;
	unsigned actions;
};

#define SEND	    TXN_DO_SEND
#define RESEND	    TXN_DO_RESEND
#define ACK	    TXN_DO_ACK
#define TIMERS	    TXN_DO_TIMERS
#define PASS	    TXN_DO_PASS
#define TIMED_OUT   TXN_DO_TIMED_OUT
#define RINGS_LONG  TXN_DO_RINGS_LONG
#define NO_ACK	    TXN_DO_NO_ACK
#define UNREACHABLE TXN_DO_UNREACHABLE
#define DESTROY	    TXN_DO_DESTROY

static const struct {
	const char *shows;
	enum txn_machine machine;
	struct run_step steps[12];
} runs[] = {
	{"INVITE client: answered",
	 TXN_INVITE_CLIENT,
	 {{TXN_EV_START, TXN_ST_CALLING, SEND | TIMERS},
	  {TXN_EV_RESEND, TXN_ST_CALLING, RESEND},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, TIMERS | PASS},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, PASS}, // a second 100 does not move timer C
	  {TXN_EV_PROVISIONAL, TXN_ST_PROCEEDING, TIMERS | PASS},
	  {TXN_EV_2XX, TXN_ST_ACCEPTED, TIMERS | PASS},
	  {TXN_EV_2XX, TXN_ST_ACCEPTED, PASS}, // tx01 p24: forked and repeated
	  {TXN_EV_FINAL, TXN_ST_ACCEPTED, 0},  // rfc6026 s7.2
	  {TXN_EV_PROVISIONAL, TXN_ST_ACCEPTED, 0},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, DESTROY}}},
	{"INVITE client: 2xx at once",
	 TXN_INVITE_CLIENT,
	 {{TXN_EV_START, TXN_ST_CALLING, SEND | TIMERS},
	  {TXN_EV_2XX, TXN_ST_ACCEPTED, TIMERS | PASS}}},
	{"INVITE client: refused, each repetition is ACKed",
	 TXN_INVITE_CLIENT,
	 {{TXN_EV_START, TXN_ST_CALLING, SEND | TIMERS},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, ACK | TIMERS | PASS},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, ACK},
	  {TXN_EV_2XX, TXN_ST_COMPLETED, 0},
	  {TXN_EV_PROVISIONAL, TXN_ST_COMPLETED, 0},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, DESTROY}}},
	{"INVITE client: refused after ringing, ACK cannot be sent",
	 TXN_INVITE_CLIENT,
	 {{TXN_EV_START, TXN_ST_CALLING, SEND | TIMERS},
	  {TXN_EV_PROVISIONAL, TXN_ST_PROCEEDING, TIMERS | PASS},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, ACK | TIMERS | PASS},
	  {TXN_EV_TRANSPORT, TXN_ST_TERMINATED, UNREACHABLE | DESTROY}}},
	{"INVITE client: timer B",
	 TXN_INVITE_CLIENT,
	 {{TXN_EV_START, TXN_ST_CALLING, SEND | TIMERS},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, TIMED_OUT | DESTROY}}},
	{"INVITE client: transport error",
	 TXN_INVITE_CLIENT,
	 {{TXN_EV_START, TXN_ST_CALLING, SEND | TIMERS},
	  {TXN_EV_TRANSPORT, TXN_ST_TERMINATED, UNREACHABLE | DESTROY}}},
	{"INVITE client: CANCEL before a response must wait",
	 TXN_INVITE_CLIENT,
	 {{TXN_EV_START, TXN_ST_CALLING, SEND | TIMERS}, {TXN_EV_CANCEL, TXN_ST_CALLING, 0}}},
	{"INVITE client: timer C, CANCEL, 487",
	 TXN_INVITE_CLIENT,
	 {{TXN_EV_START, TXN_ST_CALLING, SEND | TIMERS},
	  {TXN_EV_PROVISIONAL, TXN_ST_PROCEEDING, TIMERS | PASS},
	  {TXN_EV_TIMEOUT, TXN_ST_PROCEEDING, TIMERS | RINGS_LONG},
	  {TXN_EV_CANCEL, TXN_ST_CANCELLING, TIMERS},
	  {TXN_EV_PROVISIONAL, TXN_ST_CANCELLING, PASS},
	  {TXN_EV_TRYING, TXN_ST_CANCELLING, PASS},
	  {TXN_EV_CANCEL, TXN_ST_CANCELLING, 0},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, ACK | TIMERS | PASS}}},
	{"p37 rc02 INVITE client: CANCEL crosses 200",
	 TXN_INVITE_CLIENT,
	 {{TXN_EV_START, TXN_ST_CALLING, SEND | TIMERS},
	  {TXN_EV_PROVISIONAL, TXN_ST_PROCEEDING, TIMERS | PASS},
	  {TXN_EV_CANCEL, TXN_ST_CANCELLING, TIMERS},
	  {TXN_EV_2XX, TXN_ST_ACCEPTED, TIMERS | PASS}}},
	{"INVITE client: nothing after CANCEL",
	 TXN_INVITE_CLIENT,
	 {{TXN_EV_START, TXN_ST_CALLING, SEND | TIMERS},
	  {TXN_EV_PROVISIONAL, TXN_ST_PROCEEDING, TIMERS | PASS},
	  {TXN_EV_CANCEL, TXN_ST_CANCELLING, TIMERS},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, TIMED_OUT | DESTROY}}},

	{"INVITE server: refused",
	 TXN_INVITE_SERVER,
	 {{TXN_EV_START, TXN_ST_PROCEEDING, TIMERS | PASS},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, SEND},
	  {TXN_EV_REQUEST, TXN_ST_PROCEEDING, RESEND},
	  {TXN_EV_PROVISIONAL, TXN_ST_PROCEEDING, SEND},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, SEND | TIMERS},
	  {TXN_EV_REQUEST, TXN_ST_COMPLETED, RESEND},
	  {TXN_EV_RESEND, TXN_ST_COMPLETED, RESEND},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, 0}, // one final response
	  {TXN_EV_ACK, TXN_ST_CONFIRMED, TIMERS},
	  {TXN_EV_ACK, TXN_ST_CONFIRMED, 0},
	  {TXN_EV_REQUEST, TXN_ST_CONFIRMED, 0},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, DESTROY}}},
	{"INVITE server: timer H",
	 TXN_INVITE_SERVER,
	 {{TXN_EV_START, TXN_ST_PROCEEDING, TIMERS | PASS},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, SEND | TIMERS},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, TIMED_OUT | DESTROY}}},
	{"INVITE server: transport error of a refusal",
	 TXN_INVITE_SERVER,
	 {{TXN_EV_START, TXN_ST_PROCEEDING, TIMERS | PASS},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, SEND | TIMERS},
	  {TXN_EV_TRANSPORT, TXN_ST_TERMINATED, UNREACHABLE | DESTROY}}},
	{"INVITE server: transport error of a 180",
	 TXN_INVITE_SERVER,
	 {{TXN_EV_START, TXN_ST_PROCEEDING, TIMERS | PASS},
	  {TXN_EV_TRANSPORT, TXN_ST_TERMINATED, UNREACHABLE | DESTROY}}},
	{"tx01 tx02 INVITE server: accepted lives on",
	 TXN_INVITE_SERVER,
	 {{TXN_EV_START, TXN_ST_PROCEEDING, TIMERS | PASS},
	  {TXN_EV_ACK, TXN_ST_PROCEEDING, 0},
	  {TXN_EV_2XX, TXN_ST_ACCEPTED, SEND | TIMERS},
	  {TXN_EV_REQUEST, TXN_ST_ACCEPTED, 0},
	  {TXN_EV_TRANSPORT, TXN_ST_ACCEPTED, UNREACHABLE},
	  {TXN_EV_2XX, TXN_ST_ACCEPTED, SEND},
	  {TXN_EV_ACK, TXN_ST_ACCEPTED, PASS},
	  {TXN_EV_PROVISIONAL, TXN_ST_ACCEPTED, 0},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, DESTROY}}},

	{"client: 100, then 200",
	 TXN_CLIENT,
	 {{TXN_EV_START, TXN_ST_TRYING, SEND | TIMERS},
	  {TXN_EV_RESEND, TXN_ST_TRYING, RESEND},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, PASS},
	  {TXN_EV_PROVISIONAL, TXN_ST_PROCEEDING, PASS},
	  {TXN_EV_RESEND, TXN_ST_PROCEEDING, RESEND},
	  {TXN_EV_2XX, TXN_ST_COMPLETED, TIMERS | PASS},
	  {TXN_EV_2XX, TXN_ST_COMPLETED, 0},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, 0},
	  {TXN_EV_TRANSPORT, TXN_ST_COMPLETED, 0},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, DESTROY}}},
	{"client: 481 at once",
	 TXN_CLIENT,
	 {{TXN_EV_START, TXN_ST_TRYING, SEND | TIMERS},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, TIMERS | PASS}}},
	{"client: 200 at once",
	 TXN_CLIENT,
	 {{TXN_EV_START, TXN_ST_TRYING, SEND | TIMERS},
	  {TXN_EV_2XX, TXN_ST_COMPLETED, TIMERS | PASS}}},
	{"client: 183 is a provisional response too",
	 TXN_CLIENT,
	 {{TXN_EV_START, TXN_ST_TRYING, SEND | TIMERS},
	  {TXN_EV_PROVISIONAL, TXN_ST_PROCEEDING, PASS},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, PASS},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, TIMERS | PASS}}},
	{"client: timer F",
	 TXN_CLIENT,
	 {{TXN_EV_START, TXN_ST_TRYING, SEND | TIMERS},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, TIMED_OUT | DESTROY}}},
	{"p08 client: 100, then silence",
	 TXN_CLIENT,
	 {{TXN_EV_START, TXN_ST_TRYING, SEND | TIMERS},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, PASS},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, TIMED_OUT | DESTROY}}},
	{"client: transport error",
	 TXN_CLIENT,
	 {{TXN_EV_START, TXN_ST_TRYING, SEND | TIMERS},
	  {TXN_EV_TRANSPORT, TXN_ST_TERMINATED, UNREACHABLE | DESTROY}}},
	{"client: transport error of a retransmission",
	 TXN_CLIENT,
	 {{TXN_EV_START, TXN_ST_TRYING, SEND | TIMERS},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, PASS},
	  {TXN_EV_TRANSPORT, TXN_ST_TERMINATED, UNREACHABLE | DESTROY}}},

	{"server: answered, repeats get the same answer",
	 TXN_SERVER,
	 {{TXN_EV_START, TXN_ST_TRYING, TIMERS | PASS},
	  {TXN_EV_REQUEST, TXN_ST_TRYING, 0},
	  {TXN_EV_2XX, TXN_ST_COMPLETED, SEND | TIMERS},
	  {TXN_EV_REQUEST, TXN_ST_COMPLETED, RESEND},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, 0},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, DESTROY}}},
	{"server: 100 first",
	 TXN_SERVER,
	 {{TXN_EV_START, TXN_ST_TRYING, TIMERS | PASS},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, SEND},
	  {TXN_EV_REQUEST, TXN_ST_PROCEEDING, RESEND},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, SEND},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, SEND | TIMERS}}},
	{"server: 100, then 200",
	 TXN_SERVER,
	 {{TXN_EV_START, TXN_ST_TRYING, TIMERS | PASS},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, SEND},
	  {TXN_EV_2XX, TXN_ST_COMPLETED, SEND | TIMERS}}},
	{"server: 404",
	 TXN_SERVER,
	 {{TXN_EV_START, TXN_ST_TRYING, TIMERS | PASS},
	  {TXN_EV_FINAL, TXN_ST_COMPLETED, SEND | TIMERS},
	  {TXN_EV_TRANSPORT, TXN_ST_TERMINATED, UNREACHABLE | DESTROY}}},
	{"ni02 server: no 1xx but 100",
	 TXN_SERVER,
	 {{TXN_EV_START, TXN_ST_TRYING, TIMERS | PASS},
	  {TXN_EV_PROVISIONAL, TXN_ST_TRYING, 0},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, SEND},
	  {TXN_EV_PROVISIONAL, TXN_ST_PROCEEDING, 0},
	  {TXN_EV_TRANSPORT, TXN_ST_TERMINATED, UNREACHABLE | DESTROY}}},
	{"ni01 server: times out in silence",
	 TXN_SERVER,
	 {{TXN_EV_START, TXN_ST_TRYING, TIMERS | PASS},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, TIMED_OUT | DESTROY}}},
	{"ni01 server: likewise after 100",
	 TXN_SERVER,
	 {{TXN_EV_START, TXN_ST_TRYING, TIMERS | PASS},
	  {TXN_EV_TRYING, TXN_ST_PROCEEDING, SEND},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, TIMED_OUT | DESTROY}}},

	{"answer: ACKed",
	 TXN_ANSWER,
	 {{TXN_EV_START, TXN_ST_ACCEPTED, SEND | TIMERS},
	  {TXN_EV_REQUEST, TXN_ST_ACCEPTED, 0},
	  {TXN_EV_RESEND, TXN_ST_ACCEPTED, RESEND},
	  {TXN_EV_TRANSPORT, TXN_ST_ACCEPTED, UNREACHABLE},
	  {TXN_EV_ACK, TXN_ST_ACKED, PASS},
	  {TXN_EV_ACK, TXN_ST_ACKED, 0},
	  {TXN_EV_REQUEST, TXN_ST_ACKED, 0},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, DESTROY}}},
	{"dl07 p23 answer: never ACKed",
	 TXN_ANSWER,
	 {{TXN_EV_START, TXN_ST_ACCEPTED, SEND | TIMERS},
	  {TXN_EV_TIMEOUT, TXN_ST_TERMINATED, NO_ACK | DESTROY}}},
};

static bool seen[TXN_MACHINE_N][TXN_ST_N][TXN_EV_N];

static void txn_step_runs(void **)
{
	for (size_t i = 0; i < COUNT(runs); i++) {
		enum txn_state state = TXN_ST_NEW;

		for (size_t n = 0; n < COUNT(runs[i].steps) && runs[i].steps[n].event != 0; n++) {
			const struct run_step *want = &runs[i].steps[n];
			struct txn_step got = txn_step(runs[i].machine, state, want->event);

			if (got.state != want->state || got.actions != want->actions)
				fail_msg("%s, step %zu: %s in %s leads to %s with %x",
					 runs[i].shows, n, txn_event_name(want->event),
					 txn_state_name(state),
					 txn_state_name((enum txn_state)got.state), got.actions);
			seen[runs[i].machine][state][want->event] = true;
			state = (enum txn_state)got.state;
		}
	}
}

// Every row is in a run above, and what holds for all rows holds.
static void txn_step_rows(void **)
{
	for (unsigned m = 0; m < TXN_MACHINE_N; m++)
		for (unsigned s = 0; s < TXN_ST_N; s++)
			for (unsigned e = 0; e < TXN_EV_N; e++) {
				struct txn_step step = txn_step(
					(enum txn_machine)m, (enum txn_state)s, (enum txn_event)e);
				bool over = step.state == TXN_ST_TERMINATED;

				if (!step.expected) {
					assert_int_equal(step.state, s);
					assert_int_equal(step.actions, 0);
					continue;
				}
				if (!seen[m][s][e])
					fail_msg("%s, %s in %s: no run shows it",
						 txn_machine_name((enum txn_machine)m),
						 txn_event_name((enum txn_event)e),
						 txn_state_name((enum txn_state)s));
				assert_int_not_equal(s, TXN_ST_TERMINATED);
				assert_int_not_equal(step.state, TXN_ST_NEW);
				assert_int_equal(over, (step.actions & DESTROY) != 0);
				if (e == TXN_EV_TIMEOUT && !over)
					assert_true((step.actions & TIMERS) != 0);
				if (e == TXN_EV_RESEND)
					assert_int_equal(step.actions, RESEND);
				assert_true((step.actions & SEND) == 0 ||
					    (step.actions & RESEND) == 0);
			}
}

static void txn_step_statuses(void **)
{
	static const struct {
		unsigned status;
		enum txn_event event;
	} rows[] = {
		{0, TXN_EV_NONE},	   {99, TXN_EV_NONE},	      {100, TXN_EV_TRYING},
		{101, TXN_EV_PROVISIONAL}, {199, TXN_EV_PROVISIONAL}, {200, TXN_EV_2XX},
		{299, TXN_EV_2XX},	   {300, TXN_EV_FINAL},	      {699, TXN_EV_FINAL},
		{700, TXN_EV_NONE},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(txn_event_of_status(rows[i].status), rows[i].event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(txn_step_runs),
		cmocka_unit_test(txn_step_rows),
		cmocka_unit_test(txn_step_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
