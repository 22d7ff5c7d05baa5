// SPDX-License-Identifier: BSD-3-Clause
// What follows from each answer to a refresh: the ladder, glare, challenges, 422, and when a call
// ends.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session_timer/outcome.h"
#include "st_rows.h"

#define UPDATE	   ST_METHOD_UPDATE
#define UPDATE_SDP ST_METHOD_UPDATE_SDP
#define INVITE	   ST_METHOD_INVITE
#define END	   ST_END
#define WAIT	   ST_WAIT
#define DONE	   ST_DONE

#define LEG(se)                                                                         \
	((struct st_leg){.se_s = (se),                                                  \
			 .role = ST_ROLE_LOCAL,                                         \
			 .last_ok_tk = TICK_S(10),                                      \
			 .expiry_tk = TICK_S(10) + TICK_S(se),                          \
			 .peer_allow = SIP_METHOD_BIT(UPDATE) | SIP_METHOD_BIT(INVITE), \
			 .flags = ST_LEG_ESTABLISHED | ST_LEG_PEER_ALLOW})

static void st_chooses_first_method(void **)
{
	static const struct {
		const char *shows;
		struct st_policy policy;
		uint16_t allow;
		bool known, has_sdp;
		enum st_method method;
	} rows[] = {
		ROW("st36 Allow lists UPDATE", {POLICY}, SIP_METHOD_BIT(UPDATE), true, true,
		    UPDATE),
		ROW("up01 Allow does not", {POLICY}, SIP_METHOD_BIT(INVITE), true, true, INVITE),
		ROW("dl17 Allow unknown", {POLICY}, 0, false, true, INVITE),
		ROW("method invite", {POLICY, .method = ST_CHOOSE_INVITE}, SIP_METHOD_BIT(UPDATE),
		    true, true, INVITE),
		ROW("method update", {POLICY, .method = ST_CHOOSE_UPDATE}, SIP_METHOD_BIT(UPDATE),
		    true, true, UPDATE),
		ROW("method update, Allow unknown", {POLICY, .method = ST_CHOOSE_UPDATE}, 0, false,
		    true, UPDATE),
		ROW("method update, Allow without", {POLICY, .method = ST_CHOOSE_UPDATE},
		    SIP_METHOD_BIT(INVITE), true, true, INVITE),
		ROW("p08 trunk refuses UPDATE", {POLICY, .no_update = true}, SIP_METHOD_BIT(UPDATE),
		    true, true, INVITE),
		ROW("trunk refuses both", {POLICY, .no_update = true, .no_invite = true},
		    SIP_METHOD_BIT(UPDATE), true, true, UPDATE),
		ROW("trunk refuses INVITE", {POLICY, .no_invite = true}, SIP_METHOD_BIT(UPDATE),
		    true, true, UPDATE),
		ROW("no body for an INVITE", {POLICY, .no_update = true}, SIP_METHOD_BIT(UPDATE),
		    true, false, UPDATE),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct st_leg leg = {.peer_allow = rows[i].allow,
					   .flags = rows[i].known ? ST_LEG_PEER_ALLOW : 0};
		enum st_method got = st_first_method(&rows[i].policy, &leg, rows[i].has_sdp);

		if (got != rows[i].method)
			fail_msg("%s: %u", rows[i].shows, got);
	}
}

// One refresh: attempts, their answers, and what must follow. Seconds count from the last 2xx.
struct attempt {
	unsigned code; // 0 = silence
	double now;    // when the answer came
	enum st_what what;
	enum st_method method; // of ST_SEND
	double at;	       // of ST_SEND, 0 = at once
	enum st_why why;
	uint32_t retry_after;
	bool glare, no_update, crossed;
};

#define SEND(m, t) ST_SEND, m, t
#define OVER(w, y) w, ST_METHOD_N, 0, y

