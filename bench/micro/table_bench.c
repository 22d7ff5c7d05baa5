// SPDX-License-Identifier: BSD-3-Clause
// The hash index beside DPDK's rte_hash (lock-free, 16-byte keys): insert, look-up in bursts and
// alone, delete, memory, and a reader while a writer runs. Our look-ups read the 64-byte record and
// compare the 16-byte key there; rte_hash compares in its own key store and then reads the record
// too. Usage: table_bench [--n ENTRIES] [--runs RUNS] [--rte 0|1]
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>

#include "base/prefetch.h"
#include "bench_set.h"
#include "dataplane/eal.h"
#include "table/table.h"

#define ABSENT	   (1ULL << 40) // keys from here on are never in
#define PEER_BYTES 96		// of an rte_hash entry, key store and buckets, with room to spare

struct key {
	uint64_t word[2];
};

struct record {
	alignas(64) struct key key;
	uint64_t value;
};

struct set {
	uint32_t n; // multiple of BENCH_BURST
	unsigned runs;
	uint32_t *order;
	struct record *records;
	size_t table_size;
	void *table_mem;
	struct table *table;
	struct rte_hash *hash;
	uint64_t sum; // keeps the compiler from leaving reads out
};

static struct key key_of(uint64_t i)
{
	return (struct key){{bench_mix(i), i}};
}

static struct bench_series series(const struct set *s, const char *bench, const char *of,
				  const char *unit)
{
	return (struct bench_series){.bench = bench, .of = of, .n = s->n, .unit = unit};
}

static double per(uint64_t ns, uint64_t n)
{
	return (double)ns / (double)n;
}

#define FOR_BURSTS(first, n) \
	for (uint32_t first = 0; first + BENCH_BURST <= (n); first += BENCH_BURST)

static bool record_is(const struct set *s, uint32_t index, const struct key *key)
{
	const struct record *r = &s->records[index];

	return r->key.word[0] == key->word[0] && r->key.word[1] == key->word[1];
}

// One look-up to the end: the record with this key, or NULL.
static const struct record *verge_find(const struct set *s, const struct key *key)
{
	uint32_t found[TABLE_CANDIDATES];
	unsigned n = table_find(s->table, key->word[0], found);

	for (unsigned i = 0; i < n; i++) {
		if (record_is(s, found[i], key))
			return &s->records[found[i]];
	}
	return NULL;
}

// A burst as a worker does it: fetch the buckets, find, fetch the records, compare.
static uint64_t verge_find_burst(const struct set *s, const uint32_t *ids, uint64_t offset)
{
	uint32_t found[BENCH_BURST][TABLE_CANDIDATES];
	unsigned n_found[BENCH_BURST];
	struct key keys[BENCH_BURST];
	uint64_t sum = 0;

	for (unsigned i = 0; i < BENCH_BURST; i++) {
		keys[i] = key_of(offset + ids[i]);
		table_prefetch(s->table, keys[i].word[0]);
	}
	for (unsigned i = 0; i < BENCH_BURST; i++) {
		n_found[i] = table_find(s->table, keys[i].word[0], found[i]);
		for (unsigned j = 0; j < n_found[i]; j++)
			prefetch_line(&s->records[found[i][j]]);
	}
	for (unsigned i = 0; i < BENCH_BURST; i++) {
		for (unsigned j = 0; j < n_found[i]; j++) {
			if (record_is(s, found[i][j], &keys[i]))
				sum += s->records[found[i][j]].value;
		}
	}
	return sum;
}

static uint64_t verge_find_all(struct set *s, uint64_t offset)
{
	uint64_t start = bench_ns();

	FOR_BURSTS(at, s->n)
	s->sum += verge_find_burst(s, s->order + at, offset);
	return bench_ns() - start;
}

static uint64_t verge_find_alone(struct set *s)
{
	uint64_t start = bench_ns();

	for (uint32_t i = 0; i < s->n; i++) {
		struct key key = key_of(s->order[i]);
		const struct record *r = verge_find(s, &key);
		s->sum += r != NULL ? r->value : 0;
		_mm_lfence();
	}
	return bench_ns() - start;
}

