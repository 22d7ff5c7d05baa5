// SPDX-License-Identifier: BSD-3-Clause
// What the callee's side says to the INVITE: answered, refused, silent, or answered more than once
// (RFC 3261 s13.2.2, s13.3; RFC 4028 s7.2, s9; RFC 6026).
// Thread: the owning worker.
#include "b2bua/compose.h"
#include "b2bua/midcall.h"
#include "b2bua/release.h"
#include "b2bua/setup.h"
#include "b2bua/txn.h"
#include "b2bua/violation.h"

// --- a final response that is not 2xx

// The caller's INVITE again; NULL when it has its final response.
static const struct sip_msg *answer_invite(struct engine *e, uint32_t call)
{
	const struct leg *a = engine_leg(e, call, SIDE_A);
	const struct sip_msg *invite = NULL;

	if (a->invite_in != NO_TXN && e->txns[a->invite_in].received != NULL)
		invite = txn_request(e, &e->txns[a->invite_in]);
	return invite;
}

// 422: again with a larger interval, then without any (RFC 4028 s7.3).
static bool answer_again_larger(struct engine *e, const struct txn *t, const struct inbound *in)
{
	struct leg *leg = engine_leg(e, t->call, SIDE_B);
	const struct sip_msg *invite;
	struct st_policy policy;

	leg_read_policy(e, leg, &policy);
	stat_add(&e->p.trunk_stats[leg->trunk].too_small_in, 1);
	if (leg_seen(e, in->msg)->min_se_s == 0)
		violation_note(e, leg->trunk, VIOLATION_NO_MIN_SE);
	if (st_after_422(&policy, &leg->st, &t->offered, leg_seen(e, in->msg)) == ST_RETRY_GIVE_UP)
		return false;
	invite = answer_invite(e, t->call);
	return invite != NULL && setup_send_invite(e, t->call, invite, SLICE_NONE);
}

// 401 or 407: once for each nonce with the trunk's credentials (RFC 7616, RFC 3261 s22).
static bool answer_again_authorized(struct engine *e, const struct txn *t, const struct inbound *in)
{
	uint8_t room[AUTHORIZE_ROOM];
	struct outbuf o = outbuf_of(room, sizeof(room));
	const struct sip_msg *invite;

	if (!authorize(e, &o, t, in->msg))
		return false;
	invite = answer_invite(e, t->call);
	if (invite == NULL || !setup_send_invite(e, t->call, invite, outbuf_slice(&o)))
		return false;
	e->txns[engine_leg(e, t->call, SIDE_B)->invite_out].tries = (uint8_t)(t->tries + 1);
	return true;
}

static bool answer_try_other_peer(struct engine *e, uint32_t call, uint16_t code)
{
	struct call *c = &e->calls[call];
	struct event *v;

	if (code != 0 && code != 408 && code != 503 && !(code >= 300 && code <= 399))
		return false;
	v = engine_event(e, EVENT_INVITE_FAILED, call, SIDE_B);
	v->invite_failed.code = code;
	v->invite_failed.peer = engine_leg(e, call, SIDE_B)->peer;
	forks_free(e, c);
	c->n_forks = 1;
	return setup_next(e, call);
}

static enum cause answer_cause(uint16_t code)
{
	switch (code) {
	case 0:
	case 408:
		return CAUSE_PEER_UNREACHABLE;
	case 401:
	case 407:
		return CAUSE_AUTH_FAILED;
	case 404:
	case 484:
	case 604:
		return CAUSE_NOT_FOUND;
	case 415:
	case 488:
	case 606:
		return CAUSE_MEDIA_REFUSED;
	case 420:
	case 421:
		return CAUSE_EXTENSION_REFUSED;
	case 422:
		return CAUSE_INTERVAL_REFUSED;
	case 480:
		return CAUSE_NO_ANSWER;
	case 486:
	case 600:
		return CAUSE_BUSY;
	case 487:
		return CAUSE_CANCELLED;
	case 503:
		return CAUSE_PEER_OVERLOADED;
	case 603:
		return CAUSE_DECLINED;
	default:
		return CAUSE_REJECTED;
	}
}

