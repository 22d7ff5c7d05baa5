// SPDX-License-Identifier: BSD-3-Clause
// `vergectl what-if T CHANGE...`: other settings are made and checked as `trunk T set` does, then
// the calls are looked at in rounds. Thread: control. Changes nothing.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/commands.h"
#include "control/what_if.h"

#define CHANGES_MAX 16
#define SECTION	    "session_timer."
#define BUDGET_MOST 1000000 // KEY_TIMER(budget)

// What is kept between steps.
struct asked {
	struct what_if what_if;
	struct config_override changes[CHANGES_MAX + 1]; // the last: room for another budget
	unsigned n;
	char check[400]; // what `verge --check` says against it; "" = nothing
};

// "se=600", "min_se=300" (the words of RFC 4028), or a key of session_timer.
static bool read_change(struct commands_job *j, struct asked *a, const char *trunk,
			const char *text)
{
	static const struct {
		const char *word, *key;
	} words[] = {{"se", "interval"}, {"min_se", "min_interval"}};
	struct config_override *o = &a->changes[a->n];
	const char *value = strchr(text, '=');
	char key[64];

	if (value == NULL || value[1] == 0 || (size_t)(value - text) >= sizeof(key) ||
	    strlen(value + 1) >= sizeof(o->value)) {
		commands_refuse(
			j, "\"%.80s\" is no change; write se=SECONDS or KEY=VALUE of session_timer",
			text);
		return false;
	}
	snprintf(key, sizeof(key), "%.*s", (int)(value - text), text);
	if (strncmp(key, SECTION, sizeof(SECTION) - 1) == 0)
		memmove(key, key + sizeof(SECTION) - 1, strlen(key + sizeof(SECTION) - 1) + 1);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(key, words[i].word) == 0)
			snprintf(key, sizeof(key), "%s", words[i].key);
	if ((size_t)snprintf(o->key, sizeof(o->key), SECTION "%s", key) >= sizeof(o->key)) {
		commands_refuse(j, "\"%.80s\": the key is too long", text);
		return false;
	}
	snprintf(o->trunk, sizeof(o->trunk), "%s", trunk);
	snprintf(o->value, sizeof(o->value), "%s", value + 1);
	a->n++;
	return true;
}

static bool read_changes(struct commands_job *j, struct asked *a, const char *trunk)
{
	const json_t *list = json_object_get(j->request, "changes");
	size_t n = json_array_size(list);

	if (n == 0 || n > CHANGES_MAX) {
		commands_refuse(
			j, "the request needs an array \"changes\" of 1 to %u texts, as se=600",
			CHANGES_MAX);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text == NULL) {
			commands_refuse(j, "\"changes\" must have texts only, as se=600");
			return false;
		}
		if (!read_change(j, a, trunk, text))
			return false;
	}
	return true;
}

// The settings that the changes make. A budget that `verge --check` would refuse is an answer, not
// an error: then *a has its words, and the settings are read without it.
static bool make_timer(struct commands_job *j, struct asked *a, unsigned trunk,
		       struct config_timer *timer)
{
	const struct config *c = control_config(j->view->core);
	uint32_t budget = c->trunks[trunk].timer.budget;
	struct config_errors errors = {0};
	struct config *next;
	int rc = config_override_all(&next, c, a->changes, a->n, &errors);

	if (rc == -EINVAL && errors.n != 0) {
		snprintf(a->check, sizeof(a->check), "%s", commands_fault(&errors));
		for (unsigned i = 0; i < a->n; i++)
			if (strcmp(a->changes[i].key, SECTION "budget") == 0) {
				char *end;
				unsigned long v = strtoul(a->changes[i].value, &end, 10);

				budget = *end == 0 && v <= BUDGET_MOST ? (uint32_t)v : 0;
			}
		a->changes[a->n] = a->changes[0];
		snprintf(a->changes[a->n].key, sizeof(a->changes[0].key), SECTION "budget");
		snprintf(a->changes[a->n].value, sizeof(a->changes[0].value), "0");
		if (budget != 0)
			rc = config_override_all(&next, c, a->changes, a->n + 1, &errors);
	}
	if (rc == 0) {
		*timer = next->trunks[trunk].timer;
		if (a->check[0] != 0)
			timer->budget = budget;
		config_free(next);
	} else {
		commands_refuse(j, "%s",
				errors.n != 0 ? commands_fault(&errors) : strerrordesc_np(-rc));
	}
	config_errors_free(&errors);
	return rc == 0;
}

