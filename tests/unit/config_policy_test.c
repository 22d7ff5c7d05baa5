// SPDX-License-Identifier: BSD-3-Clause
// The preview of --check: its lines for profiles that differ.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include "config/config_load.h"
#include "config/config_policy.h"

static char *preview(const char *timer, const char *more)
{
	static char out[65536];
	char text[1024];
	struct outbuf o = outbuf_of(out, sizeof(out) - 1);
	struct config_errors errors = {0};
	struct config *c;

	snprintf(text, sizeof(text),
		 "ports: { a: { device: x, addresses: [10.0.0.1/24] } }\n"
		 "profiles: { default: { session_timer: { %s } }%s }\n"
		 "trunks: { t: { port: a, peers: [10.0.0.2] } }\n"
		 "routes: [ { to: t } ]\n",
		 timer, more);
	assert_int_equal(config_load_text(&c, slice_of_str(text), "x", NULL, NULL, &errors), 0);
	assert_int_equal(config_policy_preview(&o, c), 0);
	out[o.len] = 0;
	o = outbuf_of(out, 100);
	char keep = out[100];
	assert_int_equal(config_policy_preview(&o, c), -ENOSPC);
	assert_int_equal(out[100], keep);
	o = outbuf_of(out, sizeof(out) - 1);
	assert_int_equal(config_policy_preview(&o, c), 0);
	out[o.len] = 0;
	config_free(c);
	config_errors_free(&errors);
	return out;
}

static void lines(void **)
{
	static const struct {
		const char *shows, *timer, *peer, *says;
	} rows[] = {
		{"peer refreshes", "", "timer, SE 1800 ",
		 "1800 s, the peer refreshes, else BYE at 1768 s"},
		{"margin of a third", "", "timer, SE 90 ",
		 "90 s, the peer refreshes, else BYE at 60 s"},
		{"own margin", "expiry_margin: 10", "timer, SE 1800 ", "else BYE at 1790 s"},
		{"422", "min_interval: 600", "timer, SE 90 ", "422 Min-SE 600"},
		{"422 is no call", "min_interval: 600", "timer, SE 90 ", "no call"},
		{"no 422 without timer support", "interval: 3600, min_interval: 2400",
		 "no timer support, yet SE 1800 ", "2400 s, verge refreshes"},
		{"lowered", "interval: 600", "timer, SE 1800 ", "600 s, the peer"},
		{"local", "refresher: local", "timer, SE 1800 ",
		 "verge refreshes by re-INVITE after 810 to 900 s"},
		{"UPDATE where allowed", "refresher: local", "timer, SE 1800, has UPDATE ",
		 "verge refreshes by UPDATE"},
		{"early", "refresher: local, refresh_at: 0.33, jitter: 0", "timer, SE 1800 ",
		 "after 594 to 594 s"},
		{"off", "mode: \"off\"", "timer, SE 1800 ", "no timer"},
		{"off refuses Require", "mode: \"off\"", "timer required ", "420"},
		{"required refuses", "mode: required", "no timer support ", "421"},
		{"required asks, 420", "mode: required", "no timer support (Require refused) ",
		 "420"},
		{"observe", "mode: observe", "timer, SE 1800 ", "(only observed)"},
		{"insert", "insert: false", "timer, asks for nothing ", "no timer"},
		{"422 answered", "", "422, Min-SE 3600 ", "2 INVITEs, 200     3600 s"},
		{"422 beyond max_interval", "max_interval: 1800", "422, Min-SE 3600 ",
		 "2 INVITEs, 200     no timer"},
		{"imposed timer ignored", "mode: \"off\", unasked: ignore",
		 "timer, lowers to SE 90 ", "no timer"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = preview(rows[i].timer, ""), *line = strstr(text, rows[i].peer);
		char one[200];

		if (line == NULL)
			fail_msg("%s: no line %s in\n%s", rows[i].shows, rows[i].peer, text);
		snprintf(one, sizeof(one), "%.*s", (int)strcspn(line, "\n"), line);
		if (strstr(one, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].shows, one);
	}
}

static void pairs(void **)
{
	const char *text = preview("insert: false", ", unused: { }");

	assert_non_null(strstr(text, "  default -> default, both peers have timers\n"));
	assert_non_null(strstr(
		text, "the caller has none\n    ingress leg: 200, no timer\n    egress leg:  200, "
		      "no timer\n"));
	assert_null(strstr(text, "unused"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(pairs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
