// SPDX-License-Identifier: BSD-3-Clause
// A call begins: the caller's INVITE becomes one of our own towards the callee's trunk (RFC 3261
// s13, s8.1.3; RFC 7092), tried at one peer after the other until one answers. Thread: the owning
// worker.
#include "b2bua/setup.h"

#include "b2bua/compose.h"
#include "b2bua/manipulate.h"
#include "b2bua/release.h"
#include "b2bua/txn.h"
#include "dialog/dialog.h"
#include "sip/build.h"

#define SETUP_TXN_RESERVE 3 // one in so many transactions is not for new calls

// --- who lets a call in

// Seconds window of a trunk's limits.cps: a counter a second, shared by all workers without a lock.
static bool gate_rate(struct trunk_live *live, uint32_t cps, tick_t now)
{
	uint64_t second = now / TICK_S(1);
	_Atomic uint64_t *slot = &live->window[second % TRUNK_LIVE_WINDOWS];
	// relaxed: a counter; two workers that open a window at once lose at most one call of it
	uint64_t seen = atomic_load_explicit(slot, memory_order_relaxed);

	if (seen >> 32 != (second & 0xffffffff))
		atomic_store_explicit(slot, second << 32, memory_order_relaxed);
	return (uint32_t)atomic_fetch_add_explicit(slot, 1, memory_order_relaxed) < cps;
}

bool gate_enter(struct engine *e, uint16_t trunk)
{
	uint32_t most = e->config->trunks[trunk].limits.calls;
	// relaxed: a counter that publishes nothing
	int32_t now = atomic_fetch_add_explicit(&e->p.live[trunk].calls, 1, memory_order_relaxed);

	if (most == 0 || now < (int32_t)most)
		return true;
	gate_leave(e, trunk);
	return false;
}

void gate_leave(struct engine *e, uint16_t trunk)
{
	// relaxed: as in gate_enter()
	atomic_fetch_sub_explicit(&e->p.live[trunk].calls, 1, memory_order_relaxed);
}

// No room for the call: 503, and a record that says why.
static unsigned setup_refuse(struct engine *e, struct inbound *in, enum cause cause)
{
	stat_add(&e->p.trunk_stats[in->trunk].calls_in_limited, 1);
	release_refused(e, in, cause, 503);
	return reply_plain(e, in, 503, SLICE_LIT("Retry-After: 5\r\n"));
}

// 420 names what is not understood (s8.2.2.3).
unsigned refuse_unsupported(struct engine *e, struct inbound *in)
{
	uint8_t line[512];
	struct outbuf o = outbuf_of(line, sizeof(line));

	sip_build_unsupported(&o, in->msg, SIP_H_REQUIRE);
	sip_build_unsupported(&o, in->msg, SIP_H_PROXY_REQUIRE);
	return reply_plain(e, in, 420, o.full ? SLICE_NONE : outbuf_slice(&o));
}

static unsigned setup_refuse_interval(struct engine *e, struct inbound *in, uint32_t min_se_s)
{
	uint8_t line[32];
	struct outbuf o = outbuf_of(line, sizeof(line));

	sip_build_header_u32(&o, SIP_H_MIN_SE, min_se_s);
	stat_add(&e->p.trunk_stats[in->trunk].too_small_out, 1);
	stat_add(&e->p.trunk_stats[in->trunk].negotiated_rejected, 1);
	return reply_plain(e, in, 422, outbuf_slice(&o));
}

// --- the ingress leg

// Display name as written, with its quotes.
static void put_display(struct outbuf *o, const struct sip_name_addr *party)
{
	if (party->display.len == 0)
		return;
	if (party->is_quoted)
		outbuf_put_char(o, '"');
	sip_build_value(o, party->display);
	if (party->is_quoted)
		outbuf_put_char(o, '"');
	outbuf_put_char(o, ' ');
}

