// SPDX-License-Identifier: BSD-3-Clause
// Session timer as UAC (RFC 4028 s7): what to put into INVITE and UPDATE, what a 2xx or a 422 to it
// means. Pure; the thread that owns the leg.
#include "session_timer/st_leg.h"

// ST-15, ST-35: in the INVITE that begins a leg we are the UAC.
static enum st_refresher st_offer_refresher(const struct st_policy *policy)
{
	switch ((enum st_prefer)policy->prefer) {
	case ST_PREFER_LOCAL:
	case ST_PREFER_UAC:
		return ST_REFRESHER_UAC;
	case ST_PREFER_REMOTE:
	case ST_PREFER_UAS:
		return ST_REFRESHER_UAS;
	case ST_PREFER_AUTO:
		break;
	}
	return ST_REFRESHER_NONE;
}

static void st_offer_initial(const struct st_policy *policy, const struct st_leg *leg,
			     unsigned flags, struct st_headers *h)
{
	uint32_t min_se = leg->min_se_s;

	if (!policy->insert && (flags & ST_OTHER_TIMER) == 0 && policy->mode != ST_MODE_REQUIRED)
		return;
	if (policy->learned_min_se_s <= st_own_max(policy))
		min_se = st_max(min_se, policy->learned_min_se_s);
	h->se_s = st_max(st_own_interval(policy), min_se); // ST-16
	h->min_se_s = min_se;
	h->refresher = (uint8_t)st_offer_refresher(policy);
}

static void st_offer_midcall(const struct st_policy *policy, const struct st_leg *leg,
			     struct st_headers *h)
{
	uint32_t se = leg->se_s;

	if (se == 0)
		return;
	if ((leg->flags & ST_LEG_SHORTENED) != 0)
		se = st_max(se, st_own_interval(policy));
	h->se_s = st_max(se, leg->min_se_s);						 // ST-33
	h->min_se_s = leg->min_se_s;							 // ST-32
	h->refresher = leg->role == ST_ROLE_LOCAL ? ST_REFRESHER_UAC : ST_REFRESHER_UAS; // ST-34
}

struct st_headers st_offer(const struct st_policy *policy, const struct st_leg *leg, unsigned flags)
{
	struct st_headers h = st_plain(policy, leg);

	h.flags = (uint8_t)flags;
	if (!h.supported)
		return h;
	h.require = policy->mode == ST_MODE_REQUIRED; // ST-12, ST-31
	if ((leg->flags & ST_LEG_NO_SE) != 0)
		return h;
	if ((flags & ST_INITIAL) != 0)
		st_offer_initial(policy, leg, flags, &h);
	else if ((leg->flags & ST_LEG_ESTABLISHED) != 0)
		st_offer_midcall(policy, leg, &h);
	return h;
}

struct st_headers st_offered(const struct st_seen *own, unsigned flags)
{
	return (struct st_headers){
		.se_s = own->has_se ? own->se_s : 0,
		.min_se_s = own->min_se_s,
		.refresher = own->refresher,
		.supported = own->supported,
		.require = own->required,
		.flags = (uint8_t)flags,
	};
}

// The 2xx has Session-Expires. False: it is not to be followed.
static bool st_follow(const struct st_policy *policy, const struct st_leg *leg,
		      const struct st_headers *offered)
{
	bool initial = (offered->flags & ST_INITIAL) != 0;

	if (offered->se_s != 0)
		return true;
	if (!initial && leg->se_s == 0 && !policy->midcall_activation)
		return false;
	return policy->unasked == ST_UNASKED_ACCEPT; // P3, ST-19
}

