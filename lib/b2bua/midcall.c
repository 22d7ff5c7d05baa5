// SPDX-License-Identifier: BSD-3-Clause
// Requests inside a dialog: which are answered here, which cross to the other leg, which must wait
// (RFC 3261 s12.2.2, s14; RFC 3311; RFC 6141; RFC 5407).
// Thread: the owning worker.
#include "b2bua/midcall.h"

#include "b2bua/compose.h"
#include "b2bua/release.h"
#include "b2bua/setup.h"
#include "b2bua/txn.h"
#include "b2bua/violation.h"
#include "session_timer/flood.h"
#include "sip/build.h"

// --- refusing

static unsigned midcall_refuse_with(struct engine *e, struct inbound *in, uint16_t code,
				    struct slice lines)
{
	struct txn *t = txn_new_server(e, in, (enum sip_method)in->method, in->call, in->side);
	struct compose what = {.lines = lines};

	if (t == NULL)
		return reply_plain(e, in, code, lines);
	txn_respond(e, t, compose_response(e, t, code, in->fork, &what), code);
	return VERDICT_SIP_REFUSED;
}

unsigned midcall_refuse(struct engine *e, struct inbound *in, uint16_t code)
{
	return midcall_refuse_with(e, in, code, SLICE_NONE);
}

// 500 with Retry-After between 0 and 10 s (RFC 3261 s14.2, RFC 3311 s5.2).
static unsigned midcall_refuse_later(struct engine *e, struct inbound *in)
{
	uint8_t line[32];
	struct outbuf o = outbuf_of(line, sizeof(line));

	sip_build_header_u32(&o, SIP_H_RETRY_AFTER, (uint32_t)(in->key % 11));
	return midcall_refuse_with(e, in, 500, outbuf_slice(&o));
}

// --- who is in the way

// What stands against an INVITE of the peer now (RFC 3261 s14.2); 0 = nothing.
static uint16_t midcall_invite_conflict(const struct engine *e, const struct leg *leg)
{
	if (leg_txn_open(e, leg->invite_out))
		return 491;
	if (leg_txn_open(e, leg->update_out) &&
	    (e->txns[leg->update_out].flags & TXN_HAS_OFFER) != 0)
		return 491;
	if (leg_txn_open(e, leg->invite_in))
		return 500;
	if (leg_txn_open(e, leg->update_in) && (e->txns[leg->update_in].flags & TXN_HAS_OFFER) != 0)
		return 500;
	if (leg_awaits_ack(e, leg))
		return 491; // RFC 5407 s3.1.4: our answer is still in the air
	return 0;
}

// The same for UPDATE (RFC 3311 s5.2): no two at once, and no offer while one is open either way.
static uint16_t midcall_update_conflict(const struct engine *e, const struct leg *leg, bool offer)
{
	bool up = leg->state == LEG_CONFIRMED;

	if (leg_txn_open(e, leg->update_in))
		return 500;
	if (!offer)
		return 0;
	if (leg_txn_open(e, leg->update_out) &&
	    (e->txns[leg->update_out].flags & TXN_HAS_OFFER) != 0)
		return 491;
	if (up && leg_txn_open(e, leg->invite_out))
		return 491;
	return up && leg_txn_open(e, leg->invite_in) ? 500 : 0;
}

// --- crossing

static void midcall_note(struct engine *e, struct txn *t, struct leg *leg, bool in)
{
	uint32_t index = txn_index(e, t);

	if (t->method == SIP_INVITE)
		*(in ? &leg->invite_in : &leg->invite_out) = index;
	else if (t->method == SIP_UPDATE)
		*(in ? &leg->update_in : &leg->update_out) = index;
}

static bool midcall_has_contact(uint8_t method)
{
	return method == SIP_INVITE || method == SIP_UPDATE || method == SIP_REFER ||
	       method == SIP_NOTIFY || method == SIP_SUBSCRIBE;
}

// Pass a peer's request on, on the leg of t. A re-INVITE or UPDATE refreshes that leg too (RFC 4028
// s7.4; INTEROP P17).
static bool midcall_send(struct engine *e, struct txn *t, const struct sip_msg *request,
			 const struct leg_text *text, struct slice lines)
{
	struct leg *leg = engine_leg(e, t->call, t->side);
	bool refresh =
		(t->method == SIP_INVITE || t->method == SIP_UPDATE) && leg->state == LEG_CONFIRMED;
	struct compose what = {.from = request,
			       .body = COMPOSE_CROSS_BODY,
			       .lines = lines,
			       .supported = true,
			       .contact = midcall_has_contact(t->method)};
	uint8_t hops = 70;

	if (refresh) {
		t->offered = leg_offer_timer(e, t->call, t->side, 0);
		what.timer = &t->offered;
	}
	if (sip_msg_has(request, SIP_H_MAX_FORWARDS))
		(void)sip_max_forwards_parse(&hops, sip_msg_value(request, SIP_H_MAX_FORWARDS));
	what.max_forwards = hops > 1 ? hops - 1u : 1;
	what.require = leg_required(e, request) & ~SIP_OPTION_BIT(TIMER);
	t->cseq = ++leg->local_cseq;
	t->flow = leg->flow;
	if (request->body.len != 0 && text_is_sdp(sip_msg_value(request, SIP_H_CONTENT_TYPE)))
		t->flags |= TXN_HAS_OFFER;
	else if (t->method == SIP_INVITE)
		t->flags |= TXN_OFFERLESS;
	t->sent = compose_request(e, t, text, &what);
	if (t->sent == NULL) {
		txn_free(e, t);
		return false;
	}
	midcall_note(e, t, leg, false);
	txn_start(e, t);
	return true;
}

