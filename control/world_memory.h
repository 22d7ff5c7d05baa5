// SPDX-License-Identifier: BSD-3-Clause
// What an engine gets from its shell: message buffers and leg text, here on the heap and watched.
// One thread of the caller. Every block is counted and guarded; a retired text is poisoned at
// once and looked at again after a grace period, so that a use after retirement shows itself.
#pragma once

#include "b2bua/engine.h"

struct world_memory_text;
struct world_memory_out;

struct world_memory {
	uint64_t bufs;	// out now
	uint64_t texts; // allocated and not retired
	uint64_t text_bytes;
	uint64_t bufs_peak;
	bool no_bufs, no_text; // act as if exhausted
	struct world_memory_text *retired;
	struct world_memory_out *out; // what the engine holds
	const char *error;	      // first misuse that was seen; NULL = none
};

// Functions for engine_params, but for hash; ops_ctx is the struct world_memory.
extern const struct engine_ops world_memory_ops;

struct sip_buf *world_memory_buf_get(void *ctx, uint32_t size);
// Give up one reference, as the shell does after sending.
void world_memory_buf_release(struct world_memory *m, struct sip_buf *buf);
// Free what the engine still holds; it is not used any more.
void world_memory_free(struct world_memory *m);
// The grace period of everything retired so far is over.
void world_memory_grace(struct world_memory *m);
