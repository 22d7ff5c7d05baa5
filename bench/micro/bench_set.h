// SPDX-License-Identifier: BSD-3-Clause
// What the benchmarks over large sets share (bench.h is for single calls on small input): a clock,
// memory in huge pages, options, and one JSON line a figure. A program repeats each measurement and
// prints the median with least and greatest; it judges nothing.
//
//	struct bench_series find = {.bench = "table_find", .of = "verge", .n = n, .unit = "ns"};
//	for (unsigned run = 0; run < runs; run++) {
//		uint64_t start = bench_ns();
//		...
//		bench_add(&find, (double)(bench_ns() - start) / n);
//	}
//	bench_print(&find);
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#define BENCH_BURST	32
#define BENCH_RUNS_MAX	64
#define BENCH_HUGE_PAGE ((size_t)2 << 20)

struct bench_series {
	const char *bench; // what was measured
	const char *of;	   // whose: "verge" or the peer's name
	uint64_t n;	   // size of the set that it worked on
	const char *unit;  // "ns" per operation, "us", "bytes", "ratio"
	unsigned count;
	double value[BENCH_RUNS_MAX];
};

// CPU time of this thread in ns: what other programs on the machine take is not in it. A system
// call of some 200 ns, so for batches.
static inline uint64_t bench_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline uint64_t bench_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// Value of "--name NUMBER", else fallback.
static inline uint64_t bench_option(int argc, char **argv, const char *name, uint64_t fallback)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], name) == 0)
			return strtoull(argv[i + 1], NULL, 10);
	}
	return fallback;
}

static inline unsigned bench_runs(int argc, char **argv)
{
	bool once = argc > 1 && strcmp(argv[1], "--once") == 0;

	return (unsigned)bench_option(argc, argv, "--runs", once ? 1 : 3);
}

// Zeroed and touched memory, from hugetlbfs, else transparent huge pages. Ends the program when
// there is none.
static inline void *bench_memory(size_t size)
{
	size_t whole = (size + BENCH_HUGE_PAGE - 1) & ~(BENCH_HUGE_PAGE - 1);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *mem = mmap(NULL, whole, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB, -1, 0);

	if (mem == MAP_FAILED) {
		mem = mmap(NULL, whole, PROT_READ | PROT_WRITE, flags, -1, 0);
		if (mem == MAP_FAILED) {
			perror("bench_memory");
			abort();
		}
		madvise(mem, whole, MADV_HUGEPAGE);
	}
	memset(mem, 0, whole);
	return mem;
}

static inline void bench_release(void *mem, size_t size)
{
	munmap(mem, (size + BENCH_HUGE_PAGE - 1) & ~(BENCH_HUGE_PAGE - 1));
}

// A mixing step (splitmix64): a fixed random number for each i.
static inline uint64_t bench_mix(uint64_t i)
{
	i += 0x9e3779b97f4a7c15;
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9;
	i = (i ^ i >> 27) * 0x94d049bb133111eb;
	return i ^ i >> 31;
}

// 0 .. n - 1 in random order, in memory of bench_memory().
static inline uint32_t *bench_order(uint32_t n, uint64_t seed)
{
	uint32_t *order = (uint32_t *)bench_memory((size_t)n * sizeof(*order));

	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = (uint32_t)((bench_mix(seed + i) >> 32) * (i + 1) >> 32);
		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

static inline void bench_add(struct bench_series *s, double value)
{
	unsigned at = s->count < BENCH_RUNS_MAX ? s->count++ : BENCH_RUNS_MAX - 1;

	for (; at > 0 && s->value[at - 1] > value; at--)
		s->value[at] = s->value[at - 1];
	s->value[at] = value;
}

static inline const char *bench_cpu(void)
{
	static char name[128];
	FILE *f = name[0] == '\0' ? fopen("/proc/cpuinfo", "r") : NULL;
	char line[256];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "model name : %127[^\n]", name) == 1)
			break;
	}
	if (f != NULL)
		fclose(f);
	return name;
}

static inline void bench_print(const struct bench_series *s)
{
	if (s->count == 0)
		return;
	printf("{\"bench\":\"%s\",\"of\":\"%s\",\"n\":%lu,\"unit\":\"%s\",\"p50\":%.4g,\"min\":%."
	       "4g,"
	       "\"max\":%.4g,\"runs\":%u,\"cc\":\"%s\",\"cpu\":\"%s\"}\n",
	       s->bench, s->of, s->n, s->unit, s->value[s->count / 2], s->value[0],
	       s->value[s->count - 1], s->count, BENCH_CC, bench_cpu());
	fflush(stdout);
}