unsigned midcall_cross(struct engine *e, struct inbound *in, struct leg_text *text,
		       struct slice lines)
{
	struct leg *leg = engine_leg(e, in->call, in->side);
	struct txn *from = txn_new_server(e, in, (enum sip_method)in->method, in->call, in->side);
	struct txn *to = from != NULL ? txn_new_client(e, (enum sip_method)in->method, TXN_RELAY,
						       in->call, in->side ^ 1u)
				      : NULL;

	if (from == NULL)
		return reply_plain(e, in, 503, SLICE_LIT("Retry-After: 5\r\n"));
	midcall_note(e, from, leg, true);
	if (in->method == SIP_INVITE && in->msg->body.len == 0)
		from->flags |= TXN_OFFERLESS;
	if (in->msg->body.len != 0 && text_is_sdp(sip_msg_value(in->msg, SIP_H_CONTENT_TYPE)))
		from->flags |= TXN_HAS_OFFER;
	if (to != NULL) {
		to->fork = in->fork;
		txn_join(e, from, to);
	}
	if (in->method == SIP_INVITE)
		txn_respond(e, from, compose_response(e, from, 100, in->fork, &(struct compose){0}),
			    100);
	if (to == NULL || !midcall_send(e, to, in->msg, text, lines))
		txn_respond(e, from, compose_response(e, from, 500, in->fork, &(struct compose){0}),
			    500);
	return VERDICT_SIP_HANDLED;
}

bool midcall_resend(struct engine *e, struct txn *from, const struct txn *t, struct slice lines)
{
	struct txn *again =
		txn_new_client(e, (enum sip_method)t->method, TXN_RELAY, t->call, t->side);
	const struct sip_msg *request = again != NULL ? txn_request(e, from) : NULL;

	if (again == NULL)
		return false;
	if (request == NULL) {
		txn_free(e, again);
		return false;
	}
	again->fork = t->fork;
	again->tries = (uint8_t)(t->tries + 1);
	txn_join(e, from, again);
	return midcall_send(e, again, request,
			    t->side == SIDE_B ? early_text(e, t->call, t->fork)
					      : leg_text_of(engine_leg(e, t->call, t->side)),
			    lines);
}

// --- re-INVITE and UPDATE

// 422, 420: what the timer headers of a re-INVITE or UPDATE deserve; 0 = nothing.
static uint16_t midcall_timer_conflict(struct engine *e, const struct inbound *in,
				       struct outbuf *lines)
{
	struct leg *leg = engine_leg(e, in->call, in->side);
	struct st_policy policy;
	struct st_headers headers;
	unsigned code;

	leg_read_policy(e, leg, &policy);
	code = st_refuse(&policy, &leg->st, leg_seen(e, in->msg), 0, &headers);
	if (code == 422) {
		stat_add(&e->p.trunk_stats[leg->trunk].too_small_out, 1);
		sip_build_header_u32(lines, SIP_H_MIN_SE, headers.min_se_s);
	} else if (code == 420) {
		outbuf_put_lit(lines, "Unsupported: timer\r\n");
	}
	return (uint16_t)code;
}

// The other leg is busy with an offer of its own, or with a refresh of ours.
static bool midcall_other_busy(const struct engine *e, const struct leg *other)
{
	if (leg_txn_open(e, other->update_out))
		return true;
	return other->state == LEG_CONFIRMED &&
	       (leg_txn_open(e, other->invite_out) || leg_txn_open(e, other->invite_in) ||
		leg_txn_open(e, other->update_in) || leg_awaits_ack(e, other));
}

static void midcall_count_refused(struct engine *e, const struct inbound *in,
				  enum refresh_result result)
{
	unsigned row = in->method == SIP_INVITE ? TRUNK_STAT_refreshes_invite_received_ok
						: TRUNK_STAT_refreshes_update_received_ok;

	stat_add(&e->p.trunk_stats[in->trunk].value[row + result], 1);
}

