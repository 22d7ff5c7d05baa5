// SPDX-License-Identifier: BSD-3-Clause
// What leaves: headers, fragments, next hop. See compose.h.
#include "dataplane/compose.h"

#include <rte_ethdev.h>

#include "dataplane/arp_nd.h"
#include "dataplane/egress.h"

#define IP4_MORE 0x2000u

static unsigned packet_family(const struct rte_mbuf *m)
{
	return *rte_pktmbuf_mtod(m, const uint8_t *) >> 4;
}

// Put the link header in front of the IP packet and give it to the device.
static void frame_out(struct worker *w, struct port *port, struct rte_mbuf *m, const uint8_t *mac)
{
	uint16_t type = packet_family(m) == 4 ? FRAME_TYPE_IP4 : FRAME_TYPE_IP6;
	unsigned len = frame_ether_len(port->vlan);

	frame_ether_write(mbuf_prepend(m, len), mac, port->device->mac, port->vlan, type);
	m->l2_len = len;
	egress_put(w, port->device, m);
}

// One fragment: `n` bytes of the packet's payload from offset `at`. Options and extension headers
// do not occur: verge wrote the headers.
static struct rte_mbuf *fragment(struct worker *w, const struct rte_mbuf *m, uint32_t at,
				 uint32_t n, bool more)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	bool four = packet_family(m) == 4;
	uint32_t header = four ? FRAME_IP4_LEN : FRAME_IP6_LEN;
	uint32_t out_header = four ? header : header + FRAME_FRAG6_LEN;
	struct rte_mbuf *f = mbuf_get(&w->pools, out_header + n);
	uint8_t *p;

	if (f == NULL)
		return NULL;
	p = mbuf_fill(f, out_header + n);
	memcpy(p, ip, header);
	memcpy(p + out_header, ip + header + at, n);
	if (four) {
		frame_ip4_fragment(p, n, w->ip_id, (uint16_t)(at / 8 | (more ? IP4_MORE : 0)));
		return f;
	}
	frame_put16(p + 4, (uint16_t)(n + FRAME_FRAG6_LEN));
	p[header] = p[6];
	p[header + 1] = 0;
	p[6] = FRAME_PROTO_FRAG6;
	frame_put16(p + header + 2, (uint16_t)(at | (more ? 1 : 0)));
	frame_put32(p + header + 4, (uint32_t)w->id << 16 | w->ip_id);
	return f;
}

static void fragments_out(struct worker *w, struct port *port, struct rte_mbuf *m,
			  const uint8_t *mac)
{
	uint32_t header = packet_family(m) == 4 ? FRAME_IP4_LEN : FRAME_IP6_LEN + FRAME_FRAG6_LEN;
	uint32_t left = m->data_len - (packet_family(m) == 4 ? FRAME_IP4_LEN : FRAME_IP6_LEN);
	uint32_t most = (port->mtu - header) & ~7u, at = 0;

	worker_count(w, VERDICT_SENT_FRAGMENTED, 1);
	w->ip_id++;
	while (left != 0) {
		uint32_t n = left < most ? left : most;
		struct rte_mbuf *f = fragment(w, m, at, n, n < left);

		if (f == NULL) {
			worker_count(w, VERDICT_UNSENT_NO_MBUF, 1);
			break;
		}
		frame_out(w, port, f, mac);
		at += n;
		left -= n;
	}
	rte_pktmbuf_free(m);
}

void compose_to_mac(struct worker *w, struct port *port, struct rte_mbuf *m, const uint8_t *mac)
{
	if (m->pkt_len > port->mtu)
		fragments_out(w, port, m, mac);
	else
		frame_out(w, port, m, mac);
}