// From or To without its tag, as name-addr. uri: what it says; NULL if it cannot be read. Returns
// where in the text the user stands, or the host if there is none.
static struct text_run put_party(struct outbuf *o, const struct sip_name_addr *party,
				 const struct sip_uri *uri)
{
	struct slice user = uri == NULL ? SLICE_NONE : uri->user.len != 0 ? uri->user : uri->host;
	uint32_t start = o->len, at;

	put_display(o, party);
	outbuf_put_char(o, '<');
	at = o->len - start;
	outbuf_put_slice(o, party->uri);
	outbuf_put_char(o, '>');
	if (user.len == 0 || o->full)
		return (struct text_run){0};
	return (struct text_run){(uint16_t)(at + (uint32_t)(user.p - party->uri.p)),
				 (uint16_t)user.len};
}

// From and To of an INVITE, and the URIs in it; NULL if From or To cannot be read. The result is
// good until the next call.
static const struct known_parties *setup_parties(struct engine *e, const struct sip_msg *invite)
{
	struct known_parties *p = &e->parties;
	bool handled = e->rx != NULL && invite == &e->rx->msg;

	if (handled && e->has_parties)
		return p;
	e->has_parties = false;
	if (sip_name_addr_of(invite, SIP_H_FROM, &p->from) != 0 ||
	    sip_name_addr_of(invite, SIP_H_TO, &p->to) != 0)
		return NULL;
	p->has_from = sip_uri_parse(&p->from_uri, p->from.uri) == 0;
	p->has_to = sip_uri_parse(&p->to_uri, p->to.uri) == 0;
	p->has_uri = sip_uri_parse(&p->uri, invite->uri) == 0;
	e->has_parties = handled;
	return p;
}

static struct leg_text *setup_text_in(struct engine *e, const struct inbound *in, uint32_t call)
{
	uint8_t room[4096];
	struct outbuf o = outbuf_of(room, sizeof(room));
	struct call *c = &e->calls[call];
	struct leg_text_parts parts = {0};
	struct sip_name_addr contact;
	// the dialog's words are its own
	const struct known_parties *p = setup_parties(e, inbound_as_sent(e, in));
	uint32_t at = 0;

	if (p == NULL)
		return NULL;
	c->callee = put_party(&o, &p->to, p->has_to ? &p->to_uri : NULL);
	parts.part[LEG_TEXT_LOCAL] = slice_of(room, o.len);
	at = o.len;
	leg_put_tag(e, &o, call, SIDE_A, 0);
	parts.part[LEG_TEXT_LOCAL_TAG] = slice_of(room + at, o.len - at);
	at = o.len;
	c->caller = put_party(&o, &p->from, p->has_from ? &p->from_uri : NULL);
	parts.part[LEG_TEXT_REMOTE] = slice_of(room + at, o.len - at);
	at = o.len;
	if (dialog_put_routes(&o, in->msg, false) != 0)
		return NULL;
	parts.part[LEG_TEXT_ROUTES] = slice_of(room + at, o.len - at);
	if (o.full)
		return NULL;
	parts.part[LEG_TEXT_CALL_ID] = in->call_id;
	parts.part[LEG_TEXT_REMOTE_TAG] = in->from_tag;
	if (sip_name_addr_of(in->msg, SIP_H_CONTACT, &contact) == 0)
		parts.part[LEG_TEXT_TARGET] = contact.uri;
	else
		parts.part[LEG_TEXT_TARGET] = p->from.uri;
	text_set_body(&parts, in->msg);
	return text_new(e, &parts);
}

// --- the egress leg

// User part of the number called, wherever it is written: sip:user@host, tel:number.
static struct slice setup_user(struct engine *e, const struct sip_msg *invite)
{
	const struct known_parties *p = setup_parties(e, invite);

	return p != NULL && p->has_uri ? p->uri.user : SLICE_NONE;
}

static void put_uri_head(struct outbuf *o, const struct sip_uri *uri)
{
	outbuf_put_lit(o, "sip:");
	if (uri->user.p != NULL) {
		outbuf_put_slice(o, uri->user);
		outbuf_put_char(o, '@');
	}
}

