// SPDX-License-Identifier: BSD-3-Clause
// What the wheel is measured beside: the classic cascading wheel of four levels of 256 slots,
// linked lists, 10 ms ticks. Each time a level wraps, a whole slot of the next one is moved at
// once.
#pragma once

#include <stdint.h>

#define CASCADE_TICK_US 10000
#define CASCADE_NONE	UINT32_MAX

struct cascade_node {
	uint32_t tick, slot, next, prev; // slot: CASCADE_NONE when not armed
};

struct cascade {
	uint32_t now;
	uint32_t heads[4 * 256];
	struct cascade_node *nodes;
};

static inline void cascade_init(struct cascade *c, struct cascade_node *nodes, uint32_t n)
{
	c->now = 0;
	c->nodes = nodes;
	for (unsigned i = 0; i < 4 * 256; i++)
		c->heads[i] = CASCADE_NONE;
	for (uint32_t i = 0; i < n; i++)
		nodes[i].slot = CASCADE_NONE;
}

static inline void cascade_link(struct cascade *c, uint32_t id)
{
	struct cascade_node *node = &c->nodes[id];
	uint32_t ahead = node->tick - c->now;
	unsigned level = (ahead >= 1U << 8) + (ahead >= 1U << 16) + (ahead >= 1U << 24);

	node->slot = level * 256 + (node->tick >> (8 * level) & 255);
	node->next = c->heads[node->slot];
	node->prev = CASCADE_NONE;
	if (node->next != CASCADE_NONE)
		c->nodes[node->next].prev = id;
	c->heads[node->slot] = id;
}

static inline void cascade_cancel(struct cascade *c, uint32_t id)
{
	struct cascade_node *node = &c->nodes[id];

	if (node->slot == CASCADE_NONE)
		return;
	if (node->next != CASCADE_NONE)
		c->nodes[node->next].prev = node->prev;
	if (node->prev != CASCADE_NONE)
		c->nodes[node->prev].next = node->next;
	else
		c->heads[node->slot] = node->next;
	node->slot = CASCADE_NONE;
}

static inline void cascade_arm(struct cascade *c, uint32_t id, uint32_t tick)
{
	cascade_cancel(c, id);
	c->nodes[id].tick = tick;
	cascade_link(c, id);
}

// One tick: cascade where a level wraps, then fire. Returns how many fired.
static inline uint32_t cascade_step(struct cascade *c)
{
	uint32_t fired = 0;

	c->now++;
	for (unsigned level = 1; level < 4; level++) {
		if ((c->now & ((1U << (8 * level)) - 1)) != 0)
			break;
		uint32_t *head = &c->heads[level * 256 + (c->now >> (8 * level) & 255)];
		uint32_t id = *head;
		*head = CASCADE_NONE;
		while (id != CASCADE_NONE) {
			uint32_t next = c->nodes[id].next;
			cascade_link(c, id);
			id = next;
		}
	}
	uint32_t *head = &c->heads[c->now & 255];
	for (uint32_t id = *head; id != CASCADE_NONE; id = c->nodes[id].next) {
		c->nodes[id].slot = CASCADE_NONE;
		fired++;
	}
	*head = CASCADE_NONE;
	return fired;
}
