// SPDX-License-Identifier: BSD-3-Clause
// control/trunk_facts and control/learn: 5 of 6 distinct calls and never one, outages teach
// nothing, quarantine and recovery, methods, Min-SE, boundaries (FEATURES part 3 idea 1; INTEROP
// P1, P2, P6, P8).
#include <errno.h>

#include "control_rig.h"

#include "b2bua/engine.h"

static enum fact_state state_of(const struct rig *rig, enum fact_id fact)
{
	return (enum fact_state)control_facts(rig->control, RIG_OUT)->all.facts[fact].state;
}

static uint32_t flags_of(const struct rig *rig, unsigned trunk)
{
	return atomic_load_explicit(&rig->live[trunk].flags, memory_order_relaxed);
}

static void answered(struct rig *rig, uint32_t call, uint32_t min_se_s)
{
	struct event event = {.type = EVENT_ANSWERED, .call = call, .gen = 1, .at = rig->now};

	event.answered.trunk[SIDE_A] = RIG_IN;
	event.answered.trunk[SIDE_B] = RIG_OUT;
	event.answered.timer[SIDE_B] = (struct msg_timer){
		.se_s = 1800, .min_se_s = min_se_s, .role = ST_ROLE_LOCAL, .peer_timer = true};
	event.answered.timer[SIDE_A] = (struct msg_timer){.se_s = 1800, .peer_timer = true};
	rig_event(rig, &event);
}

// A call whose refresh is answered so by UPDATE and, where that is not enough, by re-INVITE. code 0
// is silence.
static void call(struct rig *rig, uint32_t number, unsigned update, unsigned invite)
{
	struct event due, done;
	struct call_record record = {.call = number, .gen = 1, .cause = CAUSE_NORMAL};
	unsigned method;

	answered(rig, number, 0);
	rig_run(rig, rig->now + TICK_S(900));
	due = rig_due(rig, number);
	rig_event(rig, &due);
	for (unsigned i = 0; i < 2; i++) {
		const struct order *order = rig_last(rig);
		unsigned code;

		if (order->type != ORDER_REFRESH || order->call != number)
			break;
		method = order->refresh.method;
		code = method == REFRESH_INVITE ? invite : update;
		rig->now += code != 0 ? TICK_MS(20) : TICK_S(32);
		done = rig_done(rig, &due, method, code, code != 0 ? TICK_MS(20) : TICK_S(32));
		rig_event(rig, &done);
		if (code == 200)
			break;
	}
	record.legs[SIDE_A].trunk = RIG_IN;
	record.legs[SIDE_B].trunk = RIG_OUT;
	control_record(rig->control, 0, &record, rig->now);
}

static void silent_trunk_is_quarantined(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		call(rig, i, 0, 0);
	assert_int_equal(rig_last(rig)->type, ORDER_END_CALL);
	assert_int_equal(state_of(rig, FACT_REFRESH), FACT_UNKNOWN);
	assert_int_equal(flags_of(rig, RIG_OUT), 0);
	call(rig, 4, 0, 0);
	assert_int_equal(state_of(rig, FACT_REFRESH), FACT_UNSUPPORTED);
	assert_true(flags_of(rig, RIG_OUT) & TRUNK_LIVE_OBSERVE);
	assert_int_equal(atomic_load(&rig->live[RIG_OUT].probe_one_in), 20);
	assert_int_equal(flags_of(rig, RIG_IN), 0);
	assert_true(rig_logged(rig, "quarantine trunk=\"out\" because=refresh"));
	assert_true(rig_logged(rig, "bad:silence,bad:silence,bad:silence,bad:silence,bad:silence"));
	// P1: no second call of a quarantined trunk is dropped by a timer
	call(rig, 6, 0, 0);
	assert_int_equal(rig_last(rig)->type, ORDER_TIMER_OFF);
	rig_free(rig);
}

