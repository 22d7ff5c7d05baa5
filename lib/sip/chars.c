// SPDX-License-Identifier: BSD-3-Clause
// Character classes of RFC 3261 s25.1, and spans of them. Any thread; constant tables.
#include "sip/chars.h"

#ifdef __SSE4_2__
#include <immintrin.h>
#endif

#define T SIP_CHARS_TOKEN
#define U SIP_CHARS_USER
#define W SIP_CHARS_PASSWORD
#define P SIP_CHARS_PARAM
#define H SIP_CHARS_HEADER
#define O SIP_CHARS_HOST
#define X SIP_CHARS_HEX
#define D SIP_CHARS_DIGIT

// unreserved is in every class of URI parts; a mark that is a token character too says so.
#define UNRESERVED (U | W | P | H)

const uint8_t sip_chars_table[256] = {
	['0' ... '9'] = T | D | X | O | UNRESERVED,
	['a' ... 'f'] = T | X | O | UNRESERVED,
	['g' ... 'z'] = T | O | UNRESERVED,
	['A' ... 'F'] = T | X | O | UNRESERVED,
	['G' ... 'Z'] = T | O | UNRESERVED,
	['-'] = T | O | UNRESERVED,
	['.'] = T | O | UNRESERVED,
	['_'] = T | O | UNRESERVED,
	['!'] = T | UNRESERVED,
	['~'] = T | UNRESERVED,
	['*'] = T | UNRESERVED,
	['\''] = T | UNRESERVED,
	['('] = UNRESERVED,
	[')'] = UNRESERVED,
	['%'] = T,
	['`'] = T,
	['+'] = T | U | W | P | H,
	['$'] = U | W | P | H,
	['&'] = U | W | P,
	['='] = U | W,
	[','] = U | W,
	[';'] = U,
	['?'] = U | H,
	['/'] = U | P | H,
	[':'] = P | H,
	['['] = P | H,
	[']'] = P | H,
	['#'] = U, // not in the grammar; telephones dial it
};

static bool ends_value(uint8_t c)
{
	return c <= ' ' || c == ';' || c == ',' || c == '"';
}

static bool ends_uri(uint8_t c)
{
	return c <= ' ' || c == 0x7f || c == '<' || c == '>' || c == '"' || c == '%';
}

static bool ends_bracket(uint8_t c)
{
	return c == '<' || c == '>' || c == ';' || c == '"';
}

#ifdef __SSE4_2__
#define PAGE 4096u

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(SANITIZED)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

// 16 bytes from p on, of which len are wanted; the rest is anything. Bytes behind the slice are
// read where they lie in the same page: they may belong to somebody else, but reading them cannot
// fault. Their bits are dropped by the caller.
static inline __m128i load(const uint8_t *p, uint32_t len)
{
	bool may_read = (!SANITIZED && ((uintptr_t)p & (PAGE - 1)) <= PAGE - 16) || len >= 16;
	uint8_t copy[16] = {0};

	if (may_read)
		return _mm_loadu_si128((const __m128i_u *)(const void *)p);
	memcpy(copy, p, len);
	return _mm_loadu_si128((const __m128i_u *)(const void *)copy);
}

// Bit i is set if byte i is in the set: bit h of set[l] stands for the ASCII character with high
// nibble h and low nibble l. Bytes from 0x80 on are in no set.
static inline uint32_t members(__m128i v, __m128i set)
{
	const __m128i nibble = _mm_set1_epi8(15);
	const __m128i rows = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
	__m128i low = _mm_and_si128(v, nibble);
	__m128i high = _mm_and_si128(_mm_srli_epi16(v, 4), nibble);
	__m128i hit = _mm_and_si128(_mm_shuffle_epi8(set, low), _mm_shuffle_epi8(rows, high));

	return ~(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(hit, _mm_setzero_si128())) & 0xffff;
}

struct set {
	uint8_t row[16];
};

static struct set token_set, value_end_set, uri_end_set,
	bracket_set; // W: the constructor; R: everybody

__attribute__((constructor)) static void sets_init(void)
{
	for (unsigned c = 0; c < 128; c++) {
		if (sip_chars_is((uint8_t)c, SIP_CHARS_TOKEN))
			token_set.row[c & 15] |= (uint8_t)(1u << (c >> 4));
		if (ends_value((uint8_t)c))
			value_end_set.row[c & 15] |= (uint8_t)(1u << (c >> 4));
		if (ends_uri((uint8_t)c))
			uri_end_set.row[c & 15] |= (uint8_t)(1u << (c >> 4));
		if (ends_bracket((uint8_t)c))
			bracket_set.row[c & 15] |= (uint8_t)(1u << (c >> 4));
	}
}

// Bytes before the first that is (invert: is not) in the set.
static inline uint32_t span(struct slice s, const struct set *set, uint32_t invert)
{
	__m128i rows = _mm_loadu_si128((const __m128i_u *)(const void *)set->row);

	for (uint32_t n = 0; n < s.len; n += 16) {
		uint32_t stop = members(load(s.p + n, s.len - n), rows) ^ invert;

		if (stop != 0) {
			n += (uint32_t)__builtin_ctz(stop);
			return n < s.len ? n : s.len;
		}
	}
	return s.len;
}

uint32_t sip_chars_token_span(struct slice s)
{
	return span(s, &token_set, 0xffff);
}

uint32_t sip_chars_value_span(struct slice s)
{
	return span(s, &value_end_set, 0);
}

uint32_t sip_chars_uri_span(struct slice s)
{
	return span(s, &uri_end_set, 0);
}