static const struct run {
	const char *shows;
	struct st_policy policy;
	uint32_t se;
	enum st_method first;
	struct attempt attempts[8];
	bool no_sdp, no_credentials, cannot_raise;
} runs[] = {
	ROW("2xx", {POLICY}, 1800, UPDATE, {{200, 900, OVER(DONE, 0)}}),
	ROW("202 is a 2xx", {POLICY}, 1800, UPDATE, {{202, 900, OVER(DONE, 0)}}),

	// the ladder (P8)
	ROW("p08 405", {POLICY}, 1800, UPDATE,
	    {{405, 900, SEND(INVITE, 0), .no_update = true}, {200, 901, OVER(DONE, 0)}}),
	ROW("p08 501", {POLICY}, 1800, UPDATE, {{501, 900, SEND(INVITE, 0), .no_update = true}}),
	ROW("p08 488: with SDP, then INVITE", {POLICY}, 1800, UPDATE,
	    {{488, 900, SEND(UPDATE_SDP, 0), .no_update = true},
	     {488, 901, SEND(INVITE, 0)},
	     {200, 902, OVER(DONE, 0)}}),
	ROW("p08 400", {POLICY}, 1800, UPDATE,
	    {{400, 900, SEND(UPDATE_SDP, 0), .no_update = true}, {415, 901, SEND(INVITE, 0)}}),
	ROW("p08 488, no body stored", {POLICY}, 1800, UPDATE,
	    {{488, 900, SEND(INVITE, 0), .no_update = true}}, .no_sdp = true),
	ROW("p08 500", {POLICY}, 1800, UPDATE,
	    {{500, 900, SEND(UPDATE_SDP, 0)},
	     {500, 901, SEND(INVITE, 0)},
	     {200, 902, OVER(DONE, 0)}}),
	ROW("p08 481 on a live dialog", {POLICY}, 1800, UPDATE,
	    {{481, 900, SEND(INVITE, 0)}, {200, 901, OVER(DONE, 0)}}),
	ROW("p08 silence, then INVITE", {POLICY}, 1800, UPDATE,
	    {{0, 932, SEND(INVITE, 0)}, {200, 933, OVER(DONE, 0)}}),
	ROW("p08 405 with SDP: UPDATE is missing", {POLICY}, 1800, UPDATE_SDP,
	    {{405, 900, SEND(INVITE, 0), .no_update = true}}),
	ROW("488 to INVITE: UPDATE", {POLICY}, 1800, INVITE,
	    {{488, 900, SEND(UPDATE, 0)}, {200, 901, OVER(DONE, 0)}}),
	ROW("488 to the INVITE after a failed UPDATE: UPDATE with SDP", {POLICY}, 1800, UPDATE,
	    {{481, 900, SEND(INVITE, 0)},
	     {488, 901, SEND(UPDATE_SDP, 0)},
	     {200, 902, OVER(DONE, 0)}}),
	ROW("488 to all: once more at 3/4", {POLICY}, 1800, UPDATE,
	    {{488, 900, SEND(UPDATE_SDP, 0), .no_update = true},
	     {488, 901, SEND(INVITE, 0)},
	     {488, 902, SEND(INVITE, 1350)},
	     {488, 1351, OVER(WAIT, ST_WHY_REFUSED)}}),
	ROW("method invite has no ladder", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{488, 900, SEND(INVITE, 1350)}, {488, 1351, OVER(WAIT, ST_WHY_REFUSED)}}),
	ROW("method update has no INVITE", {POLICY, .method = ST_CHOOSE_UPDATE}, 1800, UPDATE,
	    {{0, 932, OVER(END, ST_WHY_SILENT)}}),
	ROW("trunk without INVITE", {POLICY, .no_invite = true}, 1800, UPDATE,
	    {{0, 932, OVER(END, ST_WHY_SILENT)}}),

	// the end (ST-71, P15)
	ROW("st71 p15 silence", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{0, 932, OVER(END, ST_WHY_SILENT)}}),
	ROW("st71 p15 408", {POLICY}, 1800, INVITE, {{408, 901, OVER(END, ST_WHY_SILENT)}}),
	ROW("st71 p15 dl03 481", {POLICY}, 1800, INVITE, {{481, 901, OVER(END, ST_WHY_GONE)}}),
	ROW("p15 silence by both", {POLICY}, 1800, UPDATE,
	    {{0, 932, SEND(INVITE, 0)}, {0, 964, OVER(END, ST_WHY_SILENT)}}),
	ROW("p15 481 by both", {POLICY}, 1800, UPDATE,
	    {{481, 900, SEND(INVITE, 0)}, {481, 901, OVER(END, ST_WHY_GONE)}}),
	ROW("p15 408 by both", {POLICY}, 1800, UPDATE,
	    {{408, 900, SEND(INVITE, 0)}, {408, 901, OVER(END, ST_WHY_SILENT)}}),
	ROW("p15 no time for another", {POLICY}, 1800, UPDATE,
	    {{0, 1765, OVER(END, ST_WHY_SILENT)}}),
	ROW("se 90: what time there is", {POLICY}, 90, UPDATE,
	    {{0, 50, SEND(INVITE, 0)}, {0, 82, OVER(END, ST_WHY_SILENT)}}),

	// harmless errors (P14)
	ROW("p14 503 Retry-After", {POLICY}, 1800, INVITE,
	    {{503, 900, SEND(INVITE, 905), .retry_after = 5}, {200, 906, OVER(DONE, 0)}}),
	ROW("p14 st73 503 for ever", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{503, 900, SEND(INVITE, 905), .retry_after = 5},
	     {503, 905, SEND(INVITE, 910), .retry_after = 5},
	     {503, 910, SEND(INVITE, 915), .retry_after = 5},
	     {503, 915, SEND(INVITE, 1350), .retry_after = 5},
	     {503, 1350, OVER(WAIT, ST_WHY_REFUSED), .retry_after = 5}}),
	ROW("p14 503 asks for too much", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{503, 900, SEND(INVITE, 1350), .retry_after = 3600}}),
	ROW("p14 503", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{503, 900, SEND(INVITE, 1350)}, {200, 1351, OVER(DONE, 0)}}),
	ROW("p14 500 to INVITE", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{500, 900, SEND(INVITE, 1350)}, {500, 1351, OVER(WAIT, ST_WHY_REFUSED)}}),
	ROW("p14 500 Retry-After 30: not glare", {POLICY}, 1800, INVITE,
	    {{500, 900, SEND(INVITE, 930), .retry_after = 30}}),
	ROW("p14 403", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{403, 900, SEND(INVITE, 1350)}, {403, 1351, OVER(WAIT, ST_WHY_REFUSED)}}),
	ROW("p14 403 to UPDATE: later by INVITE", {POLICY}, 1800, UPDATE,
	    {{403, 900, SEND(INVITE, 1350)}}),
	ROW("p14 486", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{486, 900, SEND(INVITE, 1350)}}),
	ROW("p14 302", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{302, 900, SEND(INVITE, 1350)}}),
	ROW("p14 603", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{603, 900, SEND(INVITE, 1350)}}),
	ROW("p14 after 3/4: half-way to the end", {POLICY, .method = ST_CHOOSE_INVITE}, 1800,
	    INVITE, {{403, 1400, SEND(INVITE, 1584)}}),
	ROW("p14 se 90", {POLICY, .method = ST_CHOOSE_INVITE}, 90, INVITE,
	    {{403, 45, SEND(INVITE, 52.5)}, {403, 53, OVER(WAIT, ST_WHY_REFUSED)}}),
	ROW("p14 after the deadline", {POLICY, .method = ST_CHOOSE_INVITE}, 90, INVITE,
	    {{403, 61, OVER(WAIT, ST_WHY_REFUSED)}}),
	ROW("p14 404 by rfc4028", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{404, 900, SEND(INVITE, 1350)}, {404, 1351, OVER(WAIT, ST_WHY_REFUSED)}}),
	ROW("p14 404 by rfc5057", {POLICY, .failure_policy = ST_FAILURE_RFC5057}, 1800, INVITE,
	    {{404, 900, SEND(UPDATE, 0)}, {404, 901, OVER(END, ST_WHY_GONE)}}),
	ROW("p14 604 by rfc5057, the other method works",
	    {POLICY, .failure_policy = ST_FAILURE_RFC5057}, 1800, UPDATE,
	    {{604, 900, SEND(INVITE, 0)}, {200, 901, OVER(DONE, 0)}}),
	ROW("p14 502 by rfc5057, no other method",
	    {POLICY, .failure_policy = ST_FAILURE_RFC5057, .method = ST_CHOOSE_INVITE}, 1800,
	    INVITE, {{502, 900, OVER(END, ST_WHY_GONE)}}),
	ROW("p14 403 by rfc5057 is harmless",
	    {POLICY, .failure_policy = ST_FAILURE_RFC5057, .method = ST_CHOOSE_INVITE}, 1800,
	    INVITE, {{403, 900, SEND(INVITE, 1350)}}),

	// glare (P13)
	ROW("p13 491", {POLICY}, 1800, INVITE,
	    {{491, 900, SEND(INVITE, 902.1), .glare = true}, {200, 903, OVER(DONE, 0)}}),
	ROW("p13 500 Retry-After", {POLICY}, 1800, INVITE,
	    {{500, 900, SEND(INVITE, 907), .glare = true, .retry_after = 7}}),
	ROW("p13 the peer's request did it", {POLICY}, 1800, INVITE,
	    {{491, 900, OVER(DONE, 0), .crossed = true}}),
	ROW("p13 st73 again and again", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{491, 900, SEND(INVITE, 902.1), .glare = true},
	     {491, 903, SEND(INVITE, 905.1), .glare = true},
	     {491, 906, SEND(INVITE, 908.1), .glare = true},
	     {491, 909, SEND(INVITE, 911.1), .glare = true},
	     {491, 912, SEND(INVITE, 916.2), .glare = true},
	     {491, 917, SEND(INVITE, 925.4), .glare = true}}),
	ROW("p13 at last by UPDATE, which crosses nothing", {POLICY}, 1800, INVITE,
	    {{491, 900, SEND(INVITE, 902.1), .glare = true},
	     {491, 903, SEND(INVITE, 905.1), .glare = true},
	     {491, 906, SEND(INVITE, 908.1), .glare = true},
	     {491, 909, SEND(INVITE, 911.1), .glare = true},
	     {491, 912, SEND(UPDATE, 916.2), .glare = true}}),
	ROW("p13 close to the deadline", {POLICY}, 1800, INVITE,
	    {{491, 1765, SEND(INVITE, 1766.5), .glare = true}}),
	ROW("p13 too close", {POLICY}, 1800, INVITE,
	    {{491, 1767.5, OVER(WAIT, ST_WHY_GLARE), .glare = true}}),
	ROW("silence, but the peer refreshed", {POLICY}, 1800, INVITE,
	    {{0, 932, OVER(DONE, 0), .crossed = true}}),
	ROW("481 although it refreshed", {POLICY}, 1800, INVITE,
	    {{481, 900, OVER(END, ST_WHY_GONE), .crossed = true}}),

	// challenges (P16), intervals (P6)
	ROW("p16 401", {POLICY}, 1800, INVITE,
	    {{401, 900, SEND(INVITE, 0)}, {200, 901, OVER(DONE, 0)}}),
	ROW("p16 407, stale, then no loop", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{407, 900, SEND(INVITE, 0)},
	     {407, 901, SEND(INVITE, 0)},
	     {407, 902, SEND(INVITE, 1350)},
	     {407, 1351, OVER(WAIT, ST_WHY_AUTH)}}),
	ROW("p16 no credentials", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{401, 900, SEND(INVITE, 1350)}, {401, 1351, OVER(WAIT, ST_WHY_AUTH)}},
	    .no_credentials = true),
	ROW("st70 p06 422", {POLICY}, 1800, UPDATE,
	    {{422, 900, SEND(UPDATE, 0)}, {200, 901, OVER(DONE, 0)}}),
	ROW("p06 422 for ever", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{422, 900, SEND(INVITE, 0)},
	     {422, 901, SEND(INVITE, 0)},
	     {422, 902, SEND(INVITE, 0)},
	     {422, 903, SEND(INVITE, 0)},
	     {422, 904, SEND(INVITE, 1350)},
	     {422, 1351, OVER(WAIT, ST_WHY_INTERVAL)}}),
	ROW("p06 422, nothing to raise", {POLICY, .method = ST_CHOOSE_INVITE}, 1800, INVITE,
	    {{422, 900, SEND(INVITE, 1350)}}, .cannot_raise = true),
	ROW("the timer is gone", {POLICY}, 0, INVITE, {{500, 900, OVER(DONE, 0)}}),
};

