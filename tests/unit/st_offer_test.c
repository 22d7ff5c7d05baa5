// SPDX-License-Identifier: BSD-3-Clause
// Session timer as UAC: RFC 4028 s7: what we ask for, what a 2xx means, what a 422 means.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "st_rows.h"

// --- what goes out

static void st_offers_initial(void **)
{
	static const struct {
		const char *shows;
		struct st_policy policy;
		unsigned flags;
		struct st_headers want;
	} rows[] = {
		ROW("st02 st11 st14 st15 default", {POLICY}, ST_INITIAL, {1800, 0, 0, true, false}),
		ROW("st15 local", {POLICY, .prefer = ST_PREFER_LOCAL}, ST_INITIAL,
		    {1800, 0, UAC, true, false}),
		ROW("remote", {POLICY, .prefer = ST_PREFER_REMOTE}, ST_INITIAL,
		    {1800, 0, UAS, true, false}),
		ROW("uac", {POLICY, .prefer = ST_PREFER_UAC}, ST_INITIAL,
		    {1800, 0, UAC, true, false}),
		ROW("uas", {POLICY, .prefer = ST_PREFER_UAS}, ST_INITIAL,
		    {1800, 0, UAS, true, false}),
		ROW("st12 required", {POLICY, .mode = ST_MODE_REQUIRED}, ST_INITIAL,
		    {1800, 0, 0, true, true}),
		ROW("observe asks too", {POLICY, .mode = ST_MODE_OBSERVE}, ST_INITIAL,
		    {1800, 0, 0, true, false}),
		ROW("off", {POLICY, .mode = ST_MODE_OFF}, ST_INITIAL, {0, 0, 0, false, false}),
		ROW("st11 no insert", {POLICY, .insert = false}, ST_INITIAL,
		    {0, 0, 0, true, false}),
		ROW("no insert, the other leg asks", {POLICY, .insert = false},
		    ST_INITIAL | ST_OTHER_TIMER, {1800, 0, 0, true, false}),
		ROW("required asks anyway", {POLICY, .insert = false, .mode = ST_MODE_REQUIRED},
		    ST_INITIAL, {1800, 0, 0, true, true}),
		ROW("st17 learned", {POLICY, .learned_min_se_s = 3600}, ST_INITIAL,
		    {3600, 3600, 0, true, false}),
		ROW("st16 st17 learned, smaller", {POLICY, .learned_min_se_s = 300}, ST_INITIAL,
		    {1800, 300, 0, true, false}),
		ROW("learned beyond the cap is not tried", {POLICY, .learned_min_se_s = 100000},
		    ST_INITIAL, {1800, 0, 0, true, false}),
		ROW("st03 floor", {POLICY, .interval_s = 10, .min_interval_s = 10}, ST_INITIAL,
		    {90, 0, 0, true, false}),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct st_leg leg = {.flags = ST_LEG_WE_INVITED};
		struct st_headers h = st_offer(&rows[i].policy, &leg, rows[i].flags);
		const struct st_headers *w = &rows[i].want;

		if (h.se_s != w->se_s || h.min_se_s != w->min_se_s || h.refresher != w->refresher ||
		    h.supported != w->supported || h.require != w->require)
			fail_msg("%s: SE %u Min-SE %u refresher %u supported %u require %u",
				 rows[i].shows, h.se_s, h.min_se_s, h.refresher, h.supported,
				 h.require);
		assert_int_equal(h.flags, rows[i].flags);
	}
}

