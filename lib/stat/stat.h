// SPDX-License-Identifier: BSD-3-Clause
// The counters of a worker and of a trunk on a worker, expanded from stats.def and trunk_stats.def.
// Each struct has one writer, the worker that owns it; control sums over workers with relaxed
// loads, so that nothing waits and a counter is never torn. Memory is the caller's and starts
// zeroed.
#pragma once

#include <stddef.h>

#include "stat/histogram.h"

enum stat_kind { STAT_COUNTER, STAT_SECONDS, STAT_SPARSE, STAT_GAUGE };
enum stat_scope { STAT_EACH, STAT_ALL };

enum {
#define STAT(field, ...) WORKER_STAT_##field,
#include "stat/stats.def"
	WORKER_STATS_N
};
enum {
#define TRUNK_STAT(field, ...) TRUNK_STAT_##field,
#include "stat/trunk_stats.def"
	TRUNK_STATS_N
};
enum {
#define HISTOGRAM(field, ...) WORKER_HISTOGRAM_##field,
#include "stat/stats.def"
	WORKER_HISTOGRAMS_N
};

struct worker_stats {
	union {
		struct {
#define STAT(field, ...) uint64_t field;
#include "stat/stats.def"
		};
		uint64_t value[WORKER_STATS_N]; // index: WORKER_STAT_field
	};
	union {
		struct {
#define HISTOGRAM(field, ...) struct histogram field;
#include "stat/stats.def"
		};
		struct histogram histogram[WORKER_HISTOGRAMS_N];
	};
};

struct trunk_stats {
	union {
		struct {
#define TRUNK_STAT(field, ...) uint64_t field;
#include "stat/trunk_stats.def"
		};
		uint64_t value[TRUNK_STATS_N]; // index: TRUNK_STAT_field
	};
};

// Indices into runs of rows: stat_add(&t->value[TRUNK_STAT_calls_in_answered + CALL_RESULT_BUSY],
// 1).
enum call_result {
	CALL_RESULT_ANSWERED,
	CALL_RESULT_BUSY,      // 486, 600
	CALL_RESULT_NO_ANSWER, // 408, 480, or nothing came
	CALL_RESULT_CANCELLED, // 487
	CALL_RESULT_REJECTED,  // other 4xx, 603, 604, 606
	CALL_RESULT_FAILED,    // 5xx
	CALL_RESULT_NO_ROUTE,
	CALL_RESULT_LIMITED, // capacity, limits.calls, limits.cps
};
enum refresh_result { REFRESH_RESULT_OK, REFRESH_RESULT_RETRY, REFRESH_RESULT_FAILED };

// Index of the row that counts a final response to a refresh; status 0 is a timeout.
unsigned stat_refresh_code(unsigned status);
// The call_result of a final status of an INVITE, 200-699.
enum call_result stat_call_result(unsigned status);

// Thread: the writer only; a plain addition in machine code.
// NOLINTNEXTLINE(readability-non-const-parameter): __atomic_store_n() writes
static inline void stat_add(uint64_t *counter, uint64_t n)
{
	// relaxed: only this thread writes; readers need the value and no order.
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline void stat_sub(uint64_t *gauge, uint64_t n)
{
	stat_add(gauge, 0 - n);
}

// NOLINTNEXTLINE(readability-non-const-parameter): __atomic_store_n() writes
static inline void stat_set(uint64_t *gauge, uint64_t v)
{
	__atomic_store_n(gauge, v, __ATOMIC_RELAXED); // relaxed: as in stat_add()
}

// Any thread.
static inline uint64_t stat_read(const uint64_t *counter)
{
	return __atomic_load_n(counter,
			       __ATOMIC_RELAXED); // relaxed: one value, no order with others
}

// *sum += *w, field by field. Thread: any but a writer of *sum.
void stat_worker_sum(struct worker_stats *sum, const struct worker_stats *w);
void stat_trunk_sum(struct trunk_stats *sum, const struct trunk_stats *t);

// A row of the tables, for whoever prints all of them.
struct stat_row {
	const char *field;  // "calls_in_busy"
	const char *metric; // "verge_calls_total"
	const char *labels; // of the row, without the one that names the worker or trunk; may be ""
	const char *help;   // "" in all rows of a metric but the first
	enum stat_kind kind;
	enum stat_scope scope; // of a trunk's row always STAT_ALL
};
struct stat_histogram_row {
	const char *field;
	const char *metric;
	const char *help;
	const struct histogram_bounds *bounds;
};
extern const struct stat_row stat_worker_rows[WORKER_STATS_N];
extern const struct stat_row stat_trunk_rows[TRUNK_STATS_N];
extern const struct stat_histogram_row stat_histogram_rows[WORKER_HISTOGRAMS_N];
