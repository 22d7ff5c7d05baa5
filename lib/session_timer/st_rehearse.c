// SPDX-License-Identifier: BSD-3-Clause
// The INVITE that begins a leg, played against a peer of known habits. Pure; any thread.
#include "session_timer/rehearse.h"

void st_rehearse_answer(struct st_rehearsal *r, const struct st_policy *policy,
			const struct st_seen *seen, unsigned flags, tick_t now)
{
	struct st_headers headers;
	unsigned refused;

	*r = (struct st_rehearsal){.invites = 1};
	refused = st_refuse(policy, &r->leg, seen, ST_INITIAL | flags, &headers);
	r->up = refused == 0;
	r->code = refused != 0 ? refused : 200;
	if (r->up)
		st_answer(policy, &r->leg, seen, ST_INITIAL | flags, now, 0);
	else if (refused == 422)
		r->min_se_s = headers.min_se_s;
}

// Only who is asked for a timer can find it too small, or refuse that it is required.
static unsigned answer_of(const struct st_peer *peer, const struct st_headers *offered)
{
	if (peer->code == 422 && (offered->se_s == 0 || offered->se_s >= peer->seen.min_se_s))
		return 200;
	return peer->code == 420 && !offered->require ? 200 : peer->code;
}

static struct st_seen answer_seen(const struct st_peer *peer, const struct st_headers *offered)
{
	struct st_seen seen = peer->seen;

	seen.min_se_s = 0;
	if (peer->echo) {
		seen.se_s = offered->se_s;
		seen.has_se = offered->se_s != 0;
		if (peer->most_s != 0 && peer->most_s < seen.se_s)
			seen.se_s = peer->most_s;
	}
	if (peer->confirms && offered->refresher != ST_REFRESHER_NONE)
		seen.refresher = offered->refresher;
	return seen;
}

void st_rehearse_offer(struct st_rehearsal *r, const struct st_policy *policy,
		       const struct st_peer *peer, unsigned flags, tick_t now)
{
	struct st_seen refusal = {.min_se_s = peer->seen.min_se_s}, seen;
	struct st_headers offered;

	*r = (struct st_rehearsal){.invites = 1, .leg = {.flags = ST_LEG_WE_INVITED}};
	offered = st_offer(policy, &r->leg, ST_INITIAL | flags);
	r->code = answer_of(peer, &offered);
	while (r->code == 422 &&
	       st_after_422(policy, &r->leg, &offered, &refusal) != ST_RETRY_GIVE_UP) {
		r->invites++;
		offered = st_offer(policy, &r->leg, ST_INITIAL | flags);
		r->code = answer_of(peer, &offered);
	}
	r->up = r->code == 200;
	if (!r->up)
		return;
	seen = answer_seen(peer, &offered);
	st_accept(policy, &r->leg, &offered, &seen, now, 0);
}
