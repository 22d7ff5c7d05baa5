// SPDX-License-Identifier: BSD-3-Clause
// What leaves: UDP, IP and link headers in front of a message, fragments where it is longer than
// the port's MTU, the next hop's station (RFC 768, 791, 8200, 1191 without DF). Thread: the worker.
// Every function takes the packet and counts what becomes of it.
#pragma once

#include "dataplane/worker.h"

// A SIP message. buf: the reference passes to here; further ones mean that the call logic keeps the
// message, and it may send it again at any time.
void compose_message(struct worker *w, struct sip_buf *buf, const struct flow *flow);

// An IP packet (m's data begins with its IP header and is in one segment), to the next hop of its
// destination on that port.
void compose_routed(struct worker *w, struct port *port, struct rte_mbuf *m,
		    const struct config_ip *to);
// The same to a station that is known.
void compose_to_mac(struct worker *w, struct port *port, struct rte_mbuf *m, const uint8_t *mac);
