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

// Room for n bytes at the end, which then belong to the content; NULL: there is none.
static inline uint8_t *outbuf_take(struct outbuf *o, uint32_t n)
{
	uint8_t *at = o->p + o->len;

	if (n > o->cap - o->len) {
		o->full = true;
		return NULL;
	}
	o->len += n;
	return at;
}

// Decimal, no sign, no leading zeros.
static inline void outbuf_put_u64(struct outbuf *o, uint64_t v)
{
	static const char pairs[] =
		"00010203040506070809101112131415161718192021222324252627282930313233343536373839"
		"40414243444546474849505152535455565758596061626364656667686970717273747576777879"
		"8081828384858687888990919293949596979899";
	uint32_t n = 1;
	uint64_t rest;
	uint8_t *to;

	for (rest = v; rest >= 10000; rest /= 10000)
		n += 4;
	n += (uint32_t)(rest >= 10) + (rest >= 100) + (rest >= 1000);
	to = outbuf_take(o, n);
	if (to == NULL)
		return;
	for (; n >= 2; n -= 2, v /= 100)
		memcpy(to + n - 2, pairs + 2 * (v % 100), 2);
	if (n == 1)
		to[0] = (uint8_t)('0' + v);
}

// One number of a dotted quad and the dot behind it; returns where the next one goes.
static inline uint8_t *outbuf_write_octet(uint8_t *to, uint8_t octet)
{
	if (octet >= 100)
		*to++ = (uint8_t)('0' + octet / 100);
	if (octet >= 10)
		*to++ = (uint8_t)('0' + octet / 10 % 10);
	*to++ = (uint8_t)('0' + octet % 10);
	*to++ = '.';
	return to;
}

// An IPv4 address, four bytes in network order, as a dotted quad.
static inline void outbuf_put_ip4(struct outbuf *o, const uint8_t ip[4])
{
	uint8_t text[16];
	bool direct = o->cap - o->len >= sizeof(text);
	uint8_t *start = direct ? o->p + o->len : text, *end = start;

	for (unsigned i = 0; i < 4; i++)
		end = outbuf_write_octet(end, ip[i]);
	if (direct)
		o->len += (uint32_t)(end - start) - 1;
	else
		outbuf_put(o, text, (size_t)(end - start) - 1);
}

// Exactly `digits` lower-case hexadecimal digits, at most 16.
static inline void outbuf_put_hex(struct outbuf *o, uint64_t v, unsigned digits)
{
	uint8_t text[16];

	for (unsigned i = 0; i < digits; i++)
		text[i] = (uint8_t) "0123456789abcdef"[(v >> (4 * (digits - 1 - i))) & 15];
	outbuf_put(o, text, digits);
}
