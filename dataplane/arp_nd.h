// SPDX-License-Identifier: BSD-3-Clause
// Addresses of stations: ARP (RFC 826, 5227) and IPv6 neighbour discovery (RFC 4861): questions
// answered, answers learned, next hops resolved and kept fresh.
// Thread: the worker. An answer that arrives at one worker is told to all: each keeps its own
// table. Stations that we do not ask for are never learned, so that nobody fills the table from
// outside.
#pragma once

#include "dataplane/worker.h"

// Reads pkt[i].l3. Takes every ARP packet and every neighbour solicitation and advertisement.
void stage_arp_nd(struct worker *w, struct burst *b);

// The entry of a next hop, asked for if it is not known or not fresh; NULL if there is no room.
struct neighbour *arp_nd_resolve(struct worker *w, struct port *port, const struct config_ip *ip);

// Tell all stations our addresses (at start and when a link comes up).
void arp_nd_announce(struct worker *w);
// Ask again, give up, forget. Once in 100 ms.
void arp_nd_tick(struct worker *w);
// What other workers have learned.
void arp_nd_news(struct worker *w);
