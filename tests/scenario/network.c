// SPDX-License-Identifier: BSD-3-Clause
// The wires between verge and its peers, and the clock.
// One thread of a test program.
#include "network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define QUOTE	      520    // bytes of a message that Linux quotes in ICMP
#define SAME_TIME_MAX 200000 // events without time passing: more is a storm

struct packet {
	struct packet *next;
	tick_t due;
	struct peer *peer;
	bool to_verge;
	bool icmp; // to verge: nobody listens there
	struct flow flow;
	const uint8_t *bytes;
	uint32_t len;
};

bool network_address(const char *text, struct flow *flow)
{
	char host[64];
	bool six = text[0] == '[';
	const char *end = strchr(text, six ? ']' : ':');

	if (end == NULL || (size_t)(end - text) >= sizeof(host))
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(end - text) - six, text + six);
	flow->family = six ? 6 : 4;
	flow->peer_udp = (uint16_t)wire_number(end + six + 1);
	return inet_pton(six ? AF_INET6 : AF_INET, host, flow->peer_ip) == 1;
}

struct peer *network_peer(struct network *n, const char *name, const char *address,
			  const char *port)
{
	const struct config *c = world_config(&n->world);
	int id = config_port_find(c, port);
	struct peer *p = arena_alloc(n->arena, sizeof(*p));
	const struct config_net *own;
	char ip[INET6_ADDRSTRLEN];

	if (n->n_peers == NETWORK_PEERS_MAX || id < 0 || !network_address(address, &p->flow))
		return NULL;
	own = config_port_address(&c->ports[id], p->flow.family);
	if (own == NULL)
		return NULL;
	p->flow.port = (uint8_t)id;
	p->flow.local_udp = (uint16_t)c->ports[id].sip_port;
	memcpy(p->flow.local_ip, own->ip.bytes, sizeof(p->flow.local_ip));
	inet_ntop(p->flow.family == 6 ? AF_INET6 : AF_INET, p->flow.local_ip, ip, sizeof(ip));
	p->name = arena_strdup(n->arena, name);
	p->user = arena_printf(n->arena, "user-%s", name);
	p->host = p->via = arena_strdup(n->arena, address);
	p->verge = arena_printf(n->arena, p->flow.family == 6 ? "[%s]" : "%s", ip);
	n->peer[n->n_peers++] = p;
	return p;
}

uint64_t network_random(struct network *n, uint64_t below)
{
	// splitmix64
	uint64_t z = n->rng += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	return below != 0 ? z % below : 0;
}

static void enqueue(struct network *n, struct peer *peer, const uint8_t *bytes, uint32_t len,
		    const struct flow *to_verge)
{
	struct packet *p = arena_alloc(n->arena, sizeof(*p)), **at = &n->queue;
	tick_t delay = peer->delay_min;

	if (peer->delay_max > peer->delay_min)
		delay += network_random(n, peer->delay_max - peer->delay_min);
	p->due = n->world.now + delay;
	p->peer = peer;
	p->to_verge = to_verge != NULL;
	p->icmp = to_verge == NULL && peer->closed;
	if (to_verge != NULL)
		p->flow = *to_verge;
	p->bytes = (const uint8_t *)arena_strndup(n->arena, (const char *)bytes, len);
	p->len = len;
	while (*at != NULL && (*at)->due <= p->due)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
}

static bool chance(struct network *n, unsigned pm)
{
	return pm != 0 && network_random(n, 1000) < pm;
}

void network_send(struct network *n, struct peer *from, const uint8_t *bytes, uint32_t len,
		  const struct flow *source)
{
	const struct flow *flow = source != NULL ? source : &from->flow;
	bool lost = chance(n, from->lose_pm);

	n->sending(n->ctx, from, bytes, len, lost);
	if (lost)
		return;
	enqueue(n, from, bytes, len, flow);
	if (chance(n, from->copy_pm))
		enqueue(n, from, bytes, len, flow);
}

static bool is_at(const struct peer *p, const struct flow *flow)
{
	return p->flow.port == flow->port && p->flow.family == flow->family &&
	       p->flow.peer_udp == flow->peer_udp &&
	       memcmp(p->flow.peer_ip, flow->peer_ip, sizeof(flow->peer_ip)) == 0;
}

void network_sent(struct network *n, const struct flow *flow, const uint8_t *bytes, uint32_t len)
{
	struct peer *to = NULL;
	bool lost;

	for (int i = 0; i < n->n_peers && to == NULL; i++)
		if (is_at(n->peer[i], flow))
			to = n->peer[i];
	lost = to != NULL && chance(n, to->lose_pm);
	n->leaving(n->ctx, to, flow, bytes, len, lost);
	if (to == NULL || lost)
		return;
	enqueue(n, to, bytes, len, NULL);
	if (chance(n, to->copy_pm))
		enqueue(n, to, bytes, len, NULL);
}

static void deliver(struct network *n)
{
	struct packet *p = n->queue;
	const char *why = NULL;

	n->queue = p->next;
	if (p->icmp) {
		world_unreachable(&n->world, p->bytes, p->len < QUOTE ? p->len : QUOTE);
	} else if (p->to_verge) {
		world_input(&n->world, &p->flow, p->bytes, p->len);
	} else {
		struct arrival *arrival =
			peer_receive(n->arena, p->peer, p->bytes, p->len, n->world.now, &why);

		n->arrived(n->ctx, p->peer, arrival, why);
	}
}

static tick_t earlier(tick_t a, tick_t b)
{
	return a < b ? a : b;
}

bool network_run(struct network *n, tick_t until)
{
	struct world *w = &n->world;
	unsigned same = 0;

	for (;;) {
		tick_t due, at;

		if (n->stop != NULL && n->stop(n->ctx))
			return true;
		due = n->automatic_next != NULL ? n->automatic_next(n->ctx) : TICK_NEVER;
		at = earlier(n->queue != NULL ? n->queue->due : TICK_NEVER,
			     earlier(due, world_next(w)));
		if (at > until)
			break;
		same = at > w->now ? 0 : same + 1;
		if (same == SAME_TIME_MAX) {
			snprintf(w->error, sizeof(w->error),
				 "time stands still: things happen without end");
			return true;
		}
		if (at > w->now || n->queue == NULL || n->queue->due > w->now)
			world_advance(w, at);
		if (n->queue != NULL && n->queue->due <= w->now)
			deliver(n);
		if (due <= w->now)
			n->automatic_run(n->ctx, w->now);
	}
	if (until > w->now)
		world_advance(w, until);
	return false;
}
