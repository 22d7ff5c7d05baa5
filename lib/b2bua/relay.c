// SPDX-License-Identifier: BSD-3-Clause
// Answers to requests that crossed, and the ACKs of answers: what the other leg's peer says goes
// back to the one who asked (RFC 3261 s13.2.2.4, s14.1; RFC 3311 s5.3; RFC 6141). Thread: the
// owning worker.
#include "b2bua/compose.h"
#include "b2bua/midcall.h"
#include "b2bua/release.h"
#include "b2bua/setup.h"
#include "b2bua/txn.h"
#include "sdp/sdp.h"

// --- ACK

void midcall_put_ack(struct engine *e, struct txn *t, const struct leg_text *text,
		     const struct sip_msg *from)
{
	struct compose what = {.from = from,
			       .body = from != NULL ? COMPOSE_CROSS_BODY : COMPOSE_NO_BODY,
			       .method = SLICE_LIT("ACK"),
			       .own_branch = true};
	struct sip_buf *b = text != NULL ? compose_request(e, t, text, &what) : NULL;
	struct msg_about about = txn_about(t);

	if (b == NULL)
		return;
	engine_send(e, b, &t->flow, &about, false);
	if (from != NULL &&
	    from->body.len != 0) { // it cannot be made again: keep the bytes (INTEROP P23)
		buf_put(e, t->sent);
		t->sent = b;
		t->flags |= TXN_KEEP_SENT;
		return;
	}
	buf_put(e, b);
}

void midcall_send_ack(struct engine *e, struct txn *t, const struct leg_text *text,
		      const struct sip_msg *from)
{
	t->flags |= TXN_ACKED;
	if (txn_call(e, t) != NULL)
		engine_leg(e, t->call, t->side)->flags &= (uint16_t)~LEG_ACK_OWED;
	midcall_put_ack(e, t, text, from);
}

// The peer repeats its 2xx: our ACK was lost.
void midcall_ack_again(struct engine *e, struct txn *t)
{
	struct msg_about about = txn_about(t);

	stat_add(&e->p.trunk_stats[t->trunk].retrans_in_responses, 1);
	if ((t->flags & TXN_KEEP_SENT) != 0) {
		engine_send(e, t->sent, &t->flow, &about, true);
		return;
	}
	midcall_send_ack(e, t,
			 t->text != NULL ? t->text : leg_text_of(engine_leg(e, t->call, t->side)),
			 NULL);
}

// The answer in an ACK ends an offer that our 2xx carried (RFC 3264 s4): it becomes what the leg
// agreed on.
static void ack_take_answer(struct engine *e, struct inbound *in)
{
	struct leg *leg = engine_leg(e, in->call, in->side);
	struct leg_text *text;

	if (in->msg->body.len == 0)
		return;
	text = text_of_body(e, leg_text_of(leg), in->msg);
	if (text != NULL)
		leg_set_text(e, leg, text);
}

unsigned midcall_ack(struct engine *e, struct inbound *in)
{
	struct leg *leg = engine_leg(e, in->call, in->side);
	struct txn *t = leg->invite_in != NO_TXN ? &e->txns[leg->invite_in] : NULL;
	struct txn *out;

	if (t == NULL || t->machine != TXN_ANSWER || t->cseq != in->cseq.number || t->code < 200 ||
	    t->code > 299)
		return VERDICT_DROP_STRAY;
	if ((t->flags & TXN_ACKED) != 0)
		return VERDICT_SIP_RETRANSMISSION;
	txn_acked(e, t);
	out = txn_pair(e, t);
	if ((t->flags & (TXN_OFFERLESS | TXN_LOCAL_ANSWER)) == TXN_OFFERLESS)
		ack_take_answer(e, in);
	if (out != NULL && txn_call(e, out) != NULL && (out->flags & TXN_ACKED) == 0)
		midcall_send_ack(e, out, leg_text_of(engine_leg(e, out->call, out->side)), in->msg);
	if ((t->flags & TXN_LOCAL_ANSWER) != 0 && (t->flags & TXN_OFFERLESS) != 0 &&
	    e->calls[in->call].state == CALL_UP)
		refresh_late_answer(e, in);
	if ((leg->flags & LEG_BYE_OWED) != 0)
		release_owed(e, in->call, in->side);
	return VERDICT_SIP_HANDLED;
}

// --- responses

// The answer's own timer on the leg it came from (RFC 4028 s7.2): any 2xx to INVITE or UPDATE is a
// refresh.
static void relay_take_timer(struct engine *e, struct txn *t, const struct inbound *in)
{
	struct leg *leg = engine_leg(e, t->call, t->side);

	if (leg->state != LEG_CONFIRMED)
		return;
	leg_take_timer(e, t->call, t->side, &t->offered, in->msg);
	leg->flags &= (uint16_t) ~(LEG_EXPIRED | LEG_REFRESH_DUE);
	leg_arm(e, t->call, t->side);
}

