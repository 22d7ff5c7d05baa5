// SPDX-License-Identifier: BSD-3-Clause
// When a leg is refreshed, when it is given up, and on which boundary a BYE of the peer falls
// (RFC 4028 s7.2, s10; INTEROP P2, P5).
// Pure; the thread that owns the leg.
#include "session_timer/st_leg.h"

#define ST_BOUNDARY_US TICK_S(2)

// share of the interval in microseconds, pm in thousandths; 2^32 s do not overflow
static tick_t st_share(uint32_t se_s, uint32_t pm)
{
	return TICK_MS(1) * se_s * pm;
}

static tick_t st_margin(uint32_t se_s, uint32_t margin_s)
{
	tick_t third = TICK_S(se_s) / 3;
	tick_t margin = TICK_S(margin_s);

	return margin < third ? margin : third;
}

tick_t st_refresh_point(const struct st_policy *policy, const struct st_leg *leg, tick_t from,
			uint32_t jitter)
{
	uint32_t at_pm = policy->refresh_at_pm < 500 ? policy->refresh_at_pm : 500;
	uint32_t jitter_pm = policy->jitter_pm;
	tick_t spread, at;

	if (at_pm == 0)
		at_pm = 1;
	if (jitter_pm > at_pm / 2)
		jitter_pm = at_pm / 2; // a refresh at once would be answered by another at once
	spread = (st_share(leg->se_s, jitter_pm) >> 16) * (jitter >> 16);
	at = st_share(leg->se_s, at_pm);
	// The peer refreshes too: leave it the first turn, but come before the deadline, which is
	// at two thirds of a short interval (P5).
	if ((leg->flags & ST_LEG_BOTH) != 0)
		at = (TICK_S(leg->se_s) / 2 + TICK_S(leg->se_s) -
		      st_margin(leg->se_s, policy->expiry_margin_s)) /
		     2;
	return from + at - spread;
}

tick_t st_deadline(const struct st_policy *policy, const struct st_leg *leg)
{
	if (leg->se_s == 0)
		return TICK_NEVER;
	return leg->expiry_tk - st_margin(leg->se_s, policy->expiry_margin_s);
}

tick_t st_next(const struct st_policy *policy, const struct st_leg *leg, bool refresh_pending)
{
	tick_t deadline = st_deadline(policy, leg);

	if (leg->role == ST_ROLE_LOCAL && !refresh_pending && leg->refresh_tk < deadline)
		return leg->refresh_tk;
	return deadline;
}

void st_start(const struct st_policy *policy, struct st_leg *leg, uint32_t se_s, enum st_role role,
	      tick_t now, uint32_t jitter)
{
	uint32_t was_se_s = leg->se_s;

	leg->se_s = se_s;
	st_flood_rescale(leg, was_se_s, now);
	leg->role = (uint8_t)role;
	leg->flags &= (uint8_t)~ST_LEG_NO_SE;
	if (role != ST_ROLE_LOCAL)
		leg->flags &= (uint8_t)~ST_LEG_BOTH;
	leg->expiry_tk = now + TICK_S(se_s);
	leg->refresh_tk =
		role == ST_ROLE_LOCAL ? st_refresh_point(policy, leg, now, jitter) : TICK_NEVER;
}

void st_stop(struct st_leg *leg)
{
	leg->se_s = 0;
	leg->role = ST_ROLE_NONE;
	leg->flags &= (uint8_t) ~(ST_LEG_BOTH | ST_LEG_SHORTENED | ST_LEG_UNASKED);
	leg->expiry_tk = TICK_NEVER;
	leg->refresh_tk = TICK_NEVER;
}

enum st_boundary st_peer_bye_boundary(const struct st_leg *leg, tick_t now)
{
	// At equal distance the first row wins: SE 90 has its margin at two thirds.
	const struct {
		enum st_boundary boundary;
		tick_t at;
	} rows[] = {
		{ST_BOUNDARY_MARGIN, TICK_S(leg->se_s) - st_margin(leg->se_s, ST_EXPIRY_MARGIN_S)},
		{ST_BOUNDARY_FULL, TICK_S(leg->se_s)},
		{ST_BOUNDARY_HALF, TICK_S(leg->se_s) / 2},
		{ST_BOUNDARY_TWO_THIRDS, TICK_S(leg->se_s) * 2 / 3},
	};
	enum st_boundary found = ST_BOUNDARY_NONE;
	tick_t nearest = ST_BOUNDARY_US + 1;
	tick_t passed;

	if (leg->se_s == 0 || now < leg->last_ok_tk)
		return ST_BOUNDARY_NONE;
	passed = now - leg->last_ok_tk;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tick_t off = passed > rows[i].at ? passed - rows[i].at : rows[i].at - passed;

		if (off < nearest) {
			nearest = off;
			found = rows[i].boundary;
		}
	}
	return found;
}

const char *st_by_word(enum st_by by)
{
	static const char *const words[] = {
#define ST_BY(id, word, sentence) word,
#include "session_timer/st_by.def"
	};

	return by < ST_BY_N ? words[by] : "?";
}

const char *st_by_sentence(enum st_by by)
{
	static const char *const sentences[] = {
#define ST_BY(id, word, sentence) sentence,
#include "session_timer/st_by.def"
	};

	return by < ST_BY_N ? sentences[by] : "?";
}

const char *st_boundary_word(enum st_boundary boundary)
{
	static const char *const words[] = {
		[ST_BOUNDARY_NONE] = "none",	     [ST_BOUNDARY_HALF] = "SE/2",
		[ST_BOUNDARY_TWO_THIRDS] = "SE*2/3", [ST_BOUNDARY_MARGIN] = "SE-min(32,SE/3)",
		[ST_BOUNDARY_FULL] = "SE",
	};

	return boundary < ST_BOUNDARY_N ? words[boundary] : "?";
}
