// SPDX-License-Identifier: BSD-3-Clause
// What the control core counts, for metrics.c and the CLI. Written by the control thread only.
// Rows of lib/stat that only control can decide (refreshes_*_sent_retry and _failed, glare,
// expired_*) are counted in a struct of lib/stat too, so that metrics.c adds control to the workers
// as if it were one more. No row is counted on both sides: trunk_stats.def says which.
#pragma once

#include "msg/msg.h"
#include "stat/stat.h"

#define CONTROL_AT_RISK_N 5

struct control_stats {
	uint64_t reloads_ok, reloads_failed;
	uint64_t events, records, orders;
	uint64_t stale_events; // about a refresh that control does not know
	uint64_t out_of[OUT_OF_TEXT + 1];
	uint64_t tagged[64];	 // calls ended, by tag of a rule (rules_label())
	uint64_t no_memory;	 // policy was skipped for lack of memory
	uint32_t legs_waiting;	 // refreshes that wait for budget or for a retry
	uint32_t legs_in_flight; // refreshes ordered whose end has not been told
	uint32_t legs_known;	 // legs that control remembers something about
};

struct control_trunk_stats {
	struct trunk_stats shared;
	uint64_t would_drop;	// expiries and failures that observe or warn let pass
	uint64_t paced;		// refreshes that waited for the budget
	uint64_t pace_overruns; // refreshes that could wait no longer and went beyond the budget
	uint64_t quarantines;	// how often the trunk's timers were quarantined
	uint64_t probes;	// calls of a quarantined trunk whose refresh was tried
	uint64_t causes[2][CAUSE_N]; // ended calls: [SIDE_A] that came from the trunk, [SIDE_B]
				     // that went to it
	uint64_t ping_failures;
	struct histogram rtt; // refreshes that verge sent, until their final answer; bounds RTT
};
