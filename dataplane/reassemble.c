// SPDX-License-Identifier: BSD-3-Clause
// Fragments become packets. See reassemble.h.
#include "dataplane/reassemble.h"

#include <errno.h>

#include <rte_cycles.h>
#include <rte_ip_frag.h>

#define REASSEMBLE_SECONDS 5

int reassemble_init(struct worker *w)
{
	w->death_row = rte_zmalloc("death_row", sizeof(*w->death_row), 64);
	w->fragments =
		rte_ip_frag_table_create(REASSEMBLE_PACKETS, 8, REASSEMBLE_PACKETS,
					 REASSEMBLE_SECONDS * rte_get_tsc_hz(), SOCKET_ID_ANY);
	if (w->death_row != NULL && w->fragments != NULL)
		return 0;
	reassemble_free(w);
	return -ENOMEM;
}

void reassemble_free(struct worker *w)
{
	if (w->fragments != NULL)
		rte_ip_frag_table_destroy(w->fragments);
	rte_free(w->death_row);
	w->fragments = NULL;
	w->death_row = NULL;
}

// The fragment without what stands around it in the frame, as rte_ip_frag wants it, and in a small
// buffer: it may wait for seconds. NULL: not yet whole.
static struct rte_mbuf *add_fragment(struct worker *w, struct packet *p)
{
	struct rte_mbuf *m = mbuf_shrink(&w->pools, p->m, p->l3, p->ip.total);
	uint64_t tsc = rte_rdtsc();
	uint8_t *l3;

	if (m == p->m) {
		rte_pktmbuf_adj(m, (uint16_t)m->l2_len);
		mbuf_fill(m, p->ip.total);
	}
	l3 = rte_pktmbuf_mtod(m, uint8_t *);
	m->l2_len = 0;
	m->l3_len = p->ip.header_len;
	if (p->ip.family == 4)
		return rte_ipv4_frag_reassemble_packet(w->fragments, w->death_row, m, tsc,
						       (struct rte_ipv4_hdr *)l3);
	return rte_ipv6_frag_reassemble_packet(
		w->fragments, w->death_row, m, tsc, (struct rte_ipv6_hdr *)l3,
		(struct rte_ipv6_fragment_ext *)(l3 + FRAME_IP6_LEN));
}

// The packet in one large buffer of ours; the fragments are freed.
static enum verdict linearise(struct worker *w, struct packet *p, struct rte_mbuf *chain)
{
	uint32_t n = chain->pkt_len;
	struct rte_mbuf *m = NULL;
	const void *first;

	if (n <= MBUF_LARGE_ROOM)
		m = mbuf_get(&w->pools, n);
	if (m == NULL) {
		rte_pktmbuf_free(chain);
		return n <= MBUF_LARGE_ROOM ? VERDICT_DROP_NO_MBUF : VERDICT_DROP_TOO_LONG;
	}
	p->l3 = mbuf_fill(m, n);
	first = rte_pktmbuf_read(chain, 0, n, p->l3);
	if (first != p->l3)
		memcpy(p->l3, first, n);
	rte_pktmbuf_free(chain);
	p->m = m;
	p->l3_len = n;
	p->summed = false;
	p->reassembled = true;
	return p->ip.family == 4 ? frame_ip4_read(&p->ip, p->l3, n)
				 : frame_ip6_read(&p->ip, p->l3, n);
}

static enum verdict take_fragment(struct worker *w, struct packet *p)
{
	struct rte_mbuf *whole;
	enum verdict v;

	// Every fragment but the last carries a multiple of 8 bytes; an empty one says nothing.
	if (p->ip.total <= p->ip.header_len)
		return VERDICT_DROP_FRAGMENT;
	whole = add_fragment(w, p);
	p->m = NULL;
	if (whole == NULL)
		return VERDICT_FRAGMENT_KEPT;
	v = linearise(w, p, whole);
	if (v != VERDICT_NONE)
		return v;
	return p->ip.fragment ? VERDICT_DROP_FRAGMENT : VERDICT_NONE;
}

// What rte_ip_frag has given up: too many fragments, overlapping, or too old.
static void bury(struct worker *w, enum verdict why)
{
	if (w->death_row->cnt == 0)
		return;
	worker_count(w, why, w->death_row->cnt);
	rte_ip_frag_free_death_row(w->death_row, 3);
}

void stage_reassemble(struct worker *w, struct burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct packet *p = &b->pkt[i];

		if (p->verdict == VERDICT_NONE && p->type != FRAME_TYPE_ARP && p->ip.fragment) {
			p->verdict = take_fragment(w, p);
			bury(w, VERDICT_DROP_FRAGMENT);
		}
	}
}

void reassemble_tick(struct worker *w)
{
	rte_ip_frag_table_del_expired_entries(w->fragments, w->death_row, rte_rdtsc());
	bury(w, VERDICT_DROP_FRAGMENT_LATE);
}
