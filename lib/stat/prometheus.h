// SPDX-License-Identifier: BSD-3-Clause
// Text exposition for Prometheus (format 0.0.4) and OpenMetrics 1.0.
// Any thread; what is shown is an argument. Writes HELP and TYPE once per metric, escapes label
// values, emits no timestamps. Tables are written in steps of bounded size, so that whoever serves
// thousands of trunks can do something else in between.
#pragma once

#include <stdbool.h>

#include "stat/stat.h"

// Where text goes. put() returns 0 or -errno; after an error nothing more is put.
struct prometheus_writer {
	int (*put)(void *arg, const char *text, size_t len);
	void *arg;
	bool openmetrics; // counters' metadata without _total, "# EOF" at the end
	int error;	  // first one of put()
};

enum prometheus_type {
	PROMETHEUS_COUNTER,
	PROMETHEUS_GAUGE,
	PROMETHEUS_HISTOGRAM,
	PROMETHEUS_UNTYPED
};

// Metadata of a metric, before its first sample. name has "verge_" and, of a counter, "_total".
void prometheus_head(struct prometheus_writer *w, const char *name, enum prometheus_type type,
		     const char *help);

// A label whose value may hold any bytes; what is not printable ASCII is shown as '?'. name NULL:
// no label.
struct prometheus_label {
	const char *name;
	const char *value;
};

// One sample. label stands before `labels`, which is text of ours as in the tables ("" = none).
void prometheus_sample(struct prometheus_writer *w, const char *name, struct prometheus_label label,
		       const char *labels, uint64_t value);
// The same with a value in millionths, written as a decimal fraction.
void prometheus_sample_micro(struct prometheus_writer *w, const char *name,
			     struct prometheus_label label, const char *labels, uint64_t micro);
// Head and all lines of a histogram.
void prometheus_histogram(struct prometheus_writer *w, const struct stat_histogram_row *row,
			  const struct histogram *h);

// What the tables of lib/stat describe. Read while it is written: values may change meanwhile, and
// n_trunks may grow between steps.
struct prometheus_view {
	unsigned n_workers;
	const struct worker_stats *const *workers; // [n_workers]
	const uint64_t *const *verdicts;	   // [n_workers] of [VERDICT_N]; NULL: not shown
	unsigned n_trunks;
	// Counters of trunk t on worker w; w = n_workers asks for those counted elsewhere. NULL:
	// none.
	const struct trunk_stats *(*trunk)(void *arg, unsigned w, unsigned t);
	const char *(*trunk_name)(void *arg, unsigned t); // NULL: the trunk is not shown
	void *arg;
};

// Zero it before the first step.
struct prometheus_cursor {
	unsigned part, row, trunk;
};

// Write the next step: a metric's worker rows, or one metric of up to 16 trunks. False when all of
// stats.def, verdict.def and trunk_stats.def is written.
bool prometheus_step(struct prometheus_writer *w, const struct prometheus_view *view,
		     struct prometheus_cursor *cursor);

// Ends the text. Returns 0 or the first error.
int prometheus_end(struct prometheus_writer *w);
