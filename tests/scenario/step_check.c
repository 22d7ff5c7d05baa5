// SPDX-License-Identifier: BSD-3-Clause
// Steps that look at verge itself: state, CDRs, counters (README.md, section "Checks").
// One thread of a test program.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "run.h"
#include "scrape.h"
#include "session_timer/session_timer.h"

#define INSTANT TICK_MS(3)

// One check: NAME, operator, value. The operator is = != ~ !~ < > <= >=.
struct check {
	const char *name, *op, *value;
};

static bool read_check(struct run *r, const char *text, struct check *c)
{
	size_t name = strcspn(text, "=!~<>"), op = strspn(text + name, "=!~<>");
	size_t end = name;

	while (end > 0 && text[end - 1] == ' ')
		end--;
	c->name = arena_strndup(&r->arena, text, end);
	c->op = arena_strndup(&r->arena, text + name, op);
	c->value = text + name + op + strspn(text + name + op, " ");
	if (end != 0 && op != 0)
		return true;
	run_fail(r, "\"%s\" is no check", text);
	return false;
}

static bool holds(const struct check *c, const char *seen)
{
	char *end_a, *end_b;
	double a = strtod(seen, &end_a), b = strtod(c->value, &end_b);
	bool numbers = end_a != seen && *end_a == '\0' && end_b != c->value && *end_b == '\0';

	if (strcmp(c->op, "=") == 0)
		return numbers ? a <= b && a >= b : strcmp(seen, c->value) == 0;
	if (strcmp(c->op, "!=") == 0)
		return strcmp(seen, c->value) != 0;
	if (strcmp(c->op, "~") == 0)
		return strstr(seen, c->value) != NULL;
	if (strcmp(c->op, "!~") == 0)
		return strstr(seen, c->value) == NULL;
	return strcmp(c->op, "<") == 0	  ? a < b
	       : strcmp(c->op, ">") == 0  ? a > b
	       : strcmp(c->op, "<=") == 0 ? a <= b
					  : a >= b;
}

// The checks of a step: words behind the first `from` ones, then the lines below. Each is handed to
// `each`.
static void all_checks(struct run *r, const struct step *s, int from,
		       void (*each)(struct run *r, const struct check *c, void *arg), void *arg)
{
	struct check c;

	for (int i = from; i < s->n_words && r->error == NULL; i++) {
		const char *text = s->words[i];

		// "name ~ value" in three words
		if (i + 2 < s->n_words &&
		    strspn(s->words[i + 1], "=!~<>") == strlen(s->words[i + 1])) {
			text = arena_printf(&r->arena, "%s %s %s", text, s->words[i + 1],
					    s->words[i + 2]);
			i += 2;
		}
		if (read_check(r, run_substitute(r, text), &c))
			each(r, &c, arg);
	}
	for (int i = 0; i < s->n_details && r->error == NULL; i++)
		if (read_check(r, run_substitute(r, s->details[i]), &c))
			each(r, &c, arg);
}

static void judge(struct run *r, const struct check *c, const char *seen)
{
	if (!holds(c, seen))
		run_fail(r, "expected %s %s %s, it is %s", c->name, c->op, c->value, seen);
}

static void judge_number(struct run *r, const struct check *c, uint64_t seen)
{
	judge(r, c, arena_printf(&r->arena, "%llu", (unsigned long long)seen));
}

static void judge_time(struct run *r, const struct check *c, tick_t seen)
{
	tick_t want;

	if (strcmp(c->value, "never") == 0) {
		if (seen != TICK_NEVER && seen != 0)
			run_fail(r, "%s is at %.3f s", c->name,
				 (double)(int64_t)(seen - r->mark) / 1e6);
		return;
	}
	if (!run_time(c->value, &want)) {
		run_fail(r, "\"%s\" is no time", c->value);
		return;
	}
	want += r->mark;
	if (seen > want + INSTANT || seen + INSTANT < want)
		run_fail(r, "%s is at %.3f s, not %s", c->name,
			 (double)(int64_t)(seen - r->mark) / 1e6, c->value);
}

// --- state

static bool find_view(struct run *r, const char *subject, struct call_view *view, unsigned *side)
{
	struct world *w = &r->net.world;
	const char *label;
	struct peer *p = run_subject(r, subject, &label);
	struct dialog *d = p != NULL ? peer_dialog(p, label) : NULL;

	for (unsigned i = 0; d != NULL && i < w->workers; i++) {
		uint32_t call = engine_find(w->engine[i], slice_of_str(d->call_id));

		if (call == POOL_NONE || engine_view(w->engine[i], call, view) != 0)
			continue;
		for (*side = 0; *side < 2; ++*side)
			if (strcmp(view->legs[*side].call_id, d->call_id) == 0)
				return true;
	}
	return false;
}

static const char *role_word(uint8_t role)
{
	return role == ST_ROLE_LOCAL ? "local" : role == ST_ROLE_REMOTE ? "remote" : "none";
}

