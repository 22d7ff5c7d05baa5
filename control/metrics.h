// SPDX-License-Identifier: BSD-3-Clause
// The text of /metrics for Prometheus: every counter of lib/stat, of control and of the shell.
// Thread: control.
#pragma once

#include "control/body.h"
#include "control/history.h"

// What one scrape gets, all of one instant. NULL when out of memory.
struct body *metrics_body_new(const struct control_view *view, const struct history *history,
			      bool openmetrics);
