// SPDX-License-Identifier: BSD-3-Clause
// Tags, branches and Call-IDs of ours. Any thread; pure.
//
// A token is hex(MAC, 48 bits) hex(payload xor pad): the MAC covers payload and kind, the pad is a
// keyed hash of the MAC (a synthetic IV), so equal payloads of two kinds look unrelated and nothing
// of an index or a generation shows. Guessing one takes 2^47 tries on average, each of them a
// packet. A Call-ID is hex(owner hash) hex(MAC) hex(unique xor pad), its MAC and pad covering the
// owner hash.
#include "sip/token.h"

#include <assert.h>

#ifdef __SSE4_2__
#include <immintrin.h>
#endif

#define MAC_DIGITS     12u
#define PAYLOAD_DIGITS 16u
#define MAC_MASK       0xffffffffffffu
#define COOKIE	       "z9hG4bK"

static_assert(TOKEN_LEN == MAC_DIGITS + PAYLOAD_DIGITS, "characters of a token");
static_assert(TOKEN_BRANCH_LEN == TOKEN_LEN + sizeof(COOKIE) - 1, "characters of a branch");
static_assert(TOKEN_CALL_ID_LEN == TOKEN_LEN + 16, "characters of a Call-ID");

#ifdef __SSE4_2__
// The last `digits` digits of v, 12 or 16. Sixteen bytes are written: behind twelve digits of a
// token there are always more, which come later.
static inline void hex_put(uint8_t *to, uint64_t v, unsigned digits)
{
	const __m128i letters = _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a',
					      'b', 'c', 'd', 'e', 'f');
	const __m128i nibble = _mm_set1_epi8(15);
	uint64_t first = __builtin_bswap64(v << (4 * (16 - digits)));
	__m128i x = _mm_cvtsi64_si128((int64_t)first);
	__m128i high = _mm_and_si128(_mm_srli_epi16(x, 4), nibble);
	__m128i both = _mm_unpacklo_epi8(high, _mm_and_si128(x, nibble));

	_mm_storeu_si128((__m128i_u *)(void *)to, _mm_shuffle_epi8(letters, both));
}
#else
static void hex_put(uint8_t *to, uint64_t v, unsigned digits)
{
	for (unsigned i = 0; i < digits; i++)
		to[i] = (uint8_t) "0123456789abcdef"[v >> (4 * (digits - 1 - i)) & 15];
}
#endif

#ifdef __SSE4_2__
// Sixteen bytes are read from p on; behind twelve digits of a token there are always more.
static bool hex_read(const uint8_t *p, unsigned digits, uint64_t *v)
{
	__m128i text = _mm_loadu_si128((const __m128i_u *)(const void *)p);
	__m128i number = _mm_sub_epi8(text, _mm_set1_epi8('0'));
	__m128i letter = _mm_sub_epi8(_mm_or_si128(text, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
	__m128i is_number = _mm_cmpeq_epi8(_mm_min_epu8(number, _mm_set1_epi8(9)), number);
	__m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(5)), letter);
	uint32_t good = (uint32_t)_mm_movemask_epi8(_mm_or_si128(is_number, is_letter));
	__m128i nibble =
		_mm_blendv_epi8(_mm_add_epi8(letter, _mm_set1_epi8(10)), number, is_number);
	__m128i pairs = _mm_maddubs_epi16(nibble, _mm_set1_epi16(0x0110));
	uint64_t x = __builtin_bswap64(
		(uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(pairs, _mm_setzero_si128())));

	*v = x >> (4 * (16 - digits));
	return (~good & ((1u << digits) - 1)) == 0;
}
#else
#define DIGIT 0x10

// DIGIT | 0-15, or 0 for what is no digit.
static const uint8_t hex_value[256] = {
	['0'] = DIGIT | 0,  ['1'] = DIGIT | 1,	['2'] = DIGIT | 2,  ['3'] = DIGIT | 3,
	['4'] = DIGIT | 4,  ['5'] = DIGIT | 5,	['6'] = DIGIT | 6,  ['7'] = DIGIT | 7,
	['8'] = DIGIT | 8,  ['9'] = DIGIT | 9,	['a'] = DIGIT | 10, ['b'] = DIGIT | 11,
	['c'] = DIGIT | 12, ['d'] = DIGIT | 13, ['e'] = DIGIT | 14, ['f'] = DIGIT | 15,
	['A'] = DIGIT | 10, ['B'] = DIGIT | 11, ['C'] = DIGIT | 12, ['D'] = DIGIT | 13,
	['E'] = DIGIT | 14, ['F'] = DIGIT | 15,
};

