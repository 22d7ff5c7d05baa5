// SPDX-License-Identifier: BSD-3-Clause
// A capture through the real engine in virtual time: the clock, what the peers ask, what verge
// sends. See play.h.
#include "control/replay/play.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "control/hash.h"
#include "control/replay/play_private.h"
#include "sip/name_addr.h"
#include "sip/via.h"

#define CALLS_MAX  65536	// at once
#define ROUNDS_MAX 50000000	// of the clock
#define CLAIM_US   120000000ull // a recorded leg begins at most so far from the one it stands for

tick_t play_tick(const struct play *p, uint64_t us)
{
	return WORLD_START_TK + (us - p->roles->capture->list[0].us);
}

uint64_t play_us(const struct play *p)
{
	return p->world.now - WORLD_START_TK;
}

static uint32_t bucket_of(struct slice call_id)
{
	uint32_t h = 2166136261u;

	for (uint32_t i = 0; i < call_id.len; i++)
		h = (h ^ call_id.p[i]) * 16777619u;
	return h % PLAY_HASH;
}

struct leg *play_leg(struct play *p, struct slice call_id)
{
	struct leg *leg = p->hash[bucket_of(call_id)];

	while (leg != NULL && !slice_eq(leg->call_id, call_id))
		leg = leg->next;
	return leg;
}

struct leg *play_new_leg(struct play *p, struct slice call_id, struct recorded *rec)
{
	struct leg *leg = region_alloc(p->region, sizeof(*leg));
	uint32_t at = bucket_of(call_id);

	leg->call_id = slice_of(region_copy(p->region, call_id.p, call_id.len), call_id.len);
	leg->rec = rec;
	leg->next = p->hash[at];
	p->hash[at] = leg;
	return leg;
}

void play_queue(struct play *p, tick_t at, const struct queued *q)
{
	struct queued *made = region_copy(p->region, q, sizeof(*q)), **to = &p->queue;

	made->at = at;
	while (*to != NULL && (*to)->at <= at)
		to = &(*to)->next;
	made->next = *to;
	*to = made;
}

static bool has_to_tag(const struct sip_msg *m)
{
	struct slice tag = SLICE_NONE;

	return sip_name_addr_value_tag(sip_msg_value(m, SIP_H_TO), &tag) == 0 && tag.len != 0;
}

void play_tell(struct play *p, const struct leg *leg, const struct sip_msg *m, bool out,
	       bool assumed)
{
	const struct row row = {.us = play_us(p),
				.lane = leg->lane,
				.out = out,
				.assumed = assumed,
				.in_dialog = has_to_tag(m)};

	if (leg->call != NULL)
		telling_add(&leg->call->is, &row, m);
}

static const char *address_text(struct play *p, const struct flow *flow)
{
	char ip[INET6_ADDRSTRLEN];

	inet_ntop(flow->family == 4 ? AF_INET : AF_INET6, flow->peer_ip, ip, sizeof(ip));
	return region_printf(p->region, flow->family == 4 ? "%s:%u" : "[%s]:%u", ip,
			     flow->peer_udp);
}

// --- what peers ask

static struct played_call *new_call(struct play *p, struct leg *leg, struct slice invite)
{
	struct played_call *call = region_alloc(p->region, sizeof(*call));
	struct played *out = p->out;

	out->call = region_grow(p->region, out->call, out->n, sizeof(struct played_call *));
	out->call[out->n++] = call;
	call->call_id = leg->call_id;
	call->leg[0] = leg->rec;
	call->from = roles_user(invite, SIP_H_FROM);
	call->to = roles_user(invite, SIP_H_TO);
	call->is.region = call->was.region = p->region;
	call->is.lane[0] = call->was.lane[0] = address_text(p, &leg->flow);
	return call;
}

static void say(struct play *p, struct leg *leg, const struct flow *flow, struct slice bytes,
		bool assumed)
{
	struct sip_msg m;

	(void)sip_msg_parse(&m, bytes);
	if (leg != NULL)
		play_tell(p, leg, &m, false, assumed);
	p->out->played++;
	p->out->assumed += assumed;
	world_input(&p->world, flow, bytes.p, bytes.len);
}

