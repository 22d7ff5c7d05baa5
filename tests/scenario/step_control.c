// SPDX-License-Identifier: BSD-3-Clause
// Steps about time, peers, configuration and the operator (README.md, sections "Time", "Peers",
// "Operator"). One thread of a test program.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "run.h"

#define END_ALL_ROUNDS 100

static const char *word(const struct step *s, int i)
{
	return i < s->n_words ? s->words[i] : "";
}

static bool time_word(struct run *r, const struct step *s, int i, tick_t *t)
{
	if (run_time(word(s, i), t))
		return true;
	run_fail(r, "\"%s\" is no time", word(s, i));
	return false;
}

static void nothing_unseen(struct run *r)
{
	for (int i = 0; i < r->net.n_peers; i++) {
		const struct arrival *a = r->net.peer[i]->inbox;

		while (a != NULL && !a->w->request && a->w->status == 100)
			a = a->next;
		if (a != NULL)
			run_fail(r, "%s has a message that no step has looked at: %s %d to %s",
				 r->net.peer[i]->name, a->w->request ? "request" : "response",
				 a->w->status, a->w->method);
	}
}

static void do_advance(struct run *r, const struct step *s)
{
	tick_t t;

	nothing_unseen(r);
	if (time_word(r, s, 1, &t))
		run_until(r, r->net.world.now + t);
}

static void do_until(struct run *r, const struct step *s)
{
	tick_t t;

	nothing_unseen(r);
	if (!time_word(r, s, 1, &t))
		return;
	if (r->mark + t < r->net.world.now)
		run_fail(r, "that time has passed");
	else
		run_until(r, r->mark + t);
}

// quiet T [X]: nobody (X) gets anything for so long.
static void do_quiet(struct run *r, const struct step *s)
{
	do_advance(r, s);
	for (int i = 0; i < r->net.n_peers; i++) {
		struct peer *p = r->net.peer[i];

		while (p->inbox != NULL && !p->inbox->w->request && p->inbox->w->status == 100)
			peer_take(p, p->inbox); // nobody waits for 100 Trying
		if ((s->n_words < 3 || strcmp(s->words[2], p->name) == 0) && p->inbox != NULL)
			run_fail(r, "%s got %s %d to %s at %.3f s", p->name,
				 p->inbox->w->request ? "a request" : "a response",
				 p->inbox->w->status, p->inbox->w->method,
				 (double)(p->inbox->at - r->mark) / 1e6);
	}
}

static void do_mark(struct run *r, const struct step *s)
{
	(void)s;
	r->mark = r->net.world.now;
	for (int i = 0; i < r->net.n_peers; i++)
		r->net.peer[i]->n_counts = 0;
}

static void do_auto(struct run *r, const struct step *s)
{
	static const struct {
		const char *word;
		unsigned bits;
	} rows[] = {
		{"answer", AUTO_ANSWER},
		{"refresh", AUTO_REFRESH},
		{"refresher", AUTO_REFRESHER},
		{"ack", AUTO_ACK},
		{"bye", AUTO_BYE},
		{"options", AUTO_OPTIONS},
		{"other", AUTO_OTHER},
		{"transport", AUTO_TRANSPORT},
		{"all", 0xff},
	};
	struct peer *p = run_peer(r, word(s, 1));

	for (int i = 2; p != NULL && i < s->n_words; i++) {
		size_t k = 0;

		if (strcmp(s->words[i], "none") == 0) {
			p->automatic = 0;
			continue;
		}
		if (strcmp(s->words[i], "invite") == 0 || strcmp(s->words[i], "update") == 0) {
			p->refresh_by_invite = s->words[i][0] == 'i';
			continue;
		}
		if (strcmp(s->words[i], "no-se") == 0) {
			p->refresh_without_se = true;
			continue;
		}
		while (k < sizeof(rows) / sizeof(rows[0]) && strcmp(rows[k].word, s->words[i]) != 0)
			k++;
		if (k == sizeof(rows) / sizeof(rows[0]))
			run_fail(r, "a peer cannot do \"%s\" by itself", s->words[i]);
		else
			p->automatic |= rows[k].bits;
	}
	// what it would have answered by itself if it had been told earlier
	for (struct dialog *d = p != NULL ? p->dialogs : NULL; d != NULL; d = d->next)
		d->again_tk = r->net.world.now;
}

