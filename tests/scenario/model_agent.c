// SPDX-License-Identifier: BSD-3-Clause
// Random user agents that live and answer: what they may do by the RFCs, and the odd habits that
// are known from the field (INTEROP P5, P6, P8, P9, P12, P13). One thread of a test program.
#include <string.h>
#include <strings.h>

#include "draft.h"
#include "model.h"

#define LINES_MAX   8
#define PENDING	    TICK_S(33) // a request without an answer counts as open for so long
#define HISTORY_MAX 24	       // messages of a dialog that are kept

static uint64_t rnd(struct model *m, uint64_t below)
{
	return network_random(&m->net, below);
}

static bool one_in(struct model *m, unsigned n)
{
	return rnd(m, n) == 0;
}

static bool is(const struct wire *w, const char *method)
{
	return strcmp(w->method, method) == 0;
}

void model_agent_choose(struct model *m, struct model_traits *t)
{
	static const uint32_t intervals[][8] = {
		[MODEL_SHORT] = {0, 90, 90, 120, 180, 300, 600, 600},
		[MODEL_MEDIUM] = {0, 600, 900, 1200, 1800, 1800, 1800, 3600},
		[MODEL_LONG] = {0, 3600, 7200, 14400, 28800, 43200, 86400, 86400},
	};
	static const unsigned actions[] = {
		[MODEL_SHORT] = 20, [MODEL_MEDIUM] = 4, [MODEL_LONG] = 1};
	static const uint16_t final[] = {486, 503, 603, 480};
	static const uint16_t refusals[] = {405, 501, 488, 500, 415, 400};

	*t = (struct model_traits){0};
	t->se_s = intervals[m->kind][rnd(m, 8)];
	t->min_se_s = one_in(m, 6) && t->se_s != 0 ? t->se_s : 0;
	t->update = !one_in(m, 3);
	t->refuses_update = one_in(m, 5) ? refusals[rnd(m, 6)] : 0;
	t->refreshes_by_update = one_in(m, 2);
	t->flips = one_in(m, 8);
	t->refuses_change = one_in(m, 6);
	t->forgets_se = one_in(m, 20);
	t->names_refresher = one_in(m, 2);
	t->wants_uas = one_in(m, 2);
	t->offerless = one_in(m, 10);
	t->offerless_calls = one_in(m, 10);
	t->reliable = one_in(m, 3);
	t->forks = one_in(m, 6);
	t->challenges = one_in(m, 5) ? (one_in(m, 2) ? 401 : 407) : 0;
	t->rings = one_in(m, 3) ? TICK_MS(rnd(m, 15000)) : 0;
	t->refuses_calls = one_in(m, 8) ? final[rnd(m, 4)] : 0;
	t->answers_after = one_in(m, 4) ? TICK_MS(rnd(m, 3000)) : 0;
	t->actions_per_hour = (unsigned)rnd(m, actions[m->kind] + 1);
}

static const char *allow_line(const struct model_traits *t)
{
	return t->update ? "Allow: *" : "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO";
}

static bool is_open(const struct sent *s, tick_t now)
{
	return s != NULL && s->final == 0 && now - s->at < PENDING;
}

static bool own_offer_open(struct dialog *d, tick_t now)
{
	if (is_open(peer_sent(d, "INVITE"), now))
		return true;
	for (struct sent *s = d->sent; s != NULL; s = s->next)
		if (strcmp(s->method, "UPDATE") == 0 && s->offer && is_open(s, now))
			return true;
	return false;
}

static bool their_request_open(struct dialog *d, tick_t now)
{
	for (struct got *g = d->got; g != NULL && now - g->at < PENDING; g = g->next) {
		if (is(g->w, "INVITE") && (g->final == 0 || (g->final < 300 && !g->acked)))
			return true;
		if (is(g->w, "UPDATE") && g->final == 0)
			return true;
	}
	return false;
}

static bool is_busy(struct dialog *d, tick_t now)
{
	return own_offer_open(d, now) || is_open(peer_sent(d, "UPDATE"), now) ||
	       their_request_open(d, now);
}

void model_respond(struct model *m, struct dialog *d, struct got *g, int status, const char *line)
{
	struct change change = {.details = &line, .n_details = line != NULL};
	struct text text = draft_response(&m->arena, d, g, status, &change);

	if (text.bytes != NULL)
		network_send(&m->net, d->peer, text.bytes, text.len, NULL);
}

static bool has_body(const struct wire *w)
{
	return w->body_len != 0;
}

