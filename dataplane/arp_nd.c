// SPDX-License-Identifier: BSD-3-Clause
// ARP and IPv6 neighbour discovery. See arp_nd.h.
#include "dataplane/arp_nd.h"

#include <rte_ring_elem.h>

#include "dataplane/compose.h"
#include "dataplane/egress.h"

#define NEWS_BURST 16

static const uint8_t mac_all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t ip6_all_nodes[16] = {0xff, 2, [15] = 1};

static bool is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static struct config_ip ip_of(unsigned family, const uint8_t *bytes)
{
	struct config_ip ip = {.family = (uint8_t)family};

	memcpy(ip.bytes, bytes, family == 4 ? 4 : 16);
	return ip;
}

static void send_arp(struct worker *w, struct port *port, const uint8_t *to_mac,
		     const uint8_t *sender_ip, const uint8_t *target_mac, const uint8_t *target_ip)
{
	unsigned l2 = frame_ether_len(port->vlan);
	struct rte_mbuf *m = mbuf_get(&w->pools, l2 + FRAME_ARP_LEN);
	uint8_t *p;

	if (m == NULL) {
		worker_count(w, VERDICT_UNSENT_NO_MBUF, 1);
		return;
	}
	p = mbuf_fill(m, l2 + FRAME_ARP_LEN);
	frame_ether_write(p, to_mac, port->device->mac, port->vlan, FRAME_TYPE_ARP);
	frame_arp_write(p + l2, port->device->mac, sender_ip, target_mac, target_ip);
	egress_put(w, port->device, m);
}

// A solicitation (flags 0) or advertisement from our address src to dst at to_mac.
static void send_nd(struct worker *w, struct port *port, const uint8_t *to_mac,
		    const struct frame_ip *ip, const uint8_t *target, uint32_t flags)
{
	struct rte_mbuf *m = mbuf_get(&w->pools, FRAME_IP6_LEN + FRAME_ND_LEN);
	uint8_t *p;

	if (m == NULL) {
		worker_count(w, VERDICT_UNSENT_NO_MBUF, 1);
		return;
	}
	p = mbuf_fill(m, FRAME_IP6_LEN + FRAME_ND_LEN);
	frame_ip6_write(p, ip->src, ip->dst, FRAME_PROTO_ICMP6, FRAME_ND_LEN);
	p[7] = 255; // what a router has passed on is not believed (RFC 4861 s3.1)
	frame_nd_write(p + FRAME_IP6_LEN, ip, target, port->device->mac, flags);
	compose_to_mac(w, port, m, to_mac);
}

// Ask for a neighbour: everybody, or the station that it was last.
static void solicit(struct worker *w, struct port *port, const struct neighbour *e)
{
	const struct config_ip *own = port_own(port, e->ip.family);
	bool direct = e->state == NEIGHBOUR_PROBE && e->probes < NEIGHBOUR_UNICAST;
	uint8_t group_ip[16], group_mac[6];
	struct frame_ip ip;

	if (own == NULL)
		return;
	if (e->ip.family == 4) {
		send_arp(w, port, direct ? e->mac : mac_all, own->bytes, NULL, e->ip.bytes);
		return;
	}
	frame_solicited_node(group_ip, e->ip.bytes);
	frame_multicast_mac(group_mac, group_ip);
	ip = (struct frame_ip){.src = own->bytes, .dst = direct ? e->ip.bytes : group_ip};
	send_nd(w, port, direct ? e->mac : group_mac, &ip, e->ip.bytes, 0);
}

struct neighbour *arp_nd_resolve(struct worker *w, struct port *port, const struct config_ip *ip)
{
	struct neighbour *e = neighbour_get(&w->neighbours, port->id, ip, w->now);
	bool stale;

	if (e == NULL)
		return NULL;
	e->used_tk = w->now;
	stale = e->state == NEIGHBOUR_REACHABLE && w->now - e->confirmed_tk > NEIGHBOUR_FRESH_US;
	if (e->state == NEIGHBOUR_FAILED && w->now >= e->next_tk) {
		neighbour_change_begin(e);
		e->state = NEIGHBOUR_INCOMPLETE;
		e->probes = 0;
		neighbour_change_end(e);
	}
	if (stale || (e->state == NEIGHBOUR_INCOMPLETE && e->probes == 0)) {
		neighbour_change_begin(e);
		e->state = stale ? NEIGHBOUR_PROBE : NEIGHBOUR_INCOMPLETE;
		e->next_tk = w->now + NEIGHBOUR_RETRY_US;
		e->probes = 0;
		neighbour_change_end(e);
		solicit(w, port, e);
		e->probes = 1;
	}
	return e;
}

