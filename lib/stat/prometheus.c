// SPDX-License-Identifier: BSD-3-Clause
// Text exposition for Prometheus and OpenMetrics. Pure: writes to its caller's put(), allocates
// nothing.
#include "stat/prometheus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/outbuf.h"
#include "stat/verdict.h"

#define TRUNKS_A_STEP 16

static void put(struct prometheus_writer *w, const char *text, size_t len)
{
	if (w->error == 0)
		w->error = w->put(w->arg, text, len);
}

static void put_str(struct prometheus_writer *w, const char *text)
{
	put(w, text, strlen(text));
}

void prometheus_head(struct prometheus_writer *w, const char *name, enum prometheus_type type,
		     const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "untyped"};
	const char *word = types[type];
	size_t len = strlen(name), total = sizeof("_total") - 1;
	char line[512];
	int n;

	if (w->openmetrics && type == PROMETHEUS_COUNTER && len > total &&
	    strcmp(name + len - total, "_total") == 0)
		len -= total;
	if (w->openmetrics && type == PROMETHEUS_UNTYPED)
		word = "unknown";
	// OpenMetrics names a counter without _total, and verge_calls is a gauge: two families may
	// not share a name, so this one keeps its own and says nothing of its type.
	if (w->openmetrics && strcmp(name, "verge_calls_total") == 0) {
		len += total;
		word = "unknown";
	}
	n = snprintf(line, sizeof(line), "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)len, name, help,
		     (int)len, name, word);
	put(w, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

// The value of a label in quotes.
static void put_value(struct outbuf *o, const char *value)
{
	unsigned n = 0;

	outbuf_put_char(o, '"');
	for (const char *p = value; *p != 0 && n < 250; p++, n++) {
		if (*p == '"' || *p == '\\')
			outbuf_put_char(o, '\\');
		outbuf_put_char(o, (char)(*p >= 0x20 && *p < 0x7f ? *p : '?'));
	}
	outbuf_put_char(o, '"');
}

#define SAMPLE_MAX 1024 // bytes of a line: names and labels of ours are short, values are cut

static void put_name(struct outbuf *o, const char *name, struct prometheus_label label,
		     const char *labels)
{
	outbuf_put_str(o, name);
	if (label.name != NULL || labels[0] != 0)
		outbuf_put_char(o, '{');
	if (label.name != NULL) {
		outbuf_put_str(o, label.name);
		outbuf_put_char(o, '=');
		put_value(o, label.value);
		if (labels[0] != 0)
			outbuf_put_char(o, ',');
	}
	outbuf_put_str(o, labels);
	if (label.name != NULL || labels[0] != 0)
		outbuf_put_char(o, '}');
	outbuf_put_char(o, ' ');
}

void prometheus_sample(struct prometheus_writer *w, const char *name, struct prometheus_label label,
		       const char *labels, uint64_t value)
{
	char line[SAMPLE_MAX];
	struct outbuf o = outbuf_of(line, sizeof(line));

	put_name(&o, name, label, labels);
	outbuf_put_u64(&o, value);
	outbuf_put_char(&o, '\n');
	put(w, line, o.len);
}

void prometheus_sample_micro(struct prometheus_writer *w, const char *name,
			     struct prometheus_label label, const char *labels, uint64_t micro)
{
	char line[SAMPLE_MAX], digits[8];
	struct outbuf o = outbuf_of(line, sizeof(line));

	snprintf(digits, sizeof(digits), ".%06u", (unsigned)(micro % 1000000));
	put_name(&o, name, label, labels);
	outbuf_put_u64(&o, micro / 1000000);
	outbuf_put_str(&o, digits);
	outbuf_put_char(&o, '\n');
	put(w, line, o.len);
}

// A bound in seconds without zeros at the end; OpenMetrics wants a fraction always.
static void bound_text(char text[32], uint64_t us, bool openmetrics)
{
	size_t n = (size_t)snprintf(text, 32, "%" PRIu64 ".%06u", us / 1000000,
				    (unsigned)(us % 1000000));

	while (text[n - 1] == '0' && text[n - 2] != '.')
		text[--n] = 0;
	if (!openmetrics && text[n - 1] == '0')
		text[n - 2] = 0;
}

void prometheus_histogram(struct prometheus_writer *w, const struct stat_histogram_row *row,
			  const struct histogram *h)
{
	char name[128], labels[64], bound[32];
	uint64_t sum = 0;

	prometheus_head(w, row->metric, PROMETHEUS_HISTOGRAM, row->help);
	snprintf(name, sizeof(name), "%s_bucket", row->metric);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		sum += stat_read(&h->bucket[i]);
		if (i < HISTOGRAM_BUCKETS - 1)
			bound_text(bound, row->bounds->le_us[i], w->openmetrics);
		snprintf(labels, sizeof(labels), "le=\"%s\"",
			 i < HISTOGRAM_BUCKETS - 1 ? bound : "+Inf");
		prometheus_sample(w, name, (struct prometheus_label){0}, labels, sum);
	}
	snprintf(name, sizeof(name), "%s_sum", row->metric);
	prometheus_sample_micro(w, name, (struct prometheus_label){0}, "", stat_read(&h->sum_us));
	snprintf(name, sizeof(name), "%s_count", row->metric);
	prometheus_sample(w, name, (struct prometheus_label){0}, "", sum);
}

static enum prometheus_type type_of(enum stat_kind kind)
{
	return kind == STAT_GAUGE ? PROMETHEUS_GAUGE : PROMETHEUS_COUNTER;
}

