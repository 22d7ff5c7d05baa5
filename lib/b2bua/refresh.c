// SPDX-License-Identifier: BSD-3-Clause
// Session refreshes (RFC 4028 s7.4, s9, s10): those of the peer are answered here and go no
// further, those of ours are sent when control orders it, and their outcome goes back to control.
// Thread: the owning worker.
#include "b2bua/compose.h"
#include "b2bua/midcall.h"
#include "b2bua/release.h"
#include "b2bua/txn.h"
#include "b2bua/violation.h"
#include "sdp/sdp.h"

#define REOFFER_TRIES 8

// --- of the peer

// True: the request changes neither media nor identity, so the other leg need not hear of it.
bool refresh_is_local(struct engine *e, const struct inbound *in, const struct leg_text *stored)
{
	const struct leg *leg = engine_leg(e, in->call, in->side);
	struct slice body = leg_text_part(stored, LEG_TEXT_SDP);

	if (leg_profile(e, leg)->midcall == CONFIG_MIDCALL_ALL)
		return in->method == SIP_UPDATE && in->msg->body.len == 0;
	if (sip_msg_has(in->msg, SIP_H_REPLACES))
		return false;
	if (in->msg->body.len == 0)
		return true; // UPDATE without SDP; offerless re-INVITE: our current SDP is the
			     // offer (INTEROP P12)
	if (!text_is_sdp(sip_msg_value(in->msg, SIP_H_CONTENT_TYPE)))
		return slice_eq(body, in->msg->body);
	return body.len != 0 && sdp_same(body, in->msg->body);
}

static void refresh_count_received(struct engine *e, struct leg *leg, enum sip_method method)
{
	struct trunk_stats *ts = &e->p.trunk_stats[leg->trunk];

	leg->refreshes_received++;
	stat_add(method == SIP_INVITE ? &ts->refreshes_invite_received_ok
				      : &ts->refreshes_update_received_ok,
		 1);
	stat_add(&ts->midcall_answered, 1);
}

void refresh_event_received(struct engine *e, uint32_t call, unsigned side, enum sip_method method,
			    uint16_t code)
{
	struct leg *leg = engine_leg(e, call, side);
	struct event *v = engine_event(e, EVENT_PEER_REFRESHED, call, side);

	leg_timer_view(leg, &v->peer_refreshed.timer);
	v->peer_refreshed.agent = leg->agent;
	v->peer_refreshed.code = code;
	v->peer_refreshed.method = (uint8_t)method;
}

// A refresh of ours is out while the peer refreshes: it need not be retried.
static void refresh_note_crossing(struct engine *e, struct leg *leg)
{
	uint32_t out[2] = {leg->invite_out, leg->update_out};

	for (unsigned i = 0; i < 2; i++)
		if (out[i] != NO_TXN && e->txns[out[i]].role == TXN_REFRESH)
			e->txns[out[i]].flags |= TXN_CROSSED;
}

// Answer here: 200 with what the leg sent last, if the request has a body or is an offerless
// re-INVITE.
unsigned refresh_answer(struct engine *e, struct inbound *in)
{
	struct leg *leg = engine_leg(e, in->call, in->side);
	struct txn *t = txn_new_server(e, in, (enum sip_method)in->method, in->call, in->side);
	struct st_headers timer;
	struct compose what = {.contact = true, .supported = true, .timer = &timer};
	struct leg_text *text;

	if (t == NULL)
		return reply_plain(e, in, 503, SLICE_LIT("Retry-After: 5\r\n"));
	t->flags |= TXN_LOCAL_ANSWER;
	if (in->method == SIP_INVITE) {
		leg->invite_in = txn_index(e, t);
		t->flags |= in->msg->body.len == 0 ? TXN_OFFERLESS : 0;
	}
	if (in->method == SIP_INVITE || in->msg->body.len != 0)
		what.body = COMPOSE_STORED_BODY;
	timer = leg_answer_timer(e, in->call, in->side, leg_seen(e, in->msg), ST_REFRESH_ONLY);
	text = text_of_target(e, leg_text_of(leg), in->msg);
	if (text != NULL) {
		leg_set_text(e, leg, text);
		leg_aim(e, leg, text);
	}
	if ((leg->flags & LEG_REFRESH_OUT) != 0) // our own is not needed any more
		refresh_note_crossing(e, leg);
	leg->flags &= (uint16_t) ~(LEG_EXPIRED | LEG_REFRESH_DUE);
	txn_respond(e, t, compose_response(e, t, 200, in->fork, &what), 200);
	leg_arm(e, in->call, in->side);
	refresh_count_received(e, leg, (enum sip_method)in->method);
	refresh_event_received(e, in->call, in->side, (enum sip_method)in->method, 200);
	return VERDICT_SIP_HANDLED;
}

