// SPDX-License-Identifier: BSD-3-Clause
// What happened in a call, row by row: as the capture shows it, or as the replay told it; how two
// of them differ; and the ladder of it as text. One thread.
#pragma once

#include <stdio.h>

#include "control/replay/region.h"
#include "sip/message.h"

#define TELLING_LANES 5 // the caller, and up to four peers that were tried

struct row {
	uint64_t us;	// since the beginning of the capture
	uint8_t lane;	// 0 = the caller
	bool out;	// the SBC sent it
	bool assumed;	// a peer's message that the capture does not have
	bool in_dialog; // of requests: it has a To tag
	bool sdp;
	uint8_t method; // enum sip_method, of a response's CSeq
	uint16_t status;
	const char *label;  // "INVITE", "200 OK (INVITE)"
	const char *detail; // what it says of session timers; ""
};

struct telling {
	struct region *region;
	struct row *row;
	uint32_t n;
	const char *lane[TELLING_LANES]; // address of each peer; NULL = none
};

// Append a message.
void telling_add(struct telling *t, const struct row *where, const struct sip_msg *m);

// How it ended, in words: "the caller ended it after 12.0 s". sbc: what the SBC is called.
// Returns true if the SBC ended the call.
bool telling_outcome(const struct telling *t, const char *sbc, char *text, size_t size);
// Refreshes that the SBC sent: UPDATE and re-INVITE with Session-Expires.
unsigned telling_refreshes(const struct telling *t);

// Rows of two tellings side by side: which belong together.
struct both {
	const struct row *was, *is; // NULL: only in the other one
};
static inline const struct row *both_row(const struct both *b)
{
	return b->is != NULL ? b->is : b->was;
}
struct both *telling_align(const struct telling *was, const struct telling *is, uint32_t *n);
// Rows that only one of them has, or that say something else.
unsigned telling_differences(const struct both *b, uint32_t n);
bool telling_same(const struct both *b);

// The ladder: "-" before rows that only the first one has, "+" only the second, "~" that say
// another thing about timers, "?" assumed answers of a peer.
void telling_text(FILE *to, const struct telling *t, const struct both *b, uint32_t n);
// The same as SVG: one picture of its own.
void telling_svg(FILE *to, const struct telling *t, const struct both *b, uint32_t n,
		 const char *title);
