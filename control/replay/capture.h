// SPDX-License-Identifier: BSD-3-Clause
// The SIP messages of a capture (pcap or pcapng, read by libpcap), in the order of time, and what
// was left out. One thread.
#pragma once

#include "base/slice.h"
#include "control/replay/decode.h"
#include "control/replay/region.h"
#include "sip/sip.h"

#define CAPTURE_MESSAGES_MAX 500000
#define CAPTURE_SPAN_US	     (31ull * 86400 * 1000000)

struct captured {
	uint64_t us;	    // after 1970
	uint32_t order;	    // in the file, from 1
	struct datagram at; // data: the message, in the region
	// what it says; empty where it cannot be read
	struct slice call_id, branch, from_tag, to_tag;
	uint32_t cseq;
	uint16_t status; // 0 = request
	uint8_t method;	 // enum sip_method, of a response's CSeq
	bool readable;
	// filled in by roles_find()
	uint8_t port;	      // id of the port that stands for the SBC's address
	bool out;	      // the captured SBC sent it
	bool again;	      // a retransmission
	bool used;	      // of requests of the SBC: answered in the replay
	struct recorded *leg; // NULL: none
};

struct capture {
	struct region region;
	struct captured *list; // [n]
	uint32_t n;
	uint64_t frames;
	uint64_t skipped[SKIP_N];
	char cut[160]; // not empty: the file ends in the middle, and how
};

// Errors: -1 with the reason in why.
int capture_read(struct capture *c, const char *path, char *why, size_t size);
struct frame_bytes {
	const uint8_t *p;
	uint32_t caplen, wirelen; // bytes that are there, and that there were
};
// One frame as capture_read() takes it; for the fuzzer too.
void capture_frame(struct capture *c, struct decoder *d, int linktype,
		   const struct frame_bytes *frame, uint64_t us);
// In the order of time.
void capture_sort(struct capture *c);
void capture_free(struct capture *c);