// A URI of the other side with an address of this side in place of an IP literal: domains stay,
// addresses are hidden (RFC 7092 s3.1.2). uri: NULL if it cannot be read.
static void put_party_at(struct outbuf *o, const struct sip_name_addr *party,
			 const struct sip_uri *uri, const uint8_t *ip, uint8_t family)
{
	put_display(o, party);
	outbuf_put_char(o, '<');
	if (uri == NULL || uri->scheme > SIP_URI_SIPS || uri->host_kind == SIP_HOST_NAME) {
		outbuf_put_slice(o, party->uri);
	} else {
		put_uri_head(o, uri);
		if (family == 6)
			outbuf_put_char(o, '[');
		sip_build_ip(o, ip, family);
		if (family == 6)
			outbuf_put_char(o, ']');
		outbuf_put_slice(o, uri->params);
	}
	outbuf_put_char(o, '>');
}

// The Request-URI: the peer's address and port whatever host is written.
static void put_target(struct outbuf *o, const struct sip_msg *invite,
		       const struct known_parties *p, const struct flow *flow)
{
	if (!p->has_uri || p->uri.scheme > SIP_URI_SIPS) {
		outbuf_put_slice(o, invite->uri);
		return;
	}
	put_uri_head(o, &p->uri);
	sip_build_host_port(o, flow->peer_ip, flow->family, flow->peer_udp);
	outbuf_put_slice(o, p->uri.params);
}

static struct leg_text *setup_text_out(struct engine *e, const struct sip_msg *invite,
				       uint32_t call)
{
	struct call *c = &e->calls[call];
	struct leg *leg = engine_leg(e, call, SIDE_B);
	const struct flow *flow = &leg->flow;
	const struct known_parties *p = setup_parties(e, invite);
	struct leg_text_parts parts = {0};
	uint8_t room[4096];
	struct outbuf o = outbuf_of(room, sizeof(room));
	uint32_t at = 0;

	if (p == NULL)
		return NULL;
	token_put_call_id(&o, e->p.key, c->owner_hash,
			  (uint64_t)c->attempt << 56 | (uint64_t)(c->gen & 0xffffff) << 32 | call);
	parts.part[LEG_TEXT_CALL_ID] = slice_of(room, o.len);
	at = o.len;
	put_party_at(&o, &p->from, p->has_from ? &p->from_uri : NULL, flow->local_ip, flow->family);
	parts.part[LEG_TEXT_LOCAL] = slice_of(room + at, o.len - at);
	at = o.len;
	leg_put_tag(e, &o, call, SIDE_B, c->attempt);
	parts.part[LEG_TEXT_LOCAL_TAG] = slice_of(room + at, o.len - at);
	at = o.len;
	put_party_at(&o, &p->to, p->has_to ? &p->to_uri : NULL, flow->peer_ip, flow->family);
	parts.part[LEG_TEXT_REMOTE] = slice_of(room + at, o.len - at);
	at = o.len;
	put_target(&o, invite, p, flow);
	parts.part[LEG_TEXT_TARGET] = slice_of(room + at, o.len - at);
	return o.full ? NULL : text_new(e, &parts);
}

// Put the egress leg's Call-ID into the table, the one of an earlier attempt out of it.
static bool setup_index(struct engine *e, uint32_t call, unsigned side, uint64_t hash)
{
	struct call *c = &e->calls[call];

	if (c->call_id_hash[side] != 0)
		(void)table_delete(e->leg_table, c->call_id_hash[side], 2 * call + side);
	c->call_id_hash[side] = hash | 1;
	if (table_insert(e->leg_table, c->call_id_hash[side], 2 * call + side) == 0)
		return true;
	c->call_id_hash[side] = 0;
	return false;
}

// The caller asked for a timer, or its own leg will have one.
static unsigned setup_other_timer(const struct sip_msg *invite)
{
	return sip_msg_has(invite, SIP_H_SESSION_EXPIRES) ? ST_OTHER_TIMER : 0;
}

bool setup_send_invite(struct engine *e, uint32_t call, const struct sip_msg *invite,
		       struct slice lines)
{
	struct leg *leg = engine_leg(e, call, SIDE_B);
	struct txn *t = txn_new_client(e, SIP_INVITE, TXN_SETUP, call, SIDE_B);
	struct compose what = {.from = invite,
			       .body = COMPOSE_CROSS_BODY,
			       .lines = lines,
			       .contact = true,
			       .supported = true};
	uint8_t hops = 70;

