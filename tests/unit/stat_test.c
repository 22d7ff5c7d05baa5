// SPDX-License-Identifier: BSD-3-Clause
// Counters, histograms and their exposition. promtool, where it is installed, judges the text.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <assert.h>
#include <cmocka.h>

#include "sip/sip.h"
#include "stat/prometheus.h"
#include "stat/verdict.h"

// What the indices of trunk_stats.def assume about lib/sip.
static_assert(TRUNK_STAT_messages_in_other - TRUNK_STAT_messages_in_response == SIP_METHOD_OTHER,
	      "one row for each method");
static_assert(TRUNK_STAT_messages_out_update - TRUNK_STAT_messages_out_response == SIP_UPDATE,
	      "in the order of sip.def");
static_assert(TRUNK_STAT_messages_out_publish - TRUNK_STAT_messages_out_response == SIP_PUBLISH,
	      "in the order of sip.def");
static_assert(TRUNK_STAT_calls_in_limited - TRUNK_STAT_calls_in_answered == CALL_RESULT_LIMITED,
	      "one row for each result");
static_assert(TRUNK_STAT_calls_out_no_answer - TRUNK_STAT_calls_out_answered ==
		      CALL_RESULT_NO_ANSWER,
	      "in the order of enum call_result");

static void methods(void **)
{
	for (unsigned m = SIP_INVITE; m < SIP_METHOD_OTHER; m++) {
		struct slice token = sip_method_token((enum sip_method)m);
		const char *labels = stat_trunk_rows[TRUNK_STAT_messages_in_response + m].labels;
		char want[64];

		snprintf(want, sizeof(want), "kind=\"" SLICE_FMT "\"", SLICE_ARG(token));
		if (strstr(labels, want) == NULL)
			fail_msg("%s is not %s", labels, want);
	}
}

static void codes(void **)
{
	assert_int_equal(stat_refresh_code(0), TRUNK_STAT_refresh_code_timeout);
	assert_int_equal(stat_refresh_code(202), TRUNK_STAT_refresh_code_200);
	assert_int_equal(stat_refresh_code(491), TRUNK_STAT_refresh_code_491);
	assert_int_equal(stat_refresh_code(499), TRUNK_STAT_refresh_code_other);
	assert_int_equal(stat_call_result(200), CALL_RESULT_ANSWERED);
	assert_int_equal(stat_call_result(600), CALL_RESULT_BUSY);
	assert_int_equal(stat_call_result(480), CALL_RESULT_NO_ANSWER);
	assert_int_equal(stat_call_result(487), CALL_RESULT_CANCELLED);
	assert_int_equal(stat_call_result(503), CALL_RESULT_FAILED);
	assert_int_equal(stat_call_result(604), CALL_RESULT_REJECTED);
}

static void histograms(void **)
{
	static const struct {
		const char *shows;
		uint64_t us;
		unsigned bucket;
	} rows[] = {
		{"zero", 0, 0},
		{"on the bound", 500, 0},
		{"above it", 501, 1},
		{"last bound", 32000000, 15},
		{"above all", 32000001, 16},
		{"huge", UINT64_MAX / 2, 16},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct histogram h = {0};

		histogram_add(&h, &histogram_RTT, rows[i].us);
		if (h.bucket[rows[i].bucket] != 1 || h.sum_us != rows[i].us)
			fail_msg("%s", rows[i].shows);
	}

	struct histogram a = {0}, b = {0};

	assert_int_equal(histogram_quantile(&a, &histogram_RTT, 500), 0);
	for (unsigned i = 1; i <= 100; i++)
		histogram_add(i % 2 != 0 ? &a : &b, &histogram_RTT, i * 100);
	histogram_merge(&a, &b);
	assert_int_equal(histogram_count(&a), 100);
	assert_int_equal(a.sum_us, 505000);
	assert_in_range(histogram_quantile(&a, &histogram_RTT, 500), 4900, 5100);
	assert_in_range(histogram_quantile(&a, &histogram_RTT, 990), 9800, 10000);
}

static void bounds_ascend(void **)
{
	for (unsigned i = 0; i < WORKER_HISTOGRAMS_N; i++)
		for (unsigned j = 1; j < HISTOGRAM_BUCKETS - 1; j++)
			assert_true(stat_histogram_rows[i].bounds->le_us[j - 1] <
				    stat_histogram_rows[i].bounds->le_us[j]);
}

struct text {
	char *p;
	size_t len, cap;
};

static int put(void *arg, const char *text, size_t len)
{
	struct text *t = arg;

	if (t->len + len + 1 > t->cap) {
		t->cap = 2 * (t->len + len + 1);
		t->p = realloc(t->p, t->cap);
		assert_non_null(t->p);
	}
	memcpy(t->p + t->len, text, len);
	t->len += len;
	t->p[t->len] = 0;
	return 0;
}

static struct worker_stats workers[2];
static struct trunk_stats trunks[3][20]; // the last worker is control

static const struct trunk_stats *trunk_of(void *, unsigned w, unsigned t)
{
	return w == 1 && t == 3 ? NULL : &trunks[w][t];
}

static const char *trunk_name(void *, unsigned t)
{
	static const char *const names[] = {"8068", "a\"b\\c\n\xff", NULL};
	static char other[20][16];

	if (t < 3)
		return names[t];
	assert_in_range(t, 3, 19);
	snprintf(other[t], sizeof(other[t]), "t%u", t);
	return other[t];
}

