// SPDX-License-Identifier: BSD-3-Clause
// The page for people: what it shows of a shell with three trunks, an hour of history, what is due
// and who is at risk; nothing of what a peer or a trunk's name says is markup. Usage: page_test
// [FILE], which gets the page to look at.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/page.h"
#include "served.h"
#include "session_timer/session_timer.h"

static struct history history;
static char text[1 << 20];
static const char *file;

static const char *page(void)
{
	struct body *b = page_body_new(&served.view, &history, "0123");
	size_t len = 0;
	ssize_t n;

	assert_non_null(b);
	while ((n = body_take(b, text + len, 700)) > 0) {
		len += (size_t)n;
		assert_true(len < sizeof(text) - 1000);
	}
	assert_int_equal(n, 0);
	text[len] = 0;
	body_free(b);
	return text;
}

static void expect(const char *shows, const char *got, const char *const *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(got, wanted[i]) == NULL)
			fail_msg("%s: no \"%s\" in\n%s", shows, wanted[i], got);
}
#define EXPECT(shows, got, list) expect(shows, got, list, sizeof(list) / sizeof((list)[0]))

static int start(void **)
{
	memset(&history, 0, sizeof(history));
	served_start();
	history_poll(&history, &served.view, served.now);
	return 0;
}

static int stop(void **)
{
	served_stop();
	return 0;
}

static void end_calls(enum cause cause, unsigned n, uint8_t trunk)
{
	for (unsigned i = 0; i < n; i++) {
		struct call_record r = {.call = i, .cause = (uint8_t)cause};

		r.legs[SIDE_A].trunk = trunk;
		r.legs[SIDE_B].trunk = 1;
		control_record(served.view.core, 0, &r, served.now);
	}
}

static void an_hour(void)
{
	for (unsigned minute = 0; minute < 75; minute++) {
		served.trunks[0][0].refreshes_update_sent_ok += 200 + minute % 9 * 20;
		served.trunks[1][1].refreshes_invite_received_ok += 90 + minute % 5 * 10;
		served.trunks[0][2].refreshes_update_sent_failed += minute % 13 == 0 ? 40 : 0;
		served.trunks[0][0].calls_in_answered += 500;
		end_calls(CAUSE_NORMAL, 5, 0);
		served.now += TICK_S(60);
		history_poll(&history, &served.view, served.now);
	}
	end_calls(CAUSE_REFRESH_FAILURE, 3, 0);
	end_calls(CAUSE_SESSION_EXPIRED, 2, 1);
	end_calls(CAUSE_NO_ROUTE, 7, 1);
}

// Calls of both kinds, some of them overdue.
static void watched(void)
{
	char id[64];

	for (uint32_t i = 0; i < SERVED_CALLS; i++) {
		struct call_view *c = &served.calls[0][i];

		snprintf(id, sizeof(id), i % 97 ? "call-%u@host" : "<script>alert(%u)</script>", i);
		served_put_call(0, i, id, "b");
		for (unsigned side = 0; side < 2; side++) {
			struct leg_view *leg = &c->legs[side];

			leg->last_refresh_ok_tk = served.now - TICK_S(i % 97 ? i % 850 : 1500);
			leg->refresh_tk = leg->last_refresh_ok_tk + TICK_S(880);
			leg->expiry_tk = leg->last_refresh_ok_tk + TICK_S(1800);
		}
		control_watch(served.view.core, c, served.now);
	}
	control_watched(served.view.core);
}

static void empty(void **)
{
	static const char *const wanted[] = {
		"<title>verge</title>",
		"no refresh is overdue",
		"No call has ended yet",
		"<script nonce=\"0123\">",
		"<style nonce=\"0123\">",
		"</html>",
		"Refreshes of the last hour<small>nothing",
		"up 1 h 0 min",
	};

	EXPECT("empty", page(), wanted);
}

