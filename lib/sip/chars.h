// SPDX-License-Identifier: BSD-3-Clause
// What each byte may be in SIP's grammar (RFC 3261 s25.1), as one table.
// Any thread; constant.
#pragma once

#include "base/slice.h"

enum sip_chars {
	SIP_CHARS_TOKEN = 1, // token
	SIP_CHARS_DIGIT = 2, // 0-9
	SIP_CHARS_HEX = 4,   // 0-9 a-f A-F
	SIP_CHARS_USER = 8,  // user part of a SIP URI: unreserved, user-unreserved (escapes apart)
	SIP_CHARS_PASSWORD = 16, // password of a SIP URI (escapes apart)
	SIP_CHARS_PARAM = 32,	 // URI parameter: unreserved, param-unreserved (escapes apart)
	SIP_CHARS_HEADER = 64,	 // URI header: unreserved, hnv-unreserved (escapes apart)
	SIP_CHARS_HOST = 128, // host name or IPv4 address, and the underscore that is seen in names
};

extern const uint8_t sip_chars_table[256];

static inline bool sip_chars_is(uint8_t c, enum sip_chars classes)
{
	return (sip_chars_table[c] & classes) != 0;
}

// How many bytes at the start of s are of these classes.
static inline uint32_t sip_chars_span(struct slice s, enum sip_chars classes)
{
	uint32_t n = 0;

	while (n < s.len && sip_chars_is(s.p[n], classes))
		n++;
	return n;
}

// The same for token characters, sixteen at a time.
uint32_t sip_chars_token_span(struct slice s);
// Bytes up to the first that ends a parameter value without quotes: ; , " white space or a control.
uint32_t sip_chars_value_span(struct slice s);
// Bytes up to the first that says where the bracket of a name-addr stands: < > ; "
uint32_t sip_chars_bracket_span(struct slice s);
// Length of the IPv4 address that s begins with: four numbers of at most 255 without leading zeros,
// three dots. 0: there is none, or the host goes on behind it.
uint32_t sip_chars_quad_span(struct slice s);
// Bytes up to the first that may stand in no URI, or a %: white space, controls, < > ".
uint32_t sip_chars_uri_span(struct slice s);

// Where the marks of a URI of at most SIP_CHARS_MARKS bytes stand: bit i for byte i.
#define SIP_CHARS_MARKS 64
struct sip_chars_marks {
	uint64_t ends; // what ends sip_chars_uri_span()
	uint64_t at, colon, question;
};
void sip_chars_uri_marks(struct slice s, struct sip_chars_marks *marks);

// A token: at least one byte, all of them token characters.
static inline bool sip_chars_all_token(struct slice s)
{
	return s.len != 0 && sip_chars_token_span(s) == s.len;
}

// A header value on one line: each fold, with the white space around it, is one space (s7.3.1).
// to: room for value.len bytes. Returns how many it took.
uint32_t sip_chars_unfold(uint8_t *to, struct slice value);

// Value of a hexadecimal digit, or -1.
static inline int sip_chars_hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
