// SPDX-License-Identifier: BSD-3-Clause
// From a frame to a packet for one of our ports. See link.h.
#include "dataplane/link.h"

#include <rte_mbuf.h>

// The group of all nodes and those of solicited nodes; the target inside decides whether it is for
// us.
static bool is_nd_group(const uint8_t *ip)
{
	static const uint8_t solicited[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};

	return memcmp(ip, solicited, sizeof(solicited)) == 0 ||
	       memcmp(ip, all_nodes, sizeof(all_nodes)) == 0;
}

static enum verdict read_ip4(struct packet *p)
{
	enum verdict v = frame_ip4_read(&p->ip, p->l3, p->l3_len);
	uint64_t state = p->m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;

	if (v != VERDICT_NONE)
		return v;
	if (state != RTE_MBUF_F_RX_IP_CKSUM_GOOD && !frame_ip4_sum_ok(p->l3, &p->ip))
		return VERDICT_DROP_IP_CHECKSUM;
	return port_is_own(p->port, 4, p->ip.dst) ? VERDICT_NONE : VERDICT_DROP_NOT_OUR_IP;
}

static enum verdict read_ip6(struct packet *p)
{
	enum verdict v = frame_ip6_read(&p->ip, p->l3, p->l3_len);

	if (v != VERDICT_NONE)
		return v;
	if (port_is_own(p->port, 6, p->ip.dst) ||
	    (p->ip.proto == FRAME_PROTO_ICMP6 && !p->ip.fragment && is_nd_group(p->ip.dst)))
		return VERDICT_NONE;
	return VERDICT_DROP_NOT_OUR_IP;
}

static enum verdict read_frame(struct packet *p)
{
	const struct device *d = p->port->device; // set by stage_rx: any port of the device
	struct frame_ether e;
	enum verdict v;

	if (p->m->nb_segs != 1)
		return VERDICT_DROP_TOO_LONG;
	v = frame_ether_read(&e, rte_pktmbuf_mtod(p->m, const uint8_t *), p->m->data_len);
	if (v != VERDICT_NONE)
		return v;
	if ((p->m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0)
		e.vlan = p->m->vlan_tci & 0x0fff;
	p->port = port_by_vlan(d, e.vlan);
	if (p->port == NULL)
		return VERDICT_DROP_VLAN;
	// A kernel interface also shows what its own stack sends.
	if (memcmp(e.src, d->mac, sizeof(d->mac)) == 0)
		return VERDICT_DROP_OWN_MAC;
	if ((e.dst[0] & 1) == 0 && memcmp(e.dst, d->mac, sizeof(d->mac)) != 0)
		return VERDICT_DROP_NOT_OUR_MAC;
	memcpy(p->mac, e.src, sizeof(p->mac));
	p->type = e.type;
	p->l3 = rte_pktmbuf_mtod_offset(p->m, uint8_t *, e.len);
	p->l3_len = p->m->data_len - e.len;
	p->m->l2_len = e.len;
	if (e.type == FRAME_TYPE_IP4)
		return read_ip4(p);
	if (e.type == FRAME_TYPE_IP6)
		return read_ip6(p);
	return e.type == FRAME_TYPE_ARP ? VERDICT_NONE : VERDICT_DROP_ETHERTYPE;
}

void stage_link(struct worker *, struct burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct packet *p = &b->pkt[i];

		p->undelivered = false;
		p->verdict = read_frame(p);
		p->summed = (p->m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) ==
			    RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	}
}
