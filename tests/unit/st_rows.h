// SPDX-License-Identifier: BSD-3-Clause
// Words that the tables of the session timer tests are written in.
#pragma once

#include "session_timer/session_timer.h"

// A row gives the default profile and then what is different in it.
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

// A row of a table, written like a call so that it stays on a line or two.
#define ROW(...)            \
	{                   \
		__VA_ARGS__ \
	}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define POLICY                                                                                   \
	.interval_s = 1800, .min_interval_s = 90, .max_interval_s = 86400, .refresh_at_pm = 500, \
	.expiry_margin_s = 32, .max_422 = 3, .mode = ST_MODE_SUPPORTED, .insert = true,          \
	.midcall_activation = true

#define UAC	 ST_REFRESHER_UAC
#define UAS	 ST_REFRESHER_UAS
#define LOCAL	 ST_ROLE_LOCAL
#define REMOTE	 ST_ROLE_REMOTE
#define TIMER	 .supported = true
#define SE(n)	 .has_se = true, .se_s = (n)
#define MINSE(n) .min_se_s = (n)
