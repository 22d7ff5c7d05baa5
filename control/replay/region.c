// SPDX-License-Identifier: BSD-3-Clause
// Memory that is given back as a whole. See region.h.
#include "control/replay/region.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK (1u << 20)

struct region_block {
	struct region_block *next;
	size_t size;
	alignas(16) uint8_t bytes[];
};

void *region_alloc(struct region *r, size_t size)
{
	struct region_block *b = r->blocks;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (b == NULL || b->size - r->used < size) {
		size_t room = size > BLOCK ? size : BLOCK;

		b = calloc(1, sizeof(*b) + room);
		if (b == NULL) {
			fputs("verge replay: out of memory\n", stderr);
			exit(EXIT_FAILURE); // NOLINT(concurrency-mt-unsafe): one thread
		}
		b->size = room;
		b->next = r->blocks;
		r->blocks = b;
		r->used = 0;
	}
	p = b->bytes + r->used;
	r->used += size;
	return p;
}

void *region_copy(struct region *r, const void *bytes, size_t size)
{
	void *p = region_alloc(r, size);

	if (size != 0)
		memcpy(p, bytes, size);
	return p;
}

char *region_printf(struct region *r, const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	text[n] = '\0';
	return region_copy(r, text, (size_t)n + 1);
}

void *region_grow(struct region *r, void *list, uint32_t n, size_t size)
{
	void *more;

	// a power of two, from 8 on, is full
	if (n != 0 && (n < 8 || (n & (n - 1)) != 0))
		return list;
	more = region_alloc(r, size * (n == 0 ? 8 : 2 * (size_t)n));
	if (n != 0)
		memcpy(more, list, size * n);
	return more;
}

void region_free(struct region *r)
{
	while (r->blocks != NULL) {
		struct region_block *next = r->blocks->next;

		free(r->blocks);
		r->blocks = next;
	}
	r->used = 0;
}
