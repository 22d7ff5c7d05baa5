// SPDX-License-Identifier: BSD-3-Clause
// Index from a 64-bit hash to 32-bit record indices: 64-byte buckets of ten 16-bit tags and ten
// indices, two buckets a hash (partial-key cuckoo: either bucket and the tag give the other).
// Threads: one writer; any number of readers at any time, which never wait for it nor it for them.
// Memory is the caller's; nothing here allocates. The hash must be keyed (base/siphash.h) where its
// input comes from the wire: who can choose tags can fill two buckets.
//
// The table never sees a key. A found index is a candidate: the caller compares the full key in
// the record, which must stay readable (RCU) while readers may hold its index.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Candidates that one lookup gives at most, hence entries of one hash at most.
#define TABLE_CANDIDATES 20

// Entries of one table at most.
#define TABLE_ENTRIES_MAX (1U << 31)

struct table;

// Bytes for that many entries: 8 an entry (80 % load) and one line. 1 <= entries <=
// TABLE_ENTRIES_MAX.
size_t table_footprint(uint32_t entries);

// An empty table in mem (table_footprint(entries) bytes, aligned to 64), which stays the caller's.
struct table *table_init(void *mem, uint32_t entries);

// Add (hash, index). Writer only. Entries with the same hash, even the same pair twice, are all
// kept, TABLE_CANDIDATES of them at most.
// Errors: -ENOSPC when `entries` are in, or when both buckets are full and none of their entries
// can be moved within two steps: with keyed hashes this is seen only where many are equal.
int table_insert(struct table *t, uint64_t hash, uint32_t index);

// Remove one entry (hash, index). Writer only.
// Errors: -ENOENT.
int table_delete(struct table *t, uint64_t hash, uint32_t index);

// All indices whose tag matches, in no order; returns how many. Any thread. An entry that was in
// the table during the whole call is among them, whatever the writer moves meanwhile. Others may be
// there too: another hash with this tag, one just deleted, one index twice. Two lines read.
unsigned table_find(const struct table *t, uint64_t hash, uint32_t out[TABLE_CANDIDATES]);

// Bring both lines of a hash near, a burst ahead of table_find(), table_insert() or table_delete().
void table_prefetch(const struct table *t, uint64_t hash);

// Entries now. Any thread.
uint32_t table_used(const struct table *t);

// 0, or -EUCLEAN when an invariant is broken. Writer only, O(entries); for tests.
int table_check(const struct table *t);
