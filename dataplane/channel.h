// SPDX-License-Identifier: BSD-3-Clause
// One direction between a worker and control: fixed-size messages through a ring, and what finds
// the ring full waits at the producer, in order, until there is room. Nothing is lost but where
// that waiting room is full as well, and then it is counted. Threads: one producer, one consumer.
// Memory of the waiting room is taken from the system only as it is used.
#pragma once

#include <stdint.h>

struct rte_ring;

struct channel {
	struct rte_ring *ring;
	uint32_t size;	   // bytes of a message, multiple of 4
	uint32_t over_max; // messages that the waiting room holds
	uint32_t head, n;  // P: producer; first waiting message and how many wait
	uint8_t *over;
	uint64_t lost; // P: producer, R: anybody (relaxed)
	uint64_t late; // messages that had to wait; the same
};

// ring - power of two. Errors: -ENOMEM. Control thread.
int channel_open(struct channel *c, const char *name, uint32_t size, uint32_t ring, uint32_t over);
void channel_close(struct channel *c); // fine on a zeroed one

// Producer: send n messages, first what waits. channel_push() without new ones.
void channel_put(struct channel *c, const void *messages, uint32_t n);
void channel_push(struct channel *c);
// Producer: messages that wait for room in the ring.
static inline uint32_t channel_waiting(const struct channel *c)
{
	return c->n;
}
// Consumer: up to max messages; returns how many.
uint32_t channel_get(struct channel *c, void *messages, uint32_t max);
// Any thread: messages in the ring now.
uint32_t channel_count(const struct channel *c);
