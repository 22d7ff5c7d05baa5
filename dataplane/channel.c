// SPDX-License-Identifier: BSD-3-Clause
// Messages between a worker and control. See channel.h.
#include "dataplane/channel.h"

#include <errno.h>
#include <string.h>

#include <rte_ring_elem.h>

#include "dataplane/memory.h"
#include "stat/stat.h"

int channel_open(struct channel *c, const char *name, uint32_t size, uint32_t ring, uint32_t over)
{
	*c = (struct channel){.size = size, .over_max = over};
	c->ring = rte_ring_create_elem(name, size, ring, SOCKET_ID_ANY,
				       RING_F_SP_ENQ | RING_F_SC_DEQ);
	c->over = memory_lazy((uint64_t)size * over);
	if (c->ring != NULL && c->over != NULL)
		return 0;
	channel_close(c);
	return -ENOMEM;
}

void channel_close(struct channel *c)
{
	rte_ring_free(c->ring);
	memory_free(c->over, (uint64_t)c->size * c->over_max);
	*c = (struct channel){0};
}

void channel_push(struct channel *c)
{
	while (c->n != 0) {
		uint32_t run = c->over_max - c->head < c->n ? c->over_max - c->head : c->n;
		uint32_t done = rte_ring_enqueue_burst_elem(
			c->ring, c->over + (uint64_t)c->head * c->size, c->size, run, NULL);

		c->head = (c->head + done) % c->over_max;
		c->n -= done;
		if (done < run)
			return;
	}
}

static void wait_one(struct channel *c, const uint8_t *message)
{
	uint32_t at = (uint32_t)(((uint64_t)c->head + c->n) % c->over_max);

	if (c->n == c->over_max) {
		stat_add(&c->lost, 1);
		return;
	}
	memcpy(c->over + (uint64_t)at * c->size, message, c->size);
	c->n++;
	stat_add(&c->late, 1);
}

void channel_put(struct channel *c, const void *messages, uint32_t n)
{
	const uint8_t *p = messages;
	uint32_t done = 0;

	channel_push(c);
	if (c->n == 0 && n != 0)
		done = rte_ring_enqueue_burst_elem(c->ring, p, c->size, n, NULL);
	for (; done < n; done++)
		wait_one(c, p + (uint64_t)done * c->size);
}

uint32_t channel_get(struct channel *c, void *messages, uint32_t max)
{
	return rte_ring_dequeue_burst_elem(c->ring, messages, c->size, max, NULL);
}

uint32_t channel_count(const struct channel *c)
{
	return rte_ring_count(c->ring);
}
