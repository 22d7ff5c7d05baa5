// SPDX-License-Identifier: BSD-3-Clause
// The recorded peers answer: to a request of verge what the peer said to the same request in the
// capture, after the same time; where the capture has none, what such a peer would say, marked as
// assumed. See play.h.
#include "sip/list.h"

#include "control/replay/play_private.h"
#include "sip/name_addr.h"
#include "sip/numbers.h"
#include "sip/via.h"

#define AT_ONCE	  TICK_MS(1)
#define LATE_MOST TICK_S(600)

static struct slice keep(struct play *p, const struct outbuf *o)
{
	return slice_of(region_copy(p->region, o->p, o->len), o->len);
}

static struct sip_msg *parse(struct sip_msg *m, struct slice bytes)
{
	(void)sip_msg_parse(m, bytes);
	return m;
}

static struct slice branch_of(const struct sip_msg *m)
{
	struct sip_via via;

	return sip_via_top(m, &via) == 0 ? via.branch : SLICE_NONE;
}

static bool is_dead(const struct play *p, const struct leg *leg)
{
	return leg->rec != NULL && leg->rec->dead_us != 0 &&
	       p->world.now >= play_tick(p, leg->rec->dead_us);
}

void answers_rewrite(struct play *p, const struct leg *leg, const struct sip_msg *m,
		     struct slice rack, struct outbuf *o)
{
	struct rewrite w = {
		.call_id = leg->call_id, .rack = rack, .is = leg->tags, .n_is = leg->n_tags};
	struct slice tag = SLICE_NONE;

	(void)p;
	if (leg->rec != NULL) {
		w.was = leg->rec->tags;
		w.n_was = leg->rec->n_tags;
	}
	(void)sip_name_addr_value_tag(sip_msg_value(m, SIP_H_TO), &tag);
	if (tag.len != 0)
		w.uri = leg->contact;
	rewrite_request(o, m, &w);
}

static void queue_bytes(struct play *p, struct leg *leg, tick_t after, const struct outbuf *o,
			bool assumed, struct asked *to)
{
	struct queued q = {.leg = leg, .flow = leg->flow, .assumed = assumed, .to = to};

	if (o->full)
		return;
	q.bytes = keep(p, o);
	play_queue(p, p->world.now + (after < LATE_MOST ? after : LATE_MOST), &q);
}

// --- recorded answers

// The first request of the SBC in the capture that is like this one and has not been played.
static uint32_t find_recorded(const struct play *p, const struct leg *leg, const struct sip_msg *m)
{
	uint32_t found = UINT32_MAX;
	struct slice tag = SLICE_NONE;
	bool inside;

	(void)sip_name_addr_value_tag(sip_msg_value(m, SIP_H_TO), &tag);
	inside = tag.len != 0;
	for (uint32_t i = 0; leg->rec != NULL && i < leg->rec->n; i++) {
		uint32_t index = leg->rec->message[i];
		const struct captured *c = play_captured(p, index);
		struct sip_msg was;

		if (!c->out || c->status != 0 || c->again || p->used[index] != 0 ||
		    c->method != m->method || (c->to_tag.len != 0) != inside)
			continue;
		parse(&was, slice_of(c->at.data, c->at.len));
		if ((was.body.len != 0) == (m->body.len != 0))
			return index;
		found = found != UINT32_MAX ? found : index;
	}
	return found;
}

static uint64_t recorded_cancel(const struct play *p, const struct leg *leg,
				const struct captured *invite)
{
	for (uint32_t i = 0; i < leg->rec->n; i++) {
		const struct captured *c = play_captured(p, leg->rec->message[i]);

		if (c->out && c->status == 0 && c->method == SIP_CANCEL &&
		    slice_eq(c->branch, invite->branch))
			return c->us;
	}
	return UINT64_MAX;
}

