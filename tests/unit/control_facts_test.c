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

// What the peer's own refreshes show, the same in each of five calls (one that is refused or that
// crosses shows nothing): whether it refreshes when it has to, and how it reads uac and uas.
static const struct {
	const char *shows;
	uint8_t role; // who the refresher is
	bool flipped;
	uint16_t code;
	uint8_t method;
	enum fact_state role_state, peer_state;
} refreshed[] = {
	{"its turn", ST_ROLE_REMOTE, false, 200, SIP_UPDATE, FACT_SUPPORTED, FACT_SUPPORTED},
	{"out of turn", ST_ROLE_LOCAL, true, 200, SIP_INVITE, FACT_UNSUPPORTED, FACT_UNKNOWN},
	{"it takes the role", ST_ROLE_LOCAL, false, 200, SIP_UPDATE, FACT_SUPPORTED, FACT_UNKNOWN},
	{"refused", ST_ROLE_REMOTE, true, 500, SIP_UPDATE, FACT_UNKNOWN, FACT_UNKNOWN},
	{"crossed", ST_ROLE_REMOTE, true, 200, SIP_METHOD_NONE, FACT_UNKNOWN, FACT_UNKNOWN},
};

static void peer_refreshes(struct rig *rig, uint32_t call, size_t row)
{
	struct event event = {.type = EVENT_PEER_REFRESHED,
			      .side = SIDE_B,
			      .trunk = RIG_OUT,
			      .call = call,
			      .gen = 1,
			      .at = rig->now};

	event.peer_refreshed.timer = (struct msg_timer){.se_s = 1800,
							.role = refreshed[row].role,
							.peer_timer = true,
							.role_flipped = refreshed[row].flipped};
	event.peer_refreshed.agent = 7;
	event.peer_refreshed.code = refreshed[row].code;
	event.peer_refreshed.method = refreshed[row].method;
	rig_event(rig, &event);
}

static void peers_refreshes_teach(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refreshed) / sizeof(*refreshed); i++) {
		struct rig *rig = rig_new("", "options_ping: 0");
		const struct trunk_facts *facts = control_facts(rig->control, RIG_OUT);

		for (uint32_t call = 0; call < 5; call++) {
			assert_int_equal(state_of(rig, FACT_ROLE), FACT_UNKNOWN);
			peer_refreshes(rig, call, i);
		}
		if (state_of(rig, FACT_ROLE) != refreshed[i].role_state ||
		    state_of(rig, FACT_PEER_REFRESH) != refreshed[i].peer_state ||
		    trunk_facts_agent(facts, 7, FACT_ROLE) != refreshed[i].role_state)
			fail_msg("%s: role %d, peer %d", refreshed[i].shows,
				 state_of(rig, FACT_ROLE), state_of(rig, FACT_PEER_REFRESH));
		assert_int_equal(facts->all.facts[FACT_ROLE].bad,
				 refreshed[i].role_state == FACT_UNSUPPORTED ? 5 : 0);
		rig_free(rig);
	}
}

// Timers that nobody asked for are counted for the trunk that put them there, call by call.
static void unasked_timers_are_counted(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	struct event event = {.type = EVENT_ANSWERED, .gen = 1};

	(void)state;
	for (uint32_t call = 0; call < 4; call++) {
		event.call = call;
		event.answered.trunk[SIDE_A] = RIG_IN;
		event.answered.trunk[SIDE_B] = RIG_OUT;
		event.answered.timer[SIDE_B] =
			(struct msg_timer){.se_s = 1800, .unasked = call != 2};
		rig_event(rig, &event);
	}
	assert_int_equal(control_facts(rig->control, RIG_OUT)->unasked, 3);
	assert_int_equal(control_facts(rig->control, RIG_IN)->unasked, 0);
	assert_int_equal(control_trunk_reset(rig->control, RIG_OUT, rig->now), 0);
	assert_int_equal(control_facts(rig->control, RIG_OUT)->unasked, 0);
	rig_free(rig);
}

