// SPDX-License-Identifier: BSD-3-Clause
// Shows control all calls, a few at a time, so that it sees peers that are late with their refresh
// (risk.c). Thread: control.
#pragma once

#include "control/control.h"

struct dataplane;

struct watch {
	tick_t due_tk;	 // when the next few are looked at,
	unsigned worker; // of which worker,
	uint32_t at;	 // from which index on
};

void watch_poll(struct watch *w, struct dataplane *dp, struct control *control, tick_t now);
