// SPDX-License-Identifier: BSD-3-Clause
// Ending calls: session expired, refresh failed, duration reached, operator (RFC 4028 s10; INTEROP
// P14, P15). What a profile or a quarantine lets live is told and counted, and its timer is
// switched off.
#include "control/core.h"

#define REASON_TIMEOUT 408 // Reason: SIP;cause=408 (RFC 3326) of a call that its timer ended

static void order_end(struct control *c, unsigned worker, const struct order *order)
{
	struct control_leg *leg;

	for (unsigned side = SIDE_A; side <= SIDE_B; side++) {
		leg = core_leg(c, worker, order->call, order->gen, side);
		if (leg == NULL)
			continue;
		core_leg_stage(c, leg, LEG_ENDING);
		core_due(c, leg, false);
	}
	core_order(c, worker, order);
}

static void end_leg(struct control *c, unsigned worker, const struct event *event, enum cause cause,
		    unsigned method)
{
	struct order order = {.type = ORDER_END_CALL,
			      .side = event->side,
			      .trunk = event->trunk,
			      .call = event->call,
			      .gen = event->gen};

	order.end.code = REASON_TIMEOUT;
	order.end.cause = (uint8_t)cause;
	order.end.by = BY_VERGE;
	order.end.method = (uint8_t)method;
	order_end(c, worker, &order);
}

static void keep_leg(struct control *c, unsigned worker, const struct event *event)
{
	struct order order = {.type = ORDER_TIMER_OFF,
			      .side = event->side,
			      .trunk = event->trunk,
			      .call = event->call,
			      .gen = event->gen};

	core_order(c, worker, &order);
}

static unsigned sip_method(enum refresh_method method)
{
	return method == REFRESH_INVITE ? SIP_INVITE : SIP_UPDATE;
}

// A leg about which nothing is remembered, for the log.
static struct control_leg stranger(unsigned worker, const struct event *event)
{
	return (struct control_leg){.call = event->call,
				    .gen = event->gen,
				    .trunk = event->trunk,
				    .worker = (uint8_t)worker,
				    .side = event->side};
}

// End the call or let it pass.
static void expire(struct control *c, unsigned worker, const struct event *event,
		   struct control_leg *leg, enum cause cause, bool keep)
{
	struct control_trunk *trunk = core_trunk(c, event->trunk);
	struct control_leg unknown = stranger(worker, event);
	const struct control_leg *named = leg != NULL ? leg : &unknown;
	unsigned method = leg != NULL ? sip_method((enum refresh_method)leg->method) : 0;

	core_log_leg(c, CONTROL_WARNING, "release", named, "%s cause=%s code=%u",
		     keep ? "would_end" : "end", cause_word(cause), named->last_code);
	if (trunk != NULL && keep) {
		stat_add(&trunk->stats.shared.expired_warn, 1);
		trunk->stats.would_drop++;
	} else if (trunk != NULL) {
		stat_add(&trunk->stats.shared.expired_end, 1);
	}
	if (!keep) {
		end_leg(c, worker, event, cause, method);
		return;
	}
	keep_leg(c, worker, event);
	if (leg != NULL) {
		core_leg_stage(c, leg, LEG_IDLE);
		core_due(c, leg, false);
	}
}

static enum cause expiry_cause(const struct control_leg *leg)
{
	if (leg == NULL)
		return CAUSE_SESSION_EXPIRED_LOCAL;
	if (leg->why != CAUSE_NONE)
		return (enum cause)leg->why;
	if (leg->stage == LEG_IN_FLIGHT)
		return CAUSE_REFRESH_FAILURE; // sent, and no answer in time
	if (leg->is_due && leg->stage == LEG_WAITING)
		return leg->last_code != 0 ? CAUSE_REFRESH_REJECTED : CAUSE_REFRESH_FAILURE;
	return CAUSE_SESSION_EXPIRED_LOCAL;
}

void release_expired(struct control *c, unsigned worker, const struct event *event)
{
	struct control_leg *leg = core_leg(c, worker, event->call, event->gen, event->side);
	const struct config_timer *timer = core_leg_timer(c, event->kept, event->trunk);
	bool local = event->expired.timer.role == ST_ROLE_LOCAL;
	enum cause cause = local ? expiry_cause(leg) : CAUSE_SESSION_EXPIRED;
	bool keep = learn_is_observed(c, event->kept, event->trunk, event->expired.agent) ||
		    timer->on_expiry == CONFIG_ON_FAILURE_WARN ||
		    (local && timer->on_refresh_failure == CONFIG_ON_FAILURE_WARN);

	if (leg != NULL && leg->stage == LEG_ENDING)
		return;
	if (leg != NULL && !keep) // a call that goes on waits for its outcome
		refresh_unanswered(c, leg, REFRESH_RESULT_FAILED);
	expire(c, worker, event, leg, cause, keep);
	learn_failed(c, worker, event, leg, leg != NULL && leg->is_due ? leg->last_code : 0);
}

void release_failed(struct control *c, struct control_leg *leg, enum cause cause,
		    const struct event *event)
{
	const struct config_timer *timer = core_leg_timer(c, leg->kept, leg->trunk);
	bool keep = learn_is_observed(c, leg->kept, leg->trunk, leg->agent) ||
		    timer->on_refresh_failure == CONFIG_ON_FAILURE_WARN;

	expire(c, leg->worker, event, leg, cause, keep);
	if (cause != CAUSE_REFRESH_DIALOG_GONE || leg->last_code == 408)
		learn_failed(c, leg->worker, event, leg, leg->last_code);
}

void release_max_duration(struct control *c, unsigned worker, const struct event *event)
{
	struct order order = {.type = ORDER_END_CALL,
			      .side = event->side,
			      .trunk = event->trunk,
			      .call = event->call,
			      .gen = event->gen};
	struct control_leg unknown = stranger(worker, event);

	core_log_leg(c, CONTROL_INFO, "release", &unknown, "end cause=%s",
		     cause_word(CAUSE_MAX_DURATION));
	order.end.cause = CAUSE_MAX_DURATION;
	order.end.by = BY_VERGE;
	order_end(c, worker, &order);
}

void control_end_call(struct control *c, unsigned worker, uint32_t call, uint32_t gen,
		      enum cause cause)
{
	struct order order = {.type = ORDER_END_CALL, .call = call, .gen = gen};

	order.end.cause = (uint8_t)cause;
	order.end.by = BY_VERGE;
	order_end(c, worker, &order);
}

void control_end_all(struct control *c, enum cause cause)
{
	struct order order = {.type = ORDER_END_ALL};

	order.end.cause = (uint8_t)cause;
	order.end.by = BY_VERGE;
	for (unsigned worker = 0; worker < c->workers; worker++)
		core_order(c, worker, &order);
}

void control_drain(struct control *c)
{
	struct order order = {.type = ORDER_DRAIN};

	for (unsigned worker = 0; worker < c->workers; worker++)
		core_order(c, worker, &order);
}
