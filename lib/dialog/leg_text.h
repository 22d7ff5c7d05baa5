// SPDX-License-Identifier: BSD-3-Clause
// The variable text of one leg's dialog as one immutable block (RFC 3261 s12).
// A change makes a new block and retires the old one, so that other threads may read a block while
// the owner goes on. Only `refs` is ever written after the block was built, by the owning worker
// alone.
#pragma once

#include "base/slice.h"

// LEG_TEXT parts in the order in which they lie in the block.
enum leg_text_part {
	LEG_TEXT_CALL_ID,    // Call-ID of the dialog
	LEG_TEXT_LOCAL,	     // our From/To value without tag: name-addr or addr-spec in <>
	LEG_TEXT_LOCAL_TAG,  // our tag
	LEG_TEXT_REMOTE,     // the peer's From/To value without tag
	LEG_TEXT_REMOTE_TAG, // the peer's tag; empty in an early dialog without one, or RFC 2543
			     // peers
	LEG_TEXT_TARGET,     // remote target URI (s12.2.1.1)
	LEG_TEXT_ROUTES,     // "Route: ...\r\n" lines of the route set in the order of requests
	LEG_TEXT_SDP_TYPE,   // Content-Type of the body below; empty = application/sdp
	LEG_TEXT_SDP,	     // the body last agreed on, as the peer sent it
	LEG_TEXT_CHALLENGE,  // 'W' or 'P' (which header), then the challenge answered last
	LEG_TEXT_N
};

struct leg_text {
	uint32_t size;		  // bytes of the whole block
	uint16_t refs;		  // W, R: owning worker: the leg, transactions and forks
	uint16_t end[LEG_TEXT_N]; // offset in bytes[] where each part ends
	uint8_t bytes[];
};

struct leg_text_parts {
	struct slice part[LEG_TEXT_N];
};

// Bytes of the block that these parts make; 0 if they do not fit in one (64 KiB).
uint32_t leg_text_size(const struct leg_text_parts *parts);

// Build the block in mem, which has leg_text_size() bytes; refs = 1. Parts may point into another
// block.
struct leg_text *leg_text_build(void *mem, const struct leg_text_parts *parts);

static inline struct slice leg_text_part(const struct leg_text *t, enum leg_text_part part)
{
	uint16_t begin = part != 0 ? t->end[part - 1] : 0;

	return slice_of(t->bytes + begin, t->end[part] - begin);
}

// All parts of a block, to change some of them and build the next one.
void leg_text_read(const struct leg_text *t, struct leg_text_parts *parts);
