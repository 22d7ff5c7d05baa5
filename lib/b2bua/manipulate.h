// SPDX-License-Identifier: BSD-3-Clause
// Where message rules (lib/rules) meet the call: those of a trunk's list `in` before the call logic
// sees a message, those of `out` after it has composed one; and what they say of a leg's timer, so
// that text and state agree. Thread: the owning worker.
#pragma once

#include "b2bua/txn.h"

// What rules have said of a leg; in leg.flags beside enum leg_flag.
enum leg_rule {
	LEG_NO_TIMER = 512,   // no timer is offered, answered or kept
	LEG_DISARMED = 1024,  // what is negotiated is neither refreshed nor ended by us
	LEG_NO_UPDATE = 2048, // no UPDATE of ours
	LEG_LOCAL = 4096,     // we are to refresh
	LEG_REMOTE = 8192,    // the peer is
};

// Rules on what arrived: in->msg is then what they left. t: the transaction of a response.
// VERDICT_NONE: go on; otherwise the message was answered or dropped.
unsigned manipulate_in(struct engine *e, struct inbound *in, const struct txn *t);
// The message is handled: the shell gets its own buffer back.
void manipulate_end(struct engine *e, struct rx *rx);
// What rules said about the call of a new INVITE, once there is a call.
void manipulate_begin(struct engine *e, uint32_t call);
// Leg flags that rules gave to the message being handled.
uint16_t manipulate_flags(const struct engine *e);

// Rules on a message of ours; the caller's reference on b passes to the result. The timer that a
// request offers, or a 2xx sets, becomes what the message says in the end.
struct sip_buf *manipulate_request(struct engine *e, struct txn *t, struct sip_buf *b,
				   bool has_timer);
struct sip_buf *manipulate_response(struct engine *e, const struct txn *t, struct sip_buf *b,
				    bool has_timer);
// Of a message that belongs to no call.
struct sip_buf *manipulate_plain(struct engine *e, struct sip_buf *b, uint16_t trunk);
