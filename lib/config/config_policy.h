// SPDX-License-Identifier: BSD-3-Clause
// The session timer of a trunk or profile as lib/session_timer takes it, and what comes of it with
// typical peers: the preview of `verge --check`. Any thread; pure.
#pragma once

#include "base/outbuf.h"
#include "config/config.h"
#include "session_timer/session_timer.h"

// Everything the configuration knows; what is learned about a trunk (learned_min_se_s, no_update,
// no_invite) is none of it and stays zero.
void config_policy(struct st_policy *policy, const struct config_timer *t);

// Refreshes a second that verge must send when each of so many legs has this interval, rounded up.
// What session_timer.budget is checked against.
uint64_t config_policy_refreshes(uint64_t legs, const struct config_timer *t, uint32_t interval_s);

// Text: for each profile that a trunk uses, and each trunk with session_timer keys of its own, what
// a leg negotiates with typical peers as UAS and as UAC; then every pair of such profiles in a
// call. Errors: -ENOSPC out is too small (a table takes about 4 KiB, a pair 200 bytes).
int config_policy_preview(struct outbuf *out, const struct config *c);
