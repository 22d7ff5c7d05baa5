// SPDX-License-Identifier: BSD-3-Clause
// Hash index for one writer and lock-free readers: partial-key cuckoo hashing (Fan, Andersen et
// al., MemC3 2013 and cuckoo filter 2014) in buckets of one cache line. Threads: table_insert,
// table_delete, table_init: the writer; the others: any. Never waits.
//
// What a reader relies on:
//	a tag is stored after its index, so a tag seen has its index or a later one
//	an entry that moves stands in both buckets before it leaves the first, and `moves` of
//	the first is raised before it leaves
// so a reader that saw neither bucket's `moves` change missed nothing, and a writer that is stopped
// at any point leaves nothing that a reader would have to wait for.
#include "table/table.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/prefetch.h"

#define LANES	   10
#define LANES_NONE LANES
#define WORDS	   3 // of tags: lanes 0-3, 4-7, 8-9

// Sized for this many entries a bucket, and a few buckets more for small tables.
#define LANES_PLANNED 8
#define BUCKETS_SPARE 8

static_assert(TABLE_CANDIDATES == 2 * LANES, "a lookup reads two buckets");

struct bucket {
	alignas(64) _Atomic uint64_t tags[2]; // W: writer, R: all; four lanes each, 0 = free
	_Atomic uint32_t tail;		      // lanes 8 and 9
	_Atomic uint32_t moves;		      // entries moved from here to their other bucket
	_Atomic uint32_t index[LANES];	      // valid where the tag is not 0
};
static_assert(sizeof(struct bucket) == 64, "a bucket is a cache line");

struct table {
	uint32_t buckets;
	uint32_t entries;
	_Atomic uint32_t used; // W: writer, R: all
	alignas(64) struct bucket bucket[];
};
static_assert(sizeof(struct table) == 64, "one line beside the buckets");

// Where a hash may be: the bucket it chooses and the tag, which together give the other bucket.
struct place {
	uint32_t bucket;
	uint16_t tag;
};

static uint32_t buckets_for(uint32_t entries)
{
	uint32_t buckets = (entries + LANES_PLANNED - 1) / LANES_PLANNED + BUCKETS_SPARE;

	return buckets + buckets % 2; // even: see bucket_other()
}

size_t table_footprint(uint32_t entries)
{
	assert(entries >= 1 && entries <= TABLE_ENTRIES_MAX);
	return sizeof(struct table) + (size_t)buckets_for(entries) * sizeof(struct bucket);
}

struct table *table_init(void *mem, uint32_t entries)
{
	assert((uintptr_t)mem % alignof(struct table) == 0);
	struct table *t = mem;

	memset(mem, 0, table_footprint(entries));
	t->buckets = buckets_for(entries);
	t->entries = entries;
	return t;
}

static uint32_t reduce(uint32_t x, uint32_t n)
{
	return (uint32_t)((uint64_t)x * n >> 32);
}

// The owner of a call is chosen by the same hash, so within one worker some of its bits may hardly
// vary: stir it first. The tag is independent of the bucket.
static struct place place_of(const struct table *t, uint64_t hash)
{
	uint64_t h = hash * 0x9e3779b97f4a7c15;
	uint16_t tag = (uint16_t)(h ^ h >> 32);

	return (struct place){reduce((uint32_t)(h >> 32), t->buckets), tag != 0 ? tag : 1};
}

// The other bucket of an entry with this tag; from that one it leads back. The two add up to an odd
// number (modulo an even one), so they are never the same.
static uint32_t bucket_other(const struct table *t, uint32_t bucket, uint16_t tag)
{
	uint32_t sum = reduce(tag * 0x9e3779b1U, t->buckets) | 1;

	return sum >= bucket ? sum - bucket : sum + (t->buckets - bucket);
}

// Tags of four lanes. Words 0 to 2; the last has two lanes only.
static uint64_t bucket_word(const struct bucket *b, unsigned word)
{
	// acquire: pairs with release in bucket_set_tag(); indices stored before a tag are seen
	// with it, and what the reader loads next cannot have been loaded before.
	if (word < 2)
		return atomic_load_explicit(&b->tags[word], memory_order_acquire);
	return atomic_load_explicit(&b->tail, memory_order_acquire);
}

// Top bit of each 16-bit lane of a word of tags that equals tag.
static uint64_t word_match(uint64_t tags, unsigned word, uint16_t tag)
{
	const uint64_t low = 0x7fff7fff7fff7fff;
	uint64_t differ = tags ^ tag * 0x0001000100010001ULL;
	uint64_t match = ~(((differ & low) + low) | differ | low);

	return word < 2 ? match : match & UINT32_MAX;
}

