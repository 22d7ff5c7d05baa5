// SPDX-License-Identifier: BSD-3-Clause
// A histogram of durations with fixed bounds.
// One writer (a worker); control reads with relaxed loads and adds workers together. Values are
// microseconds. No allocation; adding costs one search among 16 bounds.
#pragma once

#include <stdint.h>

#define HISTOGRAM_BUCKETS 17 // the last one is above all bounds

// Upper bounds in us, ascending; a value equal to a bound is in its bucket (le).
struct histogram_bounds {
	uint64_t le_us[HISTOGRAM_BUCKETS - 1];
};

extern const struct histogram_bounds histogram_SETUP;	 // 10 ms .. 180 s
extern const struct histogram_bounds histogram_RTT;	 // 500 us .. 32 s
extern const struct histogram_bounds histogram_SLACK;	 // 1 s .. 1 day
extern const struct histogram_bounds histogram_LATENESS; // 100 us .. 60 s

struct histogram {
	uint64_t bucket[HISTOGRAM_BUCKETS]; // W: worker, R: control (relaxed); not cumulative
	uint64_t sum_us;		    // W: worker, R: control (relaxed)
};

// Thread: the writer only.
void histogram_add(struct histogram *h, const struct histogram_bounds *bounds, uint64_t us);

// *sum += *h. Any thread; the result may lack values that are being added meanwhile.
void histogram_merge(struct histogram *sum, const struct histogram *h);

// How many values it holds.
uint64_t histogram_count(const struct histogram *h);

// The q-th thousandth (500 = median) in us, interpolated inside its bucket; 0 when empty. Above the
// last bound the answer is the last bound.
uint64_t histogram_quantile(const struct histogram *h, const struct histogram_bounds *bounds,
			    unsigned q_pm);
