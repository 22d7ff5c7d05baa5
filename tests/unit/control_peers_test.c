// SPDX-License-Identifier: BSD-3-Clause
// control/peers: pings are spread, two failures take a peer out, one answer brings it back; reload.
#include "control_rig.h"

static uint64_t down(const struct rig *rig, unsigned trunk)
{
	return atomic_load_explicit(&rig->live[trunk].peers_down, memory_order_relaxed);
}

static void pong(struct rig *rig, unsigned trunk, uint8_t peer, uint16_t code)
{
	struct event event = {.type = EVENT_PING_DONE, .trunk = (uint16_t)trunk, .at = rig->now};

	event.ping_done.peer = peer;
	event.ping_done.code = code;
	rig_event(rig, &event);
}

static void pings_are_spread(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 30");
	uint32_t per_peer[2][2] = {0}, by_worker[2] = {0};
	bool differ = false;

	(void)state;
	rig->n_orders = 0;
	for (uint32_t seen = 0, end = 0; end < 3000; end++) { // 5 minutes, each ping answered
		rig_run(rig, rig->now + TICK_MS(100));
		for (; seen < rig->n_orders; seen++) {
			const struct order *o = &rig->orders[seen].order;

			assert_int_equal(o->type, ORDER_PING);
			per_peer[o->trunk][o->ping.peer]++;
			by_worker[rig->orders[seen].worker]++;
			differ |= seen != 0 && rig->orders[seen].at != rig->orders[seen - 1].at;
			pong(rig, o->trunk, o->ping.peer, 200);
		}
	}
	assert_in_range(per_peer[RIG_IN][0], 9, 12);
	assert_in_range(per_peer[RIG_OUT][0], 9, 12);
	assert_in_range(per_peer[RIG_OUT][1], 9, 12);
	assert_int_equal(per_peer[RIG_IN][1], 0);
	assert_true(by_worker[0] != 0 && by_worker[1] != 0);
	assert_true(differ);
	rig_free(rig);
}

static const struct {
	const char *shows;
	int codes[4]; // answers of peer 1, -1 ends
	bool down;
} rows[] = {
	{"one failure is not enough", {0, -1}, false},
	{"two are", {0, 0, -1}, true},
	{"one answer between", {0, 200, 0, -1}, false},
	{"one answer brings it back", {0, 0, 200, -1}, false},
	{"any answer is one", {405, 404, 483, -1}, false},
	{"503 is out of service", {503, 503, -1}, true},
	{"408 of a proxy", {408, 408, -1}, true},
};

static void hysteresis(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rig *rig = rig_new("", "options_ping: 30");

		for (unsigned n = 0; n < 4 && rows[i].codes[n] >= 0; n++)
			pong(rig, RIG_OUT, 1, (uint16_t)rows[i].codes[n]);
		if (down(rig, RIG_OUT) != (rows[i].down ? 2 : 0))
			fail_msg("%s", rows[i].shows);
		assert_int_equal(down(rig, RIG_IN), 0);
		rig_free(rig);
	}
}

static void invites_count_only_with_pings(void **state)
{
	(void)state;
	for (unsigned pings = 0; pings < 2; pings++) {
		struct rig *rig = rig_new("", pings ? "options_ping: 30" : "options_ping: 0");
		struct event event = {.type = EVENT_INVITE_FAILED, .trunk = RIG_OUT};

		rig_event(rig, &event);
		rig_event(rig, &event);
		assert_int_equal(down(rig, RIG_OUT), pings);
		rig_free(rig);
	}
}

static void unanswered_ping_is_not_repeated_at_once(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 30");
	uint32_t to_in = 0;

	(void)state;
	rig->n_orders = 0;
	rig_run(rig, rig->now + TICK_S(300)); // nobody tells how they went
	for (uint32_t i = 0; i < rig->n_orders; i++)
		to_in += rig->orders[i].order.trunk == RIG_IN;
	assert_in_range(to_in, 2, 4);
	rig_free(rig);
}

static void reload_forgets_health_of_changed_peers(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 30");
	struct config *old = rig->config;

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		pong(rig, RIG_OUT, 0, 0);
		pong(rig, RIG_IN, 0, 0);
	}
	assert_int_equal(down(rig, RIG_OUT), 1);
	rig->config = rig_config(rig, "", "options_ping: 10");
	control_configure(rig->control, rig->config, rig->now);
	config_free(old);
	assert_int_equal(down(rig, RIG_OUT), 1); // the same peers
	assert_int_equal(control_stats(rig->control)->reloads_ok, 1);
	old = rig->config;
	rig->config = rig_config(rig, "", "options_ping: 0");
	control_configure(rig->control, rig->config, rig->now);
	config_free(old);
	assert_int_equal(down(rig, RIG_OUT), 0); // nothing would bring them back
	rig->n_orders = 0;
	rig_run(rig, rig->now + TICK_S(100));
	assert_int_equal(rig->n_orders, 0);
	control_reload_failed(rig->control);
	assert_int_equal(control_stats(rig->control)->reloads_failed, 1);
	rig_free(rig);
}

static void out_of_range(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 30");

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		pong(rig, 77, 0, 0);
		pong(rig, RIG_OUT, 200, 0);
		pong(rig, RIG_OUT, 9, 0);
	}
	assert_int_equal(down(rig, RIG_OUT), 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pings_are_spread),
		cmocka_unit_test(hysteresis),
		cmocka_unit_test(invites_count_only_with_pings),
		cmocka_unit_test(unanswered_ping_is_not_repeated_at_once),
		cmocka_unit_test(reload_forgets_health_of_changed_peers),
		cmocka_unit_test(out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
