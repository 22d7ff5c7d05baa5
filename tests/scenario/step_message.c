// SPDX-License-Identifier: BSD-3-Clause
// Steps in which a peer sends or gets a message (README.md, sections "What a peer sends", "What
// verge sends"). One thread of a test program.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "draft.h"
#include "run.h"

#define GRANULE TICK_MS(3)  // an instant is met when the message comes up to this much later
#define PROMPT	TICK_MS(10) // how long a step waits that says nothing about time

// The words behind > that are no part of the message.
struct options {
	struct change change;
	const char *to; // method of the request that a response answers
	long cseq;	// of that request; 0 = the newest
	bool again, fresh, lost;
	struct flow source;
	bool has_source;
};

static const char **substituted(struct run *r, const struct step *s)
{
	const char **details =
		arena_alloc(&r->arena, sizeof(*details) * (size_t)(s->n_details + 1));

	for (int i = 0; i < s->n_details; i++)
		details[i] = run_substitute(r, s->details[i]);
	return details;
}

static void read_source(struct run *r, const struct peer *p, struct options *o, const char *text)
{
	o->source = p->flow;
	o->has_source = network_address(text, &o->source);
	if (!o->has_source)
		run_fail(r, "source=%s is not ADDRESS:PORT", text);
}

static bool read_options(struct run *r, const struct step *s, const struct peer *p,
			 struct options *o)
{
	o->change.details = substituted(r, s);
	o->change.n_details = s->n_details;
	for (int i = 3; i < s->n_words; i++) {
		const char *word = run_substitute(r, s->words[i]);

		if (strcmp(word, "again") == 0)
			o->again = true;
		else if (strcmp(word, "new") == 0)
			o->fresh = true;
		else if (strcmp(word, "reliable") == 0)
			o->change.reliable = true;
		else if (strncmp(word, "tag=", 4) == 0)
			o->change.tag = word + 4;
		else if (strncmp(word, "reason=", 7) == 0)
			o->change.reason = word + 7;
		else if (strncmp(word, "source=", 7) == 0)
			read_source(r, p, o, word + 7);
		else if (strcmp(word, "to") == 0 && i + 1 < s->n_words)
			o->to = s->words[++i];
		else if (o->to != NULL && isdigit((unsigned char)word[0]))
			o->change.cseq = (uint32_t)(o->cseq = wire_number(word));
		else if (strncmp(word, "sip:", 4) == 0 || strncmp(word, "tel:", 4) == 0 ||
			 strncmp(word, "sips:", 5) == 0 || strncmp(word, "uri=", 4) == 0)
			o->change.uri = word + (word[0] == 'u' ? 4 : 0);
		else
			run_fail(r, "what is \"%s\"?", word);
	}
	return r->error == NULL;
}

static void put_on_wire(struct run *r, struct peer *p, const uint8_t *bytes, uint32_t len,
			const struct options *o)
{
	if (!p->silent)
		network_send(&r->net, p, bytes, len, o->has_source ? &o->source : NULL);
	run_until(r, r->net.world.now);
}

static struct got *answered(struct dialog *d, const struct options *o)
{
	struct got *g = peer_got(d, o->to);

	while (o->cseq != 0 && g != NULL &&
	       (g->w->cseq != (uint32_t)o->cseq || strcmp(g->w->method, o->to) != 0))
		g = g->next;
	return g;
}

static void send_response(struct run *r, struct peer *p, struct dialog *d, int status,
			  const struct options *o)
{
	struct got *g = d != NULL ? answered(d, o) : NULL;
	struct text text;

	if (g == NULL) {
		run_fail(r, "there is no request that this could answer");
		return;
	}
	if (o->again && g->reply != NULL) {
		put_on_wire(r, p, g->reply, g->reply_len, o);
		return;
	}
	text = draft_response(&r->arena, d, g, status, &o->change);
	if (text.bytes == NULL)
		run_fail(r, "%s", text.error);
	else
		put_on_wire(r, p, text.bytes, text.len, o);
}

static void send_request(struct run *r, struct peer *p, struct dialog *d, const char *method,
			 const struct options *o)
{
	struct sent *s = peer_sent(d, method);
	struct text text;

	if (o->again) {
		if (s == NULL)
			run_fail(r, "there is no %s to send again", method);
		else
			put_on_wire(r, p, s->bytes, s->len, o);
		return;
	}
	text = draft_request(&r->arena, d, method, r->net.world.now, &o->change);
	if (text.bytes == NULL)
		run_fail(r, "%s", text.error);
	else
		put_on_wire(r, p, text.bytes, text.len, o);
}

static void send(struct run *r, const struct step *s, struct peer *p, const char *label)
{
	struct options o = {0};
	struct dialog *d = peer_dialog(p, label);
	const char *what = s->words[2];

	if (strcmp(what, "raw") == 0) {
		struct text text;

		if (!read_options(r, s, p, &o))
			return;
		text = draft_raw(&r->arena, o.change.details, s->n_details);
		put_on_wire(r, p, text.bytes, text.len, &o);
		return;
	}
	if (!read_options(r, s, p, &o))
		return;
	if (isdigit((unsigned char)what[0])) {
		send_response(r, p, d, (int)wire_number(what), &o);
		return;
	}
	if (d == NULL || o.fresh || (strcmp(what, "INVITE") == 0 && d->ended)) {
		if (d != NULL)
			d->label = "(before)";
		d = peer_dialog_new(&r->arena, p, label);
	}
	send_request(r, p, d, what, &o);
}

// --- expecting

struct when {
	tick_t from, until; // instants of the clock
	bool given;
};