// Queue the recorded answers to `was` with branch and method that came from from_us on; times count
// from base_us.
static void queue_recorded(struct play *p, struct leg *leg, struct asked *asked,
			   const struct captured *was, const uint64_t window[2])
{
	struct sip_msg request, response;

	parse(&request, asked->bytes);
	for (uint32_t i = 0; i < leg->rec->n; i++) {
		const struct captured *c = play_captured(p, leg->rec->message[i]);
		struct outbuf o = outbuf_of(p->room, sizeof(p->room));

		if (c->out || c->status == 0 || c->again || c->method != was->method ||
		    c->us < window[0] || c->us >= window[1] ||
		    (c->branch.len != 0 ? !slice_eq(c->branch, was->branch) : c->cseq != was->cseq))
			continue;
		parse(&response, slice_of(c->at.data, c->at.len));
		rewrite_response(&o, &response, &request);
		queue_bytes(p, leg, c->us - window[0], &o, false, asked);
	}
}

// --- assumed answers

static struct slice last_sdp(const struct play *p, const struct leg *leg)
{
	struct sip_msg m;

	for (uint32_t i = leg->rec != NULL ? leg->rec->n : 0; i > 0; i--) {
		const struct captured *c = play_captured(p, leg->rec->message[i - 1]);

		if (c->out || play_tick(p, c->us) > p->world.now)
			continue;
		parse(&m, slice_of(c->at.data, c->at.len));
		if (m.body.len != 0)
			return m.body;
	}
	return SLICE_NONE;
}

static struct slice last_contact(const struct play *p, const struct leg *leg)
{
	struct sip_msg m;

	for (uint32_t i = leg->rec != NULL ? leg->rec->n : 0; i > 0; i--) {
		const struct captured *c = play_captured(p, leg->rec->message[i - 1]);

		if (c->out)
			continue;
		parse(&m, slice_of(c->at.data, c->at.len));
		if (sip_msg_has(&m, SIP_H_CONTACT))
			return sip_msg_value(&m, SIP_H_CONTACT);
	}
	return SLICE_NONE;
}

static void assume(struct play *p, struct leg *leg, struct asked *asked, unsigned code)
{
	struct outbuf o = outbuf_of(p->room, sizeof(p->room));
	struct assumed a = {.code = code, .tag = SLICE_LIT("replay")};
	struct sip_msg request;

	parse(&request, asked->bytes);
	if (code < 300) {
		a.timer = leg->rec != NULL && leg->rec->peer_timer;
		a.contact = last_contact(p, leg);
		if (request.method == SIP_INVITE)
			a.sdp = last_sdp(p, leg);
	}
	rewrite_answer(&o, &request, &a);
	queue_bytes(p, leg, AT_ONCE, &o, true, asked);
}

static void assume_answer(struct play *p, struct leg *leg, struct asked *asked,
			  const struct sip_msg *m)
{
	bool cannot = m->method == SIP_UPDATE && leg->rec != NULL && leg->rec->peer_allow != 0 &&
		      (leg->rec->peer_allow & SIP_METHOD_BIT(UPDATE)) == 0;
	struct slice tag = SLICE_NONE;

	(void)sip_name_addr_value_tag(sip_msg_value(m, SIP_H_TO), &tag);
	// A new call to somebody whom the capture does not have: nobody is there.
	if (p->options->silent || (m->method == SIP_INVITE && tag.len == 0))
		return;
	assume(p, leg, asked, cannot ? 405 : 200);
}

// --- what verge asks

static void cancel(struct play *p, struct leg *leg, struct asked *asked, const struct sip_msg *m)
{
	struct asked *invite = leg->asked;
	uint32_t at = find_recorded(p, leg, m);

	while (invite != NULL &&
	       (invite->method != SIP_INVITE || !slice_eq(invite->branch, asked->branch)))
		invite = invite->next;
	if (invite != NULL)
		invite->cancelled = true;
	if (at != UINT32_MAX && invite != NULL && invite->recorded != UINT32_MAX) {
		const struct captured *c = play_captured(p, at);
		const uint64_t window[2] = {c->us, UINT64_MAX};

		p->used[at] = 1;
		queue_recorded(p, leg, asked, c, window);
		queue_recorded(p, leg, invite, play_captured(p, invite->recorded), window);
		return;
	}
	if (p->options->silent || is_dead(p, leg))
		return;
	assume(p, leg, asked, 200);
	if (invite != NULL && invite->answer.len == 0)
		assume(p, leg, invite, 487);
}

