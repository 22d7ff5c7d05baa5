// SPDX-License-Identifier: BSD-3-Clause
// Session timer as UAS: RFC 4028 s9 and table 2, refusals, and what mid-call requests do to a leg.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "st_rows.h"

// --- refusals

static void st_refuses(void **)
{
	static const struct {
		const char *shows;
		struct st_policy policy;
		struct st_seen seen;
		unsigned flags;
		unsigned code;
		uint32_t min_se;
	} rows[] = {
		ROW("st01 90", {POLICY}, {TIMER, SE(90)}, ST_INITIAL, 0, 0),
		ROW("st01 2^31", {POLICY}, {TIMER, SE(1u << 31)}, ST_INITIAL, 0, 0),
		ROW("st54 required, off", {POLICY, .mode = ST_MODE_OFF}, {.required = true},
		    ST_INITIAL, 420, 0),
		ROW("st54 required", {POLICY}, {.required = true, SE(1800)}, ST_INITIAL, 0, 0),
		ROW("st55 p07 60", {POLICY}, {TIMER, SE(60)}, ST_INITIAL, 422, 90),
		ROW("p07 0", {POLICY}, {TIMER, SE(0)}, ST_INITIAL, 422, 90),
		ROW("st55 by Require alone", {POLICY}, {.required = true, SE(89)}, ST_INITIAL, 422,
		    90),
		ROW("st56 own minimum", {POLICY, .min_interval_s = 600}, {TIMER, SE(599)},
		    ST_INITIAL, 422, 600),
		ROW("own minimum met", {POLICY, .min_interval_s = 600}, {TIMER, SE(600)},
		    ST_INITIAL, 0, 0),
		ROW("st10 profile below the floor", {POLICY, .min_interval_s = 10}, {TIMER, SE(60)},
		    ST_INITIAL, 422, 90),
		ROW("st57 no timer: no 422", {POLICY}, {SE(30)}, ST_INITIAL, 0, 0),
		ROW("off: 60 is nobody's business", {POLICY, .mode = ST_MODE_OFF}, {TIMER, SE(60)},
		    ST_INITIAL, 0, 0),
		ROW("p07 contradiction is accepted", {POLICY}, {TIMER, SE(1800), MINSE(3600)},
		    ST_INITIAL, 0, 0),
		ROW("st55 in a refresh", {POLICY}, {TIMER, SE(60)}, ST_REFRESH_ONLY, 422, 90),
		ROW("required: peer without", {POLICY, .mode = ST_MODE_REQUIRED}, {SE(1800)},
		    ST_INITIAL, 421, 0),
		ROW("required: mid-call goes on", {POLICY, .mode = ST_MODE_REQUIRED}, {SE(1800)},
		    ST_REFRESH_ONLY, 0, 0),
		ROW("required: peer with", {POLICY, .mode = ST_MODE_REQUIRED}, {TIMER}, ST_INITIAL,
		    0, 0),
		ROW("observe", {POLICY, .mode = ST_MODE_OBSERVE}, {TIMER, SE(1800)}, ST_INITIAL, 0,
		    0),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct st_leg leg = {0};
		struct st_headers h;
		unsigned code = st_refuse(&rows[i].policy, &leg, &rows[i].seen, rows[i].flags, &h);

		if (code != rows[i].code || h.min_se_s != rows[i].min_se)
			fail_msg("%s: %u, Min-SE %u", rows[i].shows, code, h.min_se_s);
		assert_int_equal(h.se_s, 0);
		assert_int_equal(h.require, code == 421);
		assert_int_equal(leg.se_s, 0); // refusing starts nothing
	}
}

