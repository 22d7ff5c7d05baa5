// SPDX-License-Identifier: BSD-3-Clause
// How often a peer may refresh its session (RFC 4028 s11; ST-78): a refresh costs its sender one
// small packet and us an answer, a timer and an event. The allowance is a leaky bucket by virtual
// scheduling (ITU-T I.371). Only refreshes that were answered fill it: what glare, a refused method
// or a lost answer makes a peer repeat is free. Pure; the thread that owns the leg.
#include "session_timer/flood.h"
#include "session_timer/st_leg.h"

#define ST_FLOOD_LEAST_US TICK_S(10)

// One refresh in so long is always in order.
static tick_t st_flood_interval(const struct st_leg *leg)
{
	tick_t tenth = TICK_S(leg->se_s) / 10;

	return tenth > ST_FLOOD_LEAST_US ? tenth : ST_FLOOD_LEAST_US;
}

void st_flood_rescale(struct st_leg *leg, uint32_t was_se_s, tick_t now)
{
	const struct st_leg was = {.se_s = was_se_s};

	if (leg->allowance_tk > now && leg->se_s != was_se_s)
		leg->allowance_tk = now + (leg->allowance_tk - now) / st_flood_interval(&was) *
						  st_flood_interval(leg);
}

uint32_t st_admit(struct st_leg *leg, tick_t now)
{
	tick_t interval = st_flood_interval(leg), most = now + ST_FLOOD_BURST * interval;
	tick_t used = leg->allowance_tk > now ? leg->allowance_tk : now;

	if (used > most)
		used = most;
	leg->allowance_tk = used;
	if (used + interval > most) {
		if (leg->floods != UINT8_MAX)
			leg->floods++;
		return (uint32_t)((used + interval - most + TICK_S(1) - 1) / TICK_S(1));
	}
	leg->floods = 0;
	leg->allowance_tk = used + interval;
	return 0;
}
