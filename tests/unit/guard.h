// SPDX-License-Identifier: BSD-3-Clause
// Inputs that end at a page which may not be read: a parser that looks one byte too far dies there.
#pragma once

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/slice.h"

#define GUARD_MAX (256u << 10)

// n bytes whose last one is the last of a page. Stays until the next call with the same slot (0-3).
static inline uint8_t *guard_room(unsigned slot, size_t n)
{
	static uint8_t *end[4];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (end[slot] == NULL) {
		void *p = mmap(NULL, GUARD_MAX + page, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED || mprotect((uint8_t *)p + GUARD_MAX, page, PROT_NONE) != 0)
			abort();
		end[slot] = (uint8_t *)p + GUARD_MAX;
	}
	if (n > GUARD_MAX)
		abort();
	return end[slot] - n;
}

// A copy of the bytes in such a place.
static inline struct slice guard_copy(unsigned slot, struct slice bytes)
{
	uint8_t *p = guard_room(slot, bytes.len);

	if (bytes.len != 0)
		memcpy(p, bytes.p, bytes.len);
	return slice_of(p, bytes.len);
}

static inline struct slice guard_str(unsigned slot, const char *s)
{
	return guard_copy(slot, slice_of_str(s));
}
