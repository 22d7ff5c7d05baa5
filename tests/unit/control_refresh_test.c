// SPDX-License-Identifier: BSD-3-Clause
// control/refresh and control/release: the ladder, glare, harmless and fatal answers, what ends a
// call and what only warns (REQUIREMENTS ST-36, ST-69 to ST-75, DL-08; INTEROP P8, P13, P14, P15).
#include "control_rig.h"

// One answer to the first attempt, and what control does then.
static const struct {
	const char *shows;
	unsigned code;
	int order;	 // enum order_type of what follows within 5 s, -1: nothing
	unsigned method; // of ORDER_REFRESH
} rows[] = {
	{"200: done", 200, -1, 0},
	{"405: no UPDATE here, re-INVITE", 405, ORDER_REFRESH, REFRESH_INVITE},
	{"501: likewise", 501, ORDER_REFRESH, REFRESH_INVITE},
	{"488: with SDP", 488, ORDER_REFRESH, REFRESH_UPDATE_SDP},
	{"491: again after the back-off", 491, ORDER_REFRESH, REFRESH_UPDATE},
	{"481: a re-INVITE asks once more", 481, ORDER_REFRESH, REFRESH_INVITE},
	{"408: likewise", 408, ORDER_REFRESH, REFRESH_INVITE},
	{"silence: the other method", 0, ORDER_REFRESH, REFRESH_INVITE},
};

static void first_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rig *rig = rig_new("", "options_ping: 0");
		struct event due = rig_due(rig, 7), done;
		uint32_t before;

		rig_event(rig, &due);
		assert_int_equal(rig->n_orders, 1);
		assert_int_equal(rig_last(rig)->type, ORDER_REFRESH);
		assert_int_equal(rig_last(rig)->refresh.method, REFRESH_UPDATE);
		rig->now += rows[i].code != 0 ? TICK_MS(20) : TICK_S(32);
		done = rig_done(rig, &due, REFRESH_UPDATE, rows[i].code,
				rows[i].code != 0 ? TICK_MS(20) : TICK_S(32));
		before = rig->n_orders;
		rig_event(rig, &done);
		rig_run(rig, rig->now + TICK_S(5));
		if (rig->n_orders - before != (rows[i].order >= 0))
			fail_msg("%s: %u orders", rows[i].shows, rig->n_orders - before);
		if (rows[i].order >= 0 && rig_last(rig)->type != rows[i].order)
			fail_msg("%s: order %u", rows[i].shows, rig_last(rig)->type);
		if (rows[i].order == ORDER_REFRESH &&
		    rig_last(rig)->refresh.method != rows[i].method)
			fail_msg("%s: method %u", rows[i].shows, rig_last(rig)->refresh.method);
		rig_free(rig);
	}
}

static void ladder_remembers(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	struct event due = rig_due(rig, 7), done;
	struct control_attempts attempts;

	(void)state;
	rig_event(rig, &due);
	rig->now += TICK_S(32);
	done = rig_done(rig, &due, REFRESH_UPDATE, 0, TICK_S(32));
	rig_event(rig, &done);
	assert_int_equal(rig_last(rig)->refresh.method, REFRESH_INVITE);
	rig->now += TICK_MS(30);
	done = rig_done(rig, &due, REFRESH_INVITE, 200, TICK_MS(30));
	rig_event(rig, &done);
	control_attempts(rig->control, 0, 7, 1, SIDE_B, &attempts);
	assert_int_equal(attempts.n, 1);
	assert_int_equal(attempts.list[0].code, 0);
	assert_int_equal(attempts.list[0].ms, 32000);
	assert_int_equal(attempts.list[0].method, REFRESH_UPDATE);
	// the next refresh of this leg, and the first of another call of the trunk, begin with
	// re-INVITE
	rig->now += TICK_S(900);
	due = rig_due(rig, 7);
	rig_event(rig, &due);
	assert_int_equal(rig_last(rig)->refresh.method, REFRESH_INVITE);
	due = rig_due(rig, 8);
	rig_event(rig, &due);
	assert_int_equal(rig_last(rig)->call, 8);
	assert_int_equal(rig_last(rig)->refresh.method, REFRESH_INVITE);
	assert_int_equal(
		control_trunk_stats(rig->control, RIG_OUT)->shared.refreshes_update_sent_retry, 1);
	rig_free(rig);
}

