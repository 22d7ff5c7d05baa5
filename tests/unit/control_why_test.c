// SPDX-License-Identifier: BSD-3-Clause
// control/why: what the story says at each point of a leg's life.
#include "control_rig.h"

#include "b2bua/engine.h"
#include "control/why.h"

static struct call_view view_of(const struct rig *rig)
{
	struct call_view v = {.call = 7, .gen = 1, .start_tk = rig->now - TICK_S(901)};

	v.answer_tk = rig->now - TICK_S(900);
	v.legs[SIDE_A].trunk = RIG_IN;
	v.legs[SIDE_A].negotiated_by = ST_BY_DECLINED;
	v.legs[SIDE_B].trunk = RIG_OUT;
	v.legs[SIDE_B].negotiated_by = ST_BY_PEER_2XX;
	v.legs[SIDE_B].timer =
		(struct msg_timer){.se_s = 1800,
				   .role = ST_ROLE_LOCAL,
				   .peer_allow = SIP_METHOD_BIT(INVITE) | SIP_METHOD_BIT(UPDATE)};
	v.legs[SIDE_B].last_refresh_ok_tk = v.answer_tk;
	v.legs[SIDE_B].refresh_tk = rig->now + TICK_S(30);
	v.legs[SIDE_B].expiry_tk = rig->now + TICK_S(900);
	memcpy(v.legs[SIDE_B].call_id, "b\"\n@y", 5);
	v.legs[SIDE_B].call_id_len = 5;
	return v;
}

static char story[WHY_MAX_BYTES + 1];

static void tell(const struct rig *rig, const struct call_view *view)
{
	struct outbuf o = outbuf_of(story, WHY_MAX_BYTES);

	why_put(&o, &(struct why){.control = rig->control, .view = view, .now = rig->now});
	assert_false(o.full);
	story[o.len] = '\0';
}

static void says(const char *text)
{
	if (strstr(story, text) == NULL)
		fail_msg("not said: %s\nsaid: %s", text, story);
}

static void through_a_refresh(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	struct call_view view = view_of(rig);
	struct event due, done;

	(void)state;
	tell(rig, &view);
	says("Ingress leg, trunk \"in\"");
	says("No session timer runs on this leg: nothing here ends the call.");
	says("Egress leg, trunk \"out\", Call-ID \"b\\\"\\u000a@y\":");
	says("The peer's 2xx carried Session-Expires and named the refresher.");
	says("The session interval is 1800 s and verge refreshes.");
	says("Next: verge sends a refresh by UPDATE at 2025-11-21T05:52:15.123Z, in 30 s.");
	says("If no refresh succeeds: both legs get BYE at 2025-11-21T06:06:13.123Z, in 14 min 28 "
	     "s.");
	due = rig_due(rig, 7);
	rig_event(rig, &due);
	rig->now += TICK_S(2);
	tell(rig, &view);
	says("Next: the answer to the refresh by UPDATE that was sent at 2025-11-21T05:51:45.123Z, "
	     "2.0 s ago.");
	done = rig_done(rig, &due, REFRESH_UPDATE, 491, TICK_S(2));
	rig_event(rig, &done);
	tell(rig, &view);
	says("A refresh by UPDATE sent at 2025-11-21T05:51:45.123Z, 2.0 s ago was answered 491.");
	says("Next: verge tries again by UPDATE at ");
	rig_free(rig);
}

static const struct {
	const char *shows, *timer, *says;
	unsigned role, override;
} rows[] = {
	{"peer", "", "If the peer does not refresh: both legs get BYE", ST_ROLE_REMOTE, 0},
	{"warn", "on_expiry: warn", "the call goes on because on_expiry is warn", ST_ROLE_REMOTE,
	 0},
	{"observe", "mode: observe", "because the profile's mode is observe", ST_ROLE_LOCAL, 0},
	{"failure", "on_refresh_failure: warn", "because on_refresh_failure is warn", ST_ROLE_LOCAL,
	 0},
	{"operator", "", "because an operator switched the trunk to observe", ST_ROLE_LOCAL,
	 CONTROL_OVERRIDE_OBSERVE},
	{"method", "method: invite", "verge sends a refresh by INVITE", ST_ROLE_LOCAL, 0},
};

static void fates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rig *rig = rig_new(rows[i].timer, "options_ping: 0");
		struct call_view view = view_of(rig);

		view.legs[SIDE_B].timer.role = (uint8_t)rows[i].role;
		control_trunk_override(rig->control, RIG_OUT,
				       (enum control_override)rows[i].override, rig->now);
		tell(rig, &view);
		says(rows[i].says);
		rig_free(rig);
	}
}

static void before_the_answer(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	struct call_view view = view_of(rig);

	(void)state;
	view.answer_tk = 0;
	tell(rig, &view);
	says("The call is not answered yet");
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(through_a_refresh),
		cmocka_unit_test(fates),
		cmocka_unit_test(before_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