// Windows, one letter an observation: g good, b refused, s silence; capital: the call before again.
// l: the trunk shows life, o: none of its peers answers.
static const struct {
	const char *shows;
	unsigned n, m;
	const char *seen;
	enum fact_state state;
	unsigned good, bad; // calls in total
} windows[] = {
	{"four good ones are not enough", 5, 6, "gggg", FACT_UNKNOWN, 4, 0},
	{"five are", 5, 6, "ggggg", FACT_SUPPORTED, 5, 0},
	{"four bad ones are not enough", 5, 6, "bbbb", FACT_UNKNOWN, 0, 4},
	{"five are bad", 5, 6, "bbbbb", FACT_UNSUPPORTED, 0, 5},
	{"four of both say nothing", 5, 6, "bggg", FACT_UNKNOWN, 3, 1},
	{"five of both are partial", 5, 6, "bgggg", FACT_PARTIAL, 4, 1},
	{"the other way round", 5, 6, "bbbbg", FACT_PARTIAL, 1, 4},
	{"one of six may be good", 5, 6, "bbgbbb", FACT_UNSUPPORTED, 1, 5},
	{"one of six may be bad", 5, 6, "ggbggg", FACT_SUPPORTED, 5, 1},
	{"two may not", 5, 6, "ggbbgg", FACT_PARTIAL, 4, 2},
	{"what is older than m calls is gone", 5, 6, "bbbbbggggg", FACT_SUPPORTED, 5, 5},
	{"no sooner", 5, 6, "bbbbbgggg", FACT_PARTIAL, 4, 5},
	{"of a wider window", 2, 4, "bggb", FACT_UNSUPPORTED, 2, 2},
	{"of a narrower one", 2, 2, "bgb", FACT_PARTIAL, 1, 2},
	{"m below n is n", 3, 2, "bbb", FACT_UNSUPPORTED, 0, 3},
	{"never from one", 1, 1, "b", FACT_UNKNOWN, 0, 1},
	{"one means two", 1, 1, "bb", FACT_UNSUPPORTED, 0, 2},
	{"none: it only watches", 0, 6, "bbbbbbb", FACT_UNKNOWN, 0, 7},
	{"n beyond what is kept", 40, 40, "bbbbbbbbbbbbbbbb", FACT_UNSUPPORTED, 0, 16},
	{"a window beyond what is kept", 4, 40, "bbgg", FACT_PARTIAL, 2, 2},
	{"a call has one word", 2, 6, "bBBBB", FACT_UNKNOWN, 0, 1},
	{"good stays good", 2, 2, "gBgB", FACT_SUPPORTED, 2, 0},
	{"good overrules bad", 2, 2, "bGbG", FACT_SUPPORTED, 2, 0},
	{"one silence without life after it counts", 2, 3, "bs", FACT_UNSUPPORTED, 0, 2},
	{"two count as one", 2, 3, "ss", FACT_UNKNOWN, 0, 2},
	{"until there is life", 2, 3, "ssl", FACT_UNSUPPORTED, 0, 2},
	{"or an outage, which takes them back", 2, 3, "ssol", FACT_UNKNOWN, 0, 0},
	{"silence just after an outage is no word", 2, 3, "osss", FACT_UNKNOWN, 0, 0},
	{"a refusal in an outage is one", 2, 3, "obb", FACT_UNSUPPORTED, 0, 2},
};

static void changes_are_new(void *ctx, const struct facts_change *change)
{
	enum fact_state *last = ctx;

	assert_int_equal(change->from, *last);
	assert_int_not_equal(change->to, *last);
	*last = change->to;
}

static void windows_decide(void **state)
{
	static struct trunk_facts f;

	(void)state;
	for (size_t i = 0; i < sizeof(windows) / sizeof(*windows); i++) {
		enum fact_state told = FACT_UNKNOWN;
		struct facts_judge judge = {windows[i].n, windows[i].m, changes_are_new, &told};
		const struct fact *fact = &f.all.facts[FACT_UPDATE];
		struct facts_observation o = {.fact = FACT_UPDATE};
		tick_t now = TICK_S(1000);

		f = (struct trunk_facts){0};
		for (const char *s = windows[i].seen; *s != '\0'; s++, now += TICK_S(10)) {
			if (*s == 'l') {
				trunk_facts_life(&f, &judge, now);
				continue;
			}
			if (*s == 'o') {
				trunk_facts_outage(&f, now);
				continue;
			}
			o.call += *s >= 'a';
			o.good = *s == 'g' || *s == 'G';
			o.code = o.good ? 200 : *s == 's' ? 0 : 405;
			o.since = now;
			trunk_facts_observe(&f, &judge, &o, now);
		}
		if (fact->state != windows[i].state || told != windows[i].state ||
		    fact->good != windows[i].good || fact->bad != windows[i].bad)
			fail_msg("%s: %s, told %s, %u good, %u bad", windows[i].shows,
				 trunk_facts_state_word((enum fact_state)fact->state),
				 trunk_facts_state_word(told), (unsigned)fact->good,
				 (unsigned)fact->bad);
	}
}

// learn and learn_of of the trunk are the window: two of four, a good one and a doubtful between.
static void window_is_configured(void **state)
{
	struct rig *rig = rig_new("learn: 2, learn_of: 4", "options_ping: 0");

	(void)state;
	call(rig, 0, 0, 0);
	call(rig, 1, 200, 200);
	assert_int_equal(state_of(rig, FACT_REFRESH), FACT_PARTIAL);
	assert_int_equal(flags_of(rig, RIG_OUT) & TRUNK_LIVE_OBSERVE, 0);
	call(rig, 2, 0, 0);
	answered(rig, 99, 0);
	assert_int_equal(state_of(rig, FACT_REFRESH), FACT_UNSUPPORTED);
	assert_true(flags_of(rig, RIG_OUT) & TRUNK_LIVE_OBSERVE);
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
		cmocka_unit_test(peers_refreshes_teach),
		cmocka_unit_test(unasked_timers_are_counted),
		cmocka_unit_test(windows_decide),
		cmocka_unit_test(window_is_configured),
		cmocka_unit_test(learning_can_be_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
