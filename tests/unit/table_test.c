// SPDX-License-Identifier: BSD-3-Clause
// The hash index: capacity without failure, equal hashes, a model under random inserts and deletes.
// Readers beside a writer: tests/race/table_race.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "table/table.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct table *table_new(uint32_t entries)
{
	void *mem = aligned_alloc(64, table_footprint(entries));

	assert_non_null(mem);
	return table_init(mem, entries);
}

static uint64_t hash_of(uint64_t i)
{
	i += 0x9e3779b97f4a7c15;
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9;
	i = (i ^ i >> 27) * 0x94d049bb133111eb;
	return i ^ i >> 31;
}

static unsigned times_found(const struct table *t, uint64_t hash, uint32_t index, unsigned *all)
{
	uint32_t out[TABLE_CANDIDATES];
	unsigned n = table_find(t, hash, out);
	unsigned found = 0;

	assert_true(n <= TABLE_CANDIDATES);
	for (unsigned i = 0; i < n; i++)
		found += out[i] == index;
	if (all != NULL)
		*all += n;
	return found;
}

// Every size takes as many entries as it promises, gives all back and little else.
static void table_holds_its_entries(void **)
{
	static const struct {
		const char *shows;
		uint32_t entries;
		uint64_t hash_and; // bits of the hash that vary
	} rows[] = {
		{"one", 1, UINT64_MAX},
		{"a few", 17, UINT64_MAX},
		{"some", 1000, UINT64_MAX},
		{"many", 1000000, UINT64_MAX},
		{"one of 256 workers chosen by the low bits", 300000, ~0xffULL},
		{"one of 256 workers chosen by the high bits", 300000, UINT64_MAX >> 8},
		{"only low bits vary", 300000, UINT32_MAX},
		{"only high bits vary", 300000, ~0ULL << 32},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t entries = rows[i].entries;
		struct table *t = table_new(entries);
		unsigned candidates = 0;

		assert_true(table_footprint(entries) <= (size_t)entries * 8 + 1024);
		for (uint32_t k = 0; k < entries; k++)
			assert_int_equal(table_insert(t, hash_of(k) & rows[i].hash_and, k), 0);
		assert_int_equal(table_used(t), entries);
		assert_int_equal(table_insert(t, 1, 1), -ENOSPC);
		assert_int_equal(table_check(t), 0);
		for (uint32_t k = 0; k < entries; k++) {
			uint64_t hash = hash_of(k) & rows[i].hash_and;
			assert_int_equal(times_found(t, hash, k, &candidates), 1);
		}
		// 16 other entries in sight, 1 in 65536 of which has the tag; equal hashes of 32
		// bits.
		assert_true(candidates <= entries + entries / 500 + 1);
		for (uint32_t k = 0; k < entries; k++)
			assert_int_equal(table_delete(t, hash_of(k) & rows[i].hash_and, k), 0);
		assert_int_equal(table_used(t), 0);
		assert_int_equal(table_check(t), 0);
		free(t);
	}
}

static void table_misses(void **)
{
	struct table *t = table_new(100000);
	unsigned candidates = 0;

	for (uint32_t k = 0; k < 100000; k++)
		assert_int_equal(table_insert(t, hash_of(k), k), 0);
	for (uint32_t k = 100000; k < 200000; k++) {
		times_found(t, hash_of(k), 0, &candidates);
		assert_int_equal(table_delete(t, hash_of(k), k), -ENOENT);
		assert_int_equal(table_delete(t, hash_of(k - 100000), k), -ENOENT);
	}
	assert_true(candidates < 200);
	free(t);
}

static void table_keeps_equal_hashes(void **)
{
	for (uint64_t hash = 0; hash < 2000; hash++) {
		struct table *t = table_new(40);

		for (uint32_t k = 0; k < TABLE_CANDIDATES; k++)
			assert_int_equal(table_insert(t, hash_of(hash), k / 2), 0);
		assert_int_equal(table_insert(t, hash_of(hash), 99), -ENOSPC);
		assert_int_equal(table_used(t), TABLE_CANDIDATES);
		for (uint32_t k = 0; k < TABLE_CANDIDATES / 2; k++)
			assert_int_equal(times_found(t, hash_of(hash), k, NULL), 2);
		assert_int_equal(table_delete(t, hash_of(hash), 7), 0);
		assert_int_equal(times_found(t, hash_of(hash), 7, NULL), 1);
		assert_int_equal(table_delete(t, hash_of(hash), 7), 0);
		assert_int_equal(table_delete(t, hash_of(hash), 7), -ENOENT);
		assert_int_equal(times_found(t, hash_of(hash), 7, NULL), 0);
		assert_int_equal(table_check(t), 0);
		free(t);
	}
}

// Random inserts and deletes between nearly empty and full; a fifth of the keys share a hash with
// another one.
static void table_equals_model(void **)
{
	enum { keys = 6000, entries = 4000, steps = 2000000 };
	struct table *t = table_new(entries);
	bool *in = calloc(keys, sizeof(*in));
	uint32_t used = 0;

	assert_non_null(in);
	for (uint64_t i = 0; i < steps; i++) {
		uint64_t random = hash_of(i);
		uint32_t k = (uint32_t)(random % keys);
		uint64_t hash = hash_of(k % 5 == 0 ? k / 10 : k + keys);
		bool insert = random >> 60 < (i / 100000 % 2 ? 12U : 5U);

		if (insert && !in[k]) {
			assert_int_equal(table_insert(t, hash, k), used < entries ? 0 : -ENOSPC);
			in[k] = used < entries;
			used += in[k];
		} else if (!insert) {
			assert_int_equal(table_delete(t, hash, k), in[k] ? 0 : -ENOENT);
			used -= in[k];
			in[k] = false;
		}
		assert_int_equal(times_found(t, hash, k, NULL), in[k]);
		assert_int_equal(table_used(t), used);
		if (i % 10000 != 0)
			continue;
		assert_int_equal(table_check(t), 0);
		for (k = 0; k < keys; k++) {
			hash = hash_of(k % 5 == 0 ? k / 10 : k + keys);
			assert_int_equal(times_found(t, hash, k, NULL), in[k]);
		}
	}
	free(in);
	free(t);
}

// Few hashes with many entries each crowd the buckets, so that entries must move, one step and two,
// or an insert is refused; none of those inside may get lost.
static void table_moves_entries(void **)
{
	enum { hashes = 60, copies = 12, keys = hashes * copies, steps = 400000 };
	struct table *t = table_new(keys);
	bool in[keys] = {false};
	unsigned refused = 0;

	for (uint64_t i = 0; i < steps; i++) {
		uint32_t k = (uint32_t)(hash_of(i) % keys);
		uint64_t hash = hash_of(k % hashes);

		if (in[k]) {
			in[k] = hash_of(i) >> 60 != 0;
			if (!in[k])
				assert_int_equal(table_delete(t, hash, k), 0);
		} else {
			int rc = table_insert(t, hash, k);
			assert_true(rc == 0 || rc == -ENOSPC);
			in[k] = rc == 0;
			refused += rc != 0;
		}
		if (i % 100 != 0)
			continue;
		assert_int_equal(table_check(t), 0);
		for (k = 0; k < keys; k++)
			assert_int_equal(times_found(t, hash_of(k % hashes), k, NULL), in[k]);
	}
	assert_true(table_used(t) > keys / 2);
	assert_true(refused > 0);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_holds_its_entries),  cmocka_unit_test(table_misses),
		cmocka_unit_test(table_keeps_equal_hashes), cmocka_unit_test(table_equals_model),
		cmocka_unit_test(table_moves_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