void answers_request(struct play *p, struct leg *leg, const struct sip_msg *m)
{
	struct asked *asked;
	uint32_t at;

	if (m->method == SIP_ACK)
		return;
	if (m->method == SIP_BYE)
		leg->ended = true;
	asked = region_alloc(p->region, sizeof(*asked));
	asked->bytes = slice_of(region_copy(p->region, m->base, m->len), m->len);
	asked->method = m->method;
	asked->recorded = UINT32_MAX;
	asked->next = leg->asked;
	leg->asked = asked;
	{
		struct sip_msg kept;

		asked->branch = branch_of(parse(&kept, asked->bytes));
	}
	if (m->method == SIP_CANCEL) {
		cancel(p, leg, asked, m);
		return;
	}
	at = find_recorded(p, leg, m);
	if (at != UINT32_MAX) {
		const struct captured *c = play_captured(p, at);
		const uint64_t window[2] = {
			c->us, m->method == SIP_INVITE ? recorded_cancel(p, leg, c) : UINT64_MAX};

		p->used[at] = 1;
		asked->recorded = at;
		queue_recorded(p, leg, asked, c, window);
	} else if (!is_dead(p, leg)) {
		assume_answer(p, leg, asked, m);
	}
}

void answers_again(struct play *p, struct leg *leg, const struct sip_msg *m)
{
	struct slice branch = branch_of(m);
	struct queued q = {.leg = leg, .flow = leg->flow};

	if (m->status != 0) { // a peer that hears a final answer again says ACK again
		struct sip_cseq cseq;

		if (m->status < 200 || leg->ack.len == 0 || sip_cseq_of(m, &cseq) != 0 ||
		    cseq.method != SIP_INVITE || cseq.number != leg->ack_cseq)
			return;
		q.bytes = leg->ack;
		play_queue(p, p->world.now + AT_ONCE, &q);
		return;
	}
	for (struct asked *a = leg->asked; a != NULL; a = a->next)
		if (a->method == m->method && slice_eq(a->branch, branch)) {
			if (a->answer.len == 0)
				return;
			q.bytes = a->answer;
			play_queue(p, p->world.now + AT_ONCE, &q);
			return;
		}
}

void answers_ping(struct play *p, const struct flow *flow, const struct sip_msg *m)
{
	struct outbuf o = outbuf_of(p->room, sizeof(p->room));
	const struct assumed a = {.code = 200, .tag = SLICE_LIT("replay")};
	struct queued q = {.flow = *flow, .assumed = true};

	rewrite_answer(&o, m, &a);
	if (o.full)
		return;
	q.bytes = keep(p, &o);
	p->out->pings++;
	play_queue(p, p->world.now + AT_ONCE, &q);
}

// --- what verge answers

// The recorded ACK or PRACK of the peer that belongs to this CSeq number; was: when the SBC had
// said what it follows.
static const struct captured *find_reaction(const struct play *p, const struct leg *leg,
					    unsigned method, uint32_t cseq, uint64_t *was)
{
	*was = 0;
	for (uint32_t i = 0; leg->rec != NULL && i < leg->rec->n; i++) {
		uint32_t index = leg->rec->message[i];
		const struct captured *c = play_captured(p, index);

		if (c->out && c->status >= (method == SIP_ACK ? 200 : 101) &&
		    c->method == SIP_INVITE && (method != SIP_ACK || c->cseq == cseq))
			*was = *was != 0 && method == SIP_ACK ? *was : c->us;
		if (!c->out && c->status == 0 && c->method == method && p->used[index] == 0 &&
		    !c->again && (method != SIP_ACK || c->cseq == cseq)) {
			p->used[index] = 1;
			return c;
		}
	}
	return NULL;
}

