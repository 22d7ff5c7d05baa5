// SPDX-License-Identifier: BSD-3-Clause
// Messages of a leg. Thread: the owning worker. A buffer returned has one reference, the caller's;
// NULL: none left, or the message did not fit, counted.
#pragma once

#include "b2bua/inbound.h"

enum compose_body {
	COMPOSE_NO_BODY,
	COMPOSE_CROSS_BODY,  // of `from`
	COMPOSE_STORED_BODY, // what the leg sent last: the other leg's body under our origin
};

// What goes into a message beside what the leg says.
struct compose {
	const struct sip_msg
		*from; // message of the other leg whose headers and body cross; NULL = none
	const struct st_headers *timer; // session timer headers; NULL = none
	struct slice method;   // of a request, when it is not the transaction's: ACK, a token that
			       // sip.def lacks
	struct slice lines;    // complete header lines, CRLF included
	uint32_t require;      // option bits
	uint32_t max_forwards; // 0 = 70
	enum compose_body body;
	bool contact;	 // Contact and Allow
	bool supported;	 // Supported
	bool own_branch; // not the transaction's: the ACK of a 2xx (RFC 3261 s13.2.2.4)
};

// What rules of the trunk leave of it; t->offered is then what it says.
struct sip_buf *compose_request(struct engine *e, struct txn *t, const struct leg_text *text,
				const struct compose *c);
// fork: early dialog whose tag the caller sees. Without a buffer left a final response
// overwrites the request that it answers (but BYE and CANCEL; in compose_plain() refusals do): read
// nothing of it after.
struct sip_buf *compose_response(struct engine *e, const struct txn *t, uint16_t code, uint8_t fork,
				 const struct compose *c);
// A response to a request that has no transaction or call, straight from the message.
struct sip_buf *compose_plain(struct engine *e, const struct inbound *in, uint16_t code,
			      struct slice reason, struct slice lines);
// "Allow: ...\r\n", from sip.def.
struct slice compose_allow_line(void);
// Header lines of `from` whose crossing is in kinds (bits 1 << enum sip_crossing), for the leg
// `side`.
void compose_crossing(struct engine *e, struct outbuf *o, const struct txn *t,
		      const struct sip_msg *from, unsigned kinds);
// sip:address[:port] of ours on a flow.
void compose_own_uri(struct outbuf *o, const struct flow *flow);
