// SPDX-License-Identifier: BSD-3-Clause
// Commands about the process: status, workers, stats, timers, reload, log, trace. Thread: control.
#include <errno.h>
#include <stdio.h>

#include "control/commands.h"
#include "stat/verdict.h"

static uint64_t seconds_since(const struct control_view *v, tick_t at)
{
	return (v->now(v->ctx) - at) / TICK_S(1);
}

bool commands_run_status(struct commands_job *j)
{
	const struct control_view *v = j->view;
	const struct config *c = control_config(v->core);
	const struct control_stats *control = control_stats(v->core);
	const char *trouble = v->trouble(v->ctx);
	struct worker_stats sum;
	struct outbuf *o = &j->out;

	commands_sum_workers(v, &sum);
	jsonout_str(o, "version", VERGE_VERSION);
	jsonout_bool(o, "healthy", trouble == NULL);
	if (trouble != NULL)
		jsonout_str(o, "trouble", trouble);
	else
		jsonout_null(o, "trouble");
	commands_put_time(j, "started", v->started_tk);
	jsonout_u64(o, "uptime_s", seconds_since(v, v->started_tk));
	jsonout_u64(o, "workers", v->n_workers);
	jsonout_u64(o, "calls", sum.calls);
	jsonout_u64(o, "calls_max", c->system.capacity.calls);
	jsonout_u64(o, "legs", sum.legs);
	jsonout_u64(o, "ports", c->n_ports);
	jsonout_u64(o, "trunks", c->n_trunks);
	jsonout_u64(o, "routes", c->n_routes);
	jsonout_u64(o, "config_version", c->version);
	jsonout_u64(o, "reloads_ok", control->reloads_ok);
	jsonout_u64(o, "reloads_failed", control->reloads_failed);
	jsonout_u64(o, "refreshes_waiting", control->legs_waiting);
	jsonout_u64(o, "refreshes_in_flight", control->legs_in_flight);
	return true;
}

bool commands_run_workers(struct commands_job *j)
{
	const struct control_view *v = j->view;
	struct outbuf *o = &j->out;

	jsonout_open(o, "workers", '[');
	for (unsigned i = 0; i < v->n_workers; i++) {
		const struct worker_stats *w = v->worker_stats[i];
		uint64_t busy = stat_read(&w->busy_us), idle = stat_read(&w->idle_us);

		jsonout_open(o, NULL, '{');
		jsonout_u64(o, "worker", i);
		jsonout_u64(o, "cpu", v->worker_cpus[i]);
		jsonout_u64(o, "calls", stat_read(&w->calls));
		jsonout_u64(o, "legs", stat_read(&w->legs));
		jsonout_u64(o, "messages", stat_read(&w->messages));
		jsonout_u64(o, "handed_over", stat_read(&w->handed_over));
		jsonout_milli(o, "busy_ratio", busy + idle != 0 ? busy * 1000 / (busy + idle) : 0);
		jsonout_u64(o, "transactions",
			    stat_read(&w->server_transactions) +
				    stat_read(&w->client_transactions));
		jsonout_u64(o, "timers",
			    stat_read(&w->timers_transaction) + stat_read(&w->timers_session));
		jsonout_u64(o, "leg_text_bytes", stat_read(&w->leg_text_bytes));
		jsonout_u64(o, "sip_buffers", stat_read(&w->sip_buffers));
		jsonout_close(o, '}');
	}
	jsonout_close(o, ']');
	return true;
}

static void put_verdicts(struct commands_job *j)
{
	static const char *const ids[] = {
#define VERDICT(id, class, help) [VERDICT_##id] = #id,
#include "stat/verdict.def"
	};
	const struct control_view *v = j->view;

	jsonout_open(&j->out, "packets", '{');
	for (unsigned i = VERDICT_NONE + 1; i < VERDICT_N; i++) {
		uint64_t sum = 0;

		for (unsigned w = 0; w < v->n_workers; w++)
			sum += stat_read(&v->verdicts[w][i]);
		if (sum != 0)
			jsonout_u64(&j->out, ids[i], sum);
	}
	jsonout_close(&j->out, '}');
}

