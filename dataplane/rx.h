// SPDX-License-Identifier: BSD-3-Clause
// Frames from a queue of a device. Thread: the worker that owns the queue.
#pragma once

#include "dataplane/worker.h"

// Fill the burst; returns how many frames there were.
uint32_t rx_poll(struct worker *w, const struct rx_queue *q, struct burst *b);