// An unasked timer on a leg whose profile is off is a timer all the same.
static void st_honours_require_on_imposed_timer(void **)
{
	const struct st_policy policy = {POLICY, .mode = ST_MODE_OFF};
	const struct st_headers offered = {.flags = ST_INITIAL};
	const struct st_seen answer = {SE(1800), .refresher = UAC},
			     request = {.required = true, SE(1800)};
	struct st_leg leg = {.flags = ST_LEG_WE_INVITED};
	struct st_headers h;

	st_accept(&policy, &leg, &offered, &answer, 0, 0);
	assert_int_equal(st_refuse(&policy, &leg, &request, ST_REFRESH_ONLY, &h), 0);
	assert_true(st_plain(&policy, &leg).supported);
	st_stop(&leg);
	assert_int_equal(st_refuse(&policy, &leg, &request, ST_REFRESH_ONLY, &h), 420);
	assert_false(st_plain(&policy, &leg).supported);
}

// --- the first answer

struct answer_row {
	const char *shows;
	struct st_policy policy;
	struct st_seen seen;
	unsigned flags;
	uint32_t se;
	enum st_refresher refresher;
	bool require;
	enum st_role role;
	enum st_by by;
};

static void answer_check(const struct answer_row *row, struct st_leg *leg)
{
	tick_t now = TICK_S(1000);
	struct st_headers h = st_answer(&row->policy, leg, &row->seen, row->flags, now, 0);

	if (h.se_s != row->se || h.refresher != row->refresher || h.require != row->require ||
	    leg->role != row->role || leg->by != row->by)
		fail_msg("%s: SE %u refresher %u require %u role %u by %s", row->shows, h.se_s,
			 h.refresher, h.require, leg->role, st_by_word((enum st_by)leg->by));
	assert_int_equal(h.min_se_s, 0); // st07
	assert_int_equal(leg->se_s, row->se);
	assert_int_equal(leg->role == ST_ROLE_NONE, leg->se_s == 0);
	// st67
	assert_int_equal(leg->expiry_tk, row->se != 0 ? now + TICK_S(row->se) : TICK_NEVER);
	assert_int_equal(leg->refresh_tk,
			 leg->role == LOCAL ? now + TICK_S(row->se) / 2 : TICK_NEVER);
	assert_int_equal(leg->last_ok_tk, now);
}