	if (t == NULL)
		return false;
	t->offered = leg_offer_timer(e, call, SIDE_B, ST_INITIAL | setup_other_timer(invite));
	what.timer = &t->offered;
	(void)sip_max_forwards_parse(&hops, sip_msg_value(invite, SIP_H_MAX_FORWARDS));
	what.max_forwards = hops > 1 ? hops - 1u : 1;
	what.require = leg_required(e, invite) & ~SIP_OPTION_BIT(TIMER);
	if (leg_profile(e, leg)->reliable == CONFIG_RELIABLE_OFF)
		what.require &= ~SIP_OPTION_BIT(REL100);
	t->cseq = ++leg->local_cseq;
	t->flags |= TXN_INITIAL | (invite->body.len == 0 ? TXN_OFFERLESS : TXN_HAS_OFFER);
	t->flow = leg->flow;
	t->sent = compose_request(e, t, leg_text_of(leg), &what);
	if (t->sent == NULL) {
		txn_free(e, t);
		return false;
	}
	leg->invite_out = txn_index(e, t);
	leg->state = LEG_INVITED;
	leg_arm(e, call, SIDE_B);
	txn_start(e, t);
	return true;
}

// Of a quarantined trunk, one new call in so many runs its timers to see whether the peer has
// recovered.
static uint16_t setup_probe(struct engine *e, uint16_t trunk)
{
	struct trunk_live *live = &e->p.live[trunk];
	// relaxed: words of their own
	uint32_t one_in = atomic_load_explicit(&live->probe_one_in, memory_order_relaxed);
	uint32_t flags = atomic_load_explicit(&live->flags, memory_order_relaxed);

	if (one_in == 0 || (flags & TRUNK_LIVE_OBSERVE) == 0)
		return 0;
	// relaxed: a counter that publishes nothing
	return (atomic_fetch_add_explicit(&live->observed, 1, memory_order_relaxed) + 1) % one_in ==
			       0
		       ? LEG_PROBE
		       : 0;
}

static bool setup_try_peer(struct engine *e, uint32_t call, uint16_t trunk, unsigned peer)
{
	struct call *c = &e->calls[call];
	struct leg *leg = engine_leg(e, call, SIDE_B);
	const struct config_trunk *t = &e->config->trunks[trunk];
	const struct config_port *port = &e->config->ports[t->port];
	const struct config_endpoint *at = &t->peers.list[peer];
	const struct config_net *own = config_port_address(port, at->ip.family);
	const struct sip_msg *invite =
		txn_request(e, &e->txns[engine_leg(e, call, SIDE_A)->invite_in]);
	struct leg_text *text;

	if (own == NULL || invite == NULL)
		return false;
	memset(&leg->st, 0, sizeof(leg->st));
	leg->flow = (struct flow){.port = (uint8_t)t->port,
				  .family = at->ip.family,
				  .local_udp = (uint16_t)port->sip_port,
				  .peer_udp = at->udp};
	memcpy(leg->flow.local_ip, own->ip.bytes, sizeof(leg->flow.local_ip));
	memcpy(leg->flow.peer_ip, at->ip.bytes, sizeof(leg->flow.peer_ip));
	leg->trunk = trunk;
	leg->peer = (uint8_t)peer;
	leg->flags = setup_probe(e, trunk);
	leg->st.flags = ST_LEG_WE_INVITED;
	c->attempt++;
	text = setup_text_out(e, invite, call);
	if (text == NULL)
		return false;
	leg_set_text(e, leg, text);
	return setup_index(e, call, SIDE_B,
			   siphash(e->p.key, leg_text_part(text, LEG_TEXT_CALL_ID))) &&
	       setup_send_invite(e, call, invite, SLICE_NONE);
}

// The egress leg counts for its trunk from the first try on.
static bool setup_enter_egress(struct engine *e, uint32_t call, uint16_t trunk)
{
	struct call *c = &e->calls[call];

	if (!gate_enter(e, trunk)) {
		stat_add(&e->p.stats->over_limit, 1);
		stat_add(&e->p.trunk_stats[trunk].calls_out_limited, 1);
		c->cause = CAUSE_TRUNK_LIMIT;
		return false;
	}
	c->gated = true;
	engine_leg(e, call, SIDE_B)->trunk = trunk;
	stat_add(&e->p.trunk_stats[trunk].legs_setup, 1);
	return true;
}

