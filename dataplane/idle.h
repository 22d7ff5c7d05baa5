// SPDX-License-Identifier: BSD-3-Clause
// What a worker does when a round found nothing. busy: polls again. adaptive: sleeps, for as long
// as the traffic lets it: a wake-up costs some 10 us of CPU, so one that finds a single burst makes
// the next sleep longer, one that finds several makes it shorter. A packet waits half a millisecond
// at most. These sleeps are the only system calls of a worker, and none is made while there is
// work. Thread: the worker.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/tick.h"

struct idle {
	bool busy;	   // never sleep
	uint32_t rounds;   // with work since the last sleep
	uint32_t sleep_us; // the next sleep
	tick_t since;	   // when the last round with work was
};

// Once per thread, by itself: lets it sleep as short as it asks for.
void idle_init(struct idle *i, bool busy);

// After a round. next: when a timer is due.
void idle_round(struct idle *i, bool had_work, tick_t now, tick_t next);
