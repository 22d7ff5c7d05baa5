// SPDX-License-Identifier: BSD-3-Clause
// Copies of messages on their way from a worker to control: for traces, HEP and the evidence of
// calls. The head is followed by the message's bytes.
#pragma once

#include <assert.h>

#include "base/sip_buf.h"
#include "base/tick.h"

// Who wants a copy.
enum tap {
	TAP_TRACE = 1,	  // `vergectl trace`
	TAP_HEP = 2,	  // the collector of section hep
	TAP_EVIDENCE = 4, // last messages of each leg
	TAP_SAMPLE = 8,	  // what shows a peer's departure from an RFC, for the trunk's report
};

// What a message belongs to: call UINT32_MAX is none.
struct msg_about {
	uint32_t call, gen;
	uint16_t trunk; // whose peer sent it or gets it
	uint8_t side;	// SIDE_A, SIDE_B
};

struct tap_head {
	tick_t at;
	struct msg_about about;
	struct flow flow;    // local = verge, peer = the other end
	uint16_t len;	     // bytes that follow
	uint8_t taps;	     // enum tap bits
	uint8_t verdict : 7; // enum verdict of a received message
	uint8_t out : 1;     // verge sent it
	uint16_t shows : 15; // TAP_SAMPLE: a bit for each enum violation
	uint16_t cut : 1;    // TAP_SAMPLE: the message was longer
};
static_assert(sizeof(struct tap_head) <= 64, "the head is one slot of the ring");
