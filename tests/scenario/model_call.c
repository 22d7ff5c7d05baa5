// SPDX-License-Identifier: BSD-3-Clause
// Random callers and callees before the answer: reliable provisional responses and PRACK (RFC
// 3262), forks that both ring and both answer (RFC 3261 s13.2.2.4), and challenges (RFC 7616). One
// thread of a test program.
#include <string.h>

#include "draft.h"
#include "model.h"

#define T1	     TICK_MS(500)
#define GIVE_UP	     TICK_S(32)
#define SURPLUS_TIME TICK_S(20) // until when verge has acknowledged and ended it, losses included
#define NONCE_FRESH  TICK_S(60)
#define LINES_MAX    4

static bool one_in(struct model *m, unsigned n)
{
	return network_random(&m->net, n) == 0;
}

static struct model_traits *traits_of(struct model *m, const struct dialog *d)
{
	return &m->traits[model_side(m, d->peer)];
}

// --- challenges

static bool has_nonce(struct model *m, const struct wire *w, unsigned nonce)
{
	const char *value = wire_get(w, "Authorization");

	value = value != NULL ? value : wire_get(w, "Proxy-Authorization");
	return value != NULL &&
	       strstr(value, arena_printf(&m->arena, "nonce=\"n%u\"", nonce)) != NULL;
}

bool model_challenge(struct model *m, struct dialog *d, struct got *g)
{
	unsigned side = model_side(m, d->peer);
	unsigned code = m->traits[side].challenges;
	tick_t now = m->net.world.now;
	bool known = has_nonce(m, g->w, m->nonce[side]), stale;

	if (code == 0 || (known && (now < m->nonce_tk[side] + NONCE_FRESH || !one_in(m, 20))))
		return false;
	stale = known || has_nonce(m, g->w, m->nonce[side] - 1);
	if (known || now >= m->nonce_tk[side] + NONCE_FRESH) {
		m->nonce[side]++;
		m->nonce_tk[side] = now;
	}
	model_respond(m, d, g, (int)code,
		      arena_printf(&m->arena,
				   "%s: Digest realm=\"model\", nonce=\"n%u\", qop=\"auth\", "
				   "algorithm=%s%s",
				   code == 401 ? "WWW-Authenticate" : "Proxy-Authenticate",
				   m->nonce[side], side == 0 ? "MD5" : "SHA-256",
				   stale ? ", stale=true" : ""));
	return true;
}

// --- the callee

static const char *fork_tag(struct model *m, const struct dialog *d)
{
	return arena_printf(&m->arena, "%s-fork", d->tag);
}

static void begin_repeat(struct model *m, struct model_repeat *r, const struct text *text)
{
	*r = (struct model_repeat){text->bytes, text->len, m->net.world.now, m->net.world.now + T1};
}

static void send(struct model *m, struct dialog *d, const struct text *text)
{
	if (text->bytes != NULL)
		network_send(&m->net, d->peer, text->bytes, text->len, NULL);
}

void model_ring(struct model *m, struct dialog *d, struct got *g)
{
	const struct model_traits *t = traits_of(m, d);
	struct model_call *call = model_call_of(m, d);
	bool reliable = t->reliable && wire_lists(wire_get(g->w, "Supported"), "100rel");
	const char *lines[LINES_MAX];
	struct change change = {.details = lines};
	struct text text;

	if (reliable && g->w->body_len != 0 && one_in(m, 2))
		lines[change.n_details++] = "sdp";
	change.reliable = reliable && call != NULL;
	text = draft_response(&m->arena, d, g, change.reliable ? 183 : 180, &change);
	send(m, d, &text);
	if (change.reliable && text.bytes != NULL)
		begin_repeat(m, &call->reliable, &text);
	if (!t->forks || call == NULL)
		return;
	change = (struct change){.details = lines, .tag = fork_tag(m, d)};
	text = draft_response(&m->arena, d, g, 180, &change);
	send(m, d, &text);
}

void model_answer_twice(struct model *m, struct dialog *d, struct got *g)
{
	struct model_call *call = model_call_of(m, d);
	struct change change = {.tag = fork_tag(m, d)};
	const uint8_t *reply = g->reply;
	uint32_t len = g->reply_len;
	struct sdp sdp = d->sdp;
	const char *sdp_sent = d->sdp_sent;
	struct text text;

	if (!traits_of(m, d)->forks || call == NULL || !one_in(m, 2))
		return;
	text = draft_response(&m->arena, d, g, 200, &change);
	d->sdp = sdp; // it is another phone's
	d->sdp_sent = sdp_sent;
	g->reply = reply;
	g->reply_len = len;
	if (text.bytes == NULL)
		return;
	call->surplus_tag = change.tag;
	begin_repeat(m, &call->surplus, &text);
	send(m, d, &text);
}