static void do_silent(struct run *r, const struct step *s)
{
	struct peer *p = run_peer(r, word(s, 1));

	if (p != NULL)
		p->silent = s->words[0][0] == 's';
}

static void do_chance(struct run *r, const struct step *s)
{
	struct peer *p = run_peer(r, word(s, 1));
	unsigned pm = (unsigned)(strtod(word(s, 2), NULL) * 1000 + 0.5);

	if (p == NULL)
		return;
	if (s->words[0][0] == 'l')
		p->lose_pm = pm;
	else
		p->copy_pm = pm;
}

// delay X T or delay X T..T
static void do_delay(struct run *r, const struct step *s)
{
	struct peer *p = run_peer(r, word(s, 1));
	const char *dots = strstr(word(s, 2), "..");
	const char *from =
		dots != NULL ? arena_strndup(&r->arena, word(s, 2), (size_t)(dots - word(s, 2)))
			     : word(s, 2);

	if (p == NULL)
		return;
	if (!run_time(from, &p->delay_min) || (dots != NULL && !run_time(dots + 2, &p->delay_max)))
		run_fail(r, "\"%s\" is no time", word(s, 2));
	if (dots == NULL)
		p->delay_max = p->delay_min;
}

static void do_allow(struct run *r, const struct step *s)
{
	static const struct {
		const char *word;
		unsigned rule;
	} rows[] = {
		{"no-timer-tag", LINT_TIMER_TAG},
		{"leak", LINT_LEAK},
		{"cseq", LINT_CSEQ},
		{"two-invites", LINT_INVITE},
		{"stray", LINT_STRAY},
		{"interval", LINT_INTERVAL},
		{"no-update", LINT_UPDATE},
	};

	for (int i = 1; i < s->n_words; i++) {
		size_t k = 0;

		if (strcmp(s->words[i], "copies") == 0) {
			r->allow_copies = true;
			continue;
		}
		while (k < sizeof(rows) / sizeof(rows[0]) && strcmp(rows[k].word, s->words[i]) != 0)
			k++;
		if (k == sizeof(rows) / sizeof(rows[0]))
			run_fail(r, "there is no rule \"%s\"", s->words[i]);
		else
			r->lint.allowed |= rows[k].rule;
	}
}

static void do_forbid(struct run *r, const struct step *s)
{
	if (strcmp(word(s, 1), "copies") == 0)
		r->allow_copies = false;
	else
		run_fail(r, "only copies can be forbidden again");
}

// reload, with lines of YAML below
static void do_reload(struct run *r, const struct step *s)
{
	conf_begin(r->script->conf);
	for (int i = 0; i < s->n_details; i++)
		if (conf_line(r->script->conf, s->details[i]) != 0)
			run_fail(r, "\"%s\" is not YAML that conf.h reads", s->details[i]);
	if (r->error == NULL && world_reload(&r->net.world, conf_text(r->script->conf)) != 0)
		run_fail(r, "%s", r->net.world.error);
}

// The shell repeats the order until no call is left: one order ends as many as an outbox holds.
static void end_all(struct run *r, enum cause cause)
{
	struct world *w = &r->net.world;
	struct engine_usage u = {.calls = 1};

	for (unsigned round = 0; u.calls != 0 && round < END_ALL_ROUNDS; round++) {
		control_end_all(w->control, cause);
		world_settle(w);
		world_usage(w, &u);
	}
	run_until(r, w->now);
}

// end X, end all [shutdown]: the operator ends the call that X is in, or all.
static void do_end(struct run *r, const struct step *s)
{
	struct world *w = &r->net.world;
	struct call_view view;
	const char *label;
	struct dialog *d;
	struct peer *p;

	if (strcmp(word(s, 1), "all") == 0) {
		end_all(r, s->n_words > 2 ? CAUSE_SHUTDOWN : CAUSE_ADMIN);
		return;
	}
	p = run_subject(r, word(s, 1), &label);
	d = p != NULL ? peer_dialog(p, label) : NULL;
	for (unsigned i = 0; d != NULL && i < w->workers; i++) {
		uint32_t call = engine_find(w->engine[i], slice_of_str(d->call_id));

		if (call == POOL_NONE || engine_view(w->engine[i], call, &view) != 0)
			continue;
		control_end_call(w->control, i, call, view.gen, CAUSE_ADMIN);
		world_settle(w);
		run_until(r, w->now);
		return;
	}
	run_fail(r, "there is no such call");
}

