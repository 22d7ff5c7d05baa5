// SPDX-License-Identifier: BSD-3-Clause
// Session refreshes that verge originates: by which method, and what follows from each answer (RFC
// 4028 s10, RFC 3261 s14.1; INTEROP P8, P13-P16). The table of outcomes is lib/session_timer's;
// here are the leg's memory, the trunk's experience and the clockwork around it.
#include "b2bua/engine.h"
#include "config/config_policy.h"
#include "control/core.h"

static_assert((int)ST_METHOD_UPDATE == REFRESH_UPDATE, "one ladder, two names");
static_assert((int)ST_METHOD_UPDATE_SDP == REFRESH_UPDATE_SDP, "one ladder, two names");
static_assert((int)ST_METHOD_INVITE == REFRESH_INVITE, "one ladder, two names");

#define METHOD_BIT(method) (1u << (method))
#define STARVED_RETRY	   TICK_S(1)
#define ANY_UPDATE	   (METHOD_BIT(REFRESH_UPDATE) | METHOD_BIT(REFRESH_UPDATE_SDP))

static const char *const method_words[] = {
	[REFRESH_UPDATE] = "UPDATE",
	[REFRESH_UPDATE_SDP] = "UPDATE+SDP",
	[REFRESH_INVITE] = "INVITE",
};

const char *refresh_method_word(enum refresh_method method)
{
	return method < REFRESH_METHOD_N ? method_words[method] : "none";
}

struct st_policy refresh_policy(const struct control *c, unsigned kept, unsigned trunk)
{
	const struct control_trunk *ct = core_trunk(c, trunk);
	struct st_policy policy;

	config_policy(&policy, core_leg_timer(c, kept, trunk));
	policy.learned_min_se_s = ct != NULL ? ct->facts.min_se_s : 0;
	return policy;
}

// The leg as lib/session_timer sees it, from what the worker told last. Events carry the deadline,
// which lies min(margin, interval / 3) before the expiry (ST-74).
static struct st_leg leg_of(const struct control_leg *leg, const struct st_policy *policy)
{
	uint32_t se_s = leg->peer.se_s;
	uint32_t margin_s = se_s / 3 < policy->expiry_margin_s ? se_s / 3 : policy->expiry_margin_s;
	struct st_leg st = {
		.expiry_tk = leg->expiry_tk + TICK_S(margin_s),
		.se_s = se_s,
		.min_se_s = leg->peer.min_se_s,
		.peer_allow = (uint16_t)leg->peer.peer_allow,
		.role = leg->peer.role,
		.flags = ST_LEG_ESTABLISHED,
	};

	st.last_ok_tk = st.expiry_tk > TICK_S(se_s) ? st.expiry_tk - TICK_S(se_s) : 1;
	if (leg->peer.peer_timer)
		st.flags |= ST_LEG_PEER_TIMER;
	if (leg->peer.peer_allow != 0)
		st.flags |= ST_LEG_PEER_ALLOW;
	return st;
}

// UPDATE is worth trying on this leg: the profile lets us choose, and neither this leg nor the
// trunk has shown that it leads nowhere. What one call has shown is followed as a preference (the
// second call on such a trunk uses re-INVITE at once, P8); one leg in probe_one_in tries UPDATE
// again.
static bool update_is_doubtful(struct control *c, const struct control_leg *leg)
{
	const struct control_trunk *trunk = core_trunk(c, leg->trunk);
	uint32_t one_in = core_timer_config(c, leg->trunk)->probe_one_in;

	if (core_timer_config(c, leg->trunk)->learn == 0)
		return false;
	if (trunk_facts_state(&trunk->facts, leg->agent, FACT_UPDATE) != FACT_UNSUPPORTED &&
	    trunk_facts_last(&trunk->facts, leg->agent, FACT_UPDATE) >= 0)
		return false;
	return one_in == 0 || core_random(c, one_in) != 0;
}

static enum refresh_method first_method(struct control *c, struct control_leg *leg,
					enum refresh_method suggested)
{
	bool free_choice =
		core_leg_timer(c, leg->kept, leg->trunk)->method == CONFIG_REFRESH_METHOD_AUTO;