static void st_answers_initial(void **)
{
	static const struct answer_row rows[] = {
		// table 2
		ROW("st62 no timer, none", {POLICY}, {SE(1800)}, ST_INITIAL, 1800, UAS, false,
		    LOCAL, ST_BY_NO_SUPPORT),
		ROW("st62 timer, none: choice", {POLICY}, {TIMER, SE(1800)}, ST_INITIAL, 1800, UAC,
		    true, REMOTE, ST_BY_CHOICE),
		ROW("st62 timer, uac", {POLICY}, {TIMER, SE(1800), .refresher = UAC}, ST_INITIAL,
		    1800, UAC, true, REMOTE, ST_BY_REQUEST),
		ROW("st62 st64 timer, uas", {POLICY}, {TIMER, SE(1800), .refresher = UAS},
		    ST_INITIAL, 1800, UAS, true, LOCAL, ST_BY_REQUEST),
		ROW("st62 no timer, uac: cannot be", {POLICY}, {SE(1800), .refresher = UAC},
		    ST_INITIAL, 1800, UAS, false, LOCAL, ST_BY_NO_SUPPORT),
		ROW("st62 no timer, uas: cannot be", {POLICY}, {SE(1800), .refresher = UAS},
		    ST_INITIAL, 1800, UAS, false, LOCAL, ST_BY_NO_SUPPORT),
		ROW("st63 Require: timer counts as timer", {POLICY}, {.required = true, SE(1800)},
		    ST_INITIAL, 1800, UAC, true, REMOTE, ST_BY_CHOICE),
		// choice
		ROW("local", {POLICY, .prefer = ST_PREFER_LOCAL}, {TIMER, SE(1800)}, ST_INITIAL,
		    1800, UAS, true, LOCAL, ST_BY_CHOICE),
		ROW("remote", {POLICY, .prefer = ST_PREFER_REMOTE}, {TIMER, SE(1800)}, ST_INITIAL,
		    1800, UAC, true, REMOTE, ST_BY_CHOICE),
		ROW("uac", {POLICY, .prefer = ST_PREFER_UAC}, {TIMER, SE(1800)}, ST_INITIAL, 1800,
		    UAC, true, REMOTE, ST_BY_CHOICE),
		ROW("uas", {POLICY, .prefer = ST_PREFER_UAS}, {TIMER, SE(1800)}, ST_INITIAL, 1800,
		    UAS, true, LOCAL, ST_BY_CHOICE),
		ROW("st62 the request beats the profile", {POLICY, .prefer = ST_PREFER_LOCAL},
		    {TIMER, SE(1800), .refresher = UAC}, ST_INITIAL, 1800, UAC, true, REMOTE,
		    ST_BY_REQUEST),
		ROW("remote needs a peer with timer", {POLICY, .prefer = ST_PREFER_REMOTE},
		    {SE(1800)}, ST_INITIAL, 1800, UAS, false, LOCAL, ST_BY_NO_SUPPORT),
		// interval
		ROW("st58 lower of the two: theirs", {POLICY, .interval_s = 3600},
		    {TIMER, SE(1800)}, ST_INITIAL, 1800, UAC, true, REMOTE, ST_BY_CHOICE),
		ROW("st58 lower of the two: ours", {POLICY}, {TIMER, SE(3600)}, ST_INITIAL, 1800,
		    UAC, true, REMOTE, ST_BY_CHOICE),
		ROW("st59 not below Min-SE", {POLICY, .interval_s = 600},
		    {TIMER, SE(1800), MINSE(1200)}, ST_INITIAL, 1200, UAC, true, REMOTE,
		    ST_BY_CHOICE),
		ROW("st01 90", {POLICY}, {TIMER, SE(90)}, ST_INITIAL, 90, UAC, true, REMOTE,
		    ST_BY_CHOICE),
		ROW("st01 91", {POLICY}, {TIMER, SE(91)}, ST_INITIAL, 91, UAC, true, REMOTE,
		    ST_BY_CHOICE),
		ROW("st01 86400", {POLICY, .interval_s = 86400}, {TIMER, SE(86400)}, ST_INITIAL,
		    86400, UAC, true, REMOTE, ST_BY_CHOICE),
		ROW("st01 2^31", {POLICY}, {TIMER, SE(1u << 31)}, ST_INITIAL, 1800, UAC, true,
		    REMOTE, ST_BY_CHOICE),
		ROW("p07 2^32-1", {POLICY}, {TIMER, SE(UINT32_MAX)}, ST_INITIAL, 1800, UAC, true,
		    REMOTE, ST_BY_CHOICE),
		ROW("st57 p07 30 without timer", {POLICY}, {SE(30)}, ST_INITIAL, 90, UAS, false,
		    LOCAL, ST_BY_NO_SUPPORT),
		ROW("p07 0 without timer", {POLICY, .min_interval_s = 120}, {SE(0)}, ST_INITIAL,
		    120, UAS, false, LOCAL, ST_BY_NO_SUPPORT),
		ROW("p07 SE < Min-SE", {POLICY}, {TIMER, SE(1800), MINSE(3600)}, ST_INITIAL, 3600,
		    UAC, true, REMOTE, ST_BY_CHOICE),
		ROW("p07 Min-SE beyond the cap", {POLICY}, {TIMER, SE(1u << 31), MINSE(1u << 31)},
		    ST_INITIAL, 0, 0, false, ST_ROLE_NONE, ST_BY_MIN_SE_TOO_LARGE),
		ROW("st03 profile below the floor", {POLICY, .interval_s = 1, .min_interval_s = 1},
		    {TIMER, SE(1800)}, ST_INITIAL, 90, UAC, true, REMOTE, ST_BY_CHOICE),
		ROW("interval below min_interval",
		    {POLICY, .interval_s = 100, .min_interval_s = 300}, {TIMER, SE(1800)},
		    ST_INITIAL, 300, UAC, true, REMOTE, ST_BY_CHOICE),
		// nobody asked
		ROW("st60 insert", {POLICY}, {TIMER}, ST_INITIAL, 1800, UAS, true, LOCAL,
		    ST_BY_INSERTED),
		ROW("st60 st65 insert, peer without timer", {POLICY}, {.allow = 0}, ST_INITIAL,
		    1800, UAS, false, LOCAL, ST_BY_INSERTED),
		ROW("st60 insert, at least Min-SE", {POLICY}, {TIMER, MINSE(7200)}, ST_INITIAL,
		    7200, UAS, true, LOCAL, ST_BY_INSERTED),
		ROW("st60 insert, remote", {POLICY, .prefer = ST_PREFER_REMOTE}, {TIMER},
		    ST_INITIAL, 1800, UAC, true, REMOTE, ST_BY_INSERTED),
		ROW("no insert", {POLICY, .insert = false}, {TIMER}, ST_INITIAL, 0, 0, false,
		    ST_ROLE_NONE, ST_BY_DECLINED),
		ROW("no insert, the other leg has one", {POLICY, .insert = false}, {TIMER},
		    ST_INITIAL | ST_OTHER_TIMER, 1800, UAS, true, LOCAL, ST_BY_INSERTED),
		ROW("no insert, asked", {POLICY, .insert = false}, {TIMER, SE(1800)}, ST_INITIAL,
		    1800, UAC, true, REMOTE, ST_BY_CHOICE),
		ROW("required inserts", {POLICY, .insert = false, .mode = ST_MODE_REQUIRED},
		    {TIMER}, ST_INITIAL, 1800, UAS, true, LOCAL, ST_BY_INSERTED),
		ROW("observe as supported", {POLICY, .mode = ST_MODE_OBSERVE}, {TIMER, SE(1800)},
		    ST_INITIAL, 1800, UAC, true, REMOTE, ST_BY_CHOICE),
		ROW("off", {POLICY, .mode = ST_MODE_OFF}, {TIMER, SE(1800)}, ST_INITIAL, 0, 0,
		    false, ST_ROLE_NONE, ST_BY_OFF),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct st_leg leg = {0};

		answer_check(&rows[i], &leg);
		assert_int_equal(leg.flags & ST_LEG_ESTABLISHED, ST_LEG_ESTABLISHED);
	}
}

