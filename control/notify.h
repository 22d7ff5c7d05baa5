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
	tick_t every, due;		 // watchdog; every 0: none is wanted
	uint64_t looked[NOTIFY_WORKERS]; // busy and idle time of each worker at the last look
	bool silent;			 // a worker stands still: said so
};

void notify_init(struct notify *n);
// state as in sd_notify(3); several lines are separated by \n.
void notify_send(const char *state);
// Tell the watchdog that all workers go round; nothing before it is time. A worker whose clock has
// not moved since the last look, or a control thread that does not come here, is not told of, and
// systemd ends the process after WatchdogSec. Returns the first worker that stands still the first
// time that it is seen so, otherwise -1.
int notify_alive(struct notify *n, const struct worker_stats *const *workers, unsigned n_workers,
		 uint64_t calls, tick_t now);
