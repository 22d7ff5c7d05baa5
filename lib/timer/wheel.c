// SPDX-License-Identifier: BSD-3-Clause
// Hierarchical timing wheel (Varghese and Lauck, 1987) without cascade stalls.
// Thread: the owning worker. Never allocates, never reads a clock, never walks empty slots.
//
// Time is counted in granules since wheel_init. A level is a ring of slots; level l + 1 has slots
// half as wide as all of level l, so level l always reaches past the end of the next slot above:
// that slot is spread into level l while its predecessor runs, a few entries per poll.
//
//	cursor[l]             first slot of level l that may hold entries
//	cursor[l] + slots     end of its window: what lies before goes to level l or below
//	slot k above ready    when all of it lies in the window below (ready_end)
//
// A slot has several lists, filled in turn and emptied in turn, so that the loads of their nodes
// overlap: one list alone would cost a cache miss an entry.
#include "timer/wheel.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <string.h>

#include "base/prefetch.h"

#define LEVELS 4
#define CHAINS 8

#define SLOT_BITS 13
#define SLOT_NONE ((1U << SLOT_BITS) - 1)
#define WHEN_MAX  ((1ULL << (64 - SLOT_BITS)) - 1)

#define NODE_NONE  UINT32_MAX
#define PREV_HEAD  (1U << 31)
#define INDEX_NONE UINT64_MAX

// Entries of one poll kept for spreading however much is due. A slot that is not late yet gets no
// more, so that packets hardly notice it.
#define SPREAD_WORK 64

// Level l: slots (a power of two), number of its first slot, width of a slot in granules.
#define SLOTS_TOTAL 7680
static const struct level {
	uint8_t slots_shift;
	uint8_t width_shift;
	uint16_t first;
} levels[LEVELS] = {
	{12, 0, 0},	// 1.024 ms each, 4.2 s in all
	{11, 11, 4096}, // 2.1 s, 72 min
	{10, 21, 6144}, // 36 min, 25 days
	{9, 30, 7168}, // 12.7 days, 17.8 years; what lies beyond is put in again from the last slot
};
static_assert(SLOTS_TOTAL <= SLOT_NONE, "a slot's number fits a node");
static_assert(SLOTS_TOTAL * CHAINS < PREV_HEAD, "a head's number fits a link");

struct node {
	uint64_t when; // deadline in us since base << SLOT_BITS | slot, SLOT_NONE when not armed
	uint32_t next; // NODE_NONE at the end
	uint32_t prev; // at the start: PREV_HEAD | number of the head
};
static_assert(sizeof(struct node) == 16, "four timers a line");

struct wheel {
	// line 0: read by every call
	struct node *nodes;
	tick_t base;		 // instant of granule 0
	uint64_t now;		 // granule of the latest poll
	uint64_t cursor[LEVELS]; // absolute slot numbers
	uint32_t timers;
	uint32_t used;
	// line 1
	uint64_t summary[LEVELS];		     // one bit per word of bits[] that is not 0
	uint32_t turn;				     // chain that takes the next entry
	alignas(64) uint64_t bits[SLOTS_TOTAL / 64]; // slots that hold entries
	alignas(64) uint32_t heads[SLOTS_TOTAL * CHAINS];
};
static_assert(offsetof(struct wheel, summary) == 64, "line 0 holds what wheel_arm() reads");

// What one poll may still do, and what it found.
struct poll {
	uint32_t *due;
	unsigned n, max;
	unsigned work;	    // entries still allowed for what is due or late
	unsigned calm_work; // for spreading, however much is due
};

size_t wheel_footprint(uint32_t timers)
{
	assert(timers >= 1 && timers <= WHEEL_TIMERS_MAX);
	size_t size = sizeof(struct wheel) + (size_t)timers * sizeof(struct node);
	return (size + 63) & ~(size_t)63;
}

struct wheel *wheel_init(void *mem, uint32_t timers, tick_t now)
{
	assert((uintptr_t)mem % 64 == 0);
	assert(timers >= 1 && timers <= WHEEL_TIMERS_MAX);
	struct wheel *w = mem;

	memset(w, 0, sizeof(*w));
	memset(w->heads, 0xff, sizeof(w->heads));
	w->nodes = (struct node *)(w + 1);
	w->timers = timers;
	w->base = now;
	for (unsigned l = 1; l < LEVELS; l++)
		w->cursor[l] = (w->cursor[l - 1] >> (levels[l - 1].slots_shift - 1)) + 2;
	for (uint32_t i = 0; i < timers; i++)
		w->nodes[i] = (struct node){SLOT_NONE, NODE_NONE, NODE_NONE};
	return w;
}