static uint64_t verge_write_all(struct set *s, bool insert)
{
	uint64_t start = bench_ns();
	int failed = 0;

	FOR_BURSTS(at, s->n)
	{
		for (uint32_t i = at; i < at + BENCH_BURST; i++)
			table_prefetch(s->table, bench_mix(s->order[i]));
		for (uint32_t i = at; i < at + BENCH_BURST; i++) {
			uint64_t hash = bench_mix(s->order[i]);
			int rc = insert ? table_insert(s->table, hash, s->order[i])
					: table_delete(s->table, hash, s->order[i]);
			failed += rc != 0;
		}
	}
	if (failed != 0)
		fprintf(stderr, "table_bench: %d writes failed\n", failed);
	return bench_ns() - start;
}

static void bench_verge(struct set *s)
{
	struct bench_series insert = series(s, "table_insert_burst", "verge", "ns");
	struct bench_series hit = series(s, "table_hit_burst", "verge", "ns");
	struct bench_series miss = series(s, "table_miss_burst", "verge", "ns");
	struct bench_series alone = series(s, "table_hit_isolated", "verge", "ns");
	struct bench_series delete = series(s, "table_delete_burst", "verge", "ns");
	struct bench_series bytes = series(s, "table_bytes_per_entry", "verge", "bytes");

	for (unsigned run = 0; run < s->runs; run++) {
		s->table = table_init(s->table_mem, s->n);
		bench_add(&insert, per(verge_write_all(s, true), s->n));
		bench_add(&hit, per(verge_find_all(s, 0), s->n));
		bench_add(&miss, per(verge_find_all(s, ABSENT), s->n));
		bench_add(&alone, per(verge_find_alone(s), s->n));
		bench_add(&delete, per(verge_write_all(s, false), s->n));
	}
	bench_add(&bytes, (double)s->table_size / s->n);
	bench_print(&insert);
	bench_print(&hit);
	bench_print(&miss);
	bench_print(&alone);
	bench_print(&delete);
	bench_print(&bytes);
}

static uint64_t rte_find_burst(const struct set *s, const uint32_t *ids, uint64_t offset)
{
	const void *at[BENCH_BURST];
	struct key keys[BENCH_BURST];
	void *found[BENCH_BURST] = {0};
	uint64_t hits = 0, sum = 0;

	for (unsigned i = 0; i < BENCH_BURST; i++) {
		keys[i] = key_of(offset + ids[i]);
		at[i] = &keys[i];
	}
	rte_hash_lookup_bulk_data(s->hash, at, BENCH_BURST, &hits, found);
	for (unsigned i = 0; i < BENCH_BURST; i++) {
		if (hits >> i & 1)
			prefetch_line(found[i]);
	}
	for (unsigned i = 0; i < BENCH_BURST; i++) {
		if (hits >> i & 1)
			sum += ((const struct record *)found[i])->value;
	}
	return sum;
}

static uint64_t rte_find_all(struct set *s, uint64_t offset)
{
	uint64_t start = bench_ns();

	FOR_BURSTS(at, s->n)
	s->sum += rte_find_burst(s, s->order + at, offset);
	return bench_ns() - start;
}

static uint64_t rte_insert_all(struct set *s)
{
	uint64_t start = bench_ns();
	int failed = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		struct key key = key_of(s->order[i]);
		failed += rte_hash_add_key_data(s->hash, &key, &s->records[s->order[i]]) != 0;
	}
	if (failed != 0)
		fprintf(stderr, "table_bench: %d rte_hash inserts failed\n", failed);
	return bench_ns() - start;
}

static bool rte_delete(struct set *s, uint32_t id)
{
	struct key key = key_of(id);
	int32_t position = rte_hash_del_key(s->hash, &key);

	return position >= 0 && rte_hash_free_key_with_position(s->hash, position) == 0;
}

static uint64_t rte_delete_all(struct set *s)
{
	uint64_t start = bench_ns();
	int failed = 0;

	for (uint32_t i = 0; i < s->n; i++)
		failed += !rte_delete(s, s->order[i]);
	if (failed != 0)
		fprintf(stderr, "table_bench: %d rte_hash deletes failed\n", failed);
	return bench_ns() - start;
}

static bool rte_make(struct set *s)
{
	const struct rte_hash_parameters params = {
		.name = "bench",
		.entries = s->n / 5 * 6,
		.key_len = sizeof(struct key),
		.hash_func = rte_hash_crc,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};

	s->hash = rte_hash_create(&params);
	if (s->hash == NULL)
		fprintf(stderr, "table_bench: rte_hash: %s\n", rte_strerror(rte_errno));
	return s->hash != NULL;
}