static tick_t at_second(double s)
{
	return TICK_S(10) + (tick_t)(s * 1000000);
}

static void run_attempt(const struct run *run, unsigned n, struct st_refresh *refresh,
			enum st_method *method)
{
	const struct attempt *a = &run->attempts[n];
	const struct st_leg leg = LEG(run->se);
	const struct st_result result = {
		.code = (uint16_t)a->code,
		.method = (uint8_t)*method,
		.has_retry_after = a->retry_after != 0,
		.retry_after_s = a->retry_after,
		.crossed = a->crossed,
		.call_id_owner = true,
		.has_sdp = !run->no_sdp,
		.can_auth = !run->no_credentials,
		.can_raise = !run->cannot_raise,
	};
	tick_t now = at_second(a->now), at = a->at != 0 ? at_second(a->at) : now;
	struct st_next_step s = st_outcome(&run->policy, &leg, refresh, &result, now);

	if (s.what != a->what || s.method != a->method || s.why != a->why || s.glare != a->glare ||
	    s.no_update != a->no_update)
		fail_msg("%s, attempt %u: what %u method %u why %s glare %u no_update %u",
			 run->shows, n + 1, s.what, s.method, st_why_word((enum st_why)s.why),
			 s.glare, s.no_update);
	if (s.what == ST_SEND && s.at != at)
		fail_msg("%s, attempt %u: at %f", run->shows, n + 1,
			 ((double)s.at - (double)TICK_S(10)) / 1e6);
	*method = (enum st_method)s.method;
}