// Packets that waited for this next hop leave.
static void release_pending(struct worker *w, struct neighbour *e)
{
	struct port *port = &w->devices->port[e->port];
	struct rte_mbuf *m[NEIGHBOUR_PENDING];
	unsigned n = e->n_pending;

	memcpy(m, e->pending, n * sizeof(m[0]));
	e->n_pending = 0;
	for (unsigned i = 0; i < n; i++)
		compose_to_mac(w, port, m[i], e->mac);
}

// False when nobody here asked for that address.
static bool learn(struct worker *w, const struct neighbour_news *news)
{
	struct neighbour *e = neighbour_find(&w->neighbours, news->port, &news->ip);
	bool same;

	if (e == NULL)
		return false;
	same = memcmp(e->mac, news->mac, sizeof(e->mac)) == 0;
	// RFC 4861 s7.2.5: without the override flag an answer does not replace a station.
	if (!same && !news->override && e->state == NEIGHBOUR_REACHABLE)
		return true;
	neighbour_change_begin(e);
	memcpy(e->mac, news->mac, sizeof(e->mac));
	e->state = NEIGHBOUR_REACHABLE;
	e->probes = 0;
	e->confirmed_tk = w->now;
	neighbour_change_end(e);
	release_pending(w, e);
	return true;
}

static bool learn_and_tell(struct worker *w, const struct port *port, const struct config_ip *ip,
			   const uint8_t *mac, bool override)
{
	struct neighbour_news news = {.ip = *ip, .port = port->id, .override = override};
	bool known;

	memcpy(news.mac, mac, sizeof(news.mac));
	known = learn(w, &news);
	// A full ring loses nothing for good: that worker asks by itself.
	for (unsigned i = 0; i < w->n_workers; i++)
		if (i != w->id)
			rte_ring_enqueue_elem(w->workers[i].news, &news, sizeof(news));
	return known;
}

void arp_nd_news(struct worker *w)
{
	struct neighbour_news news[NEWS_BURST];
	unsigned n = rte_ring_dequeue_burst_elem(w->news, news, sizeof(news[0]), NEWS_BURST, NULL);

	for (unsigned i = 0; i < n; i++)
		learn(w, &news[i]);
	if (n != 0)
		w->gave_work = true;
}

static enum verdict take_arp(struct worker *w, struct packet *p)
{
	struct frame_arp arp;
	struct config_ip sender;
	enum verdict v = frame_arp_read(&arp, p->l3, p->l3_len);
	bool learned, for_us;

	if (v != VERDICT_NONE)
		return v;
	for_us = port_is_own(p->port, 4, arp.target_ip);
	if (port_is_own(p->port, 4, arp.sender_ip))
		return VERDICT_DROP_ARP_CONFLICT;
	sender = ip_of(4, arp.sender_ip);
	learned = !is_zero(arp.sender_ip, 4) &&
		  (for_us || memcmp(arp.sender_ip, arp.target_ip, 4) == 0) &&
		  learn_and_tell(w, p->port, &sender, arp.sender_mac, true);
	if (arp.request && for_us) {
		// The sender's address may be 0.0.0.0: a probe (RFC 5227 s2.1.1) gets its answer
		// too.
		send_arp(w, p->port, arp.sender_mac, arp.target_ip, arp.sender_mac, arp.sender_ip);
		return VERDICT_ARP_ANSWERED;
	}
	return learned ? VERDICT_ARP_LEARNED : VERDICT_DROP_ARP;
}

static enum verdict answer_solicitation(struct worker *w, const struct packet *p,
					const struct frame_nd *nd)
{
	struct frame_ip ip = {.src = nd->target, .dst = p->ip.src};
	uint8_t group_mac[6];

	if (!port_is_own(p->port, 6, nd->target))
		return VERDICT_DROP_ND;
	if (is_zero(p->ip.src, 16)) {
		// Somebody wants our address for itself (RFC 4862 s5.4): all shall hear that it is
		// ours.
		if (nd->mac != NULL)
			return VERDICT_DROP_ND; // RFC 4861 s7.1.1
		ip.dst = ip6_all_nodes;
		frame_multicast_mac(group_mac, ip6_all_nodes);
		send_nd(w, p->port, group_mac, &ip, nd->target, FRAME_NA_OVERRIDE);
		return VERDICT_ND_ANSWERED;
	}
	send_nd(w, p->port, nd->mac != NULL ? nd->mac : p->mac, &ip, nd->target,
		FRAME_NA_SOLICITED | FRAME_NA_OVERRIDE);
	return VERDICT_ND_ANSWERED;
}