static bool begin(struct commands_job *j)
{
	const struct control_view *v = j->view;
	int id = commands_trunk(j);
	struct config_timer timer;
	struct trunk_stats s;
	struct asked *a;

	if (id < 0)
		return false;
	a = calloc(1, sizeof(*a));
	if (a == NULL) {
		commands_refuse(j, "out of memory");
		return false;
	}
	j->kept = a;
	if (!read_changes(j, a, commands_trunk_name(v, (unsigned)id)) ||
	    !make_timer(j, a, (unsigned)id, &timer))
		return false;
	commands_sum_trunk(v, (unsigned)id, &s);
	what_if_begin(&a->what_if, v->core, &timer, (unsigned)id, s.refreshes_update_received_ok,
		      s.refreshes_invite_received_ok);
	return true;
}

enum kind { KIND_COUNT, KIND_RATE, KIND_SECONDS };

static void put_figure(struct outbuf *o, const char *key, enum kind kind, uint64_t v)
{
	switch (kind) {
	case KIND_COUNT:
		jsonout_u64(o, key, v);
		return;
	case KIND_RATE:
		jsonout_milli(o, key, (v + 500) / 1000);
		return;
	case KIND_SECONDS:
		if (v == 0)
			jsonout_null(o, key);
		else
			jsonout_u64(o, key, v);
		return;
	}
}

static void put_figures(struct outbuf *o, const struct what_if *w)
{
	static const struct {
		const char *word, *help;
		enum kind kind;
	} rows[] = {
#define FIGURE(id, word, kind, help) {word, help, KIND_##kind},
		WHAT_IF_FIGURES(FIGURE)
#undef FIGURE
	};

	jsonout_open(o, "load", '[');
	for (unsigned i = 0; i < WHAT_IF_FIGURES_N; i++) {
		jsonout_open(o, NULL, '{');
		jsonout_str(o, "figure", rows[i].word);
		put_figure(o, "now", rows[i].kind, w->now.figure[i]);
		put_figure(o, "then", rows[i].kind, w->then.figure[i]);
		jsonout_str(o, "what", rows[i].help);
		jsonout_close(o, '}');
	}
	jsonout_close(o, ']');
}

static void put_risks(struct outbuf *o, const struct what_if *w)
{
	static const struct {
		const char *word, *why;
	} rows[] = {
#define RISK(id, word, why) {word, why},
		WHAT_IF_RISKS(RISK)
#undef RISK
	};

	jsonout_open(o, "risks", '[');
	for (unsigned i = 0; i < WHAT_IF_RISKS_N; i++) {
		if (w->risk[i] == 0)
			continue;
		jsonout_open(o, NULL, '{');
		jsonout_str(o, "risk", rows[i].word);
		jsonout_u64(o, "legs", w->risk[i]);
		jsonout_str(o, "why", rows[i].why);
		jsonout_close(o, '}');
	}
	jsonout_close(o, ']');
}

static void put_result(struct commands_job *j, const struct asked *a)
{
	const struct control_view *v = j->view;
	const struct what_if *w = &a->what_if;
	const struct config *c = control_config(v->core);
	const struct config_trunk *t = &c->trunks[w->trunk];
	struct outbuf *o = &j->out;

	jsonout_str(o, "trunk", t->name);
	jsonout_str(o, "timers", commands_timers_word(v, w->trunk));
	jsonout_u64(o, "interval_s", t->timer.interval_s);
	jsonout_u64(o, "interval_then_s", w->timer.interval_s);
	jsonout_str(o, "would_reach",
		    c->profiles[t->profile].apply_to == CONFIG_APPLY_TO_NEW
			    ? "new calls (apply_to: new)"
			    : "new calls at once, others with their next refresh (apply_to: all)");
	jsonout_u64(o, "legs", w->legs);
	jsonout_u64(o, "legs_at_risk", w->at_risk);
	jsonout_bool(o, "budget_suffices_now", what_if_suffices(&w->now));
	jsonout_bool(o, "budget_suffices", what_if_suffices(&w->then));
	if (a->check[0] != 0)
		jsonout_str(o, "check", a->check);
	else
		jsonout_null(o, "check");
	put_figures(o, w);
	put_risks(o, w);
}

// j->at: worker << 32 | index of the next record.
bool commands_run_what_if(struct commands_job *j)
{
	const struct control_view *v = j->view;
	unsigned worker = (unsigned)(j->at >> 32);
	uint32_t index = (uint32_t)j->at;
	struct asked *a;

	if (j->kept == NULL && !begin(j))
		return true;
	a = j->kept;
	for (unsigned looked = 0; looked < COMMANDS_STEP && worker < v->n_workers;
	     looked++, index++) {
		struct call_view c;

		if (index >= v->calls_max(v->ctx, worker)) {
			worker++;
			index = UINT32_MAX; // 0 after ++
			continue;
		}
		if (v->call(v->ctx, worker, index, &c) == 0)
			what_if_call(&a->what_if, v->core, worker, &c);
	}
	j->at = (uint64_t)worker << 32 | index;
	if (worker < v->n_workers)
		return false;
	what_if_end(&a->what_if, v->core);
	put_result(j, a);
	return true;
}
