// SPDX-License-Identifier: BSD-3-Clause
// UDP datagrams for the SIP port. See udp.h.
#include "dataplane/udp.h"

#include "dataplane/admit.h"

static void set_flow(struct flow *f, const struct packet *p, const struct frame_udp *u)
{
	size_t n = p->ip.family == 4 ? 4 : 16;

	*f = (struct flow){
		.port = p->port->id,
		.family = p->ip.family,
		.local_udp = u->dst,
		.peer_udp = u->src,
	};
	memcpy(f->local_ip, p->ip.dst, n);
	memcpy(f->peer_ip, p->ip.src, n);
}

static enum verdict take_udp(struct worker *w, struct packet *p)
{
	struct rte_mbuf *m;
	struct flow flow;
	uint8_t *l4 = p->l3 + p->ip.header_len;
	struct frame_udp u;
	enum verdict v;

	if (p->undelivered)
		return VERDICT_NONE;
	if (p->ip.proto != FRAME_PROTO_UDP)
		return VERDICT_DROP_PROTOCOL;
	v = frame_udp_read(&u, l4, p->ip.total - p->ip.header_len);
	if (v != VERDICT_NONE)
		return v;
	set_flow(&flow, p, &u);
	if (u.dst == p->port->sip_port) {
		v = admit_look(w, &flow, slice_of(l4 + FRAME_UDP_LEN, u.len - FRAME_UDP_LEN));
		if (v != VERDICT_NONE)
			return v;
	}
	if (!p->summed && !frame_udp_sum_ok(&p->ip, l4, &u, p->port->device->sum_partial))
		return VERDICT_DROP_UDP_CHECKSUM;
	if (u.dst != p->port->sip_port)
		return VERDICT_DROP_UDP_PORT;
	if (frame_is_keepalive(l4 + FRAME_UDP_LEN, u.len - FRAME_UDP_LEN))
		return VERDICT_KEEPALIVE;
	// The call logic may keep the message for half a minute.
	m = mbuf_shrink(&w->pools, p->m, l4 + FRAME_UDP_LEN, u.len - FRAME_UDP_LEN);
	mbuf_sip_of(m, m == p->m ? l4 + FRAME_UDP_LEN : rte_pktmbuf_mtod(m, uint8_t *),
		    u.len - FRAME_UDP_LEN);
	mbuf_priv(m)->flow = flow;
	mbuf_priv(m)->undelivered = 0;
	p->m = m;
	return VERDICT_NONE;
}

void stage_udp(struct worker *w, struct burst *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (b->pkt[i].verdict == VERDICT_NONE)
			b->pkt[i].verdict = take_udp(w, &b->pkt[i]);
}
