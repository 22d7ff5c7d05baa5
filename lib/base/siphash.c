// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4. Pure.
#include "base/siphash.h"

static inline uint64_t siphash_rotl(uint64_t x, unsigned n)
{
	return (x << n) | (x >> (64 - n));
}

static inline void siphash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = siphash_rotl(v[1], 13) ^ v[0];
	v[3] = siphash_rotl(v[3], 16) ^ v[2];
	v[0] = siphash_rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = siphash_rotl(v[1], 17) ^ v[2];
	v[3] = siphash_rotl(v[3], 21) ^ v[0];
	v[2] = siphash_rotl(v[2], 32);
}

static inline uint64_t siphash_load(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void siphash_begin(uint64_t v[4], struct siphash_key key)
{
	v[0] = key.k0 ^ 0x736f6d6570736575u;
	v[1] = key.k1 ^ 0x646f72616e646f6du;
	v[2] = key.k0 ^ 0x6c7967656e657261u;
	v[3] = key.k1 ^ 0x7465646279746573u;
}

static inline void siphash_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	siphash_round(v);
	siphash_round(v);
	v[0] ^= m;
}

static inline uint64_t siphash_end(uint64_t v[4])
{
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		siphash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash(struct siphash_key key, struct slice bytes)
{
	uint64_t v[4];
	uint64_t last = (uint64_t)bytes.len << 56;
	uint32_t whole = bytes.len & ~7u;

	siphash_begin(v, key);
	for (uint32_t i = 0; i < whole; i += 8)
		siphash_word(v, siphash_load(bytes.p + i));
	for (uint32_t i = whole; i < bytes.len; i++)
		last |= (uint64_t)bytes.p[i] << (8 * (i - whole));
	siphash_word(v, last);
	return siphash_end(v);
}

uint64_t siphash_pair(struct siphash_key key, uint64_t a, uint64_t b)
{
	uint64_t v[4];

	siphash_begin(v, key);
	siphash_word(v, a);
	siphash_word(v, b);
	siphash_word(v, (uint64_t)16 << 56);
	return siphash_end(v);
}

uint64_t siphash_one(struct siphash_key key, uint64_t a)
{
	uint64_t v[4];

	siphash_begin(v, key);
	siphash_word(v, a);
	return siphash_end(v);
}
