// SPDX-License-Identifier: BSD-3-Clause
// Next hops of one worker: address to station, with ageing and the packets that wait for an answer
// (RFC 826, RFC 4861 s7.3 in small).
// Thread: the owning worker; others may take copies through neighbour_copy().
#pragma once

#include <assert.h>
#include <stdatomic.h>

#include "base/tick.h"
#include "config/config.h"

struct rte_mbuf;

#define NEIGHBOUR_SLOTS	  1024
#define NEIGHBOUR_WAYS	  8
#define NEIGHBOUR_PENDING 16 // packets that wait for one next hop

#define NEIGHBOUR_FRESH_US  TICK_S(30) // an answer is taken for good this long
#define NEIGHBOUR_RETRY_US  TICK_MS(500)
#define NEIGHBOUR_PROBES    6		// questions without an answer until it counts as gone
#define NEIGHBOUR_UNICAST   3		// of these to the station last known
#define NEIGHBOUR_HOLD_US   TICK_S(3)	// how long a gone one is not asked again
#define NEIGHBOUR_UNUSED_US TICK_S(600) // entries not used so long make room

enum neighbour_state {
	NEIGHBOUR_FREE,
	NEIGHBOUR_INCOMPLETE, // asked, never answered
	NEIGHBOUR_REACHABLE,
	NEIGHBOUR_PROBE, // was reachable, is being asked again; its station is still used
	NEIGHBOUR_FAILED,
};

struct neighbour {
	// W: the worker, R: control: odd while the entry changes (neighbour_copy)
	_Atomic uint32_t sequence;
	uint8_t state; // enum neighbour_state
	uint8_t port;  // id
	uint8_t probes, n_pending;
	uint8_t mac[6];
	struct config_ip ip;
	tick_t confirmed_tk; // last proof that the station is right
	tick_t used_tk;
	tick_t next_tk; // INCOMPLETE, PROBE: next question; FAILED: forgotten
	struct rte_mbuf *pending[NEIGHBOUR_PENDING]; // IP packets, oldest first
};

struct neighbours {
	uint32_t used; // entries that are not free
	struct neighbour slot[NEIGHBOUR_SLOTS];
};

// What one worker tells the others about a station.
struct neighbour_news {
	struct config_ip ip;
	uint8_t port;
	uint8_t mac[6];
	bool override; // take it although another station is known
	uint8_t reserved[3];
};
static_assert(sizeof(struct neighbour_news) % 4 == 0, "a ring element");

// NULL if there is none.
struct neighbour *neighbour_find(struct neighbours *n, unsigned port, const struct config_ip *ip);
// The entry, a new one (INCOMPLETE, no question sent yet) or NULL when there is no room.
struct neighbour *neighbour_get(struct neighbours *n, unsigned port, const struct config_ip *ip,
				tick_t now);
// Add a waiting packet; the oldest one comes back when there are too many, else NULL.
struct rte_mbuf *neighbour_wait(struct neighbour *e, struct rte_mbuf *m);

// Bracket every change that a reader may see.
void neighbour_change_begin(struct neighbour *e);
void neighbour_change_end(struct neighbour *e);
// Any thread: a consistent copy of slot i without its pending packets; false when it is free.
bool neighbour_copy(const struct neighbours *n, unsigned i, struct neighbour *out);