// Whether the peer would say it in the replay; counts why not.
static bool may_say(struct play *p, const struct leg *leg, const struct captured *c)
{
	bool inside = c->to_tag.len != 0;

	if (inside && leg->n_tags == 0)
		p->out->skipped[SKIP_NO_DIALOG]++;
	else if (inside && leg->ended)
		p->out->skipped[SKIP_OVER]++;
	else if (c->again && slice_eq(leg->answered, c->branch))
		p->out->skipped[SKIP_ANSWERED]++;
	else
		return true;
	return false;
}

// The leg of the replay that stands for a recorded one.
static struct leg *leg_for(struct play *p, const struct captured *c)
{
	if (!c->leg->outgoing)
		return play_leg(p, c->call_id);
	return c->leg->played;
}

static void peer_asks(struct play *p, const struct captured *c)
{
	struct leg *leg = leg_for(p, c);
	struct slice bytes = slice_of(c->at.data, c->at.len);
	struct outbuf o = outbuf_of(p->room, sizeof(p->room));
	struct flow flow;
	struct sip_msg m;

	(void)sip_msg_parse(&m, bytes);
	if (leg == NULL && !c->leg->outgoing && c->to_tag.len == 0 && c->method != SIP_CANCEL)
		leg = play_new_leg(p, c->call_id, c->leg);
	if (leg == NULL) {
		p->out->skipped[SKIP_NO_DIALOG]++;
		return;
	}
	if (!may_say(p, leg, c) || !roles_flow(p->roles, c, &flow))
		return;
	leg->flow = flow;
	if (c->method == SIP_INVITE && leg->call == NULL && !leg->outgoing)
		leg->call = new_call(p, leg, bytes);
	if (c->to_tag.len == 0)
		leg->ended = false;
	answers_rewrite(p, leg, &m, SLICE_NONE, &o);
	if (o.full)
		return;
	bytes = slice_of(region_copy(p->region, o.p, o.len), o.len);
	if (c->method == SIP_INVITE)
		leg->invite = bytes;
	if (c->method == SIP_BYE)
		leg->ended = true;
	say(p, leg, &flow, bytes, false);
}

static void say_queued(struct play *p, struct queued *q)
{
	struct asked *to = q->to;
	struct sip_msg m;

	(void)sip_msg_parse(&m, q->bytes);
	if (to != NULL && m.status >= 200) {
		if (to->answer.len != 0)
			return; // the transaction is over
		to->answer = q->bytes;
	}
	say(p, q->leg, &q->flow, q->bytes, q->assumed);
}

// --- what verge sends

// How well a recorded leg of the SBC fits a new INVITE of verge; 0: not at all.
static unsigned fits(const struct play *p, const struct recorded *rec, const struct flow *flow,
		     const struct sip_msg *m)
{
	const struct captured *c;
	struct flow was;
	struct slice all = slice_of(m->base, m->len);
	uint64_t now = p->roles->capture->list[0].us + play_us(p);
	unsigned score = 0;

	if (!rec->outgoing || !rec->begun || rec->claimed || rec->invite == UINT32_MAX)
		return 0;
	c = play_captured(p, rec->invite);
	if ((c->us > now ? c->us - now : now - c->us) > CLAIM_US || !roles_flow(p->roles, c, &was))
		return 0;
	if (was.family == flow->family && was.peer_udp == flow->peer_udp &&
	    memcmp(was.peer_ip, flow->peer_ip, sizeof(was.peer_ip)) == 0)
		score += 4;
	if (slice_eq(rec->to, roles_user(all, SIP_H_TO)))
		score += 2;
	else if (score == 0)
		return 0;
	if (slice_eq(rec->from, roles_user(all, SIP_H_FROM)))
		score += 1;
	return score;
}

static struct recorded *claim(struct play *p, const struct flow *flow, const struct sip_msg *m)
{
	struct recorded *best = NULL;
	unsigned most = 1;

	for (uint32_t i = 0; i < p->roles->n; i++) {
		unsigned score = fits(p, p->roles->leg[i], flow, m);

		if (score > most) { // of equals the first: the list is in the order of time
			most = score;
			best = p->roles->leg[i];
		}
	}
	if (best != NULL)
		best->claimed = true;
	return best;
}

// The caller's leg of the call that verge's new INVITE belongs to.
static struct leg *caller_of(struct play *p, struct slice call_id)
{
	struct call_view view;