void model_stop_ringing(struct model *m, const struct dialog *d)
{
	struct model_call *call = model_call_of(m, d);

	if (call != NULL)
		call->reliable.bytes = NULL;
}

bool model_took_early(struct model *m, struct dialog *d, struct got *g)
{
	struct model_call *call = model_call_of(m, d);
	const struct wire *w = g->w;

	if (call == NULL)
		return false;
	if (strcmp(w->method, "PRACK") == 0 && w->to_tag[0] != '\0')
		call->reliable.bytes = NULL;
	if (call->surplus_tag == NULL || strcmp(w->to_tag, call->surplus_tag) != 0)
		return false;
	if (strcmp(w->method, "ACK") == 0)
		call->surplus.bytes = NULL;
	else
		model_respond(m, d, g, 200, NULL);
	return true;
}

bool model_judge_surplus(struct model *m, struct model_call *call, struct dialog *d,
			 const struct wire *bye)
{
	struct got *g;

	if (call->surplus_tag == NULL || d != call->side[1])
		return false;
	if (strcmp(bye->to_tag, call->surplus_tag) == 0) {
		call->surplus_bye = true;
		return true;
	}
	if (call->surplus_bye || m->net.world.now > call->surplus.since + GIVE_UP)
		return false;
	// the other one overtook it on its way, and is the one that lives: it knows no timers
	call->surplus_bye = true;
	g = peer_got(d, "INVITE");
	if (g != NULL) { // each goes on repeating its own
		const struct model_repeat other = call->surplus;

		call->surplus.bytes = other.bytes != NULL && !g->acked ? g->reply : NULL;
		call->surplus.len = g->reply_len;
		g->reply = other.bytes;
		g->reply_len = other.len;
	}
	d->tag = call->surplus_tag;
	call->surplus_tag = bye->to_tag;
	d->se_s = 0;
	d->refresher = false;
	d->refresh_tk = d->expiry_tk = TICK_NEVER;
	return true;
}

bool model_may_answer(const struct model *m, const struct dialog *d)
{
	for (unsigned i = 0; i < MODEL_CALLS_MAX; i++)
		if (m->call[i].used && m->call[i].side[1] == d)
			return m->call[i].reliable.bytes == NULL;
	return true;
}

// --- the caller

void model_prack(struct model *m, struct dialog *d, const struct wire *w)
{
	struct change change = {0};
	struct text text;

	if (!wire_lists(wire_get(w, "Require"), "100rel") || wire_get(w, "RSeq") == NULL)
		return;
	text = draft_request(&m->arena, d, "PRACK", m->net.world.now, &change);
	send(m, d, &text);
}

// --- time

static void repeat(struct model *m, struct dialog *d, struct model_repeat *r, tick_t now)
{
	if (r->bytes == NULL || now < r->next || d == NULL || d->peer->silent)
		return;
	network_send(&m->net, d->peer, r->bytes, r->len, NULL);
	r->next = now + (r->next - r->since) * 2;
	r->next = r->next - now > TICK_S(4) ? now + TICK_S(4) : r->next;
}

void model_repeat_run(struct model *m, struct model_call *call, tick_t now)
{
	struct dialog *d = call->side[1];
	bool sure = !m->lossy && !m->dead[0] && !m->dead[1];

	repeat(m, d, &call->reliable, now);
	repeat(m, d, &call->surplus, now);
	if (call->reliable.bytes != NULL && now >= call->reliable.since + GIVE_UP) {
		call->reliable.bytes = NULL;
		if (sure && !call->cancelled)
			model_fail(m, "no PRACK for the 183 of %s", d->call_id);
	}
	if (call->surplus_tag != NULL && call->surplus.since != 0 &&
	    now >= call->surplus.since + SURPLUS_TIME) {
		if (sure && (call->surplus.bytes != NULL || !call->surplus_bye))
			model_fail(m, "the second 2xx of %s got no %s", d->call_id,
				   call->surplus.bytes != NULL ? "ACK" : "BYE");
		call->surplus = (struct model_repeat){0};
	}
}

tick_t model_repeat_next(const struct model_call *call)
{
	tick_t next = TICK_NEVER;

	if (call->reliable.bytes != NULL)
		next = call->reliable.next;
	if (call->surplus.bytes != NULL && call->surplus.next < next)
		next = call->surplus.next;
	if (call->surplus.since != 0 && call->surplus.since + SURPLUS_TIME < next)
		next = call->surplus.since + SURPLUS_TIME;
	return next;
}