static void glare_backs_off(void **state)
{
	(void)state;
	for (unsigned owner = 0; owner < 2; owner++) {
		struct rig *rig = rig_new("", "options_ping: 0");
		tick_t least = TICK_NEVER, most = 0;

		for (uint32_t call = 0; call < 400; call++) {
			struct event due = rig_due(rig, call), done;
			tick_t at = rig->now, wait;

			due.refresh_due.call_id_owner = owner;
			rig_event(rig, &due);
			done = rig_done(rig, &due, REFRESH_UPDATE, 491, 0);
			rig_event(rig, &done);
			rig_run(rig, rig->now + TICK_S(5));
			wait = rig->orders[rig->n_orders - 1].at - at;
			assert_int_equal(rig->n_orders, 2 * (call + 1));
			assert_int_equal(wait % TICK_MS(10), 0);
			least = wait < least ? wait : least;
			most = wait > most ? wait : most;
		}
		assert_true(least >= (owner ? TICK_MS(2100) : 0));
		assert_true(most <= (owner ? TICK_MS(4000) : TICK_MS(2000)));
		assert_true(most - least > TICK_MS(1500));
		assert_int_equal(control_trunk_stats(rig->control, RIG_OUT)->shared.glare, 400);
		assert_int_equal(control_trunk_stats(rig->control, RIG_OUT)
					 ->shared.refreshes_update_sent_failed,
				 0);
		rig_free(rig);
	}
}

static void peer_refresh_cancels_retry(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	struct event due = rig_due(rig, 7), done, peer;

	(void)state;
	rig_event(rig, &due);
	done = rig_done(rig, &due, REFRESH_UPDATE, 491, 0);
	rig_event(rig, &done);
	peer = due;
	peer.type = EVENT_PEER_REFRESHED;
	peer.peer_refreshed.timer = due.refresh_due.timer;
	peer.peer_refreshed.agent = 0;
	peer.peer_refreshed.code = 200;
	peer.peer_refreshed.method = SIP_INVITE;
	rig_event(rig, &peer);
	rig_run(rig, rig->now + TICK_S(10));
	assert_int_equal(rig->n_orders, 1);
	rig_free(rig);
}

static struct event expired(const struct rig *rig, const struct event *due, unsigned role)
{
	struct event event = *due;

	event.type = EVENT_SESSION_EXPIRED;
	event.at = rig->now;
	event.expired.expiry_tk = rig->now;
	event.expired.last_proof_tk = rig->now - TICK_S(60);
	event.expired.timer = (struct msg_timer){.se_s = 1800, .role = (uint8_t)role};
	return event;
}

static const struct {
	const char *shows, *timer;
	unsigned role;
	bool silent; // an own refresh was sent and not answered
	unsigned order, cause;
} ends[] = {
	{"peer did not refresh", "", ST_ROLE_REMOTE, false, ORDER_END_CALL, CAUSE_SESSION_EXPIRED},
	{"own refresh unanswered at expiry", "", ST_ROLE_LOCAL, true, ORDER_END_CALL,
	 CAUSE_REFRESH_FAILURE},
	{"own refresh never sent", "", ST_ROLE_LOCAL, false, ORDER_END_CALL,
	 CAUSE_SESSION_EXPIRED_LOCAL},
	{"on_expiry warn", "on_expiry: warn", ST_ROLE_REMOTE, false, ORDER_TIMER_OFF, 0},
	{"on_refresh_failure warn", "on_refresh_failure: warn", ST_ROLE_LOCAL, true,
	 ORDER_TIMER_OFF, 0},
	{"on_refresh_failure is not the peer's", "on_refresh_failure: warn", ST_ROLE_REMOTE, false,
	 ORDER_END_CALL, CAUSE_SESSION_EXPIRED},
	{"mode observe", "mode: observe", ST_ROLE_REMOTE, false, ORDER_TIMER_OFF, 0},
};

static void expiries(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		struct rig *rig = rig_new(ends[i].timer, "options_ping: 0");
		struct event due = rig_due(rig, 7), event;

		if (ends[i].silent)
			rig_event(rig, &due);
		rig->now += RIG_LEFT;
		event = expired(rig, &due, ends[i].role);
		rig_event(rig, &event);
		if (rig_last(rig)->type != ends[i].order)
			fail_msg("%s: wrong order", ends[i].shows);
		if (ends[i].order == ORDER_END_CALL) {
			if (rig_last(rig)->end.cause != ends[i].cause)
				fail_msg("%s: %s", ends[i].shows,
					 cause_word((enum cause)rig_last(rig)->end.cause));
			assert_int_equal(rig_last(rig)->end.code, 408);
			assert_int_equal(rig_last(rig)->side, SIDE_B);
			assert_int_equal(rig_last(rig)->end.by, BY_VERGE);
		} else {
			assert_true(rig_logged(rig, "would_end"));
			assert_int_equal(control_trunk_stats(rig->control, RIG_OUT)->would_drop, 1);
		}
		rig_free(rig);
	}
}

