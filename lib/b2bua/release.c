// SPDX-License-Identifier: BSD-3-Clause
// The end of calls: BYE on each leg that does not know yet, the final response to a caller still
// waiting, CANCEL to a callee still ringing; then the record for the CDR (RFC 3261 s15, s9; RFC
// 3326; RFC 5407). Thread: the owning worker.
#include "b2bua/release.h"

#include "b2bua/compose.h"
#include "b2bua/midcall.h"
#include "b2bua/setup.h"
#include "b2bua/txn.h"
#include "b2bua/violation.h"

#define OWED_TRIES 32 // a second each: as long as the peer would have been asked

// --- the record

static void record_text(struct call_record *r, uint32_t *at, enum call_text which, struct slice s)
{
	uint32_t n = s.len < CALL_RECORD_TEXT - *at ? s.len : CALL_RECORD_TEXT - *at;

	if (n > 160)
		n = 160;
	if (n != 0)
		memcpy(r->text + *at, s.p, n);
	r->text_len[which] = (uint16_t)n;
	*at += n;
}

static struct slice record_user(const struct leg_text *t, enum leg_text_part part,
				struct text_run user)
{
	return t != NULL ? slice_first(slice_from(leg_text_part(t, part), user.at), user.len)
			 : SLICE_NONE;
}

static void record_leg(const struct leg *leg, struct leg_record *r)
{
	leg_timer_view(leg, &r->timer);
	r->flow = leg->flow;
	r->trunk = leg->trunk;
	r->refreshes_sent = leg->refreshes_sent;
	r->refreshes_received = leg->refreshes_received;
	r->refreshes_failed = leg->refreshes_failed;
	r->refresh_method = leg->refresh_method;
	r->holds = leg->holds;
	r->negotiated_by = leg->st.by;
	r->last_refresh_ok_tk = leg->st.last_ok_tk;
	r->last_proof_tk = leg->last_proof_tk;
	r->expiry_tk = leg->st.se_s != 0 ? leg->st.expiry_tk : 0;
	r->rtt_us = leg->rtt_us;
}

// The next record for control, empty; NULL: no room, which is counted.
static struct call_record *new_record(struct engine *e)
{
	struct call_record *r = NULL;

	if (e->out.n_records < OUTBOX_RECORDS) {
		r = &e->out.records[e->out.n_records++];
		memset(r, 0, offsetof(struct call_record, text)); // text: as far as text_len says
		r->worker = e->p.worker;
	} else {
		stat_add(&e->p.stats->drops_event_ring, 1);
	}
	return r;
}

static void release_record(struct engine *e, uint32_t call, struct slice reason)
{
	const struct call *c = &e->calls[call];
	struct call_record *r = new_record(e);
	uint32_t at = 0;

	if (r == NULL)
		return;
	r->call = call;
	r->gen = c->gen;
	r->cause = c->cause;
	r->by = c->by;
	r->side = c->side;
	r->method = c->method;
	r->boundary = c->boundary;
	r->code = c->code;
	r->why_code = c->why_code;
	r->labels = c->labels;
	r->start_tk = c->start_tk;
	r->ringing_tk = c->ringing_tk;
	r->answer_tk = c->answer_tk;
	r->end_tk = e->now;
	for (unsigned side = 0; side < 2; side++) {
		const struct leg_text *t = leg_text_of(engine_leg(e, call, side));

		record_leg(engine_leg(e, call, side), &r->legs[side]);
		record_text(r, &at, side == SIDE_A ? TEXT_INGRESS_CALL_ID : TEXT_EGRESS_CALL_ID,
			    t != NULL ? leg_text_part(t, LEG_TEXT_CALL_ID) : SLICE_NONE);
	}
	record_text(
		r, &at, TEXT_FROM,
		record_user(leg_text_of(engine_leg(e, call, SIDE_A)), LEG_TEXT_REMOTE, c->caller));
	record_text(
		r, &at, TEXT_TO,
		record_user(leg_text_of(engine_leg(e, call, SIDE_A)), LEG_TEXT_LOCAL, c->callee));
	record_text(r, &at, TEXT_REASON, reason);
}