static void st_follow_2xx(const struct st_policy *policy, struct st_leg *leg,
			  const struct st_headers *offered, const struct st_seen *seen, tick_t now,
			  uint32_t jitter)
{
	// P4: nobody named: a double refresh is harmless, a missing one kills.
	enum st_role role =
		seen->refresher == ST_REFRESHER_UAS ? ST_ROLE_REMOTE : ST_ROLE_LOCAL; // ST-20
	uint32_t se = st_max(seen->se_s, ST_FLOOR_S);

	// Where we refresh, more often than asked for does no harm and finds a dead peer in time.
	// Where the peer does, its value has to be believed.
	if (role == ST_ROLE_LOCAL)
		se = st_min(se, st_max(st_own_max(policy), offered->se_s));
	if (leg->se_s != 0 && se < leg->se_s && (offered->flags & ST_INITIAL) == 0)
		leg->flags |= ST_LEG_SHORTENED;
	else if (se > leg->se_s)
		leg->flags &= (uint8_t)~ST_LEG_SHORTENED;
	if (offered->se_s == 0) {
		leg->flags |= ST_LEG_UNASKED;
		leg->by = ST_BY_PEER_UNASKED;
	} else {
		leg->flags &= (uint8_t)~ST_LEG_UNASKED;
		leg->by =
			seen->refresher == ST_REFRESHER_NONE ? ST_BY_PEER_UNNAMED : ST_BY_PEER_2XX;
	}
	st_start(policy, leg, se, role, now, jitter);
}

void st_accept(const struct st_policy *policy, struct st_leg *leg, const struct st_headers *offered,
	       const struct st_seen *seen, tick_t now, uint32_t jitter)
{
	bool initial = (offered->flags & ST_INITIAL) != 0;

	st_learn(leg, seen);
	if (initial)
		leg->flags |= ST_LEG_ESTABLISHED;
	if ((leg->flags & ST_LEG_ESTABLISHED) == 0)
		return; // of an early UPDATE (P29)
	leg->last_ok_tk = now;
	leg->tries_422 = 0;
	leg->flags &= (uint8_t)~ST_LEG_BOTH; // we had to refresh after all (P5)
	if (seen->has_se && st_follow(policy, leg, offered)) {
		st_follow_2xx(policy, leg, offered, seen, now, jitter);
		return;
	}
	if (!seen->has_se && policy->mode == ST_MODE_REQUIRED && offered->se_s != 0) {
		leg->by = ST_BY_OWN; // ST-21
		st_start(policy, leg, offered->se_s, ST_ROLE_LOCAL, now, jitter);
		return;
	}
	// Our 2xx to the peer's request that crossed this one said that we refresh, and the peer
	// may have read it last (ST-23). To go on does no harm; had it said that the peer does, it
	// might.
	if (!seen->has_se && (offered->flags & ST_CROSSED) != 0 && leg->role == ST_ROLE_LOCAL)
		return;
	st_stop(leg); // ST-22
	leg->by = seen->has_se ? ST_BY_UNASKED_IGNORED : ST_BY_PEER_SILENT;
	if (policy->mode == ST_MODE_OFF && !seen->has_se)
		leg->by = ST_BY_OFF;
}

enum st_retry st_after_422(const struct st_policy *policy, struct st_leg *leg,
			   const struct st_headers *offered, const struct st_seen *seen)
{
	bool usable = seen->min_se_s > offered->se_s && seen->min_se_s <= st_own_max(policy);

	st_learn(leg, seen);
	if (usable)
		st_learn_min_se(leg, seen->min_se_s);
	if (offered->se_s == 0 || leg->tries_422 >= policy->max_422)
		return ST_RETRY_GIVE_UP;
	leg->tries_422++;
	// The last try goes without a timer, so that a peer that raises its Min-SE for ever gets
	// its call.
	if (usable && (leg->tries_422 < policy->max_422 || policy->max_422 == 1))
		return ST_RETRY;
	if (policy->mode == ST_MODE_REQUIRED)
		return usable ? ST_RETRY : ST_RETRY_GIVE_UP;
	leg->flags |= ST_LEG_NO_SE;
	return ST_RETRY_WITHOUT;
}
