// SPDX-License-Identifier: BSD-3-Clause
// What control has learned about a trunk and workers heed on new calls, and the gates that count a
// trunk's calls over all workers. One row a trunk id, in memory that outlives configuration
// reloads.
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

enum trunk_live_flag {
	TRUNK_LIVE_OBSERVE = 1,	  // session timers quarantined: behave as mode observe
	TRUNK_LIVE_NO_UPDATE = 2, // refresh by re-INVITE at once
	TRUNK_LIVE_NO_INVITE = 4, // refresh by UPDATE only
};

#define TRUNK_LIVE_WINDOWS 4

struct trunk_live {
	// W: control, R: workers; relaxed: each word stands alone and may be late
	alignas(64) _Atomic uint32_t flags; // enum trunk_live_flag
	_Atomic uint32_t min_se_s;	    // learned from 422: offer at least this; 0 = nothing
	// of a quarantined trunk, one new call in this many runs timers; 0 = none
	_Atomic uint32_t probe_one_in;
	_Atomic uint64_t peers_down; // bit i: peer i of the trunk fails its pings
	// W: every worker by fetch_add on new calls only, R: workers, control; relaxed: counters
	alignas(64) _Atomic int32_t calls; // in progress on this trunk, both directions
	_Atomic uint32_t observed;	   // calls begun in quarantine: one in k is a probe
	_Atomic uint64_t window[TRUNK_LIVE_WINDOWS]; // second << 32 | INVITEs let in during it
};