// --- a leg that has been answered: 1800 s, we are its UAS

static void st_answers_midcall(void **)
{
	static const struct {
		enum st_role role; // before
		uint32_t se_s;
		struct answer_row row;
	} rows[] = {
		ROW(REMOTE, 1800,
		    ROW("p17 refresh by the refresher", {POLICY},
			{TIMER, SE(1800), .refresher = UAC}, ST_REFRESH_ONLY, 1800, UAC, true,
			REMOTE, ST_BY_REQUEST)),
		ROW(REMOTE, 1800,
		    ROW("p05 role of the transaction: uas is us", {POLICY},
			{TIMER, SE(1800), .refresher = UAS}, ST_REFRESH_ONLY, 1800, UAS, true,
			LOCAL, ST_BY_REQUEST)),
		ROW(LOCAL, 1800,
		    ROW("the peer takes the role", {POLICY}, {TIMER, SE(1800), .refresher = UAC},
			ST_REFRESH_ONLY, 1800, UAC, true, REMOTE, ST_BY_REQUEST)),
		ROW(LOCAL, 1800,
		    ROW("p04 unnamed: role stays", {POLICY}, {TIMER, SE(1800)}, 0, 1800, UAS, true,
			LOCAL, ST_BY_KEPT)),
		ROW(REMOTE, 1800,
		    ROW("p04 unnamed: role stays remote", {POLICY, .prefer = ST_PREFER_LOCAL},
			{TIMER, SE(1800)}, 0, 1800, UAC, true, REMOTE, ST_BY_KEPT)),
		ROW(REMOTE, 1800,
		    ROW("p17 without SE the timer stays", {POLICY}, {TIMER}, 0, 1800, UAC, true,
			REMOTE, ST_BY_KEPT)),
		ROW(REMOTE, 1800,
		    ROW("p17 without timer it becomes ours", {POLICY}, {.allow = 0}, 0, 1800, UAS,
			false, LOCAL, ST_BY_INSERTED)),
		ROW(REMOTE, 600,
		    ROW("p17 without SE: current interval", {POLICY}, {TIMER}, 0, 600, UAC, true,
			REMOTE, ST_BY_KEPT)),
		ROW(ST_ROLE_NONE, 0,
		    ROW("p17 timer on mid-call", {POLICY}, {TIMER, SE(1800)}, 0, 1800, UAC, true,
			REMOTE, ST_BY_CHOICE)),
		ROW(ST_ROLE_NONE, 0,
		    ROW("p17 not if forbidden", {POLICY, .midcall_activation = false},
			{TIMER, SE(1800)}, 0, 0, 0, false, ST_ROLE_NONE, ST_BY_DECLINED)),
		ROW(ST_ROLE_NONE, 0,
		    ROW("no insert mid-call", {POLICY}, {TIMER}, 0, 0, 0, false, ST_ROLE_NONE,
			ST_BY_DECLINED)),
		ROW(REMOTE, 1800,
		    ROW("longer: as far as ours", {POLICY, .interval_s = 3600}, {TIMER, SE(7200)},
			0, 3600, UAC, true, REMOTE, ST_BY_KEPT)),
		ROW(REMOTE, 1800,
		    ROW("st76 st58 shorter must be followed", {POLICY},
			{TIMER, SE(90), .refresher = UAC}, 0, 90, UAC, true, REMOTE,
			ST_BY_REQUEST)),
		ROW(REMOTE, 1800,
		    ROW("st76 but not without timer", {POLICY}, {SE(90)}, 0, 1800, UAS, false,
			LOCAL, ST_BY_NO_SUPPORT)),
		ROW(LOCAL, 1800,
		    ROW("Min-SE above the cap ends it", {POLICY},
			{TIMER, SE(100000), MINSE(100000)}, 0, 0, 0, false, ST_ROLE_NONE,
			ST_BY_MIN_SE_TOO_LARGE)),
		ROW(LOCAL, 1800,
		    ROW("p03 off, imposed: goes on", {POLICY, .mode = ST_MODE_OFF},
			{TIMER, SE(1800)}, 0, 1800, UAS, true, LOCAL, ST_BY_KEPT)),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct st_leg leg = {.flags = ST_LEG_ESTABLISHED,
				     .role = (uint8_t)rows[i].role,
				     .se_s = rows[i].se_s,
				     .expiry_tk = rows[i].se_s != 0 ? TICK_S(1500) : TICK_NEVER};

		answer_check(&rows[i].row, &leg);
	}
}