// What the caller is told: codes that concern only our hop are not its business (s16.7: 503; RFC
// 4028: 422; credentials: RFC 3261 s22.3).
static uint16_t answer_code(uint16_t code)
{
	switch (code) {
	case 0:
	case 408:
		return 408;
	case 401:
	case 407:
		return 403;
	case 420:
	case 421:
	case 422:
		return 500;
	case 503:
		return 503;
	default:
		return code >= 300 && code <= 399 ? 480 : code;
	}
}

// The peer has no session timers and the profile wants nothing else.
static bool answer_lacks_timer(const struct engine *e, const struct leg *leg, uint16_t code)
{
	struct st_policy policy;

	leg_read_policy(e, leg, &policy);
	return (code == 420 || code == 421) && policy.mode == ST_MODE_REQUIRED;
}

static void answer_refused(struct engine *e, struct txn *t, const struct inbound *in)
{
	struct call *c = engine_hold(e, t->call);
	struct leg *leg = engine_leg(e, t->call, SIDE_B);
	uint16_t code = in != NULL ? in->msg->status : 0, trunk = leg->trunk;

	leg->invite_out = NO_TXN;
	if (c->state != CALL_SETUP)
		return;
	if (code == 422 && answer_again_larger(e, t, in))
		return;
	if ((code == 401 || code == 407) && answer_again_authorized(e, t, in))
		return;
	if (answer_try_other_peer(e, t->call, code))
		return;
	stat_add(&e->p.trunk_stats[trunk].value[TRUNK_STAT_calls_out_answered +
						stat_call_result(code != 0 ? code : 408)],
		 1);
	c->why_code = code;
	c->side = SIDE_B;
	c->by = in != NULL ? BY_EGRESS : BY_VERGE;
	release_unanswered(e, t->call, answer_code(code),
			   answer_lacks_timer(e, leg, code) ? CAUSE_TIMER_REQUIRED
							    : answer_cause(code),
			   in != NULL ? in->msg : NULL);
}

// --- 2xx

// A further 2xx of a fork that lost: ACK, then BYE, in a dialog of its own (s13.2.2.4; INTEROP
// P24).
static void answer_surplus(struct engine *e, struct txn *t, const struct inbound *in)
{
	struct leg *leg = engine_leg(e, t->call, SIDE_B);
	struct leg_text *text = text_of_response(e, t->text != NULL ? t->text : leg_text_of(leg),
						 in->msg, in->to_tag);

	if (text == NULL)
		return;
	release_surplus(e, t, text);
	text_put(e, text);
}

static void answer_event(struct engine *e, uint32_t call)
{
	struct event *v = engine_event(e, EVENT_ANSWERED, call, SIDE_B);

	for (unsigned side = 0; side < 2; side++) {
		const struct leg *leg = engine_leg(e, call, side);

		leg_timer_view(leg, &v->answered.timer[side]);
		v->answered.trunk[side] = leg->trunk;
		v->answered.agent[side] = leg->agent;
	}
}

// The caller's tag becomes the one of the early dialog that was answered.
static bool answer_take_fork(struct engine *e, uint32_t call, uint8_t fork)
{
	struct leg *leg = engine_leg(e, call, SIDE_A);
	struct leg_text_parts parts;
	uint8_t tag[TOKEN_LEN];
	struct outbuf o = outbuf_of(tag, sizeof(tag));
	struct leg_text *text;

	e->calls[call].fork_won = fork;
	if (fork == 0)
		return true;
	leg_text_read(leg_text_of(leg), &parts);
	leg_put_tag(e, &o, call, SIDE_A, fork);
	parts.part[LEG_TEXT_LOCAL_TAG] = outbuf_slice(&o);
	text = text_new(e, &parts);
	if (text == NULL)
		return false;
	leg_set_text(e, leg, text);
	return true;
}

// When max_duration of either leg's profile ends the call; 0 = never.
static tick_t answer_longest(struct engine *e, uint32_t call)
{
	tick_t end = 0;

	for (unsigned side = 0; side < 2; side++) {
		const struct leg *leg = engine_leg(e, call, side);
		uint32_t longest = leg_profile(e, leg)->max_duration_s;

		if (longest != 0 && (end == 0 || e->now + TICK_S(longest) < end))
			end = e->now + TICK_S(longest);
	}
	return end;
}

