// SPDX-License-Identifier: BSD-3-Clause
// Call detail records: one call as one JSON object (RFC 8259) with the fields of the manual. Pure:
// clock and names are arguments; what peers wrote is escaped, never trusted.
#pragma once

#include "base/outbuf.h"
#include "control/control.h"

// More than the longest record takes, however hostile its text.
#define CDR_MAX_BYTES 16384

struct cdr_leg {
	const char *trunk;			// name; NULL: the call never had this leg
	const struct control_attempt *attempts; // refreshes that failed, the oldest first
	unsigned n_attempts;
	bool observed; // timers of this trunk were not to end calls
};

struct cdr {
	const struct call_record *record;
	struct cdr_leg legs[2];
	const struct rules_program *rules; // names the tags; NULL: there are none
	tick_t wall_tk;			   // at this tick ...
	uint64_t wall_us;		   // ... it was so many microseconds after 1970
};

// Append the object, without line end. o->full says that it did not fit (CDR_MAX_BYTES always
// does).
void cdr_put(struct outbuf *o, const struct cdr *cdr);

// What an operator reads: the cause's sentence (msg/cause.def) with its words filled in.
void cdr_put_sentence(struct outbuf *o, const struct call_record *record);

// "2026-11-21T05:49:45.123Z"; at 0 is "did not happen" and gives nothing. unix_us: of wall_tk.
#define CDR_TIME_BYTES 32
void cdr_time(char text[CDR_TIME_BYTES], uint64_t unix_us);
