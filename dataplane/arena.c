// SPDX-License-Identifier: BSD-3-Clause
// A jemalloc arena over a region of our own: extent hooks hand out the region from its start and
// refuse everything that would give memory back, so jemalloc keeps and reuses it.
// Threads: see arena.h; the hooks run in whichever thread makes jemalloc need more.
#include "arena.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <jemalloc/jemalloc.h>
#include <sys/mman.h>

#include "base/prefetch.h"

#define HUGE_PAGE ((size_t)2 << 20)
// jemalloc's own records: one huge page when the arena is made, then up to 4 % of what is in use
// (128 bytes a page).
#define RECORDS(bytes) (HUGE_PAGE + (bytes) / 16)

struct arena {
	extent_hooks_t hooks; // first: the hooks get its address
	uint8_t *region;
	size_t size;
	_Atomic size_t taken;	  // W: hooks; of region, from its start
	_Atomic size_t populated; // W: arena_populate(); likewise
	unsigned index;		  // jemalloc's number of this arena
	unsigned tcache;
	int alloc_flags, free_flags;
};

// NOLINTBEGIN(readability-function-size): the hooks' parameters are jemalloc's
static void *hook_alloc(extent_hooks_t *hooks, void *new_addr, size_t size, size_t alignment,
			bool *zero, bool *commit, unsigned)
{
	struct arena *a = (struct arena *)hooks;
	// relaxed: a number that only this function changes; no memory hangs on it.
	size_t taken = atomic_load_explicit(&a->taken, memory_order_relaxed);
	size_t start;

	do {
		// The region is aligned to a huge page, jemalloc asks for no more.
		start = (taken + alignment - 1) & ~(alignment - 1);
		if (alignment > HUGE_PAGE || start > a->size || size > a->size - start)
			return NULL;
		if (new_addr != NULL && new_addr != a->region + start)
			return NULL;
		// relaxed: as above.
	} while (!atomic_compare_exchange_weak_explicit(
		&a->taken, &taken, start + size, memory_order_relaxed, memory_order_relaxed));
	*zero = true; // nothing is handed out twice
	*commit = true;
	return a->region + start;
}

// "true" refuses: jemalloc retains the extent.
static bool hook_dalloc(extent_hooks_t *, void *, size_t, bool, unsigned)
{
	return true;
}

static void hook_destroy(extent_hooks_t *, void *, size_t, bool, unsigned)
{
	// arena_destroy() unmaps the region as a whole.
}

static bool hook_split(extent_hooks_t *, void *, size_t, size_t, size_t, bool, unsigned)
{
	return false;
}

static bool hook_merge(extent_hooks_t *, void *, size_t, void *, size_t, bool, unsigned)
{
	return false;
}

// NOLINTEND(readability-function-size)

static const extent_hooks_t arena_hooks = {
	.alloc = hook_alloc,
	.dalloc = hook_dalloc,
	.destroy = hook_destroy,
	.split = hook_split,
	.merge = hook_merge,
};

// size bytes at a multiple of HUGE_PAGE from ordinary pages.
static uint8_t *region_map_aligned(size_t size)
{
	uint8_t *map = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return NULL;

	size_t before = -(uintptr_t)map & (HUGE_PAGE - 1);
	if (before != 0)
		munmap(map, before);
	munmap(map + before + size, HUGE_PAGE - before);
	return map + before;
}

static int region_map(struct arena *a, enum arena_pages pages, char *warning, size_t size)
{
	if (pages != ARENA_PAGES_SMALL) {
		// Without MAP_NORESERVE: all pages are set aside now, none can be missing later.
		a->region = mmap(NULL, a->size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		if (a->region != MAP_FAILED)
			return 0;
		snprintf(warning, size, "leg text: %zu MiB of huge pages are not free",
			 a->size >> 20);
		if (pages == ARENA_PAGES_REQUIRED)
			return -ENOMEM;
	}
	a->region = region_map_aligned(a->size);
	if (a->region == NULL)
		return -ENOMEM;
	if (pages != ARENA_PAGES_SMALL)
		madvise(a->region, a->size, MADV_HUGEPAGE); // a hint: without it only slower
	return 0;
}

static int arena_set(const struct arena *a, const char *name, void *value, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "arena.%u.%s", a->index, name);
	return -mallctl(path, NULL, NULL, value, size);
}

