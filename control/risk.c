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

// A place in the list, nearest end first; NULL: the leg is not among the nearest.
static struct control_risk *risk_place(struct core_round *r, tick_t deadline)
{
	unsigned at = r->n_risks;

	while (at != 0 && r->risks[at - 1].deadline_tk > deadline)
		at--;
	if (at == CONTROL_RISKS)
		return NULL;
	if (r->n_risks < CONTROL_RISKS)
		r->n_risks++;
	memmove(&r->risks[at + 1], &r->risks[at], (r->n_risks - at - 1) * sizeof(r->risks[0]));
	return &r->risks[at];
}

static void keep_risk(struct control *c, const struct leg_view *leg, unsigned side, tick_t deadline)
{
	struct control_risk *risk = risk_place(&c->seen, deadline);

	if (risk == NULL)
		return;
	*risk = (struct control_risk){
		.deadline_tk = deadline,
		.se_s = leg->timer.se_s,
		.trunk = leg->trunk,
		.side = (uint8_t)side,
		.role = leg->timer.role,
		.call_id_len = leg->call_id_len,
	};
	memcpy(risk->call_id, leg->call_id, leg->call_id_len);
}

static void count_due(struct control *c, bool local, tick_t at)
{
	tick_t minute = at > c->seen.from_tk ? (at - c->seen.from_tk) / TICK_S(60) : 0;

	if (minute < CORE_DUE_MINUTES)
		(local ? c->seen.local : c->seen.remote)[minute]++;
}

// Half the interval is when a refresh is due (RFC 4028 s7.2); a twentieth more is not late yet.
bool control_is_overdue(const struct control *c, const struct leg_view *leg, tick_t now,
			tick_t *deadline_tk)
{
	struct st_policy policy = refresh_policy(c, leg->kept, leg->trunk);
	struct st_leg st = {
		.expiry_tk = leg->expiry_tk, .se_s = leg->timer.se_s, .role = leg->timer.role};
	tick_t interval = TICK_S(leg->timer.se_s);

	if (interval == 0 || leg->timer.role == ST_ROLE_NONE ||
	    now < leg->last_refresh_ok_tk + interval / 2 + interval / 20)
		return false;
	*deadline_tk = st_deadline(&policy, &st);
	return true;
}

static void watch_leg(struct control *c, const struct leg_view *leg, unsigned side, tick_t now)
{
	struct control_trunk *t = core_trunk(c, leg->trunk);
	bool remote = leg->timer.role == ST_ROLE_REMOTE;
	tick_t half = leg->last_refresh_ok_tk + TICK_S(leg->timer.se_s) / 2, deadline;

	if (t == NULL || leg->timer.se_s == 0 || leg->timer.role == ST_ROLE_NONE)
		return;
	count_due(c, !remote, remote ? half : leg->refresh_tk);
	if (!control_is_overdue(c, leg, now, &deadline))
		return;
	keep_risk(c, leg, side, deadline);
	if (remote)
		count(t->late_seen, deadline, now);
}

void control_watch(struct control *c, const struct call_view *view, tick_t now)
{
	if (c->seen.from_tk == 0)
		c->seen.from_tk = now;
	if (view->answer_tk == 0)
		return;
	for (unsigned side = SIDE_A; side <= SIDE_B; side++)
		watch_leg(c, &view->legs[side], side, now);
}

void control_watched(struct control *c)
{
	for (uint32_t i = 0; i < c->n_trunks; i++) {
		struct control_trunk *t = c->trunks[i];

		memcpy(t->late_peers, t->late_seen, sizeof(t->late_peers));
		memset(t->late_seen, 0, sizeof(t->late_seen));
	}
	c->last = c->seen;
	memset(&c->seen, 0, sizeof(c->seen));
}

void control_due(const struct control *c, tick_t now, struct control_due *due)
{
	const struct core_round *r = &c->last;
	tick_t passed = now > r->from_tk ? (now - r->from_tk) / TICK_S(60) : 0;

	memset(due, 0, sizeof(*due));
	for (unsigned i = 0; i < CORE_DUE_MINUTES && r->from_tk != 0; i++) {
		unsigned minute = i > passed ? i - (unsigned)passed : 0;

		if (minute >= CONTROL_DUE_MINUTES)
			break;
		due->local[minute] += r->local[i];
		due->remote[minute] += r->remote[i];
	}
}

unsigned control_risks(const struct control *c, const struct control_risk **list)
{
	*list = c->last.risks;
	return c->last.n_risks;
}
