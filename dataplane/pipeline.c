// SPDX-License-Identifier: BSD-3-Clause
// The order of the stages. See pipeline.h.
#include "dataplane/pipeline.h"

#include <errno.h>

#include <rte_common.h>

#include "dataplane/admit.h"
#include "dataplane/arp_nd.h"
#include "dataplane/call.h"
#include "dataplane/classify.h"
#include "dataplane/icmp.h"
#include "dataplane/link.h"
#include "dataplane/reassemble.h"
#include "dataplane/steer.h"
#include "dataplane/udp.h"

static const struct link_stage link_stages[] = {
	{"link", stage_link},	  {"reassemble", stage_reassemble},
	{"arp_nd", stage_arp_nd}, {"icmp", stage_icmp},
	{"udp", stage_udp},	  {"steer", stage_steer},
};

static const struct sip_stage sip_stages[] = {
	{"classify", stage_classify},
	{"call", stage_call},
};

const struct pipeline pipeline_verge = {
	.link = link_stages,
	.n_link = RTE_DIM(link_stages),
	.sip = sip_stages,
	.n_sip = RTE_DIM(sip_stages),
};

const struct pipeline pipeline_link = {
	.link = link_stages,
	.n_link = RTE_DIM(link_stages),
};

static void run_messages(struct worker *w)
{
	struct sip_burst *b = w->sip;

	if (b->n == 0)
		return;
	for (unsigned s = 0; s < w->pipeline->n_sip; s++)
		w->pipeline->sip[s].run(w, b);
	for (uint32_t i = 0; i < b->n; i++) {
		worker_count(w, b->verdict[i], 1);
		mbuf_sip_unref(b->rx[i].buf);
	}
	b->n = 0;
}

void pipeline_take(struct worker *w, struct rte_mbuf *m)
{
	struct sip_burst *b = w->sip;
	struct mbuf_priv *priv = mbuf_priv(m);

	if (admit_defer(w, m))
		return;
	b->error[b->n] = priv->undelivered != 0 ? -EHOSTUNREACH : 0;
	b->verdict[b->n] = VERDICT_NONE;
	b->rx[b->n].buf = &priv->buf;
	b->rx[b->n].flow = priv->flow;
	b->n++;
}

void pipeline_frames(struct worker *w, struct burst *b)
{
	struct rte_mbuf *done[BURST];
	uint32_t n = 0;

	for (unsigned s = 0; s < w->pipeline->n_link; s++)
		w->pipeline->link[s].run(w, b);
	for (uint32_t i = 0; i < b->n; i++) {
		if (b->pkt[i].verdict == VERDICT_NONE)
			continue; // a message: counted by whoever handles it
		worker_count(w, b->pkt[i].verdict, 1);
		if (b->pkt[i].m != NULL)
			done[n++] = b->pkt[i].m;
	}
	rte_pktmbuf_free_bulk(done, n);
	stat_add(&w->stats->bursts, 1);
	run_messages(w);
}

void pipeline_messages(struct worker *w, struct rte_mbuf **m, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		pipeline_take(w, m[i]);
	run_messages(w);
}
