// SPDX-License-Identifier: BSD-3-Clause
// Memory that is given back as a whole. One thread. Running out of it ends the program: replay is a
// tool, not the SBC.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct region {
	struct region_block *blocks;
	size_t used; // of the first block
};

// Zeroed bytes at a multiple of 16.
void *region_alloc(struct region *r, size_t size);
void *region_copy(struct region *r, const void *bytes, size_t size);
__attribute__((format(printf, 2, 3))) char *region_printf(struct region *r, const char *format,
							  ...);
void region_free(struct region *r);
// A list that grows: room for one more element of `size` bytes; returns the list, maybe another
// one.
void *region_grow(struct region *r, void *list, uint32_t n, size_t size);