void release_refused(struct engine *e, const struct inbound *in, enum cause cause, uint16_t code)
{
	struct call_record *r = new_record(e);
	struct sip_name_addr from;
	struct sip_uri uri;
	uint32_t at = 0;

	if (r == NULL)
		return;
	r->call = POOL_NONE;
	r->cause = (uint8_t)cause;
	r->code = code;
	r->start_tk = r->end_tk = e->now;
	r->labels = e->mark.labels;
	r->legs[SIDE_A].trunk = in->trunk;
	r->legs[SIDE_B].trunk = CONFIG_NONE;
	r->legs[SIDE_A].flow = in->rx->flow;
	r->legs[SIDE_A].last_proof_tk = e->now;
	record_text(r, &at, TEXT_INGRESS_CALL_ID, in->call_id);
	if (sip_name_addr_of(in->msg, SIP_H_FROM, &from) == 0 && sip_uri_parse(&uri, from.uri) == 0)
		record_text(r, &at, TEXT_FROM, uri.user.len != 0 ? uri.user : uri.host);
	if (sip_uri_parse(&uri, in->msg->uri) == 0)
		record_text(r, &at, TEXT_TO, uri.user.len != 0 ? uri.user : uri.host);
}

// --- what each leg is told

static void put_reason(struct outbuf *o, const struct release *r)
{
	if (r->reason.len != 0) {
		sip_build_header(o, SIP_H_REASON, r->reason);
		return;
	}
	if (r->code == 0)
		return;
	sip_build_reason(o, SLICE_LIT("SIP"), r->code,
			 slice_of_str(cause_word((enum cause)r->cause)));
}

// BYE in the dialog of a text block, whether it is the leg's own or that of a fork that lost; not
// sent yet. NULL: there is no memory for it, and t is gone.
static struct txn *release_make_bye(struct engine *e, struct txn *t, uint32_t cseq,
				    struct leg_text *text, struct slice lines)
{
	struct compose what = {.lines = lines, .supported = true};

	if (t == NULL)
		return NULL;
	t->cseq = cseq;
	t->text = text_ref(text); // for a challenge after the leg is gone
	t->sent = compose_request(e, t, text, &what);
	if (t->sent != NULL)
		return t;
	txn_free(e, t);
	return NULL;
}

static bool release_send_leg_bye(struct engine *e, uint32_t call, unsigned side,
				 const struct release *r)
{
	struct leg *leg = engine_leg(e, call, side);
	struct txn *t = txn_new_client(e, SIP_BYE, TXN_BYE, call, side);
	uint8_t line[512];
	struct outbuf o = outbuf_of(line, sizeof(line));

	put_reason(&o, r);
	if (t != NULL) {
		t->flow = leg->flow;
		txn_stand_for_dialog(e, t,
				     leg_token(e, call, side,
					       side == SIDE_A ? e->calls[call].fork_won
							      : e->calls[call].attempt));
	}
	t = release_make_bye(e, t, leg->local_cseq + 1, leg_text_of(leg),
			     o.full ? SLICE_NONE : outbuf_slice(&o));
	if (t == NULL)
		return false;
	leg->local_cseq++;
	txn_start(e, t);
	return true;
}

// It goes when the ACK comes (release_owed()), or when there is memory for it (leg_arm()).
static void release_owe_bye(struct engine *e, struct leg *leg, const struct release *r)
{
	leg->flags |= LEG_BYE_OWED;
	stat_add(&e->p.trunk_stats[leg->trunk].legs_ending, 1);
	leg->owed_code = r->code;
	leg->owed_cause = r->cause;
}

// An answer of ours that is not acknowledged yet: RFC 3261 s15 wants BYE to wait for the ACK.
static bool release_must_wait(struct engine *e, const struct leg *leg)
{
	const struct txn *t = leg->invite_in != NO_TXN ? &e->txns[leg->invite_in] : NULL;

	return t != NULL && (t->flags & TXN_2XX_TIMER) != 0 && (t->flags & TXN_ACKED) == 0;
}

