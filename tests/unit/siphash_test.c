// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 against the reference vectors of its authors.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/siphash.h"

static void siphash_vectors(void **)
{
	static const struct {
		uint32_t len;
		uint64_t hash;
	} rows[] = {
		{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
		{8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572},
	};
	const struct siphash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	uint8_t bytes[64];

	for (uint8_t i = 0; i < 64; i++)
		bytes[i] = i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(siphash(key, slice_of(bytes, rows[i].len)), rows[i].hash);
	for (uint8_t i = 0; i + 16 <= 64; i++) {
		uint64_t pair[2];

		memcpy(pair, bytes + i, sizeof(pair));
		assert_int_equal(siphash_pair(key, pair[0], pair[1]),
				 siphash(key, slice_of(bytes + i, 16)));
	}
}

// One word is what seven bytes with their length are.
static void siphash_of_one_word(void **)
{
	const struct siphash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

	assert_int_equal(siphash_one(key, (uint64_t)7 << 56 | 0x06050403020100),
			 0xab0200f58b01d137);
	assert_int_equal(siphash_one(key, 0), 0x726fdb47dd0e0e31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(siphash_vectors),
					   cmocka_unit_test(siphash_of_one_word)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
