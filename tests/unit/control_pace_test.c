// SPDX-License-Identifier: BSD-3-Clause
// control/pace: the budget is kept, the nearest expiry goes first, and nothing expires for waiting.
#include "control_rig.h"

#include "b2bua/engine.h"

#define CALLS 1000

static tick_t sent_at(const struct rig *rig, uint32_t call)
{
	for (uint32_t i = 0; i < rig->n_orders; i++)
		if (rig->orders[i].order.call == call)
			return rig->orders[i].at;
	return TICK_NEVER;
}

// Most orders within any window of this length.
static uint32_t most_within(const struct rig *rig, tick_t window)
{
	uint32_t most = 0;

	for (uint32_t i = 0, from = 0; i < rig->n_orders; i++) {
		while (rig->orders[i].at - rig->orders[from].at >= window)
			from++;
		most = i - from + 1 > most ? i - from + 1 : most;
	}
	return most;
}

static const struct {
	const char *shows;
	unsigned budget;
	tick_t left; // until the deadline
	uint32_t most_a_second;
	bool overruns;
} rows[] = {
	{"budget that suffices", 50, TICK_S(868), 55, false},
	{"unlimited", 0, TICK_S(868), CALLS, false},
	{"budget that cannot: nothing late", 50, TICK_S(15), CALLS, true},
};

static void thousand_legs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char timer[64];
		struct rig *rig;
		tick_t start;

		// interval: 24h passes the check that a budget can carry limits.calls
		snprintf(timer, sizeof(timer), "method: update, interval: 24h, budget: %u",
			 rows[i].budget);
		rig = rig_new(timer, "options_ping: 0");
		start = rig->now;
		for (uint32_t call = 0; call < CALLS; call++) {
			struct event due = rig_due(rig, call);

			due.refresh_due.expiry_tk = start + rows[i].left;
			rig_event(rig, &due);
		}
		rig_run(rig, start + rows[i].left);
		if (rig->n_orders != CALLS)
			fail_msg("%s: %u sent", rows[i].shows, rig->n_orders);
		for (uint32_t call = 0; call < CALLS; call++)
			if (sent_at(rig, call) + TICK_S(2) > start + rows[i].left)
				fail_msg("%s: call %u late", rows[i].shows, call);
		if (most_within(rig, TICK_S(1)) > rows[i].most_a_second)
			fail_msg("%s: %u in a second", rows[i].shows, most_within(rig, TICK_S(1)));
		assert_int_equal(control_trunk_stats(rig->control, RIG_OUT)->pace_overruns != 0,
				 rows[i].overruns);
		rig_free(rig);
	}
}

static void nearest_expiry_first(void **state)
{
	struct rig *rig = rig_new("interval: 24h, budget: 20", "options_ping: 0");
	tick_t start = rig->now;
	uint32_t filled;

	(void)state;
	for (uint32_t call = 0; call < 100; call++) { // fills the bucket
		struct event due = rig_due(rig, 1000 + call);

		rig_event(rig, &due);
	}
	filled = rig->n_orders;
	assert_in_range(filled, 1, 3);
	for (uint32_t call = 0; call < 100; call++) { // the later they come the nearer they are
		struct event due = rig_due(rig, call);

		due.refresh_due.expiry_tk = start + TICK_S(600) - TICK_S(call);
		rig_event(rig, &due);
	}
	rig_run(rig, start + TICK_S(30));
	assert_int_equal(rig->n_orders, 200);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(rig->orders[filled + i].order.call, 99 - i);
	rig_free(rig);
}

// A trunk without a budget is paced in the first minute, and then not.
static void storm_guard(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");

	(void)state;
	rig->now -= TICK_S(120) - TICK_S(1);
	for (uint32_t call = 0; call < 3000; call++) {
		struct event due = rig_due(rig, call);

		rig_event(rig, &due);
	}
	rig_run(rig, rig->now + TICK_S(20));
	assert_int_equal(rig->n_orders, 3000);
	assert_in_range(most_within(rig, TICK_S(1)), 450, 560);
	assert_int_equal(control_trunk_stats(rig->control, RIG_OUT)->pace_overruns, 0);
	// control stood still: events come late, all at once
	rig->now += TICK_S(300);
	rig->n_orders = 0;
	for (uint32_t call = 5000; call < 6000; call++) {
		struct event due = rig_due(rig, call);

		due.at -= TICK_S(3);
		rig_event(rig, &due);
	}
	rig_run(rig, rig->now + TICK_S(20));
	assert_int_equal(rig->n_orders, 1000);
	assert_in_range(most_within(rig, TICK_S(1)), 450, 560);
	// all is well again
	rig->now += TICK_S(300);
	rig->n_orders = 0;
	for (uint32_t call = 7000; call < 8000; call++) {
		struct event due = rig_due(rig, call);

		rig_event(rig, &due);
	}
	assert_int_equal(rig->n_orders, 1000);
	rig_free(rig);
}