// Where the expiry finds a refresh that is due and not in flight, because control came late to it:
// what is told is the last answer, silence, or that none was sent.
static const struct {
	const char *shows;
	int code; // of the first attempt; -1: none yet, the bucket was empty
	tick_t rtt;
	unsigned cause;
} late[] = {
	{"refused, waits to try again", 491, TICK_MS(20), CAUSE_REFRESH_REJECTED},
	{"glare seen here, waits", 491, 0, CAUSE_REFRESH_FAILURE},
	{"no buffer, waits", 503, 0, CAUSE_SESSION_EXPIRED_LOCAL},
	{"waits for the bucket", -1, 0, CAUSE_SESSION_EXPIRED_LOCAL},
};

static void expiry_of_a_late_refresh(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(late) / sizeof(*late); i++) {
		struct rig *rig = rig_new("budget: 120", "options_ping: 0");
		struct event due, event;
		uint32_t sent;

		do { // other legs take the tokens
			sent = rig->n_orders;
			due = rig_due(rig, 6 + sent);
			rig_event(rig, &due);
		} while (late[i].code < 0 && rig->n_orders != sent && sent < 100);
		sent = rig->n_orders;
		if (late[i].code >= 0) {
			event = rig_done(rig, &due, REFRESH_UPDATE, (unsigned)late[i].code,
					 late[i].rtt);
			rig_event(rig, &event);
		}
		assert_int_equal(rig->n_orders, sent);
		assert_true(rig_last(rig)->call == due.call || late[i].code < 0);
		rig->now += RIG_LEFT; // no poll in between
		event = expired(rig, &due, ST_ROLE_LOCAL);
		control_event(rig->control, 0, &event, rig->now);
		if (rig_last(rig)->type != ORDER_END_CALL || rig_last(rig)->call != due.call ||
		    rig_last(rig)->end.cause != late[i].cause)
			fail_msg("%s: order %u, %s", late[i].shows, rig_last(rig)->type,
				 cause_word((enum cause)rig_last(rig)->end.cause));
		rig_free(rig);
	}
}

static const struct {
	const char *shows;
	unsigned code, cause;
} last_answers[] = {
	{"silence", 0, CAUSE_REFRESH_FAILURE},
	{"481", 481, CAUSE_REFRESH_DIALOG_GONE},
	{"408", 408, CAUSE_REFRESH_FAILURE},
};

// ST-71: what the last rung says ends the call at once.
static void last_rung_decides(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(last_answers) / sizeof(*last_answers); i++) {
		struct rig *rig = rig_new("method: invite", "options_ping: 0");
		struct event due = rig_due(rig, 7), done;

		due.refresh_due.first_method = REFRESH_INVITE;
		rig_event(rig, &due);
		assert_int_equal(rig_last(rig)->refresh.method, REFRESH_INVITE);
		done = rig_done(rig, &due, REFRESH_INVITE, last_answers[i].code, 0);
		rig_event(rig, &done);
		assert_int_equal(rig->n_orders, 2);
		assert_int_equal(rig_last(rig)->type, ORDER_END_CALL);
		assert_int_equal(rig_last(rig)->end.cause, last_answers[i].cause);
		assert_int_equal(rig_last(rig)->end.method, SIP_INVITE);
		rig_free(rig);
	}
}

// SE 180: the UPDATE is given up 26 s before the deadline. A re-INVITE goes out all the same.
static void silent_update_never_costs_the_call(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	struct event due = rig_due(rig, 7), done;

	(void)state;
	due.refresh_due.timer.se_s = 180;
	due.refresh_due.expiry_tk = rig->now + TICK_S(58);
	rig_event(rig, &due);
	rig->now += TICK_S(32);
	done = rig_done(rig, &due, REFRESH_UPDATE, 0, TICK_S(32));
	rig_event(rig, &done);
	assert_int_equal(rig_last(rig)->type, ORDER_REFRESH);
	assert_int_equal(rig_last(rig)->refresh.method, REFRESH_INVITE);
	rig_free(rig);
}

