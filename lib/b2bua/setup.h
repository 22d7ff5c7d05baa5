// SPDX-License-Identifier: BSD-3-Clause
// A call before its answer: the caller's INVITE, our own towards the callee, what comes of it. All
// functions that take an inbound return the verdict to count. Thread: the owning worker.
#pragma once

#include "b2bua/inbound.h"

unsigned setup_invite(struct engine *e, struct inbound *in);
// Try the next peer or trunk; false when none is left (call.cause says why).
bool setup_next(struct engine *e, uint32_t call);
// Send the egress INVITE again as the leg stands now (after 422 or a challenge); lines:
// credentials.
bool setup_send_invite(struct engine *e, uint32_t call, const struct sip_msg *invite,
		       struct slice lines);

// A trunk's limit of simultaneous calls, counted over all workers. False: it is reached.
bool gate_enter(struct engine *e, uint16_t trunk);
void gate_leave(struct engine *e, uint16_t trunk);

unsigned refuse_unsupported(struct engine *e, struct inbound *in);

// The egress INVITE (answer.c): its responses, silence, the caller's CANCEL, timers of set-up.
void setup_response(struct engine *e, struct txn *t, struct inbound *in);
void setup_timeout(struct engine *e, struct txn *t);
void setup_ring_timeout(struct engine *e, struct txn *t);
void setup_ack_timeout(struct engine *e, struct txn *t);
void setup_prack_timeout(struct engine *e, struct txn *t);
unsigned setup_cancel(struct engine *e, struct inbound *in, struct txn *invite);

// Provisional responses and early dialogs (early.c).
void early_response(struct engine *e, struct txn *t, struct inbound *in);
unsigned early_prack(struct engine *e, struct inbound *in);
// The early dialog that a response belongs to, made if it is new: 0 is the leg's own; NO_FORK: no
// room.
uint8_t early_fork_of(struct engine *e, uint32_t call, const struct inbound *in);
// Its text on the egress side.
struct leg_text *early_text(struct engine *e, uint32_t call, uint8_t fork);
