// SPDX-License-Identifier: BSD-3-Clause
// Delays by 32 steps an octave: a quantile is at most 3 % too high.
#pragma once

#include <stdint.h>
#include <string.h>

#define HIST_STEP_BITS 5
#define HIST_ROWS      (64 << HIST_STEP_BITS)

struct hist {
	uint64_t n, max, row[HIST_ROWS];
};

static inline void hist_add(struct hist *h, uint64_t v)
{
	unsigned top =
		v < 1u << HIST_STEP_BITS ? 0 : 63u - (unsigned)__builtin_clzll(v) - HIST_STEP_BITS;

	h->n++;
	h->max = v > h->max ? v : h->max;
	h->row[((uint64_t)top << HIST_STEP_BITS) + (v >> top)]++;
}

// The value that a share of all does not exceed.
static inline uint64_t hist_quantile(const struct hist *h, double share)
{
	uint64_t want = (uint64_t)((double)h->n * share), seen = 0;

	for (uint64_t i = 0; i < HIST_ROWS; i++) {
		uint64_t top = i >> HIST_STEP_BITS;

		seen += h->row[i];
		if (seen <= want)
			continue;
		// Rows of the second octave on hold values with their top bit set.
		return top == 0 ? i : ((i & 31) | (1u << HIST_STEP_BITS)) << (top - 1);
	}
	return h->max;
}
