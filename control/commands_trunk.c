// SPDX-License-Identifier: BSD-3-Clause
// Commands about trunks: the list, one trunk, what is set on it. Thread: control.
#include <errno.h>

#include "control/commands.h"
#include "control/trunk_facts.h"

#define TRUNKS_A_STEP 16

static bool peer_is_up(const struct control_view *v, unsigned trunk, unsigned peer)
{
	// relaxed: one word that may be late
	uint64_t down = atomic_load_explicit(&v->live[trunk].peers_down, memory_order_relaxed);

	return (down >> peer & 1) == 0;
}

unsigned commands_peers_up(const struct control_view *v, unsigned trunk)
{
	unsigned n = control_config(v->core)->trunks[trunk].peers.n, up = 0;

	for (unsigned i = 0; i < n; i++)
		up += peer_is_up(v, trunk, i);
	return up;
}

const char *commands_timers_word(const struct control_view *v, unsigned trunk)
{
	const struct config_trunk *t = &control_config(v->core)->trunks[trunk];
	const struct trunk_facts *f = control_facts(v->core, trunk);

	if (t->timer.mode == CONFIG_TIMER_MODE_OFF)
		return "off";
	if (f != NULL && f->override != CONTROL_OVERRIDE_NONE)
		return f->override == CONTROL_OVERRIDE_OBSERVE ? "observed by operator"
							       : "never quarantined by operator";
	if (f != NULL && f->quarantined)
		return "quarantined";
	return t->timer.mode == CONFIG_TIMER_MODE_OBSERVE ? "observed" : "normal";
}

uint64_t commands_calls_now(const struct control_view *v, unsigned trunk)
{
	// relaxed: a counter
	int32_t n = atomic_load_explicit(&v->live[trunk].calls, memory_order_relaxed);

	return n > 0 ? (uint64_t)n : 0;
}

static uint64_t sum_run(const struct trunk_stats *t, unsigned from, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += t->value[from + i];
	return sum;
}

static void put_summary(struct commands_job *j, unsigned id)
{
	const struct control_view *v = j->view;
	const struct config *c = control_config(v->core);
	const struct config_trunk *t = &c->trunks[id];
	struct trunk_stats s;
	struct outbuf *o = &j->out;

	commands_sum_trunk(v, id, &s);
	jsonout_str(o, "trunk", t->name);
	jsonout_str(o, "port", c->ports[t->port].name);
	jsonout_str(o, "profile", c->profiles[t->profile].name);
	jsonout_str(o, "timers", commands_timers_word(v, id));
	jsonout_u64(o, "calls", commands_calls_now(v, id));
	jsonout_u64(o, "calls_max", t->limits.calls);
	jsonout_u64(o, "calls_in",
		    sum_run(&s, TRUNK_STAT_calls_in_answered, CALL_RESULT_LIMITED + 1));
	jsonout_u64(o, "answered_in", s.calls_in_answered);
	jsonout_u64(o, "calls_out",
		    sum_run(&s, TRUNK_STAT_calls_out_answered, CALL_RESULT_LIMITED + 1));
	jsonout_u64(o, "answered_out", s.calls_out_answered);
	jsonout_open(o, "peers", '[');
	for (unsigned i = 0; i < t->peers.n; i++) {
		const struct config_endpoint *e = &t->peers.list[i];

		jsonout_open(o, NULL, '{');
		commands_put_endpoint(o, "address", e->ip.family, e->ip.bytes, e->udp);
		jsonout_bool(o, "up", peer_is_up(v, id, i));
		jsonout_close(o, '}');
	}
	jsonout_close(o, ']');
}

// j->at: the next trunk, plus one.
bool commands_run_trunks(struct commands_job *j)
{
	const struct config *c = control_config(j->view->core);

	if (j->at == 0) {
		jsonout_open(&j->out, "trunks", '[');
		j->at = 1;
	}
	for (unsigned n = 0; n < TRUNKS_A_STEP && j->at <= c->n_trunks; n++, j->at++) {
		if (c->trunks[j->at - 1].gone)
			continue;
		jsonout_open(&j->out, NULL, '{');
		put_summary(j, (unsigned)j->at - 1);
		jsonout_close(&j->out, '}');
	}
	if (j->at <= c->n_trunks)
		return false;
	jsonout_close(&j->out, ']');
	return true;
}

static void put_facts(struct commands_job *j, const char *key, const struct facts_row *row)
{
	struct outbuf *o = &j->out;

	jsonout_open(o, key, '[');
	for (unsigned i = 0; i < FACT_N; i++) {
		const struct fact *f = &row->facts[i];

		jsonout_open(o, NULL, '{');
		jsonout_str(o, "fact", trunk_facts_word((enum fact_id)i));
		jsonout_str(o, "state", trunk_facts_state_word((enum fact_state)f->state));
		commands_put_time(j, "since", f->since);
		jsonout_u64(o, "good_calls", f->good);
		jsonout_u64(o, "bad_calls", f->bad);
		commands_put_time(j, "last_good", f->last_good_tk);
		jsonout_str(o, "counts", trunk_facts_help((enum fact_id)i));
		jsonout_close(o, '}');
	}
	jsonout_close(o, ']');
}

