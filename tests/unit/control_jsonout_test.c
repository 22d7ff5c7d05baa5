// SPDX-License-Identifier: BSD-3-Clause
// control/jsonout: every byte string becomes a valid JSON string that an independent parser reads
// back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "control/jsonout.h"

static const struct {
	const char *shows;
	const char *in;
	uint32_t len;
	const char *out;
} rows[] = {
	{"plain", "abc", 3, "\"abc\""},
	{"empty", "", 0, "\"\""},
	{"quote and backslash", "a\"b\\c", 5, "\"a\\\"b\\\\c\""},
	{"line ends", "a\r\nb", 4, "\"a\\u000d\\u000ab\""},
	{"NUL", "a\0b", 3, "\"a\\u0000b\""},
	{"UTF-8 passes", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
	 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
	{"Latin-1 byte", "\xe9", 1, "\"\\u00e9\""},
	{"overlong slash", "\xc0\xaf", 2, "\"\\u00c0\\u00af\""},
	{"overlong of three", "\xe0\x80\xaf", 3, "\"\\u00e0\\u0080\\u00af\""},
	{"surrogate", "\xed\xa0\x80", 3, "\"\\u00ed\\u00a0\\u0080\""},
	{"beyond U+10FFFF", "\xf4\x90\x80\x80", 4, "\"\\u00f4\\u0090\\u0080\\u0080\""},
	{"cut sequence", "x\xe2\x82", 3, "\"x\\u00e2\\u0082\""},
	{"lone continuation", "\x80", 1, "\"\\u0080\""},
	{"DEL", "\x7f", 1, "\"\\u007f\""},
};

static void escapes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[256];
		struct outbuf o = outbuf_of(text, sizeof(text));

		jsonout_put_string(&o, slice_of(rows[i].in, rows[i].len));
		if (o.full || o.len != strlen(rows[i].out) || memcmp(text, rows[i].out, o.len) != 0)
			fail_msg("%s: got %.*s", rows[i].shows, (int)o.len, text);
	}
}

static void random_bytes_are_valid(void **state)
{
	uint32_t seed = 3;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint8_t in[24];
		char text[512];
		struct outbuf o = outbuf_of(text, sizeof(text));
		json_error_t error;
		json_t *value;

		for (size_t i = 0; i < sizeof(in); i++) {
			seed = seed * 1664525 + 1013904223;
			in[i] = (uint8_t)(seed >> 23);
		}
		jsonout_put_string(&o, slice_of(in, sizeof(in)));
		assert_false(o.full);
		value = json_loadb(text, o.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
		if (value == NULL)
			fail_msg("%s in %.*s", error.text, (int)o.len, text);
		json_decref(value);
	}
}

static void separates(void **state)
{
	char text[256];
	struct outbuf o = outbuf_of(text, sizeof(text));
	const char *want =
		"{\"a\":1,\"b\":[{\"c\":null},{}],\"d\":\"{\",\"e\":true,\"f\":1.002,\"g\":null}";

	(void)state;
	jsonout_open(&o, NULL, '{');
	jsonout_u64(&o, "a", 1);
	jsonout_open(&o, "b", '[');
	jsonout_open(&o, NULL, '{');
	jsonout_null(&o, "c");
	jsonout_close(&o, '}');
	jsonout_open(&o, NULL, '{');
	jsonout_close(&o, '}');
	jsonout_close(&o, ']');
	jsonout_str(&o, "d", "{");
	jsonout_bool(&o, "e", true);
	jsonout_milli(&o, "f", 1002);
	jsonout_str(&o, "g", NULL);
	jsonout_close(&o, '}');
	assert_false(o.full);
	assert_int_equal(o.len, strlen(want));
	assert_memory_equal(text, want, o.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes),
		cmocka_unit_test(random_bytes_are_valid),
		cmocka_unit_test(separates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