static uint64_t slots_of(unsigned l)
{
	return 1ULL << levels[l].slots_shift;
}

static unsigned slot_at(unsigned l, uint64_t index)
{
	return levels[l].first + (unsigned)(index & (slots_of(l) - 1));
}

// First granule whose start is not before the deadline.
static uint64_t node_granule(const struct node *n)
{
	return ((n->when >> SLOT_BITS) + WHEEL_GRANULE_US - 1) >> WHEEL_GRANULE_SHIFT;
}

static unsigned node_slot(const struct node *n)
{
	return n->when & SLOT_NONE;
}

static unsigned slot_level(unsigned slot)
{
	return (slot >= levels[1].first) + (slot >= levels[2].first) + (slot >= levels[3].first);
}

// Absolute number of a slot that lies in its level's window.
static uint64_t slot_index(const struct wheel *w, unsigned l, unsigned slot)
{
	return w->cursor[l] + ((slot - levels[l].first - w->cursor[l]) & (slots_of(l) - 1));
}

static void slot_mark(struct wheel *w, unsigned l, unsigned slot)
{
	w->bits[slot / 64] |= 1ULL << slot % 64;
	w->summary[l] |= 1ULL << (slot - levels[l].first) / 64;
}

static void slot_unmark(struct wheel *w, unsigned l, unsigned slot)
{
	w->bits[slot / 64] &= ~(1ULL << slot % 64);
	if (w->bits[slot / 64] == 0)
		w->summary[l] &= ~(1ULL << (slot - levels[l].first) / 64);
}

static bool slot_empty(const struct wheel *w, unsigned slot)
{
	const uint32_t *heads = &w->heads[slot * CHAINS];
	uint32_t all = NODE_NONE;

	for (unsigned c = 0; c < CHAINS; c++)
		all &= heads[c];
	return all == NODE_NONE;
}

// Absolute number of the first slot of level l that holds entries; INDEX_NONE.
static uint64_t level_first(const struct wheel *w, unsigned l)
{
	const uint64_t *bits = &w->bits[levels[l].first / 64];
	unsigned start = w->cursor[l] & (slots_of(l) - 1);
	unsigned word = start / 64;
	uint64_t found = bits[word] & ~0ULL << start % 64;

	if (found == 0) {
		uint64_t above = w->summary[l] & ~1ULL << word;
		uint64_t words = above != 0 ? above : w->summary[l];
		if (words == 0)
			return INDEX_NONE;
		word = (unsigned)__builtin_ctzll(words);
		found = bits[word];
	}
	unsigned slot = word * 64 + (unsigned)__builtin_ctzll(found);
	return w->cursor[l] + ((slot - start) & (slots_of(l) - 1));
}

// End of the slots of level l that lie wholly in the window below: they are spread now, and
// nothing new enters them.
static uint64_t ready_end(const struct wheel *w, unsigned l)
{
	return (w->cursor[l - 1] >> (levels[l - 1].slots_shift - 1)) + 2;
}

// Where an entry for granule g belongs: the lowest level that reaches it.
static unsigned slot_for(const struct wheel *w, uint64_t g)
{
	if (g < w->cursor[0])
		g = w->cursor[0];
	for (unsigned l = 0; l < LEVELS; l++) {
		uint64_t index = g >> levels[l].width_shift;
		if (index < w->cursor[l] + slots_of(l))
			return slot_at(l, index);
	}
	return slot_at(LEVELS - 1, w->cursor[LEVELS - 1] - 1); // the window's last slot
}

static void node_link(struct wheel *w, uint32_t id, unsigned slot)
{
	struct node *n = &w->nodes[id];
	uint32_t head = slot * CHAINS + w->turn++ % CHAINS;
	uint32_t first = w->heads[head];

	n->when = (n->when & ~(uint64_t)SLOT_NONE) | slot;
	n->next = first;
	n->prev = PREV_HEAD | head;
	if (first != NODE_NONE)
		w->nodes[first].prev = id;
	w->heads[head] = id;
	slot_mark(w, slot_level(slot), slot);
}