static void bench_rte_hash(struct set *s)
{
	struct bench_series insert = series(s, "table_insert_burst", "rte_hash LF", "ns");
	struct bench_series hit = series(s, "table_hit_burst", "rte_hash LF", "ns");
	struct bench_series miss = series(s, "table_miss_burst", "rte_hash LF", "ns");
	struct bench_series delete = series(s, "table_delete_burst", "rte_hash LF", "ns");

	for (unsigned run = 0; run < s->runs; run++) {
		bench_add(&insert, per(rte_insert_all(s), s->n));
		bench_add(&hit, per(rte_find_all(s, 0), s->n));
		bench_add(&miss, per(rte_find_all(s, ABSENT), s->n));
		bench_add(&delete, per(rte_delete_all(s), s->n));
	}
	bench_print(&insert);
	bench_print(&hit);
	bench_print(&miss);
	bench_print(&delete);
}

// Two threads: a writer that deletes and inserts random keys of the second half as fast as it can,
// and a reader on the first half, whose entries share their lines with those and are moved by it.
struct pair {
	struct set *s;
	struct table
		*table; // the writer's: the reader's, or another one to see what the memory costs
	bool rte;
	bool paced;	   // the writer does a million a second, many times what calls need
	_Atomic bool stop; // W: main thread, R: writer
	double writer_ns;  // per delete and insert; read after the join
};

static void pair_write(struct pair *p, uint32_t id)
{
	struct set *s = p->s;

	if (p->rte) {
		struct key key = key_of(id);
		rte_delete(s, id);
		rte_hash_add_key_data(s->hash, &key, &s->records[id]);
	} else {
		table_delete(p->table, bench_mix(id), id);
		table_insert(p->table, bench_mix(id), id);
	}
}

static double pair_write_some(struct pair *p, uint64_t most)
{
	const struct set *s = p->s;
	uint64_t start = bench_ns();
	uint64_t done = 0;

	// relaxed: a flag, nothing is published by it.
	while (done < most && !atomic_load_explicit(&p->stop, memory_order_relaxed)) {
		const uint32_t *ids = s->order + s->n / 2 + done % (s->n / 2);
		for (unsigned i = 0; i < BENCH_BURST && !p->rte; i++)
			table_prefetch(p->table, bench_mix(ids[i]));
		for (unsigned i = 0; i < BENCH_BURST; i++)
			pair_write(p, ids[i]);
		done += BENCH_BURST;
		for (uint64_t began = bench_wall_ns(); p->paced && bench_wall_ns() - began < 31000;)
			_mm_pause();
	}
	return per(bench_ns() - start, done);
}

static void *pair_writer(void *arg)
{
	struct pair *p = arg;
	cpu_set_t cpus;

	// main() is on CPU 0, where EAL pins it too.
	CPU_ZERO(&cpus);
	CPU_SET(1, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	p->writer_ns = pair_write_some(p, UINT64_MAX);
	return NULL;
}

static double pair_read_bursts(struct pair *p)
{
	struct set *s = p->s;
	uint64_t start = bench_ns();

	FOR_BURSTS(at, s->n / 2)
	{
		if (p->rte)
			s->sum += rte_find_burst(s, s->order + at, 0);
		else
			s->sum += verge_find_burst(s, s->order + at, 0);
	}
	return per(bench_ns() - start, s->n / 2);
}

// One by one, each key known only when the one before was found.
static double pair_read_chain(struct pair *p)
{
	struct set *s = p->s;
	uint64_t start = bench_ns();
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->n / 2; i++) {
		struct key key = key_of(s->order[i] + (sum >> 63));
		void *found = NULL;
		if (p->rte) {
			rte_hash_lookup_data(s->hash, &key, &found);
			sum += found != NULL ? ((const struct record *)found)->value : 0;
		} else {
			const struct record *r = verge_find(s, &key);
			sum += r != NULL ? r->value : 0;
		}
	}
	s->sum += sum;
	return per(bench_ns() - start, s->n / 2);
}

struct pair_series {
	struct bench_series burst, chain, write;
};

static void pair_beside_writer(struct pair *p, struct pair_series *to)
{
	pthread_t thread;

	atomic_init(&p->stop, false);
	if (pthread_create(&thread, NULL, pair_writer, p) != 0)
		return;
	bench_add(&to->burst, pair_read_bursts(p));
	bench_add(&to->chain, pair_read_chain(p));
	// relaxed: see pair_write_some().
	atomic_store_explicit(&p->stop, true, memory_order_relaxed);
	pthread_join(thread, NULL);
	bench_add(&to->write, p->writer_ns);
}

static void pair_print(const struct pair_series *p)
{
	bench_print(&p->burst);
	bench_print(&p->chain);
	bench_print(&p->write);
}

