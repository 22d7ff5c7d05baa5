// SPDX-License-Identifier: BSD-3-Clause
// Route sets, request addressing and text blocks of dialogs (RFC 3261 s12).
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dialog/dialog.h"
#include "dialog/leg_text.h"

static void routes_of_record_route(void **)
{
	static const struct {
		const char *shows, *record_route;
		bool reverse;
		int rc;
		const char *routes;
	} rows[] = {
		{"none", "", false, 0, ""},
		{"UAS keeps the order",
		 "Record-Route: <sip:a;lr>, <sip:b;lr>\r\nRecord-Route: <sip:c;lr>\r\n", false, 0,
		 "Route: <sip:a;lr>\r\nRoute: <sip:b;lr>\r\nRoute: <sip:c;lr>\r\n"},
		{"UAC turns it round",
		 "Record-Route: <sip:a;lr>, <sip:b;lr>\r\nRecord-Route: <sip:c;lr>\r\n", true, 0,
		 "Route: <sip:c;lr>\r\nRoute: <sip:b;lr>\r\nRoute: <sip:a;lr>\r\n"},
		{"header parameters stay", "Record-Route: \"x, y\" <sip:a;lr>;p=1\r\n", true, 0,
		 "Route: \"x, y\" <sip:a;lr>;p=1\r\n"},
		{"no name-addr: refused", "Record-Route: <sip:a\r\n", false, -EBADMSG, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512], room[512];
		struct sip_msg m;
		struct outbuf o = outbuf_of(room, sizeof(room));
		int n = snprintf(text, sizeof(text), "OPTIONS sip:x SIP/2.0\r\n%s\r\n",
				 rows[i].record_route);

		assert_int_equal(sip_msg_parse(&m, slice_of(text, (size_t)n)), 0);
		assert_int_equal(dialog_put_routes(&o, &m, rows[i].reverse), rows[i].rc);
		if (rows[i].rc == 0)
			assert_true(slice_eq(outbuf_slice(&o), slice_of_str(rows[i].routes)));
	}
}

static void addressing(void **)
{
	static const struct {
		const char *shows, *target, *routes, *uri, *lines, *last, *hop;
	} rows[] = {
		{"no route", "sip:t@h", "", "sip:t@h", "", "", "sip:t@h"},
		{"loose router", "sip:t@h", "Route: <sip:a;lr>\r\nRoute: <sip:b>\r\n", "sip:t@h",
		 "Route: <sip:a;lr>\r\nRoute: <sip:b>\r\n", "", "sip:a;lr"},
		{"strict router becomes the Request-URI", "sip:t@h",
		 "Route: <sip:a>\r\nRoute: <sip:b;lr>\r\n", "sip:a", "Route: <sip:b;lr>\r\n",
		 "sip:t@h", "sip:a"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dialog_route r =
			dialog_route(slice_of_str(rows[i].target), slice_of_str(rows[i].routes));

		assert_true(slice_eq(r.request_uri, slice_of_str(rows[i].uri)));
		assert_true(slice_eq(r.lines, slice_of_str(rows[i].lines)));
		assert_true(slice_eq(r.last, slice_of_str(rows[i].last)));
		assert_true(slice_eq(r.hop, slice_of_str(rows[i].hop)));
	}
}

static void blocks_keep_their_parts(void **)
{
	static char big[UINT16_MAX];
	struct leg_text_parts parts = {0}, back;
	struct leg_text *t, *next;

	for (int i = 0; i < LEG_TEXT_N; i++)
		parts.part[i] = slice_of("0123456789", (size_t)i);
	t = malloc(leg_text_size(&parts));
	assert_non_null(t);
	(void)leg_text_build(t, &parts);
	assert_int_equal(t->size, leg_text_size(&parts));
	assert_int_equal(t->refs, 1);
	leg_text_read(t, &back);
	for (int i = 0; i < LEG_TEXT_N; i++)
		assert_true(slice_eq(back.part[i], parts.part[i]));
	back.part[LEG_TEXT_TARGET] = SLICE_LIT("sip:new");
	next = malloc(leg_text_size(&back));
	assert_non_null(next);
	(void)leg_text_build(next, &back);
	assert_true(slice_eq(leg_text_part(next, LEG_TEXT_TARGET), SLICE_LIT("sip:new")));
	assert_true(slice_eq(leg_text_part(next, LEG_TEXT_SDP), parts.part[LEG_TEXT_SDP]));
	free(t);
	free(next);
	back.part[LEG_TEXT_SDP] = slice_of(big, sizeof(big));
	assert_int_equal(leg_text_size(&back), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_of_record_route),
		cmocka_unit_test(addressing),
		cmocka_unit_test(blocks_keep_their_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
