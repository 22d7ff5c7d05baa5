// SPDX-License-Identifier: BSD-3-Clause
// Frames on their way to devices. See egress.h.
#include "dataplane/egress.h"

#include <rte_ethdev.h>
#include <rte_ring.h>

// A device that is busy gets this many chances before the frames are given up: a queue of AF_PACKET
// or memif empties within microseconds or not at all, and retransmission makes up for the rest.
#define EGRESS_TRIES 4

static void egress_drop(struct worker *w, enum verdict why, struct rte_mbuf **m, uint32_t n)
{
	worker_count(w, why, n);
	rte_pktmbuf_free_bulk(m, n);
}

static void send_burst(struct worker *w, struct device *d, struct rte_mbuf **m, uint32_t n)
{
	uint32_t done = 0;

	for (unsigned i = 0; i < EGRESS_TRIES && done < n; i++)
		done += rte_eth_tx_burst(d->dpdk, (uint16_t)w->id, m + done, (uint16_t)(n - done));
	worker_count(w, VERDICT_SENT, done);
	if (done < n)
		egress_drop(w, VERDICT_UNSENT_DRIVER, m + done, n - done);
}

static void egress_device(struct worker *w, struct device *d)
{
	struct egress *e = &w->egress[d->index];
	uint32_t n = e->n, done;

	e->n = 0;
	if (w->id < d->n_txq) {
		send_burst(w, d, e->m, n);
		return;
	}
	done = rte_ring_enqueue_burst(d->tx_ring[w->id % d->n_txq], mbuf_objects(e->m), n, NULL);
	if (done < n) {
		stat_add(&w->stats->drops_tx_ring, n - done);
		egress_drop(w, VERDICT_UNSENT_RING_FULL, e->m + done, n - done);
	}
}

void egress_put(struct worker *w, struct device *d, struct rte_mbuf *m)
{
	struct egress *e = &w->egress[d->index];

	e->m[e->n++] = m;
	if (e->n == BURST)
		egress_device(w, d);
}

void egress_flush(struct worker *w)
{
	for (uint32_t i = 0; i < w->devices->n_devices; i++)
		if (w->egress[i].n != 0)
			egress_device(w, &w->devices->device[i]);
}

static void serve_ring(struct worker *w, struct device *d)
{
	struct rte_mbuf *m[BURST];
	uint32_t n = BURST;

	for (unsigned i = 0; n == BURST && i < WORKER_BURSTS; i++) {
		n = rte_ring_dequeue_burst(d->tx_ring[w->id], mbuf_objects(m), BURST, NULL);
		if (n == 0)
			return;
		w->gave_work = true;
		send_burst(w, d, m, n);
	}
}

void egress_serve(struct worker *w)
{
	for (uint32_t i = 0; i < w->devices->n_devices; i++) {
		struct device *d = &w->devices->device[i];

		if (w->id < d->n_txq && d->tx_ring[w->id] != NULL)
			serve_ring(w, d);
	}
}
