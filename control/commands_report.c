// SPDX-License-Identifier: BSD-3-Clause
// `vergectl trunk T report`: what a trunk was seen to do with session timers, where it breaks the
// RFC, and what settings follow from it. Thread: control. Says only what was counted.
#include <stdarg.h>
#include <stdio.h>

#include "control/commands.h"
#include "control/trunk_facts.h"

#define VIOLATIONS_A_STEP 2 // a sample as JSON takes 24 KiB at most

// All that the report is made from.
struct evidence {
	const struct config_trunk *trunk;
	const struct trunk_facts *facts;
	const struct control_trunk_stats *own;
	struct trunk_stats s;
	uint64_t sent_ok, sent_failed, received_ok;
};

static void put_rate(struct outbuf *o, const char *key, uint64_t good, uint64_t bad)
{
	if (good + bad == 0)
		jsonout_null(o, key);
	else
		jsonout_milli(o, key, good * 1000 / (good + bad));
}

static void put_refreshes(struct commands_job *j, const struct evidence *e)
{
	struct outbuf *o = &j->out;

	jsonout_open(o, "negotiated", '{');
	jsonout_u64(o, "verge_refreshes", e->s.negotiated_local);
	jsonout_u64(o, "peer_refreshes", e->s.negotiated_remote);
	jsonout_u64(o, "no_timer", e->s.negotiated_absent);
	jsonout_u64(o, "rejected", e->s.negotiated_rejected);
	jsonout_close(o, '}');
	jsonout_open(o, "refreshes", '{');
	jsonout_u64(o, "sent_update_ok", e->s.refreshes_update_sent_ok);
	jsonout_u64(o, "sent_update_failed", e->s.refreshes_update_sent_failed);
	jsonout_u64(o, "sent_invite_ok", e->s.refreshes_invite_sent_ok);
	jsonout_u64(o, "sent_invite_failed", e->s.refreshes_invite_sent_failed);
	jsonout_u64(o, "received", e->received_ok);
	put_rate(o, "sent_success_ratio", e->sent_ok, e->sent_failed);
	jsonout_u64(o, "crossings", e->s.glare);
	jsonout_u64(o, "interval_too_small_from_peer", e->s.too_small_in);
	jsonout_u64(o, "interval_too_small_to_peer", e->s.too_small_out);
	jsonout_u64(o, "sessions_that_ran_out", e->s.expired_end + e->s.expired_warn);
	jsonout_close(o, '}');
	if (e->own != NULL)
		commands_put_histogram(o, "round_trip", &e->own->rtt, &histogram_RTT);
	jsonout_open(o, "answers", '{');
	for (unsigned i = TRUNK_STAT_refresh_code_200; i <= TRUNK_STAT_refresh_code_other; i++)
		if (e->s.value[i] != 0)
			jsonout_u64(o, stat_trunk_rows[i].field + sizeof("refresh_code_") - 1,
				    e->s.value[i]);
	jsonout_close(o, '}');
}

static void put_capabilities(struct commands_job *j, const struct evidence *e)
{
	struct outbuf *o = &j->out;

	jsonout_open(o, "capabilities", '[');
	for (unsigned i = 0; i < FACT_N && e->facts != NULL; i++) {
		const struct fact *f = &e->facts->all.facts[i];

		jsonout_open(o, NULL, '{');
		jsonout_str(o, "capability", trunk_facts_word((enum fact_id)i));
		jsonout_str(o, "state", trunk_facts_state_word((enum fact_state)f->state));
		jsonout_u64(o, "good_calls", f->good);
		jsonout_u64(o, "bad_calls", f->bad);
		jsonout_close(o, '}');
	}
	jsonout_close(o, ']');
}

static void put_sample(struct commands_job *j, const struct control_sample *sample)
{
	struct outbuf *o = &j->out;

	if (sample == NULL) {
		jsonout_null(o, "sample");
		return;
	}
	jsonout_open(o, "sample", '{');
	commands_put_time(j, "at", sample->at);
	jsonout_str(o, "from", sample->out ? "verge" : "peer");
	jsonout_bool(o, "cut", sample->cut);
	jsonout_string(o, "message", slice_of(sample->bytes, sample->len));
	jsonout_close(o, '}');
}

// What the table of departures counts, with a message of each kind. j->at: the next row, plus one.
static bool put_violations(struct commands_job *j, const struct evidence *e, unsigned trunk)
{
	const struct control *c = j->view->core;
	struct outbuf *o = &j->out;

	if (j->at == 0) {
		jsonout_open(o, "violations", '[');
		j->at = 1;
	}
	for (unsigned n = 0; n < VIOLATIONS_A_STEP && j->at <= VIOLATION_N; n++, j->at++) {
		enum violation v = (enum violation)(j->at - 1);
		const struct violation_row *row = &violation_rows[v];

		if (e->s.value[row->counter] == 0)
			continue;
		jsonout_open(o, NULL, '{');
		jsonout_str(o, "rfc", row->rfc);
		jsonout_str(o, "what", row->what);
		jsonout_u64(o, "count", e->s.value[row->counter]);
		put_sample(j, control_sample_of(c, trunk, v));
		jsonout_close(o, '}');
	}
	if (j->at <= VIOLATION_N)
		return false;
	jsonout_close(o, ']');
	return true;
}