static void st_offers_midcall(void **)
{
	static const struct {
		const char *shows;
		struct st_policy policy;
		struct st_leg leg;
		struct st_headers want;
	} rows[] = {
		ROW("st33 st34 we refresh", {POLICY},
		    {.flags = ST_LEG_ESTABLISHED, .se_s = 600, .role = LOCAL},
		    {600, 0, UAC, true, false}),
		ROW("st34 p17 they refresh", {POLICY},
		    {.flags = ST_LEG_ESTABLISHED, .se_s = 600, .role = REMOTE},
		    {600, 0, UAS, true, false}),
		ROW("st32 st33 Min-SE seen", {POLICY},
		    {.flags = ST_LEG_ESTABLISHED, .se_s = 600, .min_se_s = 3600, .role = LOCAL},
		    {3600, 3600, UAC, true, false}),
		ROW("st32 smaller Min-SE seen", {POLICY},
		    {.flags = ST_LEG_ESTABLISHED, .se_s = 1800, .min_se_s = 90, .role = LOCAL},
		    {1800, 90, UAC, true, false}),
		ROW("st17 what was learned is for beginnings", {POLICY, .learned_min_se_s = 3600},
		    {.flags = ST_LEG_ESTABLISHED, .se_s = 600, .role = LOCAL},
		    {600, 0, UAC, true, false}),
		ROW("no timer", {POLICY}, {.flags = ST_LEG_ESTABLISHED}, {0, 0, 0, true, false}),
		ROW("st31 required", {POLICY, .mode = ST_MODE_REQUIRED},
		    {.flags = ST_LEG_ESTABLISHED, .se_s = 600, .role = LOCAL},
		    {600, 0, UAC, true, true}),
		ROW("p03 off, imposed", {POLICY, .mode = ST_MODE_OFF},
		    {.flags = ST_LEG_ESTABLISHED | ST_LEG_UNASKED, .se_s = 600, .role = LOCAL},
		    {600, 0, UAC, true, false}),
		ROW("off", {POLICY, .mode = ST_MODE_OFF}, {.flags = ST_LEG_ESTABLISHED},
		    {0, 0, 0, false, false}),
		ROW("st35 the profile does not take a role back",
		    {POLICY, .prefer = ST_PREFER_LOCAL},
		    {.flags = ST_LEG_ESTABLISHED, .se_s = 600, .role = REMOTE},
		    {600, 0, UAS, true, false}),
		ROW("p06 no longer asked", {POLICY},
		    {.flags = ST_LEG_ESTABLISHED | ST_LEG_NO_SE, .se_s = 600, .role = LOCAL},
		    {0, 0, 0, true, false}),
		ROW("p29 early UPDATE", {POLICY}, {.se_s = 0}, {0, 0, 0, true, false}),
		ROW("st76 shortened", {POLICY},
		    {.flags = ST_LEG_ESTABLISHED | ST_LEG_SHORTENED, .se_s = 90, .role = LOCAL},
		    {1800, 0, UAC, true, false}),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct st_headers h = st_offer(&rows[i].policy, &rows[i].leg, ST_REFRESH_ONLY);
		const struct st_headers *w = &rows[i].want;

		if (h.se_s != w->se_s || h.min_se_s != w->min_se_s || h.refresher != w->refresher ||
		    h.supported != w->supported || h.require != w->require)
			fail_msg("%s: SE %u Min-SE %u refresher %u supported %u require %u",
				 rows[i].shows, h.se_s, h.min_se_s, h.refresher, h.supported,
				 h.require);
		assert_true(h.se_s >= h.min_se_s); // st16
	}
}

// --- 2xx to the first INVITE; offered 1800 unless the row says otherwise

