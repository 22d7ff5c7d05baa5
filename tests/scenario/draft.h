// SPDX-License-Identifier: BSD-3-Clause
// Messages that peers send: sane headers by themselves, changed line by line as a case says.
// One thread of a test program. Independent of lib/. Texts are made in the arena and recorded in
// the dialog (peer.h); sending them is the caller's.
#pragma once

#include "peer.h"

struct text {
	const uint8_t *bytes; // NULL: it could not be made, see error
	uint32_t len;
	const char *error;
};

// What the line of a step and the lines below it change. All may be NULL or 0.
struct change {
	const char *const *details; // lines as in README.md, section "What a peer sends"
	int n_details;
	const char *uri;    // Request-URI
	const char *tag;    // To tag of a response
	const char *reason; // phrase of a response
	bool reliable;	    // 1xx with Require: 100rel and RSeq
	uint32_t cseq;	    // ACK, CANCEL: of the INVITE that they follow; 0 = the newest
};

// A request inside or outside a dialog. CSeq and branch are new, but for ACK and CANCEL, which take
// those of the INVITE; PRACK gets the RAck of the newest reliable response.
struct text draft_request(struct arena *a, struct dialog *d, const char *method, tick_t now,
			  const struct change *change);
// A response to what the peer got.
struct text draft_response(struct arena *a, struct dialog *d, struct got *got, int status,
			   const struct change *change);
// Bytes of escaped text (\r \n \t \\ \xNN); every line ends by CRLF unless its last character is
// "\".
struct text draft_raw(struct arena *a, const char *const *lines, int n);

// A body of SDP from words such as dir=sendonly port=4000 codecs=0,8 v=3 ip=192.0.2.1 video t38
// extra=a=x, on top of what the dialog had before. A change raises the version by one unless v=
// says otherwise.
const char *draft_sdp(struct arena *a, struct dialog *d, const char *words);

const char *draft_reason(int status);
