// SPDX-License-Identifier: BSD-3-Clause
// Loads that are begun before they are needed. Thread: the owning worker.
#pragma once

#include "b2bua/core.h"

// Of timers that are due: ids of the wheel.
void prefetch_due(struct engine *e, const uint32_t *due, unsigned n);
