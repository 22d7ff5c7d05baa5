// SPDX-License-Identifier: BSD-3-Clause
// A message while rules change it. Pure.
#include "rules/draft.h"

#include <errno.h>

#include "sip/chars.h"

// A value on one line: most have no fold and stay where they are.
static struct slice unfolded(struct draft *d, struct slice value)
{
	uint32_t begin = d->text.len;

	if (slice_find(value, '\n') < 0 && slice_find(value, '\r') < 0)
		return value;
	if (value.len > d->text.cap - begin)
		d->text.full = true;
	else
		d->text.len += sip_chars_unfold(d->text.p + begin, value);
	return draft_text_take(d, begin);
}

void draft_begin(struct draft *d, const struct sip_msg *m, void *text, size_t room)
{
	d->msg = m;
	d->n = m->n_fields;
	d->code = m->status;
	d->uri = m->uri;
	d->reason = m->reason;
	d->uri_changed = d->status_changed = d->full = false;
	d->text = outbuf_of(text, room);
	for (uint32_t i = 0; i < m->n_fields; i++) {
		const struct sip_field *f = &m->field[i];

		d->field[i] = (struct draft_field){
			.name = sip_msg_field_name(m, f),
			.value = unfolded(d, sip_msg_field_value(m, f)),
			.id = f->id,
			.origin = (uint8_t)i,
		};
	}
}

static bool is_header(const struct draft_field *f, const struct rule_header *h)
{
	if (f->id != h->id || (f->flags & DRAFT_GONE) != 0)
		return false;
	return f->id != SIP_H_OTHER || slice_eq_nocase(f->name, h->name);
}

int draft_find(const struct draft *d, const struct rule_header *h, uint32_t from)
{
	for (uint32_t i = from; i < d->n; i++)
		if (is_header(&d->field[i], h))
			return (int)i;
	return -1;
}

unsigned draft_count(const struct draft *d, enum sip_header id)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < d->n; i++)
		n += d->field[i].id == id && (d->field[i].flags & DRAFT_GONE) == 0;
	return n;
}

void draft_set_value(struct draft *d, uint32_t at, struct slice value)
{
	value = slice_trim(value);
	if (slice_eq(d->field[at].value, value))
		return;
	d->field[at].value = value;
	d->field[at].flags |= DRAFT_VALUE;
}

void draft_delete(struct draft *d, uint32_t at)
{
	d->field[at].flags |= DRAFT_GONE;
}

void draft_add(struct draft *d, const struct rule_header *h, struct slice value)
{
	static const struct rule_header length = {SLICE_NONE, SIP_H_CONTENT_LENGTH};
	int before = draft_find(d, &length, 0);
	uint32_t at = before >= 0 ? (uint32_t)before : d->n;

	if (d->n == DRAFT_FIELDS) {
		d->full = true;
		return;
	}
	for (int i = draft_find(d, h, 0); i >= 0; i = draft_find(d, h, (uint32_t)i + 1))
		at = (uint32_t)i + 1;
	memmove(&d->field[at + 1], &d->field[at], (d->n - at) * sizeof(d->field[0]));
	d->field[at] = (struct draft_field){
		.name = h->name, .value = slice_trim(value), .id = h->id, .origin = DRAFT_NEW};
	d->n++;
}

struct slice draft_text_take(struct draft *d, uint32_t begin)
{
	if (d->text.full) {
		d->full = true;
		return SLICE_NONE;
	}
	return slice_of(d->text.p + begin, d->text.len - begin);
}

// --- edits

// Where the header fields end: at the blank line.
static uint32_t head_end(const struct sip_msg *m)
{
	uint32_t at;

	if (m->n_fields == 0)
		return m->len;
	at = (uint32_t)(sip_msg_field_line(m, &m->field[m->n_fields - 1]).p - m->base);
	return at + sip_msg_field_line(m, &m->field[m->n_fields - 1]).len;
}

static uint32_t place_of_new(const struct draft *d, uint32_t at)
{
	for (uint32_t i = at; i < d->n; i++)
		if (d->field[i].origin != DRAFT_NEW)
			return d->msg->field[d->field[i].origin].name;
	return head_end(d->msg);
}

static struct slice line_of(struct draft *d, const struct draft_field *f)
{
	uint32_t begin = draft_text_begin(d);

	outbuf_put_slice(&d->text, f->name);
	outbuf_put_lit(&d->text, ": ");
	outbuf_put_slice(&d->text, f->value);
	outbuf_put_lit(&d->text, "\r\n");
	return draft_text_take(d, begin);
}

static void edit_field(struct draft *d, struct sip_edits *edits, uint32_t at)
{
	const struct draft_field *f = &d->field[at];
	const struct sip_field *was;

	if (f->origin == DRAFT_NEW) {
		if ((f->flags & DRAFT_GONE) == 0)
			sip_edit_add(edits, place_of_new(d, at), 0, line_of(d, f));
		return;
	}
	was = &d->msg->field[f->origin];
	if ((f->flags & DRAFT_GONE) != 0) {
		sip_edit_remove_field(edits, d->msg, was);
		return;
	}
	if ((f->flags & DRAFT_NAME) != 0)
		sip_edit_replace(edits, d->msg, sip_msg_field_name(d->msg, was), f->name);
	if ((f->flags & DRAFT_VALUE) != 0)
		sip_edit_add(edits, was->value, was->len, f->value);
}

static void edit_status(struct draft *d, struct sip_edits *edits)
{
	uint32_t begin = draft_text_begin(d);
	uint32_t from = (uint32_t)sizeof("SIP/2.0 ") - 1;
	uint32_t to = from;

	while (to < d->msg->len && d->msg->base[to] != '\r' && d->msg->base[to] != '\n')
		to++;
	outbuf_put_u64(&d->text, d->code);
	outbuf_put_char(&d->text, ' ');
	outbuf_put_slice(&d->text, d->reason);
	sip_edit_add(edits, from, to - from, draft_text_take(d, begin));
}

int draft_edits(struct draft *d, struct sip_edits *edits, uint32_t *len)
{
	edits->n = 0;
	edits->full = false;
	if (d->uri_changed)
		sip_edit_replace(edits, d->msg, d->msg->uri, d->uri);
	if (d->status_changed)
		edit_status(d, edits);
	for (uint32_t i = 0; i < d->n; i++)
		if (d->field[i].flags != 0 || d->field[i].origin == DRAFT_NEW)
			edit_field(d, edits, i);
	*len = d->msg->len;
	for (uint32_t i = 0; i < edits->n; i++)
		*len += edits->edit[i].insert.len - edits->edit[i].remove;
	return edits->full || d->full || d->text.full ? -EMSGSIZE : 0;
}
