// SPDX-License-Identifier: BSD-3-Clause
// The wires between verge and its peers, and the clock that drives all of them.
// One thread of the caller. Delay, loss and copies are a peer's; chance comes from the seed.
#pragma once

#include "control/world.h"
#include "peer.h"

#define NETWORK_PEERS_MAX 16

struct packet;

struct network {
	struct arena *arena;
	struct world world;
	struct peer *peer[NETWORK_PEERS_MAX];
	int n_peers;
	struct packet *queue; // by time, then in order of sending
	uint64_t rng;
	void *ctx;
	// A message from verge is on its way to a peer (NULL: to an address that no peer has).
	void (*leaving)(void *ctx, struct peer *to, const struct flow *flow, const uint8_t *bytes,
			uint32_t len, bool lost);
	// It has arrived; arrival is NULL when it is not SIP and why says so. It is in the inbox.
	void (*arrived)(void *ctx, struct peer *at, struct arrival *arrival, const char *why);
	// A peer sends (before loss).
	void (*sending)(void *ctx, struct peer *from, const uint8_t *bytes, uint32_t len,
			bool lost);
	// What automatic peers have to do by themselves; when next and at that time.
	tick_t (*automatic_next)(void *ctx);
	void (*automatic_run)(void *ctx, tick_t now);
	// Something happened. Returns true to stop network_run().
	bool (*stop)(void *ctx);
};

// Read "ip:port" or "[ip]:port" into the peer's half of *flow; false if it is none.
bool network_address(const char *text, struct flow *flow);
// A new peer at "ip:port" or "[ip]:port" behind a port of the configuration; NULL if that cannot
// be.
struct peer *network_peer(struct network *n, const char *name, const char *address,
			  const char *port);
// A number below n from the seed.
uint64_t network_random(struct network *n, uint64_t below);
// Put a datagram of a peer on the wire; source NULL = the peer's own address.
void network_send(struct network *n, struct peer *from, const uint8_t *bytes, uint32_t len,
		  const struct flow *source);
// For world_hooks.sent.
void network_sent(struct network *n, const struct flow *flow, const uint8_t *bytes, uint32_t len);
// Let time pass until `until` or until stop() says so; true if it stopped early.
bool network_run(struct network *n, tick_t until);
