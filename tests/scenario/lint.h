// SPDX-License-Identifier: BSD-3-Clause
// What must hold for each message that verge sends, whatever the case is about.
// One thread of a test program. Independent of lib/; judges by what the peer can see.
#pragma once

#include "peer.h"

// Rules that a case may lift by `allow RULE`: for peers that do what makes verge look wrong.
enum lint_rule {
	LINT_TIMER_TAG = 1, // Supported: timer in each request (the profile's mode is off)
	LINT_LEAK = 2,	    // nothing of the other leg in the header
	LINT_CSEQ = 4,	    // numbers rise
	LINT_INVITE = 8,    // one INVITE at a time
	LINT_STRAY = 16,    // responses to requests that were sent
	LINT_INTERVAL = 32, // Session-Expires of answers within what was asked
	LINT_EDITED = 128,  // answers are as the RFC has them (rules may edit them)
	LINT_UPDATE = 64,   // Allow lists UPDATE (a rule may hide it)
};

struct lint {
	struct arena *arena;
	struct peer *const *peers;
	const int *n_peers;
	unsigned allowed; // enum lint_rule
};

// A message on its way to `to` (before loss, before the peer has seen it).
// NULL, or what is wrong with it and which requirement says so.
const char *lint_message(const struct lint *l, struct peer *to, const struct flow *flow,
			 const struct wire *w, tick_t now);