// SE 90: 15 s lie between refresh point and deadline, less than Timer F. The re-INVITE does not
// wait for it.
static void silent_update_at_90_s(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	struct event due = rig_due(rig, 7), done;
	tick_t start = rig->now;
	struct control_attempts attempts;

	(void)state;
	due.refresh_due.timer.se_s = 90;
	due.refresh_due.expiry_tk = rig->now + TICK_S(15);
	rig_event(rig, &due);
	rig_run(rig, start + TICK_MS(7400));
	assert_int_equal(rig->n_orders, 1);
	rig_run(rig, start + TICK_MS(7600));
	assert_int_equal(rig->n_orders, 2);
	assert_int_equal(rig_last(rig)->refresh.method, REFRESH_INVITE);
	done = rig_done(rig, &due, REFRESH_INVITE, 200, TICK_MS(20));
	rig_event(rig, &done);
	rig_run(rig, start + TICK_S(60));
	assert_int_equal(rig->n_orders, 2);
	control_attempts(rig->control, 0, 7, 1, SIDE_B, &attempts);
	assert_int_equal(attempts.n, 1);
	assert_int_equal(attempts.list[0].ms, 7500);
	// answered in time: no re-INVITE
	due.call = 8;
	due.refresh_due.planned_tk = rig->now;
	due.refresh_due.expiry_tk = rig->now + TICK_S(15);
	due.refresh_due.agent = 5; // another device: UPDATE again
	rig_event(rig, &due);
	assert_int_equal(rig_last(rig)->refresh.method, REFRESH_UPDATE);
	done = rig_done(rig, &due, REFRESH_UPDATE, 200, TICK_MS(20));
	rig_event(rig, &done);
	rig_run(rig, rig->now + TICK_S(60));
	assert_int_equal(rig->n_orders, 3);
	rig_free(rig);
}

static void silence_on_every_rung_ends(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	struct event due = rig_due(rig, 7), done;

	(void)state;
	rig_event(rig, &due);
	rig->now += TICK_S(32);
	done = rig_done(rig, &due, REFRESH_UPDATE, 0, TICK_S(32));
	rig_event(rig, &done);
	rig->now += TICK_S(32);
	done = rig_done(rig, &due, REFRESH_INVITE, 0, TICK_S(32));
	rig_event(rig, &done);
	assert_int_equal(rig_last(rig)->type, ORDER_END_CALL);
	assert_int_equal(rig_last(rig)->end.cause, CAUSE_REFRESH_FAILURE);
	// whatever comes now changes nothing
	rig_event(rig, &due);
	rig_event(rig, &done);
	rig_run(rig, rig->now + TICK_S(100));
	assert_int_equal(rig->n_orders, 3);
	rig_free(rig);
}

// A peer that refuses with a harmless code is retried, not continuously (ST-73), and not dropped
// before expiry.
static void refusals_wait_for_expiry(void **state)
{
	static const unsigned codes[] = {403, 500, 503, 600};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		struct rig *rig = rig_new("", "options_ping: 0");
		struct event due = rig_due(rig, 7), done;
		uint32_t answered = 0;
		tick_t end = rig->now + RIG_LEFT;

		rig_event(rig, &due);
		while (rig->now < end - TICK_S(1)) {
			rig_run(rig, rig->now + TICK_MS(100));
			if (answered == rig->n_orders)
				continue;
			assert_int_equal(rig_last(rig)->type, ORDER_REFRESH);
			done = rig_done(rig, &due, rig_last(rig)->refresh.method, codes[i],
					TICK_MS(1));
			answered = rig->n_orders;
			rig_event(rig, &done);
		}
		assert_in_range(answered, 2, 12);
		rig->now = end;
		done = expired(rig, &due, ST_ROLE_LOCAL);
		rig_event(rig, &done);
		assert_int_equal(rig_last(rig)->type, ORDER_END_CALL);
		assert_int_equal(rig_last(rig)->end.cause, CAUSE_REFRESH_REJECTED);
		rig_free(rig);
	}
}