// st76: what the peer shortened, our next offer takes back up.
static void st_takes_shortened_interval_back(void **)
{
	const struct st_policy policy = {POLICY};
	const struct st_seen first = {TIMER, SE(1800), .refresher = UAS};
	const struct st_seen low = {TIMER, SE(90), .refresher = UAS};
	struct st_leg leg = {0};

	st_answer(&policy, &leg, &first, ST_INITIAL, 0, 0);
	assert_int_equal(st_offer(&policy, &leg, ST_REFRESH_ONLY).se_s, 1800);
	st_answer(&policy, &leg, &low, 0, 0, 0);
	assert_int_equal(leg.se_s, 90);
	assert_int_equal(st_offer(&policy, &leg, ST_REFRESH_ONLY).se_s, 1800);
	st_answer(&policy, &leg, &low, 0, 0, 0); // again the same: still shortened
	assert_int_equal(st_offer(&policy, &leg, ST_REFRESH_ONLY).se_s, 1800);
	st_answer(&policy, &leg, &first, 0, 0, 0);
	assert_int_equal(leg.flags & ST_LEG_SHORTENED, 0);
}

// p29: SE in an early UPDATE starts nothing, the INVITE's 2xx decides.
static void st_ignores_early_update(void **)
{
	const struct st_policy policy = {POLICY};
	const struct st_seen update = {TIMER, SE(600), MINSE(300)};
	struct st_leg leg = {0};
	struct st_headers h = st_answer(&policy, &leg, &update, 0, TICK_S(5), 0);

	assert_int_equal(h.se_s, 0);
	assert_true(h.supported);
	assert_int_equal(leg.se_s, 0);
	assert_int_equal(leg.last_ok_tk, 0);
	assert_int_equal(leg.min_se_s, 300); // st32: seen on this dialog all the same
}

