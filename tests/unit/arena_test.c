// SPDX-License-Identifier: BSD-3-Clause
// Leg text memory: blocks are whole and apart, exhaustion is NULL and ends when blocks come back,
// nothing leaks over many rounds, two arenas share nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

#define MIB ((size_t)1 << 20)

struct block {
	uint8_t *at;
	size_t size;
};

static struct arena *arena_new(size_t max)
{
	struct arena *a = NULL;
	char warning[128];

	assert_int_equal(arena_create(&a, max, ARENA_PAGES_SMALL, warning, sizeof(warning)), 0);
	assert_non_null(a);
	assert_string_equal(warning, "");
	return a;
}

static void block_fill(struct block *b, uint8_t seed)
{
	if (b->at == NULL)
		abort();
	memset(b->at, seed, b->size);
}

static bool block_whole(const struct block *b, uint8_t seed)
{
	for (size_t i = 0; i < b->size; i++) {
		if (b->at[i] != seed)
			return false;
	}
	return true;
}

// Allocate until NULL. Returns the number of blocks.
static size_t fill(struct arena *a, struct block *blocks, size_t max)
{
	size_t n = 0;

	for (; n < max; n++) {
		blocks[n].size = 400 + n * 37 % 401;
		blocks[n].at = arena_alloc(a, blocks[n].size);
		if (blocks[n].at == NULL)
			break;
		block_fill(&blocks[n], (uint8_t)n);
	}
	return n;
}

static void arena_exhausts_and_recovers(void **)
{
	enum { max_blocks = 100000 };
	struct arena *a = arena_new(16 * MIB);
	struct block *blocks = calloc(max_blocks, sizeof(*blocks));
	struct arena_stats stats;
	size_t first = 0;

	assert_non_null(blocks);
	for (unsigned round = 0; round < 20; round++) {
		size_t n = fill(a, blocks, max_blocks);
		assert_in_range(n, 1000, max_blocks - 1);
		if (round == 0)
			first = n;
		// Nothing leaks: the region holds as much as in the first round.
		assert_true(n >= first - first / 50);
		arena_stats(a, &stats);
		assert_true(stats.mapped <= stats.max);
		assert_in_range(stats.max, 16 * MIB, 20 * MIB);
		assert_true(stats.allocated <= stats.active && stats.active <= stats.mapped);
		assert_true(stats.allocated >= n * 600);
		for (size_t i = 0; i < n; i++)
			assert_true(block_whole(&blocks[i], (uint8_t)i));
		// One block back is enough for one like it.
		arena_free(a, blocks[0].at, blocks[0].size);
		blocks[0].at = arena_alloc(a, blocks[0].size);
		assert_non_null(blocks[0].at);
		for (size_t i = 0; i < n; i++) {
			size_t at = i * 7919 % n; // 7919 is prime: each once unless it divides n
			arena_free(a, blocks[at].at, blocks[at].size);
			blocks[at].at = NULL;
		}
		for (size_t i = 0; i < n; i++)
			arena_free(a, blocks[i].at, blocks[i].size);
		arena_flush(a);
		arena_stats(a, &stats);
		assert_int_equal(stats.allocated, 0);
	}
	free(blocks);
	arena_destroy(a);
}

static void arenas_are_apart(void **)
{
	struct arena *a = arena_new(8 * MIB);
	struct arena *b = arena_new(8 * MIB);
	struct arena_stats stats;
	size_t n = 0;
	struct block last = {0};

	for (uint8_t *at; (at = arena_alloc(a, 500)) != NULL; n++)
		last = (struct block){at, 500};
	assert_true(n > 10000);
	block_fill(&last, 0x5a);
	struct block other = {arena_alloc(b, 500), 500};
	assert_non_null(other.at);
	block_fill(&other, 0xa5);
	assert_true(block_whole(&last, 0x5a));
	arena_stats(b, &stats);
	assert_in_range(stats.active, 4096, MIB);
	arena_destroy(b);
	assert_true(block_whole(&last, 0x5a));
	arena_destroy(a);
}

static void arena_sizes(void **)
{
	static const struct {
		const char *shows;
		size_t size;
		bool fits;
	} rows[] = {
		{"one byte", 1, true},
		{"a size class", 512, true},
		{"beyond small blocks", 40000, true},
		{"a mebibyte", MIB, true},
		{"more than there is", 9 * MIB, false},
		{"absurd", SIZE_MAX / 4, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *a = arena_new(8 * MIB);
		for (unsigned round = 0; round < 1000; round++) {
			struct block b = {arena_alloc(a, rows[i].size), rows[i].size};
			assert_int_equal(b.at != NULL, rows[i].fits);
			if (b.at == NULL)
				break;
			assert_int_equal((uintptr_t)b.at % (b.size < 16 ? 8 : 16), 0);
			block_fill(&b, (uint8_t)round);
			arena_free(a, b.at, b.size);
		}
		arena_free(a, NULL, 0);
		arena_destroy(a);
	}
}

// Pages touched ahead of use hold what was already written, and count as resident.
static void arena_populates(void **)
{
	struct arena *a = arena_new(9 * MIB);
	struct block b = {arena_alloc(a, 700), 700};
	struct arena_stats stats;
	size_t left = SIZE_MAX;

	block_fill(&b, 7);
	for (unsigned i = 0; left != 0; i++) {
		size_t next = arena_populate(a, 4 * MIB + 5);
		assert_true(next < left);
		assert_in_range(i, 0, 3);
		left = next;
	}
	assert_int_equal(arena_populate(a, MIB), 0);
	assert_true(block_whole(&b, 7));
	arena_stats(a, &stats);
	assert_int_equal(stats.resident, stats.max);
	assert_true(stats.mapped < stats.max);
	arena_free(a, b.at, b.size);
	arena_destroy(a);
}

// What was asked for can be had, however little it is: jemalloc's records come on top.
static void arena_holds_what_was_asked_for(void **)
{
	static const size_t rows[] = {65536, 256 << 10, 2 * MIB, 5 * MIB, 16 * MIB, 64 * MIB};
	enum { block = 2048 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *a = arena_new(rows[i]);

		for (size_t n = 0; n < rows[i] / block; n++)
			assert_non_null(arena_alloc(a, block));
		arena_destroy(a);
	}
}

// More huge pages than any machine has: asked for they are a warning, required an error.
static void arena_without_huge_pages(void **)
{
	struct arena *a = NULL;
	char warning[128];
	size_t max = (size_t)1 << 44;

	assert_int_equal(arena_create(&a, max, ARENA_PAGES_REQUIRED, warning, sizeof(warning)),
			 -ENOMEM);
	assert_null(a);
	assert_int_equal(arena_create(&a, 0, ARENA_PAGES_SMALL, warning, sizeof(warning)), -ENOMEM);
	assert_int_equal(arena_create(&a, max, ARENA_PAGES_HUGE, warning, sizeof(warning)), 0);
	assert_non_null(strstr(warning, "huge pages"));
	assert_non_null(arena_alloc(a, 700));
	arena_destroy(a);
	arena_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_exhausts_and_recovers),
		cmocka_unit_test(arenas_are_apart),
		cmocka_unit_test(arena_sizes),
		cmocka_unit_test(arena_populates),
		cmocka_unit_test(arena_holds_what_was_asked_for),
		cmocka_unit_test(arena_without_huge_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
