// SPDX-License-Identifier: BSD-3-Clause
// The one clock of workers and control: CLOCK_MONOTONIC in microseconds. Read once a loop; through
// the vDSO it is no system call. The TSC by itself is not used: its rate as estimated at start is
// off by up to 0.2 %, seconds within a session timer, and it does not survive a live migration.
#pragma once

#include <time.h>

#include "base/tick.h"

// Any thread. About 30 ns.
static inline tick_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return TICK_S(t.tv_sec) + (tick_t)t.tv_nsec / 1000;
}
