// SPDX-License-Identifier: BSD-3-Clause
// Messages from worker to worker. See handoff.h.
#include "dataplane/handoff.h"

#include <errno.h>
#include <stdio.h>

#include <rte_prefetch.h>
#include <rte_ring_elem.h>

#include "dataplane/admit.h"
#include "dataplane/pipeline.h"

#define PREFETCHED 1024 // bytes of a message: thirty-two of them fit in the nearest cache

int handoff_init(struct worker *w)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "verge_handoff%u", w->id);
	w->handoff = rte_ring_create(name, HANDOFF_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "verge_news%u", w->id);
	w->news = rte_ring_create_elem(name, sizeof(struct neighbour_news), HANDOFF_NEWS,
				       SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (w->handoff != NULL && w->news != NULL)
		return 0;
	handoff_free(w);
	return -ENOMEM;
}

void handoff_free(struct worker *w)
{
	rte_ring_free(w->handoff);
	rte_ring_free(w->news);
	w->handoff = w->news = NULL;
}

static void flush_one(struct worker *w, unsigned to)
{
	struct egress *q = &w->to_worker[to];
	unsigned left;
	uint32_t done =
		rte_ring_enqueue_burst(w->workers[to].handoff, mbuf_objects(q->m), q->n, &left);

	w->filling[to] = left < HANDOFF_KEPT;
	stat_add(&w->stats->handed_over, done);
	if (done < q->n) {
		stat_add(&w->stats->drops_handoff_ring, q->n - done);
		worker_count(w, VERDICT_DROP_HANDOFF_FULL, q->n - done);
		rte_pktmbuf_free_bulk(q->m + done, q->n - done);
	}
	q->n = 0;
}

void handoff_put(struct worker *w, unsigned to, struct rte_mbuf *m)
{
	struct egress *q = &w->to_worker[to];

	q->m[q->n++] = m;
	if (q->n == BURST)
		flush_one(w, to);
}

void handoff_flush(struct worker *w)
{
	for (unsigned i = 0; i < w->n_workers; i++)
		if (w->to_worker[i].n != 0)
			flush_one(w, i);
}

bool handoff_filling(struct worker *w, unsigned to)
{
	// The ring is looked at again only while it was found so: its ends belong to other cores.
	if (w->filling[to])
		w->filling[to] = rte_ring_free_count(w->workers[to].handoff) < HANDOFF_KEPT;
	return w->filling[to];
}

// What another worker has read or written lies in its cache: all that the stages will read is
// fetched at once, instead of line after line when they come to it.
static void prefetch(struct rte_mbuf **m, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		rte_prefetch0(m[i]);
		rte_prefetch0(mbuf_priv(m[i]));
		rte_prefetch0(&mbuf_priv(m[i])->flow);
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct sip_buf *buf = &mbuf_priv(m[i])->buf;
		uint32_t bytes = buf->len < PREFETCHED ? buf->len : PREFETCHED;

		for (uint32_t at = 0; at < bytes; at += RTE_CACHE_LINE_SIZE)
			rte_prefetch0(buf->data + at);
	}
}

static uint32_t poll_burst(struct worker *w)
{
	struct rte_mbuf *m[BURST];
	uint32_t n = rte_ring_dequeue_burst(w->handoff, mbuf_objects(m), BURST, NULL);

	if (n == 0)
		return 0;
	w->gave_work = true;
	prefetch(m, n);
	admit_sort(w, n == BURST);
	pipeline_messages(w, m, n);
	return n;
}

void handoff_poll(struct worker *w)
{
	for (unsigned i = 0; i < WORKER_BURSTS; i++)
		if (poll_burst(w) < BURST)
			return;
}