	if (!free_choice || !leg->has_sdp)
		return suggested;
	// a worker that heeds TRUNK_LIVE_NO_UPDATE suggests re-INVITE; whether to probe is decided
	// here
	if (suggested == REFRESH_INVITE && (leg->peer.peer_allow & SIP_METHOD_BIT(UPDATE)) != 0)
		suggested = REFRESH_UPDATE;
	if (suggested == REFRESH_INVITE)
		return suggested;
	if ((leg->missing & ANY_UPDATE) != 0) {
		// a UPDATE that wants SDP is better than none
		if ((leg->missing & METHOD_BIT(REFRESH_UPDATE_SDP)) == 0 && leg->update_sdp_works)
			return REFRESH_UPDATE_SDP;
		return REFRESH_INVITE;
	}
	return update_is_doubtful(c, leg) ? REFRESH_INVITE : suggested;
}

enum refresh_method refresh_expected(const struct control *c, const struct config_timer *timer,
				     const struct leg_view *view, const struct control_leg *leg)
{
	const struct control_trunk *trunk = core_trunk(c, view->trunk);
	uint32_t peer_allow = view->timer.peer_allow;

	if (timer->method == CONFIG_REFRESH_METHOD_INVITE ||
	    (peer_allow & SIP_METHOD_BIT(UPDATE)) == 0)
		return REFRESH_INVITE;
	if (timer->method == CONFIG_REFRESH_METHOD_UPDATE || trunk == NULL)
		return REFRESH_UPDATE;
	if (leg != NULL && (leg->missing & ANY_UPDATE) != 0)
		return leg->update_sdp_works ? REFRESH_UPDATE_SDP : REFRESH_INVITE;
	if (timer->learn != 0 &&
	    (trunk_facts_state(&trunk->facts, view->agent, FACT_UPDATE) == FACT_UNSUPPORTED ||
	     trunk_facts_last(&trunk->facts, view->agent, FACT_UPDATE) < 0))
		return REFRESH_INVITE;
	return REFRESH_UPDATE;
}

static void remember_attempt(struct control_leg *leg, unsigned method, tick_t sent, tick_t end,
			     unsigned code)
{
	leg->attempts[leg->n_attempts++ % CONTROL_ATTEMPTS] = (struct control_attempt){
		.at = sent,
		.ms = (uint32_t)(end > sent ? (end - sent) / TICK_MS(1) : 0),
		.code = (uint16_t)code,
		.method = (uint8_t)method,
	};
	leg->last_code = (uint16_t)code;
	leg->last_method = (uint8_t)method;
}

static void count_result(struct control_trunk *trunk, unsigned method, enum refresh_result result)
{
	unsigned row = method == REFRESH_INVITE ? TRUNK_STAT_refreshes_invite_sent_ok
						: TRUNK_STAT_refreshes_update_sent_ok;

	stat_add(&trunk->stats.shared.value[row + result], 1);
}

void refresh_unanswered(struct control *c, struct control_leg *leg, enum refresh_result result)
{
	struct control_trunk *trunk = core_trunk(c, leg->trunk);

	if (leg->stage != LEG_IN_FLIGHT)
		return;
	remember_attempt(leg, leg->method, leg->sent_tk, c->now, 0);
	if (trunk != NULL)
		count_result(trunk, leg->method, result);
}

// The refresh is over. A leg that has nothing to remember has no record.
static void settle(struct control *c, struct control_leg *leg)
{
	core_leg_stage(c, leg, LEG_IDLE);
	core_due(c, leg, false);
	leg->st = (struct st_refresh){0};
	leg->silent = 0;
	leg->why = 0;
	leg->was_sent = false;
	if (leg->n_attempts == 0 && leg->missing == 0)
		core_leg_free(c, leg);
}

void refresh_due(struct control *c, unsigned worker, const struct event *event)
{
	struct control_leg *leg = core_leg_make(c, worker, event);
	uint8_t suggested = event->refresh_due.first_method;

	if (suggested >= REFRESH_METHOD_N)
		suggested = REFRESH_INVITE;
	if (leg == NULL) { // no memory: the session goes first, policy second
		struct order order = {.type = ORDER_REFRESH,
				      .side = event->side,
				      .trunk = event->trunk,
				      .call = event->call,
				      .gen = event->gen};

		order.refresh.planned_tk = event->refresh_due.planned_tk;
		order.refresh.method = suggested;
		core_order(c, worker, &order);
		return;
	}
	if (leg->stage == LEG_ENDING)
		return;
	core_leg_stage(c, leg, LEG_IDLE);
	leg->st = (struct st_refresh){0};
	leg->silent = 0;
	leg->why = 0;
	leg->planned_tk = event->refresh_due.planned_tk;
	leg->expiry_tk = event->refresh_due.expiry_tk;
	leg->agent = event->refresh_due.agent;
	leg->peer = event->refresh_due.timer;
	leg->has_sdp = event->refresh_due.has_sdp;
	leg->call_id_owner = event->refresh_due.call_id_owner;
	leg->method = (uint8_t)first_method(c, leg, (enum refresh_method)suggested);
	core_due(c, leg, true);
	core_log_leg(c, CONTROL_DEBUG, "refresh", leg, "due method=%s left_ms=%llu",
		     method_words[leg->method],
		     (unsigned long long)(leg->expiry_tk > c->now
						  ? (leg->expiry_tk - c->now) / TICK_MS(1)
						  : 0));
	pace_submit(c, leg);
}