static void end_while_waiting(void **state)
{
	struct rig *rig = rig_new("interval: 24h, budget: 20", "options_ping: 0");
	uint32_t sent;

	(void)state;
	for (uint32_t call = 0; call < 100; call++) {
		struct event due = rig_due(rig, call);

		rig_event(rig, &due);
	}
	sent = rig->n_orders;
	for (uint32_t call = 0; call < 100; call++) {
		struct call_record record = {.call = call, .gen = 1, .cause = CAUSE_NORMAL};

		control_record(rig->control, 0, &record, rig->now);
	}
	rig_run(rig, rig->now + TICK_S(100));
	assert_int_equal(rig->n_orders, sent);
	assert_int_equal(control_stats(rig->control)->legs_waiting, 0);
	assert_int_equal(control_stats(rig->control)->legs_known, 0);
	rig_free(rig);
}

static void at_risk_counts(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	uint64_t counts[CONTROL_AT_RISK_N];
	struct event due, done;

	(void)state;
	for (uint32_t call = 0; call < 4; call++) {
		due = rig_due(rig, call);
		due.refresh_due.expiry_tk = rig->now + TICK_S(5) + TICK_S(20) * call;
		rig_event(rig, &due);
	}
	control_at_risk(rig->control, RIG_OUT, rig->now, counts); // 5, 25, 45, 65 s left
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 2);
	assert_int_equal(counts[2], 3);
	assert_int_equal(counts[3], 4);
	done = rig_done(rig, &due, REFRESH_UPDATE, 200, 0);
	rig_event(rig, &done);
	control_at_risk(rig->control, RIG_OUT, rig->now, counts);
	assert_int_equal(counts[3], 3);
	control_at_risk(rig->control, RIG_IN, rig->now, counts);
	assert_int_equal(counts[4], 0);
	rig_free(rig);
}

// A leg that the peer should have refreshed, as the shell shows it.
static void late_peers_are_at_risk(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	uint64_t counts[CONTROL_AT_RISK_N];
	struct call_view view = {.answer_tk = 1};

	(void)state;
	rig->now += TICK_S(10000);
	for (unsigned i = 0; i < 4;
	     i++) { // refreshed 900, 1100, 1700, 1760 s ago; given up at 1768
		static const unsigned ago[] = {900, 1100, 1700, 1760};
		struct leg_view *leg = &view.legs[SIDE_B];

		leg->trunk = RIG_OUT;
		leg->timer = (struct msg_timer){.se_s = 1800, .role = ST_ROLE_REMOTE};
		leg->last_refresh_ok_tk = rig->now - TICK_S(ago[i]);
		leg->expiry_tk = leg->last_refresh_ok_tk + TICK_S(1800);
		control_watch(rig->control, &view, rig->now);
	}
	control_at_risk(rig->control, RIG_OUT, rig->now, counts);
	assert_int_equal(counts[4], 0); // the round is not over
	control_watched(rig->control);
	control_at_risk(rig->control, RIG_OUT, rig->now, counts);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[2], 1);
	assert_int_equal(counts[3], 2);
	assert_int_equal(counts[4], 3);
	control_watched(rig->control);
	control_at_risk(rig->control, RIG_OUT, rig->now, counts);
	assert_int_equal(counts[4], 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thousand_legs),  cmocka_unit_test(nearest_expiry_first),
		cmocka_unit_test(storm_guard),	  cmocka_unit_test(end_while_waiting),
		cmocka_unit_test(at_risk_counts), cmocka_unit_test(late_peers_are_at_risk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