static void st_accepts_initial(void **)
{
	static const struct {
		const char *shows;
		struct st_policy policy;
		uint32_t offered;
		struct st_seen seen;
		uint32_t se;
		enum st_role role;
		enum st_by by;
	} rows[] = {
		ROW("st20 uac", {POLICY}, 1800, {TIMER, SE(1800), .refresher = UAC}, 1800, LOCAL,
		    ST_BY_PEER_2XX),
		ROW("st20 uas", {POLICY}, 1800, {TIMER, SE(1800), .refresher = UAS}, 1800, REMOTE,
		    ST_BY_PEER_2XX),
		ROW("st18 Require", {POLICY}, 1800, {.required = true, SE(600), .refresher = UAC},
		    600, LOCAL, ST_BY_PEER_2XX),
		ROW("p04 nobody named", {POLICY}, 1800, {TIMER, SE(1800)}, 1800, LOCAL,
		    ST_BY_PEER_UNNAMED),
		ROW("lower", {POLICY}, 1800, {TIMER, SE(600), .refresher = UAS}, 600, REMOTE,
		    ST_BY_PEER_2XX),
		ROW("st03 below the floor", {POLICY}, 1800, {TIMER, SE(60), .refresher = UAC}, 90,
		    LOCAL, ST_BY_PEER_2XX),
		ROW("raised although it must not", {POLICY}, 1800,
		    {TIMER, SE(7200), .refresher = UAS}, 7200, REMOTE, ST_BY_PEER_2XX),
		ROW("2^31, the peer refreshes: believed", {POLICY}, 1800,
		    {TIMER, SE(1u << 31), .refresher = UAS}, 1u << 31, REMOTE, ST_BY_PEER_2XX),
		ROW("2^31, we refresh: our cap", {POLICY}, 1800,
		    {TIMER, SE(1u << 31), .refresher = UAC}, 86400, LOCAL, ST_BY_PEER_2XX),
		ROW("p01 no SE: no timer", {POLICY}, 1800, {.allow = 0}, 0, ST_ROLE_NONE,
		    ST_BY_PEER_SILENT),
		ROW("p01 timer but no SE", {POLICY}, 1800, {TIMER}, 0, ST_ROLE_NONE,
		    ST_BY_PEER_SILENT),
		ROW("st21 required: our own", {POLICY, .mode = ST_MODE_REQUIRED}, 1800, {TIMER},
		    1800, LOCAL, ST_BY_OWN),
		ROW("st19 unasked, accepted", {POLICY}, 0, {TIMER, SE(1800), .refresher = UAS},
		    1800, REMOTE, ST_BY_PEER_UNASKED),
		ROW("p03 off, imposed on us", {POLICY, .mode = ST_MODE_OFF}, 0,
		    {SE(1800), .refresher = UAC}, 1800, LOCAL, ST_BY_PEER_UNASKED),
		ROW("p03 off, ignored", {POLICY, .mode = ST_MODE_OFF, .unasked = ST_UNASKED_IGNORE},
		    0, {SE(1800), .refresher = UAC}, 0, ST_ROLE_NONE, ST_BY_UNASKED_IGNORED),
		ROW("ignore is about unasked ones", {POLICY, .unasked = ST_UNASKED_IGNORE}, 1800,
		    {TIMER, SE(1800), .refresher = UAC}, 1800, LOCAL, ST_BY_PEER_2XX),
		ROW("off and nothing", {POLICY, .mode = ST_MODE_OFF}, 0, {.allow = 0}, 0,
		    ST_ROLE_NONE, ST_BY_OFF),
		ROW("unasked needs no mid-call leave", {POLICY, .midcall_activation = false}, 0,
		    {TIMER, SE(1800), .refresher = UAC}, 1800, LOCAL, ST_BY_PEER_UNASKED),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct st_headers offered = {.se_s = rows[i].offered, .flags = ST_INITIAL};
		struct st_leg leg = {.flags = ST_LEG_WE_INVITED};
		tick_t now = TICK_S(33);

		st_accept(&rows[i].policy, &leg, &offered, &rows[i].seen, now, 0);
		if (leg.se_s != rows[i].se || leg.role != rows[i].role || leg.by != rows[i].by)
			fail_msg("%s: SE %u role %u by %s", rows[i].shows, leg.se_s, leg.role,
				 st_by_word((enum st_by)leg.by));
		// st24, st26
		assert_int_equal(leg.expiry_tk,
				 leg.se_s != 0 ? now + TICK_S(leg.se_s) : TICK_NEVER);
		assert_int_equal(leg.refresh_tk,
				 leg.role == LOCAL ? now + TICK_MS(500) * leg.se_s : TICK_NEVER);
		assert_int_equal(leg.flags & ST_LEG_ESTABLISHED, ST_LEG_ESTABLISHED);
	}
}

// --- 2xx to what we send later: 1800 s, we refresh

