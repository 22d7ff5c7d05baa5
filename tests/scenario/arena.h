// SPDX-License-Identifier: BSD-3-Clause
// Memory of one case: everything is given back at once when the case is over.
// One thread. Running out of memory ends the program: a test has no use for going on.
#pragma once

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
};

// Zeroed, aligned for any type.
void *arena_alloc(struct arena *a, size_t size);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_strdup(struct arena *a, const char *s);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *format, ...);
void arena_free(struct arena *a);
