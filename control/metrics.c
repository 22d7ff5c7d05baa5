// SPDX-License-Identifier: BSD-3-Clause
// Counters are copied when a reply begins, so that all its values are of one instant; the text is
// made from the copy in steps, as the client takes it.
#include "control/metrics.h"
#include "control/metrics_rules.h"

#include <stdio.h>
#include <stdlib.h>

#include "stat/verdict.h"

#define TRUNKS_A_STEP 16

// A trunk as of the instant of the reply.
struct trunk_copy {
	struct control_trunk_stats own; // shared: the workers' counters are added
	uint64_t at_risk[CONTROL_AT_RISK_N];
	unsigned peers, peers_down;
	bool quarantined;
};

struct metrics_body {
	struct body body; // first
	const struct control_view *view;
	const struct history *history;
	struct prometheus_writer writer;
	struct prometheus_cursor cursor;
	unsigned part, trunk;
	unsigned n_trunks;
	struct trunk_copy *trunks;    // [n_trunks]
	struct worker_stats *workers; // [n_workers]
	const struct worker_stats **worker_list;
	uint64_t (*verdicts)[VERDICT_N]; // [n_workers]
	const uint64_t **verdict_list;
};

static const struct prometheus_label no_label;

static int put(void *arg, const char *text, size_t len)
{
	return body_put(arg, text, len);
}

static void put_process(struct metrics_body *m)
{
	const struct control_view *v = m->view;
	const struct control_stats *c = control_stats(v->core);
	const struct config *config = control_config(v->core);
	struct prometheus_writer *w = &m->writer;
	const struct {
		const char *name, *help, *labels;
		enum prometheus_type type;
		uint64_t value;
	} rows[] = {
		{"verge_config_reloads_total",
		 "Configurations put into use by reload or by vergectl set, and refused.",
		 "result=\"ok\"", PROMETHEUS_COUNTER, c->reloads_ok},
		{"verge_config_reloads_total", NULL, "result=\"failed\"", PROMETHEUS_COUNTER,
		 c->reloads_failed},
		{"verge_config_version", "Snapshots of the configuration since start.", "",
		 PROMETHEUS_GAUGE, config->version},
		{"verge_calls_max", "Calls that there is memory for (system.capacity.calls).", "",
		 PROMETHEUS_GAUGE, config->system.capacity.calls},
		{"verge_start_time_seconds", "When this process started, since 1970.", "",
		 PROMETHEUS_GAUGE, v->unix_us(v->ctx, v->started_tk) / 1000000},
		{"verge_session_timer_refreshes_waiting",
		 "Refreshes that wait for budget or for another try.", "", PROMETHEUS_GAUGE,
		 c->legs_waiting},
		{"verge_session_timer_refreshes_in_flight",
		 "Refreshes of verge without an answer yet.", "", PROMETHEUS_GAUGE,
		 c->legs_in_flight},
	};

	prometheus_head(w, "verge_build_info", PROMETHEUS_GAUGE,
			"Version of this program; always 1.");
	prometheus_sample(w, "verge_build_info",
			  (struct prometheus_label){"version", VERGE_VERSION}, "", 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].help != NULL)
			prometheus_head(w, rows[i].name, rows[i].type, rows[i].help);
		prometheus_sample(w, rows[i].name, no_label, rows[i].labels, rows[i].value);
	}
}

static void put_loads(struct metrics_body *m)
{
	struct prometheus_writer *w = &m->writer;
	char number[16];

	prometheus_head(w, "verge_worker_busy_ratio", PROMETHEUS_GAUGE,
			"Part of the last five seconds in which this worker had work.");
	for (unsigned i = 0; i < m->view->n_workers && i < HISTORY_WORKERS; i++) {
		snprintf(number, sizeof(number), "%u", i);
		prometheus_sample_micro(w, "verge_worker_busy_ratio",
					(struct prometheus_label){"worker", number}, "",
					m->history->loads[i].busy_pm * 1000u);
	}
}

static void put_at_risk(struct metrics_body *m, const struct trunk_copy *t, const char *name)
{
	char labels[32];

	for (unsigned i = 0; i < CONTROL_AT_RISK_N; i++) {
		snprintf(labels, sizeof(labels), "le=\"%u\"", control_at_risk_le_s[i]);
		prometheus_sample(&m->writer, "verge_session_timer_at_risk",
				  (struct prometheus_label){"trunk", name}, labels, t->at_risk[i]);
	}
}