// The peer's 2xx waits for our ACK: it is owed before BYE, also when its transaction has just
// ended.
static void release_ack(struct engine *e, uint32_t call, unsigned side)
{
	struct leg *leg = engine_leg(e, call, side);
	struct txn *t, gone;

	if ((leg->flags & LEG_ACK_OWED) == 0)
		return;
	t = leg->invite_out != NO_TXN ? &e->txns[leg->invite_out] : NULL;
	gone = (struct txn){.call = call,
			    .call_gen = e->calls[call].gen,
			    .side = (uint8_t)side,
			    .trunk = leg->trunk,
			    .cseq = leg->owed_ack,
			    .gen = leg->owed_ack,
			    .flow = leg->flow};
	midcall_send_ack(e, t != NULL && t->cseq == leg->owed_ack ? t : &gone, leg_text_of(leg),
			 NULL);
}

static void release_confirmed(struct engine *e, uint32_t call, unsigned side,
			      const struct release *r)
{
	struct leg *leg = engine_leg(e, call, side);

	if (r->gone[side])
		return;
	release_ack(e, call, side);
	if (release_must_wait(e, leg) || !release_send_leg_bye(e, call, side, r))
		release_owe_bye(e, leg, r);
}

// Requests that the leg's peer still waits on: 487 (s15.1.2).
static void release_pending(struct engine *e, uint32_t call, unsigned side)
{
	struct leg *leg = engine_leg(e, call, side);
	uint32_t waiting[2] = {leg->invite_in, leg->update_in};

	for (unsigned i = 0; i < 2; i++) {
		struct txn *t = waiting[i] != NO_TXN ? &e->txns[waiting[i]] : NULL;

		if (t == NULL || t->code >= 200 || t->method == SIP_METHOD_NONE)
			continue;
		txn_respond(e, t, compose_response(e, t, 487, 0, &(struct compose){0}), 487);
	}
	leg->update_in = NO_TXN;
}

// Client transactions outlive the call: the INVITE ones may still have to acknowledge, so they keep
// the text.
static void release_detach(struct engine *e, uint32_t call, unsigned side)
{
	struct leg *leg = engine_leg(e, call, side);
	uint32_t out[2] = {leg->invite_out, leg->update_out};

	for (unsigned i = 0; i < 2; i++) {
		struct txn *t = out[i] != NO_TXN ? &e->txns[out[i]] : NULL;

		if (t == NULL)
			continue;
		if (t->text == NULL && t->method == SIP_INVITE)
			t->text = text_ref(leg_text_of(leg));
	}
}

static void release_ringing(struct engine *e, uint32_t call)
{
	struct leg *leg = engine_leg(e, call, SIDE_B);

	if (leg->invite_out != NO_TXN)
		txn_cancel(e, &e->txns[leg->invite_out]);
}

// How the caller's attempt counts: by the response it got, or by what stopped it.
static enum call_result release_result(const struct call *c)
{
	switch (c->cause) {
	case CAUSE_NO_ROUTE:
		return CALL_RESULT_NO_ROUTE;
	case CAUSE_TRUNK_LIMIT:
	case CAUSE_TRUNK_RATE:
	case CAUSE_CAPACITY:
		return CALL_RESULT_LIMITED;
	case CAUSE_CANCELLED:
		return CALL_RESULT_CANCELLED;
	default:
		return stat_call_result(c->code >= 200 ? c->code : 500);
	}
}

// An attempt that ended before the callee had answered anything; its answers are counted as they
// come (answer.c).
static void release_count_out(struct engine *e, const struct call *c, uint16_t trunk)
{
	if (c->cause == CAUSE_CANCELLED)
		stat_add(&e->p.trunk_stats[trunk].calls_out_cancelled, 1);
	else if (c->cause == CAUSE_RING_TIMEOUT)
		stat_add(&e->p.trunk_stats[trunk].calls_out_no_answer, 1);
}

static void release_stats(struct engine *e, uint32_t call)
{
	struct call *c = &e->calls[call];
	struct leg *a = engine_leg(e, call, SIDE_A);
	struct leg *b = engine_leg(e, call, SIDE_B);
	unsigned from = c->answer_tk != 0 ? TRUNK_STAT_legs_up : TRUNK_STAT_legs_setup;

	stat_sub(&e->p.trunk_stats[a->trunk].value[from], 1);
	gate_leave(e, a->trunk);
	if (c->gated) {
		release_count_out(e, c, b->trunk);
		stat_sub(&e->p.trunk_stats[b->trunk].value[from], 1);
		gate_leave(e, b->trunk);
		c->gated = false;
	}
	if (c->answer_tk == 0)
		stat_add(&e->p.trunk_stats[a->trunk]
				  .value[TRUNK_STAT_calls_in_answered + release_result(c)],
			 1);
}

