// SPDX-License-Identifier: BSD-3-Clause
// What a peer does by itself (RFC 3261 s13, s14, s15, s17; RFC 4028 s7.2, s9).
// One thread of a test program.
#include "automatic.h"

#include <string.h>
#include <strings.h>

#include "draft.h"

#define T1	  TICK_MS(500)
#define T2	  TICK_S(4)
#define GIVE_UP	  TICK_S(32)
#define LINES_MAX 8

static bool is(const struct wire *w, const char *method)
{
	return strcmp(w->method, method) == 0;
}

static void send_text(struct network *n, struct peer *p, struct text text)
{
	if (text.bytes != NULL)
		network_send(n, p, text.bytes, text.len, NULL);
}

void automatic_learn(struct network *n, struct dialog *d, const struct wire *w, bool got_it)
{
	const char *se = wire_get(w, "Session-Expires"), *role;
	tick_t now = n->world.now;

	if (se == NULL || wire_number(se) <= 0) {
		d->se_s = 0;
		d->refresh_tk = d->expiry_tk = TICK_NEVER;
		return;
	}
	role = wire_param(n->arena, se, "refresher");
	d->se_s = (uint32_t)wire_number(se);
	// uac is whoever sent the request of this very transaction
	d->refresher = role != NULL && (strcasecmp(role, "uac") == 0) == got_it;
	d->expiry_tk = now + TICK_S(d->se_s);
	d->refresh_tk = d->refresher ? now + TICK_S(d->se_s) / 2 : TICK_NEVER;
}

// The 2xx of a peer that supports timers: it agrees to what is asked.
static void answer(struct network *n, struct dialog *d, struct got *g)
{
	const char *se = wire_get(g->w, "Session-Expires"), *lines[LINES_MAX];
	struct change change = {.details = lines};
	const char *why;
	struct wire *w;
	struct text text;

	lines[change.n_details++] = "Supported: timer";
	lines[change.n_details++] = "Allow: *";
	if (se != NULL && !d->peer->refresh_without_se) {
		const char *role = wire_param(n->arena, se, "refresher");

		role = role != NULL ? role : "uac";
		lines[change.n_details++] = arena_printf(
			n->arena, "Session-Expires: %ld;refresher=%s", wire_number(se), role);
		if (strcasecmp(role, "uac") == 0)
			lines[change.n_details++] = "Require: timer";
	}
	g->automatic = true;
	text = draft_response(n->arena, d, g, 200, &change);
	send_text(n, d->peer, text);
	w = text.bytes != NULL ? wire_parse(n->arena, text.bytes, text.len, &why) : NULL;
	if (w != NULL)
		automatic_learn(n, d, w, false);
}

static void respond(struct network *n, struct dialog *d, struct got *g, int status)
{
	struct change change = {0};

	if (g != NULL)
		send_text(n, d->peer, draft_response(n->arena, d, g, status, &change));
}

static struct got *got_of(struct dialog *d, const struct wire *w)
{
	struct got *g = d->got;

	while (g != NULL && (g->w->len != w->len || memcmp(g->w->bytes, w->bytes, w->len) != 0))
		g = g->next;
	return g;
}

static bool take_cancel(struct network *n, struct dialog *d, struct got *g)
{
	struct got *invite = peer_got(d, "INVITE");

	respond(n, d, g, 200);
	if (invite != NULL && invite->final == 0)
		respond(n, d, invite, 487);
	return true;
}

static bool follow_habit(struct network *n, struct dialog *d, struct got *g, const struct habit *h)
{
	struct change change = {.details = h->lines, .n_details = h->n_lines};

	g->automatic = true;
	send_text(n, d->peer, draft_response(n->arena, d, g, h->status, &change));
	return true;
}

static bool take_request(struct network *n, struct peer *p, struct arrival *arrival)
{
	const struct wire *w = arrival->w;
	struct dialog *d = arrival->dialog;
	struct got *g = got_of(d, w);
	unsigned may = p->automatic;

	if (g == NULL)
		return false;
	if (arrival->again && (may & AUTO_TRANSPORT) && !is(w, "ACK")) {
		if (g->reply != NULL)
			network_send(n, p, g->reply, g->reply_len, NULL);
		return true;
	}
	for (const struct habit *h = p->habits; h != NULL; h = h->next)
		if (is(w, h->method) && g->final == 0)
			return follow_habit(n, d, g, h);
	if (is(w, "ACK")) {
		struct got *invite = peer_got(d, "INVITE");

		return invite != NULL && invite->automatic;
	}
	if (is(w, "INVITE") && w->to_tag[0] == '\0' && (may & AUTO_ANSWER)) {
		respond(n, d, g, 180);
		answer(n, d, g);
		return true;
	}
	if (((is(w, "INVITE") && w->to_tag[0] != '\0') || is(w, "UPDATE")) &&
	    (may & AUTO_REFRESH)) {
		answer(n, d, g);
		return true;
	}
	if (is(w, "CANCEL") && (may & AUTO_ANSWER))
		return take_cancel(n, d, g);
	if ((is(w, "BYE") && (may & AUTO_BYE)) || (is(w, "OPTIONS") && (may & AUTO_OPTIONS)) ||
	    (may & AUTO_OTHER)) {
		respond(n, d, g, 200);
		return true;
	}
	return false;
}