static void put_causes(struct metrics_body *m, const struct trunk_copy *t, const char *name)
{
	static const char *const directions[] = {[SIDE_A] = "in", [SIDE_B] = "out"};
	char labels[128];

	for (unsigned i = 0; i < 2 * CAUSE_N; i++) {
		unsigned side = i / CAUSE_N;
		enum cause cause = (enum cause)(i % CAUSE_N);

		if (t->own.causes[side][cause] == 0)
			continue;
		snprintf(labels, sizeof(labels), "direction=\"%s\",class=\"%s\",cause=\"%s\"",
			 directions[side], cause_class_word(cause_class(cause)), cause_word(cause));
		prometheus_sample(&m->writer, "verge_call_ends_total",
				  (struct prometheus_label){"trunk", name}, labels,
				  t->own.causes[side][cause]);
	}
}

static void put_drops(struct metrics_body *m, const struct trunk_copy *t, const char *name)
{
	uint64_t sums[2] = {0};

	for (unsigned i = 0; i < CAUSE_N; i++)
		for (unsigned side = SIDE_A; side <= SIDE_B; side++)
			if (cause_class((enum cause)i) == CAUSE_CLASS_DROP)
				sums[side] += t->own.causes[side][i];
	prometheus_sample(&m->writer, "verge_call_drops_total",
			  (struct prometheus_label){"trunk", name}, "direction=\"in\"",
			  sums[SIDE_A]);
	prometheus_sample(&m->writer, "verge_call_drops_total",
			  (struct prometheus_label){"trunk", name}, "direction=\"out\"",
			  sums[SIDE_B]);
}

static void put_would_drop(struct metrics_body *m, const struct trunk_copy *t, const char *name)
{
	prometheus_sample(&m->writer, "verge_session_timer_would_drop_total",
			  (struct prometheus_label){"trunk", name}, "", t->own.would_drop);
}

static void put_paced(struct metrics_body *m, const struct trunk_copy *t, const char *name)
{
	const struct prometheus_label label = {"trunk", name};

	prometheus_sample(&m->writer, "verge_session_timer_paced_total", label, "how=\"waited\"",
			  t->own.paced);
	prometheus_sample(&m->writer, "verge_session_timer_paced_total", label, "how=\"overran\"",
			  t->own.pace_overruns);
}

static void put_quarantined(struct metrics_body *m, const struct trunk_copy *t, const char *name)
{
	prometheus_sample(&m->writer, "verge_session_timer_quarantined",
			  (struct prometheus_label){"trunk", name}, "", t->quarantined);
}

static void put_peers(struct metrics_body *m, const struct trunk_copy *t, const char *name)
{
	const struct prometheus_label label = {"trunk", name};

	prometheus_sample(&m->writer, "verge_trunk_peers", label, "state=\"up\"",
			  t->peers - t->peers_down);
	prometheus_sample(&m->writer, "verge_trunk_peers", label, "state=\"down\"", t->peers_down);
}

