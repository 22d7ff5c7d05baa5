// SPDX-License-Identifier: BSD-3-Clause
// What the files of this folder share about a leg's timer; nobody else includes this.
#pragma once

#include "session_timer/session_timer.h"

static inline uint32_t st_max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline uint32_t st_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

// What we accept at least and propose, whatever a profile says (ST-03).
static inline uint32_t st_own_min(const struct st_policy *p)
{
	return st_max(p->min_interval_s, ST_FLOOR_S);
}

static inline uint32_t st_own_interval(const struct st_policy *p)
{
	return st_max(p->interval_s, st_own_min(p));
}

// The largest Min-SE that we go along with.
static inline uint32_t st_own_max(const struct st_policy *p)
{
	return st_max(p->max_interval_s, st_own_interval(p));
}

// Remember the Min-SE of a request or 422 (ST-30, ST-32).
static inline void st_learn_min_se(struct st_leg *leg, uint32_t min_se_s)
{
	leg->min_se_s = st_max(leg->min_se_s, min_se_s);
}

// The interval was another until now: so many refreshes as were taken count on.
void st_flood_rescale(struct st_leg *leg, uint32_t was_se_s, tick_t now);

// The session's interval begins at now.
void st_start(const struct st_policy *policy, struct st_leg *leg, uint32_t se_s, enum st_role role,
	      tick_t now, uint32_t jitter);
