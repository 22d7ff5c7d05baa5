// SPDX-License-Identifier: BSD-3-Clause
// A capture through the real engine and the real policy in virtual time. What the peers asked is
// said again at its time; what they answered is said again to what verge asks, matched by
// transaction. One thread.
#pragma once

#include "control/replay/roles.h"
#include "control/replay/telling.h"

struct played_call {
	struct slice call_id;		     // of the caller
	struct recorded *leg[TELLING_LANES]; // what played its peers; NULL = nothing
	struct telling is;		     // what verge did
	struct telling was;		     // what the capture shows
	char *cdr;			     // NULL: it had not ended
	struct slice from, to;		     // users
};

struct played {
	struct region *region;
	struct played_call **call; // in the order of their INVITEs
	uint32_t n;
	uint64_t played, assumed; // messages of peers
	uint64_t pings;		  // OPTIONS of verge, answered
	uint64_t skipped[SKIP_N];
	uint64_t *verdicts;	 // [VERDICT_N]
	uint32_t legs_unclaimed; // legs of the SBC in the capture that verge did not build
	char error[256];	 // verge did what it must not; "" = it did not
};

struct play_options {
	uint64_t until_us; // how long the replay goes on after the last message
	bool silent;	   // peers say nothing that is not in the capture
};

// The configuration is the play's from now on. Errors: -1 with the reason in out->error.
int play(struct played *out, struct roles *r, struct config *config, const struct play_options *o);
