// SPDX-License-Identifier: BSD-3-Clause
// What systemd is told: ready, alive, stopping (sd_notify(3), "Notes": one datagram of
// VARIABLE=value lines to $NOTIFY_SOCKET; sd_watchdog_enabled(3)). Thread: the main one. Without
// these variables in the environment nothing is sent.
#pragma once

#include <stdbool.h>

#include "base/tick.h"
#include "stat/stat.h"

#define NOTIFY_WORKERS 64

struct notify {
	tick_t every, due; // how often workers are looked at, when next
	bool fed;	   // somebody waits for WATCHDOG=1
	struct {
		uint64_t time;	 // busy and idle time at the last look
		tick_t moved_tk; // the last look that found it moved
	} looked[NOTIFY_WORKERS];
	int still; // the first worker that stood still at the last look; -1: none
};

void notify_init(struct notify *n);
// state as in sd_notify(3); several lines are separated by \n.
void notify_send(const char *state);
// Look at the workers when it is time, and tell the watchdog if all go round. A worker whose clock
// has not moved since the last look, or a control thread that does not come here, is not told of,
// and systemd ends the process after WatchdogSec; without systemd workers are looked at as its unit
// has it. Returns the first worker that stands still the first time that it is seen so, otherwise
// -1.
int notify_alive(struct notify *n, const struct worker_stats *const *workers, unsigned n_workers,
		 uint64_t calls, tick_t now);
// The worker that stood still at the last look, -1 if none did; *for_us is since when at least.
int notify_still(const struct notify *n, tick_t now, tick_t *for_us);
