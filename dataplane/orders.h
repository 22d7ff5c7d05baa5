// SPDX-License-Identifier: BSD-3-Clause
// Orders of control to the call logic. Thread: the worker.
#pragma once

#include "dataplane/worker.h"

void orders_run(struct worker *w);