static void node_unlink(struct wheel *w, const struct node *n)
{
	unsigned slot = node_slot(n);

	if (n->next != NODE_NONE)
		w->nodes[n->next].prev = n->prev;
	if ((n->prev & PREV_HEAD) == 0) {
		w->nodes[n->prev].next = n->next;
		return;
	}
	w->heads[n->prev & ~PREV_HEAD] = n->next;
	if (n->next == NODE_NONE && slot_empty(w, slot))
		slot_unmark(w, slot_level(slot), slot);
}

void wheel_arm(struct wheel *w, uint32_t id, tick_t deadline)
{
	assert(id < w->timers);
	struct node *n = &w->nodes[id];
	unsigned slot = node_slot(n);
	uint64_t when = deadline > w->base ? deadline - w->base : 0;

	if (when > WHEN_MAX)
		when = WHEN_MAX;
	n->when = when << SLOT_BITS | slot;
	uint64_t g = node_granule(n);
	if (slot == SLOT_NONE) {
		w->used++;
	} else {
		unsigned l = slot_level(slot);
		if (g >= slot_index(w, l, slot) << levels[l].width_shift)
			return;
		node_unlink(w, n);
	}
	node_link(w, id, slot_for(w, g));
}

void wheel_cancel(struct wheel *w, uint32_t id)
{
	assert(id < w->timers);
	struct node *n = &w->nodes[id];

	if (node_slot(n) == SLOT_NONE)
		return;
	node_unlink(w, n);
	n->when = SLOT_NONE;
	w->used--;
}

bool wheel_armed(const struct wheel *w, uint32_t id)
{
	assert(id < w->timers);
	return node_slot(&w->nodes[id]) != SLOT_NONE;
}

tick_t wheel_deadline(const struct wheel *w, uint32_t id)
{
	if (!wheel_armed(w, id))
		return TICK_NEVER;
	return w->base + (w->nodes[id].when >> SLOT_BITS);
}

uint32_t wheel_used(const struct wheel *w)
{
	return w->used;
}

void wheel_prefetch(const struct wheel *w, uint32_t id)
{
	if (id < w->timers)
		prefetch_line(&w->nodes[id]);
}

// Take the first entry of a head off; the slot's bit stays.
static struct node *head_pop(struct wheel *w, uint32_t head)
{
	struct node *n = &w->nodes[w->heads[head]];

	w->heads[head] = n->next;
	if (n->next != NODE_NONE)
		w->nodes[n->next].prev = PREV_HEAD | head; // also begins the load of that line
	return n;
}

// Empty a slot, at most *work entries of it: what is due goes out, the rest to its place. Returns
// true when the slot is empty. No entry comes back to this slot: either the window below takes
// it, or its deadline lies past this slot.
static bool slot_drain(struct wheel *w, unsigned slot, struct poll *p, unsigned *work)
{
	uint32_t *heads = &w->heads[slot * CHAINS];
	unsigned empty = 0;

	for (unsigned c = 0; c < CHAINS; c++) {
		if (heads[c] != NODE_NONE)
			prefetch_line(&w->nodes[heads[c]]);
	}
	for (unsigned c = 0; empty < CHAINS; c = (c + 1) % CHAINS) {
		uint32_t id = heads[c];
		if (id == NODE_NONE) {
			empty++;
			continue;
		}
		empty = 0;
		if (*work == 0)
			return false;
		uint64_t g = node_granule(&w->nodes[id]);
		bool room = p->n < p->max;
		if (g <= w->now && !room && slot_level(slot) == 0)
			return false;
		--*work;
		struct node *n = head_pop(w, slot * CHAINS + c);
		if (g <= w->now && room) {
			n->when = SLOT_NONE;
			w->used--;
			p->due[p->n++] = id;
		} else {
			node_link(w, id, slot_for(w, g));
		}
	}
	slot_unmark(w, slot_level(slot), slot);
	return true;
}

// Level 0 up to now.
static void poll_due(struct wheel *w, struct poll *p)
{
	uint64_t index;

	while ((index = level_first(w, 0)) <= w->now) {
		w->cursor[0] = index;
		if (!slot_drain(w, slot_at(0, index), p, &p->work))
			return;
	}
	w->cursor[0] = w->now;
}

