// SPDX-License-Identifier: BSD-3-Clause
// Frames from a queue of a device. See rx.h.
#include "dataplane/rx.h"

#include <rte_ethdev.h>
#include <rte_prefetch.h>

uint32_t rx_poll(struct worker *, const struct rx_queue *q, struct burst *b)
{
	struct rte_mbuf *m[BURST];

	b->n = rte_eth_rx_burst(q->device->dpdk, q->queue, m, BURST);
	for (uint32_t i = 0; i < b->n; i++) {
		struct packet *p = &b->pkt[i];

		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
		p->m = m[i];
		p->port = q->device->ports[0]; // stage_link finds the one of the tag
		p->verdict = VERDICT_NONE;
		p->reassembled = false;
		p->ip = (struct frame_ip){0};
	}
	return b->n;
}
