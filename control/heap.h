// SPDX-License-Identifier: BSD-3-Clause
// A binary heap of things that carry their own node: earliest key first, removal from the middle.
// One thread. Keys that are equal leave in no particular order.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tick.h"

struct heap_node {
	tick_t key;
	uint32_t at; // place in the heap plus 1; 0 = in no heap
};

struct heap {
	struct heap_node **nodes; // [cap], n used
	uint32_t n, cap;
};

// All zero is an empty heap.
void heap_free(struct heap *h);

// Put in, or move, node to key. O(log n). -ENOMEM: the node is where it was before.
int heap_put(struct heap *h, struct heap_node *node, tick_t key);

// Take out; does nothing if the node is in no heap. A node in another heap is our bug.
void heap_remove(struct heap *h, struct heap_node *node);

static inline struct heap_node *heap_top(const struct heap *h)
{
	return h->n != 0 ? h->nodes[0] : NULL;
}

static inline tick_t heap_next(const struct heap *h)
{
	return h->n != 0 ? h->nodes[0]->key : TICK_NEVER;
}

static inline bool heap_has(const struct heap_node *node)
{
	return node->at != 0;
}
