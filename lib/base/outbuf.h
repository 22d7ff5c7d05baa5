// SPDX-License-Identifier: BSD-3-Clause
// A bounded buffer that text is appended to.
// Any thread; memory is the caller's. What does not fit is not written: `full` stays set, so a
// writer appends freely and its caller checks once at the end.
#pragma once

#include "base/slice.h"

struct outbuf {
	uint8_t *p;   // start of the memory
	uint32_t len; // bytes written
	uint32_t cap; // bytes there is room for
	bool full;    // something did not fit; the content is not usable
};

static inline struct outbuf outbuf_of(void *p, size_t cap)
{
	return (struct outbuf){(uint8_t *)p, 0, (uint32_t)cap, false};
}

static inline struct slice outbuf_slice(const struct outbuf *o)
{
	return slice_of(o->p, o->len);
}

static inline void outbuf_put(struct outbuf *o, const void *p, size_t n)
{
	if (n > o->cap - o->len) {
		o->full = true;
		return;
	}
	if (n != 0)
		memcpy(o->p + o->len, p, n);
	o->len += (uint32_t)n;
}

static inline void outbuf_put_slice(struct outbuf *o, struct slice s)
{
	outbuf_put(o, s.p, s.len);
}

#define outbuf_put_lit(o, s) outbuf_put((o), (s), sizeof(s) - 1)

static inline void outbuf_put_char(struct outbuf *o, char c)
{
	outbuf_put(o, &c, 1);
}

static inline void outbuf_put_str(struct outbuf *o, const char *s)
{
	outbuf_put(o, s, strlen(s));
}

// Decimal, no sign, no leading zeros.
static inline void outbuf_put_u64(struct outbuf *o, uint64_t v)
{
	uint8_t digits[20];
	uint32_t n = 0;

	do {
		digits[sizeof(digits) - ++n] = (uint8_t)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	outbuf_put(o, digits + sizeof(digits) - n, n);
}

// An IPv4 address, four bytes in network order, as a dotted quad.
static inline void outbuf_put_ip4(struct outbuf *o, const uint8_t ip[4])
{
	uint8_t text[16];
	uint32_t n = 0;

	for (unsigned i = 0; i < 4; i++) {
		if (ip[i] >= 100)
			text[n++] = (uint8_t)('0' + ip[i] / 100);
		if (ip[i] >= 10)
			text[n++] = (uint8_t)('0' + ip[i] / 10 % 10);
		text[n++] = (uint8_t)('0' + ip[i] % 10);
		text[n++] = '.';
	}
	outbuf_put(o, text, n - 1);
}

// Exactly `digits` lower-case hexadecimal digits, at most 16.
static inline void outbuf_put_hex(struct outbuf *o, uint64_t v, unsigned digits)
{
	uint8_t text[16];

	for (unsigned i = 0; i < digits; i++)
		text[i] = (uint8_t) "0123456789abcdef"[(v >> (4 * (digits - 1 - i))) & 15];
	outbuf_put(o, text, digits);
}