// at T, at T..T, within T, after T
static bool read_when(struct run *r, const struct step *s, struct when *w)
{
	tick_t now = r->net.world.now;

	*w = (struct when){0, now + PROMPT, false};
	for (int i = 0; i < r->net.n_peers; i++)
		if (now + 4 * r->net.peer[i]->delay_max > w->until)
			w->until = now + 4 * r->net.peer[i]->delay_max + PROMPT;
	for (int i = 3; i + 1 < s->n_words; i++) {
		const char *word, *dots;
		tick_t from, until;

		if (strcmp(s->words[i], "at") != 0 && strcmp(s->words[i], "within") != 0 &&
		    strcmp(s->words[i], "after") != 0)
			continue;
		word = run_substitute(r, s->words[i + 1]);
		dots = strstr(word, "..");
		if (!run_time(dots != NULL ? arena_strndup(&r->arena, word, (size_t)(dots - word))
					   : word,
			      &from) ||
		    (dots != NULL && !run_time(dots + 2, &until))) {
			run_fail(r, "%s is no time", word);
			return false;
		}
		until = dots != NULL ? until : from;
		w->given = true;
		if (s->words[i][0] == 'w') {
			w->until = now + from;
		} else {
			tick_t base = strcmp(s->words[i], "at") == 0 ? r->mark : now;

			w->from = base + from;
			w->until = base + until + GRANULE;
		}
	}
	return true;
}

static bool has_word(const struct step *s, const char *word)
{
	for (int i = 3; i < s->n_words; i++)
		if (strcmp(s->words[i], word) == 0)
			return true;
	return false;
}

static bool is_hundred(const struct arrival *a)
{
	return !a->w->request && a->w->status == 100;
}

// The message that the step is about: the oldest one of its dialog, or of a dialog without a name.
static struct arrival *pick(struct peer *p, const char *label, const struct step *s)
{
	struct arrival *unnamed = NULL, *next;

	for (struct arrival *a = p->inbox; a != NULL; a = next) {
		next = a->next;
		if (is_hundred(a) && strcmp(s->words[2], "100") != 0) {
			peer_take(p, a); // steps need not mention 100 Trying
			continue;
		}
		if (a->dialog->label != NULL && strcmp(a->dialog->label, label) == 0)
			return a;
		if (a->dialog->label == NULL && unnamed == NULL)
			unnamed = a;
	}
	return unnamed;
}

static bool is_what(const struct arrival *a, const char *what)
{
	char status[8];

	snprintf(status, sizeof(status), "%d", a->w->status);
	if (strcmp(what, "any") == 0)
		return true;
	if (a->w->request)
		return strcmp(a->w->method, what) == 0;
	return strcmp(status, what) == 0 || (what[0] == status[0] && strcmp(what + 1, "xx") == 0);
}

static const char *what_is(struct run *r, const struct arrival *a)
{
	if (a->w->request)
		return arena_printf(&r->arena, "%s (CSeq %u)", a->w->method, a->w->cseq);
	return arena_printf(&r->arena, "%d %s to %s", a->w->status, a->w->reason, a->w->method);
}

static void bind(struct peer *p, struct dialog *d, const char *label)
{
	struct dialog *before = peer_dialog(p, label);

	if (d->label != NULL)
		return;
	if (before != NULL)
		before->label = "(before)";
	d->label = label;
}

static void judge(struct run *r, const struct step *s, struct peer *p, struct arrival *a,
		  const struct when *when, const char *label)
{
	const char *why, *to = NULL;

	for (int i = 3; i + 1 < s->n_words; i++)
		if (strcmp(s->words[i], "to") == 0)
			to = s->words[i + 1];
	if (!is_what(a, s->words[2]) || (to != NULL && strcmp(a->w->method, to) != 0)) {
		run_fail(r, "%s got %s", p->name, what_is(r, a));
		return;
	}
	if (a->again != has_word(s, "again")) {
		run_fail(r,
			 a->again ? "%s got a retransmission of %s"
				  : "%s got %s, which is no retransmission",
			 p->name, what_is(r, a));
		return;
	}
	if (when->given && (a->at < when->from || a->at > when->until)) {
		run_fail(r, "%s came at %.3f s", what_is(r, a), (double)(a->at - r->mark) / 1e6);
		return;
	}
	peer_take(p, a);
	bind(p, a->dialog, label);
	why = expect_message(r, a, s);
	if (why != NULL)
		run_fail(r, "%s\n%.*s", why, (int)a->w->len, (const char *)a->w->bytes);
}

static void expect(struct run *r, const struct step *s, struct peer *p, const char *label)
{
	struct arrival *a = pick(p, label, s);
	struct when when;

	if (!read_when(r, s, &when))
		return;
	while (a == NULL && r->error == NULL && r->net.world.now < when.until) {
		r->wait_peer = p;
		r->wait_label = label;
		run_until(r, when.until);
		r->wait_peer = NULL;
		a = pick(p, label, s);
	}
	if (r->error != NULL)
		return;
	if (a == NULL)
		run_fail(r, "%s got nothing", p->name);
	else
		judge(r, s, p, a, &when, label);
}

bool step_message(struct run *r, const struct step *s)
{
	const char *label;
	struct peer *p;

	if (s->n_words < 3 || (strcmp(s->words[1], ">") != 0 && strcmp(s->words[1], "<") != 0))
		return false;
	p = run_subject(r, s->words[0], &label);
	if (p == NULL)
		return true;
	if (s->words[1][0] == '>')
		send(r, s, p, label);
	else
		expect(r, s, p, label);
	return true;
}