static void check_leg(struct run *r, const struct check *c, void *arg)
{
	const struct leg_view *leg = arg;

	if (strcmp(c->name, "se") == 0)
		judge_number(r, c, leg->timer.se_s);
	else if (strcmp(c->name, "min_se") == 0)
		judge_number(r, c, leg->timer.min_se_s);
	else if (strcmp(c->name, "role") == 0)
		judge(r, c, role_word(leg->timer.role));
	else if (strcmp(c->name, "by") == 0)
		judge(r, c, st_by_word(leg->negotiated_by));
	else if (strcmp(c->name, "refresh") == 0)
		judge_time(r, c, leg->refresh_tk);
	else if (strcmp(c->name, "expiry") == 0)
		judge_time(r, c, leg->expiry_tk);
	else if (strcmp(c->name, "proof") == 0)
		judge_time(r, c, leg->last_proof_tk);
	else if (strcmp(c->name, "sent") == 0)
		judge_number(r, c, leg->refreshes_sent);
	else if (strcmp(c->name, "received") == 0)
		judge_number(r, c, leg->refreshes_received);
	else if (strcmp(c->name, "failed") == 0)
		judge_number(r, c, leg->refreshes_failed);
	else if (strcmp(c->name, "holds") == 0)
		judge_number(r, c, leg->holds);
	else if (strcmp(c->name, "flipped") == 0)
		judge_number(r, c, leg->timer.role_flipped);
	else if (strcmp(c->name, "unasked") == 0)
		judge_number(r, c, leg->timer.unasked);
	else if (strcmp(c->name, "target") == 0)
		judge(r, c, leg->target);
	else
		run_fail(r, "a leg has no \"%s\"", c->name);
}

// state X NAME=VALUE ... | state X gone
static void do_state(struct run *r, const struct step *s)
{
	struct call_view view;
	unsigned side = 0;
	bool found = s->n_words > 1 && find_view(r, s->words[1], &view, &side);

	if (s->n_words > 2 && strcmp(s->words[2], "gone") == 0) {
		if (found)
			run_fail(r, "the call is still there");
		return;
	}
	if (!found) {
		run_fail(r, "the leg is not there");
		return;
	}
	all_checks(r, s, 2, check_leg, &view.legs[side]);
}

// --- CDR

// Value at a dotted path; array elements by number. The first key may be left out: "cause" finds
// release.cause.
static json_t *at_path(json_t *node, const char *path)
{
	while (node != NULL && *path != '\0') {
		size_t len = strcspn(path, ".");
		char key[64];

		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		node = json_is_array(node) ? json_array_get(node, (size_t)wire_number(key))
					   : json_object_get(node, key);
		path += len + (path[len] == '.');
	}
	return node;
}

static const char *text_of(struct run *r, json_t *node)
{
	char *text;
	const char *copy;

	if (node == NULL)
		return "(missing)";
	if (json_is_string(node))
		return json_string_value(node);
	text = json_dumps(node, JSON_ENCODE_ANY | JSON_COMPACT);
	copy = arena_strdup(&r->arena, text != NULL ? text : "");
	free(text);
	return copy;
}

static void check_cdr(struct run *r, const struct check *c, void *arg)
{
	json_t *cdr = arg, *node = at_path(cdr, c->name);

	if (node == NULL)
		node = at_path(json_object_get(cdr, "release"), c->name);
	judge(r, c, text_of(r, node));
}

// cdr NAME=VALUE ...: the next CDR is so. cdr none: there is none.
static void do_cdr(struct run *r, const struct step *s)
{
	json_error_t error;
	json_t *cdr;

	if (s->n_words > 1 && strcmp(s->words[1], "none") == 0) {
		if (r->cdr_at != r->n_cdrs)
			run_fail(r, "there is one: %s", r->cdr[r->cdr_at]);
		return;
	}
	if (r->cdr_at == r->n_cdrs) {
		run_fail(r, "there is no CDR");
		return;
	}
	cdr = json_loads(r->cdr[r->cdr_at++], 0, &error);
	if (cdr == NULL) {
		run_fail(r, "the CDR is not JSON: %s", error.text);
		return;
	}
	all_checks(r, s, 1, check_cdr, cdr);
	json_decref(cdr);
}

// --- counters

// count X WHAT = N: messages that X has got since the last mark.
static void do_count(struct run *r, const struct step *s)
{
	struct peer *p = s->n_words > 2 ? run_peer(r, s->words[1]) : NULL;
	struct check c;
	const char *text = "";

	if (p == NULL)
		return;
	for (int i = 2; i < s->n_words; i++)
		text = arena_printf(&r->arena, "%s%s", text, s->words[i]);
	if (read_check(r, text, &c))
		judge_number(r, &c, peer_counted(p, c.name));
}

static void check_usage(struct run *r, const struct check *c, void *arg)
{
	const struct engine_usage *u = arg;

	if (strcmp(c->name, "calls") == 0)
		judge_number(r, c, u->calls);
	else if (strcmp(c->name, "transactions") == 0)
		judge_number(r, c, u->transactions);
	else if (strcmp(c->name, "timers") == 0)
		judge_number(r, c, u->timers);
	else if (strcmp(c->name, "buffers") == 0)
		judge_number(r, c, r->net.world.memory.bufs);
	else if (strcmp(c->name, "texts") == 0)
		judge_number(r, c, r->net.world.memory.texts);
	else
		run_fail(r, "usage has no \"%s\"", c->name);
}

