// SPDX-License-Identifier: BSD-3-Clause
// JSON writer. Strings are the wire's: everything outside plain text is escaped.
#include "control/jsonout.h"

unsigned jsonout_utf8_len(struct slice s)
{
	uint8_t c = s.len != 0 ? s.p[0] : 0;
	unsigned n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;

	if (s.len == 0 || (c >= 0x80 && c < 0xc2) || c > 0xf4 || n > s.len)
		return 0;
	for (unsigned i = 1; i < n; i++)
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
	// overlong forms, surrogates, beyond U+10FFFF
	if ((c == 0xe0 && s.p[1] < 0xa0) || (c == 0xed && s.p[1] >= 0xa0) ||
	    (c == 0xf0 && s.p[1] < 0x90) || (c == 0xf4 && s.p[1] >= 0x90))
		return 0;
	return n;
}

static void put_escape(struct outbuf *o, uint8_t c)
{
	outbuf_put_lit(o, "\\u00");
	outbuf_put_hex(o, c, 2);
}

// Bytes that stand for themselves: ASCII without controls, quote and backslash.
static const bool plain[256] = {
	[0x20 ... '"' - 1] = true,
	['"' + 1 ... '\\' - 1] = true,
	['\\' + 1 ... 0x7e] = true,
};

// How many of them are at the start: nearly always all.
static uint32_t plain_len(struct slice text)
{
	uint32_t n = 0;

	while (n < text.len && plain[text.p[n]])
		n++;
	return n;
}

void jsonout_put_string(struct outbuf *o, struct slice text)
{
	outbuf_put_char(o, '"');
	while (text.p != NULL) {
		uint32_t run = plain_len(text);
		unsigned n;
		uint8_t c;

		outbuf_put(o, text.p, run);
		text = slice_from(text, run);
		if (text.len == 0)
			break;
		n = jsonout_utf8_len(text);
		c = text.p[0];
		if (n == 2 && c == 0xc2 && text.p[1] < 0xa0) { // C1: terminals obey these too
			put_escape(o, text.p[1]);
		} else if (n == 0 || (n == 1 && (c < 0x20 || c == 0x7f))) {
			put_escape(o, c);
			n = 1;
		} else if (c == '"' || c == '\\') {
			outbuf_put_char(o, '\\');
			outbuf_put_char(o, (char)c);
		} else {
			outbuf_put(o, text.p, n);
		}
		text = slice_from(text, n);
	}
	outbuf_put_char(o, '"');
}

static void begin(struct outbuf *o, const char *key)
{
	uint8_t last = o->len != 0 ? o->p[o->len - 1] : '{';

	if (last != '{' && last != '[')
		outbuf_put_char(o, ',');
	if (key != NULL) {
		jsonout_put_string(o, slice_of_str(key));
		outbuf_put_char(o, ':');
	}
}

void jsonout_string(struct outbuf *o, const char *key, struct slice text)
{
	begin(o, key);
	jsonout_put_string(o, text);
}

void jsonout_str(struct outbuf *o, const char *key, const char *text)
{
	if (text == NULL)
		jsonout_null(o, key);
	else
		jsonout_string(o, key, slice_of_str(text));
}

void jsonout_u64(struct outbuf *o, const char *key, uint64_t value)
{
	begin(o, key);
	outbuf_put_u64(o, value);
}

void jsonout_bool(struct outbuf *o, const char *key, bool value)
{
	begin(o, key);
	outbuf_put_str(o, value ? "true" : "false");
}

void jsonout_null(struct outbuf *o, const char *key)
{
	begin(o, key);
	outbuf_put_lit(o, "null");
}

void jsonout_milli(struct outbuf *o, const char *key, uint64_t value)
{
	uint64_t rest = value % 1000;

	begin(o, key);
	outbuf_put_u64(o, value / 1000);
	outbuf_put_char(o, '.');
	outbuf_put_char(o, (char)('0' + rest / 100));
	outbuf_put_char(o, (char)('0' + rest / 10 % 10));
	outbuf_put_char(o, (char)('0' + rest % 10));
}

void jsonout_open(struct outbuf *o, const char *key, char bracket)
{
	begin(o, key);
	outbuf_put_char(o, bracket);
}

void jsonout_close(struct outbuf *o, char bracket)
{
	outbuf_put_char(o, bracket);
}
