// SPDX-License-Identifier: BSD-3-Clause
// Packet buffers: two pools, and the struct sip_buf that each buffer carries in its private area.
// sip_buf.refs counts the references of the call logic and belongs to one worker; together they
// hold one reference of the mbuf. Drivers and queues hold further ones (atomic), so that a message
// may be in a driver's queue and kept for retransmission at once.
#pragma once

#include <assert.h>

#include <rte_mbuf.h>

#include "base/sip_buf.h"

#define MBUF_SMALL_ROOM 2048  // bytes of a message, and of a received frame
#define MBUF_LARGE_ROOM 16384 // longest message
#define MBUF_SMALL_KEPT 4096  // the last ones are not for new calls
#define MBUF_LARGE_KEPT 512

struct mbuf_priv {
	struct sip_buf buf;
	struct flow flow;     // of a received message
	uint32_t undelivered; // 1: no message, but the first bytes of one of ours that came to
			      // nobody
};

struct mbuf_pools {
	struct rte_mempool *small, *large;
};

static inline struct mbuf_priv *mbuf_priv(struct rte_mbuf *m)
{
	return (struct mbuf_priv *)rte_mbuf_to_priv(m);
}

static inline struct rte_mbuf *mbuf_of(struct sip_buf *buf)
{
	return RTE_PTR_SUB(buf, sizeof(struct rte_mbuf));
}

// Arrays of mbufs as rings want them.
static inline void **mbuf_objects(struct rte_mbuf **m)
{
	return (void **)m;
}

// Make n bytes the content of an empty mbuf that has room for them.
static inline uint8_t *mbuf_fill(struct rte_mbuf *m, uint32_t n)
{
	m->data_len = (uint16_t)n;
	m->pkt_len = n;
	return rte_pktmbuf_mtod(m, uint8_t *);
}

// n more bytes in front; the room is there (FRAME_HEADERS_MAX before every message).
static inline uint8_t *mbuf_prepend(struct rte_mbuf *m, uint32_t n)
{
	assert(m->data_off >= n && m->nb_segs == 1);
	m->data_off = (uint16_t)(m->data_off - n);
	return mbuf_fill(m, m->data_len + n);
}

// Make the two pools.
// In:  small, large - buffers of each.
// Errors: -ENOMEM.
int mbuf_pools_create(struct mbuf_pools *pools, unsigned small, unsigned large);
void mbuf_pools_free(struct mbuf_pools *pools);
// Bytes of memory that they take, from hugepages or from ordinary ones.
uint64_t mbuf_pools_bytes(unsigned small, unsigned large, bool hugepages);

// Whether so few are left that they are for calls that are there, and for receiving: what is new is
// to be refused. Looks at every core's cache: about a microsecond.
bool mbuf_pools_scarce(const struct mbuf_pools *pools);

// A buffer with room for `size` bytes behind the headroom; NULL when there is none left or size is
// above MBUF_LARGE_ROOM.
struct rte_mbuf *mbuf_get(const struct mbuf_pools *pools, uint32_t size);

// n bytes of m, from data on, in a small buffer if they came in a large one that they do not need:
// who keeps them for long shall not keep that. m is freed then, and the new one holds just these
// bytes; else m itself, unchanged.
struct rte_mbuf *mbuf_shrink(const struct mbuf_pools *pools, struct rte_mbuf *m,
			     const uint8_t *data, uint32_t n);

// As mbuf_get(), as a message buffer: refs 1, data behind the headroom, len 0.
struct sip_buf *mbuf_sip_get(const struct mbuf_pools *pools, uint32_t size);
// Make the bytes of a received mbuf a message with refs 1.
struct sip_buf *mbuf_sip_of(struct rte_mbuf *m, uint8_t *data, uint32_t len);
// Take one reference of a message away; the last one gives the buffer back.
void mbuf_sip_unref(struct sip_buf *buf);
