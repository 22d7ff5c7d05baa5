// SPDX-License-Identifier: BSD-3-Clause
// Session timer: refresh point, margin, what comes next, and the boundaries that a peer's BYE falls
// on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "st_rows.h"

static void st_refreshes_at(void **)
{
	static const struct {
		const char *shows;
		struct st_policy policy;
		uint32_t se;
		uint8_t flags;
		uint32_t jitter;
		uint64_t at_ms;
	} rows[] = {
		{"st26 half", {POLICY}, 1800, 0, 0, 900000},
		{"st26 half of 90", {POLICY}, 90, 0, 0, 45000},
		{"st26 odd", {POLICY}, 91, 0, 0, 45500},
		{"p02 a third", {POLICY, .refresh_at_pm = 330}, 1800, 0, 0, 594000},
		{"st26 never after half", {POLICY, .refresh_at_pm = 900}, 1800, 0, 0, 900000},
		{"no jitter by a small hash", {POLICY, .jitter_pm = 50}, 1800, 0, 0xffff, 900000},
		{"2^31", {POLICY}, 1u << 31, 0, 0, 1073741824000},
		{"p05 the peer refreshes: late", {POLICY}, 1800, ST_LEG_BOTH, 0, 1334000},
		{"p05 but before the deadline", {POLICY}, 90, ST_LEG_BOTH, 0, 52500},
		{"at once is never", {POLICY, .refresh_at_pm = 0}, 1800, 0, UINT32_MAX, 1800},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct st_leg leg = {.se_s = rows[i].se, .flags = rows[i].flags};
		tick_t at = st_refresh_point(&rows[i].policy, &leg, TICK_S(5), rows[i].jitter);

		if (at != TICK_S(5) + TICK_MS(rows[i].at_ms))
			fail_msg("%s: %lu us", rows[i].shows, (unsigned long)(at - TICK_S(5)));
	}
}

// Earlier only, never before refresh_at - jitter, and spread over all of it.
static void st_spreads_by_jitter(void **)
{
	static const struct {
		uint32_t se;
		uint16_t at_pm, jitter_pm;
		uint32_t low_pm; // where the spread begins
	} rows[] = {
		{1800, 500, 50, 450},	     {90, 500, 250, 250}, {86400, 500, 100, 400},
		{UINT32_MAX, 500, 250, 250}, {90, 50, 250, 25},	  {600, 500, 0, 500},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct st_policy policy = {POLICY, .refresh_at_pm = rows[i].at_pm,
						 .jitter_pm = rows[i].jitter_pm};
		const struct st_leg leg = {.se_s = rows[i].se};
		tick_t latest = TICK_MS(1) * rows[i].se * rows[i].at_pm;
		tick_t earliest = TICK_MS(1) * rows[i].se * rows[i].low_pm;
		unsigned tenth[10] = {0};
		uint32_t hash = 1;

		for (unsigned n = 0; n < 20000; n++) {
			hash = hash * 1664525u + 1013904223u;
			tick_t at = st_refresh_point(&policy, &leg, 0, hash);

			assert_true(at <= latest && at >= earliest);
			if (latest != earliest)
				tenth[(at - earliest) * 9 / (latest - earliest)]++;
		}
		for (unsigned t = 0; t < 9 && latest != earliest; t++)
			assert_in_range(tenth[t], 1500, 3000); // 2222 each
	}
}

static void st_gives_up_before_expiry(void **)
{
	static const struct {
		const char *shows;
		uint32_t se;
		uint16_t margin_s;
		uint64_t end_ms;
	} rows[] = {
		{"st74 1800", 1800, 32, 1768000},
		{"st74 90", 90, 32, 60000},
		{"st74 96 = 3 * 32", 96, 32, 64000},
		{"st74 95: a third", 95, 32, 63333},
		{"86400", 86400, 32, 86368000},
		{"no margin", 1800, 0, 1800000},
		{"margin above a third", 1800, 3600, 1200000},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct st_policy policy = {POLICY, .expiry_margin_s = rows[i].margin_s};
		struct st_leg leg = {.se_s = rows[i].se,
				     .role = REMOTE,
				     .expiry_tk = TICK_S(100) + TICK_S(rows[i].se)};
		tick_t end = st_deadline(&policy, &leg);

		if ((end - TICK_S(100) + 999) / 1000 != rows[i].end_ms &&
		    (end - TICK_S(100)) / 1000 != rows[i].end_ms)
			fail_msg("%s: %lu us", rows[i].shows, (unsigned long)(end - TICK_S(100)));
		assert_int_equal(st_next(&policy, &leg, false), end);
		leg.se_s = 0;
		assert_int_equal(st_deadline(&policy, &leg), TICK_NEVER);
	}
}