static void release_done(struct engine *e, uint32_t call)
{
	for (unsigned side = 0; side < 2; side++)
		if ((engine_leg(e, call, side)->flags & LEG_BYE_OWED) != 0)
			return;
	call_free(e, call);
}

// Its BYE is not owed any more.
static void release_settled(struct engine *e, struct leg *leg)
{
	if ((leg->flags & LEG_BYE_OWED) != 0)
		stat_sub(&e->p.trunk_stats[leg->trunk].legs_ending, 1);
	leg->flags &= (uint16_t)~LEG_BYE_OWED;
}

void release_call(struct engine *e, uint32_t call, const struct release *r)
{
	struct call *c = engine_hold(e, call);

	if (c->state == CALL_ENDING || c->state == CALL_FREE)
		return;
	c->cause = r->cause;
	c->by = r->by;
	c->side = r->side;
	c->method = r->method;
	c->why_code = r->why_code;
	if (c->state == CALL_SETUP) {
		release_pending(e, call, SIDE_A);
		release_ringing(e, call);
	}
	release_record(e, call, r->reason);
	release_stats(e, call);
	for (unsigned side = 0; side < 2; side++) {
		struct leg *leg = engine_leg(e, call, side);

		if (leg->state == LEG_CONFIRMED) {
			release_pending(e, call, side);
			release_confirmed(e, call, side, r);
		}
		release_detach(e, call, side);
		leg_stop_timer(e, leg);
	}
	c->state = CALL_ENDING;
	leg_arm(e, call, SIDE_A);
	leg_arm(e, call, SIDE_B);
	release_done(e, call);
}

void release_unanswered(struct engine *e, uint32_t call, uint16_t code, enum cause cause,
			const struct sip_msg *from)
{
	struct call *c = engine_hold(e, call);
	struct leg *leg = engine_leg(e, call, SIDE_A);
	struct txn *t = leg->invite_in != NO_TXN ? &e->txns[leg->invite_in] : NULL;
	struct release r = {.cause = (uint8_t)cause,
			    .by = c->by,
			    .side = c->side,
			    .why_code = c->why_code,
			    .code = 0};
	struct compose what = {.lines = code == 503 ? SLICE_LIT("Retry-After: 5\r\n") : SLICE_NONE};

	if (from != NULL && !sip_msg_is_request(from) && from->status == code)
		what.from = from;
	if (from != NULL)
		r.reason = sip_msg_value(from, SIP_H_REASON);
	if (what.from != NULL)
		what.lines = SLICE_NONE;
	c->code = code;
	if (t != NULL && t->code < 200)
		txn_respond(e, t, compose_response(e, t, code, c->fork_won, &what), code);
	release_call(e, call, &r);
}

void release_owed(struct engine *e, uint32_t call, unsigned side)
{
	struct leg *leg = engine_leg(e, call, side);
	struct release r = {.cause = leg->owed_cause, .code = leg->owed_code};

	if ((leg->flags & LEG_BYE_OWED) == 0)
		return;
	engine_hold(e, call);
	release_settled(e, leg);
	if (!release_send_leg_bye(e, call, side, &r) && leg->owed_tries++ < OWED_TRIES)
		release_owe_bye(e, leg, &r);
	leg_arm(e, call, side);
	release_done(e, call);
}

// --- 2xx that nobody wants

// Above whatever PRACK or UPDATE went in that early dialog; once the call is gone nobody knows, and
// gaps are fine (s12.2.2).
#define SURPLUS_CSEQ_GAP 100

static uint32_t release_surplus_cseq(struct engine *e, const struct txn *t)
{
	return txn_call(e, t) != NULL ? ++engine_leg(e, t->call, t->side)->local_cseq
				      : t->cseq + SURPLUS_CSEQ_GAP;
}