// Metrics of a trunk that control keeps: one a part. at_risk has the label le, cumulative like a
// histogram's, but is a gauge: only an untyped metric may.
static const struct part {
	const char *name, *help;
	enum prometheus_type type;
	void (*put)(struct metrics_body *m, const struct trunk_copy *t, const char *name);
} parts[] = {
	{"verge_session_timer_at_risk", "Legs this close to expiry without a successful refresh.",
	 PROMETHEUS_UNTYPED, put_at_risk},
	{"verge_session_timer_quarantined", "1 while control only observes the trunk's timers.",
	 PROMETHEUS_GAUGE, put_quarantined},
	{"verge_session_timer_would_drop_total",
	 "Calls that a timer would have ended if it were let.", PROMETHEUS_COUNTER, put_would_drop},
	{"verge_session_timer_paced_total",
	 "Refreshes that waited for the budget, or could wait no longer.", PROMETHEUS_COUNTER,
	 put_paced},
	{"verge_call_ends_total",
	 "Calls that ended, by why; a cause is shown once it has happened. class drop: nobody "
	 "wanted it to.",
	 PROMETHEUS_COUNTER, put_causes},
	{"verge_call_drops_total",
	 "Answered calls that ended although nobody wanted it: the sum of class drop.",
	 PROMETHEUS_COUNTER, put_drops},
	{"verge_trunk_peers", "Peers by whether they answer OPTIONS.", PROMETHEUS_GAUGE, put_peers},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

// The name is read when it is written: a reload may free the one of before.
static const char *trunk_name(void *arg, unsigned trunk)
{
	const struct metrics_body *m = arg;
	const struct config *c = control_config(m->view->core);

	return trunk < c->n_trunks && !c->trunks[trunk].gone ? c->trunks[trunk].name : NULL;
}

static void put_part(struct metrics_body *m, const struct part *p)
{
	unsigned stop = m->trunk + TRUNKS_A_STEP;

	if (m->trunk == 0)
		prometheus_head(&m->writer, p->name, p->type, p->help);
	for (; m->trunk < m->n_trunks && m->trunk < stop; m->trunk++) {
		const char *name = trunk_name(m, m->trunk);

		if (name != NULL)
			p->put(m, &m->trunks[m->trunk], name);
	}
	if (m->trunk >= m->n_trunks) {
		m->trunk = 0;
		m->part++;
	}
}

static const struct trunk_stats *copied_trunk(void *arg, unsigned worker, unsigned trunk)
{
	const struct metrics_body *m = arg;

	return worker == m->view->n_workers ? &m->trunks[trunk].own.shared : NULL;
}

static bool step(struct body *b)
{
	struct metrics_body *m = (struct metrics_body *)(void *)b;
	const struct control_view *v = m->view;
	const struct prometheus_view tables = {
		.n_workers = v->n_workers,
		.workers = m->worker_list,
		.verdicts = m->verdict_list,
		.n_trunks = m->n_trunks,
		.trunk = copied_trunk,
		.trunk_name = trunk_name,
		.arg = m,
	};

	if (m->part == 0) {
		put_process(m);
		put_loads(m);
		metrics_rules(&m->writer, v->core);
		if (v->more_metrics != NULL)
			v->more_metrics(v->ctx, &m->writer);
		m->part++;
	} else if (m->part == 1) {
		m->part += !prometheus_step(&m->writer, &tables, &m->cursor);
	} else if (m->part - 2 < PARTS) {
		put_part(m, &parts[m->part - 2]);
	} else if (m->part - 2 == PARTS) {
		prometheus_end(&m->writer);
		m->part++;
	} else {
		return false;
	}
	return true;
}

static void free_metrics(struct body *b)
{
	struct metrics_body *m = (struct metrics_body *)(void *)b;

	free(m->trunks);
	free(m->workers);
	free(m->worker_list);
	free(m->verdicts);
	free(m->verdict_list);
	free(m);
}

static void copy_trunk(struct metrics_body *m, unsigned trunk)
{
	const struct control_view *v = m->view;
	const struct control_trunk_stats *own = control_trunk_stats(v->core, trunk);
	struct trunk_copy *t = &m->trunks[trunk];
	const struct trunk_live *live = &v->live[trunk];
	unsigned n = control_config(v->core)->trunks[trunk].peers.n;
	// relaxed: words that may be late
	uint32_t flags = atomic_load_explicit(&live->flags, memory_order_relaxed);
	uint64_t down = atomic_load_explicit(&live->peers_down, memory_order_relaxed) &
			(((uint64_t)1 << n) - 1);

	if (own != NULL)
		t->own = *own;
	for (unsigned w = 0; w < v->n_workers; w++) {
		const struct trunk_stats *s = v->trunk_stats(v->ctx, w, trunk);

		if (s != NULL)
			stat_trunk_sum(&t->own.shared, s);
	}
	control_at_risk(v->core, trunk, v->now(v->ctx), t->at_risk);
	t->quarantined = (flags & TRUNK_LIVE_OBSERVE) != 0;
	t->peers = n;
	t->peers_down = (unsigned)__builtin_popcountll(down);
}

static bool copy_all(struct metrics_body *m)
{
	const struct control_view *v = m->view;

	m->n_trunks = control_config(v->core)->n_trunks;
	m->trunks = calloc(m->n_trunks + 1u, sizeof(*m->trunks));
	m->workers = calloc(v->n_workers, sizeof(*m->workers));
	m->worker_list = calloc(v->n_workers, sizeof(*m->worker_list));
	m->verdicts = calloc(v->n_workers, sizeof(*m->verdicts));
	m->verdict_list = calloc(v->n_workers, sizeof(*m->verdict_list));
	if (m->trunks == NULL || m->workers == NULL || m->worker_list == NULL ||
	    m->verdicts == NULL || m->verdict_list == NULL)
		return false;
	for (unsigned w = 0; w < v->n_workers; w++) {
		stat_worker_sum(&m->workers[w], v->worker_stats[w]);
		for (unsigned i = 0; i < VERDICT_N; i++)
			m->verdicts[w][i] = stat_read(&v->verdicts[w][i]);
		m->worker_list[w] = &m->workers[w];
		m->verdict_list[w] = m->verdicts[w];
	}
	for (unsigned t = 0; t < m->n_trunks; t++)
		if (trunk_name(m, t) != NULL)
			copy_trunk(m, t);
	return true;
}

struct body *metrics_body_new(const struct control_view *view, const struct history *history,
			      bool openmetrics)
{
	struct metrics_body *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->body.step = step;
	m->body.free = free_metrics;
	m->view = view;
	m->history = history;
	m->writer = (struct prometheus_writer){put, &m->body, openmetrics, 0};
	if (!copy_all(m)) {
		body_free(&m->body);
		return NULL;
	}
	return &m->body;
}
