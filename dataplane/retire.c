// SPDX-License-Identifier: BSD-3-Clause
// Leg texts after their use. See retire.h.
#include "dataplane/retire.h"

#include <errno.h>

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "dataplane/arena.h"
#include "dataplane/memory.h"
#include "stat/stat.h"

int retire_init(struct retire *r, struct arena *arena, uint32_t max)
{
	size_t size = rte_rcu_qsbr_get_memsize(RETIRE_READERS);

	*r = (struct retire){.arena = arena, .max = max};
	r->qsbr = rte_zmalloc("retire", size, RTE_CACHE_LINE_SIZE);
	r->fifo = memory_lazy((uint64_t)max * sizeof(r->fifo[0]));
	if (r->qsbr == NULL || r->fifo == NULL || rte_rcu_qsbr_init(r->qsbr, RETIRE_READERS) != 0 ||
	    rte_rcu_qsbr_thread_register(r->qsbr, 0) != 0) {
		retire_free(r);
		return -ENOMEM;
	}
	return 0;
}

void retire_free(struct retire *r)
{
	memory_free(r->fifo, (uint64_t)r->max * sizeof(r->fifo[0]));
	rte_free(r->qsbr);
	*r = (struct retire){0};
}

void retire_text(struct retire *r, void *text, uint32_t size)
{
	if (r->n == r->max && retire_poll(r, r->max) == r->max) {
		stat_add(&r->leaked, 1);
		return;
	}
	r->fifo[(r->head + r->n++) % r->max] = (struct retired){text, size, 0};
	r->fresh++;
}

// One grace period for all that were retired since the one before: beginning one is a locked
// instruction, which waits for all stores before it.
static void begin_grace(struct retire *r)
{
	uint64_t token;

	if (r->fresh == 0)
		return;
	token = rte_rcu_qsbr_start(r->qsbr);
	for (; r->fresh != 0; r->fresh--)
		r->fifo[(r->head + r->n - r->fresh) % r->max].token = token;
}

uint32_t retire_poll(struct retire *r, uint32_t max)
{
	begin_grace(r);
	for (; max != 0 && r->n != 0; max--) {
		const struct retired *oldest = &r->fifo[r->head];

		if (rte_rcu_qsbr_check(r->qsbr, oldest->token, false) != 1)
			break;
		arena_free(r->arena, oldest->text, oldest->size);
		r->head = (r->head + 1) % r->max;
		r->n--;
	}
	if (r->n == 0)
		r->head = 0; // the same few lines are used again and again
	return r->n;
}

void retire_read_begin(struct retire *r)
{
	rte_rcu_qsbr_thread_online(r->qsbr, 0);
}

void retire_read_end(struct retire *r)
{
	rte_rcu_qsbr_thread_offline(r->qsbr, 0);
}