// An offer of the leg's peer was accepted: does it hold a call that its last description did not?
static void relay_count_hold(struct leg *leg, struct slice offer)
{
	struct slice last = leg_text_part(leg_text_of(leg), LEG_TEXT_SDP);
	struct sdp sdp;

	if (sdp_parse(&sdp, offer) != 0 || !sdp_is_hold(&sdp) || leg->holds == UINT8_MAX)
		return;
	if (sdp_parse(&sdp, last) != 0 || !sdp_is_hold(&sdp))
		leg->holds++;
}

// Both sides agreed: what each sent becomes what its leg agreed on, and its Contact the target (RFC
// 6141).
static void relay_commit(struct engine *e, struct txn *from, const struct sip_msg *request,
			 struct txn *t, const struct sip_msg *answer)
{
	struct leg *asked = engine_leg(e, from->call, from->side);
	struct leg *told = engine_leg(e, t->call, t->side);
	struct leg_text *text = text_of_change(e, leg_text_of(asked), request);

	asked->flags &= (uint16_t)~LEG_REOFFER;
	told->flags &= (uint16_t)~LEG_REOFFER;
	if (request->body.len != 0)
		relay_count_hold(asked, request->body);
	else // the offer, if there is one
		relay_count_hold(told, answer->body);

	if (text != NULL) {
		leg_set_text(e, asked, text);
		leg_aim(e, asked, text);
	}
	text = text_of_change(e, leg_text_of(told), answer);
	if (text != NULL) {
		leg_set_text(e, told, text);
		leg_aim(e, told, text);
	}
}

// Both legs' sessions are refreshed: control drops what it was about to do for either.
static void relay_tell(struct engine *e, const struct txn *from, const struct txn *t, uint16_t code)
{
	if (e->calls[t->call].state != CALL_UP)
		return;
	refresh_event_received(e, from->call, from->side, (enum sip_method)from->method, code);
	refresh_event_received(e, t->call, t->side, SIP_METHOD_NONE, code);
}

static void relay_ok(struct engine *e, struct txn *from, struct txn *t, struct inbound *in)
{
	bool target_refresh = from->method == SIP_INVITE || from->method == SIP_UPDATE;
	struct leg *asked = engine_leg(e, from->call, from->side);
	struct st_headers timer = {0};
	struct compose what = {.from = in->msg,
			       .body = COMPOSE_CROSS_BODY,
			       .contact = target_refresh,
			       .supported = true,
			       .timer = target_refresh ? &timer : NULL};
	const struct sip_msg *request = txn_request(e, from);
	struct sip_buf *reply;

	if (request == NULL)
		return;
	if (target_refresh) {
		if (asked->state == LEG_CONFIRMED)
			timer = leg_answer_timer(e, from->call, from->side, leg_seen(e, request),
						 0);
		relay_take_timer(e, t, in);
		if (asked->state == LEG_CONFIRMED &&
		    engine_leg(e, t->call, t->side)->state == LEG_CONFIRMED)
			relay_commit(e, from, request, t, in->msg);
		asked->refreshes_received++;
		// the peer's request refreshed its session: what control waited for is not needed
		// any more, and the next refresh point counts again (INTEROP P13)
		asked->flags &= (uint16_t) ~(LEG_EXPIRED | LEG_REFRESH_DUE);
	}
	if (t->method == SIP_INVITE)
		leg_owe_ack(engine_leg(e, t->call, t->side), t->cseq);
	reply = compose_response(e, from, in->msg->status, from->fork, &what);
	if (target_refresh) { // rules may have changed what the reply says of the timer
		leg_arm(e, from->call, from->side);
		relay_tell(e, from, t, in->msg->status);
	}
	txn_respond(e, from, reply, in->msg->status);
}

static void relay_refused(struct engine *e, struct txn *from, struct txn *t, struct inbound *in)
{
	uint16_t code = in->msg->status;
	struct compose what = {.from = in->msg, .body = COMPOSE_CROSS_BODY};

	if ((t->flags & TXN_HAS_OFFER) != 0)
		engine_leg(e, t->call, t->side)->flags |=
			LEG_O_BUMP; // its version is spent (INTEROP P10)
	if (code == 405)	    // Allow is each leg's own (s21.4.6)
		what.lines = compose_allow_line();
	if (code == 401 || code == 407 || code == 422) { // our hop's business
		what.from = NULL;
		code = code == 422 ? 500 : 403;
	}
	txn_respond(e, from, compose_response(e, from, code, from->fork, &what), code);
}

