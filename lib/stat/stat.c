// SPDX-License-Identifier: BSD-3-Clause
// The tables of counters as rows, and sums over workers. No I/O, no allocation.
#include "stat/stat.h"

#include "stat/violation.h"

const struct stat_row stat_worker_rows[WORKER_STATS_N] = {
#define STAT(field, kind, scope, metric, labels, help) \
	[WORKER_STAT_##field] = {#field, "verge_" metric, labels, help, STAT_##kind, STAT_##scope},
#include "stat/stats.def"
};

const struct stat_row stat_trunk_rows[TRUNK_STATS_N] = {
#define TRUNK_STAT(field, kind, metric, labels, help) \
	[TRUNK_STAT_##field] = {#field, "verge_" metric, labels, help, STAT_##kind, STAT_ALL},
#include "stat/trunk_stats.def"
};

const struct stat_histogram_row stat_histogram_rows[WORKER_HISTOGRAMS_N] = {
#define HISTOGRAM(field, metric, bounds, help) \
	[WORKER_HISTOGRAM_##field] = {#field, "verge_" metric, help, &histogram_##bounds},
#include "stat/stats.def"
};

const struct violation_row violation_rows[VIOLATION_N] = {
#define VIOLATION(id, row, rfc, what) [VIOLATION_##id] = {rfc, what, TRUNK_STAT_##row},
#include "stat/violation.def"
};

unsigned stat_refresh_code(unsigned status)
{
	static const struct {
		uint16_t status, row;
	} codes[] = {
		{0, TRUNK_STAT_refresh_code_timeout}, {400, TRUNK_STAT_refresh_code_400},
		{401, TRUNK_STAT_refresh_code_401},   {403, TRUNK_STAT_refresh_code_403},
		{404, TRUNK_STAT_refresh_code_404},   {405, TRUNK_STAT_refresh_code_405},
		{407, TRUNK_STAT_refresh_code_407},   {408, TRUNK_STAT_refresh_code_408},
		{415, TRUNK_STAT_refresh_code_415},   {420, TRUNK_STAT_refresh_code_420},
		{422, TRUNK_STAT_refresh_code_422},   {481, TRUNK_STAT_refresh_code_481},
		{487, TRUNK_STAT_refresh_code_487},   {488, TRUNK_STAT_refresh_code_488},
		{491, TRUNK_STAT_refresh_code_491},   {500, TRUNK_STAT_refresh_code_500},
		{501, TRUNK_STAT_refresh_code_501},   {503, TRUNK_STAT_refresh_code_503},
		{504, TRUNK_STAT_refresh_code_504},
	};

	if (status >= 200 && status < 300)
		return TRUNK_STAT_refresh_code_200;
	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].status == status)
			return codes[i].row;
	return TRUNK_STAT_refresh_code_other;
}

enum call_result stat_call_result(unsigned status)
{
	if (status < 300)
		return CALL_RESULT_ANSWERED;
	switch (status) {
	case 486:
	case 600:
		return CALL_RESULT_BUSY;
	case 408:
	case 480:
		return CALL_RESULT_NO_ANSWER;
	case 487:
		return CALL_RESULT_CANCELLED;
	default:
		break;
	}
	return status >= 500 && status < 600 ? CALL_RESULT_FAILED : CALL_RESULT_REJECTED;
}

void stat_worker_sum(struct worker_stats *sum, const struct worker_stats *w)
{
	for (unsigned i = 0; i < WORKER_STATS_N; i++)
		sum->value[i] += stat_read(&w->value[i]);
	for (unsigned i = 0; i < WORKER_HISTOGRAMS_N; i++)
		histogram_merge(&sum->histogram[i], &w->histogram[i]);
}

void stat_trunk_sum(struct trunk_stats *sum, const struct trunk_stats *t)
{
	for (unsigned i = 0; i < TRUNK_STATS_N; i++)
		sum->value[i] += stat_read(&t->value[i]);
}