static int arena_register(struct arena *a)
{
	extent_hooks_t *hooks = &a->hooks;
	size_t size = sizeof(a->index);
	size_t grow = HUGE_PAGE;
	ssize_t at_once = 0;
	int rc;

	rc = -mallctl("arenas.create", &a->index, &size, &hooks,
		      sizeof(hooks)); // NOLINT(bugprone-sizeof-expression): it takes the pointer
	if (rc != 0)
		return rc;
	size = sizeof(a->tcache);
	rc = -mallctl("tcache.create", &a->tcache, &size, NULL, 0);
	if (rc != 0)
		goto fail_arena;
	// Steps of a huge page, else the last ones would not fit the region. Freed pages go to the
	// retained extents at once, which costs no system call with these hooks: from the dirty
	// ones, where they would wait to be purged, jemalloc takes no extent above 64 times what it
	// needs (lg_extent_max_active_fit), and a region full of large free extents would count as
	// exhausted.
	rc = arena_set(a, "retain_grow_limit", &grow, sizeof(grow));
	if (rc == 0)
		rc = arena_set(a, "dirty_decay_ms", &at_once, sizeof(at_once));
	if (rc == 0)
		rc = arena_set(a, "muzzy_decay_ms", &at_once, sizeof(at_once));
	if (rc != 0)
		goto fail_tcache;
	a->alloc_flags = MALLOCX_ARENA(a->index) | MALLOCX_TCACHE(a->tcache);
	a->free_flags = MALLOCX_TCACHE(a->tcache);
	return 0;
fail_tcache:
	mallctl("tcache.destroy", NULL, NULL, &a->tcache, sizeof(a->tcache));
fail_arena:
	arena_set(a, "destroy", NULL, 0);
	return rc;
}

int arena_create(struct arena **out, size_t max_bytes, enum arena_pages pages, char *warning,
		 size_t size)
{
	struct arena *a = calloc(1, sizeof(*a));
	int rc = -ENOMEM;

	if (size != 0)
		warning[0] = '\0';
	if (a == NULL)
		return -ENOMEM;
	a->hooks = arena_hooks;
	if (max_bytes == 0)
		goto fail;
	a->size = (max_bytes + RECORDS(max_bytes) + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	rc = region_map(a, pages, warning, size);
	if (rc != 0)
		goto fail;
	rc = arena_register(a);
	if (rc != 0)
		goto fail_region;
	*out = a;
	return 0;
fail_region:
	munmap(a->region, a->size);
fail:
	free(a);
	return rc;
}

void arena_destroy(struct arena *a)
{
	if (a == NULL)
		return;
	mallctl("tcache.destroy", NULL, NULL, &a->tcache, sizeof(a->tcache));
	arena_set(a, "destroy", NULL, 0);
	munmap(a->region, a->size);
	free(a);
}

size_t arena_populate(struct arena *a, size_t bytes)
{
	// relaxed: only this function writes it, and in one thread.
	size_t done = atomic_load_explicit(&a->populated, memory_order_relaxed);
	size_t step = bytes < a->size - done ? bytes & ~(HUGE_PAGE - 1) : a->size - done;

	if (step != 0 && madvise(a->region + done, step, MADV_POPULATE_WRITE) != 0)
		step = a->size - done; // before Linux 5.14, or no memory: left to first touch
	// relaxed: a number, read by arena_stats().
	atomic_store_explicit(&a->populated, done + step, memory_order_relaxed);
	return a->size - done - step;
}

void *arena_alloc(struct arena *a, size_t size)
{
	assert(size > 0);
	return mallocx(size, a->alloc_flags);
}

void arena_free(struct arena *a, void *block, size_t size)
{
	if (block == NULL)
		return;
	// Nobody has read it for long, and the next text of its size is written into it: its lines
	// come from memory while other things are done.
	for (size_t at = 0; at < size; at += 64)
		prefetch_line((char *)block + at);
	sdallocx(block, size, a->free_flags);
}

void arena_flush(struct arena *a)
{
	unsigned tcache = a->tcache;

	mallctl("tcache.flush", NULL, NULL, &tcache, sizeof(tcache));
}

// One number of stats.arenas.<index>; 0 where jemalloc was built without statistics.
static size_t arena_number(const struct arena *a, const char *name)
{
	char path[64];
	size_t value = 0;
	size_t size = sizeof(value);

	snprintf(path, sizeof(path), "stats.arenas.%u.%s", a->index, name);
	return mallctl(path, &value, &size, NULL, 0) == 0 ? value : 0;
}

void arena_stats(const struct arena *a, struct arena_stats *stats)
{
	uint64_t epoch = 1;
	size_t page = 0;
	size_t size = sizeof(page);

	mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
	mallctl("arenas.page", &page, &size, NULL, 0);
	stats->max = a->size;
	stats->allocated = arena_number(a, "small.allocated") + arena_number(a, "large.allocated");
	stats->cached = arena_number(a, "tcache_bytes");
	stats->active = arena_number(a, "pactive") * page;
	// relaxed: numbers. jemalloc's own "mapped" and "resident" leave out what it retains.
	stats->mapped = atomic_load_explicit(&a->taken, memory_order_relaxed);
	stats->resident = atomic_load_explicit(&a->populated, memory_order_relaxed);
	if (stats->resident < stats->mapped)
		stats->resident = stats->mapped;
}