__attribute__((format(printf, 4, 5))) static void
suggest(struct outbuf *o, const char *key, const char *value, const char *format, ...)
{
	char why[240];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	jsonout_open(o, NULL, '{');
	jsonout_str(o, "key", key);
	jsonout_str(o, "value", value);
	jsonout_str(o, "why", why);
	jsonout_close(o, '}');
}

static enum fact_state state(const struct evidence *e, enum fact_id fact)
{
	return e->facts != NULL ? (enum fact_state)e->facts->all.facts[fact].state : FACT_UNKNOWN;
}

static void put_suggestions(struct commands_job *j, const struct evidence *e)
{
	const struct config_timer *t = &e->trunk->timer;
	struct outbuf *o = &j->out;
	char number[16];

	jsonout_open(o, "suggestions", '[');
	if (state(e, FACT_REFRESH) == FACT_UNSUPPORTED && t->mode != CONFIG_TIMER_MODE_OFF)
		suggest(o, "session_timer.mode", "observe",
			"%llu calls ended because no refresh was answered",
			(unsigned long long)e->facts->all.facts[FACT_REFRESH].bad);
	if (state(e, FACT_UPDATE) == FACT_UNSUPPORTED && t->method != CONFIG_REFRESH_METHOD_INVITE)
		suggest(o, "session_timer.method", "invite", "UPDATE does not work on this trunk");
	if (state(e, FACT_INVITE) == FACT_UNSUPPORTED && t->method != CONFIG_REFRESH_METHOD_UPDATE)
		suggest(o, "session_timer.method", "update",
			"re-INVITE does not work on this trunk");
	if (state(e, FACT_PEER_REFRESH) == FACT_UNSUPPORTED &&
	    t->refresher != CONFIG_REFRESHER_LOCAL)
		suggest(o, "session_timer.refresher", "local",
			"the peer does not refresh although it should");
	if (e->facts != NULL && e->facts->boundary[ST_BOUNDARY_HALF] >= 3 && t->refresh_at_pm > 350)
		suggest(o, "session_timer.refresh_at", "0.33",
			"the peer hung up %llu times at half of the interval",
			(unsigned long long)e->facts->boundary[ST_BOUNDARY_HALF]);
	if (e->facts != NULL && e->facts->min_se_s > t->interval_s) {
		snprintf(number, sizeof(number), "%u", e->facts->min_se_s);
		suggest(o, "session_timer.interval", number,
			"the peer accepts no less (422, Min-SE %s): each call needs two INVITEs",
			number);
	}
	jsonout_close(o, ']');
}

static void read_evidence(struct commands_job *j, struct evidence *e, unsigned id)
{
	const struct control_view *v = j->view;

	*e = (struct evidence){.trunk = &control_config(v->core)->trunks[id],
			       .facts = control_facts(v->core, id),
			       .own = control_trunk_stats(v->core, id)};
	commands_sum_trunk(v, id, &e->s);
	e->sent_ok = e->s.refreshes_update_sent_ok + e->s.refreshes_invite_sent_ok;
	e->sent_failed = e->s.refreshes_update_sent_failed + e->s.refreshes_invite_sent_failed;
	e->received_ok = e->s.refreshes_update_received_ok + e->s.refreshes_invite_received_ok;
}

bool commands_run_report(struct commands_job *j)
{
	const struct control_view *v = j->view;
	int id = commands_trunk(j);
	struct evidence e;
	struct outbuf *o = &j->out;

	if (id < 0)
		return true;
	read_evidence(j, &e, (unsigned)id);
	if (j->at == 0) {
		jsonout_str(o, "trunk", e.trunk->name);
		commands_put_time(j, "from", v->started_tk);
		commands_put_time(j, "to", v->now(v->ctx));
		jsonout_u64(o, "calls_answered", e.s.calls_in_answered + e.s.calls_out_answered);
		jsonout_u64(o, "interval_s", e.trunk->timer.interval_s);
		jsonout_u64(o, "peer_min_se_s", e.facts != NULL ? e.facts->min_se_s : 0);
		put_capabilities(j, &e);
		put_refreshes(j, &e);
	}
	if (!put_violations(j, &e, (unsigned)id))
		return false;
	put_suggestions(j, &e);
	return true;
}