static void setup_leave_egress(struct engine *e, uint32_t call)
{
	uint16_t trunk = engine_leg(e, call, SIDE_B)->trunk;

	e->calls[call].gated = false;
	stat_sub(&e->p.trunk_stats[trunk].legs_setup, 1);
	gate_leave(e, trunk);
}

bool setup_next(struct engine *e, uint32_t call)
{
	struct call *c = &e->calls[call];
	struct leg *a = engine_leg(e, call, SIDE_A);
	const struct sip_msg *invite = txn_request(e, &e->txns[a->invite_in]);
	const uint16_t *to;
	unsigned n;

	if (invite == NULL ||
	    config_route(e->config, a->trunk, setup_user(e, invite), &to, &n) != 0) {
		c->cause = CAUSE_NO_ROUTE;
		return false;
	}
	for (; c->route_at < n; c->route_at++, c->peer_tried = 0) {
		const struct config_trunk *t = &e->config->trunks[to[c->route_at]];
		// relaxed: a hint of control's
		uint64_t down =
			atomic_load_explicit(&e->p.live[t->id].peers_down, memory_order_relaxed);

		if (!c->gated && !setup_enter_egress(e, call, t->id))
			continue;
		while (c->peer_tried < t->peers.n) {
			unsigned peer = c->peer_tried++;

			if ((down >> peer & 1) != 0) {
				c->cause = CAUSE_TRUNK_DOWN;
				continue;
			}
			if (setup_try_peer(e, call, t->id, peer))
				return true;
			c->cause = CAUSE_INTERNAL;
		}
		setup_leave_egress(e, call);
	}
	return false;
}

// --- the caller's INVITE

static bool setup_begin(struct engine *e, struct inbound *in, uint32_t call, struct txn *t)
{
	struct call *c = &e->calls[call];
	struct leg *leg = engine_leg(e, call, SIDE_A);
	struct leg_text *text;

	leg->trunk = in->trunk;
	leg->flow = in->rx->flow;
	leg->remote_cseq = in->cseq.number;
	leg->state = LEG_INVITED;
	leg->invite_in = txn_index(e, t);
	leg->agent = leg_agent(e, in->msg);
	leg->last_proof_tk = e->now;
	leg->flags = setup_probe(e, in->trunk);
	manipulate_begin(e, call);
	if (((in->rx->class.supported | in->rx->class.required) & SIP_OPTION_BIT(REL100)) != 0)
		leg->flags |= LEG_RELIABLE;
	c->state = CALL_SETUP;
	c->start_tk = e->now;
	c->n_forks = 1;
	c->owner_hash = token_owner_hash(in->call_id);
	text = setup_text_in(e, in, call);
	if (text == NULL)
		return false;
	leg_set_text(e, leg, text);
	leg_aim(e, leg, text);
	return setup_index(e, call, SIDE_A, in->rx->call_id_hash);
}

// What is wrong with the request itself, before anything is spent on it; VERDICT_SIP_HANDLED =
// nothing.
static unsigned setup_examine(struct engine *e, struct inbound *in)
{
	struct leg leg = {.trunk = in->trunk,
			  .kept = e->config->kept,
			  .flags = LEG_PROBE | manipulate_flags(e)};
	struct st_policy policy;
	struct st_headers headers;
	unsigned code;

	if (in->rx->class.unknown_required) {
		release_refused(e, in, CAUSE_EXTENSION_REFUSED, 420);
		return refuse_unsupported(e, in);
	}
	if (!sip_msg_has(in->msg, SIP_H_CONTACT)) {
		release_refused(e, in, CAUSE_MALFORMED, 400);
		return reply_plain(e, in, 400, SLICE_NONE);
	}
	leg_read_policy(e, &leg, &policy);
	code = st_refuse(&policy, &leg.st, leg_seen(e, in->msg), ST_INITIAL, &headers);
	if (code != 0)
		release_refused(e, in,
				code == 422 ? CAUSE_INTERVAL_TOO_SMALL : CAUSE_EXTENSION_REFUSED,
				(uint16_t)code);
	switch (code) {
	case 422:
		return setup_refuse_interval(e, in, headers.min_se_s);
	case 420:
		return reply_plain(e, in, 420, SLICE_LIT("Unsupported: timer\r\n"));
	case 421:
		return reply_plain(e, in, 421, SLICE_LIT("Require: timer\r\n"));
	default:
		return VERDICT_SIP_HANDLED;
	}
}