static void put_learned(struct commands_job *j, const struct trunk_facts *f)
{
	struct outbuf *o = &j->out;

	jsonout_bool(o, "quarantined", f->quarantined);
	commands_put_time(j, "quarantined_since", f->quarantined ? f->quarantined_since : 0);
	jsonout_u64(o, "min_se_s", f->min_se_s);
	jsonout_u64(o, "unasked", f->unasked);
	jsonout_u64(o, "unanswered_pings", f->unanswered_pings);
	put_facts(j, "facts", &f->all);
	jsonout_open(o, "agents", '[');
	for (unsigned i = 0; i < FACT_AGENTS_MAX; i++) {
		if (f->agents[i].agent == 0)
			continue;
		jsonout_open(o, NULL, '{');
		jsonout_u64(o, "agent", f->agents[i].agent);
		commands_put_time(j, "seen", f->agents[i].seen_tk);
		put_facts(j, "facts", &f->agents[i]);
		jsonout_close(o, '}');
	}
	jsonout_close(o, ']');
	jsonout_open(o, "byes_on_boundary", '{');
	for (unsigned i = ST_BOUNDARY_NONE + 1; i < ST_BOUNDARY_N; i++)
		jsonout_u64(o, st_boundary_word((enum st_boundary)i), f->boundary[i]);
	jsonout_close(o, '}');
}

static void put_overrides(struct commands_job *j, const struct config *c, const char *trunk)
{
	jsonout_open(&j->out, "set", '{');
	for (uint32_t i = 0; i < config_overrides(c); i++) {
		const struct config_override *o = config_override_at(c, i);

		if (strcmp(o->trunk, trunk) == 0)
			jsonout_str(&j->out, o->key, o->value);
	}
	jsonout_close(&j->out, '}');
}

bool commands_run_trunk(struct commands_job *j)
{
	const struct control_view *v = j->view;
	const struct config *c = control_config(v->core);
	int id = commands_trunk(j);
	const struct trunk_facts *f = id >= 0 ? control_facts(v->core, (unsigned)id) : NULL;
	const struct control_trunk_stats *own;
	struct trunk_stats s;

	if (id < 0)
		return true;
	put_summary(j, (unsigned)id);
	put_overrides(j, c, c->trunks[id].name);
	own = control_trunk_stats(v->core, (unsigned)id);
	if (own != NULL) {
		jsonout_u64(&j->out, "would_drop", own->would_drop);
		jsonout_u64(&j->out, "paced", own->paced);
		jsonout_u64(&j->out, "quarantines", own->quarantines);
		jsonout_u64(&j->out, "probes", own->probes);
	}
	if (f != NULL) {
		jsonout_open(&j->out, "learned", '{');
		put_learned(j, f);
		jsonout_close(&j->out, '}');
	}
	commands_sum_trunk(v, (unsigned)id, &s);
	jsonout_open(&j->out, "counters", '{');
	for (unsigned i = 0; i < TRUNK_STATS_N; i++)
		if (s.value[i] != 0)
			jsonout_u64(&j->out, stat_trunk_rows[i].field, s.value[i]);
	jsonout_close(&j->out, '}');
	return true;
}

// KEY and VALUE of "set"; the new snapshot goes to the shell.
static void override(struct commands_job *j, const char *trunk, const char *key, const char *value)
{
	const struct control_view *v = j->view;
	struct config_errors errors = {0};
	struct config *next;
	int rc = config_override(&next, control_config(v->core), trunk, key, value, &errors);

	if (rc == 0)
		v->publish(v->ctx, next);
	else if (errors.n != 0)
		commands_refuse(j, "%s", commands_fault(&errors));
	else
		commands_refuse(j, "%s", strerrordesc_np(-rc));
	config_errors_free(&errors);
}

// "timers=observe | normal | auto" is control's own override; everything else is a key of the
// trunk.
static bool set_quarantine(struct commands_job *j, unsigned id, const char *value)
{
	static const char *const words[] = {
		[CONTROL_OVERRIDE_NONE] = "auto",
		[CONTROL_OVERRIDE_OBSERVE] = "observe",
		[CONTROL_OVERRIDE_NORMAL] = "normal",
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(value, words[i]) == 0) {
			control_trunk_override(j->view->core, id, (enum control_override)i,
					       j->view->now(j->view->ctx));
			return true;
		}
	commands_refuse(j, "timers is \"%.60s\"; it must be observe, normal or auto", value);
	return false;
}

bool commands_run_set(struct commands_job *j)
{
	const char *key = commands_text(j, "key", true), *value = commands_text(j, "value", true);
	int id = commands_trunk(j);

	if (id < 0 || key == NULL || value == NULL)
		return true;
	if (strcmp(key, "timers") == 0)
		set_quarantine(j, (unsigned)id, value);
	else
		override(j, commands_trunk_name(j->view, (unsigned)id), key, value);
	jsonout_str(&j->out, key, value);
	return true;
}

bool commands_run_reset(struct commands_job *j)
{
	int id = commands_trunk(j);

	if (id < 0)
		return true;
	override(j, commands_trunk_name(j->view, (unsigned)id), NULL, NULL);
	if (j->error[0] == 0)
		control_trunk_reset(j->view->core, (unsigned)id, j->view->now(j->view->ctx));
	jsonout_str(&j->out, "state", "reset");
	return true;
}