static void st_accepts_midcall(void **)
{
	static const struct {
		const char *shows;
		struct st_policy policy;
		struct st_leg leg;
		uint32_t offered;
		struct st_seen seen;
		uint32_t se;
		enum st_role role;
		uint8_t flags;
	} rows[] = {
		ROW("st23 refreshed", {POLICY}, {.se_s = 1800, .role = LOCAL}, 1800,
		    {TIMER, SE(1800), .refresher = UAC}, 1800, LOCAL),
		ROW("st23 the newest counts", {POLICY}, {.se_s = 1800, .role = LOCAL}, 1800,
		    {TIMER, SE(600), .refresher = UAC}, 600, LOCAL),
		ROW("p17 the peer takes over", {POLICY}, {.se_s = 1800, .role = LOCAL}, 1800,
		    {TIMER, SE(1800), .refresher = UAS}, 1800, REMOTE),
		ROW("st22 p17 no SE: off", {POLICY}, {.se_s = 1800, .role = LOCAL}, 1800, {TIMER},
		    0, ST_ROLE_NONE),
		ROW("st21 required keeps its own", {POLICY, .mode = ST_MODE_REQUIRED},
		    {.se_s = 1800, .role = LOCAL}, 1800, {TIMER}, 1800, LOCAL),
		ROW("p17 comes mid-call", {POLICY}, {.se_s = 0}, 0,
		    {TIMER, SE(1800), .refresher = UAC}, 1800, LOCAL),
		ROW("p17 not if forbidden", {POLICY, .midcall_activation = false}, {.se_s = 0}, 0,
		    {TIMER, SE(1800), .refresher = UAC}, 0, ST_ROLE_NONE),
		ROW("p06 went without, 2xx without", {POLICY},
		    {.se_s = 1800, .role = LOCAL, .flags = ST_LEG_NO_SE}, 0, {TIMER}, 0,
		    ST_ROLE_NONE),
		ROW("st23 crossed, our 2xx said that we refresh", {POLICY},
		    {.se_s = 1800, .role = LOCAL, .expiry_tk = TICK_S(2700)}, 1800, {TIMER}, 1800,
		    LOCAL, ST_CROSSED),
		ROW("st22 crossed, it said that the peer does", {POLICY},
		    {.se_s = 1800, .role = REMOTE}, 1800, {TIMER}, 0, ST_ROLE_NONE, ST_CROSSED),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct st_headers offered = {.se_s = rows[i].offered, .flags = rows[i].flags};
		struct st_leg leg = rows[i].leg;

		leg.flags |= ST_LEG_ESTABLISHED;
		leg.tries_422 = 2;
		st_accept(&rows[i].policy, &leg, &offered, &rows[i].seen, TICK_S(900), 0);
		if (leg.se_s != rows[i].se || leg.role != rows[i].role)
			fail_msg("%s: SE %u role %u", rows[i].shows, leg.se_s, leg.role);
		assert_int_equal(leg.expiry_tk,
				 leg.se_s != 0 ? TICK_S(900) + TICK_S(leg.se_s) : TICK_NEVER);
		assert_int_equal(leg.tries_422, 0);
	}
}

// st76 in a 2xx: followed once (st23), offered anew from the next request on.
static void st_offers_more_after_a_short_2xx(void **)
{
	static const struct {
		const char *shows;
		uint32_t agreed, answered;
		unsigned flags;
		uint32_t next;
	} rows[] = {
		ROW("shortened", 1800, 90, 0, 1800),
		ROW("as it was", 600, 600, 0, 600),
		ROW("longer", 600, 900, 0, 900),
		ROW("what a first answer says is no shortening", 0, 600, ST_INITIAL, 600),
	};
	const struct st_policy policy = {POLICY};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct st_headers offered = {.se_s = 1800, .flags = (uint8_t)rows[i].flags};
		const struct st_seen seen = {TIMER, SE(rows[i].answered), .refresher = UAC};
		struct st_leg leg = {.se_s = rows[i].agreed,
				     .role = rows[i].agreed != 0 ? LOCAL : ST_ROLE_NONE,
				     .flags = ST_LEG_ESTABLISHED};

		st_accept(&policy, &leg, &offered, &seen, 0, 0);
		assert_int_equal(leg.se_s, rows[i].answered);
		if (st_offer(&policy, &leg, ST_REFRESH_ONLY).se_s != rows[i].next)
			fail_msg("%s: offers %u", rows[i].shows,
				 st_offer(&policy, &leg, ST_REFRESH_ONLY).se_s);
	}
}

