// SPDX-License-Identifier: BSD-3-Clause
// Spans of character classes: sixteen at a time and one at a time agree, for every byte at every
// place, the input ending at a guard page and in the middle of one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
				assert_int_equal(sip_chars_token_span(inner),
						 sip_chars_span(s, SIP_CHARS_TOKEN));
				assert_int_equal(sip_chars_value_span(inner), slow_value_span(s));
			}
	assert_int_equal(sip_chars_token_span(SLICE_NONE), 0);
	assert_int_equal(sip_chars_value_span(SLICE_NONE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(spans_agree)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