uint32_t sip_chars_bracket_span(struct slice s)
{
	return span(s, &bracket_set, 0);
}

static inline uint32_t equal(__m128i v, char c)
{
	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)));
}

void sip_chars_uri_marks(struct slice s, struct sip_chars_marks *marks)
{
	__m128i rows = _mm_loadu_si128((const __m128i_u *)(const void *)uri_end_set.row);
	struct sip_chars_marks m = {0};

	for (uint32_t n = 0; n < s.len; n += 16) {
		__m128i v = load(s.p + n, s.len - n);
		uint64_t inside = s.len - n >= 16 ? 0xffff : (1u << (s.len - n)) - 1;

		m.ends |= (members(v, rows) & inside) << n;
		m.at |= (equal(v, '@') & inside) << n;
		m.colon |= (equal(v, ':') & inside) << n;
		m.question |= (equal(v, '?') & inside) << n;
	}
	*marks = m;
}

// Bits of the bytes from '0' to c.
static inline uint32_t digits_to(__m128i v, char c)
{
	__m128i d = _mm_sub_epi8(v, _mm_set1_epi8('0'));
	__m128i most = _mm_set1_epi8((char)(c - '0'));

	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(d, most), d));
}

// All four numbers at once: bit i of each word stands for byte i.
uint32_t sip_chars_quad_span(struct slice s)
{
	__m128i v = s.len != 0 ? load(s.p, s.len) : _mm_setzero_si128();
	uint32_t digit = digits_to(v, '9'), dot = equal(v, '.'), n, start, two, three, inside;

	n = (uint32_t)__builtin_ctz(~(digit | dot));
	n = n < s.len ? n : s.len;
	if (n < 7 || n > 15)
		return 0;
	inside = (1u << n) - 1;
	digit &= inside;
	dot &= inside;
	start = dot << 1 | 1;
	two = start & digit >> 1;
	three = two & digit >> 2;
	if (__builtin_popcount(dot) != 3 || (start & ~digit) != 0 || (three & digit >> 3) != 0 ||
	    (two & equal(v, '0')) != 0)
		return 0;
	if (three != 0) {
		uint32_t fifty = digits_to(v, '4') | (equal(v, '5') & digits_to(v, '5') >> 1);

		if ((three & ~(equal(v, '1') | (equal(v, '2') & fifty >> 1))) != 0)
			return 0;
	}
	return n < s.len && sip_chars_is(s.p[n], SIP_CHARS_HOST) ? 0 : n;
}
#else
uint32_t sip_chars_token_span(struct slice s)
{
	return sip_chars_span(s, SIP_CHARS_TOKEN);
}

uint32_t sip_chars_value_span(struct slice s)
{
	uint32_t n = 0;

	while (n < s.len && !ends_value(s.p[n]))
		n++;
	return n;
}

uint32_t sip_chars_uri_span(struct slice s)
{
	uint32_t n = 0;

	while (n < s.len && !ends_uri(s.p[n]))
		n++;
	return n;
}

uint32_t sip_chars_bracket_span(struct slice s)
{
	uint32_t n = 0;

	while (n < s.len && !ends_bracket(s.p[n]))
		n++;
	return n;
}

void sip_chars_uri_marks(struct slice s, struct sip_chars_marks *marks)
{
	*marks = (struct sip_chars_marks){0};
	for (uint32_t i = 0; i < s.len; i++) {
		marks->ends |= (uint64_t)ends_uri(s.p[i]) << i;
		marks->at |= (uint64_t)(s.p[i] == '@') << i;
		marks->colon |= (uint64_t)(s.p[i] == ':') << i;
		marks->question |= (uint64_t)(s.p[i] == '?') << i;
	}
}

// Digits of a number of at most 255 without leading zeros at the start of n bytes; 0: none.
static uint32_t octet_span(const uint8_t *p, uint32_t n)
{
	uint32_t a = n > 0 ? (uint32_t)p[0] - '0' : 10, b, c;

	if (a > 9)
		return 0;
	b = n > 1 ? (uint32_t)p[1] - '0' : 10;
	if (b > 9)
		return 1;
	c = n > 2 ? (uint32_t)p[2] - '0' : 10;
	if (c > 9)
		return a != 0 ? 2 : 0;
	return a != 0 && a * 100 + b * 10 + c <= 255 && (n == 3 || p[3] < '0' || p[3] > '9') ? 3
											     : 0;
}

// Length of the dotted quad that s begins with, if the host ends there; else 0.
uint32_t sip_chars_quad_span(struct slice s)
{
	uint32_t n = 0;

	for (unsigned octets = 1;; octets++) {
		uint32_t digits = octet_span(s.p + n, s.len - n);

		n += digits;
		if (digits == 0 || (n < s.len && octets < 4 && s.p[n] != '.'))
			return 0;
		if (octets == 4)
			break;
		if (n++ == s.len)
			return 0;
	}
	return n < s.len && sip_chars_is(s.p[n], SIP_CHARS_HOST) ? 0 : n;
}
#endif

static bool is_white(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

uint32_t sip_chars_unfold(uint8_t *to, struct slice value)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < value.len; i++) {
		if (value.p[i] != '\r' && value.p[i] != '\n') {
			to[n++] = value.p[i];
			continue;
		}
		while (n != 0 && is_white(to[n - 1]))
			n--;
		while (i + 1 < value.len && is_white(value.p[i + 1]))
			i++;
		to[n++] = ' ';
	}
	return n;
}