// 422 or a challenge to what we passed on: again on our own account.
static bool relay_again(struct engine *e, struct txn *from, struct txn *t, struct inbound *in)
{
	uint16_t code = in->msg->status;
	struct leg *leg = engine_leg(e, t->call, t->side);
	uint8_t room[AUTHORIZE_ROOM];
	struct outbuf o = outbuf_of(room, sizeof(room));
	struct st_policy policy;

	if (code == 422) {
		stat_add(&e->p.trunk_stats[leg->trunk].too_small_in, 1);
		leg_read_policy(e, leg, &policy);
		if (st_after_422(&policy, &leg->st, &t->offered, leg_seen(e, in->msg)) ==
		    ST_RETRY_GIVE_UP)
			return false;
	} else if ((code != 401 && code != 407) || !authorize(e, &o, t, in->msg)) {
		return false;
	}
	return midcall_resend(e, from, t, outbuf_slice(&o));
}

static void relay_final(struct engine *e, struct txn *from, struct txn *t, struct inbound *in)
{
	uint16_t code = in->msg->status;
	uint32_t call = t->call;

	if (code >= 200 && code <= 299) {
		relay_ok(e, from, t, in);
		return;
	}
	if (relay_again(e, from, t, in))
		return;
	relay_refused(e, from, t, in);
	if ((code == 481 || code == 408) &&
	    e->calls[call].state == CALL_UP) { // s12.2.1.2: the dialog is gone there
		struct release r = {.cause = CAUSE_DIALOG_GONE,
				    .side = t->side,
				    .method = t->method,
				    .why_code = code,
				    .code = code,
				    .by = BY_VERGE};

		release_call(e, call, &r);
	}
}

static void relay_clear(struct engine *e, struct txn *t)
{
	struct leg *leg = engine_leg(e, t->call, t->side);
	uint32_t index = txn_index(e, t);

	if (leg->update_out == index)
		leg->update_out = NO_TXN;
}

void midcall_response(struct engine *e, struct txn *t, struct inbound *in)
{
	struct call *c = txn_call(e, t);
	struct txn *from;
	uint16_t code = in->msg->status;

	if (c == NULL) {
		if (t->method == SIP_INVITE && code >= 200 && code <= 299)
			release_late_2xx(e, t, in);
		return;
	}
	engine_hold(e, t->call);
	from = txn_pair(e, t);
	if (t->method == SIP_INVITE && code >= 200 && code <= 299 && (t->flags & TXN_ACKED) != 0) {
		midcall_ack_again(e, t);
		return;
	}
	if (code < 200) {
		struct compose what = {.from = in->msg,
				       .body = COMPOSE_CROSS_BODY,
				       .contact = true,
				       .supported = true};

		if (from != NULL && code != 100 && from->method == SIP_INVITE && from->code < 200)
			txn_respond_provisional(e, from,
						compose_response(e, from, code, from->fork, &what),
						code, false);
		return;
	}
	if ((t->flags & TXN_ANSWERED) != 0) // a repeated 2xx that waits for the other side's ACK
		return;
	t->flags |= TXN_ANSWERED;
	relay_clear(e, t);
	if (c->state == CALL_ENDING || from == NULL || from->code >= 200) {
		if (t->method == SIP_INVITE && code <= 299)
			midcall_send_ack(e, t, leg_text_of(engine_leg(e, t->call, t->side)), NULL);
		return;
	}
	relay_final(e, from, t, in);
}

// Nothing came: the dialog is over (s12.2.1.2). A non-INVITE's sender hears nothing: it has timed
// out itself (RFC 4320 s4.1); a re-INVITE's gets 408.
void midcall_timeout(struct engine *e, struct txn *t)
{
	struct call *c = txn_call(e, t);
	struct txn *from;
	struct release r = {.cause = CAUSE_PEER_TIMEOUT,
			    .side = t->side,
			    .method = t->method,
			    .code = 408,
			    .by = BY_VERGE};

	if (c == NULL || c->state == CALL_ENDING)
		return;
	engine_hold(e, t->call);
	from = txn_pair(e, t);
	relay_clear(e, t);
	stat_add(t->method == SIP_INVITE ? &e->p.trunk_stats[t->trunk].timeouts_invite
					 : &e->p.trunk_stats[t->trunk].timeouts_non_invite,
		 1);
	if (from != NULL && from->method == SIP_INVITE && from->code < 200)
		txn_respond(e, from,
			    compose_response(e, from, 408, from->fork, &(struct compose){0}), 408);
	if (c->state == CALL_UP)
		release_call(e, t->call, &r);
}

// The peer gave its re-INVITE up: 487 to it, CANCEL to the other leg.
void midcall_cancel(struct engine *e, struct txn *t)
{
	struct txn *out = txn_pair(e, t);

	if (t->code >= 200)
		return;
	txn_respond(e, t, compose_response(e, t, 487, t->fork, &(struct compose){0}), 487);
	if (out != NULL)
		txn_cancel(e, out);
}
