// SPDX-License-Identifier: BSD-3-Clause
// What an engine has worked out before and needs again for nearly each message.
// Thread: the owning worker. Nothing here is the only place of a fact: any entry may be lost.
#pragma once

#include <stdint.h>

#define COMPOSE_OWN 16

// What messages say of one address of ours, composed once (compose.c).
struct compose_own {
	uint8_t ip[16];
	uint16_t udp;
	uint8_t family; // 0: none yet
	uint8_t via_len;
	uint16_t contact_len;
	uint8_t via[90];      // "Via: SIP/2.0/UDP address;rport;branch="
	uint8_t contact[208]; // Contact and Allow lines
};