static void do_usage(struct run *r, const struct step *s)
{
	struct engine_usage u;

	world_usage(&r->net.world, &u);
	all_checks(r, s, 1, check_usage, &u);
}

static int trunk_of(struct run *r, const struct step *s)
{
	int id = s->n_words > 1 ? config_trunk_find(world_config(&r->net.world), s->words[1]) : -1;

	if (id < 0)
		run_fail(r, "which trunk?");
	return id;
}

static void check_stat(struct run *r, const struct check *c, void *arg)
{
	const unsigned *trunk = arg;
	const struct world *w = &r->net.world;
	uint64_t sum = 0;

	for (int i = 0; i < TRUNK_STATS_N; i++) {
		if (strcmp(stat_trunk_rows[i].field, c->name) != 0)
			continue;
		for (unsigned k = 0; k < w->workers; k++)
			sum += w->trunk_stats[k][*trunk].value[i];
		sum += control_trunk_stats(w->control, *trunk)->shared.value[i];
		judge_number(r, c, sum);
		return;
	}
	run_fail(r, "a trunk does not count \"%s\"", c->name);
}

// stat TRUNK NAME=N ...: rows of lib/stat/trunk_stats.def, workers and control together.
static void do_stat(struct run *r, const struct step *s)
{
	int id = trunk_of(r, s);
	unsigned trunk = (unsigned)id;

	if (id >= 0)
		all_checks(r, s, 2, check_stat, &trunk);
}

static void check_live(struct run *r, const struct check *c, void *arg)
{
	const struct trunk_live *live = arg;
	uint32_t flags = atomic_load_explicit(&live->flags, memory_order_relaxed);

	if (strcmp(c->name, "observe") == 0)
		judge_number(r, c, (flags & TRUNK_LIVE_OBSERVE) != 0);
	else if (strcmp(c->name, "no_update") == 0)
		judge_number(r, c, (flags & TRUNK_LIVE_NO_UPDATE) != 0);
	else if (strcmp(c->name, "no_invite") == 0)
		judge_number(r, c, (flags & TRUNK_LIVE_NO_INVITE) != 0);
	else if (strcmp(c->name, "min_se") == 0)
		judge_number(r, c, atomic_load_explicit(&live->min_se_s, memory_order_relaxed));
	else if (strcmp(c->name, "calls") == 0)
		judge_number(r, c,
			     (uint64_t)atomic_load_explicit(&live->calls, memory_order_relaxed));
	else if (strcmp(c->name, "peers_down") == 0)
		judge_number(r, c, atomic_load_explicit(&live->peers_down, memory_order_relaxed));
	else
		run_fail(r, "nothing \"%s\" is known of a trunk", c->name);
}

// metric SAMPLE OP VALUE: as Prometheus would read it now. The sample has quotes, so the line is
// read as it is written.
static void do_metric(struct run *r, const struct step *s)
{
	const char *sample = strchr(s->text, ' '), *brace, *end, *seen;
	char op[4], value[64];
	struct check c;

	sample = sample != NULL ? sample + 1 : "";
	brace = strchr(sample, '}');
	end = brace != NULL ? brace + 1 : sample + strcspn(sample, " ");
	if (sscanf(end, " %3s %63s", op, value) != 2) {
		run_fail(r, "metric SAMPLE OPERATOR VALUE");
		return;
	}
	sample = arena_strndup(&r->arena, sample, (size_t)(end - sample));
	seen = scrape_value(r, sample);
	c = (struct check){sample, op, value};
	judge(r, &c, seen != NULL ? seen : "(missing)");
}

// learned TRUNK NAME=N ...: what control tells the workers about a trunk.
static void do_learned(struct run *r, const struct step *s)
{
	int id = trunk_of(r, s);

	if (id >= 0)
		all_checks(r, s, 2, check_live, &r->net.world.live[id]);
}

static void check_verdict(struct run *r, const struct check *c, void *arg)
{
	static const char *const names[] = {
#define VERDICT(id, class, help) #id,
#include "stat/verdict.def"
	};

	(void)arg;
	for (int i = 0; i < VERDICT_N; i++) {
		if (strcmp(names[i], c->name) == 0) {
			judge_number(r, c, r->net.world.verdicts[i]);
			return;
		}
	}
	run_fail(r, "there is no verdict %s", c->name);
}

static void do_verdict(struct run *r, const struct step *s)
{
	all_checks(r, s, 1, check_verdict, NULL);
}

bool step_check(struct run *r, const struct step *s)
{
	static const struct {
		const char *verb;
		void (*run)(struct run *r, const struct step *s);
	} verbs[] = {
		{"state", do_state},   {"cdr", do_cdr},		{"count", do_count},
		{"usage", do_usage},   {"stat", do_stat},	{"learned", do_learned},
		{"metric", do_metric}, {"verdict", do_verdict},
	};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(s->words[0], verbs[i].verb) == 0) {
			verbs[i].run(r, s);
			return true;
		}
	}
	return false;
}
