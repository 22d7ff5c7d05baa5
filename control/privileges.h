// SPDX-License-Identifier: BSD-3-Clause
// What the process may do: everything while ports and memory are opened, next to nothing after.
// Thread: the main one.
#pragma once

#include <pwd.h>

#include "config/config.h"
#include "control/log.h"

// Before any thread is started: no program that this one starts can gain rights.
void privileges_at_start(void);

// Become this user, with all threads, without capabilities. Where a port is AF_XDP the calling
// thread keeps CAP_NET_ADMIN aside, not in effect: without it the program of AF_XDP would stay at
// the interface after the stop. user NULL: nothing happens. Errors: -errno, logged.
int privileges_drop(const struct passwd *user, const struct config *config, struct log *log);

// Before the ports are closed: put into effect what was kept aside.
void privileges_for_stop(void);

// After a start that failed: a log line with what an ordinary user lacks. Nothing for root.
void privileges_explain(struct log *log);
