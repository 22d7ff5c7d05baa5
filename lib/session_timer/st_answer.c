// SPDX-License-Identifier: BSD-3-Clause
// Session timer as UAS (RFC 4028 s9, table 2): refuse a request, or choose interval and refresher
// of our 2xx. Pure; the thread that owns the leg.
#include "session_timer/st_leg.h"
#include "session_timer/st_sent.h"

void st_learn(struct st_leg *leg, const struct st_seen *seen)
{
	if (seen->supported || seen->required)
		leg->flags |= ST_LEG_PEER_TIMER;
	if (seen->has_allow) {
		leg->flags |= ST_LEG_PEER_ALLOW;
		leg->peer_allow = (uint16_t)seen->allow;
	}
}

static bool st_peer_has_timer(const struct st_seen *seen)
{
	return seen->supported || seen->required;
}

unsigned st_refuse(const struct st_policy *policy, struct st_leg *leg, const struct st_seen *seen,
		   unsigned flags, struct st_headers *headers)
{
	st_learn(leg, seen);
	st_learn_min_se(leg, seen->min_se_s);
	*headers = st_plain(policy, leg);
	if (!headers->supported)
		return seen->required ? 420 : 0; // ST-54
	if (policy->mode == ST_MODE_REQUIRED && (flags & ST_INITIAL) != 0 &&
	    !st_peer_has_timer(seen)) {
		headers->require = true;
		return 421;
	}
	// ST-55, ST-57: only a UAC that knows timers understands 422
	if (seen->has_se && seen->se_s < st_own_min(policy) && st_peer_has_timer(seen)) {
		headers->min_se_s = st_own_min(policy);
		return 422;
	}
	return 0;
}

// Is there to be a timer after this request, and if not, by which rule?
static bool st_wanted(const struct st_policy *policy, const struct st_leg *leg,
		      const struct st_seen *seen, unsigned flags, enum st_by *no)
{
	bool initial = (flags & ST_INITIAL) != 0;

	*no = ST_BY_DECLINED;
	if (policy->mode == ST_MODE_OFF && leg->se_s == 0) {
		*no = ST_BY_OFF;
		return false;
	}
	if (st_max(seen->min_se_s, seen->has_se ? 0 : leg->min_se_s) > st_own_max(policy)) {
		*no = ST_BY_MIN_SE_TOO_LARGE;
		return false;
	}
	if (initial)
		return seen->has_se || policy->insert || (flags & ST_OTHER_TIMER) != 0 ||
		       policy->mode == ST_MODE_REQUIRED;
	if (leg->se_s != 0)
		return true; // a request without Session-Expires does not end it (P17)
	return seen->has_se && policy->midcall_activation;
}

// ST-58, ST-59, ST-76, P7
static uint32_t st_answer_interval(const struct st_policy *policy, const struct st_leg *leg,
				   const struct st_seen *seen, bool initial)
{
	uint32_t floor = st_max(seen->min_se_s, ST_FLOOR_S);
	uint32_t current = initial ? 0 : leg->se_s;
	uint32_t se;

	if (!seen->has_se)
		return st_max(current != 0 ? current : st_own_interval(policy),
			      st_max(floor, leg->min_se_s));
	se = st_min(seen->se_s, st_own_interval(policy));
	// Who does not know timers does not run one by the value that it wrote: raising it harms
	// nobody.
	if (!st_peer_has_timer(seen))
		se = st_max(se, st_max(st_own_min(policy), current));
	return st_max(se, floor);
}

static enum st_role st_preferred(const struct st_policy *policy, const struct st_leg *leg,
				 bool asked)
{
	bool we_invited = (leg->flags & ST_LEG_WE_INVITED) != 0;

	switch ((enum st_prefer)policy->prefer) {
	case ST_PREFER_LOCAL:
		return ST_ROLE_LOCAL;
	case ST_PREFER_REMOTE:
		return ST_ROLE_REMOTE;
	case ST_PREFER_UAC:
		return we_invited ? ST_ROLE_LOCAL : ST_ROLE_REMOTE;
	case ST_PREFER_UAS:
		return we_invited ? ST_ROLE_REMOTE : ST_ROLE_LOCAL;
	case ST_PREFER_AUTO:
		break;
	}
	// A peer that did not ask may overlook what it was given: then only our own refreshes keep
	// the call.
	return asked ? ST_ROLE_REMOTE : ST_ROLE_LOCAL;
}

