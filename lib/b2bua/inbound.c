// SPDX-License-Identifier: BSD-3-Clause
// Where a message goes: transaction, dialog, or something new (RFC 3261 s8.2, s12.2.2, s17.2.3,
// s18). Thread: the owning worker. Nothing from the wire is trusted before it is compared in full.
#include "b2bua/inbound.h"

#include <errno.h>

#include "b2bua/compose.h"
#include "b2bua/manipulate.h"
#include "b2bua/midcall.h"
#include "b2bua/setup.h"
#include "b2bua/txn.h"
#include "b2bua/violation.h"

// Where a response goes: to the source address, at the port that the sender asked for (RFC 3261
// s18.2.2; RFC 3581 s4).
static void inbound_reply_flow(const struct engine *e, struct inbound *in)
{
	const struct config_profile *profile =
		&e->config->profiles[e->config->trunks[in->trunk].profile];

	in->reply = in->rx->flow;
	if (!in->via.has_rport && profile->symmetric != CONFIG_SYMMETRIC_ALWAYS)
		in->reply.peer_udp = in->via.port != 0 ? in->via.port : 5060;
}

unsigned inbound_read(struct engine *e, struct inbound *in, struct rx *rx, uint16_t trunk)
{
	const struct sip_msg *m = &rx->msg;
	uint8_t hops = 70;
	int rc = 0;

	if (!rx->has_ids)
		rx_read_ids(rx);
	if (!rx->ids.has_via)
		return 1;
	*in = (struct inbound){.rx = rx,
			       .msg = m,
			       .trunk = trunk,
			       .call = POOL_NONE,
			       .via = rx->ids.via,
			       .call_id = rx->ids.call_id,
			       .from_tag = rx->ids.from_tag,
			       .to_tag = rx->ids.to_tag,
			       .cseq = rx->ids.cseq};
	inbound_reply_flow(e, in);
	if (sip_msg_is_request(m)) {
		if (!rx->has_key)
			rx_read_key(rx, e->p.key);
		in->key = rx->key;
	}
	if (!rx->ids.complete) // without all that a response repeats there is none
		return sip_msg_is_request(m) && sip_msg_has(m, SIP_H_CALL_ID) &&
				       sip_msg_has(m, SIP_H_CSEQ) && sip_msg_has(m, SIP_H_FROM) &&
				       sip_msg_has(m, SIP_H_TO)
			       ? 400
			       : 1;
	in->method = sip_msg_is_request(m) ? m->method : in->cseq.method;
	if (!sip_msg_is_request(m))
		return 0;
	if (sip_msg_has(m, SIP_H_MAX_FORWARDS))
		rc = sip_max_forwards_parse(&hops, sip_msg_value(m, SIP_H_MAX_FORWARDS));
	in->max_forwards = hops;
	// RFC 2543 peers have no From tag; a CSeq of another method is somebody's trick (RFC 4475
	// s3.1.2.17)
	return rc == -EBADMSG || !slice_eq(in->cseq.method_token, m->method_token) ? 400 : 0;
}

static void inbound_about(const struct inbound *in, uint32_t call, uint32_t gen, unsigned side)
{
	in->rx->about = (struct msg_about){call, gen, in->trunk, (uint8_t)side};
}