static void settle_body(struct dialog *d, const struct wire *w)
{
	if (has_body(w))
		d->sdp_settled = w->body;
}

// The offer would make a session inactive that is not: what is agreed already is no change.
static bool makes_inactive(const struct dialog *d, const struct wire *w)
{
	return has_body(w) && strstr(w->body, "a=inactive") != NULL && d->sdp_settled != NULL &&
	       strstr(d->sdp_settled, "a=inactive") == NULL;
}

// The 2xx to an INVITE or UPDATE, with what this agent makes of the timer.
static void accept(struct model *m, struct dialog *d, struct got *g)
{
	const struct model_traits *t = &m->traits[model_side(m, d->peer)];
	const char *se = wire_get(g->w, "Session-Expires"), *lines[LINES_MAX], *why;
	struct change change = {.details = lines};
	bool initial = g->w->to_tag[0] == '\0';
	struct text text;
	struct wire *w;

	lines[change.n_details++] = allow_line(t);
	if (t->se_s != 0) {
		lines[change.n_details++] = "Supported: timer";
		if (se != NULL && (initial || !t->forgets_se)) {
			const char *role = wire_param(&m->arena, se, "refresher");
			const char *min_se = wire_get(g->w, "Min-SE");
			long v = wire_number(se), floor = min_se != NULL ? wire_number(min_se) : 90;

			if (initial && v > (long)t->se_s)
				v = (long)t->se_s > floor ? (long)t->se_s : floor;
			if (role == NULL)
				role = t->wants_uas ? "uas" : "uac";
			lines[change.n_details++] = arena_printf(
				&m->arena, "Session-Expires: %ld;refresher=%s", v, role);
			lines[change.n_details++] = "Require: timer";
		}
	}
	g->automatic = true;
	text = draft_response(&m->arena, d, g, 200, &change);
	if (text.bytes == NULL)
		return;
	d->agreed = d->sdp;
	settle_body(d, g->w);
	network_send(&m->net, d->peer, text.bytes, text.len, NULL);
	if (initial)
		model_answer_twice(m, d, g);
	w = wire_parse(&m->arena, text.bytes, text.len, &why);
	if (w != NULL)
		automatic_learn(&m->net, d, w, false);
	if (t->flips && d->se_s != 0)
		d->refresh_tk = m->net.world.now + TICK_S(d->se_s) / 2;
	m->refreshes++;
}

static bool too_small(const struct model_traits *t, const struct wire *w)
{
	const char *se = wire_get(w, "Session-Expires");

	return t->min_se_s != 0 && se != NULL && wire_number(se) < (long)t->min_se_s &&
	       wire_lists(wire_get(w, "Supported"), "timer");
}

// How long an agent thinks before it answers an INVITE.
static tick_t thinks(const struct model_traits *t, const struct got *g)
{
	return g->w->to_tag[0] == '\0' ? t->rings : t->answers_after;
}

static void model_refuse_call(struct model *m, const struct dialog *d)
{
	struct model_call *call = model_call_of(m, d);

	if (call != NULL)
		call->refused = true;
}

static void take_invite_or_update(struct model *m, struct dialog *d, struct got *g)
{
	const struct model_traits *t = &m->traits[model_side(m, d->peer)];
	bool update = is(g->w, "UPDATE"), initial = g->w->to_tag[0] == '\0';
	tick_t now = m->net.world.now;

	if (!initial && (!update || has_body(g->w)) && own_offer_open(d, now)) {
		model_respond(m, d, g, 491, NULL);
		return;
	}
	if (model_challenge(m, d, g))
		return;
	if (too_small(t, g->w)) {
		model_respond(m, d, g, 422, arena_printf(&m->arena, "Min-SE: %u", t->min_se_s));
		return;
	}
	if (update && t->refuses_update != 0 &&
	    (!has_body(g->w) || t->refuses_update == 405 || t->refuses_update == 501)) {
		model_respond(m, d, g, t->refuses_update, NULL);
		return;
	}
	if (!initial && t->refuses_change && makes_inactive(d, g->w)) {
		model_respond(m, d, g, 488, NULL);
		return;
	}
	if (initial && t->refuses_calls != 0 && one_in(m, 3)) {
		model_refuse_call(m, d);
		model_respond(m, d, g, t->refuses_calls, NULL);
		return;
	}
	if (initial)
		model_ring(m, d, g);
	if (!update && (thinks(t, g) != 0 || (initial && !model_may_answer(m, d))))
		return; // answered later, by model_agent_run()
	accept(m, d, g);
}