static unsigned match_lane(uint64_t match, unsigned word)
{
	return word * 4 + (unsigned)__builtin_ctzll(match) / 16;
}

static unsigned bucket_free(const struct bucket *b)
{
	unsigned n = 0;

	for (unsigned word = 0; word < WORDS; word++)
		n += (unsigned)__builtin_popcountll(word_match(bucket_word(b, word), word, 0));
	return n;
}

static unsigned bucket_free_lane(const struct bucket *b)
{
	for (unsigned word = 0; word < WORDS; word++) {
		uint64_t match = word_match(bucket_word(b, word), word, 0);
		if (match != 0)
			return match_lane(match, word);
	}
	return LANES_NONE;
}

static uint16_t bucket_tag(const struct bucket *b, unsigned lane)
{
	return (uint16_t)(bucket_word(b, lane / 4) >> lane % 4 * 16);
}

// Writer only.
static void bucket_set_tag(struct bucket *b, unsigned lane, uint16_t tag)
{
	unsigned shift = lane % 4 * 16;
	uint64_t word = bucket_word(b, lane / 4);

	word = (word & ~(0xffffULL << shift)) | (uint64_t)tag << shift;
	// release: pairs with acquire in bucket_word(); publishes the lane's index, and on removal
	// the new `moves` and the copy in the other bucket.
	if (lane < 8)
		atomic_store_explicit(&b->tags[lane / 4], word, memory_order_release);
	else
		atomic_store_explicit(&b->tail, (uint32_t)word, memory_order_release);
}

static uint32_t bucket_index(const struct bucket *b, unsigned lane)
{
	// acquire: pairs with nothing; keeps the reader's second load of `moves` behind this one.
	return atomic_load_explicit(&b->index[lane], memory_order_acquire);
}

// Writer only; the lane is free.
static void bucket_put(struct bucket *b, unsigned lane, uint16_t tag, uint32_t index)
{
	// relaxed: bucket_set_tag() publishes it.
	atomic_store_explicit(&b->index[lane], index, memory_order_relaxed);
	bucket_set_tag(b, lane, tag);
}

// Move an entry to a free lane of its other bucket.
static void bucket_move(struct bucket *from, unsigned lane, struct bucket *to, unsigned to_lane)
{
	// relaxed: only this thread writes moves.
	uint32_t moves = atomic_load_explicit(&from->moves, memory_order_relaxed);

	bucket_put(to, to_lane, bucket_tag(from, lane), bucket_index(from, lane));
	// release: pairs with the first acquire in table_find(); who sees the new value sees the
	// copy.
	atomic_store_explicit(&from->moves, moves + 1, memory_order_release);
	bucket_set_tag(from, lane, 0);
}

// Free a lane of a full bucket by moving one of its entries to where there is room. Returns the
// lane.
static unsigned bucket_make_room(struct table *t, uint32_t bucket)
{
	struct bucket *b = &t->bucket[bucket];

	for (unsigned lane = 0; lane < LANES; lane++)
		prefetch_line(&t->bucket[bucket_other(t, bucket, bucket_tag(b, lane))]);
	for (unsigned lane = 0; lane < LANES; lane++) {
		struct bucket *to = &t->bucket[bucket_other(t, bucket, bucket_tag(b, lane))];
		unsigned to_lane = bucket_free_lane(to);
		if (to_lane != LANES_NONE) {
			bucket_move(b, lane, to, to_lane);
			return lane;
		}
	}
	return LANES_NONE;
}

// The same over one bucket more: 100 buckets read at most.
static unsigned bucket_make_room_further(struct table *t, uint32_t bucket)
{
	struct bucket *b = &t->bucket[bucket];

	for (unsigned lane = 0; lane < LANES; lane++) {
		uint32_t other = bucket_other(t, bucket, bucket_tag(b, lane));
		unsigned to_lane = bucket_make_room(t, other);
		if (to_lane == LANES_NONE)
			continue;
		bucket_move(b, lane, &t->bucket[other], to_lane);
		return lane;
	}
	return LANES_NONE;
}

static int insert_by_moving(struct table *t, const uint32_t bucket[2], uint16_t tag, uint32_t index)
{
	static unsigned (*const make_room[])(struct table *, uint32_t) = {
		bucket_make_room,
		bucket_make_room_further,
	};

	for (unsigned i = 0; i < 4; i++) {
		unsigned lane = make_room[i / 2](t, bucket[i % 2]);
		if (lane != LANES_NONE) {
			bucket_put(&t->bucket[bucket[i % 2]], lane, tag, index);
			return 0;
		}
	}
	return -ENOSPC;
}

