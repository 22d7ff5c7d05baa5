// SPDX-License-Identifier: BSD-3-Clause
// One request or response while it is being handled: the values that routing it needs, read once.
// Slices point into the message; nothing here outlives the input.
#pragma once

#include "b2bua/core.h"

struct inbound {
	struct rx *rx;
	const struct sip_msg *msg; // = &rx->msg
	uint16_t trunk;		   // whose source it came from
	uint8_t method;		   // enum sip_method of the request, or of a response's CSeq
	struct sip_via via;	   // topmost
	struct slice call_id;
	struct slice from_tag, to_tag;
	struct sip_cseq cseq;
	uint32_t max_forwards;	 // 70 where the request has none
	struct flow reply;	 // where a response goes (RFC 3261 s18.2.2, RFC 3581)
	uint64_t key;		 // of the server transaction
	struct sip_buf *as_sent; // before rules changed it; NULL: they did not
	// of a request inside a dialog
	uint32_t call; // POOL_NONE = none
	uint8_t side;
	uint8_t fork;
};

// Read what every message must have. Returns 0 or the response code that says what is wrong (RFC
// 3261 s8.2, s16.3); 1 when not even an answer is possible.
unsigned inbound_read(struct engine *e, struct inbound *in, struct rx *rx, uint16_t trunk);

// The message before rules changed it; good until something else is indexed in e->scratch.
const struct sip_msg *inbound_as_sent(struct engine *e, const struct inbound *in);

// The dialog that a request with a To tag belongs to; sets call, side and fork. False: there is
// none.
bool inbound_find_dialog(struct engine *e, struct inbound *in);

// Answer without a transaction or a call (RFC 3261 s8.2.7). lines: more header lines.
unsigned reply_plain(struct engine *e, const struct inbound *in, uint16_t code, struct slice lines);
// The same with a reason phrase.
unsigned reply_reason(struct engine *e, const struct inbound *in, uint16_t code,
		      struct slice reason);