// p05: a peer that reads uac/uas per dialog, through five intervals.
static void st_lets_a_flipped_peer_refresh(void **)
{
	const struct st_policy policy = {POLICY};
	const struct st_seen refresh = {TIMER, SE(1800), .refresher = UAS};
	struct st_leg leg = {0};
	tick_t now = TICK_S(7);

	st_answer(&policy, &leg, &refresh, ST_INITIAL, now, 0);
	assert_int_equal(leg.role, LOCAL);
	for (unsigned i = 1; i <= 5; i++) {
		now += TICK_S(900);
		assert_int_equal(
			st_answer(&policy, &leg, &refresh, ST_REFRESH_ONLY, now, 0).refresher, UAS);
		assert_int_equal(leg.flips, i);
		assert_int_equal(leg.flags & ST_LEG_BOTH, ST_LEG_BOTH);
		assert_int_equal(leg.role, LOCAL);
		// it refreshes at half: ours would come later, and does if its stay away
		assert_int_equal(st_next(&policy, &leg, false), now + TICK_S(1334));
		assert_int_equal(st_deadline(&policy, &leg), now + TICK_S(1768));
	}
	// its refreshes stay away: ours goes, and the normal cadence is back
	const struct st_headers offered = st_offer(&policy, &leg, ST_REFRESH_ONLY);
	const struct st_seen ok = {TIMER, SE(1800), .refresher = UAC};

	assert_int_equal(offered.refresher, UAC);
	now += TICK_S(1334);
	st_accept(&policy, &leg, &offered, &ok, now, 0);
	assert_int_equal(leg.flags & ST_LEG_BOTH, 0);
	assert_int_equal(leg.refresh_tk, now + TICK_S(900));
}

// p05, st76: with a short interval ours still comes before the deadline.
static void st_comes_before_the_deadline_of_a_flipped_peer(void **)
{
	const struct st_policy policy = {POLICY};
	const struct st_seen refresh = {TIMER, SE(90), .refresher = UAS};
	struct st_leg leg = {0};

	st_answer(&policy, &leg, &refresh, ST_INITIAL, TICK_S(7), 0);
	st_answer(&policy, &leg, &refresh, ST_REFRESH_ONLY, TICK_S(52), 0);
	assert_int_equal(leg.flags & ST_LEG_BOTH, ST_LEG_BOTH);
	assert_int_equal(st_deadline(&policy, &leg), TICK_S(52 + 60));
	assert_int_equal(st_next(&policy, &leg, false), TICK_S(52) + TICK_MS(52500));
}