// Table 2, the role being of this transaction: the peer is the UAC.
static enum st_role st_answer_role(const struct st_policy *policy, const struct st_leg *leg,
				   const struct st_seen *seen, bool initial, enum st_by *by)
{
	if (!st_peer_has_timer(seen)) {
		*by = seen->has_se ? ST_BY_NO_SUPPORT : ST_BY_INSERTED;
		return ST_ROLE_LOCAL; // also with a refresher parameter, which "cannot happen"
	}
	if (seen->has_se && seen->refresher != ST_REFRESHER_NONE) {
		*by = ST_BY_REQUEST;
		return seen->refresher == ST_REFRESHER_UAC ? ST_ROLE_REMOTE : ST_ROLE_LOCAL;
	}
	if (!initial && leg->role != ST_ROLE_NONE) {
		*by = ST_BY_KEPT;
		return (enum st_role)leg->role;
	}
	*by = seen->has_se ? ST_BY_CHOICE : ST_BY_INSERTED;
	return st_preferred(policy, leg, seen->has_se);
}

// The peer refreshes although we are the refresher: it reads uac/uas per dialog, or knows no roles
// (P5, P35). If it did not take the role by its request, we let it go on and only watch.
static void st_note_flip(struct st_leg *leg, const struct st_seen *seen, unsigned flags,
			 enum st_role role)
{
	if ((flags & ST_REFRESH_ONLY) == 0 || leg->role != ST_ROLE_LOCAL || !seen->has_se ||
	    !st_peer_has_timer(seen))
		return;
	if (leg->flips != UINT8_MAX)
		leg->flips++;
	if (role == ST_ROLE_LOCAL)
		leg->flags |= ST_LEG_BOTH;
}

struct st_headers st_answer(const struct st_policy *policy, struct st_leg *leg,
			    const struct st_seen *seen, unsigned flags, tick_t now, uint32_t jitter)
{
	bool initial = (flags & ST_INITIAL) != 0;
	struct st_headers h;
	enum st_role role;
	enum st_by by;
	uint32_t se;

	st_learn(leg, seen);
	st_learn_min_se(leg, seen->min_se_s);
	if (initial)
		leg->flags |= ST_LEG_ESTABLISHED;
	if ((leg->flags & ST_LEG_ESTABLISHED) == 0)
		return st_plain(policy, leg); // an early UPDATE starts no session (P29)
	leg->last_ok_tk = now;
	leg->tries_422 = 0;
	if (!st_wanted(policy, leg, seen, flags, &by)) {
		st_stop(leg);
		leg->by = (uint8_t)by;
		return st_plain(policy, leg);
	}
	se = st_answer_interval(policy, leg, seen, initial);
	role = st_answer_role(policy, leg, seen, initial, &by);
	if (!initial && leg->se_s != 0) {
		st_note_flip(leg, seen, flags, role);
		if (se < leg->se_s)
			leg->flags |= ST_LEG_SHORTENED; // our next offer goes back up (ST-76)
		else if (se > leg->se_s)
			leg->flags &= (uint8_t)~ST_LEG_SHORTENED;
	}
	leg->by = (uint8_t)by;
	st_start(policy, leg, se, role, now, jitter);
	h = st_plain(policy, leg);
	h.se_s = se;
	h.refresher = role == ST_ROLE_LOCAL ? ST_REFRESHER_UAS : ST_REFRESHER_UAC; // ST-61
	h.require = st_peer_has_timer(seen); // ST-63, ST-64, ST-65
	return h;
}

bool st_sent(const struct st_policy *policy, struct st_leg *leg, const struct st_seen *sent,
	     tick_t now, uint32_t jitter)
{
	// we are the UAS; a 2xx that names nobody leaves it to the UAC (RFC 4028 s9)
	enum st_role role = sent->refresher == ST_REFRESHER_UAS ? ST_ROLE_LOCAL : ST_ROLE_REMOTE;
	uint32_t se = sent->has_se ? st_max(sent->se_s, ST_FLOOR_S) : 0;

	if ((leg->flags & ST_LEG_ESTABLISHED) == 0)
		return false;
	if (leg->se_s == se && (se == 0 || leg->role == role))
		return false;
	if (se == 0)
		st_stop(leg);
	else
		st_start(policy, leg, se, role, now, jitter);
	leg->by = ST_BY_RULE;
	return true;
}