static void st_waits_for(void **)
{
	const struct st_policy policy = {POLICY};
	struct st_leg leg = {
		.se_s = 1800, .role = LOCAL, .refresh_tk = TICK_S(900), .expiry_tk = TICK_S(1800)};

	assert_int_equal(st_next(&policy, &leg, false), TICK_S(900));
	assert_int_equal(st_next(&policy, &leg, true), TICK_S(1768)); // it is under way: the expiry
	leg.role = REMOTE;
	leg.refresh_tk = TICK_NEVER;
	assert_int_equal(st_next(&policy, &leg, false), TICK_S(1768));
	st_stop(&leg); // p18
	assert_int_equal(st_next(&policy, &leg, false), TICK_NEVER);
	assert_int_equal(leg.role, ST_ROLE_NONE);
	assert_int_equal(leg.refresh_tk, TICK_NEVER);
	assert_int_equal(leg.expiry_tk, TICK_NEVER);
}

static void st_finds_boundary(void **)
{
	static const struct {
		const char *shows;
		uint32_t se;
		uint64_t passed_ms;
		enum st_boundary boundary;
	} rows[] = {
		{"p02 half", 1800, 900000, ST_BOUNDARY_HALF},
		{"2 s before", 1800, 898000, ST_BOUNDARY_HALF},
		{"2 s after", 1800, 902000, ST_BOUNDARY_HALF},
		{"more before", 1800, 897999, ST_BOUNDARY_NONE},
		{"more after", 1800, 902001, ST_BOUNDARY_NONE},
		{"p02 two thirds", 1800, 1200500, ST_BOUNDARY_TWO_THIRDS},
		{"p02 margin", 1800, 1768000, ST_BOUNDARY_MARGIN},
		{"p02 full", 1800, 1799000, ST_BOUNDARY_FULL},
		{"2700 half", 2700, 1350000, ST_BOUNDARY_HALF},
		{"90: margin, which is two thirds too", 90, 60000, ST_BOUNDARY_MARGIN},
		{"90: half", 90, 45000, ST_BOUNDARY_HALF},
		{"90: full", 90, 91999, ST_BOUNDARY_FULL},
		{"at once", 1800, 0, ST_BOUNDARY_NONE},
		{"any time", 1800, 300000, ST_BOUNDARY_NONE},
		{"long after", 1800, 4000000, ST_BOUNDARY_NONE},
		{"no timer", 0, 0, ST_BOUNDARY_NONE},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct st_leg leg = {.se_s = rows[i].se, .last_ok_tk = TICK_S(50)};
		enum st_boundary got =
			st_peer_bye_boundary(&leg, TICK_S(50) + TICK_MS(rows[i].passed_ms));

		if (got != rows[i].boundary)
			fail_msg("%s: %s", rows[i].shows, st_boundary_word(got));
	}
	assert_int_equal(st_peer_bye_boundary(&(struct st_leg){.se_s = 90, .last_ok_tk = 5}, 4),
			 ST_BOUNDARY_NONE);
}

static void st_has_words(void **)
{
	for (enum st_by by = 0; by < ST_BY_N; by++) {
		assert_int_not_equal(strlen(st_by_word(by)), 0);
		assert_int_not_equal(strlen(st_by_sentence(by)), 0);
	}
	for (enum st_boundary b = 0; b < ST_BOUNDARY_N; b++)
		assert_int_not_equal(strlen(st_boundary_word(b)), 0);
	assert_string_equal(st_by_word(ST_BY_N), "?");
	assert_string_equal(st_boundary_word(ST_BOUNDARY_N), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(st_refreshes_at),	     cmocka_unit_test(st_spreads_by_jitter),
		cmocka_unit_test(st_gives_up_before_expiry), cmocka_unit_test(st_waits_for),
		cmocka_unit_test(st_finds_boundary),	     cmocka_unit_test(st_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