static void st_outcome_runs(void **)
{
	for (size_t i = 0; i < COUNT(runs); i++) {
		struct st_refresh refresh = {0};
		enum st_method method = runs[i].first;

		for (unsigned n = 0; n < COUNT(runs[i].attempts) && runs[i].attempts[n].now != 0;
		     n++)
			run_attempt(&runs[i], n, &refresh, &method);
	}
}

// Whatever a peer answers: the attempts of one refresh are few, each is sent in time, and the call
// is ended only where nothing was answered or the dialog was said to be gone.
static void st_outcome_is_bounded(void **)
{
	static const uint16_t codes[] = {0,   300, 400, 401, 403, 404, 405, 407, 408, 422,
					 480, 481, 488, 491, 500, 501, 503, 600, 699};
	uint64_t r = 42;

	for (unsigned run = 0; run < 200000; run++) {
		struct st_policy policy = {POLICY, .method = run % 3, .failure_policy = run / 3 % 2,
					   .no_update = run % 7 == 0, .no_invite = run % 11 == 0};
		struct st_leg leg = LEG(run % 2 ? 90 : 1800);
		struct st_refresh refresh = {0};
		tick_t now = leg.last_ok_tk + TICK_MS(500) * leg.se_s,
		       deadline = st_deadline(&policy, &leg);
		unsigned attempts = 1, glares = 0, fixed = run % 5 == 0 ? 1 + (run / 5) % 18 : 0;
		struct st_result result = {.has_sdp = run % 13 != 0};

		result.method = (uint8_t)st_first_method(&policy, &leg, result.has_sdp);
		for (;;) {
			r = r * 6364136223846793005u + 1442695040888963407u;
			result.code = codes[fixed != 0 ? fixed : (r >> 33) % COUNT(codes)];
			result.random = (uint32_t)(r >> 32);
			result.has_retry_after = (r >> 40) % 2;
			result.retry_after_s = (uint32_t)(r >> 45) % 20;
			result.can_auth = (r >> 50) % 2;
			result.can_raise = (r >> 51) % 2;
			result.call_id_owner = (r >> 52) % 2;
			now += result.code == 0 ? TICK_S(32) : TICK_MS(20 + (r >> 55) % 100);

			struct st_next_step s = st_outcome(&policy, &leg, &refresh, &result, now);

			glares += s.glare;
			if (s.what != ST_SEND) {
				assert_true(s.what == ST_WAIT || result.code == 0 ||
					    result.code == 408 || result.code == 481 ||
					    (result.code == 404 && policy.failure_policy));
				assert_int_not_equal(s.why, ST_WHY_NONE);
				break;
			}
			assert_true(s.at >= now && s.at + TICK_S(1) < deadline);
			assert_in_range(s.method, 0, ST_METHOD_N - 1);
			now = s.at;
			result.method = s.method;
			assert_in_range(++attempts - glares, 1, 24);
			assert_in_range(glares, 0, 64);
		}
	}
}

static void st_backs_off(void **) // dl08
{
	tick_t least[2] = {TICK_NEVER, TICK_NEVER}, most[2] = {0, 0};

	for (uint32_t random = 0; random < 10000; random++)
		for (unsigned owner = 0; owner < 2; owner++) {
			tick_t t = st_glare_backoff(owner != 0, random);

			assert_int_equal(t % TICK_MS(10), 0);
			least[owner] = t < least[owner] ? t : least[owner];
			most[owner] = t > most[owner] ? t : most[owner];
		}
	assert_int_equal(least[0], 0);
	assert_int_equal(most[0], TICK_MS(2000));
	assert_int_equal(least[1], TICK_MS(2100));
	assert_int_equal(most[1], TICK_MS(4000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(st_chooses_first_method),
		cmocka_unit_test(st_outcome_runs),
		cmocka_unit_test(st_outcome_is_bounded),
		cmocka_unit_test(st_backs_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