static void recovers_by_probes(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");

	(void)state;
	for (uint32_t i = 0; i < 6; i++)
		call(rig, i, 0, 0);
	answered(rig, 99, 0);
	assert_true(control_facts(rig->control, RIG_OUT)->quarantined);
	for (uint32_t i = 10; i < 14; i++)
		call(rig, i, 200, 200);
	assert_true(control_facts(rig->control, RIG_OUT)->quarantined);
	call(rig, 14, 200, 200);
	assert_false(control_facts(rig->control, RIG_OUT)->quarantined);
	assert_int_equal(flags_of(rig, RIG_OUT) & TRUNK_LIVE_OBSERVE, 0);
	assert_true(rig_logged(rig, "quarantine_over"));
	assert_int_equal(control_trunk_stats(rig->control, RIG_OUT)->quarantines, 1);
	rig_free(rig);
}

// One call that fails a hundred times is one call.
static void one_call_proves_nothing(void **state)
{
	struct rig *rig = rig_new("on_refresh_failure: warn", "options_ping: 0");

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct event due = rig_due(rig, 7), done;

		rig_event(rig, &due);
		for (unsigned n = 0; n < 2; n++) {
			rig->now += TICK_S(32);
			done = rig_done(rig, &due, rig_last(rig)->refresh.method, 0, TICK_S(32));
			rig_event(rig, &done);
		}
		answered(rig, 1000 + i, 0);
		rig->now += TICK_S(900);
	}
	assert_int_equal(state_of(rig, FACT_REFRESH), FACT_UNKNOWN);
	assert_int_equal(flags_of(rig, RIG_OUT), 0);
	rig_free(rig);
}

// Every call of a trunk that is down is silent. Pings say that it is down: that is no evidence.
static void outage_teaches_nothing(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 30");
	struct event ping = {.type = EVENT_PING_DONE, .trunk = RIG_OUT}, due[12], done;

	(void)state;
	for (uint32_t i = 0; i < 12; i++) {
		due[i] = rig_due(rig, i);
		rig_event(rig, &due[i]);
	}
	rig->now += TICK_S(20);
	for (uint8_t peer = 0; peer < 2; peer++) {
		ping.ping_done.peer = peer;
		rig_event(rig, &ping);
	}
	rig->now += TICK_S(12);
	for (unsigned method = REFRESH_UPDATE; method <= REFRESH_INVITE;
	     method += 2, rig->now += TICK_S(32))
		for (uint32_t i = 0; i < 12; i++) {
			done = rig_done(rig, &due[i], method, 0, TICK_S(32));
			rig_event(rig, &done);
		}
	for (uint32_t i = 0; i < 12; i++)
		answered(rig, 100 + i, 0);
	assert_int_equal(state_of(rig, FACT_REFRESH), FACT_UNKNOWN);
	assert_int_equal(flags_of(rig, RIG_OUT), 0);
	rig_free(rig);
}

static uint16_t refreshed_before; // what a call's view says

static int view_call(void *ctx, unsigned worker, uint32_t call, uint32_t gen,
		     struct call_view *view)
{
	(void)ctx;
	(void)worker;
	*view = (struct call_view){.call = call, .gen = gen};
	view->legs[SIDE_B].refreshes_sent = refreshed_before;
	return 0;
}