// exhaust buffers|text|time|reserve on|off
static void do_exhaust(struct run *r, const struct step *s)
{
	bool on = strcmp(word(s, 2), "on") == 0;

	if (strcmp(word(s, 1), "buffers") == 0)
		r->net.world.memory.no_bufs = on;
	else if (strcmp(word(s, 1), "text") == 0)
		r->net.world.memory.no_text = on;
	else if (strcmp(word(s, 1), "time") == 0)
		for (unsigned i = 0; i < r->net.world.workers; i++)
			engine_refuse_new(r->net.world.engine[i], on);
	else if (strcmp(word(s, 1), "reserve") == 0)
		for (unsigned i = 0; i < r->net.world.workers; i++)
			engine_buffers_scarce(r->net.world.engine[i], on);
	else
		run_fail(r, "buffers, text, time or the reserve of buffers can be exhausted");
}

// trunk T observe|normal|none|reset
static void do_trunk(struct run *r, const struct step *s)
{
	struct world *w = &r->net.world;
	int id = config_trunk_find(world_config(w), word(s, 1)), rc;
	const char *what = word(s, 2);

	if (id < 0) {
		run_fail(r, "there is no trunk \"%s\"", word(s, 1));
		return;
	}
	if (strcmp(what, "reset") == 0)
		rc = control_trunk_reset(w->control, (unsigned)id, w->now);
	else
		rc = control_trunk_override(w->control, (unsigned)id,
					    strcmp(what, "observe") == 0  ? CONTROL_OVERRIDE_OBSERVE
					    : strcmp(what, "normal") == 0 ? CONTROL_OVERRIDE_NORMAL
									  : CONTROL_OVERRIDE_NONE,
					    w->now);
	if (rc != 0)
		run_fail(r, "control refused: %d", rc);
	world_settle(w);
	run_until(r, w->now);
}

// answer X METHOD CODE, with the lines of the answer below: X does so each time by itself.
static void do_answer(struct run *r, const struct step *s)
{
	struct peer *p = run_peer(r, word(s, 1));
	struct habit *h = arena_alloc(&r->arena, sizeof(*h));

	if (p == NULL)
		return;
	h->method = word(s, 2);
	h->status = (int)wire_number(word(s, 3));
	h->lines = s->details;
	h->n_lines = s->n_details;
	h->next = p->habits;
	p->habits = h;
}

// closed X, open X: nobody listens at X's port, and its host says so by ICMP.
static void do_closed(struct run *r, const struct step *s)
{
	struct peer *p = run_peer(r, word(s, 1));

	if (p != NULL)
		p->closed = strcmp(s->words[0], "closed") == 0;
}

static void do_ignore(struct run *r, const struct step *s)
{
	struct peer *p = run_peer(r, word(s, 1));

	if (p != NULL)
		p->inbox = NULL;
}

static void do_leaks(struct run *r, const struct step *s)
{
	(void)s;
	r->leaks_wanted = true;
}

bool step_control(struct run *r, const struct step *s)
{
	static const struct {
		const char *verb;
		void (*run)(struct run *r, const struct step *s);
	} verbs[] = {
		{"advance", do_advance}, {"until", do_until},	{"quiet", do_quiet},
		{"mark", do_mark},	 {"auto", do_auto},	{"silent", do_silent},
		{"awake", do_silent},	 {"lose", do_chance},	{"copy", do_chance},
		{"delay", do_delay},	 {"allow", do_allow},	{"forbid", do_forbid},
		{"reload", do_reload},	 {"end", do_end},	{"exhaust", do_exhaust},
		{"trunk", do_trunk},	 {"ignore", do_ignore}, {"leaks", do_leaks},
		{"answer", do_answer},	 {"closed", do_closed}, {"open", do_closed},
	};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(s->words[0], verbs[i].verb) == 0) {
			verbs[i].run(r, s);
			return true;
		}
	}
	return false;
}
