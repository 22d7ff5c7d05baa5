// SPDX-License-Identifier: BSD-3-Clause
// Health of peers by OPTIONS (options_ping): two failures in a row take a peer out, one answer
// brings it back. Pings are spread over the interval and over the workers.
#include "control/core.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define FAILURES_DOWN 2
// The answer to a ping that has not been told for so long is not going to be (64*T1 and more).
#define FORGOTTEN TICK_S(90)

static uint32_t interval_s(const struct control *c, unsigned trunk)
{
	const struct config_trunk *t = &c->config->trunks[trunk];

	return c->config->profiles[t->profile].options_ping_s;
}

static const struct config_endpoint *endpoint(const struct config *config,
					      const struct control_peer *peer)
{
	const struct config_trunk *t;

	if (config == NULL || peer->trunk >= config->n_trunks)
		return NULL;
	t = &config->trunks[peer->trunk];
	return !t->gone && peer->index < t->peers.n ? &t->peers.list[peer->index] : NULL;
}

static bool same_endpoint(const struct config_endpoint *a, const struct config_endpoint *b)
{
	return a != NULL && b != NULL && a->udp == b->udp && a->ip.family == b->ip.family &&
	       memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes)) == 0;
}

static void set_down(struct control *c, struct control_peer *peer, bool down)
{
	uint64_t bit = 1ull << peer->index;
	struct trunk_live *live = &c->live[peer->trunk];

	peer->down = down;
	// relaxed: workers may see it late, nothing else depends on it
	if (down)
		atomic_fetch_or_explicit(&live->peers_down, bit, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&live->peers_down, ~bit, memory_order_relaxed);
}

static void wait_ping(struct control *c, struct control_peer *peer, tick_t at)
{
	if (heap_put(&c->timers, &peer->timer.node, at) != 0)
		c->stats.no_memory++;
}

static uint32_t keepalive_s(const struct control *c, unsigned trunk)
{
	return c->config->profiles[c->config->trunks[trunk].profile].keepalive_s;
}

static void configure_keepalive(struct control *c, struct control_peer *peer)
{
	if (endpoint(c->config, peer) == NULL || keepalive_s(c, peer->trunk) == 0) {
		heap_remove(&c->timers, &peer->keepalive.node);
		return;
	}
	if (!heap_has(&peer->keepalive.node) &&
	    heap_put(&c->timers, &peer->keepalive.node,
		     c->now + TICK_MS(core_random(c, keepalive_s(c, peer->trunk) * 1000))) != 0)
		c->stats.no_memory++;
}

// All from one worker: a binding is of the 5-tuple, which they share.
void peers_keepalive(struct control *c, struct control_peer *peer)
{
	struct order order = {.type = ORDER_KEEPALIVE, .trunk = peer->trunk};

	if (endpoint(c->config, peer) == NULL || keepalive_s(c, peer->trunk) == 0)
		return;
	if (heap_put(&c->timers, &peer->keepalive.node,
		     c->now + TICK_S(keepalive_s(c, peer->trunk))) != 0)
		c->stats.no_memory++;
	order.ping.peer = peer->index;
	core_order(c, 0, &order);
}

static void configure_peer(struct control *c, struct control_peer *peer, const struct config *old)
{
	const struct config_endpoint *now = endpoint(c->config, peer);

	configure_keepalive(c, peer);
	if (!same_endpoint(now, endpoint(old, peer))) {
		peer->failures = 0;
		peer->pending = false;
		set_down(c, peer, false);
	}
	if (now == NULL || interval_s(c, peer->trunk) == 0) {
		heap_remove(&c->timers, &peer->timer.node);
		set_down(c, peer, false); // nothing would bring it back
		return;
	}
	if (!heap_has(&peer->timer.node))
		wait_ping(c, peer,
			  c->now + TICK_MS(core_random(c, interval_s(c, peer->trunk) * 1000)));
}

void peers_configure(struct control *c, const struct config *old)
{
	for (uint32_t t = 0; t < c->n_trunks; t++)
		for (unsigned i = 0; i < CONTROL_PEERS; i++)
			configure_peer(c, &c->trunks[t]->peers[i], old);
}

