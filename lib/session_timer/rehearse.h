// SPDX-License-Identifier: BSD-3-Clause
// What a leg would negotiate with a peer of known habits: runs the functions that calls run, so it
// cannot say what does not happen. For the preview of `verge --check` and for `vergectl what-if`.
// Pure; any thread.
#pragma once

#include "session_timer/session_timer.h"

// How a peer answers the INVITE that begins a leg.
struct st_peer {
	unsigned code;	     // 200; 420: it refuses Require: timer; 422: below seen.min_se_s
	bool echo;	     // its 2xx has the interval that was offered, else seen.se_s
	bool confirms;	     // its 2xx names the refresher that was offered, where one was
	uint32_t most_s;     // an echoed interval is lowered to this; 0: never
	struct st_seen seen; // of its 2xx; min_se_s is the 422's
};

struct st_rehearsal {
	unsigned code;	   // last answer
	unsigned invites;  // that it took; 1 where the peer is the caller
	uint32_t min_se_s; // verge's 422 has it; 0: there was none
	bool up;	   // a 2xx ended it
	struct st_leg leg; // as it stands then
};

// A peer calls verge. In: seen - of its INVITE; flags - ST_OTHER_TIMER or 0; now - not 0.
void st_rehearse_answer(struct st_rehearsal *r, const struct st_policy *policy,
			const struct st_seen *seen, unsigned flags, tick_t now);
// Verge calls a peer.
void st_rehearse_offer(struct st_rehearsal *r, const struct st_policy *policy,
		       const struct st_peer *peer, unsigned flags, tick_t now);
