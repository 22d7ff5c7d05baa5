// SPDX-License-Identifier: BSD-3-Clause
// Next hops of one worker. See neighbour.h.
#include "dataplane/neighbour.h"

#include <string.h>

// Next hops are few and come from the configuration or from peers of trunks: nobody outside gains
// by choosing addresses that collide, an entry in use is never evicted.
static struct neighbour *bucket_of(struct neighbours *n, unsigned port, const struct config_ip *ip)
{
	uint64_t word[2], h;

	memcpy(word, ip->bytes, sizeof(word));
	h = (word[0] ^ (word[1] << 1) ^ port) * UINT64_C(0x9e3779b97f4a7c15);
	return &n->slot[(h >> 32) % (NEIGHBOUR_SLOTS / NEIGHBOUR_WAYS) * NEIGHBOUR_WAYS];
}

static bool entry_is(const struct neighbour *e, unsigned port, const struct config_ip *ip)
{
	uint64_t a[2], b[2]; // two words are compared in less than a call of memcmp()

	static_assert(sizeof(ip->bytes) == sizeof(a), "two words an address");
	memcpy(a, e->ip.bytes, sizeof(a));
	memcpy(b, ip->bytes, sizeof(b));
	return e->state != NEIGHBOUR_FREE && e->port == port && e->ip.family == ip->family &&
	       ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
}

struct neighbour *neighbour_find(struct neighbours *n, unsigned port, const struct config_ip *ip)
{
	struct neighbour *e = bucket_of(n, port, ip);

	for (unsigned i = 0; i < NEIGHBOUR_WAYS; i++, e++)
		if (entry_is(e, port, ip))
			return e;
	return NULL;
}

static bool may_make_room(const struct neighbour *e, tick_t now)
{
	return e->n_pending == 0 &&
	       (e->state == NEIGHBOUR_FAILED || now - e->used_tk > NEIGHBOUR_UNUSED_US);
}

struct neighbour *neighbour_get(struct neighbours *n, unsigned port, const struct config_ip *ip,
				tick_t now)
{
	struct neighbour *e = bucket_of(n, port, ip), *room = NULL;

	for (unsigned i = 0; i < NEIGHBOUR_WAYS; i++, e++) {
		if (entry_is(e, port, ip))
			return e;
		if (e->state == NEIGHBOUR_FREE || (room == NULL && may_make_room(e, now)))
			room = e;
	}
	if (room == NULL)
		return NULL;
	if (room->state == NEIGHBOUR_FREE)
		n->used++;
	neighbour_change_begin(room);
	room->state = NEIGHBOUR_INCOMPLETE;
	room->port = (uint8_t)port;
	room->ip = *ip;
	room->probes = room->n_pending = 0;
	memset(room->mac, 0, sizeof(room->mac));
	room->confirmed_tk = 0;
	room->used_tk = room->next_tk = now;
	neighbour_change_end(room);
	return room;
}

struct rte_mbuf *neighbour_wait(struct neighbour *e, struct rte_mbuf *m)
{
	struct rte_mbuf *oldest = NULL;

	if (e->n_pending == NEIGHBOUR_PENDING) {
		oldest = e->pending[0];
		memmove(e->pending, e->pending + 1, sizeof(e->pending) - sizeof(e->pending[0]));
		e->n_pending--;
	}
	e->pending[e->n_pending++] = m;
	return oldest;
}

void neighbour_change_begin(struct neighbour *e)
{
	// relaxed: only this thread writes. The fence keeps later writes behind the odd number.
	atomic_store_explicit(&e->sequence,
			      atomic_load_explicit(&e->sequence, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

void neighbour_change_end(struct neighbour *e)
{
	// release: pairs with the acquire in neighbour_copy(); what was written is seen before it.
	atomic_store_explicit(&e->sequence,
			      atomic_load_explicit(&e->sequence, memory_order_relaxed) + 1,
			      memory_order_release);
}

bool neighbour_copy(const struct neighbours *n, unsigned i, struct neighbour *out)
{
	const struct neighbour *e = &n->slot[i];
	uint32_t before, after;

	do {
		// acquire: pairs with neighbour_change_end().
		before = atomic_load_explicit(&e->sequence, memory_order_acquire);
		memcpy((uint8_t *)out + sizeof(out->sequence),
		       (const uint8_t *)e + sizeof(out->sequence),
		       offsetof(struct neighbour, pending) - sizeof(out->sequence));
		// The copy is done before the number is read again.
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&e->sequence, memory_order_relaxed);
	} while (before != after || (before & 1) != 0);
	return out->state != NEIGHBOUR_FREE;
}
