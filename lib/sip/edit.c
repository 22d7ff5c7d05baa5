// SPDX-License-Identifier: BSD-3-Clause
// A message with some byte ranges replaced. Pure.
#include "sip/edit.h"

#include <errno.h>

void sip_edit_add(struct sip_edits *edits, uint32_t offset, uint32_t remove, struct slice insert)
{
	uint32_t at = edits->n;

	if (edits->n == SIP_EDIT_MAX) {
		edits->full = true;
		return;
	}
	// A pure insertion goes in front of what is removed at its place.
	for (; at > 0; at--) {
		const struct sip_edit *before = &edits->edit[at - 1];

		if (before->offset < offset ||
		    (before->offset == offset && (remove != 0 || before->remove == 0)))
			break;
		edits->edit[at] = *before;
	}
	edits->edit[at] = (struct sip_edit){offset, remove, insert};
	edits->n++;
}

void sip_edit_replace(struct sip_edits *edits, const struct sip_msg *m, struct slice old,
		      struct slice insert)
{
	sip_edit_add(edits, (uint32_t)(old.p - m->base), old.len, insert);
}

void sip_edit_remove_field(struct sip_edits *edits, const struct sip_msg *m,
			   const struct sip_field *f)
{
	sip_edit_replace(edits, m, sip_msg_field_line(m, f), SLICE_NONE);
}

void sip_edit_insert_before(struct sip_edits *edits, const struct sip_msg *,
			    const struct sip_field *f, struct slice lines)
{
	sip_edit_add(edits, f->name, 0, lines);
}

int sip_edit_apply(struct outbuf *o, const struct sip_msg *m, const struct sip_edits *edits)
{
	uint32_t at = 0;

	if (edits->full)
		return -EINVAL;
	for (uint32_t i = 0; i < edits->n; i++) {
		const struct sip_edit *e = &edits->edit[i];

		if (e->offset < at || e->offset > m->len || e->remove > m->len - e->offset)
			return -EINVAL;
		outbuf_put(o, m->base + at, e->offset - at);
		outbuf_put_slice(o, e->insert);
		at = e->offset + e->remove;
	}
	outbuf_put(o, m->base + at, m->len - at);
	return o->full ? -EMSGSIZE : 0;
}
