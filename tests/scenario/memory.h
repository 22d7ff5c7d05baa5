// SPDX-License-Identifier: BSD-3-Clause
// What an engine gets from its shell: message buffers and leg text, here on the heap and watched.
// One thread of a test program. Every block is counted and guarded; a retired text is poisoned at
// once and looked at again after a grace period, so that a use after retirement shows itself.
#pragma once

#include "b2bua/engine.h"

struct memory_text;

struct memory {
	uint64_t bufs;	// out now
	uint64_t texts; // allocated and not retired
	uint64_t text_bytes;
	uint64_t bufs_peak;
	bool no_bufs, no_text; // act as if exhausted
	struct memory_text *retired;
	const char *error; // first misuse that was seen; NULL = none
};

// Functions for engine_params; ops_ctx is the struct memory.
extern const struct engine_ops memory_ops;

struct sip_buf *memory_buf_get(void *ctx, uint32_t size);
// Give up one reference, as the shell does after sending.
void memory_buf_release(struct memory *m, struct sip_buf *buf);
// The grace period of everything retired so far is over.
void memory_grace(struct memory *m);