void peers_timer(struct control *c, struct control_peer *peer)
{
	struct order order = {.type = ORDER_PING, .trunk = peer->trunk};
	uint32_t interval_ms;

	if (endpoint(c->config, peer) == NULL || interval_s(c, peer->trunk) == 0)
		return;
	// 2 % to and fro keeps peers that began together from staying together
	interval_ms = interval_s(c, peer->trunk) * 1000;
	wait_ping(c, peer,
		  c->now + TICK_MS(interval_ms - interval_ms / 50 +
				   core_random(c, interval_ms / 25 + 1)));
	if (peer->pending && peer->sent_tk + FORGOTTEN > c->now)
		return;
	peer->pending = true;
	peer->sent_tk = c->now;
	order.ping.peer = peer->index;
	core_order(c, c->next_worker, &order);
	c->next_worker = (c->next_worker + 1) % c->workers;
}

static void log_peer(struct control *c, enum control_level level, const struct control_peer *peer,
		     const char *what, unsigned code)
{
	const struct config_endpoint *e = endpoint(c->config, peer);
	char address[INET6_ADDRSTRLEN] = "?";

	if (e != NULL)
		inet_ntop(e->ip.family == 6 ? AF_INET6 : AF_INET, e->ip.bytes, address,
			  sizeof(address));
	core_log(c, level, "peer", "%s trunk=\"%s\" peer=%s port=%u code=%u failures=%u", what,
		 core_trunk_name(c, peer->trunk), address, e != NULL ? e->udp : 0U, code,
		 peer->failures);
}

// Without a peer that answers the trunk as a whole is out.
static bool is_outage(const struct control *c, const struct control_trunk *trunk)
{
	for (unsigned i = 0; i < CONTROL_PEERS; i++)
		if (endpoint(c->config, &trunk->peers[i]) != NULL && trunk->peers[i].failures == 0)
			return false;
	return true;
}

static void failed(struct control *c, struct control_peer *peer, unsigned code)
{
	struct control_trunk *trunk = core_trunk(c, peer->trunk);

	if (peer->failures < UINT8_MAX)
		peer->failures++;
	if (code == 0 && is_outage(c, trunk))
		learn_outage(c, peer->trunk);
	if (peer->failures < FAILURES_DOWN || peer->down)
		return;
	set_down(c, peer, true);
	log_peer(c, CONTROL_WARNING, peer, "peer_down", code);
}

static struct control_peer *peer_of(const struct control *c, unsigned trunk, unsigned index)
{
	struct control_trunk *t = core_trunk(c, trunk);

	return t != NULL && index < CONTROL_PEERS ? &t->peers[index] : NULL;
}

void peers_ping_done(struct control *c, const struct event *event)
{
	struct control_peer *peer = peer_of(c, event->trunk, event->ping_done.peer);
	unsigned code = event->ping_done.code;

	if (peer == NULL || endpoint(c->config, peer) == NULL)
		return;
	peer->pending = false;
	if (code != 0)
		learn_life(c, event->trunk);
	// 503 is out of service; 408 is a proxy that reaches nobody. Any other answer is one.
	if (code == 0 || code == 408 || code == 503) {
		core_trunk(c, event->trunk)->stats.ping_failures++;
		failed(c, peer, code);
		return;
	}
	if (peer->down)
		log_peer(c, CONTROL_INFO, peer, "peer_up", code);
	peer->failures = 0;
	if (peer->down)
		set_down(c, peer, false);
}

// An INVITE that nobody answered counts like a ping; but only pings bring a peer back, so without
// them no peer is taken out.
void peers_invite_failed(struct control *c, const struct event *event)
{
	struct control_peer *peer = peer_of(c, event->trunk, event->invite_failed.peer);

	if (peer == NULL || endpoint(c->config, peer) == NULL)
		return;
	if (event->invite_failed.code != 0)
		learn_life(c, event->trunk);
	else if (interval_s(c, event->trunk) != 0)
		failed(c, peer, 0);
}
