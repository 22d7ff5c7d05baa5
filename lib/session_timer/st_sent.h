// SPDX-License-Identifier: BSD-3-Clause
// What a message rule made of a 2xx of ours (lib/b2bua/manipulate.c). Pure; the thread that owns
// the leg.
#pragma once

#include "session_timer/session_timer.h"

// Our 2xx went out with other timer headers than st_answer() said: the leg's interval and role are
// those that it says. True: something is different now.
bool st_sent(const struct st_policy *policy, struct st_leg *leg, const struct st_seen *sent,
	     tick_t now, uint32_t jitter);