// --- of ours

static struct txn *refresh_new(struct engine *e, uint32_t call, unsigned side,
			       enum refresh_method method)
{
	struct leg *leg = engine_leg(e, call, side);
	struct txn *t = txn_new_client(e, method == REFRESH_INVITE ? SIP_INVITE : SIP_UPDATE,
				       TXN_REFRESH, call, side);

	if (t == NULL)
		return NULL;
	t->refresh_method = (uint8_t)method;
	t->flow = leg->flow;
	return t;
}

// Compose and send a refresh as leg and policy stand; lines: credentials, if there are new ones.
static bool refresh_send(struct engine *e, struct txn *t, struct slice lines)
{
	struct leg *leg = engine_leg(e, t->call, t->side);
	uint8_t room[AUTHORIZE_ROOM];
	struct outbuf known = outbuf_of(room, sizeof(room));
	bool body = t->refresh_method != REFRESH_UPDATE;
	struct compose what = {.contact = true,
			       .supported = true,
			       .timer = &t->offered,
			       .lines = lines,
			       .body = body ? COMPOSE_STORED_BODY : COMPOSE_NO_BODY};

	if (lines.len == 0 && authorize_known(e, &known, t))
		what.lines = outbuf_slice(&known);
	t->offered = leg_offer_timer(e, t->call, t->side, ST_REFRESH_ONLY);
	t->cseq = ++leg->local_cseq;
	if (body)
		t->flags |= TXN_HAS_OFFER;
	t->sent = compose_request(e, t, leg_text_of(leg), &what);
	if (t->sent == NULL) {
		txn_free(e, t);
		return false;
	}
	*(t->method == SIP_INVITE ? &leg->invite_out : &leg->update_out) = txn_index(e, t);
	if (t->role == TXN_REFRESH) {
		leg->flags |= LEG_REFRESH_OUT;
		leg->flags &= (uint16_t)~LEG_REFRESH_DUE;
		leg->refresh_method = t->refresh_method;
	}
	txn_start(e, t);
	return true;
}

static void refresh_report(struct engine *e, uint32_t call, unsigned side, const struct txn *t,
			   uint16_t code, const struct sip_msg *response)
{
	struct leg *leg = engine_leg(e, call, side);
	struct event *v = engine_event(e, EVENT_REFRESH_DONE, call, side);
	struct sip_delta delta;
	struct st_policy policy;

	leg_read_policy(e, leg, &policy);
	v->refresh_done.planned_tk = t->planned_tk;
	v->refresh_done.sent_tk = t->started_tk;
	v->refresh_done.expiry_tk = st_deadline(&policy, &leg->st);
	if (response !=
	    NULL) // 0 says that the peer did not answer: a conflict seen here, or silence
		v->refresh_done.rtt_us =
			e->now > t->started_tk ? (uint32_t)(e->now - t->started_tk) : 1;
	v->refresh_done.code = code;
	v->refresh_done.method = t->refresh_method;
	v->refresh_done.crossed = (t->flags & TXN_CROSSED) != 0;
	v->refresh_done.provisional = (t->flags & TXN_PROVISIONAL) != 0;
	if (response != NULL && sip_msg_has(response, SIP_H_RETRY_AFTER) &&
	    sip_delta_parse(&delta, sip_msg_value(response, SIP_H_RETRY_AFTER)) == 0) {
		v->refresh_done.has_retry_after = true;
		v->refresh_done.retry_after_s = delta.seconds;
	}
	leg_timer_view(leg, &v->refresh_done.timer);
}

// A leg that cannot take a refresh now: control hears of glare and comes back.
static uint16_t refresh_conflict(struct engine *e, const struct leg *leg,
				 enum refresh_method method)
{
	bool offer = method != REFRESH_UPDATE;

	if (leg_txn_open(e, leg->update_out) ||
	    (method == REFRESH_INVITE && leg_txn_open(e, leg->invite_out)))
		return 491;
	if (offer && (leg_txn_open(e, leg->invite_in) || leg_txn_open(e, leg->invite_out) ||
		      leg_txn_open(e, leg->update_in) || leg_awaits_ack(e, leg)))
		return 491;
	return 0;
}

// A re-INVITE ordered while our UPDATE without SDP is unanswered takes its place: control has not
// the time to wait for Timer F (short intervals). No offer is open, so nothing crosses (RFC 3311
// s5.1); a late answer to the UPDATE is a stray response. An UPDATE that crosses from the other leg
// keeps its place, whatever the method. Method, offer and code are guards: control orders no other
// method over an open UPDATE, hedges only one without SDP (control/pace.c), and a final answer
// clears update_out.
static void refresh_supersede(struct engine *e, struct leg *leg, enum refresh_method method)
{
	struct txn *t = leg->update_out != NO_TXN ? &e->txns[leg->update_out] : NULL;

	if (method == REFRESH_INVITE && t != NULL && t->role == TXN_REFRESH &&
	    (t->flags & TXN_HAS_OFFER) == 0 && t->code < 200)
		txn_free(e, t);
}