void refresh_retry(struct control *c, struct control_leg *leg)
{
	if (leg->stage == LEG_IN_FLIGHT) { // pace.c: the UPDATE had its time
		refresh_unanswered(c, leg, REFRESH_RESULT_RETRY);
		leg->silent |= (uint8_t)METHOD_BIT(leg->method);
		leg->st.failed |= (uint8_t)METHOD_BIT(leg->method);
		leg->method = REFRESH_INVITE;
		core_log_leg(c, CONTROL_INFO, "refresh", leg,
			     "retry method=UPDATE code=0 next=INVITE");
		pace_send(c, leg);
		return;
	}
	leg->why = CAUSE_NONE;
	core_leg_stage(c, leg, LEG_IDLE);
	pace_submit(c, leg);
}

static enum cause cause_of(enum st_why why)
{
	switch (why) {
	case ST_WHY_GONE:
		return CAUSE_REFRESH_DIALOG_GONE;
	case ST_WHY_REFUSED:
	case ST_WHY_GLARE:
		return CAUSE_REFRESH_REJECTED;
	case ST_WHY_AUTH:
		return CAUSE_REFRESH_AUTH;
	case ST_WHY_INTERVAL:
		return CAUSE_REFRESH_INTERVAL;
	case ST_WHY_NONE:
	case ST_WHY_SILENT:
		break;
	}
	return CAUSE_REFRESH_FAILURE;
}

static struct st_next_step judge(struct control *c, struct control_leg *leg,
				 const struct event *event)
{
	struct st_policy policy = refresh_policy(c, leg->kept, leg->trunk);
	struct st_leg st = leg_of(leg, &policy);
	const struct config_trunk *trunk = &c->config->trunks[leg->trunk];
	struct st_result result = {
		.code = event->refresh_done.code,
		.method = event->refresh_done.method,
		.has_retry_after = event->refresh_done.has_retry_after,
		.crossed = event->refresh_done.crossed,
		.call_id_owner = leg->call_id_owner,
		.has_sdp = leg->has_sdp,
		.can_auth = trunk->credentials.username[0] != '\0',
		.can_raise = leg->peer.min_se_s <= policy.max_interval_s,
		.retry_after_s = event->refresh_done.retry_after_s,
		.random = core_random(c, UINT32_MAX),
	};

	return st_outcome(&policy, &st, &leg->st, &result, c->now);
}

static void succeeded(struct control *c, struct control_leg *leg, const struct event *event)
{
	if (event->refresh_done.method == REFRESH_UPDATE_SDP)
		leg->update_sdp_works = true;
	learn_success(c, leg, event);
	if (leg->st.failed != 0)
		core_log_leg(c, CONTROL_INFO, "refresh", leg, "recovered method=%s code=%u",
			     method_words[event->refresh_done.method], event->refresh_done.code);
	leg->missing |= leg->st.failed & ANY_UPDATE;
	settle(c, leg);
}

