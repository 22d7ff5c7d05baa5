// SPDX-License-Identifier: BSD-3-Clause
// One SIP message's bytes with a reference count, and where they come from or go to.
// A buffer belongs to one worker; its shell decides what memory is behind it (an rte_mbuf's data
// room on a worker, the heap in tests). Retransmission keeps a reference, it never composes again.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Where in a response the lines stand that each response to its request repeats: Via, From, To,
// Call-ID, CSeq. All zero: not known.
struct sip_reply_lines {
	uint16_t at;   // behind the status line
	uint16_t tag;  // where our To tag stands, or would: ";tag=" and the tag
	uint16_t rest; // behind it
	uint16_t end;  // behind CSeq
};

struct sip_buf {
	uint8_t *data;		      // first byte of the SIP message; fixed while references exist
	uint32_t len;		      // bytes of the message
	uint32_t cap;		      // bytes there is room for from data on
	uint32_t refs;		      // W, R: owning worker; 0 = back to the shell
	struct sip_reply_lines lines; // of a response that the engine wrote
};

// One direction of a UDP 5-tuple: from a port's own address to a peer.
// IPv4 addresses are in the first four bytes, the rest zero; all addresses in network byte order.
struct flow {
	uint8_t port;	    // index of the port in the configuration
	uint8_t family;	    // 4 or 6
	uint16_t local_udp; // host byte order
	uint16_t peer_udp;  // host byte order
	uint8_t local_ip[16];
	uint8_t peer_ip[16];
};