bool inbound_find_dialog(struct engine *e, struct inbound *in)
{
	uint64_t token;
	uint32_t id;
	const struct call *c;
	const struct leg_text *text;

	if (in->rx->has_token)
		token = in->rx->token;
	else if (!token_read(in->to_tag, e->p.key, TOKEN_TAG, &token))
		return false;
	id = (uint32_t)token;
	if (id >= 2 * e->p.calls)
		return false;
	c = &e->calls[id / 2];
	text = leg_text_of(&e->legs[id]);
	if (c->state == CALL_FREE || (c->gen & 0xffff) != (uint16_t)(token >> 32) || text == NULL) {
		stat_add(&e->p.stats->stale_tokens, 1);
		return false;
	}
	in->side = id & 1;
	in->fork = in->side == SIDE_A ? (uint8_t)(token >> 48) : 0;
	if (in->side == SIDE_B && (uint8_t)(token >> 48) != c->attempt)
		return false; // a peer that was given up
	if (!slice_eq(leg_text_part(text, LEG_TEXT_CALL_ID), in->call_id))
		return false;
	if (!slice_eq_nocase(leg_text_part(text, LEG_TEXT_REMOTE_TAG), in->from_tag)) {
		// An early dialog of a fork: the callee's side has one tag for each.
		const struct fork *f = in->side == SIDE_B ? fork_of_tag(e, c, in->from_tag) : NULL;

		if (f == NULL)
			return false;
		in->fork = f->number;
	} else if (in->side == SIDE_A && in->fork != c->fork_won &&
		   (c->state != CALL_SETUP ||
		    (in->fork != 0 && fork_find(e, c, in->fork) == NULL))) {
		return false;
	}
	in->call = id / 2;
	inbound_about(in, in->call, c->gen, in->side);
	return true;
}

const struct sip_msg *inbound_as_sent(struct engine *e, const struct inbound *in)
{
	const struct sip_buf *b = in->as_sent;

	if (b == NULL || sip_msg_parse(&e->scratch, slice_of(b->data, b->len)) != 0)
		return in->msg;
	return &e->scratch;
}

static unsigned reply_with(struct engine *e, const struct inbound *in, uint16_t code,
			   struct slice reason, struct slice lines)
{
	struct sip_buf *b;

	if (in->method == SIP_ACK || !sip_msg_is_request(in->msg))
		return VERDICT_DROP_STRAY;
	b = compose_plain(e, in, code, reason, lines);
	engine_send(e, b, &in->reply, &in->rx->about, false);
	buf_put(e, b);
	return VERDICT_SIP_REFUSED;
}

unsigned reply_plain(struct engine *e, const struct inbound *in, uint16_t code, struct slice lines)
{
	return reply_with(e, in, code, SLICE_NONE, lines);
}

unsigned reply_reason(struct engine *e, const struct inbound *in, uint16_t code,
		      struct slice reason)
{
	return reply_with(e, in, code, reason, SLICE_NONE);
}

// BYE in a dialog whose own BYE, ours, is under way.
static bool inbound_ends(struct engine *e, const struct inbound *in)
{
	uint64_t token = in->rx->token;

	if (!in->rx->has_token && !token_read(in->to_tag, e->p.key, TOKEN_TAG, &token))
		return false;
	return txn_stands_for_dialog(e, token);
}

// A request that no transaction knows, with a To tag or a method that lives in dialogs.
static unsigned inbound_in_dialog(struct engine *e, struct inbound *in)
{
	if (in->to_tag.len != 0 && inbound_find_dialog(e, in)) {
		struct leg *leg = engine_leg(e, in->call, in->side);

		engine_hold(e, in->call);
		leg->last_proof_tk = e->now;
		if (in->rx->class.has_allow)
			leg_learn(e, leg, in->msg);
		if ((leg->flags & LEG_SYMMETRIC) != 0) // its address may have changed behind NAT
			leg->flow = in->rx->flow;
		if (in->method == SIP_ACK)
			return midcall_ack(e, in);
		return midcall_request(e, in);
	}
	if (in->method == SIP_ACK)
		return VERDICT_DROP_STRAY;
	if (in->method == SIP_BYE && inbound_ends(e, in))
		return reply_plain(e, in, 200, SLICE_NONE);
	stat_add(&e->p.stats->unknown_dialogs, 1);
	return reply_plain(e, in, 481, SLICE_NONE);
}

// Neither a transaction nor a record is spent on it: it is one of very many.
static unsigned inbound_overload(struct engine *e, struct inbound *in)
{
	stat_add(&e->p.stats->overload, 1);
	return reply_plain(e, in, 503, SLICE_LIT("Retry-After: 5\r\n"));
}