static void legs_leave_nothing(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");

	(void)state;
	for (uint32_t call = 0; call < 2000; call++) {
		struct event due = rig_due(rig, call), done;
		struct call_record record = {.call = call, .gen = 1, .cause = CAUSE_NORMAL};

		rig->n_orders = 0;
		rig_event(rig, &due);
		done = rig_done(rig, &due, REFRESH_UPDATE, call % 3 != 0 ? 200 : 503, 0);
		rig_event(rig, &done);
		control_record(rig->control, 0, &record, rig->now);
	}
	assert_int_equal(control_stats(rig->control)->legs_known, 0);
	assert_int_equal(control_stats(rig->control)->legs_waiting, 0);
	assert_int_equal(control_stats(rig->control)->legs_in_flight, 0);
	assert_int_equal(control_next(rig->control), TICK_NEVER);
	rig_free(rig);
}

static uint32_t draw(uint32_t *seed, uint32_t n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(*seed >> 4) * n >> 28);
}

// Events in any order, about any call, with any numbers: nothing breaks and legs do not pile up.
static void any_order_of_events(void **state)
{
	struct rig *rig = rig_new("budget: 200", "options_ping: 30");
	uint32_t seed = 5;

	(void)state;
	for (uint32_t round = 0; round < 50000; round++) {
		struct event due = rig_due(rig, draw(&seed, 16)), event;
		static const uint16_t codes[] = {0,   200, 401, 403, 408, 422,
						 481, 488, 491, 500, 503};
		struct call_record record = {.call = due.call, .gen = 1 + draw(&seed, 2)};

		due.gen = 1 + draw(&seed, 2);
		due.side = (uint8_t)draw(&seed, 3);
		due.trunk = (uint16_t)draw(&seed, 4);
		due.refresh_due.expiry_tk = rig->now + TICK_S(draw(&seed, 900));
		due.refresh_due.agent = draw(&seed, 20);
		due.refresh_due.first_method = (uint8_t)draw(&seed, 5);
		event = rig_done(rig, &due, draw(&seed, 4), codes[draw(&seed, 11)],
				 TICK_MS(draw(&seed, 32000)));
		event.refresh_done.crossed = draw(&seed, 8) == 0;
		event.refresh_done.has_retry_after = draw(&seed, 4) == 0;
		event.refresh_done.retry_after_s = draw(&seed, 2) ? draw(&seed, 100) : UINT32_MAX;
		rig->n_orders = 0;
		rig->log[0] = '\0';
		switch (draw(&seed, 6)) {
		case 0:
		case 1:
			rig_event(rig, &due);
			break;
		case 2:
		case 3:
			rig_event(rig, &event);
			break;
		case 4:
			event = expired(rig, &due, draw(&seed, 3));
			rig_event(rig, &event);
			break;
		default:
			control_record(rig->control, 0, &record, rig->now);
		}
		rig_run(rig, rig->now + TICK_MS(draw(&seed, 3000)));
		assert_true(control_stats(rig->control)->legs_known <= 16 * 2);
	}
	rig_free(rig);
}

static unsigned n_asked;

static bool unwanted(void *, enum control_level, const char *area)
{
	assert_string_equal(area, "refresh");
	n_asked++;
	return false;
}

// Lines that nobody wants are not made; what control does is the same.
static void unwanted_lines(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	struct control_params params = {.config = rig->config, .live = rig->live, .workers = 2};
	struct event due = rig_due(rig, 7), done;

	(void)state;
	params.callbacks = (struct control_callbacks){
		.ctx = rig, .send_order = rig_order, .log = rig_log, .wants = unwanted};
	control_free(rig->control);
	rig->control = control_new(&params, rig->now - TICK_S(120));
	assert_non_null(rig->control);
	rig_event(rig, &due);
	done = rig_done(rig, &due, REFRESH_UPDATE, 405, TICK_MS(20));
	rig_event(rig, &done);
	assert_int_not_equal(n_asked, 0);
	assert_int_equal(rig->n_logs, 0);
	assert_int_equal(rig->n_orders, 2);
	assert_int_equal(rig_last(rig)->refresh.method, REFRESH_INVITE);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_answers),
		cmocka_unit_test(ladder_remembers),
		cmocka_unit_test(glare_backs_off),
		cmocka_unit_test(peer_refresh_cancels_retry),
		cmocka_unit_test(expiries),
		cmocka_unit_test(expiry_of_a_late_refresh),
		cmocka_unit_test(last_rung_decides),
		cmocka_unit_test(silent_update_never_costs_the_call),
		cmocka_unit_test(silent_update_at_90_s),
		cmocka_unit_test(silence_on_every_rung_ends),
		cmocka_unit_test(refusals_wait_for_expiry),
		cmocka_unit_test(legs_leave_nothing),
		cmocka_unit_test(unwanted_lines),
		cmocka_unit_test(any_order_of_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
