// SPDX-License-Identifier: BSD-3-Clause
// Binary heap (Williams, 1964) over pointers to embedded nodes.
#include "control/heap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void heap_free(struct heap *h)
{
	free(h->nodes);
	*h = (struct heap){0};
}

static void place(struct heap *h, uint32_t i, struct heap_node *node)
{
	h->nodes[i] = node;
	node->at = i + 1;
}

static void sift_up(struct heap *h, uint32_t i, struct heap_node *node)
{
	while (i != 0 && h->nodes[(i - 1) / 2]->key > node->key) {
		place(h, i, h->nodes[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(h, i, node);
}

static void sift_down(struct heap *h, uint32_t i, struct heap_node *node)
{
	for (uint32_t child = 2 * i + 1; child < h->n; child = 2 * i + 1) {
		if (child + 1 < h->n && h->nodes[child + 1]->key < h->nodes[child]->key)
			child++;
		if (h->nodes[child]->key >= node->key)
			break;
		place(h, i, h->nodes[child]);
		i = child;
	}
	place(h, i, node);
}

static int grow(struct heap *h)
{
	uint32_t cap = h->cap != 0 ? 2 * h->cap : 64;
	struct heap_node **nodes = realloc(h->nodes, cap * sizeof(struct heap_node *));

	if (nodes == NULL)
		return -ENOMEM;
	h->nodes = nodes;
	h->cap = cap;
	return 0;
}

int heap_put(struct heap *h, struct heap_node *node, tick_t key)
{
	tick_t old = node->key;

	if (node->at != 0) {
		assert(h->nodes[node->at - 1] == node);
		node->key = key;
		if (key < old)
			sift_up(h, node->at - 1, node);
		else
			sift_down(h, node->at - 1, node);
		return 0;
	}
	if (h->n == h->cap && grow(h) != 0)
		return -ENOMEM;
	node->key = key;
	sift_up(h, h->n++, node);
	return 0;
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	uint32_t i = node->at - 1;
	struct heap_node *last;

	if (node->at == 0)
		return;
	assert(h->nodes[i] == node);
	node->at = 0;
	last = h->nodes[--h->n];
	if (last == node)
		return;
	if (i != 0 && h->nodes[(i - 1) / 2]->key > last->key)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}