static void acknowledge(struct network *n, struct dialog *d, struct sent *invite, bool again)
{
	struct change change = {0};

	if (again && invite->ack != NULL)
		network_send(n, d->peer, invite->ack, invite->ack_len, NULL);
	else
		send_text(n, d->peer, draft_request(n->arena, d, "ACK", n->world.now, &change));
}

static bool take_response(struct network *n, struct peer *p, struct arrival *arrival)
{
	const struct wire *w = arrival->w;
	struct dialog *d = arrival->dialog;
	struct sent *s = d->sent;

	while (s != NULL && (s->cseq != w->cseq || strcmp(s->method, w->method) != 0))
		s = s->next;
	if (s == NULL)
		return false;
	if (is(w, "INVITE") && w->status >= 200 && (s->automatic || (p->automatic & AUTO_ACK)))
		acknowledge(n, d, s, arrival->again || s->ack != NULL);
	if ((is(w, "INVITE") || is(w, "UPDATE")) && w->status / 100 == 2 && !arrival->again &&
	    (p->automatic & AUTO_REFRESHER))
		automatic_learn(n, d, w, true);
	return s->automatic || ((p->automatic & AUTO_TRANSPORT) && arrival->again);
}

bool automatic_take(struct network *n, struct peer *p, struct arrival *arrival)
{
	bool taken = p->silent;

	if (!taken)
		taken = arrival->w->request ? take_request(n, p, arrival)
					    : take_response(n, p, arrival);
	if (taken)
		peer_take(p, arrival);
	return taken;
}

struct sent *automatic_request(struct network *n, struct dialog *d, const char *method,
			       const char *const *lines, int n_lines)
{
	struct change change = {.details = lines, .n_details = n_lines};
	struct text text = draft_request(n->arena, d, method, n->world.now, &change);

	if (text.bytes == NULL)
		return NULL;
	d->sent->automatic = true;
	send_text(n, d->peer, text);
	return d->sent;
}

static void refresh(struct network *n, struct dialog *d)
{
	const char *lines[] = {
		"Supported: timer", "Allow: *",
		arena_printf(n->arena, "Session-Expires: %u;refresher=uac", d->se_s)};

	d->refresh_tk = TICK_NEVER;
	if (!d->ended && !d->peer->silent)
		automatic_request(n, d, d->peer->refresh_by_invite ? "INVITE" : "UPDATE", lines, 3);
}

// When a message first sent at `at` goes out again after `now`: T1, doubling, at most T2 between.
static tick_t next_copy(tick_t at, tick_t now, bool capped)
{
	tick_t step = T1, due = at + step;

	while (due <= now) {
		step = step * 2 < T2 || !capped ? step * 2 : T2;
		due += step;
	}
	return due - at < GIVE_UP ? due : TICK_NEVER;
}

static bool awaits_copy(const struct sent *s)
{
	if (strcmp(s->method, "ACK") == 0 || s->final != 0)
		return false;
	return strcmp(s->method, "INVITE") != 0 || s->reply == NULL;
}

static tick_t earlier(tick_t a, tick_t b)
{
	return a < b ? a : b;
}

// Send again what is due in (d->again_tk, now] and say when the next copy is due.
static tick_t copies(struct network *n, struct dialog *d, tick_t now, bool send)
{
	tick_t next = TICK_NEVER, since = d->again_tk;

	for (struct sent *s = d->sent; s != NULL && now - s->at < GIVE_UP; s = s->next) {
		bool invite = strcmp(s->method, "INVITE") == 0;

		if (!awaits_copy(s))
			continue;
		if (send && next_copy(s->at, since > s->at ? since : s->at, !invite) <= now)
			network_send(n, d->peer, s->bytes, s->len, NULL);
		next = earlier(next, next_copy(s->at, now, !invite));
	}
	for (struct got *g = d->got; g != NULL && now - g->at < GIVE_UP; g = g->next) {
		if (!is(g->w, "INVITE") || g->final == 0 || g->acked || g->reply == NULL)
			continue;
		if (send && next_copy(g->at, since > g->at ? since : g->at, true) <= now)
			network_send(n, d->peer, g->reply, g->reply_len, NULL);
		next = earlier(next, next_copy(g->at, now, true));
	}
	return next;
}

tick_t automatic_next(struct network *n)
{
	tick_t next = TICK_NEVER;

	for (int i = 0; i < n->n_peers; i++) {
		struct peer *p = n->peer[i];

		for (struct dialog *d = p->dialogs; d != NULL; d = d->next) {
			if (p->automatic & AUTO_REFRESHER)
				next = earlier(next, d->refresh_tk);
			if (p->automatic & AUTO_TRANSPORT)
				next = earlier(next, copies(n, d, n->world.now, false));
		}
	}
	return next;
}

void automatic_run(struct network *n, tick_t now)
{
	for (int i = 0; i < n->n_peers; i++) {
		struct peer *p = n->peer[i];

		for (struct dialog *d = p->dialogs; d != NULL; d = d->next) {
			if ((p->automatic & AUTO_REFRESHER) && d->refresh_tk <= now)
				refresh(n, d);
			if ((p->automatic & AUTO_TRANSPORT) && !p->silent) {
				copies(n, d, now, true);
				d->again_tk = now;
			}
		}
	}
}
