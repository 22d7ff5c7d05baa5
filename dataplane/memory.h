// SPDX-License-Identifier: BSD-3-Clause
// Memory for tables and waiting rooms, straight from the kernel, zeroed.
// Thread: control, at start and stop.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// From hugepages if hugetlb is set and enough are free, else from ordinary pages that the kernel
// may make huge by itself. *got_hugetlb says which. NULL when there is none.
void *memory_table(uint64_t bytes, bool hugetlb, bool *got_hugetlb);
// Ordinary pages that are taken as they are touched. bytes > 0.
void *memory_lazy(uint64_t bytes);
// p NULL is fine. bytes as asked for.
void memory_free(void *p, uint64_t bytes);