// Rows from `row` on that are of its metric.
static unsigned run_of(const struct stat_row *rows, unsigned n, unsigned row)
{
	unsigned end = row + 1;

	while (end < n && strcmp(rows[end].metric, rows[row].metric) == 0)
		end++;
	return end;
}

static void put_row(struct prometheus_writer *w, const struct stat_row *row,
		    struct prometheus_label label, uint64_t value)
{
	if (row->kind == STAT_SECONDS)
		prometheus_sample_micro(w, row->metric, label, row->labels, value);
	else if (row->kind != STAT_SPARSE || value != 0)
		prometheus_sample(w, row->metric, label, row->labels, value);
}

// One metric of stats.def; returns the row after it.
static unsigned worker_metric(struct prometheus_writer *w, const struct prometheus_view *view,
			      unsigned row)
{
	const struct stat_row *rows = stat_worker_rows;
	unsigned end = run_of(rows, WORKER_STATS_N, row);
	char number[16];

	prometheus_head(w, rows[row].metric, type_of(rows[row].kind), rows[row].help);
	for (unsigned i = row; i < end; i++) {
		uint64_t sum = 0;

		for (unsigned n = 0; n < view->n_workers; n++) {
			uint64_t value = stat_read(&view->workers[n]->value[i]);

			sum += value;
			snprintf(number, sizeof(number), "%u", n);
			if (rows[i].scope == STAT_EACH)
				put_row(w, &rows[i], (struct prometheus_label){"worker", number},
					value);
		}
		if (rows[i].scope == STAT_ALL)
			put_row(w, &rows[i], (struct prometheus_label){0}, sum);
	}
	return end;
}

static void histogram_metric(struct prometheus_writer *w, const struct prometheus_view *view,
			     unsigned row)
{
	struct histogram sum = {0};

	for (unsigned n = 0; n < view->n_workers; n++)
		histogram_merge(&sum, &view->workers[n]->histogram[row]);
	prometheus_histogram(w, &stat_histogram_rows[row], &sum);
}

static void verdict_metric(struct prometheus_writer *w, const struct prometheus_view *view)
{
	static const struct {
		const char *id, *class;
	} rows[] = {
#define VERDICT(id, class, help) [VERDICT_##id] = {#id, class},
#include "stat/verdict.def"
	};

	prometheus_head(w, "verge_packets_total", PROMETHEUS_COUNTER,
			"Packets by what became of them; verdict.def explains each.");
	for (unsigned i = VERDICT_NONE + 1; i < VERDICT_N; i++) {
		char labels[128], *p;
		uint64_t sum = 0;
		int n = snprintf(labels, sizeof(labels), "verdict=\"%s\"", rows[i].id);

		for (p = labels; *p != 0; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p = (char)(*p | 0x20);
		snprintf(labels + n, sizeof(labels) - (size_t)n, ",class=\"%s\"", rows[i].class);
		for (unsigned worker = 0; worker < view->n_workers; worker++)
			sum += stat_read(&view->verdicts[worker][i]);
		prometheus_sample(w, "verge_packets_total", (struct prometheus_label){0}, labels,
				  sum);
	}
}

static uint64_t trunk_value(const struct prometheus_view *view, unsigned trunk, unsigned row)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n <= view->n_workers; n++) {
		const struct trunk_stats *t = view->trunk(view->arg, n, trunk);

		if (t != NULL)
			sum += stat_read(&t->value[row]);
	}
	return sum;
}

// Some trunks of one metric; moves the cursor.
static void trunk_metric(struct prometheus_writer *w, const struct prometheus_view *view,
			 struct prometheus_cursor *c)
{
	const struct stat_row *rows = stat_trunk_rows;
	unsigned end = run_of(rows, TRUNK_STATS_N, c->row), stop = c->trunk + TRUNKS_A_STEP;

	if (c->trunk == 0)
		prometheus_head(w, rows[c->row].metric, type_of(rows[c->row].kind),
				rows[c->row].help);
	for (; c->trunk < view->n_trunks && c->trunk < stop; c->trunk++) {
		const char *name = view->trunk_name(view->arg, c->trunk);

		for (unsigned i = c->row; i < end && name != NULL; i++)
			put_row(w, &rows[i], (struct prometheus_label){"trunk", name},
				trunk_value(view, c->trunk, i));
	}
	if (c->trunk >= view->n_trunks) {
		c->row = end;
		c->trunk = 0;
	}
}

bool prometheus_step(struct prometheus_writer *w, const struct prometheus_view *view,
		     struct prometheus_cursor *c)
{
	enum { WORKERS, HISTOGRAMS, VERDICTS, TRUNKS, END };
	static const unsigned rows[] = {WORKER_STATS_N, WORKER_HISTOGRAMS_N, 1, TRUNK_STATS_N};

	while (c->part < END && c->row >= rows[c->part]) {
		c->part++;
		c->row = 0;
	}
	switch (c->part) {
	case WORKERS:
		c->row = worker_metric(w, view, c->row);
		return true;
	case HISTOGRAMS:
		histogram_metric(w, view, c->row++);
		return true;
	case VERDICTS:
		if (view->verdicts != NULL)
			verdict_metric(w, view);
		c->row++;
		return true;
	case TRUNKS:
		trunk_metric(w, view, c);
		return true;
	default:
		return false;
	}
}

int prometheus_end(struct prometheus_writer *w)
{
	if (w->openmetrics)
		put_str(w, "# EOF\n");
	return w->error;
}
