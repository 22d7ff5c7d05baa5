// SPDX-License-Identifier: BSD-3-Clause
// Who is who in a capture: which end of a message is the SBC that the configuration stands for,
// which messages make a leg, what answers what. One thread.
#pragma once

#include "config/config.h"
#include "control/replay/capture.h"

#define ROLES_AS_MAX   32
#define ROLES_TAGS_MAX 16

struct leg;

// --as ADDRESS[:PORT]=NAME: what had this address in the capture is that port here.
struct role_as {
	struct config_endpoint at; // udp 0 = any
	uint16_t port;
};

// The messages of one Call-ID between the SBC and one peer.
struct recorded {
	struct slice call_id;
	uint32_t *message; // indices in the capture
	uint32_t n;
	uint32_t invite;       // first INVITE, or UINT32_MAX
	bool outgoing;	       // the SBC sent the first request
	bool begun;	       // the first request is here
	struct slice from, to; // users of that INVITE
	bool claimed;	       // plays a leg of the replay:
	struct leg *played;
	uint64_t dead_us;		   // when the peer stopped to answer; 0 = it did not
	struct slice tags[ROLES_TAGS_MAX]; // of the SBC, in the order of appearance
	uint32_t n_tags;
	uint32_t peer_allow; // methods of the peer's Allow, SIP_METHOD_BIT
	bool peer_timer;     // the peer speaks RFC 4028
};

struct roles {
	struct capture *capture;
	const struct config *config;
	struct role_as as[ROLES_AS_MAX];
	unsigned n_as;
	struct recorded **leg; // in the order of appearance
	uint32_t n;
	uint32_t *hash; // private: leg + 1 by Call-ID
	uint32_t mask;
	uint64_t skipped[SKIP_N];
	char seen[256]; // addresses that talk SIP, when none is the SBC's
};

// Sorts messages into legs; those that are nobody's are counted in skipped.
void roles_find(struct roles *r);
struct recorded *roles_leg(const struct roles *r, struct slice call_id);
// The flow of a message as the port that stands for the SBC sees it; false: the port has no address
// of that family.
bool roles_flow(const struct roles *r, const struct captured *m, struct flow *flow);
// "10.0.0.1=access" read; false: what is wrong is in why.
bool roles_as(struct roles *r, const char *text, char *why, size_t size);
// Called or calling user of a message: the user part of To or From.
struct slice roles_user(struct slice message, enum sip_header id);