static struct got *got_of(struct dialog *d, const struct wire *w)
{
	struct got *g = d->got;

	while (g != NULL && (g->w->len != w->len || memcmp(g->w->bytes, w->bytes, w->len) != 0))
		g = g->next;
	return g;
}

static void trim_history(struct dialog *d)
{
	struct got *g = d->got;
	struct sent *s = d->sent;

	for (int i = 1; g != NULL && i < HISTORY_MAX; i++)
		g = g->next;
	if (g != NULL)
		g->next = NULL;
	for (int i = 1; s != NULL && i < HISTORY_MAX; i++)
		s = s->next;
	if (s != NULL)
		s->next = NULL;
}

static void took_request(struct model *m, struct peer *p, struct arrival *arrival)
{
	const struct wire *w = arrival->w;
	struct dialog *d = arrival->dialog;
	struct got *g = got_of(d, w);

	if (g != NULL && !arrival->again && model_took_early(m, d, g))
		return;
	if (is(w, "ACK"))
		settle_body(d, w);
	if (g == NULL || is(w, "ACK"))
		return;
	if (arrival->again) {
		if (g->reply != NULL)
			network_send(&m->net, p, g->reply, g->reply_len, NULL);
		return;
	}
	trim_history(d);
	if (is(w, "INVITE") || is(w, "UPDATE"))
		take_invite_or_update(m, d, g);
	else
		model_respond(m, d, g, 200, NULL);
	if (is(w, "CANCEL")) {
		g = peer_got(d, "INVITE");
		if (g != NULL && g->final == 0) {
			model_stop_ringing(m, d);
			model_respond(m, d, g, 487, NULL);
		}
	}
}

static void ack(struct model *m, struct dialog *d, struct sent *invite)
{
	struct change change = {.cseq = invite->cseq};
	const char *line = "sdp";
	struct text text;

	if (invite->ack != NULL) {
		network_send(&m->net, d->peer, invite->ack, invite->ack_len, NULL);
		return;
	}
	if (!invite->offer && invite->final / 100 == 2) {
		change.details = &line;
		change.n_details = 1;
	}
	text = draft_request(&m->arena, d, "ACK", m->net.world.now, &change);
	if (text.bytes != NULL)
		network_send(&m->net, d->peer, text.bytes, text.len, NULL);
}

static void learn(struct model *m, struct dialog *d, const struct wire *w)
{
	const struct model_traits *t = &m->traits[model_side(m, d->peer)];

	automatic_learn(&m->net, d, w, true);
	if (t->flips && d->se_s != 0)
		d->refresh_tk = m->net.world.now + TICK_S(d->se_s) / 2;
}

// An offer that was refused is as if it had never been made; the next body takes a new version.
static void settle_offer(struct dialog *d, bool accepted)
{
	long version = d->sdp.version;

	if (accepted) {
		d->agreed = d->sdp;
		return;
	}
	if (d->agreed.dir == NULL)
		return;
	d->sdp = d->agreed;
	d->sdp.version = version + 1;
}

// A caller that lives hears an error only if the callee wanted it so.
static void call_failed(struct model *m, struct model_call *call, const struct wire *w)
{
	call->ended = true;
	if (!call->refused && !call->cancelled && !m->dead[0] && !m->dead[1] && !m->lossy)
		model_fail(m, "a call that nobody refused was answered %d %s", w->status,
			   w->reason);
}

static void took_response(struct model *m, struct arrival *arrival)
{
	const struct wire *w = arrival->w;
	struct dialog *d = arrival->dialog;
	struct sent *s = d->sent;
	struct model_call *call = model_call_of(m, d);

	while (s != NULL && (s->cseq != w->cseq || strcmp(s->method, w->method) != 0))
		s = s->next;
	if (s != NULL && w->status > 100 && w->status < 200 && !arrival->again)
		model_prack(m, d, w);
	if (s == NULL || w->status < 200)
		return;
	if (is(w, "INVITE"))
		ack(m, d, s);
	if (arrival->again)
		return;
	if (is(w, "INVITE") && call != NULL && !call->answered) {
		if (w->status >= 300) {
			call_failed(m, call, w);
			return;
		}
		if (call->cancelled) // it crossed the CANCEL
			call->hangup_at = m->net.world.now;
		call->answered = true;
		call->answered_at = m->net.world.now;
		m->calls++;
	}
	if (!is(w, "INVITE") && !is(w, "UPDATE"))
		return;
	settle_offer(d, w->status < 300);
	if (w->status < 300) {
		settle_body(d, w);
		learn(m, d, w);
	} else if (d->se_s != 0 && d->refresher) {
		const char *after = wire_get(w, "Retry-After"); // glare: later

		d->refresh_tk = m->net.world.now + TICK_MS(500 + rnd(m, 4000)) +
				TICK_S(after != NULL ? (tick_t)wire_number(after) : 0);
	}
}

