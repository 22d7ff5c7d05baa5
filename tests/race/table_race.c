// SPDX-License-Identifier: BSD-3-Clause
// One writer and two readers on lib/table: entries that stay in must be found at every moment,
// while entries around them come and go and push them from bucket to bucket. Run plain and under
// TSan. Usage: table_race [MILLISECONDS]
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "table/table.h"

// Few hashes with many entries each: the buckets are crowded and nearly every insert moves
// something.
#define HASHES	60
#define COPIES	12
#define KEYS	(HASHES * COPIES)
#define STAYING (KEYS / 2)
#define READERS 2

struct race {
	struct table *table;
	_Atomic bool stop; // W: main, R: all
};

// One thread's; main reads it after the join.
struct runner {
	struct race *race;
	uint64_t turns;	  // lookups, or writes
	uint64_t lost;	  // lookups that missed a staying entry
	uint64_t strange; // candidates that were never inserted
};

static uint64_t hash_of(uint64_t i)
{
	i += 0x9e3779b97f4a7c15;
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9;
	i = (i ^ i >> 27) * 0x94d049bb133111eb;
	return i ^ i >> 31;
}

static bool race_over(struct race *r)
{
	// relaxed: a flag, nothing is published by it.
	return atomic_load_explicit(&r->stop, memory_order_relaxed);
}

static void *race_read(void *arg)
{
	struct runner *me = arg;

	for (uint32_t k = 0; !race_over(me->race); k = (k + 1) % STAYING) {
		uint32_t out[TABLE_CANDIDATES];
		unsigned n = table_find(me->race->table, hash_of(k % HASHES), out);
		bool found = false;
		for (unsigned i = 0; i < n; i++) {
			found |= out[i] == k;
			me->strange += out[i] >= KEYS;
		}
		me->lost += !found;
		me->turns++;
	}
	return NULL;
}

static void *race_write(void *arg)
{
	struct runner *me = arg;
	struct table *t = me->race->table;
	bool in[KEYS] = {false};

	for (; !race_over(me->race); me->turns++) {
		uint64_t random = hash_of(me->turns);
		uint32_t k = STAYING + (uint32_t)(random % (KEYS - STAYING));
		uint64_t hash = hash_of(k % HASHES);
		if (!in[k])
			in[k] = table_insert(t, hash, k) == 0;
		else if (random >> 62 == 0)
			in[k] = table_delete(t, hash, k) != 0;
	}
	return NULL;
}

static bool race_run(struct race *r, long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};
	struct runner runners[1 + READERS] = {0};
	pthread_t threads[1 + READERS];
	bool good = true;

	for (unsigned i = 0; i < 1 + READERS; i++) {
		runners[i].race = r;
		if (pthread_create(&threads[i], NULL, i == 0 ? race_write : race_read,
				   &runners[i]) != 0)
			abort();
	}
	nanosleep(&time, NULL);
	// relaxed: see race_over().
	atomic_store_explicit(&r->stop, true, memory_order_relaxed);
	for (unsigned i = 0; i < 1 + READERS; i++) {
		struct runner *one = &runners[i];
		pthread_join(threads[i], NULL);
		printf("%s: %lu turns, %lu lost, %lu strange\n", i == 0 ? "writer" : "reader",
		       one->turns, one->lost, one->strange);
		good &= one->turns != 0 && one->lost == 0 && one->strange == 0;
	}
	return good;
}

int main(int argc, char **argv)
{
	struct race r = {0};
	void *mem = aligned_alloc(64, table_footprint(KEYS));

	if (mem == NULL)
		return 2;
	r.table = table_init(mem, KEYS);
	for (uint32_t k = 0; k < STAYING; k++) {
		if (table_insert(r.table, hash_of(k % HASHES), k) != 0)
			return 2;
	}
	bool good = race_run(&r, argc > 1 ? strtol(argv[1], NULL, 10) : 1000);
	good &= table_check(r.table) == 0;
	free(mem);
	return good ? 0 : 1;
}
