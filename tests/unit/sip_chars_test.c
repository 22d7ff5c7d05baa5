// SPDX-License-Identifier: BSD-3-Clause
// Spans of character classes: sixteen at a time and one at a time agree, for every byte at every
// place, the input ending at a guard page and in the middle of one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "guard.h"
#include "sip/chars.h"

static uint32_t slow_value_span(struct slice s)
{
	uint32_t n = 0;

	while (n < s.len && s.p[n] > ' ' && strchr(";,\"", s.p[n]) == NULL)
		n++;
	return n;
}

static uint32_t slow_uri_span(struct slice s)
{
	uint32_t n = 0;

	while (n < s.len && s.p[n] > ' ' && strchr("<>\"%\x7f", s.p[n]) == NULL)
		n++;
	return n;
}

static uint32_t slow_bracket_span(struct slice s)
{
	uint32_t n = 0;

	while (n < s.len && memchr("<>;\"", s.p[n], 4) == NULL)
		n++;
	return n;
}

// By the letter: three dots, four numbers as printf writes them, no host character behind.
static uint32_t slow_quad_span(struct slice s)
{
	char text[64], again[64];
	unsigned a, b, c, d;
	int n = 0;

	memcpy(text, s.p, s.len);
	text[s.len] = 0;
	if (sscanf(text, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &n) != 4 || a > 255 || b > 255 ||
	    c > 255 || d > 255)
		return 0;
	snprintf(again, sizeof(again), "%u.%u.%u.%u", a, b, c, d);
	if ((size_t)n != strlen(again) || memcmp(text, again, (size_t)n) != 0)
		return 0;
	return (uint32_t)n < s.len && sip_chars_is(s.p[n], SIP_CHARS_HOST) ? 0 : (uint32_t)n;
}

static void quads_agree(void **)
{
	static const char *const hosts[] = {
		"1.2.3.4",
		"192.0.2.17",
		"255.255.255.255",
		"0.0.0.0",
		"256.1.1.1",
		"1.1.1.256",
		"249.250.199.209",
		"10.0.0.1:5060",
		"10.0.0.1;rport",
		"10.0.0.1.",
		"10.0.0.1.5",
		"10.0.0.1a",
		"10.0.0.1-x",
		"10.0.0.1_",
		"10.0.0",
		"10..0.1",
		".10.0.0.1",
		"01.2.3.4",
		"1.2.3.04",
		"1.00.3.4",
		"1000.1.1.1",
		"1.2.3.1000",
		"300.1.1.1",
		"1.260.1.1",
		"99.99.99.99>",
		"200.200.200.200",
		"255.255.255.2555",
		"a.b.c.d",
		"255.255.255.255x",
		"1.2.3.4 ",
		"",
		"1",
	};
	static const char letters[] = "0123459.:a";
	uint32_t seed = 1, found = 0;
	char text[20];

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct slice s = guard_str(0, hosts[i]);

		if (sip_chars_quad_span(s) != slow_quad_span(s))
			fail_msg("%s: %u", hosts[i], sip_chars_quad_span(s));
	}
	for (unsigned i = 0; i < 300000; i++) {
		uint32_t len = 0;
		struct slice s;

		for (unsigned k = 0; k < 4 && len < 14; k++) { // numbers, mostly good ones
			for (unsigned n = (seed = seed * 1664525 + 1013904223) >> 30; n > 0; n--)
				text[len++] = letters[(seed >> (8 + 4 * n)) % 10];
			text[len++] = k < 3 || (seed >> 5 & 7) == 0 ? '.' : ';';
		}
		s = guard_copy(0, slice_of(text, len - (seed >> 4 & 1)));
		found += sip_chars_quad_span(s) != 0;
		if (sip_chars_quad_span(s) != slow_quad_span(s))
			fail_msg("%.*s: %u", (int)s.len, text, sip_chars_quad_span(s));
	}
	assert_true(found > 1000);
}

static void check_marks(struct slice s)
{
	struct sip_chars_marks m, want = {0};

	for (uint32_t i = 0; i < s.len; i++) {
		want.at |= (uint64_t)(s.p[i] == '@') << i;
		want.colon |= (uint64_t)(s.p[i] == ':') << i;
		want.question |= (uint64_t)(s.p[i] == '?') << i;
		want.ends |= (uint64_t)(slow_uri_span(slice_of(s.p + i, 1)) == 0) << i;
	}
	sip_chars_uri_marks(s, &m);
	assert_memory_equal(&m, &want, sizeof(m));
}

static void marks_agree(void **)
{
	uint8_t text[SIP_CHARS_MARKS];

	for (uint32_t len = 0; len <= sizeof(text); len++)
		for (unsigned c = 0; c < 256; c++) {
			for (uint32_t i = 0; i < len; i++)
				text[i] = (uint8_t)(i % 7 == c % 7 ? c : i * 37 + len);
			check_marks(slice_of(text, len));
			check_marks(guard_copy(0, slice_of(text, len)));
		}
}

static void spans_agree(void **)
{
	uint8_t text[80];

	for (uint32_t len = 0; len <= 40; len++)
		for (uint32_t at = 0; at < len; at++)
			for (unsigned c = 0; c < 256; c++) {
				struct slice s, inner;

				memset(text, 'a', sizeof(text));
				text[at] = (uint8_t)c;
				s = guard_copy(0, slice_of(text, len));
				inner = slice_of(text, len);
				assert_int_equal(sip_chars_token_span(s),
						 sip_chars_span(s, SIP_CHARS_TOKEN));
				assert_int_equal(sip_chars_value_span(s), slow_value_span(s));
				assert_int_equal(sip_chars_uri_span(s), slow_uri_span(s));
				assert_int_equal(sip_chars_bracket_span(s), slow_bracket_span(s));
				assert_int_equal(sip_chars_token_span(inner),
						 sip_chars_span(s, SIP_CHARS_TOKEN));
				assert_int_equal(sip_chars_value_span(inner), slow_value_span(s));
			}
	assert_int_equal(sip_chars_token_span(SLICE_NONE), 0);
	assert_int_equal(sip_chars_value_span(SLICE_NONE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(spans_agree),
					   cmocka_unit_test(marks_agree),
					   cmocka_unit_test(quads_agree)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