void model_agent_arrived(struct model *m, struct peer *p, struct arrival *arrival)
{
	struct dialog *d = arrival->dialog;

	peer_take(p, arrival);
	if (p->silent)
		return;
	if (d->label == NULL) {
		const char *id = wire_get(arrival->w, "X-Call");

		d->label = "";
		for (unsigned i = 0; id != NULL && i < MODEL_CALLS_MAX; i++)
			if (m->call[i].used && m->call[i].id == (unsigned)wire_number(id))
				m->call[i].side[1] = d;
	}
	if (arrival->w->request)
		took_request(m, p, arrival);
	else
		took_response(m, arrival);
}

// --- what an agent begins by itself

static struct sent *request(struct model *m, struct dialog *d, const char *method,
			    const char *const *lines, int n_lines)
{
	struct change change = {.details = lines, .n_details = n_lines};
	struct text text = draft_request(&m->arena, d, method, m->net.world.now, &change);

	if (text.bytes == NULL)
		return NULL;
	network_send(&m->net, d->peer, text.bytes, text.len, NULL);
	trim_history(d);
	return d->sent;
}

static int timer_lines(struct model *m, const struct model_traits *t, uint32_t se_s,
		       const char *refresher, const char **lines)
{
	int n = 0;

	lines[n++] = allow_line(t);
	if (t->se_s != 0)
		lines[n++] = t->reliable ? "Supported: timer, 100rel" : "Supported: timer";
	else if (t->reliable)
		lines[n++] = "Supported: 100rel";
	if (t->se_s == 0)
		return n;
	if (se_s != 0)
		lines[n++] = arena_printf(&m->arena, "Session-Expires: %u%s", se_s, refresher);
	return n;
}

void model_agent_call(struct model *m, struct model_call *call)
{
	const struct model_traits *t = &m->traits[0];
	const char *lines[LINES_MAX];
	int n = timer_lines(m, t, t->se_s,
			    !t->names_refresher ? ""
			    : t->wants_uas	? ";refresher=uas"
						: ";refresher=uac",
			    lines);

	lines[n++] = arena_printf(&m->arena, "X-Call: %u", call->id);
	if (t->offerless_calls)
		lines[n++] = "no sdp";
	call->side[0] = peer_dialog_new(&m->arena, m->net.peer[0], "");
	request(m, call->side[0], "INVITE", lines, n);
}

// Session-Expires of a request in the dialog: as agreed, naming who refreshes now.
static int midcall_lines(struct model *m, struct dialog *d, const char **lines)
{
	const struct model_traits *t = &m->traits[model_side(m, d->peer)];
	bool mine = t->flips || d->refresher;

	// who flips names itself as it did in the first transaction
	if (t->flips && model_side(m, d->peer) == 1)
		mine = false;
	return timer_lines(m, t, d->se_s, mine ? ";refresher=uac" : ";refresher=uas", lines);
}

static void refresh(struct model *m, struct dialog *d)
{
	const struct model_traits *t = &m->traits[model_side(m, d->peer)];
	const char *lines[LINES_MAX];
	int n = midcall_lines(m, d, lines);
	bool update = t->refreshes_by_update && t->update;

	if (is_busy(d, m->net.world.now)) {
		d->refresh_tk = m->net.world.now + TICK_S(2);
		return;
	}
	d->refresh_tk = m->net.world.now + TICK_S(36); // again unless an answer comes
	if (!update)
		lines[n++] = t->offerless ? "no sdp" : "sdp";
	request(m, d, update ? "UPDATE" : "INVITE", lines, n);
}

static void act(struct model *m, struct model_call *call)
{
	static const char *const changes[] = {"sdp dir=sendonly", "sdp dir=sendrecv",
					      "sdp dir=inactive", "sdp again",
					      "sdp v=77",	  "sdp codecs=8,0,101"};
	unsigned side = (unsigned)rnd(m, 2);
	struct dialog *d = call->side[side];
	const char *lines[LINES_MAX];
	int n;

	if (d == NULL || !d->established || d->ended || d->peer->silent ||
	    is_busy(d, m->net.world.now))
		return;
	n = midcall_lines(m, d, lines);
	switch (rnd(m, 4)) {
	case 0:
		request(m, d, "INFO", NULL, 0);
		break;
	case 1:
		request(m, d, "UPDATE", lines, n);
		break;
	default:
		lines[n++] = changes[rnd(m, sizeof(changes) / sizeof(changes[0]))];
		request(m, d, one_in(m, 4) ? "UPDATE" : "INVITE", lines, n);
		break;
	}
}

