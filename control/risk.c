// SPDX-License-Identifier: BSD-3-Clause
// Legs at risk: their refresh is due and has not succeeded. An alarm before the drop, not after it.
#include <string.h>

#include "b2bua/engine.h"
#include "control/core.h"

const uint32_t control_at_risk_le_s[CONTROL_AT_RISK_N] = {10, 30, 60, 300, 1800};

static void count(uint64_t counts[CONTROL_AT_RISK_N], tick_t deadline, tick_t now)
{
	for (unsigned i = 0; i < CONTROL_AT_RISK_N; i++)
		counts[i] += deadline <= now + TICK_S(control_at_risk_le_s[i]);
}

void control_at_risk(const struct control *c, unsigned trunk, tick_t now,
		     uint64_t counts[CONTROL_AT_RISK_N])
{
	const struct control_trunk *t = core_trunk(c, trunk);

	memset(counts, 0, CONTROL_AT_RISK_N * sizeof(*counts));
	if (t == NULL)
		return;
	memcpy(counts, t->late_peers, CONTROL_AT_RISK_N * sizeof(*counts));
	for (const struct control_leg *leg = t->due; leg != NULL; leg = leg->due_next)
		count(counts, leg->expiry_tk, now);
}

// Half the interval is when a refresh is due (RFC 4028 s7.2); a twentieth more is not late yet.
static void watch_leg(struct control *c, const struct leg_view *leg, tick_t now)
{
	struct control_trunk *t = core_trunk(c, leg->trunk);
	struct st_policy policy = refresh_policy(c, leg->trunk);
	struct st_leg st = {
		.expiry_tk = leg->expiry_tk, .se_s = leg->timer.se_s, .role = leg->timer.role};
	tick_t interval = TICK_S(leg->timer.se_s);

	if (t == NULL || leg->timer.role != ST_ROLE_REMOTE || interval == 0 ||
	    now < leg->last_refresh_ok_tk + interval / 2 + interval / 20)
		return;
	count(t->late_seen, st_deadline(&policy, &st), now);
}

void control_watch(struct control *c, const struct call_view *view, tick_t now)
{
	if (view->answer_tk == 0)
		return;
	for (unsigned side = SIDE_A; side <= SIDE_B; side++)
		watch_leg(c, &view->legs[side], now);
}

void control_watched(struct control *c)
{
	for (uint32_t i = 0; i < c->n_trunks; i++) {
		struct control_trunk *t = c->trunks[i];

		memcpy(t->late_peers, t->late_seen, sizeof(t->late_peers));
		memset(t->late_seen, 0, sizeof(t->late_seen));
	}
}