static void full(void **)
{
	static const char *const wanted[] = {
		"<strong>1,234</strong><p>of 100,000</p>",
		"<strong>45,678</strong>",
		"Refreshes of the last hour<small>peak ",
		"<title>59 min ago, ",
		"Timers due in the next hour<small>peak ",
		"<title>in 3 min, verge will refresh",
		"session_expired",
		"The peer, which had to refresh the session, did not do so in ... s.",
		"Refresh Failure: the peer did not answer the session refresh.",
		"\"Last hour\">3</td>",
		"\"Since start\">375</td>",
		"\"Last hour\">295</td>",
		"<span class=\"dot warn\"></span>8068",
		"1 of 2",
		"observed",
		"&lt;script&gt;alert(97)&lt;/script&gt;",
		"Min-SE 900",
		"worker 1",
		"62.5 %",
		"<p>of 300 calls that ended</p>",
	};
	struct event e = {.type = EVENT_ANSWERED};
	FILE *out;

	served.workers[0].calls = 1234;
	served.workers[1].busy_us = 625000;
	served.workers[1].idle_us = 375000;
	served.trunks[0][0].legs_up = 45678;
	served.live[0].peers_down = 2;
	an_hour();
	served.workers[1].busy_us += 625000;
	served.workers[1].idle_us += 375000;
	served.now += TICK_S(5);
	history_poll(&history, &served.view, served.now);
	e.answered.trunk[SIDE_B] = 1;
	e.answered.timer[SIDE_B] = (struct msg_timer){.se_s = 1800, .min_se_s = 900};
	for (unsigned i = 0; i < 12; i++) {
		e.call = i;
		control_event(served.view.core, 0, &e, served.now);
	}
	watched();
	page();
	if (file != NULL && (out = fopen(file, "w")) != NULL) {
		fputs(text, out);
		fclose(out);
	}
	EXPECT("full", text, wanted);
	assert_null(strstr(text, "<script>alert"));
	assert_null(strstr(text, "{leg}"));
	assert_null(strstr(text, "{se}"));
}

// Rows of the list, soonest end first, never more than it holds.
static void the_nearest_come_first(void **)
{
	const struct control_risk *list;
	struct control_due due;
	uint32_t local = 0, remote = 0;
	unsigned n;

	for (unsigned i = 0; i < 200; i++) {
		struct call_view *c = &served.calls[0][i];

		served_put_call(0, i, "a", "b");
		for (unsigned side = 0; side < 2; side++) {
			c->legs[side].last_refresh_ok_tk = served.now - TICK_S(1000);
			c->legs[side].expiry_tk = served.now + TICK_S(100 + i * 37 % 200);
			c->legs[side].refresh_tk = served.now + TICK_S(i * 20);
		}
		control_watch(served.view.core, c, served.now);
	}
	control_watched(served.view.core);
	n = control_risks(served.view.core, &list);
	assert_int_equal(n, CONTROL_RISKS);
	for (unsigned i = 1; i < n; i++)
		assert_true(list[i - 1].deadline_tk <= list[i].deadline_tk);
	assert_true(list[0].deadline_tk <= served.now + TICK_S(100));
	control_due(served.view.core, served.now, &due);
	for (unsigned i = 0; i < CONTROL_DUE_MINUTES; i++) {
		local += due.local[i];
		remote += due.remote[i];
	}
	assert_int_equal(due.remote[0], 200); // overdue counts as now
	assert_int_equal(remote, 200);
	assert_int_equal(due.local[1], 3); // at 60, 80 and 100 s
	assert_int_equal(local, 180);	   // the other 20 come later than in an hour
	control_due(served.view.core, served.now + TICK_S(125), &due);
	assert_int_equal(due.local[0], 9);
	control_watched(served.view.core); // a round that saw no call
	assert_int_equal(control_risks(served.view.core, &list), 0);
}

static void history_forgets_after_an_hour(void **)
{
	struct history_totals sum;

	served.trunks[0][0].refreshes_update_sent_ok = 1000;
	served.now += TICK_S(60);
	history_poll(&history, &served.view, served.now);
	history_sum(&history, &sum);
	assert_int_equal(sum.sent, 1000);
	assert_int_equal(history_minute(&history, 1)->sent, 1000);
	assert_null(history_minute(&history, 2));
	for (unsigned i = 0; i < 58; i++) {
		served.now += TICK_S(60);
		history_poll(&history, &served.view, served.now);
	}
	history_sum(&history, &sum);
	assert_int_equal(sum.sent, 1000);
	served.now += TICK_S(60);
	history_poll(&history, &served.view, served.now);
	history_sum(&history, &sum);
	assert_int_equal(sum.sent, 0);
	assert_null(history_minute(&history, 60));
	// a machine that slept for a day: nothing is older than an hour, and the next minute is
	// ahead
	served.trunks[0][0].refreshes_update_sent_ok += 7;
	served.now += TICK_S(86400);
	history_poll(&history, &served.view, served.now);
	assert_true(history_next(&history) > served.now);
	assert_non_null(history_minute(&history, 59));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(empty, start, stop),
		cmocka_unit_test_setup_teardown(full, start, stop),
		cmocka_unit_test_setup_teardown(the_nearest_come_first, start, stop),
		cmocka_unit_test_setup_teardown(history_forgets_after_an_hour, start, stop),
	};

	file = argc > 1 ? argv[1] : NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
