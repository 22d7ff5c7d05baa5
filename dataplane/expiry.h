// SPDX-License-Identifier: BSD-3-Clause
// Timers that are due. Thread: the worker.
#pragma once

#include "dataplane/worker.h"

#define EXPIRY_BUDGET 128 // timers in one round, so that packets are not starved

void expiry_run(struct worker *w);
