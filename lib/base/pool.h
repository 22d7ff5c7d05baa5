// SPDX-License-Identifier: BSD-3-Clause
// A stack of free record indices over an array that the caller owns.
// One thread. Last freed is first reused, so the warm record comes back.
#pragma once

#include <stdint.h>

#define POOL_NONE UINT32_MAX

struct pool {
	uint32_t *free; // [cap] indices not in use, the next one at free[n_free - 1]
	uint32_t n_free;
	uint32_t cap;
};

// free_mem holds cap entries of 4 bytes and stays the caller's.
static inline void pool_init(struct pool *p, uint32_t *free_mem, uint32_t cap)
{
	p->free = free_mem;
	p->cap = cap;
	p->n_free = cap;
	for (uint32_t i = 0; i < cap; i++)
		free_mem[i] = cap - 1 - i;
}

// POOL_NONE when empty.
static inline uint32_t pool_get(struct pool *p)
{
	return p->n_free != 0 ? p->free[--p->n_free] : POOL_NONE;
}

static inline void pool_put(struct pool *p, uint32_t index)
{
	p->free[p->n_free++] = index;
}

static inline uint32_t pool_used(const struct pool *p)
{
	return p->cap - p->n_free;
}