// Forty calls stop answering while the trunk lives. If their refreshes worked before, an endpoint
// died: they are all cleared. If they never did, the trunk cannot do it.
static void death_is_no_evidence(void **state)
{
	(void)state;
	for (unsigned worked = 0; worked < 2; worked++) {
		struct rig *rig = rig_new("method: invite", "options_ping: 0");
		struct control_params params = {.config = rig->config,
						.live = rig->live,
						.workers = 1,
						.callbacks = {.ctx = rig,
							      .send_order = rig_order,
							      .log = rig_log,
							      .view = view_call}};

		control_free(rig->control);
		rig->control = control_new(&params, rig->now);
		assert_non_null(rig->control);
		refreshed_before = (uint16_t)worked;
		for (uint32_t i = 0; i < 40; i++) {
			struct event due = rig_due(rig, i), done;

			due.refresh_due.first_method = REFRESH_INVITE;
			rig_event(rig, &due);
			rig->now += TICK_S(32);
			done = rig_done(rig, &due, REFRESH_INVITE, 0, TICK_S(32));
			rig_event(rig, &done);
			answered(rig, 1000 + i, 0);
		}
		assert_int_equal(state_of(rig, FACT_REFRESH),
				 worked ? FACT_UNKNOWN : FACT_UNSUPPORTED);
		assert_int_equal(rig_last(rig)->type, worked ? ORDER_END_CALL : ORDER_TIMER_OFF);
		rig_free(rig);
	}
}

static const struct {
	const char *shows;
	unsigned update, invite;
	enum fact_state update_state, invite_state;
	uint32_t flags;
} methods[] = {
	{"both work", 200, 200, FACT_SUPPORTED, FACT_UNKNOWN, 0},
	{"UPDATE refused", 405, 200, FACT_UNSUPPORTED, FACT_SUPPORTED, TRUNK_LIVE_NO_UPDATE},
	{"UPDATE silent", 0, 200, FACT_UNSUPPORTED, FACT_SUPPORTED, TRUNK_LIVE_NO_UPDATE},
};

static void methods_are_learned(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		// probe_one_in 2: half of the calls try UPDATE although one call has seen it fail
		struct rig *rig = rig_new("probe_one_in: 2", "options_ping: 0");
		uint32_t updates = 0;

		for (uint32_t n = 0; n < 40; n++)
			call(rig, n, methods[i].update, methods[i].invite);
		if (state_of(rig, FACT_UPDATE) != methods[i].update_state ||
		    state_of(rig, FACT_INVITE) != methods[i].invite_state)
			fail_msg("%s: %d %d", methods[i].shows, state_of(rig, FACT_UPDATE),
				 state_of(rig, FACT_INVITE));
		assert_int_equal(flags_of(rig, RIG_OUT), methods[i].flags);
		assert_int_equal(state_of(rig, FACT_REFRESH), FACT_SUPPORTED);
		rig->n_orders = 0;
		for (uint32_t n = 100; n < 140; n++) {
			call(rig, n, methods[i].update, methods[i].invite);
		}
		for (uint32_t n = 0; n < rig->n_orders; n++)
			updates += rig->orders[n].order.refresh.method == REFRESH_UPDATE;
		if (methods[i].update == 200)
			assert_int_equal(updates, 40);
		else
			assert_in_range(updates, 8, 32);
		rig_free(rig);
	}
}

// The second call of such a trunk uses re-INVITE at once (P8): a preference after one call, no
// flag.
static void second_call_prefers_invite(void **state)
{
	struct rig *rig = rig_new("probe_one_in: 0", "options_ping: 0");

	(void)state;
	call(rig, 1, 405, 200);
	assert_int_equal(rig->n_orders, 2);
	call(rig, 2, 405, 200);
	assert_int_equal(rig->n_orders, 3);
	assert_int_equal(rig_last(rig)->refresh.method, REFRESH_INVITE);
	assert_int_equal(flags_of(rig, RIG_OUT), 0);
	rig_free(rig);
}

static void agents_are_told_apart(void **state)
{
	struct rig *rig = rig_new("probe_one_in: 0", "options_ping: 0");
	struct event due = rig_due(rig, 1), done;

	(void)state;
	due.refresh_due.agent = 11;
	rig_event(rig, &due);
	done = rig_done(rig, &due, REFRESH_UPDATE, 405, 0);
	rig_event(rig, &done);
	done = rig_done(rig, &due, REFRESH_INVITE, 200, 0);
	rig_event(rig, &done);
	due = rig_due(rig, 2);
	due.refresh_due.agent = 22; // another device behind the trunk: UPDATE first
	rig_event(rig, &due);
	assert_int_equal(rig_last(rig)->refresh.method, REFRESH_UPDATE);
	due = rig_due(rig, 3);
	due.refresh_due.agent = 11;
	rig_event(rig, &due);
	assert_int_equal(rig_last(rig)->refresh.method, REFRESH_INVITE);
	rig_free(rig);
}