	for (unsigned w = 0; w < p->world.workers; w++) {
		uint32_t call = engine_find(p->world.engine[w], call_id);

		if (call != POOL_NONE && engine_view(p->world.engine[w], call, &view) != -ENOENT)
			return play_leg(p,
					slice_of(view.legs[0].call_id, view.legs[0].call_id_len));
	}
	return NULL;
}

static struct leg *verge_calls(struct play *p, const struct flow *flow, const struct sip_msg *m)
{
	struct slice call_id = sip_msg_value(m, SIP_H_CALL_ID);
	struct leg *leg, *caller = caller_of(p, call_id);

	leg = play_new_leg(p, call_id, claim(p, flow, m));
	if (leg->rec != NULL)
		leg->rec->played = leg;
	leg->outgoing = true;
	leg->flow = *flow;
	if (caller == NULL || caller->call == NULL)
		return leg;
	leg->call = caller->call;
	for (leg->lane = 1; leg->lane < TELLING_LANES - 1; leg->lane++)
		if (leg->call->is.lane[leg->lane] == NULL)
			break;
	leg->call->is.lane[leg->lane] = leg->call->was.lane[leg->lane] = address_text(p, flow);
	leg->call->leg[leg->lane] = leg->rec;
	return leg;
}

static bool seen_before(struct play *p, struct leg *leg, struct slice bytes)
{
	uint64_t h = 14695981039346656037ull;

	for (uint32_t i = 0; i < bytes.len; i++)
		h = (h ^ bytes.p[i]) * 1099511628211ull;
	for (uint32_t i = leg->n_seen; i > 0 && leg->n_seen - i < 64; i--)
		if (leg->seen[i - 1] == h)
			return true;
	leg->seen = region_grow(p->region, leg->seen, leg->n_seen, sizeof(uint64_t));
	leg->seen[leg->n_seen++] = h;
	return false;
}

// verge's tag and Contact, for what the peer says in the dialog.
static void learn(struct play *p, struct leg *leg, const struct sip_msg *m)
{
	struct slice tag = SLICE_NONE;
	struct sip_name_addr contact;

	if (sip_name_addr_of(m, SIP_H_CONTACT, &contact) == 0)
		leg->contact = slice_of(region_copy(p->region, contact.uri.p, contact.uri.len),
					contact.uri.len);
	(void)sip_name_addr_value_tag(
		sip_msg_value(m, sip_msg_is_request(m) ? SIP_H_FROM : SIP_H_TO), &tag);
	if (tag.len == 0 || leg->n_tags == ROLES_TAGS_MAX || m->status == 100)
		return;
	for (uint32_t i = 0; i < leg->n_tags; i++)
		if (slice_eq(leg->tags[i], tag))
			return;
	leg->tags[leg->n_tags++] = slice_of(region_copy(p->region, tag.p, tag.len), tag.len);
}

static void on_sent(void *ctx, const struct flow *flow, const uint8_t *bytes, uint32_t len)
{
	struct play *p = ctx;
	struct sip_msg m;
	struct leg *leg;

	if (sip_msg_parse(&m, slice_of(bytes, len)) != 0)
		return; // a keep-alive
	leg = play_leg(p, sip_msg_value(&m, SIP_H_CALL_ID));
	if (leg == NULL && m.method == SIP_INVITE)
		leg = verge_calls(p, flow, &m);
	if (leg == NULL) {
		if (sip_msg_is_request(&m) && m.method != SIP_ACK)
			answers_ping(p, flow, &m);
		return;
	}
	leg->flow = *flow;
	if (seen_before(p, leg, slice_of(bytes, len))) {
		answers_again(p, leg, &m);
		return;
	}
	learn(p, leg, &m);
	play_tell(p, leg, &m, true, false);
	if (sip_msg_is_request(&m))
		answers_request(p, leg, &m);
	else
		answers_response(p, leg, &m);
}

static void on_cdr(void *ctx, const char *json)
{
	struct play *p = ctx;
	json_t *cdr = json_loads(json, 0, NULL);
	const char *id = json_string_value(json_object_get(cdr, "call_id"));
	struct leg *leg = id != NULL ? play_leg(p, slice_of_str(id)) : NULL;

	if (leg != NULL && leg->call != NULL)
		leg->call->cdr = region_copy(p->region, json, strlen(json) + 1);
	json_decref(cdr);
}

// --- time