void refresh_order(struct engine *e, const struct order *order)
{
	struct leg *leg = engine_leg(e, order->call, order->side);
	struct txn *t;
	uint16_t conflict;

	leg->flags &= (uint16_t)~LEG_REFRESH_DUE;
	refresh_supersede(e, leg, (enum refresh_method)order->refresh.method);
	conflict = refresh_conflict(e, leg, (enum refresh_method)order->refresh.method);
	t = refresh_new(e, order->call, order->side, (enum refresh_method)order->refresh.method);
	if (t != NULL)
		t->planned_tk = order->refresh.planned_tk;
	if (conflict != 0 && t != NULL) {
		t->started_tk = e->now;
		leg->flags |= LEG_REFRESH_DUE; // control still has it in hand
		refresh_report(e, order->call, order->side, t, conflict, NULL);
		txn_free(e, t);
		return;
	}
	if (t == NULL || !refresh_send(e, t, SLICE_NONE)) {
		struct txn none = {.refresh_method = order->refresh.method,
				   .planned_tk = order->refresh.planned_tk,
				   .started_tk = e->now};

		leg->flags |= LEG_REFRESH_DUE;
		refresh_report(e, order->call, order->side, &none, 503, NULL);
	}
	leg_arm(e, order->call, order->side);
}

static void refresh_ok(struct engine *e, struct txn *t, const struct inbound *in)
{
	struct leg *leg = engine_leg(e, t->call, t->side);
	struct trunk_stats *ts = &e->p.trunk_stats[leg->trunk];
	tick_t expiry = leg->st.expiry_tk;
	struct leg_text *text;
	uint32_t rtt_us;

	if ((t->flags & TXN_CROSSED) != 0)
		t->offered.flags |= ST_CROSSED;
	leg_take_timer(e, t->call, t->side, &t->offered, in->msg);
	leg->flags &= (uint16_t)~LEG_EXPIRED;
	leg->refreshes_sent++;
	rtt_us = (uint32_t)(e->now - t->started_tk);
	stat_add(t->method == SIP_INVITE ? &ts->refreshes_invite_sent_ok
					 : &ts->refreshes_update_sent_ok,
		 1);
	histogram_add(&e->p.stats->refresh_rtt, &histogram_RTT, rtt_us);
	if (expiry > e->now)
		histogram_add(&e->p.stats->slack, &histogram_SLACK, expiry - e->now);
	leg->reoffer_tries = t->role == TXN_REOFFER ? 0 : leg->reoffer_tries;
	text = t->role == TXN_REOFFER ? text_of_change(e, leg_text_of(leg), in->msg)
				      : text_of_target(e, leg_text_of(leg), in->msg);
	if (text != NULL) {
		leg_set_text(e, leg, text);
		leg_aim(e, leg, text);
	}
}

// 401 and 407 are answered here as long as a nonce is new; control hears of the last word only.
static bool refresh_again(struct engine *e, struct txn *t, const struct inbound *in)
{
	uint8_t room[AUTHORIZE_ROOM];
	struct outbuf o = outbuf_of(room, sizeof(room));
	struct txn *again;

	if (in->msg->status != 401 && in->msg->status != 407)
		return false;
	if (!authorize(e, &o, t, in->msg))
		return false;
	authorize_keep(e, t, in->msg);
	again = refresh_new(e, t->call, t->side, (enum refresh_method)t->refresh_method);
	if (again == NULL)
		return false;
	again->planned_tk = t->planned_tk;
	again->tries = (uint8_t)(t->tries + 1);
	return refresh_send(e, again, outbuf_slice(&o));
}

static void refresh_over(struct engine *e, struct txn *t)
{
	struct leg *leg = engine_leg(e, t->call, t->side);
	uint32_t index = txn_index(e, t);

	if (t->role == TXN_REFRESH)
		leg->flags &= (uint16_t)~LEG_REFRESH_OUT;
	if (leg->update_out == index)
		leg->update_out = NO_TXN;
}

// A peer that refuses for ever keeps what it has.
static void refresh_reoffer_later(struct leg *leg)
{
	leg->flags &= (uint16_t)~LEG_REOFFER;
	if (leg->reoffer_tries++ < REOFFER_TRIES)
		leg->flags |= LEG_REOFFER;
	else
		leg->reoffer_tries = 0;
}