void compose_routed(struct worker *w, struct port *port, struct rte_mbuf *m,
		    const struct config_ip *to)
{
	// The gateway may have changed by a reload: the port as the newest snapshot has it.
	const struct config_ip *hop = config_port_next_hop(&w->config->ports[port->id], to);
	struct neighbour *e;

	if (hop == NULL) {
		worker_count(w, VERDICT_UNSENT_NO_ROUTE, 1);
		worker_undelivered(w, m);
		return;
	}
	e = arp_nd_resolve(w, port, hop);
	if (e == NULL || e->state == NEIGHBOUR_FAILED) {
		worker_count(w,
			     e == NULL ? VERDICT_UNSENT_NEIGHBOUR_FULL : VERDICT_UNSENT_UNRESOLVED,
			     1);
		worker_undelivered(w, m);
		return;
	}
	if (e->state != NEIGHBOUR_INCOMPLETE) {
		compose_to_mac(w, port, m, e->mac);
		return;
	}
	m = neighbour_wait(e, m);
	if (m != NULL) {
		worker_count(w, VERDICT_UNSENT_QUEUE_FULL, 1);
		rte_pktmbuf_free(m);
	}
}

// IP and UDP headers in front of the message, which is m's data.
static void headers(struct rte_mbuf *m, const struct flow *flow, const struct port *port)
{
	struct frame_ip ip = {.src = flow->local_ip, .dst = flow->peer_ip, .family = flow->family};
	uint32_t len = m->data_len;
	uint32_t ip_len = flow->family == 4 ? FRAME_IP4_LEN : FRAME_IP6_LEN;
	// A device completes checksums of whole packets only.
	bool by_device = port->device->udp_sum_tx && FRAME_UDP_LEN + ip_len + len <= port->mtu;
	uint8_t *p = mbuf_prepend(m, ip_len + FRAME_UDP_LEN);

	frame_udp_write(p + ip_len, &ip, flow->local_udp, flow->peer_udp, len, !by_device);
	if (flow->family == 4)
		frame_ip4_write(p, ip.src, ip.dst, FRAME_PROTO_UDP, FRAME_UDP_LEN + len);
	else
		frame_ip6_write(p, ip.src, ip.dst, FRAME_PROTO_UDP, FRAME_UDP_LEN + len);
	m->ol_flags = 0;
	if (by_device)
		m->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM |
			      (flow->family == 4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
	m->l3_len = ip_len;
}

static struct rte_mbuf *copy_of(struct worker *w, const struct sip_buf *buf)
{
	struct rte_mbuf *m = mbuf_get(&w->pools, buf->len);

	if (m == NULL)
		return NULL;
	memcpy(mbuf_fill(m, buf->len), buf->data, buf->len);
	return m;
}

// The message as an mbuf that may be given away; takes the reference of buf. What the driver still
// holds must not be written to: its copy goes. So does a message with too little room before it.
static struct rte_mbuf *message_mbuf(struct worker *w, struct sip_buf *buf)
{
	struct rte_mbuf *m = mbuf_of(buf);
	const uint8_t *start = m->buf_addr;

	if (rte_mbuf_refcnt_read(m) > 1 || m->nb_segs != 1 ||
	    buf->data - start < FRAME_HEADERS_MAX) {
		m = copy_of(w, buf);
		mbuf_sip_unref(buf);
		worker_count(w, m != NULL ? VERDICT_SENT_COPIED : VERDICT_UNSENT_NO_MBUF, 1);
		return m;
	}
	m->data_off = (uint16_t)(buf->data - start);
	mbuf_fill(m, buf->len);
	// The driver's reference. Where the call logic has none left, ours becomes it.
	if (--buf->refs != 0)
		rte_mbuf_refcnt_update(m, 1);
	return m;
}

void compose_message(struct worker *w, struct sip_buf *buf, const struct flow *flow)
{
	struct config_ip to = {.family = flow->family};
	struct port *port;
	struct rte_mbuf *m;

	if (flow->port >= w->devices->n_ports || w->devices->port[flow->port].device == NULL ||
	    (flow->family != 4 && flow->family != 6)) {
		worker_count(w, VERDICT_UNSENT_NO_PORT, 1);
		mbuf_sip_unref(buf);
		return;
	}
	if (buf->len > MBUF_LARGE_ROOM) {
		worker_count(w, VERDICT_UNSENT_TOO_LONG, 1);
		mbuf_sip_unref(buf);
		return;
	}
	port = &w->devices->port[flow->port];
	m = message_mbuf(w, buf);
	if (m == NULL)
		return;
	headers(m, flow, port);
	memcpy(to.bytes, flow->peer_ip, sizeof(to.bytes));
	compose_routed(w, port, m, &to);
}
