// SPDX-License-Identifier: BSD-3-Clause
// Via (RFC 3261 s18.2, s20.42; rport: RFC 3581).
// Any thread; pure. Results point into the message and die with it.
#pragma once

#include "sip/param.h"
#include "sip/uri.h"

enum sip_transport { SIP_UDP, SIP_TCP, SIP_TLS, SIP_SCTP, SIP_WS, SIP_WSS, SIP_TRANSPORT_OTHER };

struct sip_via {
	uint8_t transport;     // enum sip_transport
	uint8_t host_kind;     // enum sip_host_kind
	bool has_rport;	       // ;rport, with a value or without
	uint8_t ttl;	       // 0 = none
	uint16_t port;	       // sent-by; 0 = none written
	uint16_t rport;	       // 0 = none, or asked for without a value
	struct slice all;      // the value as written
	struct slice host;     // sent-by; IPv6 references without brackets
	struct slice params;   // for sip_param_next()
	struct slice branch;   // p == NULL: none
	struct slice received; // p == NULL: none; an IPv6 reference loses its brackets
	struct slice maddr;    // p == NULL: none
};

// One value, no comma at its end. Errors: -EBADMSG malformed, or another version than SIP/2.0; *via
// is then untouched.
int sip_via_parse(struct sip_via *via, struct slice value);

// Topmost Via of a message. Errors: -ENOENT no such field, -EBADMSG.
int sip_via_top(const struct sip_msg *m, struct sip_via *via);

// The next of all Vias: 1 and *via, 0 at the end, -EBADMSG malformed (the iterator has moved past
// it).
int sip_via_next(struct sip_values *v, struct sip_via *via);

// How many values all Via fields hold.
unsigned sip_via_count(const struct sip_msg *m);

// RFC 3261 s8.1.1.7: the branch begins with the magic cookie and more follows.
bool sip_via_is_rfc3261(const struct sip_via *via);

struct slice sip_via_transport_name(enum sip_transport transport);