static unsigned inbound_new(struct engine *e, struct inbound *in)
{
	bool other = in->method == SIP_METHOD_OTHER;
	enum sip_service service = other ? SIP_SERVICE_REFUSE : sip_method_service(in->method);

	if (in->to_tag.len == 0 &&
	    (service == SIP_SERVICE_LOCAL || service == SIP_SERVICE_REFUSE) &&
	    !budget_take(e, &in->rx->flow, BUDGET_OPTIONS))
		return VERDICT_DROP_OPTIONS_LIMIT;
	if (other)
		return reply_plain(e, in, 501, SLICE_NONE);
	if (in->to_tag.len != 0 || service == SIP_SERVICE_DIALOG)
		return inbound_in_dialog(e, in);
	if (e->refusing)
		return inbound_overload(e, in);
	switch (service) {
	case SIP_SERVICE_CALL:
		return setup_invite(e, in);
	case SIP_SERVICE_LOCAL:
		return local_options(e, in);
	case SIP_SERVICE_DIALOG:
	case SIP_SERVICE_REFUSE:
		break;
	}
	return reply_plain(e, in, 405, compose_allow_line());
}

// A request that belongs to a transaction: a retransmission, the ACK of a refusal, or a CANCEL.
static unsigned inbound_again(struct engine *e, struct inbound *in, struct txn *t)
{
	inbound_about(in, t->call, t->call_gen, t->side);
	if (in->method == SIP_ACK) {
		txn_refused_ack(e, t);
		return VERDICT_SIP_HANDLED;
	}
	stat_add(&e->p.trunk_stats[in->trunk].retrans_in_requests, 1);
	txn_retransmitted(e, t, in);
	return VERDICT_SIP_RETRANSMISSION;
}

static unsigned inbound_request(struct engine *e, struct inbound *in)
{
	struct txn *t =
		txn_find_server(e, in->key, in->method == SIP_ACK ? SIP_INVITE : in->method);

	unsigned verdict;

	if (t != NULL)
		return inbound_again(e, in, t);
	verdict = manipulate_in(e, in, NULL);
	if (verdict != VERDICT_NONE)
		return verdict;
	if (in->method == SIP_CANCEL) {
		t = txn_find_server(e, in->key, SIP_INVITE);
		return t != NULL ? setup_cancel(e, in, t) : reply_plain(e, in, 481, SLICE_NONE);
	}
	return inbound_new(e, in);
}

// A 2xx whose transaction is gone, or a response that was never ours.
static unsigned inbound_stray(struct engine *e)
{
	stat_add(&e->p.stats->stray_responses, 1);
	return VERDICT_DROP_STRAY;
}

static unsigned inbound_response(struct engine *e, struct inbound *in)
{
	struct rx *rx = in->rx;
	struct txn *t;
	unsigned verdict;

	if (!rx->has_token && !token_read_branch(in->via.branch, e->p.key, &rx->token))
		return inbound_stray(e);
	t = txn_at(e, (uint32_t)rx->token, (uint32_t)(rx->token >> 32));
	t = t != NULL ? txn_for_method(e, t, (enum sip_method)in->method) : NULL;
	if (t == NULL || t->cseq != in->cseq.number)
		return inbound_stray(e);
	inbound_about(in, t->call, t->call_gen, t->side);
	verdict = manipulate_in(e, in, t);
	if (verdict != VERDICT_NONE)
		return verdict;
	txn_response(e, t, in);
	return VERDICT_SIP_HANDLED;
}

static void inbound_count(struct engine *e, const struct rx *rx, uint16_t trunk)
{
	struct trunk_stats *ts = &e->p.trunk_stats[trunk];

	stat_add(&e->p.stats->messages, 1);
	stat_add(&ts->value[TRUNK_STAT_messages_in_response + rx->msg.method], 1);
	if (!sip_msg_is_request(&rx->msg))
		stat_add(&ts->value[TRUNK_STAT_responses_in_1xx + rx->msg.status / 100 - 1], 1);
}

static unsigned inbound_message(struct engine *e, struct rx *rx, uint16_t trunk)
{
	struct inbound in;
	unsigned wrong = inbound_read(e, &in, rx, trunk);

	if (wrong != 0 && !budget_take(e, &rx->flow, BUDGET_MALFORMED))
		return VERDICT_DROP_MALFORMED_LIMIT;
	if (wrong == 1)
		return VERDICT_DROP_MALFORMED;
	if (wrong != 0)
		return reply_plain(e, &in, (uint16_t)wrong, SLICE_NONE);
	return sip_msg_is_request(&rx->msg) ? inbound_request(e, &in) : inbound_response(e, &in);
}