static bool hex_read(const uint8_t *p, unsigned digits, uint64_t *v)
{
	uint64_t x = 0;
	uint8_t good = DIGIT;

	for (unsigned i = 0; i < digits; i++) {
		uint8_t d = hex_value[p[i]];

		good &= d;
		x = x << 4 | (d & 15);
	}
	*v = x;
	return good != 0;
}
#endif

// A key of its own for each kind and use: a peer chooses the owner hash that it sends us (a Call-ID
// of our form), and must not get from it what passes for a tag.
static struct siphash_key domain_key(struct siphash_key key, enum token_kind kind, bool is_pad)
{
	key.k0 ^= ((uint64_t)kind << 1 | is_pad) * 0x9e3779b97f4a7c15u;
	return key;
}

static void seal(uint8_t text[TOKEN_LEN], struct siphash_key key, enum token_kind kind,
		 uint64_t payload)
{
	uint64_t mac = siphash_one(domain_key(key, kind, false), payload) & MAC_MASK;
	uint64_t pad = siphash_one(domain_key(key, kind, true), mac);

	hex_put(text, mac, MAC_DIGITS);
	hex_put(text + MAC_DIGITS, payload ^ pad, PAYLOAD_DIGITS);
}

static bool unseal(const uint8_t text[TOKEN_LEN], struct siphash_key key, enum token_kind kind,
		   uint64_t *payload)
{
	uint64_t mac, hidden;

	if (!hex_read(text, MAC_DIGITS, &mac) ||
	    !hex_read(text + MAC_DIGITS, PAYLOAD_DIGITS, &hidden))
		return false;
	hidden ^= siphash_one(domain_key(key, kind, true), mac);
	if ((siphash_one(domain_key(key, kind, false), hidden) & MAC_MASK) != mac)
		return false;
	*payload = hidden;
	return true;
}

void token_put(struct outbuf *o, struct siphash_key key, enum token_kind kind, uint64_t payload)
{
	uint8_t *text = outbuf_take(o, TOKEN_LEN);

	if (text != NULL)
		seal(text, key, kind, payload);
}

void token_put_branch(struct outbuf *o, struct siphash_key key, uint64_t payload)
{
	outbuf_put_lit(o, COOKIE);
	token_put(o, key, TOKEN_BRANCH, payload);
}

bool token_read(struct slice text, struct siphash_key key, enum token_kind kind, uint64_t *payload)
{
	return text.len == TOKEN_LEN && unseal(text.p, key, kind, payload);
}

bool token_read_branch(struct slice text, struct siphash_key key, uint64_t *payload)
{
	return text.len == TOKEN_BRANCH_LEN &&
	       slice_eq_nocase(slice_first(text, sizeof(COOKIE) - 1), SLICE_LIT(COOKIE)) &&
	       unseal(text.p + sizeof(COOKIE) - 1, key, TOKEN_BRANCH, payload);
}

void token_put_call_id(struct outbuf *o, struct siphash_key key, uint64_t owner_hash,
		       uint64_t unique)
{
	struct siphash_key mac_key = domain_key(key, TOKEN_CALL_ID, false);
	struct siphash_key pad_key = domain_key(key, TOKEN_CALL_ID, true);
	uint64_t mac = siphash_pair(mac_key, owner_hash, unique) & MAC_MASK;
	uint8_t *text = outbuf_take(o, TOKEN_CALL_ID_LEN);

	if (text == NULL)
		return;
	hex_put(text, owner_hash, 16);
	hex_put(text + 16, mac, MAC_DIGITS);
	hex_put(text + 16 + MAC_DIGITS, unique ^ siphash_pair(pad_key, owner_hash, mac),
		PAYLOAD_DIGITS);
}

bool token_read_owner_hash(struct slice call_id, uint64_t *owner_hash)
{
	uint64_t hash, rest;

	if (call_id.len != TOKEN_CALL_ID_LEN || !hex_read(call_id.p, 16, &hash) ||
	    !hex_read(call_id.p + 16, MAC_DIGITS, &rest) ||
	    !hex_read(call_id.p + 16 + MAC_DIGITS, PAYLOAD_DIGITS, &rest))
		return false;
	*owner_hash = hash;
	return true;
}

uint64_t token_owner_hash(struct slice call_id)
{
	static const struct siphash_key unkeyed = {0x7665726765206f77u, 0x6e65722068617368u};
	uint64_t hash;

	return token_read_owner_hash(call_id, &hash) ? hash : siphash(unkeyed, call_id);
}