// Requests of peers that are said again at their time: answers and what follows answers are not.
static bool is_cue(const struct captured *c)
{
	return !c->out && c->status == 0 && c->method != SIP_ACK && c->method != SIP_PRACK &&
	       c->leg != NULL && c->leg->begun;
}

static void run(struct play *p)
{
	struct capture *c = p->roles->capture;
	tick_t end = play_tick(p, c->list[c->n - 1].us) + p->options->until_us;
	uint32_t at = 0;

	for (uint64_t round = 0; round < ROUNDS_MAX; round++) {
		tick_t next = world_next(&p->world), cue;

		while (at < c->n && !is_cue(&c->list[at]))
			at++;
		cue = at < c->n ? play_tick(p, c->list[at].us) : TICK_NEVER;
		if (p->queue != NULL && p->queue->at < cue)
			cue = p->queue->at;
		if (next > end && cue > end)
			break;
		if (next <= cue) {
			world_advance(&p->world, next);
			continue;
		}
		p->world.now = cue > p->world.now ? cue : p->world.now;
		if (p->queue != NULL && p->queue->at == cue) {
			struct queued *q = p->queue;

			p->queue = q->next;
			say_queued(p, q);
		} else {
			peer_asks(p, &c->list[at++]);
		}
	}
}

// --- the result

// The capture's side of a call: the messages of the legs that played it.
static void tell_recorded(struct play *p, struct played_call *call)
{
	const struct capture *c = p->roles->capture;

	for (unsigned lane = 0; lane < TELLING_LANES; lane++) {
		const struct recorded *rec = call->leg[lane];

		for (uint32_t i = 0; rec != NULL && i < rec->n; i++) {
			const struct captured *m = &c->list[rec->message[i]];
			const struct row row = {.us = m->us - c->list[0].us,
						.lane = (uint8_t)lane,
						.out = m->out,
						.in_dialog = m->to_tag.len != 0};
			struct sip_msg msg;

			if (m->again)
				continue;
			(void)sip_msg_parse(&msg, slice_of(m->at.data, m->at.len));
			telling_add(&call->was, &row, &msg);
		}
	}
}

static int by_us(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->us != y->us)
		return x->us < y->us ? -1 : 1;
	return x->label < y->label ? -1 : x->label > y->label; // as they were made
}

static void finish(struct play *p)
{
	struct played *out = p->out;

	for (uint32_t i = 0; i < out->n; i++) {
		tell_recorded(p, out->call[i]);
		if (out->call[i]->was.n != 0)
			qsort(out->call[i]->was.row, out->call[i]->was.n, sizeof(struct row),
			      by_us);
	}
	for (uint32_t i = 0; i < p->roles->n; i++)
		out->legs_unclaimed += p->roles->leg[i]->outgoing && p->roles->leg[i]->begun &&
				       p->roles->leg[i]->invite != UINT32_MAX &&
				       !p->roles->leg[i]->claimed;
	for (unsigned i = 0; i < SKIP_N; i++)
		out->skipped[i] += p->roles->skipped[i];
	out->verdicts = region_copy(p->region, p->world.verdicts, sizeof(p->world.verdicts));
}

int play(struct played *out, struct roles *r, struct config *config, const struct play_options *o)
{
	struct region *region = &r->capture->region;
	struct play *p = region_alloc(region, sizeof(*p));
	const struct world_hooks hooks = {.ctx = p, .sent = on_sent, .cdr = on_cdr};
	const struct world_params params = {
		.hooks = &hooks,
		.hash = &hash_nettle,
		.seed = 1,
		.wall_us = r->capture->list[0].us,
		.workers = 1,
		.calls = config->system.capacity.calls < CALLS_MAX ? config->system.capacity.calls
								   : CALLS_MAX,
	};
	const char *wrong;

	memset(out, 0, sizeof(*out));
	p->out = out;
	p->roles = r;
	p->region = out->region = region;
	p->options = o;
	p->used = region_alloc(region, r->capture->n + 1u);
	if (world_start(&p->world, config, &params) != 0) {
		snprintf(out->error, sizeof(out->error), "%s", p->world.error);
		return -1;
	}
	run(p);
	finish(p);
	wrong = world_check(&p->world);
	if (wrong != NULL)
		snprintf(out->error, sizeof(out->error), "%s", wrong);
	world_free(&p->world);
	return 0;
}
