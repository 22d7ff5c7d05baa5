// SPDX-License-Identifier: BSD-3-Clause
// Metrics of message rules; nothing where there are none. Thread: control.
#pragma once

#include "control/control_view.h"

void metrics_rules(struct prometheus_writer *w, const struct control *core);
