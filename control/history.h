// SPDX-License-Identifier: BSD-3-Clause
// What happened in the last hour, minute by minute, and how busy each worker is: for the page of
// the metrics listener. Takes differences of counters that exist anyway. Thread: control.
#pragma once

#include <stddef.h>

#include "control/control_view.h"

#define HISTORY_MINUTES 60
#define HISTORY_WORKERS 64

// Sums over all trunks.
struct history_totals {
	uint64_t calls;		  // answered
	uint64_t sent, received;  // refreshes that succeeded
	uint64_t failed;	  // refreshes that did not
	uint64_t expired;	  // session timers that ran out
	uint64_t causes[CAUSE_N]; // ended calls
};

struct history {
	tick_t load_tk, minute_tk;    // when the next sample is due; 0 before the first
	unsigned newest;	      // minutes[newest] goes on
	unsigned n;		      // minutes that there are, the newest included
	struct history_totals before; // at the start of the newest minute
	struct history_totals minutes[HISTORY_MINUTES];
	struct {
		uint64_t busy_us, idle_us; // at the last sample
		unsigned busy_pm;	   // of the time between the last two
	} loads[HISTORY_WORKERS];
};

// Take what is due. Cheap when nothing is.
void history_poll(struct history *h, const struct control_view *v, tick_t now);
tick_t history_next(const struct history *h);
// Bring the minute that goes on up to date.
void history_now(struct history *h, const struct control_view *v);
// age 0 is the minute that goes on; NULL: verge did not run then.
const struct history_totals *history_minute(const struct history *h, unsigned age);
// All that is remembered.
void history_sum(const struct history *h, struct history_totals *sum);