static void min_se_is_offered_at_once(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");

	(void)state;
	answered(rig, 1, 28800);
	assert_int_equal(atomic_load(&rig->live[RIG_OUT].min_se_s), 28800);
	answered(rig, 2, 100000); // above max_interval: the peer's wish, not ours
	assert_int_equal(atomic_load(&rig->live[RIG_OUT].min_se_s), 28800);
	answered(rig, 3, 90);
	assert_int_equal(atomic_load(&rig->live[RIG_OUT].min_se_s), 28800);
	rig->now += TICK_S(86401); // after a day one call asks anew
	answered(rig, 4, 0);
	assert_int_equal(atomic_load(&rig->live[RIG_OUT].min_se_s), 0);
	rig_free(rig);
}

static void boundary_gives_hint(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct call_record record = {.call = i,
					     .gen = 1,
					     .cause = CAUSE_PEER_BYE_ON_TIMER_BOUNDARY,
					     .side = SIDE_B,
					     .boundary = ST_BOUNDARY_HALF};

		assert_false(rig_logged(rig, "hint"));
		record.legs[SIDE_B].trunk = RIG_OUT;
		control_record(rig->control, 0, &record, rig->now);
	}
	assert_true(rig_logged(rig, "hint trunk=\"out\" boundary=SE/2 hits=3"));
	assert_int_equal(control_facts(rig->control, RIG_OUT)->boundary[ST_BOUNDARY_HALF], 3);
	rig_free(rig);
}

static void operator_decides(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");

	(void)state;
	assert_int_equal(
		control_trunk_override(rig->control, RIG_OUT, CONTROL_OVERRIDE_OBSERVE, rig->now),
		0);
	assert_true(flags_of(rig, RIG_OUT) & TRUNK_LIVE_OBSERVE);
	assert_int_equal(
		control_trunk_override(rig->control, RIG_OUT, CONTROL_OVERRIDE_NORMAL, rig->now),
		0);
	for (uint32_t i = 0; i < 8; i++)
		call(rig, i, 0, 0);
	answered(rig, 99, 0);
	assert_int_equal(flags_of(rig, RIG_OUT), 0); // learned, but overruled
	assert_int_equal(state_of(rig, FACT_REFRESH), FACT_UNSUPPORTED);
	assert_int_equal(control_trunk_reset(rig->control, RIG_OUT, rig->now), 0);
	assert_int_equal(state_of(rig, FACT_REFRESH), FACT_UNKNOWN);
	assert_int_equal(control_trunk_reset(rig->control, 99, rig->now), -ENOENT);
	rig_free(rig);
}

static void learning_can_be_off(void **state)
{
	struct rig *rig = rig_new("learn: 0", "options_ping: 0");

	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		call(rig, i, 0, 0);
	answered(rig, 99, 0);
	assert_int_equal(flags_of(rig, RIG_OUT), 0);
	assert_int_equal(rig->orders[rig->n_orders - 1].order.type, ORDER_END_CALL);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silent_trunk_is_quarantined),
		cmocka_unit_test(recovers_by_probes),
		cmocka_unit_test(one_call_proves_nothing),
		cmocka_unit_test(outage_teaches_nothing),
		cmocka_unit_test(death_is_no_evidence),
		cmocka_unit_test(methods_are_learned),
		cmocka_unit_test(second_call_prefers_invite),
		cmocka_unit_test(agents_are_told_apart),
		cmocka_unit_test(min_se_is_offered_at_once),
		cmocka_unit_test(boundary_gives_hint),
		cmocka_unit_test(operator_decides),
		cmocka_unit_test(learning_can_be_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
