// SPDX-License-Identifier: BSD-3-Clause
// How fast refreshes leave: a token bucket a trunk (session_timer.budget), legs nearest to expiry
// first. Pacing never costs a call: a leg that can wait no longer goes beyond the budget, and that
// is counted.
#include "control/core.h"

// A leg is not kept waiting beyond this long before its deadline: enough for the retransmissions of
// a request over a path that loses half of its packets (0, .5, 1.5, 3.5, 7.5 s ...). Short
// intervals give half of what lies between refresh point and deadline.
#define RESERVE TICK_S(12)

// Storm guard: the most a trunk without a budget gets while it is on (core.c).
#define GUARD_RATE 500

// The bucket holds the tokens of this long, at least one.
#define BURST_NS 100000000ull

static uint32_t rate_of(const struct control *c, const struct control_trunk *trunk)
{
	uint32_t budget = core_timer_config(c, trunk->id)->budget;

	if (c->now < c->guard_until_tk && (budget == 0 || budget > GUARD_RATE))
		return GUARD_RATE;
	return budget;
}

// Time that a silent UPDATE takes (Timer F) and the re-INVITE after it wants.
#define LADDER TICK_S(40)

// Where a silent UPDATE would use up all the time there is, the re-INVITE takes its place half-way
// to the deadline (P8; short intervals: at SE 90 there are 15 s from the refresh point to the
// deadline).
static void hedge(struct control *c, struct control_leg *leg)
{
	const struct config_timer *timer = core_leg_timer(c, leg->kept, leg->trunk);
	tick_t left = leg->expiry_tk > c->now ? leg->expiry_tk - c->now : 0;

	if (leg->method != REFRESH_UPDATE || left >= LADDER || !leg->has_sdp ||
	    timer->method != CONFIG_REFRESH_METHOD_AUTO)
		return;
	// without memory for it the UPDATE is on its own
	(void)heap_put(&c->timers, &leg->timer.node, c->now + left / 2);
}

void pace_send(struct control *c, struct control_leg *leg)
{
	struct order order = {.type = ORDER_REFRESH,
			      .side = leg->side,
			      .trunk = leg->trunk,
			      .call = leg->call,
			      .gen = leg->gen};

	core_leg_stage(c, leg, LEG_IN_FLIGHT);
	leg->sent_tk = c->now;
	leg->was_sent = true;
	order.refresh.planned_tk = leg->planned_tk;
	order.refresh.method = leg->method;
	core_order(c, leg->worker, &order);
	hedge(c, leg);
}

// Virtual scheduling: pace_ns is when the bucket will be full again; a token is there unless that
// lies further ahead than the bucket holds.
static uint64_t depth_ns(uint64_t step)
{
	return step > BURST_NS ? step : BURST_NS - BURST_NS % step;
}

static bool take_token(struct control *c, struct control_trunk *trunk, uint32_t rate)
{
	uint64_t now_ns = c->now * 1000, step = 1000000000ull / rate;
	uint64_t from = trunk->pace_ns > now_ns ? trunk->pace_ns : now_ns;

	if (from + step > now_ns + depth_ns(step))
		return false;
	trunk->pace_ns = from + step;
	return true;
}

static tick_t next_token(const struct control *c, const struct control_trunk *trunk, uint32_t rate)
{
	uint64_t step = 1000000000ull / rate, depth = depth_ns(step);
	uint64_t at_ns = trunk->pace_ns + step > depth ? trunk->pace_ns + step - depth : 0;
	tick_t at = at_ns / 1000 + 1;

	return at > c->now ? at : c->now + 1;
}

static tick_t can_wait_until(const struct control_leg *leg)
{
	tick_t window = leg->expiry_tk > leg->planned_tk ? leg->expiry_tk - leg->planned_tk : 0;

	return leg->expiry_tk - (window / 2 < RESERVE ? window / 2 : RESERVE);
}

// Send what the bucket allows and what cannot wait; then wait for the earlier of the next two.
void pace_run(struct control *c, struct control_trunk *trunk)
{
	uint32_t rate = rate_of(c, trunk);
	struct heap_node *node;
	tick_t wake;

	while ((node = heap_top(&trunk->pace)) != NULL) {
		struct control_leg *leg = core_leg_of_pace(node);
		bool urgent = can_wait_until(leg) <= c->now;

		if (rate != 0 && !take_token(c, trunk, rate)) {
			if (!urgent)
				break;
			trunk->stats.pace_overruns++;
		}
		pace_send(c, leg);
	}
	heap_remove(&c->timers, &trunk->timer.node);
	if (node == NULL)
		return;
	wake = next_token(c, trunk, rate);
	if (can_wait_until(core_leg_of_pace(node)) < wake)
		wake = can_wait_until(core_leg_of_pace(node));
	if (heap_put(&c->timers, &trunk->timer.node, wake) != 0)
		pace_send(c, core_leg_of_pace(node));
}

void pace_submit(struct control *c, struct control_leg *leg)
{
	struct control_trunk *trunk = core_trunk(c, leg->trunk);
	uint32_t rate = rate_of(c, trunk);

	if (rate == 0 && trunk->pace.n == 0) {
		pace_send(c, leg);
		return;
	}
	if (trunk->pace.n == 0 && take_token(c, trunk, rate)) {
		pace_send(c, leg);
		return;
	}
	core_leg_stage(c, leg, LEG_PACED);
	trunk->stats.paced++;
	if (heap_put(&trunk->pace, &leg->pace, leg->expiry_tk) != 0) {
		pace_send(c, leg);
		return;
	}
	pace_run(c, trunk);
}
