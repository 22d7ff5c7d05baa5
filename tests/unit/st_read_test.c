// SPDX-License-Identifier: BSD-3-Clause
// What a message says about session timers: spellings (P25), garbage (P7), and what counts as what.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "guard.h"
#include "st_rows.h"

static void st_reads(void **)
{
	static const struct {
		const char *shows, *headers;
		struct st_seen seen;
	} rows[] = {
		{"nothing", "", {0}},
		{"st05 plain", "Session-Expires: 1800\r\n", {SE(1800)}},
		{"st05 uac",
		 "Session-Expires: 1800;refresher=uac\r\n",
		 {SE(1800), .refresher = UAC}},
		{"st05 uas",
		 "Session-Expires: 1800;refresher=uas\r\n",
		 {SE(1800), .refresher = UAS}},
		{"p25 compact, case, blanks, more parameters",
		 "x : 1800 ; foo=\"a;b\" ; Refresher = UAC ;bar\r\n",
		 {SE(1800), .refresher = UAC}},
		{"p25 case, tab", "SESSION-EXPIRES:\t1800\t\r\n", {SE(1800)}},
		{"p25 folded",
		 "Session-Expires:\r\n 1800\r\n ;refresher=uas\r\n",
		 {SE(1800), .refresher = UAS}},
		{"p25 leading zeros", "Session-Expires: 0001800\r\n", {SE(1800)}},
		{"st01 2^31", "Session-Expires: 2147483648\r\n", {SE(1u << 31)}},
		{"st01 2^32 - 1", "Session-Expires: 4294967295\r\n", {SE(UINT32_MAX)}},
		{"p07 2^32", "Session-Expires: 4294967296\r\n", {.bad = true}},
		{"p07 0", "Session-Expires: 0\r\n", {SE(0), .bad = true}},
		{"p07 60", "Session-Expires: 60\r\n", {SE(60), .bad = true}},
		{"p07 negative", "Session-Expires: -1\r\n", {.bad = true}},
		{"p07 word", "Session-Expires: never\r\n", {.bad = true}},
		{"p07 empty", "Session-Expires:\r\n", {.bad = true}},
		{"p07 fraction", "Session-Expires: 1800.5\r\n", {.bad = true}},
		{"p07 two that say the same", "Session-Expires: 1800\r\nx: 1800\r\n", {SE(1800)}},
		{"p07 two that do not", "Session-Expires: 1800\r\nx: 90\r\n", {.bad = true}},
		{"unknown refresher",
		 "Session-Expires: 1800;refresher=me\r\n",
		 {SE(1800), .bad = true}},
		{"st08 Min-SE", "Min-SE: 300;x=1\r\n", {MINSE(300)}},
		{"st06 Min-SE below 90", "Min-SE: 10\r\n", {MINSE(90), .bad = true}},
		{"p07 Min-SE 2^32", "Min-SE: 4294967296\r\n", {.bad = true}},
		{"p07 Min-SE garbage", "Min-SE: x\r\n", {.bad = true}},
		{"p07 SE < Min-SE",
		 "Session-Expires: 1800\r\nMin-SE: 3600\r\n",
		 {SE(1800), MINSE(3600), .bad = true}},
		{"st11 Supported", "Supported: timer\r\n", {TIMER}},
		{"p25 compact list", "k: 100rel , TIMER\r\n", {TIMER}},
		{"p25 Supported twice", "Supported: 100rel\r\nSupported: timer\r\n", {TIMER}},
		{"st54 Require", "Require: 100rel,timer\r\n", {.required = true}},
		{"Proxy-Require is not for us", "Proxy-Require: timer\r\n", {0}},
		{"not timer", "Supported: timers, xtimer\r\n", {0}},
		{"dl17 Allow",
		 "Allow: INVITE, UPDATE\r\n",
		 {.has_allow = true, .allow = SIP_METHOD_BIT(INVITE) | SIP_METHOD_BIT(UPDATE)}},
		{"dl17 empty Allow", "Allow:\r\n", {.has_allow = true}},
		{"ntt ngn",
		 "k: timer,100rel\r\nx: 300;refresher=uac\r\nMin-SE: 300\r\n",
		 {TIMER, SE(300), MINSE(300), .refresher = UAC}},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		static char text[2048];
		const struct st_seen *w = &rows[i].seen;
		struct st_seen seen;
		struct sip_msg m;

		(void)snprintf(text, sizeof(text),
			       "INVITE sip:b@x SIP/2.0\r\nTo: <sip:b@x>\r\n%sCall-ID: x\r\n\r\n",
			       rows[i].headers);
		assert_int_equal(sip_msg_parse(&m, guard_str(0, text)), 0);
		st_read(&seen, &m);
		if (seen.has_se != w->has_se || seen.se_s != w->se_s ||
		    seen.min_se_s != w->min_se_s || seen.refresher != w->refresher ||
		    seen.supported != w->supported || seen.required != w->required ||
		    seen.has_allow != w->has_allow || seen.allow != w->allow || seen.bad != w->bad)
			fail_msg("%s: SE %u %u Min-SE %u refresher %u supported %u required %u "
				 "allow %x bad %u",
				 rows[i].shows, seen.has_se, seen.se_s, seen.min_se_s,
				 seen.refresher, seen.supported, seen.required, seen.allow,
				 seen.bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(st_reads)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
