// SPDX-License-Identifier: BSD-3-Clause
// What the call logic has produced leaves: messages for the wire, events and records for control.
// Thread: the worker.
#pragma once

#include "dataplane/worker.h"

void outbox_flush(struct worker *w);

// Make room before another input.
static inline void outbox_reserve(struct worker *w)
{
	if (engine_outbox_full(w->engine))
		outbox_flush(w);
}