static void answer_up(struct engine *e, uint32_t call)
{
	struct call *c = &e->calls[call];

	c->state = CALL_UP;
	c->answer_tk = e->now;
	c->max_tk = answer_longest(e, call);
	forks_free(e, c);
	for (unsigned side = 0; side < 2; side++) {
		struct leg *leg = engine_leg(e, call, side);
		struct trunk_stats *ts = &e->p.trunk_stats[leg->trunk];

		leg->state = LEG_CONFIRMED;
		stat_add(side == SIDE_A ? &ts->calls_in_answered : &ts->calls_out_answered, 1);
		stat_sub(&ts->legs_setup, 1);
		stat_add(&ts->legs_up, 1);
		leg_arm(e, call, side);
	}
	histogram_add(&e->p.stats->setup, &histogram_SETUP, e->now - c->start_tk);
	answer_event(e, call);
}

// The first 2xx: the egress leg is confirmed, the caller gets its own 200.
static void answer_first(struct engine *e, struct txn *t, const struct inbound *in, uint8_t fork)
{
	struct leg *a = engine_leg(e, t->call, SIDE_A);
	struct leg *b = engine_leg(e, t->call, SIDE_B);
	struct txn *invite = &e->txns[a->invite_in];
	struct leg_text *text =
		text_of_response(e, early_text(e, t->call, fork), in->msg, in->to_tag);
	struct st_headers timer;
	struct compose what = {.from = in->msg,
			       .body = COMPOSE_CROSS_BODY,
			       .contact = true,
			       .supported = true,
			       .timer = &timer};
	struct sip_buf *reply;

	if (text == NULL || invite->received == NULL || !answer_take_fork(e, t->call, fork)) {
		// without an ACK the 2xx comes again, and gets its BYE then (release_late_2xx())
		text_put(e, text);
		release_unanswered(e, t->call, 503, CAUSE_CAPACITY, NULL);
		return;
	}
	if (b->state == LEG_EARLY)
		leg_aim_again(e, b, leg_text_of(b), text);
	else
		leg_aim(e, b, text);
	leg_set_text(e, b, text);
	t->flow = b->flow; // the ACK goes where the dialog says
	b->agent = leg_agent(e, in->msg);
	leg_take_timer(e, t->call, SIDE_B, &t->offered, in->msg);
	timer = leg_answer_timer(e, t->call, SIDE_A, &invite->asked, ST_INITIAL);
	t->flags |= TXN_ANSWERED;
	leg_owe_ack(b, t->cseq);
	txn_join(e, invite, t);
	reply = compose_response(e, invite, in->msg->status, fork, &what);
	answer_up(e, t->call);
	e->calls[t->call].code = in->msg->status;
	txn_respond(e, invite, reply, in->msg->status);
}

static void answer_accepted(struct engine *e, struct txn *t, struct inbound *in)
{
	struct call *c = txn_call(e, t);
	struct leg *leg;
	uint8_t fork;

	if (c == NULL) { // the call is gone; what lives on is the duty to acknowledge
		release_late_2xx(e, t, in);
		return;
	}
	leg = engine_leg(e, t->call, SIDE_B);
	if (c->state == CALL_SETUP) {
		fork = early_fork_of(e, t->call, in);
		if (fork == NO_FORK)
			answer_surplus(e, t, in);
		else
			answer_first(e, t, in, fork);
		return;
	}
	if (slice_eq(leg_text_part(leg_text_of(leg), LEG_TEXT_REMOTE_TAG), in->to_tag)) {
		if ((t->flags & TXN_ACKED) != 0)
			midcall_ack_again(e, t);
		return;
	}
	answer_surplus(e, t, in);
}

// The peer was given up and another one is being tried.
static bool answer_is_stale(struct engine *e, struct txn *t)
{
	const struct call *c = txn_call(e, t);

	return c != NULL && c->state == CALL_SETUP &&
	       engine_leg(e, t->call, SIDE_B)->invite_out != txn_index(e, t);
}

