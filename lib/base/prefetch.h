// SPDX-License-Identifier: BSD-3-Clause
// Begin the load of a cache line.
#pragma once

// Any address will do, NULL too: a prefetch never faults. Read and written lines alike: a timer's
// or a bucket's belongs to one core anyhow.
// The empty asm is there because GCC takes a function that only prefetches for one without effect,
// and deletes the calls of it: of static functions, and of all others with -flto.
static inline void prefetch_line(const void *at)
{
	__asm__("" : : "r"(at)); // without results: it stays
	__builtin_prefetch(at);
}