bool commands_run_stats(struct commands_job *j)
{
	const struct control_view *v = j->view;
	const struct control_stats *control = control_stats(v->core);
	struct worker_stats sum;
	struct outbuf *o = &j->out;

	commands_sum_workers(v, &sum);
	jsonout_open(o, "workers", '{');
	for (unsigned i = 0; i < WORKER_STATS_N; i++)
		jsonout_u64(o, stat_worker_rows[i].field, sum.value[i]);
	jsonout_close(o, '}');
	put_verdicts(j);
	jsonout_open(o, "control", '{');
	jsonout_u64(o, "events", control->events);
	jsonout_u64(o, "records", control->records);
	jsonout_u64(o, "orders", control->orders);
	jsonout_u64(o, "stale_events", control->stale_events);
	jsonout_u64(o, "no_memory", control->no_memory);
	jsonout_close(o, '}');
	jsonout_open(o, "times", '{');
	for (unsigned i = 0; i < WORKER_HISTOGRAMS_N; i++)
		commands_put_histogram(o, stat_histogram_rows[i].field, &sum.histogram[i],
				       stat_histogram_rows[i].bounds);
	jsonout_close(o, '}');
	return true;
}

// Legs close to expiry, over all trunks.
static void add_at_risk(struct commands_job *j, uint64_t sums[CONTROL_AT_RISK_N])
{
	const struct control_view *v = j->view;
	unsigned n = control_config(v->core)->n_trunks;
	tick_t now = v->now(v->ctx);

	for (unsigned t = 0; t < n; t++) {
		uint64_t counts[CONTROL_AT_RISK_N];

		control_at_risk(v->core, t, now, counts);
		for (unsigned i = 0; i < CONTROL_AT_RISK_N; i++)
			sums[i] += counts[i];
	}
}

bool commands_run_timers(struct commands_job *j)
{
	const struct control_view *v = j->view;
	const struct control_stats *control = control_stats(v->core);
	uint64_t at_risk[CONTROL_AT_RISK_N] = {0};
	struct worker_stats sum;
	struct outbuf *o = &j->out;

	commands_sum_workers(v, &sum);
	add_at_risk(j, at_risk);
	jsonout_u64(o, "session", sum.timers_session);
	jsonout_u64(o, "transaction", sum.timers_transaction);
	jsonout_u64(o, "fired", sum.timers_fired);
	jsonout_u64(o, "refreshes_waiting", control->legs_waiting);
	jsonout_u64(o, "refreshes_in_flight", control->legs_in_flight);
	commands_put_histogram(o, "lateness", &sum.lateness, &histogram_LATENESS);
	commands_put_histogram(o, "refresh_rtt", &sum.refresh_rtt, &histogram_RTT);
	commands_put_histogram(o, "slack", &sum.slack, &histogram_SLACK);
	jsonout_open(o, "at_risk", '[');
	for (unsigned i = 0; i < CONTROL_AT_RISK_N; i++) {
		jsonout_open(o, NULL, '{');
		jsonout_u64(o, "seconds_left", control_at_risk_le_s[i]);
		jsonout_u64(o, "legs", at_risk[i]);
		jsonout_close(o, '}');
	}
	jsonout_close(o, ']');
	return true;
}

bool commands_run_cdr(struct commands_job *j)
{
	static const char *const formats[] = {
		[CONFIG_CDR_FORMAT_JSON] = "json", [CONFIG_CDR_FORMAT_CSV] = "csv"};
	const struct control_view *v = j->view;
	const struct config_cdr *c = &control_config(v->core)->cdr;
	struct cdr_file_stats stats = {0};
	struct outbuf *o = &j->out;

	if (v->cdr_stats != NULL)
		v->cdr_stats(v->ctx, &stats);
	jsonout_str(o, "file", c->file[0] != 0 ? c->file : NULL);
	jsonout_str(o, "format", formats[c->format]);
	jsonout_u64(o, "written", stats.lines);
	jsonout_u64(o, "written_bytes", stats.bytes);
	jsonout_u64(o, "waiting_bytes", stats.backlog_bytes);
	jsonout_u64(o, "lost", stats.lost);
	jsonout_u64(o, "errors", stats.errors);
	jsonout_u64(o, "rotations", stats.rotations);
	return true;
}

// vergectl reads the file itself: control does not wait for a disk on behalf of a reader.
bool commands_run_cdr_tail(struct commands_job *j)
{
	return commands_run_cdr(j);
}

