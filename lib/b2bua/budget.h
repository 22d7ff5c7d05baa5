// SPDX-License-Identifier: BSD-3-Clause
// What each source may ask for in a second that is of no call: answers to OPTIONS and the like, and
// to messages that cannot be read (limits.options, limits.malformed). A flood of these costs a
// counter then, not an answer each. Thread: the owning worker.
#pragma once

#include "base/sip_buf.h"
#include "base/tick.h"

#define BUDGET_PLACES 1024

struct engine;

enum budget_kind { BUDGET_OPTIONS, BUDGET_MALFORMED, BUDGET_N };

// What the sources of one place have spent. Two that share a place share what they may.
struct budget {
	uint32_t second; // of the engine's clock, the lower bits
	uint32_t n[BUDGET_N];
};

// Whether the source of a flow has nothing left. The call logic finds out by itself; a shell that
// asks first saves the way there, and must drop the message then: it is counted for its trunk.
// False where the source belongs to no trunk.
bool budget_spent(struct engine *e, const struct flow *flow, enum budget_kind kind, tick_t now);

// --- for the engine

// The place of a source's address in engine.budgets.
uint16_t budget_place(const struct engine *e, const struct flow *flow);
// Take one of what a source may ask for in this second. False: it has spent it, or belongs to no
// trunk; the message is to be dropped, and is counted for its trunk.
bool budget_take(struct engine *e, const struct flow *flow, enum budget_kind kind);