static struct text expose(bool openmetrics)
{
	static const uint64_t verdicts[2][VERDICT_N] = {{[VERDICT_SIP_HANDLED] = 4},
							{[VERDICT_SIP_HANDLED] = 5}};
	const struct worker_stats *const list[] = {&workers[0], &workers[1]};
	const uint64_t *const verdict_list[] = {verdicts[0], verdicts[1]};
	const struct prometheus_view view = {2, list, verdict_list, 20, trunk_of, trunk_name, NULL};
	struct prometheus_cursor cursor = {0};
	struct text text = {0};
	struct prometheus_writer w = {put, &text, openmetrics, 0};

	while (prometheus_step(&w, &view, &cursor))
		;
	assert_int_equal(prometheus_end(&w), 0);
	return text;
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

static void exposition(void **)
{
	static const char *const lines[] = {
		("# HELP verge_calls Calls that exist now.\n# TYPE verge_calls gauge\n"
		 "verge_calls 7\n"),
		"verge_worker_messages_total{worker=\"1\"} 9\n",
		"verge_worker_busy_seconds_total{worker=\"0\"} 1.500000\n",
		"verge_timers{worker=\"1\",kind=\"session\"} 12\n",
		"verge_ring_drops_total{ring=\"tx\"} 3\n",
		"verge_packets_total{verdict=\"sip_handled\",class=\"sip\"} 9\n",
		"verge_calls_total{trunk=\"8068\",direction=\"in\",result=\"busy\"} 6\n",
		"verge_calls_total{trunk=\"a\\\"b\\\\c??\",direction=\"in\",result=\"busy\"} 1\n",
		"verge_calls_total{trunk=\"t19\",direction=\"in\",result=\"busy\"} 0\n",
		"verge_sip_messages_total{trunk=\"8068\",direction=\"out\",kind=\"UPDATE\"} 2\n",
		"verge_call_setup_seconds_bucket{le=\"0.05\"} 1\n",
		"verge_call_setup_seconds_bucket{le=\"1\"} 2\n",
		"verge_call_setup_seconds_bucket{le=\"+Inf\"} 3\n",
		"verge_call_setup_seconds_sum 200.630000\n",
		"verge_call_setup_seconds_count 3\n",
	};
	struct text text;

	workers[0].calls = 3;
	workers[1].calls = 4;
	workers[1].messages = 9;
	workers[0].busy_us = 1500000;
	workers[1].timers_session = 12;
	workers[0].drops_tx_ring = 1;
	workers[1].drops_tx_ring = 2;
	histogram_add(&workers[0].setup, &histogram_SETUP, 30000);
	histogram_add(&workers[1].setup, &histogram_SETUP, 600000);
	histogram_add(&workers[1].setup, &histogram_SETUP, 200000000);
	for (unsigned w = 0; w < 3; w++)
		trunks[w][0].calls_in_busy = w + 1;
	trunks[2][1].calls_in_busy = 1;
	trunks[0][0].messages_out_update = 2;
	text = expose(false);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (strstr(text.p, lines[i]) == NULL)
			fail_msg("no %s in\n%s", lines[i], text.p);
	assert_int_equal(count(text.p, "# TYPE verge_calls_total "), 1);
	assert_int_equal(count(text.p, "verge_sip_messages_total{"), 1); // zeros are left out
	assert_null(strstr(text.p, "# EOF"));
	free(text.p);
	text = expose(true);
	assert_non_null(strstr(text.p, "# TYPE verge_refused counter\n"));
	assert_non_null(strstr(text.p, "# TYPE verge_calls gauge\n"));
	assert_non_null(strstr(text.p, "# TYPE verge_calls_total unknown\n"));
	assert_non_null(strstr(text.p, "verge_call_setup_seconds_bucket{le=\"1.0\"} 2\n"));
	assert_string_equal(text.p + text.len - 6, "# EOF\n");
	free(text.p);
}

// Each metric's rows stand together, and every first row has a help that ends as a sentence.
static void tables(void **)
{
	for (unsigned i = 0; i < TRUNK_STATS_N; i++) {
		bool first = i == 0 ||
			     strcmp(stat_trunk_rows[i].metric, stat_trunk_rows[i - 1].metric) != 0;
		const char *help = stat_trunk_rows[i].help;

		assert_true(first ? help[0] != 0 : help[0] == 0);
		for (unsigned j = 0; first && j + 1 < i; j++)
			assert_string_not_equal(stat_trunk_rows[j].metric,
						stat_trunk_rows[i].metric);
	}
	for (unsigned i = 0; i < WORKER_STATS_N; i++) {
		bool first = i == 0 || strcmp(stat_worker_rows[i].metric,
					      stat_worker_rows[i - 1].metric) != 0;

		assert_true(first == (stat_worker_rows[i].help[0] != 0));
	}
}

static void promtool(void **)
{
	struct text text = expose(false);
	FILE *pipe;

	if (system("command -v promtool >/dev/null 2>&1") != 0) {
		free(text.p);
		skip();
	}
	pipe = popen("promtool check metrics >&2", "w");
	assert_non_null(pipe);
	assert_int_equal(fwrite(text.p, 1, text.len, pipe), text.len);
	assert_int_equal(pclose(pipe), 0);
	free(text.p);
}

static int full(void *arg, const char *, size_t)
{
	++*(unsigned *)arg;
	return -28;
}

static void a_writer_that_fails(void **)
{
	unsigned calls = 0;
	struct prometheus_writer w = {full, &calls, true, 0};

	prometheus_head(&w, "verge_x", PROMETHEUS_GAUGE, "X.");
	prometheus_sample(&w, "verge_x", (struct prometheus_label){0}, "", 1);
	assert_int_equal(prometheus_end(&w), -28);
	assert_int_equal(calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods),    cmocka_unit_test(codes),
		cmocka_unit_test(histograms), cmocka_unit_test(bounds_ascend),
		cmocka_unit_test(exposition), cmocka_unit_test(tables),
		cmocka_unit_test(promtool),   cmocka_unit_test(a_writer_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