void setup_response(struct engine *e, struct txn *t, struct inbound *in)
{
	uint16_t code = in->msg->status;

	if (answer_is_stale(e, t)) {
		if (code >= 200 && code <= 299)
			release_late_2xx(e, t, in);
		return;
	}
	if (code >= 200 && code <= 299) {
		answer_accepted(e, t, in);
		return;
	}
	if (txn_call(e, t) == NULL)
		return;
	if (code < 200)
		early_response(e, t, in);
	else
		answer_refused(e, t, in);
}

void setup_timeout(struct engine *e, struct txn *t)
{
	struct call *c = txn_call(e, t);

	if (c == NULL || c->state != CALL_SETUP || answer_is_stale(e, t))
		return;
	stat_add(&e->p.trunk_stats[engine_leg(e, t->call, SIDE_B)->trunk].timeouts_invite, 1);
	answer_refused(e, t, NULL);
}

// Timer C or ring_timeout: the callee rings for too long (s16.6, s16.8). It is cancelled and the
// next one is tried; a 2xx that comes all the same gets ACK and BYE.
void setup_ring_timeout(struct engine *e, struct txn *t)
{
	struct call *c = txn_call(e, t);
	bool setup = t->role == TXN_SETUP;

	if (c == NULL || (setup && (c->state != CALL_SETUP || answer_is_stale(e, t)))) {
		txn_abandon(e, t); // its CANCEL could not be made when the call ended
		return;
	}
	if (!setup || c->state != CALL_SETUP)
		return;
	(void)engine_hold(e, t->call);
	t->text = text_ref(leg_text_of(engine_leg(e, t->call, SIDE_B)));
	txn_cancel(e, t);
	engine_leg(e, t->call, SIDE_B)->invite_out = NO_TXN;
	if (answer_try_other_peer(e, t->call, 0))
		return;
	c->side = SIDE_B;
	release_unanswered(e, t->call, 408, CAUSE_RING_TIMEOUT, NULL);
}

// No PRACK for a reliable provisional response of ours (RFC 3262 s3).
void setup_prack_timeout(struct engine *e, struct txn *t)
{
	struct call *c = txn_call(e, t);

	if (c == NULL || c->state != CALL_SETUP)
		return;
	(void)engine_hold(e, t->call);
	c->side = SIDE_A;
	release_unanswered(e, t->call, 504, CAUSE_PEER_TIMEOUT, NULL);
}

// No ACK for our 2xx: the dialog is confirmed all the same and ends by BYE (RFC 3261 s13.3.1.4).
void setup_ack_timeout(struct engine *e, struct txn *t)
{
	struct call *c = txn_call(e, t);
	struct release r = {.cause = (t->flags & TXN_INITIAL) != 0 ? CAUSE_ACK_TIMEOUT
								   : CAUSE_ACK_TIMEOUT_MIDCALL,
			    .side = t->side,
			    .method = SIP_ACK,
			    .code = 408,
			    .by = BY_VERGE};

	if (c == NULL)
		return;
	(void)engine_hold(e, t->call);
	if (c->state == CALL_UP)
		release_call(e, t->call, &r);
	else
		release_owed(e, t->call, t->side);
}

// --- CANCEL of the caller

unsigned setup_cancel(struct engine *e, struct inbound *in, struct txn *invite)
{
	struct call *c = txn_call(e, invite);
	struct txn *t =
		c != NULL ? txn_new_server(e, in, SIP_CANCEL, invite->call, invite->side) : NULL;

	if (t == NULL)
		return reply_plain(e, in, 200, SLICE_NONE);
	(void)engine_hold(e, invite->call);
	txn_respond(e, t, compose_response(e, t, 200, c->fork_won, &(struct compose){0}), 200);
	if ((invite->flags & TXN_INITIAL) != 0 && c->state == CALL_SETUP) {
		c->by = BY_INGRESS;
		c->side = SIDE_A;
		release_unanswered(e, invite->call, 487, CAUSE_CANCELLED, in->msg);
	} else if ((invite->flags & TXN_INITIAL) == 0) {
		midcall_cancel(e, invite);
	}
	return VERDICT_SIP_HANDLED;
}