static void bench_pair(struct set *s, bool rte)
{
	const char *of = rte ? "rte_hash LF" : "verge";
	struct pair_series lone = {
		series(s, "table_hit_burst_lone", of, "ns"),
		series(s, "table_hit_chain_lone", of, "ns"),
		series(s, "table_delete_insert_lone", of, "ns"),
	};
	struct pair_series busy = {
		series(s, "table_hit_burst_beside_writer", of, "ns"),
		series(s, "table_hit_chain_beside_writer", of, "ns"),
		series(s, "table_delete_insert_beside_reader", of, "ns"),
	};
	struct pair_series apart = {
		series(s, "table_hit_burst_beside_writer_elsewhere", of, "ns"),
		series(s, "table_hit_chain_beside_writer_elsewhere", of, "ns"),
		series(s, "table_delete_insert_beside_reader_elsewhere", of, "ns"),
	};
	struct pair_series paced = {
		series(s, "table_hit_burst_beside_1M_writes_per_s", of, "ns"),
		series(s, "table_hit_chain_beside_1M_writes_per_s", of, "ns"),
	};
	struct table *mine = s->table;
	void *mem = rte ? NULL : bench_memory(s->table_size);

	if (!rte) {
		s->table = table_init(mem, s->n);
		verge_write_all(s, true);
	}
	for (unsigned run = 0; run < s->runs; run++) {
		struct pair p = {.s = s, .table = s->table, .rte = rte};
		bench_add(&lone.write, pair_write_some(&p, s->n / 2));
		bench_add(&lone.burst, pair_read_bursts(&p));
		bench_add(&lone.chain, pair_read_chain(&p));
		pair_beside_writer(&p, &busy);
		p.paced = true;
		pair_beside_writer(&p, &paced);
		paced.write.count = 0; // the pace, not a cost
		p.paced = false;
		p.table = mine;
		if (!rte)
			pair_beside_writer(&p, &apart);
	}
	pair_print(&lone);
	pair_print(&busy);
	pair_print(&paced);
	pair_print(&apart);
	s->table = mine;
	if (!rte)
		bench_release(mem, s->table_size);
}

// rte_hash takes its memory from EAL: hugepages if enough are free, else ordinary pages, as
// bench_memory() does for ours.
static bool peer_start(uint32_t n)
{
	uint64_t bytes = (uint64_t)n * PEER_BYTES + (256ull << 20);
	char program[] = "bench", pci[] = "--no-pci", core[] = "-l0", shared[] = "--no-shconf",
	     quiet[] = "--log-level=error", telemetry[] = "--no-telemetry", mib[24],
	     huge[] = "--in-memory", plain[] = "--no-huge", size[] = "-m";
	char *argv[10] = {program, pci, core, quiet, telemetry};
	int argc = 5;

	snprintf(mib, sizeof(mib), "%llu", (unsigned long long)bytes >> 20);
	if (eal_free_hugepages() >= bytes) {
		argv[argc++] = huge;
	} else {
		argv[argc++] = plain;
		argv[argc++] = shared;
		argv[argc++] = size;
		argv[argc++] = mib;
	}
	if (rte_eal_init(argc, argv) < 0)
		return false;
	(void)rmdir(rte_eal_get_runtime_dir()); // EAL leaves it, and here it stays empty
	return true;
}

int main(int argc, char **argv)
{
	struct set s = {.n = (uint32_t)bench_option(argc, argv, "--n", 200000)};
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);

	s.n = s.n < 2 * BENCH_BURST ? 2 * BENCH_BURST : s.n / (2 * BENCH_BURST) * (2 * BENCH_BURST);
	s.runs = bench_runs(argc, argv);
	s.order = bench_order(s.n, 1);
	s.records = bench_memory((size_t)s.n * sizeof(*s.records));
	for (uint32_t i = 0; i < s.n; i++)
		s.records[i] = (struct record){.key = key_of(i), .value = i};
	s.table_size = table_footprint(s.n);
	s.table_mem = bench_memory(s.table_size);
	bench_verge(&s);
	verge_write_all(&s, true);
	bench_pair(&s, false);
	if (bench_option(argc, argv, "--rte", 1) != 0) {
		if (!peer_start(s.n) || !rte_make(&s))
			return 1;
		bench_rte_hash(&s);
		rte_insert_all(&s);
		bench_pair(&s, true);
		rte_hash_free(s.hash);
		rte_eal_cleanup();
	}
	return s.sum == 0;
}
