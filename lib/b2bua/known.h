// SPDX-License-Identifier: BSD-3-Clause
// What an engine has worked out before and needs again for nearly each message.
// Thread: the owning worker. Nothing here is the only place of a fact: any entry may be lost.
#pragma once

#include <stdint.h>

#include "sip/name_addr.h"

#define COMPOSE_OWN	   16
#define KNOWN_SOURCES_BITS 10 // far more places than peers, so that hardly any share one
#define KNOWN_SOURCES	   (1 << KNOWN_SOURCES_BITS)

// The trunk of an IPv4 source (leg.c).
struct known_source {
	uint64_t key; // address, UDP port, port of ours; 0: none
	uint16_t trunk;
	uint16_t budget; // its place in engine.budgets
};

// Who calls whom, read from an INVITE once (setup.c). URIs that cannot be read: has_... is false.
struct known_parties {
	struct sip_name_addr from, to;
	struct sip_uri from_uri, to_uri, uri;
	bool has_from, has_to, has_uri;
};

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
