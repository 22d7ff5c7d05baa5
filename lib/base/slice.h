// SPDX-License-Identifier: BSD-3-Clause
// A run of bytes that somebody else owns.
// Any thread. Never allocates, never writes what it points to, never expects a NUL.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *p; // first byte; may be NULL only when len is 0
	uint32_t len;	  // bytes
};

#define SLICE_LIT(s) ((struct slice){(const uint8_t *)(s), sizeof(s) - 1})
#define SLICE_NONE   ((struct slice){NULL, 0})
#define SLICE_FMT    "%.*s"
#define SLICE_ARG(s) (int)(s).len, (const char *)(s).p

static inline struct slice slice_of(const void *p, size_t len)
{
	return (struct slice){(const uint8_t *)p, (uint32_t)len};
}

static inline struct slice slice_of_str(const char *s)
{
	return slice_of(s, strlen(s));
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline uint8_t slice_lower(uint8_t c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

// ASCII letters compare without case (RFC 3261 s7.3.1).
static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	// b is often a literal, whose length the compiler knows: one or two loads
	if (b.len == 0 || memcmp(a.p, b.p, b.len) == 0)
		return true;
	for (uint32_t i = 0; i < a.len; i++)
		if (slice_lower(a.p[i]) != slice_lower(b.p[i]))
			return false;
	return true;
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

// The bytes from offset `from` on; empty if from is at or past the end.
static inline struct slice slice_from(struct slice s, uint32_t from)
{
	return from < s.len ? slice_of(s.p + from, s.len - from) : SLICE_NONE;
}

// At most the first n bytes.
static inline struct slice slice_first(struct slice s, uint32_t n)
{
	return slice_of(s.p, n < s.len ? n : s.len);
}

// Offset of the first byte c, or -1.
static inline int64_t slice_find(struct slice s, uint8_t c)
{
	const void *at = s.len != 0 ? memchr(s.p, c, s.len) : NULL;

	return at != NULL ? (const uint8_t *)at - s.p : -1;
}

// White space of SIP inside a header value: SP, HTAB and, in folded lines, CR LF.
static inline bool slice_is_lws(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Without the first n bytes; n is at most the length.
static inline struct slice slice_skip(struct slice s, uint32_t n)
{
	return slice_of(s.p + n, s.len - n);
}

// Without white space at the start.
static inline struct slice slice_skip_lws(struct slice s)
{
	uint32_t n = 0;

	while (n < s.len && slice_is_lws(s.p[n]))
		n++;
	return n != 0 ? slice_skip(s, n) : s;
}

// Without white space at either end.
static inline struct slice slice_trim(struct slice s)
{
	s = slice_skip_lws(s);
	while (s.len != 0 && slice_is_lws(s.p[s.len - 1]))
		s.len--;
	return s;
}
