// SPDX-License-Identifier: BSD-3-Clause
// Leg text through the jemalloc arena beside plain malloc: free a block at random and store a new
// one (header and bytes written), 400 to 800 bytes each, and what the memory costs above what was
// asked. The program links jemalloc, so "malloc" here is jemalloc's on ordinary pages; run with
// --glibc 1 the same loop uses the C library's own. Usage: arena_bench [--n BLOCKS] [--runs RUNS]
// [--glibc 0|1]
#include <malloc.h>
#include <stdbool.h>

#include "arena.h"
#include "base/prefetch.h"
#include "bench_set.h"

#define LEAST 400
#define MOST  800

// What each memory is asked through; ctx is the arena.
struct store {
	const char *of;
	void *(*alloc)(void *ctx, size_t size);
	void (*free)(void *ctx, void *block, size_t size);
	void *ctx;
};

struct set {
	uint32_t n;
	unsigned runs;
	uint8_t **blocks;
	uint16_t *sizes;
	const uint8_t *text; // MOST bytes to store
	uint64_t asked;
	uint64_t failed;
};

static void *alloc_arena(void *ctx, size_t size)
{
	return arena_alloc(ctx, size);
}

static void free_arena(void *ctx, void *block, size_t size)
{
	arena_free(ctx, block, size);
}

static void *alloc_malloc(void *, size_t size)
{
	return malloc(size);
}

static void free_malloc(void *, void *block, size_t)
{
	free(block);
}

static uint16_t size_of(uint64_t i)
{
	return (uint16_t)(LEAST + bench_mix(i) % (MOST - LEAST + 1));
}

static void put(struct set *s, const struct store *m, uint32_t at, uint16_t size)
{
	s->sizes[at] = size;
	s->blocks[at] = m->alloc(m->ctx, size);
	if (s->blocks[at] == NULL) {
		s->failed++;
		return;
	}
	s->asked += size;
	memcpy(s->blocks[at], s->text, size);
}

static void drop(struct set *s, const struct store *m, uint32_t at)
{
	if (s->blocks[at] == NULL)
		return;
	s->asked -= s->sizes[at];
	m->free(m->ctx, s->blocks[at], s->sizes[at]);
	s->blocks[at] = NULL;
}

// Free and store at random places, as refreshes do: the new text is stored, the old one freed. In
// bursts: the places' own lines are near, as the legs' records are when a message is handled.
static uint64_t churn(struct set *s, const struct store *m, uint32_t times, uint64_t seed)
{
	uint64_t start = bench_ns();
	uint32_t at[BENCH_BURST];

	for (uint32_t i = 0; i < times; i += BENCH_BURST) {
		for (unsigned j = 0; j < BENCH_BURST; j++) {
			at[j] = (uint32_t)((bench_mix(seed + i + j) >> 32) * s->n >> 32);
			prefetch_line(&s->blocks[at[j]]);
			prefetch_line(&s->sizes[at[j]]);
		}
		for (unsigned j = 0; j < BENCH_BURST; j++) {
			uint8_t *old = s->blocks[at[j]];
			uint16_t old_size = s->sizes[at[j]];
			put(s, m, at[j], size_of(seed + i + j));
			if (old != NULL) {
				s->asked -= old_size;
				m->free(m->ctx, old, old_size);
			}
		}
	}
	return bench_ns() - start;
}

static uint64_t resident(void)
{
	uint64_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	char line[128];

	// "size resident ...", in pages
	if (f != NULL && fgets(line, sizeof(line), f) != NULL && strchr(line, ' ') != NULL)
		pages = strtoull(strchr(line, ' '), NULL, 10);
	if (f != NULL)
		fclose(f);
	return pages * 4096;
}

static void print_bytes(const struct set *s, const struct store *m, uint64_t taken,
			const char *what)
{
	struct bench_series over = {.bench = what, .of = m->of, .n = s->n, .unit = "percent"};

	bench_add(&over, ((double)taken / (double)s->asked - 1) * 100);
	bench_print(&over);
}

static void measure(struct set *s, const struct store *m)
{
	struct bench_series fill = {.bench = "text_store", .of = m->of, .n = s->n, .unit = "ns"};
	struct bench_series swap = {
		.bench = "text_free_store", .of = m->of, .n = s->n, .unit = "ns"};
	uint64_t before = resident();
	uint32_t times = (s->n < 4000000 ? s->n : 4000000) / BENCH_BURST * BENCH_BURST;

	s->asked = 0;
	s->failed = 0;
	uint64_t start = bench_ns();
	for (uint32_t i = 0; i < s->n; i++)
		put(s, m, i, size_of(i));
	bench_add(&fill, (double)(bench_ns() - start) / s->n);
	for (unsigned run = 0; run < s->runs; run++)
		bench_add(&swap, (double)churn(s, m, times, (uint64_t)run << 40) / times);
	bench_print(&fill);
	bench_print(&swap);
	if (m->ctx != NULL) {
		struct arena_stats stats;
		arena_stats(m->ctx, &stats);
		print_bytes(s, m, stats.allocated - stats.cached, "text_bytes_over_asked_blocks");
		print_bytes(s, m, stats.active, "text_bytes_over_asked_pages");
		print_bytes(s, m, stats.mapped, "text_bytes_over_asked_taken");
	} else {
		print_bytes(s, m, resident() - before, "text_bytes_over_asked_taken");
	}
	if (s->failed != 0)
		fprintf(stderr, "arena_bench: %lu blocks failed\n", s->failed);
	for (uint32_t i = 0; i < s->n; i++)
		drop(s, m, i);
}

int main(int argc, char **argv)
{
	struct set s = {.n = (uint32_t)bench_option(argc, argv, "--n", 200000)};
	size_t blocks_size = s.n * sizeof(*s.blocks), sizes_size = s.n * sizeof(*s.sizes);
	struct arena *a = NULL;
	char warning[128];

	s.runs = bench_runs(argc, argv);
	s.blocks = bench_memory(blocks_size);
	s.sizes = bench_memory(sizes_size);
	s.text = bench_memory(MOST);
	if (arena_create(&a, s.n * 800UL + (64 << 20), ARENA_PAGES_HUGE, warning,
			 sizeof(warning)) != 0)
		return 1;
	if (warning[0] != '\0')
		fprintf(stderr, "%s\n", warning);
	arena_populate(a, SIZE_MAX);
	measure(&s, &(struct store){"verge", alloc_arena, free_arena, a});
	arena_destroy(a);
	measure(&s, &(struct store){"malloc (jemalloc)", alloc_malloc, free_malloc, NULL});
	return 0;
}