// Our branch in the first bytes of a request of ours; empty when it is not among them.
static struct slice inbound_own_branch(struct slice sent)
{
	static const char cookie[] = "z9hG4bK";

	for (uint32_t at = 0; at + TOKEN_BRANCH_LEN <= sent.len; at++)
		if (memcmp(sent.p + at, cookie, sizeof(cookie) - 1) == 0)
			return slice_of(sent.p + at, TOKEN_BRANCH_LEN);
	return SLICE_NONE;
}

unsigned engine_unreachable(struct engine *e, struct slice sent, tick_t now)
{
	unsigned verdict = VERDICT_DROP_ICMP_ERROR;
	uint64_t token;
	struct txn *t;

	e->now = now;
	if (!token_read_branch(inbound_own_branch(sent), e->p.key, &token))
		return verdict;
	t = txn_at(e, (uint32_t)token, (uint32_t)(token >> 32));
	if (t != NULL && txn_unreachable(e, t))
		verdict = VERDICT_SIP_UNREACHABLE;
	engine_release_held(e);
	return verdict;
}

unsigned engine_message(struct engine *e, struct rx *rx, tick_t now)
{
	int trunk = leg_trunk_of(e, &rx->flow);
	unsigned verdict;

	e->now = now;
	rx->about = (struct msg_about){POOL_NONE, 0, CONFIG_NONE, SIDE_A};
	if (trunk < 0)
		return VERDICT_DROP_UNKNOWN_SOURCE;
	rx->about.trunk = (uint16_t)trunk;
	if (rx->class.scanner && e->config->trunks[trunk].block_scanners)
		return VERDICT_DROP_SCANNER;
	inbound_count(e, rx, (uint16_t)trunk);
	e->rx = rx;
	engine_forget_read(e);
	e->sampled = false;
	verdict = inbound_message(e, rx, (uint16_t)trunk);
	if (e->has_rules)
		manipulate_end(e, rx);
	e->rx = NULL;
	rx->has_ids = rx->has_token = rx->has_key = false;
	engine_release_held(e);
	return verdict;
}

// What did not parse: a request whose Via can be read gets the answer that says why, all else
// silence (RFC 3261 s8.2, s18.3, s21.4.1).
unsigned engine_unparsable(struct engine *e, struct rx *rx, int error, tick_t now)
{
	int trunk = leg_trunk_of(e, &rx->flow);
	const struct sip_msg *m = &rx->msg;
	struct inbound in;
	unsigned verdict;

	e->now = now;
	rx->about = (struct msg_about){POOL_NONE, 0, CONFIG_NONE, SIDE_A};
	// Its slot of the burst may still say what an earlier message was.
	rx->has_ids = rx->has_token = false;
	if (error == -ENOMSG)
		return VERDICT_KEEPALIVE;
	if (trunk < 0)
		return VERDICT_DROP_UNKNOWN_SOURCE;
	rx->about.trunk = (uint16_t)trunk;
	e->sampled = false;
	if (!budget_take(e, &rx->flow, BUDGET_MALFORMED))
		return VERDICT_DROP_MALFORMED_LIMIT;
	if (m->n_fields != 0)
		violation_note_unread(e, rx, (uint16_t)trunk);
	if (m->method_token.len == 0 || m->method == SIP_ACK || !sip_msg_has(m, SIP_H_VIA))
		return m->n_fields == 0 ? VERDICT_DROP_NOT_SIP : VERDICT_DROP_MALFORMED;
	if (inbound_read(e, &in, rx, (uint16_t)trunk) == 1)
		return VERDICT_DROP_MALFORMED;
	in.method = m->method;
	verdict = reply_plain(e, &in,
			      error == -EPROTONOSUPPORT		      ? 505
			      : error == -EMSGSIZE || error == -E2BIG ? 513
								      : 400,
			      SLICE_NONE);
	engine_release_held(e);
	return verdict;
}