// A refresh of the peer goes no further than here; one too many is refused before it costs anything
// (ST-78). From a peer that does not stop not even a transaction is kept; control hears of it once.
static unsigned midcall_refresh(struct engine *e, struct inbound *in)
{
	struct leg *leg = engine_leg(e, in->call, in->side);
	bool was_demoted = st_is_demoted(&leg->st);
	uint32_t after = st_admit(&leg->st, e->now);
	uint8_t line[32];
	struct outbuf o = outbuf_of(line, sizeof(line));

	if (after == 0)
		return refresh_answer(e, in);
	midcall_count_refused(e, in, REFRESH_RESULT_FAILED);
	sip_build_header_u32(&o, SIP_H_RETRY_AFTER, after);
	if (was_demoted)
		return reply_plain(e, in, 500, outbuf_slice(&o));
	if (st_is_demoted(&leg->st)) {
		violation_note(e, leg->trunk, VIOLATION_REFRESH_FLOOD);
		refresh_event_received(e, in->call, in->side, (enum sip_method)in->method, 500);
	}
	return midcall_refuse_with(e, in, 500, outbuf_slice(&o));
}

static unsigned midcall_change(struct engine *e, struct inbound *in)
{
	struct leg *leg = engine_leg(e, in->call, in->side);
	struct leg *other = engine_leg(e, in->call, in->side ^ 1u);
	bool up = leg->state == LEG_CONFIRMED;
	bool refresh = up && refresh_is_local(e, in, leg_text_of(leg));
	uint16_t conflict = in->method == SIP_INVITE
				    ? midcall_invite_conflict(e, leg)
				    : midcall_update_conflict(e, leg, in->msg->body.len != 0);
	uint8_t room[64];
	struct outbuf lines = outbuf_of(room, sizeof(room));

	if (conflict == 0)
		conflict = midcall_timer_conflict(e, in, &lines);
	if (conflict != 0 && refresh)
		midcall_count_refused(
			e, in, conflict == 420 ? REFRESH_RESULT_FAILED : REFRESH_RESULT_RETRY);
	if (conflict == 500)
		return midcall_refuse_later(e, in);
	if (conflict != 0)
		return midcall_refuse_with(e, in, conflict, outbuf_slice(&lines));
	if (refresh)
		return midcall_refresh(e, in);
	if (up && leg_profile(e, leg)->midcall == CONFIG_MIDCALL_NONE)
		return midcall_refuse(e, in, 488);
	if (midcall_other_busy(e, other))
		return up ? midcall_refuse(e, in, 491) : midcall_refuse_later(e, in);
	stat_add(&e->p.trunk_stats[leg->trunk].midcall_crossed, 1);
	return midcall_cross(
		e, in, in->side == SIDE_A ? early_text(e, in->call, in->fork) : leg_text_of(other),
		SLICE_NONE);
}

// --- dispatch

// In-dialog requests come in the order of their CSeq (s12.2.2); ACK and CANCEL have the INVITE's.
static bool midcall_cseq(struct leg *leg, const struct inbound *in)
{
	if (in->cseq.number <= leg->remote_cseq && leg->remote_cseq != 0)
		return false;
	leg->remote_cseq = in->cseq.number;
	return true;
}

unsigned midcall_request(struct engine *e, struct inbound *in)
{
	struct call *c = &e->calls[in->call];
	struct leg *leg = engine_leg(e, in->call, in->side);

	// Early dialogs of one INVITE share our record, and each peer counts for itself.
	if (in->fork == 0 || c->state != CALL_SETUP)
		if (!midcall_cseq(leg, in)) {
			violation_note(e, leg->trunk, VIOLATION_OLD_CSEQ);
			return st_is_demoted(&leg->st)
				       ? reply_plain(e, in, 500, SLICE_LIT("Retry-After: 10\r\n"))
				       : midcall_refuse_later(e, in);
		}
	if (in->method == SIP_BYE)
		return release_bye(e, in);
	if (c->state == CALL_ENDING)
		return midcall_refuse(e, in, 481);
	if (in->rx->class.unknown_required)
		return refuse_unsupported(e, in);
	switch (in->method) {
	case SIP_INVITE:
		if (c->state != CALL_UP)
			return midcall_refuse(e, in, 491);
		return midcall_change(e, in);
	case SIP_UPDATE:
		return midcall_change(e, in);
	case SIP_PRACK:
		return early_prack(e, in);
	case SIP_OPTIONS:
		return local_options(e, in);
	case SIP_INFO:
	case SIP_MESSAGE:
	case SIP_NOTIFY:
	case SIP_REFER:
	case SIP_SUBSCRIBE:
		if (in->max_forwards == 0)
			return midcall_refuse(e, in, 483);
		return midcall_cross(e, in,
				     in->side == SIDE_A
					     ? early_text(e, in->call, in->fork)
					     : leg_text_of(engine_leg(e, in->call, SIDE_A)),
				     SLICE_NONE);
	default:
		return midcall_refuse_with(e, in, 405, compose_allow_line());
	}
}
