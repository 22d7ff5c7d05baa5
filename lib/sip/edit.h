// SPDX-License-Identifier: BSD-3-Clause
// A message with some byte ranges replaced, everything else byte for byte as it was.
// Any thread; pure. Memory is the caller's.
#pragma once

#include "base/outbuf.h"
#include "sip/message.h"

struct sip_edit {
	uint32_t offset;     // in the message
	uint32_t remove;     // bytes that go
	struct slice insert; // bytes that come; must stay until the edits are applied
};

#define SIP_EDIT_MAX 64

struct sip_edits {
	uint32_t n;
	bool full; // more than SIP_EDIT_MAX were asked for
	struct sip_edit edit[SIP_EDIT_MAX];
};

// Add an edit, kept in order of offset; several insertions at one place stay in the order of their
// coming.
void sip_edit_add(struct sip_edits *edits, uint32_t offset, uint32_t remove, struct slice insert);
// Replace what a slice of the message covers.
void sip_edit_replace(struct sip_edits *edits, const struct sip_msg *m, struct slice old,
		      struct slice insert);
// Take a whole field out, with its name, folds and line end.
void sip_edit_remove_field(struct sip_edits *edits, const struct sip_msg *m,
			   const struct sip_field *f);
// Insert in front of the field (whole lines, with line ends).
void sip_edit_insert_before(struct sip_edits *edits, const struct sip_msg *m,
			    const struct sip_field *f, struct slice lines);

// Append the message with its edits to o. No edit: the same bytes.
// Errors: -EINVAL edits overlap, leave the message, or were too many (nothing useful is written
// then),
//         -EMSGSIZE o is full.
int sip_edit_apply(struct outbuf *o, const struct sip_msg *m, const struct sip_edits *edits);