static void act(struct control *c, struct control_leg *leg, const struct event *event,
		const struct st_next_step *step)
{
	struct control_trunk *trunk = core_trunk(c, leg->trunk);
	unsigned code = event->refresh_done.code;

	switch ((enum st_what)step->what) {
	case ST_DONE: // crossed: the peer's own refresh did it
		count_result(trunk, event->refresh_done.method, REFRESH_RESULT_RETRY);
		settle(c, leg);
		return;
	case ST_SEND:
		count_result(trunk, event->refresh_done.method, REFRESH_RESULT_RETRY);
		core_log_leg(
			c, step->glare ? CONTROL_DEBUG : CONTROL_INFO, "refresh", leg,
			"retry method=%s code=%u next=%s in_ms=%llu",
			method_words[event->refresh_done.method], code,
			refresh_method_word((enum refresh_method)step->method),
			(unsigned long long)(step->at > c->now ? (step->at - c->now) / 1000 : 0));
		leg->method = step->method;
		core_leg_stage(c, leg, LEG_WAITING);
		if (step->at <= c->now)
			refresh_retry(c, leg);
		else if (heap_put(&c->timers, &leg->timer.node, step->at) != 0)
			pace_send(c, leg); // no memory for waiting: now is better than never
		return;
	case ST_WAIT:
		count_result(trunk, event->refresh_done.method, REFRESH_RESULT_FAILED);
		core_log_leg(c, CONTROL_WARNING, "refresh", leg,
			     "failed method=%s code=%u why=%s then=expiry",
			     method_words[event->refresh_done.method], code,
			     st_why_word((enum st_why)step->why));
		leg->why = (uint8_t)cause_of((enum st_why)step->why);
		core_leg_stage(c, leg, LEG_IDLE);
		return;
	case ST_END:
		count_result(trunk, event->refresh_done.method, REFRESH_RESULT_FAILED);
		core_leg_stage(c, leg, LEG_IDLE);
		release_failed(c, leg, cause_of((enum st_why)step->why), event);
		return;
	}
}

// The worker had no buffer or transaction for it: nobody has refused anything, and nothing is known
// of the peer. Again soon, up to the end of the session.
static void starved(struct control *c, struct control_leg *leg)
{
	tick_t at = c->now + STARVED_RETRY;

	leg->why = CAUSE_SESSION_EXPIRED_LOCAL;
	leg->was_sent = false;
	core_leg_stage(c, leg, LEG_WAITING);
	if (at >= leg->expiry_tk || heap_put(&c->timers, &leg->timer.node, at) != 0)
		core_leg_stage(c, leg, LEG_IDLE);
}

void refresh_done(struct control *c, unsigned worker, const struct event *event)
{
	struct control_leg *leg = core_leg(c, worker, event->call, event->gen, event->side);
	unsigned code = event->refresh_done.code;
	// it never left: the worker's word
	bool own = (code == 491 || code == 503) && event->refresh_done.rtt_us == 0;
	struct st_next_step step;

	if (event->refresh_done.method >= REFRESH_METHOD_N)
		return;
	if (event->refresh_done.rtt_us !=
	    0) { // not the worker's own 491: a dead trunk gives no sign
		learn_life(c, event->trunk);
		if (core_trunk(c, event->trunk) != NULL)
			histogram_add(&core_trunk(c, event->trunk)->stats.rtt, &histogram_RTT,
				      event->refresh_done.rtt_us);
	}
	if (leg == NULL || leg->stage == LEG_ENDING) {
		c->stats.stale_events++;
		return;
	}
	if (code >= 200 && code < 300) {
		succeeded(c, leg, event);
		return;
	}
	leg->expiry_tk = event->refresh_done.expiry_tk;
	leg->peer = event->refresh_done.timer;
	if (own && code == 503) {
		starved(c, leg);
		return;
	}
	if (!own)
		remember_attempt(leg, event->refresh_done.method, event->refresh_done.sent_tk,
				 event->at, code);
	if (code == 0)
		leg->silent |= (uint8_t)METHOD_BIT(event->refresh_done.method);
	step = judge(c, leg, event);
	if (step.glare)
		stat_add(&core_trunk(c, leg->trunk)->stats.shared.glare, 1);
	if (step.no_update)
		learn_no_update(c, leg, code);
	act(c, leg, event, &step);
}

// The peer refreshed: what of ours was waiting is not needed any more (P13).
void refresh_peer(struct control *c, unsigned worker, const struct event *event)
{
	struct control_leg *leg = core_leg(c, worker, event->call, event->gen, event->side);
	bool accepted = event->peer_refreshed.code >= 200 && event->peer_refreshed.code < 300;

	learn_peer(c, worker, event);
	if (event->peer_refreshed.code == 500) { // the worker tells once a leg (ST-78)
		struct control_leg named = {.call = event->call,
					    .gen = event->gen,
					    .trunk = event->trunk,
					    .worker = (uint8_t)worker,
					    .side = event->side};

		core_log_leg(c, CONTROL_WARNING, "refresh", &named,
			     "flood by=peer method=%s then=refused",
			     event->peer_refreshed.method == SIP_INVITE ? "INVITE" : "UPDATE");
	}
	if (leg == NULL || !accepted || leg->stage == LEG_ENDING || leg->stage == LEG_IN_FLIGHT)
		return;
	settle(c, leg);
}
