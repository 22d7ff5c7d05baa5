// SPDX-License-Identifier: BSD-3-Clause
// Tokens: what was put is read, what was changed or made with another key is not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard.h"
#include "sip/token.h"

static const struct siphash_key key = {1, 2}, other_key = {1, 3};

static void round_trip(void **)
{
	static const uint64_t payloads[] = {0, 1, UINT32_MAX, UINT64_MAX, 0x0123456789abcdef};
	uint8_t mem[64];
	uint64_t got;

	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		struct outbuf o = outbuf_of(mem, sizeof(mem));
		struct slice text;

		token_put(&o, key, TOKEN_TAG, payloads[i]);
		assert_int_equal(o.len, TOKEN_LEN);
		text = guard_copy(0, outbuf_slice(&o));
		assert_true(token_read(text, key, TOKEN_TAG, &got));
		assert_int_equal(got, payloads[i]);
		assert_false(token_read(text, key, TOKEN_BRANCH, &got));
		assert_false(token_read(text, other_key, TOKEN_TAG, &got));

		o = outbuf_of(mem, sizeof(mem));
		token_put_branch(&o, key, payloads[i]);
		assert_int_equal(o.len, TOKEN_BRANCH_LEN);
		assert_memory_equal(mem, "z9hG4bK", 7);
		for (size_t k = 0; k < o.len; k++)
			if (mem[k] >= 'a' && mem[k] <= 'z')
				mem[k] &= 0xdf;
		text = guard_copy(0, outbuf_slice(&o));
		assert_true(token_read_branch(text, key, &got));
		assert_int_equal(got, payloads[i]);
	}
}

static void any_change_is_noticed(void **)
{
	uint8_t mem[64];
	struct outbuf o = outbuf_of(mem, sizeof(mem));
	uint64_t got = 77;

	token_put(&o, key, TOKEN_TAG, 0x1234);
	for (uint32_t i = 0; i < o.len; i++)
		for (unsigned c = 0; c < 256; c++) {
			uint8_t was = mem[i];

			if (c == was || (c == (was & 0xdfu) && was >= 'a'))
				continue;
			mem[i] = (uint8_t)c;
			assert_false(token_read(outbuf_slice(&o), key, TOKEN_TAG, &got));
			mem[i] = was;
		}
	for (uint32_t n = 0; n < TOKEN_LEN; n++)
		assert_false(token_read(guard_copy(0, slice_of(mem, n)), key, TOKEN_TAG, &got));
	assert_false(token_read(SLICE_NONE, key, TOKEN_TAG, &got));
	assert_int_equal(got, 77);
}

static void call_ids_carry_their_owner(void **)
{
	uint8_t mem[64];
	struct outbuf o = outbuf_of(mem, sizeof(mem));
	uint64_t hash, a = token_owner_hash(SLICE_LIT("abc@192.0.2.1"));
	struct slice text;

	token_put_call_id(&o, key, a, 5);
	assert_int_equal(o.len, TOKEN_CALL_ID_LEN);
	text = guard_copy(0, outbuf_slice(&o));
	assert_true(token_read_owner_hash(text, &hash));
	assert_int_equal(hash, a);
	assert_int_equal(token_owner_hash(text), a);
	o = outbuf_of(mem, sizeof(mem));
	token_put_call_id(&o, key, a, 6);
	assert_memory_not_equal(mem + 16, text.p + 16, 12);
	assert_int_equal(token_owner_hash(outbuf_slice(&o)), a);
	mem[43] = 'g';
	assert_false(token_read_owner_hash(outbuf_slice(&o), &hash));
	assert_false(token_read_owner_hash(slice_first(text, 43), &hash));
	assert_int_not_equal(token_owner_hash(SLICE_LIT("abc")),
			     token_owner_hash(SLICE_LIT("ABC")));
	// the same in every process and release: calls live across restarts
	assert_int_equal(token_owner_hash(SLICE_LIT("abc")),
			 siphash((struct siphash_key){0x7665726765206f77u, 0x6e65722068617368u},
				 SLICE_LIT("abc")));
}

static void nothing_written_past_the_end(void **)
{
	uint8_t mem[TOKEN_LEN - 1];
	struct outbuf o = outbuf_of(mem, sizeof(mem));

	token_put(&o, key, TOKEN_TAG, 1);
	assert_true(o.full);
	assert_int_equal(o.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(any_change_is_noticed),
		cmocka_unit_test(call_ids_carry_their_owner),
		cmocka_unit_test(nothing_written_past_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
