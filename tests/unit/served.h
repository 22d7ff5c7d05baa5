// SPDX-License-Identifier: BSD-3-Clause
// A shell of control for the tests of what it serves: the real core over a configuration of three
// trunks, and calls that are just written down. One thread.
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_view.h"
#include "stat/verdict.h"

#define SERVED_CALLS 2000

struct served {
	struct control_view view;
	struct config *config;
	tick_t now;
	const char *trouble; // NULL: all is well
	unsigned reloads, published, orders;
	int reload_rc;
	struct worker_stats workers[2];
	const struct worker_stats *worker_list[2];
	uint64_t verdicts[2][VERDICT_N];
	const uint64_t *verdict_list[2];
	uint16_t cpus[2];
	struct trunk_live live[CONFIG_MAX_TRUNKS];
	struct trunk_stats trunks[2][8];
	struct call_view calls[2][SERVED_CALLS]; // start_tk 0: free
	struct order last_order;
	char level[16];
};
extern struct served served;

// Time is at 1,000,000 s; one call exists, on worker 1 at index 7, with the Call-IDs a@client and
// b-leg.
void served_start(void);
void served_stop(void);

// A call that was answered 500 s ago, whose A leg the peer refreshes and whose B leg verge
// refreshes.
void served_put_call(unsigned worker, uint32_t index, const char *a_id, const char *b_id);
