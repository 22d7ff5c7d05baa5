// SPDX-License-Identifier: BSD-3-Clause
// Before the answer: provisional responses, the early dialogs of forks, reliable ones and their
// PRACK (RFC 3261 s12.1, s13.2.2.1; RFC 3262). Thread: the owning worker.
#include "b2bua/compose.h"
#include "b2bua/midcall.h"
#include "b2bua/setup.h"
#include "b2bua/txn.h"
#include "sip/build.h"

// The early dialog that a response belongs to, made if it is new: 0 is the leg's own. NO_FORK: no
// room.
uint8_t early_fork_of(struct engine *e, uint32_t call, const struct inbound *in)
{
	struct leg *leg = engine_leg(e, call, SIDE_B);
	const struct leg_text *text = leg_text_of(leg);
	struct slice tag = leg_text_part(text, LEG_TEXT_REMOTE_TAG);
	struct fork *f;
	struct leg_text *made;

	if (tag.len == 0 || slice_eq(tag, in->to_tag))
		return 0;
	f = fork_of_tag(e, &e->calls[call], in->to_tag);
	if (f != NULL)
		return f->number;
	made = text_of_response(e, text, in->msg, in->to_tag);
	f = made != NULL ? fork_new(e, call, made) : NULL;
	if (f == NULL) {
		text_put(e, made);
		return NO_FORK;
	}
	return f->number;
}

struct leg_text *early_text(struct engine *e, uint32_t call, uint8_t fork)
{
	struct fork *f = fork != 0 ? fork_find(e, &e->calls[call], fork) : NULL;

	return f != NULL ? f->text : leg_text_of(engine_leg(e, call, SIDE_B));
}

// What the response says of its dialog replaces what was known.
static bool early_learn(struct engine *e, uint32_t call, uint8_t fork, const struct inbound *in)
{
	struct leg *leg = engine_leg(e, call, SIDE_B);
	struct fork *f = fork != 0 ? fork_find(e, &e->calls[call], fork) : NULL;
	struct leg_text *before = early_text(e, call, fork);
	struct leg_text *text = text_of_response(e, before, in->msg, in->to_tag);

	if (text == NULL)
		return false;
	if (f != NULL) {
		text_put(e, f->text);
		f->text = text;
		return true;
	}
	if (leg->state == LEG_EARLY)
		leg_aim_again(e, leg, before, text);
	else
		leg_aim(e, leg, text);
	leg_set_text(e, leg, text);
	leg->state = LEG_EARLY;
	return true;
}

static struct early_rseq *early_rseq(struct engine *e, uint32_t call, uint8_t fork)
{
	struct fork *f = fork != 0 ? fork_find(e, &e->calls[call], fork) : NULL;

	return f != NULL ? &f->rseq : &e->calls[call].rseq;
}

// A reliable response takes a number of ours towards the caller; the callee's is kept for its
// PRACK. False: a retransmission, or one that must not cross.
static bool early_number(struct engine *e, struct txn *invite, const struct inbound *in,
			 uint8_t fork, struct outbuf *o)
{
	struct early_rseq *r = early_rseq(e, invite->call, fork);
	uint32_t rseq;

	if (sip_rseq_parse(&rseq, sip_msg_value(in->msg, SIP_H_RSEQ)) != 0)
		return true; // not reliable after all
	if (r->peer != 0 && rseq <= r->peer)
		return false; // ours to repeat, not the callee's
	r->peer = rseq;
	r->ours = ++e->calls[invite->call].rseq_last;
	sip_build_header_u32(o, SIP_H_RSEQ, r->ours);
	return true;
}

static void early_relay(struct engine *e, struct txn *invite, const struct inbound *in,
			uint8_t fork)
{
	bool reliable = (in->rx->class.required & SIP_OPTION_BIT(REL100)) != 0 &&
			(engine_leg(e, invite->call, SIDE_A)->flags & LEG_RELIABLE) != 0;
	uint8_t line[32];
	struct outbuf o = outbuf_of(line, sizeof(line));
	struct compose what = {
		.from = in->msg, .body = COMPOSE_CROSS_BODY, .contact = true, .supported = true};
	struct sip_buf *b;

	if (reliable && !early_number(e, invite, in, fork, &o))
		return;
	what.lines = outbuf_slice(&o);
	what.require = reliable && o.len != 0 ? SIP_OPTION_BIT(REL100) : 0;
	b = compose_response(e, invite, in->msg->status, fork, &what);
	txn_respond_provisional(e, invite, b, in->msg->status, what.require != 0);
}

void early_response(struct engine *e, struct txn *t, struct inbound *in)
{
	struct call *c = engine_hold(e, t->call);
	struct txn *invite = &e->txns[engine_leg(e, t->call, SIDE_A)->invite_in];
	uint8_t fork = 0;

	if (c->state != CALL_SETUP || in->msg->status == 100)
		return;
	if (in->to_tag.len != 0) {
		fork = early_fork_of(e, t->call, in);
		if (fork == NO_FORK || !early_learn(e, t->call, fork, in))
			return;
	}
	if (in->rx->class.has_allow && fork == 0)
		leg_learn(e, engine_leg(e, t->call, SIDE_B), in->msg);
	if (c->ringing_tk == 0 && in->msg->status == 180)
		c->ringing_tk = e->now;
	early_relay(e, invite, in, fork);
}

// PRACK of the caller: stops our retransmission and crosses with the callee's numbers (RFC 3262
// s7.2).
unsigned early_prack(struct engine *e, struct inbound *in)
{
	struct leg *a = engine_leg(e, in->call, SIDE_A);
	struct txn *invite = a->invite_in != NO_TXN ? &e->txns[a->invite_in] : NULL;
	struct early_rseq *r = early_rseq(e, in->call, in->fork);
	struct sip_rack rack;
	uint8_t line[64];
	struct outbuf o = outbuf_of(line, sizeof(line));
	struct leg *b = engine_leg(e, in->call, SIDE_B);

	if (sip_rack_parse(&rack, sip_msg_value(in->msg, SIP_H_RACK)) != 0)
		return midcall_refuse(e, in, 400);
	if (in->side != SIDE_A || invite == NULL || rack.rseq != r->ours || r->ours == 0 ||
	    rack.cseq.number != invite->cseq || b->invite_out == NO_TXN)
		return midcall_refuse(e, in, 481);
	txn_pracked(e, invite);
	outbuf_put_lit(&o, "RAck: ");
	outbuf_put_u64(&o, r->peer);
	outbuf_put_char(&o, ' ');
	outbuf_put_u64(&o, e->txns[b->invite_out].cseq);
	outbuf_put_lit(&o, " INVITE\r\n");
	return midcall_cross(e, in, early_text(e, in->call, in->fork), outbuf_slice(&o));
}
