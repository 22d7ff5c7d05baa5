// SPDX-License-Identifier: BSD-3-Clause
// The frame of the micro benchmarks: each measures one call on prepared input and prints one JSON
// line; it judges nothing. One program, one thread.
//
//   BENCH(sip_msg_parse, 64) // calls per batch; the time of a batch is one sample
//   {
//           bench_keep(sip_msg_parse(&m, msgs[i % N_MSGS]));
//   }
//   BENCH_MAIN(prepare) // void prepare(void) runs first
//
// i counts the calls from 0 on. Arguments of a program: [--once] [part of a name]...; --once runs
// one batch of each, so that a build can show that the benchmarks still run. Before a run, warm-up;
// then batches until BENCH_NS have passed.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_NS      300000000u
#define BENCH_SAMPLES 65536

struct bench {
	const char *name;
	unsigned batch;
	void (*run)(uint64_t first); // calls first .. first + batch - 1
	struct bench *next;
};

static struct bench *bench_first, **bench_last = &bench_first;

// The compiler must work x out, and may not move memory accesses across.
#define bench_keep(x) __asm__("" : : "g"(x) : "memory")

#define BENCH(id, calls)                                                               \
	static inline __attribute__((always_inline)) void bench_body_##id(uint64_t i); \
	static void bench_run_##id(uint64_t first)                                     \
	{                                                                              \
		for (uint64_t n = first; n < first + (calls); n++)                     \
			bench_body_##id(n);                                            \
	}                                                                              \
	__attribute__((constructor)) static void bench_add_##id(void)                  \
	{                                                                              \
		static struct bench b = {#id, (calls), bench_run_##id, NULL};          \
		*bench_last = &b;                                                      \
		bench_last = &b.next;                                                  \
	}                                                                              \
	static inline __attribute__((always_inline)) void bench_body_##id(uint64_t i)

static inline uint64_t bench_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t bench_cycles(void)
{
#ifdef __x86_64__
	unsigned cpu;

	return __builtin_ia32_rdtscp(&cpu);
#else
	return bench_ns();
#endif
}

static int bench_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void bench_print_cpu(void)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256] = "", *name = NULL;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "model name", 10) == 0 && (name = strchr(line, ':')) != NULL)
			break;
	if (f != NULL)
		fclose(f);
	if (name != NULL)
		name[strcspn(name, "\n")] = 0;
	printf("\"%s\"", name != NULL ? name + 2 : "unknown");
}

static void bench_measure(const struct bench *b, bool once)
{
	static uint64_t samples[BENCH_SAMPLES];
	uint64_t n = 0, call = 0, cycles = 0, start;
	unsigned warm_up = once ? 0 : 16;

	for (; warm_up > 0; warm_up--, call += b->batch)
		b->run(call);
	start = bench_ns();
	do {
		uint64_t before = bench_cycles();

		b->run(call);
		samples[n++] = bench_cycles() - before;
		cycles += samples[n - 1];
		call += b->batch;
	} while (!once && n < BENCH_SAMPLES && bench_ns() - start < BENCH_NS);

	double ns_per_cycle = (double)(bench_ns() - start) / (double)cycles;
	double batch = b->batch;

	qsort(samples, n, sizeof(samples[0]), bench_compare);

	uint64_t middle = n / 2, high = n - 1 - n / 100;
	double p50 = (double)samples[middle], p99 = (double)samples[high];

	printf("{\"bench\":\"%s\",\"ns_p50\":%.1f,\"cycles_p50\":%.0f,\"cycles_p99\":%.0f,\"n\":%"
	       "lu,"
	       "\"cc\":\"%s\",\"cpu\":",
	       b->name, p50 * ns_per_cycle / batch, p50 / batch, p99 / batch,
	       (unsigned long)(n * b->batch), BENCH_CC);
	bench_print_cpu();
	printf("}\n");
	fflush(stdout);
}

static int bench_main(int argc, char **argv)
{
	bool once = argc > 1 && strcmp(argv[1], "--once") == 0;
	int first_name = once ? 2 : 1;

	for (const struct bench *b = bench_first; b != NULL; b = b->next) {
		bool wanted = first_name >= argc;

		for (int i = first_name; i < argc; i++)
			wanted |= strstr(b->name, argv[i]) != NULL;
		if (wanted)
			bench_measure(b, once);
	}
	return 0;
}

#define BENCH_MAIN(prepare)                    \
	int main(int argc, char **argv)        \
	{                                      \
		prepare();                     \
		return bench_main(argc, argv); \
	}