void release_surplus(struct engine *e, struct txn *t, struct leg_text *text)
{
	uint32_t tag = (uint32_t)siphash(e->p.key, leg_text_part(text, LEG_TEXT_REMOTE_TAG)) | 1;
	struct txn *bye;

	if (t->surplus == tag) { // repeated: it has its BYE
		midcall_put_ack(e, t, text, NULL);
		return;
	}
	bye = txn_new_client(e, SIP_BYE, TXN_BYE, t->call, t->side);
	if (bye != NULL) {
		bye->flow = t->flow;
		bye->trunk = t->trunk;
	}
	bye = release_make_bye(e, bye, release_surplus_cseq(e, t), text, SLICE_NONE);
	if (bye == NULL)
		return; // nor an ACK: the 2xx comes again, and with it another chance
	t->surplus = tag;
	midcall_put_ack(e, t, text, NULL);
	txn_start(e, bye);
}

void release_late_2xx(struct engine *e, struct txn *t, const struct inbound *in)
{
	struct leg_text *text;

	if (t->text == NULL)
		return;
	if ((t->role != TXN_SETUP || (t->flags & TXN_ANSWERED) != 0) &&
	    slice_eq(leg_text_part(t->text, LEG_TEXT_REMOTE_TAG), in->to_tag)) {
		midcall_ack_again(e, t); // the one that was up: it had its BYE (RFC 5407 s3.2)
		return;
	}
	text = text_of_response(e, t->text, in->msg, in->to_tag);
	if (text == NULL)
		return;
	release_surplus(e, t, text);
	text_put(e, text);
}

// --- BYE

static uint8_t release_boundary(struct engine *e, struct leg *leg)
{
	enum st_boundary boundary = st_peer_bye_boundary(&leg->st, e->now);

	if (boundary != ST_BOUNDARY_NONE)
		stat_add(&e->p.trunk_stats[leg->trunk].suspect_byes, 1);
	if (boundary == ST_BOUNDARY_HALF || boundary == ST_BOUNDARY_TWO_THIRDS)
		violation_note(e, leg->trunk, VIOLATION_EARLY_BYE);
	return (uint8_t)boundary;
}

// Who sends BYE has our 2xx: it is not repeated any more, although its ACK has not come (s13.3.1.4
// repeats it for nothing else).
static void release_acknowledged(struct engine *e, struct leg *leg)
{
	if (leg_awaits_ack(e, leg))
		txn_acked(e, &e->txns[leg->invite_in]);
}

unsigned release_bye(struct engine *e, struct inbound *in)
{
	struct call *c = engine_hold(e, in->call);
	struct leg *leg = engine_leg(e, in->call, in->side);
	struct txn *t = txn_new_server(e, in, SIP_BYE, in->call, in->side);
	struct release r = {.cause = CAUSE_NORMAL,
			    .side = in->side,
			    .method = SIP_BYE,
			    .by = in->side == SIDE_A ? BY_INGRESS : BY_EGRESS,
			    .reason = sip_msg_value(in->msg, SIP_H_REASON)};

	if (t != NULL)
		txn_respond(e, t, compose_response(e, t, 200, in->fork, &(struct compose){0}), 200);
	else
		(void)reply_plain(e, in, 200, SLICE_NONE);
	release_acknowledged(e, leg);
	if (c->state == CALL_ENDING) {
		release_settled(e, leg); // it knows
		release_done(e, in->call);
		return VERDICT_SIP_HANDLED;
	}
	r.gone[in->side] = true;
	if (c->state == CALL_SETUP &&
	    in->side == SIDE_A) { // BYE in an early dialog ends the call as CANCEL does
		c->by = BY_INGRESS;
		c->side = SIDE_A;
		release_unanswered(e, in->call, 487, CAUSE_CANCELLED, in->msg);
		return VERDICT_SIP_HANDLED;
	}
	if (c->state == CALL_SETUP)
		return VERDICT_SIP_HANDLED; // a callee ends early dialogs by its final response
	c->boundary = release_boundary(e, leg);
	if (c->boundary != 0)
		r.cause = CAUSE_PEER_BYE_ON_TIMER_BOUNDARY;
	release_call(e, in->call, &r);
	return VERDICT_SIP_HANDLED;
}