static void table_count(struct table *t, uint32_t change)
{
	// relaxed: only this thread writes used, and nothing hangs on a reader's seeing it early or
	// late.
	uint32_t used = atomic_load_explicit(&t->used, memory_order_relaxed);

	atomic_store_explicit(&t->used, used + change, memory_order_relaxed);
}

int table_insert(struct table *t, uint64_t hash, uint32_t index)
{
	struct place p = place_of(t, hash);
	const uint32_t bucket[2] = {p.bucket, bucket_other(t, p.bucket, p.tag)};
	unsigned room[2] = {bucket_free(&t->bucket[bucket[0]]), bucket_free(&t->bucket[bucket[1]])};
	int rc = 0;

	if (table_used(t) == t->entries)
		return -ENOSPC;
	if (room[0] + room[1] == 0) {
		rc = insert_by_moving(t, bucket, p.tag, index);
	} else {
		struct bucket *b = &t->bucket[bucket[room[1] > room[0]]];
		bucket_put(b, bucket_free_lane(b), p.tag, index);
	}
	if (rc == 0)
		table_count(t, 1);
	return rc;
}

// Lane of (tag, index).
static unsigned bucket_find(const struct bucket *b, uint16_t tag, uint32_t index)
{
	for (unsigned word = 0; word < WORDS; word++) {
		uint64_t match = word_match(bucket_word(b, word), word, tag);
		for (; match != 0; match &= match - 1) {
			unsigned lane = match_lane(match, word);
			if (bucket_index(b, lane) == index)
				return lane;
		}
	}
	return LANES_NONE;
}

int table_delete(struct table *t, uint64_t hash, uint32_t index)
{
	struct place p = place_of(t, hash);
	struct bucket *b = &t->bucket[p.bucket];
	unsigned lane = bucket_find(b, p.tag, index);

	if (lane == LANES_NONE) {
		b = &t->bucket[bucket_other(t, p.bucket, p.tag)];
		lane = bucket_find(b, p.tag, index);
	}
	if (lane == LANES_NONE)
		return -ENOENT;
	bucket_set_tag(b, lane, 0);
	table_count(t, UINT32_MAX);
	return 0;
}

static unsigned bucket_candidates(const struct bucket *b, uint16_t tag, uint32_t *out)
{
	unsigned n = 0;

	for (unsigned word = 0; word < WORDS; word++) {
		uint64_t match = word_match(bucket_word(b, word), word, tag);
		for (; match != 0; match &= match - 1)
			out[n++] = bucket_index(b, match_lane(match, word));
	}
	return n;
}

unsigned table_find(const struct table *t, uint64_t hash, uint32_t out[TABLE_CANDIDATES])
{
	struct place p = place_of(t, hash);
	const struct bucket *b1 = &t->bucket[p.bucket];
	const struct bucket *b2 = &t->bucket[bucket_other(t, p.bucket, p.tag)];

	for (;;) {
		// acquire: pairs with release in bucket_move(); whoever sees a move counted sees
		// its copy.
		uint32_t moves1 = atomic_load_explicit(&b1->moves, memory_order_acquire);
		uint32_t moves2 = atomic_load_explicit(&b2->moves, memory_order_acquire);
		unsigned n = bucket_candidates(b1, p.tag, out);
		n += bucket_candidates(b2, p.tag, out + n);
		// relaxed: ordered by the acquire loads of tags and indices before them. Equal
		// means that none of the entries seen absent had just been moved.
		if (moves1 == atomic_load_explicit(&b1->moves, memory_order_relaxed) &&
		    moves2 == atomic_load_explicit(&b2->moves, memory_order_relaxed))
			return n;
	}
}

void table_prefetch(const struct table *t, uint64_t hash)
{
	struct place p = place_of(t, hash);

	prefetch_line(&t->bucket[p.bucket]);
	prefetch_line(&t->bucket[bucket_other(t, p.bucket, p.tag)]);
}

uint32_t table_used(const struct table *t)
{
	// relaxed: a count, nothing hangs on it.
	return atomic_load_explicit(&t->used, memory_order_relaxed);
}

int table_check(const struct table *t)
{
	uint64_t used = 0;

	for (uint32_t i = 0; i < t->buckets; i++) {
		used += LANES - bucket_free(&t->bucket[i]);
		for (unsigned lane = 0; lane < LANES; lane++) {
			uint16_t tag = bucket_tag(&t->bucket[i], lane);
			uint32_t other = bucket_other(t, i, tag);
			if (tag != 0 && (other == i || bucket_other(t, other, tag) != i))
				return -EUCLEAN;
		}
	}
	return used == table_used(t) && used <= t->entries ? 0 : -EUCLEAN;
}
