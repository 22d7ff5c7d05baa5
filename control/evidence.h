// SPDX-License-Identifier: BSD-3-Clause
// The last messages of each leg of calls whose trunk asks for it, written as pcapng when the call
// is dropped; numbers are hashed. Thread: control. Bounded in memory and in files; writing may wait
// for the disk.
#pragma once

#include "base/outbuf.h"
#include "base/siphash.h"
#include "config/config.h"
#include "msg/msg.h"
#include "msg/tap.h"

#define EVIDENCE_MESSAGES 16 // of a leg

struct evidence;

struct evidence_stats {
	uint64_t files, failed; // written; could not be written
	uint64_t forgotten;	// calls that had to go before they ended: evidence.memory
	uint64_t suppressed;	// drops beyond evidence.files an hour
	uint64_t calls, bytes;	// kept now
};

// key: numbers are hashed with it. NULL when out of memory.
struct evidence *evidence_new(const struct siphash_key *key);
void evidence_free(struct evidence *e);

void evidence_put(struct evidence *e, const struct config *c, unsigned worker,
		  const struct tap_head *head, const uint8_t *bytes);
// A call has ended. What is kept is written a second later, with what the end still brought forth,
// if the call was dropped.
void evidence_end(struct evidence *e, unsigned worker, const struct call_record *record,
		  tick_t now);
// Write what is due. to_unix: of a tick to microseconds after 1970. path: of the last file written,
// "" if none was in this call; why: not empty if one could not be written.
void evidence_poll(struct evidence *e, const struct config *c, tick_t now, uint64_t to_unix,
		   char path[300], char why[128]);
void evidence_stats(const struct evidence *e, struct evidence_stats *stats);