static unsigned setup_admit(struct engine *e, struct inbound *in)
{
	const struct config_trunk *trunk = &e->config->trunks[in->trunk];

	if (e->stopping) {
		stat_add(&e->p.stats->stopping, 1);
		return setup_refuse(e, in, CAUSE_SHUTDOWN);
	}
	// Calls that are there need transactions to refresh and to end: the last ones are theirs.
	if (e->txn_pool.n_free < e->txn_pool.cap / SETUP_TXN_RESERVE) {
		engine_out_of(e, OUT_OF_TRANSACTIONS);
		return setup_refuse(e, in, CAUSE_CAPACITY);
	}
	if (e->scarce) { // and the last buffers, as well as those that messages arrive in
		engine_out_of(e, OUT_OF_BUFFERS);
		return setup_refuse(e, in, CAUSE_CAPACITY);
	}
	if (trunk->limits.cps != 0 &&
	    !gate_rate(&e->p.live[in->trunk], trunk->limits.cps, e->now)) {
		stat_add(&e->p.stats->over_limit, 1);
		return setup_refuse(e, in, CAUSE_TRUNK_RATE);
	}
	if (!gate_enter(e, in->trunk)) {
		stat_add(&e->p.stats->over_limit, 1);
		return setup_refuse(e, in, CAUSE_TRUNK_LIMIT);
	}
	return VERDICT_SIP_HANDLED;
}

// No peer could be tried: what the caller is told.
static void setup_give_up(struct engine *e, uint32_t call)
{
	struct call *c = &e->calls[call];
	enum cause cause = (enum cause)c->cause;

	if (cause == CAUSE_TRUNK_DOWN || cause == CAUSE_TRUNK_LIMIT)
		c->side = SIDE_B; // it is that one's
	release_unanswered(e, call, cause == CAUSE_NO_ROUTE ? 404 : 503, cause, NULL);
}

static unsigned setup_out_of(struct engine *e, struct inbound *in, uint32_t call, struct txn *t)
{
	if (call == POOL_NONE)
		engine_out_of(e, OUT_OF_CALLS);
	if (t != NULL)
		txn_free(e, t);
	if (call != POOL_NONE)
		call_free(e, call);
	gate_leave(e, in->trunk);
	return setup_refuse(e, in, CAUSE_CAPACITY);
}

unsigned setup_invite(struct engine *e, struct inbound *in)
{
	unsigned verdict = setup_examine(e, in);
	uint32_t call;
	struct txn *t;

	if (verdict != VERDICT_SIP_HANDLED)
		return verdict;
	if (in->max_forwards == 0) {
		release_refused(e, in, CAUSE_LOOP, 483);
		return reply_plain(e, in, 483, SLICE_NONE);
	}
	if (txn_is_merged(e, in))
		return reply_plain(e, in, 482, SLICE_NONE);
	verdict = setup_admit(e, in);
	if (verdict != VERDICT_SIP_HANDLED)
		return verdict;
	call = call_new(e);
	t = call != POOL_NONE ? txn_new_server(e, in, SIP_INVITE, call, SIDE_A) : NULL;
	if (t == NULL || !setup_begin(e, in, call, t))
		return setup_out_of(e, in, call, t);
	stat_add(&e->p.trunk_stats[in->trunk].legs_setup, 1);
	txn_note_initial(e, t, in);
	t->flags |= in->msg->body.len == 0 ? TXN_OFFERLESS : 0;
	txn_respond(e, t, compose_response(e, t, 100, 0, &(struct compose){0}), 100);
	if (!setup_next(e, call))
		setup_give_up(e, call);
	return VERDICT_SIP_HANDLED;
}