static void st_counts_flips_of_refreshes_only(void **)
{
	static const struct {
		const char *shows;
		struct st_seen seen;
		unsigned flags;
		unsigned flips;
		bool both;
	} rows[] = {
		ROW("refresh", {TIMER, SE(1800), .refresher = UAS}, ST_REFRESH_ONLY, 1, true),
		ROW("p35 unnamed", {TIMER, SE(1800)}, ST_REFRESH_ONLY, 1, true),
		ROW("st35 takes the role as it may", {TIMER, SE(1800), .refresher = UAC},
		    ST_REFRESH_ONLY, 1, false),
		ROW("hold", {TIMER, SE(1800), .refresher = UAS}, 0, 0, false),
		ROW("no SE", {TIMER}, ST_REFRESH_ONLY, 0, false),
		ROW("no timer", {SE(1800)}, ST_REFRESH_ONLY, 0, false),
	};
	const struct st_policy policy = {POLICY};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct st_leg leg = {.flags = ST_LEG_ESTABLISHED, .role = LOCAL, .se_s = 1800};

		st_answer(&policy, &leg, &rows[i].seen, rows[i].flags, TICK_S(900), 0);
		if (leg.flips != rows[i].flips || ((leg.flags & ST_LEG_BOTH) != 0) != rows[i].both)
			fail_msg("%s: %u flips, flags %x", rows[i].shows, leg.flips, leg.flags);
		leg.flips = UINT8_MAX;
		leg.role = LOCAL;
		st_answer(&policy, &leg, &rows[0].seen, ST_REFRESH_ONLY, TICK_S(900), 0);
		assert_int_equal(leg.flips, UINT8_MAX);
	}
}

// UAC and UAS of the profile mean who sent the INVITE of the leg, whoever sends this request.
static void st_prefers_by_who_invited(void **)
{
	static const struct {
		enum st_prefer prefer;
		bool we_invited;
		enum st_role role;
	} rows[] = {
		ROW(ST_PREFER_UAC, true, LOCAL),   ROW(ST_PREFER_UAC, false, REMOTE),
		ROW(ST_PREFER_UAS, true, REMOTE),  ROW(ST_PREFER_UAS, false, LOCAL),
		ROW(ST_PREFER_LOCAL, true, LOCAL), ROW(ST_PREFER_REMOTE, true, REMOTE),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct st_policy policy = {POLICY, .prefer = rows[i].prefer};
		const struct st_seen seen = {TIMER, SE(1800)};
		struct st_leg leg = {.flags = ST_LEG_ESTABLISHED};

		if (rows[i].we_invited)
			leg.flags |= ST_LEG_WE_INVITED;
		st_answer(&policy, &leg, &seen, 0, 0, 0);
		assert_int_equal(leg.role, rows[i].role);
	}
}

static void st_learns(void **)
{
	const struct st_policy policy = {POLICY};
	const struct st_seen with = {TIMER, SE(1800), MINSE(300), .has_allow = true,
				     .allow = SIP_METHOD_BIT(INVITE) | SIP_METHOD_BIT(UPDATE)};
	const struct st_seen without = {SE(1800), MINSE(200)};
	struct st_leg leg = {0};
	struct st_headers h;

	st_refuse(&policy, &leg, &with, ST_INITIAL, &h);
	assert_int_equal(leg.peer_allow, SIP_METHOD_BIT(INVITE) | SIP_METHOD_BIT(UPDATE));
	assert_int_equal(leg.flags, ST_LEG_PEER_TIMER | ST_LEG_PEER_ALLOW);
	assert_int_equal(leg.min_se_s, 300);
	st_refuse(&policy, &leg, &without, 0, &h); // dl17: absent means nothing
	assert_int_equal(leg.peer_allow, SIP_METHOD_BIT(INVITE) | SIP_METHOD_BIT(UPDATE));
	assert_int_equal(leg.flags, ST_LEG_PEER_TIMER | ST_LEG_PEER_ALLOW);
	assert_int_equal(leg.min_se_s, 300); // st32: the largest
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(st_refuses),
		cmocka_unit_test(st_honours_require_on_imposed_timer),
		cmocka_unit_test(st_answers_initial),
		cmocka_unit_test(st_answers_midcall),
		cmocka_unit_test(st_takes_shortened_interval_back),
		cmocka_unit_test(st_ignores_early_update),
		cmocka_unit_test(st_lets_a_flipped_peer_refresh),
		cmocka_unit_test(st_comes_before_the_deadline_of_a_flipped_peer),
		cmocka_unit_test(st_counts_flips_of_refreshes_only),
		cmocka_unit_test(st_prefers_by_who_invited),
		cmocka_unit_test(st_learns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