// Slots of level l that are ready: in small portions while there is time, with all that is left of
// the poll once their own time has begun.
static void poll_spread(struct wheel *w, unsigned l, struct poll *p)
{
	uint64_t end = ready_end(w, l);
	uint64_t index;

	while ((index = level_first(w, l)) < end) {
		w->cursor[l] = index;
		bool late = index << levels[l].width_shift <= w->now;
		unsigned *work = late && p->work != 0 ? &p->work : &p->calm_work;
		if (!slot_drain(w, slot_at(l, index), p, work) && work == &p->calm_work)
			return;
	}
	if (w->cursor[l] < end)
		w->cursor[l] = end;
}

unsigned wheel_poll(struct wheel *w, tick_t now, uint32_t *due, unsigned max)
{
	uint64_t granule = now > w->base ? (now - w->base) >> WHEEL_GRANULE_SHIFT : 0;
	struct poll p = {0};

	p.due = due;
	p.max = max;
	p.work = WHEEL_POLL_WORK - SPREAD_WORK;
	p.calm_work = SPREAD_WORK;
	if (granule > w->now)
		w->now = granule;
	poll_due(w, &p);
	for (unsigned l = 1; l < LEVELS; l++)
		poll_spread(w, l, &p);
	return p.n;
}

bool wheel_behind(const struct wheel *w)
{
	if (level_first(w, 0) <= w->now)
		return true;
	for (unsigned l = 1; l < LEVELS; l++) {
		if (level_first(w, l) < ready_end(w, l))
			return true;
	}
	return false;
}

// The granule at which slot `index` of level l becomes ready, if the levels below have no arrears.
static uint64_t ready_granule(unsigned l, uint64_t index)
{
	// Level l - 1 must stand here for its window to hold all of the slot.
	uint64_t cursor = (index - 1) << (levels[l - 1].slots_shift - 1);

	// Each level below but the lowest stands where ready_end() puts it.
	for (unsigned below = l - 1; below > 0; below--)
		cursor = (cursor - 2) << (levels[below - 1].slots_shift - 1);
	return cursor;
}

tick_t wheel_next(const struct wheel *w)
{
	uint64_t next = wheel_behind(w) ? w->now : level_first(w, 0);

	for (unsigned l = 1; l < LEVELS && next != w->now; l++) {
		uint64_t index = level_first(w, l);
		if (index != INDEX_NONE && ready_granule(l, index) < next)
			next = ready_granule(l, index);
	}
	return next == INDEX_NONE ? TICK_NEVER : w->base + (next << WHEEL_GRANULE_SHIFT);
}

// Invariants of one list: links agree, every entry knows its slot and is not there too late.
// Returns how many entries it has, or -EUCLEAN.
static int64_t check_list(const struct wheel *w, unsigned slot, unsigned chain)
{
	unsigned l = slot_level(slot);
	uint64_t index = slot_index(w, l, slot);
	bool first = l == 0 && index == w->cursor[0]; // takes overdue timers as well
	uint32_t prev = PREV_HEAD | (slot * CHAINS + chain);
	int64_t n = 0;

	for (uint32_t id = w->heads[slot * CHAINS + chain]; id != NODE_NONE; n++) {
		if (id >= w->timers || n == w->timers)
			return -EUCLEAN;
		const struct node *node = &w->nodes[id];
		if (node->prev != prev || node_slot(node) != slot)
			return -EUCLEAN;
		if (!first && node_granule(node) < index << levels[l].width_shift)
			return -EUCLEAN;
		prev = id;
		id = node->next;
	}
	return n;
}

int wheel_check(const struct wheel *w)
{
	uint64_t listed = 0, armed = 0;

	for (unsigned slot = 0; slot < SLOTS_TOTAL; slot++) {
		bool marked = w->bits[slot / 64] >> slot % 64 & 1;
		if (marked == slot_empty(w, slot))
			return -EUCLEAN;
		for (unsigned c = 0; marked && c < CHAINS; c++) {
			int64_t n = check_list(w, slot, c);
			if (n < 0)
				return -EUCLEAN;
			listed += (uint64_t)n;
		}
	}
	for (unsigned l = 0; l < LEVELS; l++) {
		if (l > 0 && w->cursor[l] > ready_end(w, l))
			return -EUCLEAN;
		for (unsigned word = 0; word < slots_of(l) / 64; word++) {
			bool marked = w->summary[l] >> word & 1;
			if (marked != (w->bits[levels[l].first / 64 + word] != 0))
				return -EUCLEAN;
		}
	}
	for (uint32_t id = 0; id < w->timers; id++)
		armed += node_slot(&w->nodes[id]) != SLOT_NONE;
	return listed == armed && armed == w->used ? 0 : -EUCLEAN;
}
