// SPDX-License-Identifier: BSD-3-Clause
// A worker that counts and a control thread that sums, on lib/stat: no counter or histogram is ever
// seen to go back or torn, and after the join nothing is missing. Run plain and under TSan. Usage:
// stat_race [MILLISECONDS]
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stat/stat.h"

// Adding this moves both halves of a counter: one that is torn is out of step.
#define STEP 0x0000000100000001u

struct race {
	struct worker_stats worker; // W: writer, R: reader
	struct trunk_stats trunk;   // likewise
	_Atomic bool stop;	    // W: main, R: all
	uint64_t turns;		    // W: writer, R: main after the join
	uint64_t sums, faults;	    // W: reader, R: main after the join
};

static bool race_over(struct race *r)
{
	// relaxed: a flag, nothing is published by it.
	return atomic_load_explicit(&r->stop, memory_order_relaxed);
}

static void *race_count(void *arg)
{
	struct race *r = arg;

	for (; !race_over(r); r->turns++) {
		stat_add(&r->worker.messages, STEP);
		stat_set(&r->worker.calls, r->turns & 1 ? STEP : 0);
		stat_add(&r->trunk.value[TRUNK_STAT_calls_in_answered + r->turns % 8], 1);
		histogram_add(&r->worker.setup, &histogram_SETUP, (r->turns & 1023) * 1000);
	}
	return NULL;
}

static void *race_sum(void *arg)
{
	struct race *r = arg;
	uint64_t messages = 0, values = 0;

	for (; !race_over(r); r->sums++) {
		struct worker_stats w;
		struct trunk_stats t;

		memset(&w, 0, sizeof(w));
		memset(&t, 0, sizeof(t));
		stat_worker_sum(&w, &r->worker);
		stat_trunk_sum(&t, &r->trunk);
		r->faults += w.messages < messages || w.messages >> 32 != (uint32_t)w.messages;
		r->faults += w.calls != 0 && w.calls != STEP;
		r->faults += histogram_count(&w.setup) < values;
		messages = w.messages;
		values = histogram_count(&w.setup);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long ms = argc > 1 ? strtol(argv[1], NULL, 10) : 300;
	struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	static struct race race;
	pthread_t writer, reader;
	uint64_t attempts = 0;

	if (pthread_create(&writer, NULL, race_count, &race) != 0 ||
	    pthread_create(&reader, NULL, race_sum, &race) != 0)
		return 2;
	nanosleep(&wait, NULL);
	atomic_store_explicit(&race.stop, true, memory_order_relaxed); // relaxed: as in race_over()
	pthread_join(writer, NULL);
	pthread_join(reader, NULL);
	for (unsigned i = 0; i < 8; i++)
		attempts += race.trunk.value[TRUNK_STAT_calls_in_answered + i];
	race.faults += race.worker.messages != race.turns * STEP || attempts != race.turns ||
		       histogram_count(&race.worker.setup) != race.turns;
	printf("%llu turns, %llu sums, %llu faults\n", (unsigned long long)race.turns,
	       (unsigned long long)race.sums, (unsigned long long)race.faults);
	return race.faults != 0 || race.turns == 0 || race.sums == 0;
}
