// SPDX-License-Identifier: BSD-3-Clause
// Memory from the kernel. See memory.h.
#include "dataplane/memory.h"

#include <stddef.h>
#include <sys/mman.h>

#define MEMORY_HUGEPAGE (2ull << 20)

static uint64_t rounded(uint64_t bytes)
{
	return (bytes + MEMORY_HUGEPAGE - 1) & ~(MEMORY_HUGEPAGE - 1);
}

static void *map(uint64_t bytes, int flags)
{
	void *p = mmap(NULL, rounded(bytes), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return p != MAP_FAILED ? p : NULL;
}

void *memory_table(uint64_t bytes, bool hugetlb, bool *got_hugetlb)
{
	// mmap() reserves the pages, or fails: touching them later cannot.
	void *p = hugetlb ? map(bytes, MAP_HUGETLB) : NULL;

	*got_hugetlb = p != NULL;
	if (p != NULL)
		return p;
	p = map(bytes, 0);
	if (p != NULL)
		madvise(p, rounded(bytes), MADV_HUGEPAGE);
	return p;
}

void *memory_lazy(uint64_t bytes)
{
	return map(bytes, MAP_NORESERVE);
}

void memory_free(void *p, uint64_t bytes)
{
	if (p != NULL)
		munmap(p, rounded(bytes));
}
