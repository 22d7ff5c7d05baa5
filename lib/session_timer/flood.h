// SPDX-License-Identifier: BSD-3-Clause
// How often a peer may refresh its session (RFC 4028 s11; ST-78). Pure; the thread that owns the
// leg's timer.
#pragma once

#include "session_timer/session_timer.h"

// A refresh of the peer could be answered now: is it one too many (ST-78)? A peer may refresh once
// in max(10 s, interval / 10), and ST_FLOOD_BURST times at once. 0: answer it, it is counted. Else:
// 500, with this many seconds in Retry-After, never more than that interval, so that a peer that
// heeds it refreshes before its session ends.
#define ST_FLOOD_BURST 8
uint32_t st_admit(struct st_leg *leg, tick_t now);
// So many were refused in a row that the leg's refreshes get no transaction any more.
#define ST_FLOOD_DEMOTED 16
static inline bool st_is_demoted(const struct st_leg *leg)
{
	return leg->floods >= ST_FLOOD_DEMOTED;
}