static void hang_up(struct model *m, struct model_call *call)
{
	unsigned side = (unsigned)rnd(m, 2), both = (unsigned)rnd(m, 20);

	for (unsigned i = 0; i < 2; i++) {
		struct dialog *d = call->side[i];

		if ((i != side && both != 0) || d == NULL || d->ended || d->peer->silent ||
		    !d->established)
			continue;
		call->bye[i] = true;
		request(m, d, "BYE", NULL, 0);
	}
	call->hangup_at = TICK_NEVER;
}

static tick_t earlier(tick_t a, tick_t b)
{
	return a < b ? a : b;
}

static void answer_late(struct model *m, struct dialog *d, tick_t now)
{
	const struct model_traits *t = &m->traits[model_side(m, d->peer)];

	for (struct got *g = d->got; g != NULL && now - g->at < PENDING; g = g->next)
		if (is(g->w, "INVITE") && g->final == 0 && now >= g->at + thinks(t, g) &&
		    (g->w->to_tag[0] != '\0' || model_may_answer(m, d)))
			accept(m, d, g);
}

static tick_t answer_late_next(const struct model *m, struct dialog *d, tick_t now)
{
	const struct model_traits *t = &m->traits[model_side(m, d->peer)];
	tick_t next = TICK_NEVER;

	for (struct got *g = d->got; g != NULL && now - g->at < PENDING; g = g->next)
		if (is(g->w, "INVITE") && g->final == 0 &&
		    (g->w->to_tag[0] != '\0' || model_may_answer(m, d)))
			next = earlier(next, g->at + thinks(t, g));
	return next;
}

static bool may_cancel(const struct model_call *call)
{
	struct sent *invite = call->side[0] != NULL ? peer_sent(call->side[0], "INVITE") : NULL;

	return !call->answered && !call->cancelled && call->cancel_at != TICK_NEVER &&
	       invite != NULL && invite->reply != NULL && invite->final == 0 &&
	       !call->side[0]->peer->silent;
}

tick_t model_agent_next(struct model *m)
{
	tick_t next = automatic_next(&m->net), now = m->net.world.now;

	for (unsigned i = 0; i < MODEL_CALLS_MAX; i++) {
		const struct model_call *call = &m->call[i];

		if (!call->used || call->ended)
			continue;
		if (may_cancel(call))
			next = earlier(next, call->cancel_at);
		next = earlier(next, model_repeat_next(call));
		if (call->answered)
			next = earlier(next, earlier(call->hangup_at, call->next_action));
		for (unsigned side = 0; side < 2; side++) {
			struct dialog *d = call->side[side];

			if (d == NULL || d->ended || d->peer->silent)
				continue;
			next = earlier(next, earlier(d->refresh_tk, answer_late_next(m, d, now)));
		}
	}
	return next < now ? now : next;
}

void model_agent_run(struct model *m, tick_t now)
{
	automatic_run(&m->net, now);
	for (unsigned i = 0; i < MODEL_CALLS_MAX; i++) {
		struct model_call *call = &m->call[i];
		unsigned rate = m->traits[0].actions_per_hour + m->traits[1].actions_per_hour;

		if (!call->used || call->ended)
			continue;
		model_repeat_run(m, call, now);
		for (unsigned side = 0; side < 2; side++) {
			struct dialog *d = call->side[side];

			if (d == NULL || d->ended || d->peer->silent)
				continue;
			answer_late(m, d, now);
			if (d->refresh_tk <= now)
				refresh(m, d);
		}
		if (may_cancel(call) && call->cancel_at <= now) {
			call->cancelled = true;
			request(m, call->side[0], "CANCEL", NULL, 0);
		}
		if (!call->answered)
			continue;
		if (call->next_action <= now) {
			call->next_action =
				rate != 0 ? now + TICK_S(1) + TICK_MS(rnd(m, 7200000 / rate + 1))
					  : TICK_NEVER;
			act(m, call);
		}
		if (call->hangup_at <= now)
			hang_up(m, call);
	}
}
