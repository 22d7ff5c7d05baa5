// SPDX-License-Identifier: BSD-3-Clause
// Any sequence of inserts and deletes on a small index with few different hashes, so that buckets
// crowd, against a list of what is in: nothing is lost, nothing refused that is in, counts agree.
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>

#include "table/table.h"

#define ENTRIES 400

struct pair {
	uint64_t hash;
	uint32_t index;
};

static bool found(const struct table *t, struct pair p)
{
	uint32_t out[TABLE_CANDIDATES];
	unsigned n = table_find(t, p.hash, out);

	FUZZ_ASSERT(n <= TABLE_CANDIDATES);
	for (unsigned i = 0; i < n; i++) {
		if (out[i] == p.index)
			return true;
	}
	return false;
}

// Three bytes choose the pair; hashes differ in many bits or in few.
static struct pair pair_of(const uint8_t *op)
{
	uint64_t hash = op[1] & 0x80 ? (op[1] & 0x7f) * 0x9e3779b97f4a7c15 : op[1];

	return (struct pair){hash, op[2]};
}

struct model {
	struct table *table;
	uint32_t n;
	struct pair in[ENTRIES];
};

static void insert(struct model *m, struct pair p)
{
	int rc = table_insert(m->table, p.hash, p.index);

	FUZZ_ASSERT(rc == -ENOSPC || (rc == 0 && m->n < ENTRIES));
	if (rc == 0)
		m->in[m->n++] = p;
}

static void delete (struct model *m, struct pair p)
{
	uint32_t i = 0;

	while (i < m->n && (m->in[i].hash != p.hash || m->in[i].index != p.index))
		i++;
	FUZZ_ASSERT(table_delete(m->table, p.hash, p.index) == (i < m->n ? 0 : -ENOENT));
	if (i < m->n)
		m->in[i] = m->in[--m->n];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model m;
	void *mem = aligned_alloc(64, table_footprint(ENTRIES));

	if (mem == NULL)
		return 0;
	m.table = table_init(mem, ENTRIES);
	m.n = 0;
	for (size_t at = 0; at + 3 <= size; at += 3) {
		if (data[at] % 4 != 0)
			insert(&m, pair_of(data + at));
		else
			delete (&m, pair_of(data + at));
		FUZZ_ASSERT(table_used(m.table) == m.n);
	}
	for (uint32_t i = 0; i < m.n; i++)
		FUZZ_ASSERT(found(m.table, m.in[i]));
	FUZZ_ASSERT(table_check(m.table) == 0);
	free(mem);
	return 0;
}
