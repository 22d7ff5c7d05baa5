// SPDX-License-Identifier: BSD-3-Clause
// A peer's recorded message as the peer would have said it in the replay, where verge has other
// tags, Call-IDs, branches and CSeq numbers; and messages that a peer must have said though no
// capture has them. Pure. Outbufs that are full afterwards hold nothing of use.
#pragma once

#include "base/outbuf.h"
#include "sip/message.h"

struct rewrite {
	struct slice call_id;
	struct slice uri;  // SLICE_NONE: as recorded
	struct slice rack; // SLICE_NONE: as recorded
	// Tags of the SBC: those of the capture, and verge's in the same order.
	const struct slice *was, *is;
	uint32_t n_was, n_is;
};

void rewrite_request(struct outbuf *o, const struct sip_msg *m, const struct rewrite *w);
// A recorded answer to one request as the answer to another one.
void rewrite_response(struct outbuf *o, const struct sip_msg *m, const struct sip_msg *request);

// The ACK of an answer to the peer's INVITE. 2xx: to the Contact of the answer, with a branch of
// its own; else hop by hop (RFC 3261 s17.1.1.3).
void rewrite_ack(struct outbuf *o, const struct sip_msg *invite, const struct sip_msg *answer);

struct assumed {
	unsigned code;
	struct slice tag;     // of To where the request has none
	struct slice contact; // of the peer; SLICE_NONE
	bool timer;	      // agree to the request's Session-Expires
	struct slice sdp;     // SLICE_NONE
};
void rewrite_answer(struct outbuf *o, const struct sip_msg *request, const struct assumed *a);
