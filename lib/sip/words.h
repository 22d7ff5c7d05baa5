// SPDX-License-Identifier: BSD-3-Clause
// Look-up of header names and methods by hash; only lib/sip includes this.
// The tables are filled once, before main(), from sip.def and never change afterwards.
#pragma once

#include "sip/sip.h"

#define WORDS_HEADER_SLOTS 1024 // power of two, sparse: about 50 names
#define WORDS_METHOD_SLOTS 128
#define WORDS_OPTION_SLOTS 64
#define WORDS_NAME_MAX	   32

struct words_name {
	uint8_t lower[WORDS_NAME_MAX]; // lower case, 0xff behind the end
	uint8_t fold[WORDS_NAME_MAX];  // 0x20 where a letter is, 0xff behind the end: the bytes of
				       // a name of this length match if (byte | fold) == lower
};

struct words {
	uint8_t header[WORDS_HEADER_SLOTS]; // enum sip_header; 0 = free; linear probing
	uint8_t compact[32];		    // enum sip_header by letter & 31
	uint8_t method[WORDS_METHOD_SLOTS];
	uint8_t option[WORDS_OPTION_SLOTS]; // enum sip_option + 1; 0 = free
	uint8_t len[SIP_H_N];		    // bytes of the canonical name
	struct words_name name[SIP_H_N];
};

extern struct words words; // W: the constructor in sip.c; R: everybody

// Slot of a header name of 2 to 32 bytes; case does not matter.
static inline uint32_t words_header_slot(const uint8_t *p, uint32_t len)
{
	uint16_t first, last;

	memcpy(&first, p, 2);
	memcpy(&last, p + len - 2, 2);
	return ((first | (uint32_t)last << 16 | 0x20202020u) + len) * 0x9e3779b1u >> 22;
}

// The same n bytes, at least one; short words without a call.
static inline bool words_same(const uint8_t *a, const uint8_t *b, uint32_t n)
{
	uint64_t x[2], y[2];
	uint32_t u[2], v[2];

	if (n > 16)
		return memcmp(a, b, n) == 0;
	if (n >= 8) {
		memcpy(&x[0], a, 8);
		memcpy(&x[1], a + n - 8, 8);
		memcpy(&y[0], b, 8);
		memcpy(&y[1], b + n - 8, 8);
		return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
	}
	if (n >= 4) {
		memcpy(&u[0], a, 4);
		memcpy(&u[1], a + n - 4, 4);
		memcpy(&v[0], b, 4);
		memcpy(&v[1], b + n - 4, 4);
		return ((u[0] ^ v[0]) | (u[1] ^ v[1])) == 0;
	}
	return a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1];
}
