// SPDX-License-Identifier: BSD-3-Clause
// Two DPDK devices, access and core, and the datagrams on them. Everything a peer has an address
// for sits behind the generator's station: 10.91.1.H on access, 10.92.1.H on core; verge is
// 10.91.0.1 and 10.92.0.1.
// Thread: the generator's only one.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WIRE_BURST 32
#define WIRE_ROOM  1800 // bytes of a message

enum wire_side { WIRE_ACCESS, WIRE_CORE, WIRE_SIDES };

// A datagram that arrived; data is valid until the next wire_receive() of its side.
struct wire_datagram {
	const char *data;
	uint32_t len;
	uint8_t host; // H of the address that it was sent to
};

// Where a datagram pretends to come from.
struct wire_from {
	uint8_t net;  // third byte of the address: 1 for peers, others belong to no trunk
	uint8_t host; // fourth
};

// Start EAL on one CPU and open both devices.
// In:     device - DPDK device strings; mbufs - buffers for both.
//         looped - the devices are joined to each other: no station has to be asked for.
// Errors: -errno, told on stderr.
int wire_open(const char *const device[WIRE_SIDES], unsigned cpu, unsigned mbufs, bool looped);
void wire_close(void);

// Ask for verge's stations, again and again; true when both are known.
bool wire_ready(void);

// A buffer for the text of a message; wire_send() takes it. NULL when none is left (counted).
char *wire_begin(enum wire_side side);
void wire_send(enum wire_side side, struct wire_from from, uint32_t len);
// Give what has been sent to the devices.
void wire_flush(void);

// At most WIRE_BURST datagrams to our addresses; ARP is answered on the way.
unsigned wire_receive(enum wire_side side, struct wire_datagram *out);

// Since wire_zero(): frames that a device took, frames that found its ring full, no buffer.
struct wire_counts {
	uint64_t sent, full, no_buffer, received;
};
extern struct wire_counts wire_counts;
