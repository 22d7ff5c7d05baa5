// SPDX-License-Identifier: BSD-3-Clause
// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash that an outsider cannot predict. Used
// for token MACs and wherever bytes from the wire choose a place in a table.
#pragma once

#include "base/slice.h"

struct siphash_key {
	uint64_t k0, k1;
};

// Any thread. About 20 ns for 32 bytes.
uint64_t siphash(struct siphash_key key, struct slice bytes);

// siphash() of the 16 bytes of a and b, in the order of memory. About 15 ns.
uint64_t siphash_pair(struct siphash_key key, uint64_t a, uint64_t b);

// SipHash of one word without the word that tells the length: for keys under which nothing else is
// hashed, so that all inputs are of one length. About 10 ns.
uint64_t siphash_one(struct siphash_key key, uint64_t a);
