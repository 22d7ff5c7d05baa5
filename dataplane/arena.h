// SPDX-License-Identifier: BSD-3-Clause
// Leg text memory: one jemalloc arena per worker in one region of huge pages, reserved at the
// start. Threads: create, destroy, stats: control; alloc, free: the one worker that owns the arena
// (its thread cache is used without a lock). Never grows beyond its region, never gives pages back,
// never calls the kernel after creation but for the first touch of pages that are not from
// hugetlbfs.
//
// Linking libjemalloc makes it the malloc of the whole process as well (Debian's has no prefix).
// That is meant: one allocator, one set of statistics.
#pragma once

#include <stddef.h>

struct arena;

enum arena_pages {
	ARENA_PAGES_SMALL,    // ordinary pages
	ARENA_PAGES_HUGE,     // hugetlbfs, else transparent huge pages and a warning
	ARENA_PAGES_REQUIRED, // hugetlbfs or fail
};

// All in bytes. active - allocated is what partly filled pages cost, mapped - active is free for
// any size (less jemalloc's own records, some 2 %).
struct arena_stats {
	size_t max;	  // size of the region
	size_t allocated; // in blocks handed out, rounded up to size classes; cached free blocks
			  // too
	size_t cached;	  // of it free, in the thread cache
	size_t active;	  // in pages that hold such blocks
	size_t mapped;	  // of the region, the part that was ever used
	size_t resident;  // what the process's memory holds of it, at most: mapped, or all of
			  // hugetlbfs
};

// Reserve room for max_bytes of blocks (of whole size classes) and for jemalloc's records of them,
// rounded up to 2 MiB, and make an arena of it.
// Out: *out, and in warning a sentence (cut to size, else "") when the pages are not of the kind
// asked for. Errors: -ENOMEM no memory, or no huge pages and ARENA_PAGES_REQUIRED; others from
// jemalloc.
int arena_create(struct arena **out, size_t max_bytes, enum arena_pages pages, char *warning,
		 size_t size);

// All blocks die with it. NULL is ignored.
void arena_destroy(struct arena *a);

// Touch the region's next bytes (whole pages of 2 MiB), ahead of the worker or while it works.
// Returns how many are left to touch. One thread, control: in portions, when it has nothing to do.
size_t arena_populate(struct arena *a, size_t bytes);

// size bytes aligned to 16 (8 below 16); NULL when the region is exhausted. size > 0. Rounded up to
// jemalloc's size classes, four per doubling (.. 448 512 640 768 896 1024 ..).
void *arena_alloc(struct arena *a, size_t size);

// size as it was asked for. NULL is ignored.
void arena_free(struct arena *a, void *block, size_t size);

// Give the blocks that the thread cache keeps back to the arena. The worker's thread.
void arena_flush(struct arena *a);

// Any thread. Takes jemalloc's locks for some microseconds: for control, about once a second.
void arena_stats(const struct arena *a, struct arena_stats *stats);
