// SPDX-License-Identifier: BSD-3-Clause
// What a worker does when there is nothing to do. See idle.h.
#include "dataplane/idle.h"

#include <sys/prctl.h>
#include <time.h>

#include <rte_pause.h>

#define IDLE_SHORT_US 50 // the shortest sleep; before it the worker polls for IDLE_SPIN_US
#define IDLE_SPIN_US  20
#define IDLE_LONG_US  700 // the longest
#define IDLE_MANY     3	  // rounds with work between two sleeps that make the next one shorter

void idle_init(struct idle *i, bool busy)
{
	*i = (struct idle){.busy = busy, .sleep_us = IDLE_SHORT_US};
	prctl(PR_SET_TIMERSLACK, 1000UL); // the default of 50 us would be added to every sleep
}

static void sleep_us(tick_t us)
{
	const struct timespec t = {.tv_nsec = (long)us * 1000};

	nanosleep(&t, NULL);
}

// The next sleep by what came after the last one.
static void adapt(struct idle *i)
{
	if (i->rounds >= IDLE_MANY)
		i->sleep_us = i->sleep_us / 2 > IDLE_SHORT_US ? i->sleep_us / 2 : IDLE_SHORT_US;
	else
		i->sleep_us = i->sleep_us * 2 < IDLE_LONG_US ? i->sleep_us * 2 : IDLE_LONG_US;
	i->rounds = 0;
}

void idle_round(struct idle *i, bool had_work, tick_t now, tick_t next)
{
	if (had_work) {
		i->rounds++;
		i->since = now;
		return;
	}
	if (i->busy || next <= now ||
	    (i->sleep_us == IDLE_SHORT_US && now - i->since < IDLE_SPIN_US)) {
		rte_pause();
		return;
	}
	adapt(i);
	// A timer may be late by a part of the sleep: waking for each would cost more than it is
	// worth.
	sleep_us(next - now < i->sleep_us ? (next - now + i->sleep_us) / 2 : i->sleep_us);
}