static void st_does_not_learn_min_se_of_2xx(void **) // st07
{
	const struct st_policy policy = {POLICY};
	const struct st_headers offered = {.se_s = 1800, .flags = ST_INITIAL};
	const struct st_seen seen = {TIMER, SE(1800), MINSE(5000), .refresher = UAC};
	struct st_leg leg = {0};

	st_accept(&policy, &leg, &offered, &seen, 0, 0);
	assert_int_equal(leg.min_se_s, 0);
}

static void st_ignores_2xx_of_early_update(void **) // p29
{
	const struct st_policy policy = {POLICY};
	const struct st_headers offered = {.supported = true};
	const struct st_seen seen = {TIMER, SE(600), .refresher = UAC};
	struct st_leg leg = {.flags = ST_LEG_WE_INVITED};

	st_accept(&policy, &leg, &offered, &seen, TICK_S(3), 0);
	assert_int_equal(leg.se_s, 0);
	assert_int_equal(leg.last_ok_tk, 0);
	assert_true((leg.flags & ST_LEG_PEER_TIMER) != 0);
}

static void st_reads_its_own_offer_back(void **)
{
	const struct st_seen own = {TIMER, SE(600), MINSE(300), .required = true, .refresher = UAS};
	struct st_headers h = st_offered(&own, ST_INITIAL);

	assert_int_equal(h.se_s, 600);
	assert_int_equal(h.min_se_s, 300);
	assert_int_equal(h.refresher, UAS);
	assert_int_equal(h.flags, ST_INITIAL);
	assert_true(h.supported && h.require);
}

// --- 422

#define TRIES 6

static void st_answers_422(void **)
{
	static const struct {
		const char *shows;
		struct st_policy policy;
		uint32_t min_se[TRIES]; // of each 422; 0 = none
		uint32_t sends[TRIES];	// SE of each INVITE; 0 = without
		unsigned invites;	// how many go out
		bool gives_up;		// after them
	} rows[] = {
		ROW("st28 st30 p06 one", {POLICY}, {28800}, {1800, 28800}, 2),
		ROW("st30 p06 two hops", {POLICY}, {3600, 7200}, {1800, 3600, 7200}, 3),
		ROW("p06 the same Min-SE again", {POLICY}, {3600, 3600}, {1800, 3600, 0}, 3),
		ROW("p06 without Min-SE", {POLICY}, {0}, {1800, 0}, 2),
		ROW("p06 Min-SE smaller than asked", {POLICY}, {90}, {1800, 0}, 2),
		ROW("p06 beyond the cap", {POLICY}, {1u << 31}, {1800, 0}, 2),
		ROW("p06 the cap itself", {POLICY}, {86400}, {1800, 86400}, 2),
		ROW("p06 grows for ever: at most 4", {POLICY}, {2000, 3000, 4000, 5000},
		    {1800, 2000, 3000, 0}, 4, true),
		ROW("p06 422 to one without SE", {POLICY}, {0, 90}, {1800, 0}, 2, true),
		ROW("max_422 1", {POLICY, .max_422 = 1}, {3600, 7200}, {1800, 3600}, 2, true),
		ROW("max_422 1, nothing usable", {POLICY, .max_422 = 1}, {0}, {1800, 0}, 2),
		ROW("max_422 0", {POLICY, .max_422 = 0}, {3600}, {1800}, 1, true),
		ROW("required never goes without", {POLICY, .mode = ST_MODE_REQUIRED}, {0}, {1800},
		    1, true),
		ROW("required grows", {POLICY, .mode = ST_MODE_REQUIRED}, {2000, 3000, 4000, 5000},
		    {1800, 2000, 3000, 4000}, 4, true),
		ROW("learned before: right at once", {POLICY, .learned_min_se_s = 28800}, {0},
		    {28800, 0}, 2),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct st_leg leg = {.flags = ST_LEG_WE_INVITED};
		unsigned sent = 0;
		bool gave_up = false;

		for (;;) {
			struct st_headers h = st_offer(&rows[i].policy, &leg, ST_INITIAL);
			struct st_seen seen = {MINSE(rows[i].min_se[sent])};

			if (h.se_s != rows[i].sends[sent])
				fail_msg("%s: INVITE %u has SE %u", rows[i].shows, sent + 1,
					 h.se_s);
			assert_int_equal(h.min_se_s,
					 sent != 0 && h.se_s != 0
						 ? h.se_s // st30
						 : rows[i].policy.learned_min_se_s * (h.se_s != 0));
			sent++;
			if (sent == rows[i].invites && !rows[i].gives_up)
				break; // answered
			if (st_after_422(&rows[i].policy, &leg, &h, &seen) == ST_RETRY_GIVE_UP) {
				gave_up = true;
				break;
			}
			assert_in_range(sent, 1, TRIES - 1);
		}
		if (sent != rows[i].invites || gave_up != rows[i].gives_up)
			fail_msg("%s: %u INVITEs, gave up %u", rows[i].shows, sent, gave_up);
	}
}

