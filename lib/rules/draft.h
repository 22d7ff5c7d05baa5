// SPDX-License-Identifier: BSD-3-Clause
// A message while rules change it: its header fields as a list that may be changed, and in the end
// the edits that make the new message from the old one. The message itself stays as it is.
// Thread: its owner. Memory: the owner's; text that actions make lies in d->text.
#pragma once

#include "base/outbuf.h"
#include "rules/rule.h"
#include "sip/edit.h"

#define DRAFT_FIELDS (SIP_MSG_MAX_FIELDS + 32)
#define DRAFT_NEW    0xff

enum draft_flag { DRAFT_GONE = 1, DRAFT_VALUE = 2, DRAFT_NAME = 4 }; // what was changed

struct draft_field {
	struct slice name, value; // as they are now; folds are spaces
	uint8_t id;		  // enum sip_header
	uint8_t flags;		  // enum draft_flag
	uint8_t origin;		  // index of the field in the message, or DRAFT_NEW
};

struct draft {
	const struct sip_msg *msg;
	uint32_t n;
	uint16_t code; // of a response
	struct slice uri, reason;
	bool uri_changed, status_changed;
	bool full; // a field or text found no room
	struct outbuf text;
	struct draft_field field[DRAFT_FIELDS];
};

void draft_begin(struct draft *d, const struct sip_msg *m, void *text, size_t room);

// Index of the first field of this header at or after `from` that is still there; -1: none.
int draft_find(const struct draft *d, const struct rule_header *h, uint32_t from);
unsigned draft_count(const struct draft *d, enum sip_header id);

void draft_set_value(struct draft *d, uint32_t at, struct slice value);
void draft_delete(struct draft *d, uint32_t at);
// A new field behind the last one of its name, else before Content-Length, else at the end.
void draft_add(struct draft *d, const struct rule_header *h, struct slice value);

// Text that an action makes: begin, append to d->text, take. Empty and d->full if it found no room.
static inline uint32_t draft_text_begin(const struct draft *d)
{
	return d->text.len;
}
struct slice draft_text_take(struct draft *d, uint32_t begin);

// The edits that make it; *len: bytes of the message then. -EMSGSIZE: too many.
int draft_edits(struct draft *d, struct sip_edits *edits, uint32_t *len);
