// SPDX-License-Identifier: BSD-3-Clause
// Captured frames to UDP datagrams: Ethernet with any number of VLAN tags, Linux cooked (v1, v2),
// raw IP and loopback; IPv4 and IPv6, fragments put together. Every byte is hostile; no read passes
// the length given. One thread. Source: https://www.tcpdump.org/linktypes.html
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct datagram {
	uint8_t family; // 4 or 6
	uint8_t src[16], dst[16];
	uint16_t src_udp, dst_udp;
	const uint8_t *data; // in the frame or in the decoder; valid until the next call
	uint32_t len;
};

enum skip {
	SKIP_NONE, // *d is set
	SKIP_WAIT, // a fragment: the rest is to come
#define SKIP(id, text) SKIP_##id,
#include "control/replay/skip.def"
	SKIP_N
};

struct decoder;

// NULL when out of memory.
struct decoder *decoder_new(void);
void decoder_free(struct decoder *d);
// Whether frames of a link type (LINKTYPE_ number as in files) can be read.
bool decoder_knows(int linktype);
// One frame: caplen bytes are there of wirelen. Returns SKIP_NONE, SKIP_WAIT or why not.
enum skip decoder_frame(struct decoder *d, int linktype, const uint8_t *frame, uint32_t caplen,
			uint32_t wirelen, struct datagram *out);
// Fragments that wait for others that never came.
uint32_t decoder_waiting(const struct decoder *d);