// st69 st70: a 422 to a refresh leaves the old expiry alone; the retry asks for more.
static void st_keeps_expiry_at_422(void **)
{
	const struct st_policy policy = {POLICY};
	const struct st_seen too_small = {MINSE(7200)}, ok = {TIMER, SE(7200), .refresher = UAC};
	struct st_leg leg = {.flags = ST_LEG_ESTABLISHED,
			     .role = LOCAL,
			     .se_s = 1800,
			     .expiry_tk = TICK_S(1800),
			     .refresh_tk = TICK_S(900)};
	struct st_headers h = st_offer(&policy, &leg, ST_REFRESH_ONLY);

	assert_int_equal(st_after_422(&policy, &leg, &h, &too_small), ST_RETRY);
	assert_int_equal(leg.expiry_tk, TICK_S(1800));
	assert_int_equal(leg.se_s, 1800);
	h = st_offer(&policy, &leg, ST_REFRESH_ONLY);
	assert_int_equal(h.se_s, 7200);
	assert_int_equal(h.min_se_s, 7200);
	assert_int_equal(h.refresher, UAC);
	st_accept(&policy, &leg, &h, &ok, TICK_S(901), 0);
	assert_int_equal(leg.expiry_tk, TICK_S(901 + 7200));
	assert_int_equal(st_offer(&policy, &leg, ST_REFRESH_ONLY).min_se_s, 7200); // st32
}

// A leg that had to go without starts again when the peer asks for a timer (P17).
static void st_starts_again_after_going_without(void **)
{
	const struct st_policy policy = {POLICY};
	const struct st_seen none = {TIMER}, asks = {TIMER, SE(1800), .refresher = UAS};
	struct st_leg leg = {.flags = ST_LEG_WE_INVITED};
	struct st_headers h = st_offer(&policy, &leg, ST_INITIAL);

	assert_int_equal(st_after_422(&policy, &leg, &h, &none), ST_RETRY_WITHOUT);
	h = st_offer(&policy, &leg, ST_INITIAL);
	st_accept(&policy, &leg, &h, &none, 0, 0);
	assert_int_equal(leg.se_s, 0);
	st_answer(&policy, &leg, &asks, 0, TICK_S(60), 0);
	assert_int_equal(leg.se_s, 1800);
	assert_int_equal(st_offer(&policy, &leg, ST_REFRESH_ONLY).se_s, 1800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(st_offers_initial),
		cmocka_unit_test(st_offers_midcall),
		cmocka_unit_test(st_accepts_initial),
		cmocka_unit_test(st_accepts_midcall),
		cmocka_unit_test(st_offers_more_after_a_short_2xx),
		cmocka_unit_test(st_does_not_learn_min_se_of_2xx),
		cmocka_unit_test(st_ignores_2xx_of_early_update),
		cmocka_unit_test(st_reads_its_own_offer_back),
		cmocka_unit_test(st_answers_422),
		cmocka_unit_test(st_keeps_expiry_at_422),
		cmocka_unit_test(st_starts_again_after_going_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