// The peer's ACK; one that the capture shows to be missing stays missing.
static void queue_ack(struct play *p, struct leg *leg, const struct sip_msg *m, uint32_t cseq)
{
	struct outbuf o = outbuf_of(p->room, sizeof(p->room));
	uint64_t was;
	const struct captured *c = find_reaction(p, leg, SIP_ACK, cseq, &was);
	struct sip_msg invite, recorded;
	bool of_2xx;

	if ((c == NULL && was != 0) || leg->invite.len == 0)
		return;
	parse(&invite, leg->invite);
	of_2xx = c != NULL && !slice_eq(c->branch, branch_of(&invite));
	if (m->status < 300 && of_2xx) {
		parse(&recorded, slice_of(c->at.data, c->at.len));
		answers_rewrite(p, leg, &recorded, SLICE_NONE, &o);
	} else {
		rewrite_ack(&o, &invite, m);
	}
	if (o.full)
		return;
	leg->ack = keep(p, &o);
	leg->ack_cseq = cseq;
	queue_bytes(p, leg, c != NULL && c->us > was && was != 0 ? c->us - was : AT_ONCE, &o,
		    c == NULL, NULL);
}

// The peer's PRACK of a reliable provisional answer, if the capture has one.
static void queue_prack(struct play *p, struct leg *leg, const struct sip_msg *m)
{
	struct outbuf o = outbuf_of(p->room, sizeof(p->room));
	uint8_t text[64];
	struct outbuf rack = outbuf_of(text, sizeof(text));
	const struct captured *c;
	struct sip_msg recorded;
	uint32_t rseq;
	uint64_t was;

	if ((sip_list_options(m, SIP_H_REQUIRE).bits & SIP_OPTION_BIT(REL100)) == 0 ||
	    sip_rseq_parse(&rseq, sip_msg_value(m, SIP_H_RSEQ)) != 0 || rseq == leg->rseq_pracked)
		return;
	c = find_reaction(p, leg, SIP_PRACK, 0, &was);
	if (c == NULL)
		return;
	leg->rseq_pracked = rseq;
	outbuf_put_u64(&rack, rseq);
	outbuf_put_char(&rack, ' ');
	outbuf_put_slice(&rack, sip_msg_value(m, SIP_H_CSEQ));
	parse(&recorded, slice_of(c->at.data, c->at.len));
	answers_rewrite(p, leg, &recorded, outbuf_slice(&rack), &o);
	queue_bytes(p, leg, was != 0 && c->us > was ? c->us - was : AT_ONCE, &o, false, NULL);
}

void answers_response(struct play *p, struct leg *leg, const struct sip_msg *m)
{
	struct sip_cseq cseq;
	struct slice branch = branch_of(m);

	if (sip_cseq_of(m, &cseq) != 0)
		return;
	leg->answered = slice_of(region_copy(p->region, branch.p, branch.len), branch.len);
	if (cseq.method != SIP_INVITE)
		return;
	if (m->status >= 300 && leg->call != NULL && leg->lane == 0 && cseq.number != 0) {
		// a refused first INVITE ends the call, a refused re-INVITE does not
		struct slice tag = SLICE_NONE;
		struct sip_msg invite;

		parse(&invite, leg->invite);
		(void)sip_name_addr_value_tag(sip_msg_value(&invite, SIP_H_TO), &tag);
		leg->ended |=
			tag.len == 0 && m->status != 401 && m->status != 407 && m->status != 422;
	}
	if (m->status >= 200)
		queue_ack(p, leg, m, cseq.number);
	else if (m->status > 100)
		queue_prack(p, leg, m);
}
