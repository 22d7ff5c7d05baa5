// SPDX-License-Identifier: BSD-3-Clause
// Packet buffers. See mbuf.h.
#include "dataplane/mbuf.h"

#include <errno.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#define MBUF_CACHE 256

static_assert(sizeof(struct mbuf_priv) % RTE_MBUF_PRIV_ALIGN == 0, "private areas are aligned");
static_assert(offsetof(struct mbuf_priv, buf) == 0, "mbuf_of() goes straight back");

static struct rte_mempool *pool_create(const char *name, unsigned n, unsigned room)
{
	return rte_pktmbuf_pool_create(name, n, n < 2 * MBUF_CACHE ? 0 : MBUF_CACHE,
				       sizeof(struct mbuf_priv), RTE_PKTMBUF_HEADROOM + room,
				       SOCKET_ID_ANY);
}

int mbuf_pools_create(struct mbuf_pools *pools, unsigned small, unsigned large)
{
	pools->small = pool_create("verge_small", small, MBUF_SMALL_ROOM);
	pools->large = pool_create("verge_large", large, MBUF_LARGE_ROOM);
	if (pools->small != NULL && pools->large != NULL)
		return 0;
	mbuf_pools_free(pools);
	return -ENOMEM;
}

void mbuf_pools_free(struct mbuf_pools *pools)
{
	rte_mempool_free(pools->small);
	rte_mempool_free(pools->large);
	pools->small = pools->large = NULL;
}

bool mbuf_pools_scarce(const struct mbuf_pools *pools)
{
	return rte_mempool_avail_count(pools->small) < MBUF_SMALL_KEPT ||
	       rte_mempool_avail_count(pools->large) < MBUF_LARGE_KEPT;
}

// With ordinary pages DPDK lets no object cross a page unless it is longer than one.
static uint64_t object_bytes(uint64_t bytes, bool hugepages)
{
	uint64_t page = hugepages ? 1 : 4096;

	if (bytes >= page)
		return (bytes + page - 1) / page * page;
	return page / (page / bytes);
}

uint64_t mbuf_pools_bytes(unsigned small, unsigned large, bool hugepages)
{
	const uint64_t each = sizeof(struct rte_mbuf) + sizeof(struct mbuf_priv) +
			      RTE_PKTMBUF_HEADROOM +
			      192; // header, trailer, padding between objects

	return small * object_bytes(each + MBUF_SMALL_ROOM, hugepages) +
	       large * object_bytes(each + MBUF_LARGE_ROOM, hugepages);
}

struct rte_mbuf *mbuf_get(const struct mbuf_pools *pools, uint32_t size)
{
	struct rte_mbuf *m = NULL;

	if (size <= MBUF_SMALL_ROOM)
		m = rte_pktmbuf_alloc(pools->small);
	if (m == NULL && size <= MBUF_LARGE_ROOM)
		m = rte_pktmbuf_alloc(pools->large);
	return m;
}

struct rte_mbuf *mbuf_shrink(const struct mbuf_pools *pools, struct rte_mbuf *m,
			     const uint8_t *data, uint32_t n)
{
	struct rte_mbuf *s;

	if (m->pool == pools->small || n > MBUF_SMALL_ROOM)
		return m;
	s = rte_pktmbuf_alloc(pools->small);
	if (s == NULL)
		return m;
	memcpy(mbuf_fill(s, n), data, n);
	rte_pktmbuf_free(m);
	return s;
}

struct sip_buf *mbuf_sip_of(struct rte_mbuf *m, uint8_t *data, uint32_t len)
{
	struct sip_buf *buf = &mbuf_priv(m)->buf;

	*buf = (struct sip_buf){
		.len = len,
		.cap = (uint32_t)((uint8_t *)m->buf_addr + m->buf_len - data),
		.refs = 1,
	};
	buf->data = data;
	return buf;
}

struct sip_buf *mbuf_sip_get(const struct mbuf_pools *pools, uint32_t size)
{
	struct rte_mbuf *m = mbuf_get(pools, size);

	return m != NULL ? mbuf_sip_of(m, rte_pktmbuf_mtod(m, uint8_t *), 0) : NULL;
}

void mbuf_sip_unref(struct sip_buf *buf)
{
	if (--buf->refs == 0)
		rte_pktmbuf_free(mbuf_of(buf));
}