static enum verdict take_nd(struct worker *w, struct packet *p)
{
	const uint8_t *msg = p->l3 + p->ip.header_len;
	uint32_t n = p->ip.total - p->ip.header_len;
	struct config_ip who;
	struct frame_nd nd;
	enum verdict v;

	if (frame_sum_end(frame_sum(
		    msg, n, frame_sum_pseudo(6, p->ip.src, p->ip.dst, FRAME_PROTO_ICMP6, n))) != 0)
		return VERDICT_DROP_ICMP_CHECKSUM;
	v = frame_nd_read(&nd, &p->ip, msg, n);
	if (v != VERDICT_NONE)
		return v;
	if (nd.solicitation) {
		// Its sender is worth an entry's refresh only if we talk to it anyway.
		if (nd.mac != NULL && !is_zero(p->ip.src, 16)) {
			who = ip_of(6, p->ip.src);
			learn_and_tell(w, p->port, &who, nd.mac, true);
		}
		return answer_solicitation(w, p, &nd);
	}
	if (port_is_own(p->port, 6, nd.target))
		return VERDICT_DROP_ARP_CONFLICT;
	who = ip_of(6, nd.target);
	// Without the option the answer came from the station that it speaks of (RFC 4861 s4.4).
	return learn_and_tell(w, p->port, &who, nd.mac != NULL ? nd.mac : p->mac, nd.override)
		       ? VERDICT_ND_LEARNED
		       : VERDICT_DROP_ND;
}

static bool is_nd(const struct packet *p)
{
	unsigned type;

	// RFC 6980: never in fragments.
	if (p->type != FRAME_TYPE_IP6 || p->reassembled || p->ip.proto != FRAME_PROTO_ICMP6 ||
	    p->ip.total <= p->ip.header_len)
		return false;
	type = p->l3[p->ip.header_len];
	return type == FRAME_ICMP6_NS || type == FRAME_ICMP6_NA;
}

void stage_arp_nd(struct worker *w, struct burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct packet *p = &b->pkt[i];

		if (p->verdict != VERDICT_NONE)
			continue;
		if (p->type == FRAME_TYPE_ARP)
			p->verdict = take_arp(w, p);
		else if (is_nd(p))
			p->verdict = take_nd(w, p);
	}
}

static void announce_port(struct worker *w, struct port *port)
{
	struct frame_ip ip = {.dst = ip6_all_nodes};
	uint8_t group_mac[6];

	frame_multicast_mac(group_mac, ip6_all_nodes);
	for (unsigned i = 0; i < port->n_own; i++) {
		const struct config_ip *a = &port->own[i].ip;

		ip.src = a->bytes;
		if (a->family == 4)
			send_arp(w, port, mac_all, a->bytes, NULL, a->bytes);
		else
			send_nd(w, port, group_mac, &ip, a->bytes, FRAME_NA_OVERRIDE);
	}
}

void arp_nd_announce(struct worker *w)
{
	for (uint32_t i = 0; i < w->devices->n_ports; i++)
		if (w->devices->port[i].device != NULL)
			announce_port(w, &w->devices->port[i]);
}

static void give_up(struct worker *w, struct neighbour *e)
{
	worker_count(w, VERDICT_UNSENT_UNRESOLVED, e->n_pending);
	for (unsigned i = 0; i < e->n_pending; i++)
		worker_undelivered(w, e->pending[i]);
	e->n_pending = 0;
	neighbour_change_begin(e);
	e->state = NEIGHBOUR_FAILED;
	e->next_tk = w->now + NEIGHBOUR_HOLD_US;
	neighbour_change_end(e);
}

void arp_nd_tick(struct worker *w)
{
	if (w->neighbours.used == 0)
		return;
	for (unsigned i = 0; i < NEIGHBOUR_SLOTS; i++) {
		struct neighbour *e = &w->neighbours.slot[i];

		if ((e->state != NEIGHBOUR_INCOMPLETE && e->state != NEIGHBOUR_PROBE) ||
		    w->now < e->next_tk)
			continue;
		if (e->probes >= NEIGHBOUR_PROBES) {
			give_up(w, e);
			continue;
		}
		solicit(w, &w->devices->port[e->port], e);
		e->probes++;
		e->next_tk = w->now + NEIGHBOUR_RETRY_US;
	}
}
