// SPDX-License-Identifier: BSD-3-Clause
// Histograms with fixed bounds. No I/O, no allocation.
#include "stat/histogram.h"

#include "stat/stat.h"

#define MS 1000ull
#define S  1000000ull

const struct histogram_bounds histogram_SETUP = {{10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS,
						  500 * MS, 1 * S, 2 * S, 3 * S, 5 * S, 8 * S,
						  13 * S, 20 * S, 32 * S, 60 * S, 180 * S}};
const struct histogram_bounds histogram_RTT = {{500, 1 * MS, 2 * MS, 5 * MS, 10 * MS, 20 * MS,
						50 * MS, 100 * MS, 200 * MS, 500 * MS, 1 * S, 2 * S,
						4 * S, 8 * S, 16 * S, 32 * S}};
const struct histogram_bounds histogram_SLACK = {
	{1 * S, 5 * S, 10 * S, 20 * S, 32 * S, 45 * S, 60 * S, 90 * S, 120 * S, 300 * S, 600 * S,
	 900 * S, 1800 * S, 3600 * S, 14400 * S, 86400 * S}};
const struct histogram_bounds histogram_LATENESS = {{100, 200, 500, 1 * MS, 2 * MS, 5 * MS, 10 * MS,
						     20 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS,
						     1 * S, 5 * S, 20 * S, 60 * S}};

static unsigned bucket_of(const struct histogram_bounds *bounds, uint64_t us)
{
	unsigned lo = 0, hi = HISTOGRAM_BUCKETS - 1;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (us <= bounds->le_us[mid])
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

void histogram_add(struct histogram *h, const struct histogram_bounds *bounds, uint64_t us)
{
	stat_add(&h->bucket[bucket_of(bounds, us)], 1);
	stat_add(&h->sum_us, us);
}

void histogram_merge(struct histogram *sum, const struct histogram *h)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum->bucket[i] += stat_read(&h->bucket[i]);
	sum->sum_us += stat_read(&h->sum_us);
}

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		n += stat_read(&h->bucket[i]);
	return n;
}

uint64_t histogram_quantile(const struct histogram *h, const struct histogram_bounds *bounds,
			    unsigned q_pm)
{
	uint64_t n = histogram_count(h), below = 0, rank;

	if (n == 0)
		return 0;
	rank = (n * q_pm + 999) / 1000;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		uint64_t in = stat_read(&h->bucket[i]), from = i != 0 ? bounds->le_us[i - 1] : 0;

		if (in != 0 && below + in >= rank)
			return from + (bounds->le_us[i] - from) * (rank - below) / in;
		below += in;
	}
	return bounds->le_us[HISTOGRAM_BUCKETS - 2];
}