bool commands_run_reload(struct commands_job *j)
{
	const struct control_view *v = j->view;
	struct config_errors errors = {0};
	int rc = v->reload(v->ctx, &errors);
	const struct config_error *first = errors.list;
	const char *more = errors.errors > 1 ? " (and more: verge --check)" : "";

	while (first != NULL && first < errors.list + errors.n - 1 && first->warning)
		first++;
	if (rc != 0 && errors.errors != 0 && first != NULL && first->line != 0)
		commands_refuse(j, "%s:%u: %s%s", errors.file, first->line, first->text, more);
	else if (rc != 0 && errors.errors != 0 && first != NULL)
		commands_refuse(j, "%s: %s%s", errors.file, first->text, more);
	else if (rc == -EBUSY)
		commands_refuse(j, "the change needs a restart");
	else if (rc != 0)
		commands_refuse(j, "%s", strerrordesc_np(-rc));
	if (rc == 0) {
		jsonout_u64(&j->out, "config_version", control_config(v->core)->version);
		jsonout_u64(&j->out, "warnings", errors.warnings);
	}
	config_errors_free(&errors);
	return true;
}

bool commands_run_log(struct commands_job *j)
{
	const char *level = commands_text(j, "level", true);

	if (level == NULL)
		return true;
	if (j->view->log_level(j->view->ctx, level) != 0)
		commands_refuse(j,
				"\"%.60s\" is no level; it must be error, warning, info, debug "
				"or " CONFIG_LOG_AREA_HINT,
				level);
	else
		jsonout_str(&j->out, "level", level);
	return true;
}

// Copies a filter that the request may have.
static void take(struct commands_job *j, const char *key, char *field, size_t size)
{
	const char *text = commands_text(j, key, false);

	if (text != NULL && (size_t)snprintf(field, size, "%s", text) >= size)
		commands_refuse(j, "%s is too long", key);
}

static void put_trace(struct outbuf *o, const struct control_trace_end *t)
{
	jsonout_bool(o, "runs", t->runs);
	jsonout_str(o, "file", t->file);
	jsonout_u64(o, "packets", t->packets);
	jsonout_u64(o, "bytes", t->bytes);
	jsonout_u64(o, "dropped", t->lost);
	if (t->reason[0] != '\0')
		jsonout_str(o, "ended_by", t->reason);
}

bool commands_run_trace(struct commands_job *j)
{
	const struct control_view *v = j->view;
	struct control_trace_end status = {0};

	if (v->trace_status != NULL)
		v->trace_status(v->ctx, &status);
	put_trace(&j->out, &status);
	return true;
}

bool commands_run_trace_start(struct commands_job *j)
{
	const struct control_view *v = j->view;
	struct control_trace trace = {0};
	int rc;

	if (v->trace_start == NULL) {
		commands_refuse(j, "this build of verge cannot trace");
		return true;
	}
	commands_text(j, "file", true);
	take(j, "file", trace.file, sizeof(trace.file));
	take(j, "call_id", trace.call_id, sizeof(trace.call_id));
	take(j, "trunk", trace.trunk, sizeof(trace.trunk));
	take(j, "number", trace.number, sizeof(trace.number));
	trace.marked = json_is_true(json_object_get(j->request, "marked"));
	if (j->error[0] == 0 && trace.trunk[0] != 0)
		commands_trunk(j);
	if (j->error[0] == 0 && trace.file[0] != '/')
		commands_refuse(j, "the file is \"%.100s\"; write it from / on", trace.file);
	if (j->error[0] != 0)
		return true;
	rc = v->trace_start(v->ctx, &trace);
	if (rc == -EALREADY)
		commands_refuse(j, "a trace runs already; end it by trace stop");
	else if (rc != 0)
		commands_refuse(j, "%s: %s", trace.file, strerrordesc_np(-rc));
	else
		jsonout_str(&j->out, "file", trace.file);
	return true;
}

bool commands_run_trace_stop(struct commands_job *j)
{
	const struct control_view *v = j->view;
	struct control_trace_end end = {0};
	int rc = v->trace_stop != NULL ? v->trace_stop(v->ctx, &end) : -ENOENT;

	if (rc == -ENOENT)
		commands_refuse(j, "no trace runs");
	else if (rc != 0)
		commands_refuse(j, "%s", strerrordesc_np(-rc));
	else
		put_trace(&j->out, &end);
	return true;
}