void refresh_reoffer(struct engine *e, uint32_t call, unsigned side)
{
	struct leg *leg = engine_leg(e, call, side);
	struct txn *t = NULL;

	if (refresh_conflict(e, leg, REFRESH_INVITE) == 0)
		t = refresh_new(e, call, side, REFRESH_INVITE);
	if (t != NULL)
		t->role = TXN_REOFFER;
	if (t == NULL || !refresh_send(e, t, SLICE_NONE))
		refresh_reoffer_later(leg);
	else
		leg->flags &= (uint16_t)~LEG_REOFFER;
	leg_arm(e, call, side);
}

static void refresh_failed(struct engine *e, struct txn *t, uint16_t code,
			   const struct sip_msg *response)
{
	struct leg *leg = engine_leg(e, t->call, t->side);

	if (code == 422) {
		struct st_policy policy;

		leg_read_policy(e, leg, &policy);
		stat_add(&e->p.trunk_stats[leg->trunk].too_small_in, 1);
		if (leg_seen(e, response)->min_se_s == 0)
			violation_note(e, leg->trunk, VIOLATION_NO_MIN_SE);
		(void)st_after_422(&policy, &leg->st, &t->offered, leg_seen(e, response));
	}
	if (code == 491 && t->role == TXN_REOFFER)
		refresh_reoffer_later(leg);
	if (code != 491 && t->role == TXN_REFRESH)
		leg->refreshes_failed++;
	if ((t->flags & TXN_HAS_OFFER) != 0 && code != 0)
		leg->flags |= LEG_O_BUMP;
	// control decides; until then only the expiry runs. Of a crossed one it has nothing to
	// decide (st_outcome()): the peer's own refresh did it, and the next point counts again.
	if (t->role == TXN_REFRESH && ((t->flags & TXN_CROSSED) == 0 || code == 481 || code == 408))
		leg->flags |= LEG_REFRESH_DUE;
}

static void refresh_finish(struct engine *e, struct txn *t, uint16_t code,
			   const struct sip_msg *response)
{
	leg_arm(e, t->call, t->side);
	if (t->role != TXN_REFRESH)
		return;
	stat_add(&e->p.trunk_stats[t->trunk].value[stat_refresh_code(code)], 1);
	if (code == 0)
		violation_note_unanswered(e, t);
	if ((code == 405 || code == 501) && t->method == SIP_UPDATE &&
	    (engine_leg(e, t->call, t->side)->st.peer_allow & SIP_METHOD_BIT(UPDATE)) != 0)
		violation_note(e, t->trunk, VIOLATION_UPDATE_REFUSED);
	refresh_report(e, t->call, t->side, t, code, response);
}

void refresh_response(struct engine *e, struct txn *t, struct inbound *in)
{
	struct call *c = txn_call(e, t);
	uint16_t code = in->msg->status;

	if (c == NULL) {
		if (t->method == SIP_INVITE && code >= 200 && code <= 299)
			release_late_2xx(e, t, in);
		return;
	}
	if (code < 200)
		return;
	engine_hold(e, t->call);
	if (code <= 299 && t->method == SIP_INVITE) {
		bool again = (t->flags & TXN_ACKED) != 0;

		if (again) {
			midcall_ack_again(e, t);
			return;
		}
		midcall_send_ack(e, t, leg_text_of(engine_leg(e, t->call, t->side)), NULL);
	}
	if ((t->flags & TXN_ANSWERED) != 0 || c->state == CALL_ENDING)
		return;
	t->flags |= TXN_ANSWERED;
	refresh_over(e, t);
	if (code <= 299)
		refresh_ok(e, t, in);
	else if (refresh_again(e, t, in))
		return;
	else
		refresh_failed(e, t, code, in->msg);
	refresh_finish(e, t, code, in->msg);
}

void refresh_timeout(struct engine *e, struct txn *t)
{
	struct call *c = txn_call(e, t);

	if (c == NULL || c->state != CALL_UP)
		return;
	engine_hold(e, t->call);
	refresh_over(e, t);
	refresh_failed(e, t, 0, NULL);
	refresh_finish(e, t, 0, NULL);
}

// The answer in the ACK of an offerless re-INVITE that we answered with our current SDP. The same
// as agreed: nothing crosses. Another: the other leg is told by a re-INVITE (INTEROP P12).
void refresh_late_answer(struct engine *e, struct inbound *in)
{
	struct leg *leg = engine_leg(e, in->call, in->side);
	struct leg_text *text = leg_text_of(leg);

	if (in->msg->body.len == 0 || sdp_same(leg_text_part(text, LEG_TEXT_SDP), in->msg->body))
		return;
	text = text_of_body(e, text, in->msg);
	if (text == NULL)
		return;
	leg_set_text(e, leg, text);
	refresh_reoffer(e, in->call, in->side ^ 1u);
}
