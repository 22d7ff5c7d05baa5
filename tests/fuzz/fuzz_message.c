// SPDX-License-Identifier: BSD-3-Clause
// Any datagram: the three scanners agree, nothing points outside, fields do not overlap and are in
// order, chains are complete, and a message without edits is the same bytes.
#include "fuzz.h"

#include <errno.h>

#include "sip/edit.h"
#include "sip/message.h"

static void inside(const struct sip_msg *m, struct slice s)
{
	FUZZ_ASSERT(s.len == 0 || (s.p >= m->base && s.p + s.len <= m->base + m->len));
}

static void same(const struct sip_msg *a, const struct sip_msg *b)
{
	FUZZ_ASSERT(a->base == b->base && a->len == b->len && a->status == b->status &&
		    a->method == b->method && a->n_fields == b->n_fields &&
		    slice_eq(a->method_token, b->method_token));
	FUZZ_ASSERT(a->uri.p == b->uri.p && a->uri.len == b->uri.len && a->body.p == b->body.p &&
		    a->body.len == b->body.len && a->reason.len == b->reason.len);
	FUZZ_ASSERT(memcmp(a->first, b->first, sizeof(a->first)) == 0);
	for (unsigned i = 0; i < a->n_fields; i++) {
		const struct sip_field *x = &a->field[i], *y = &b->field[i];

		FUZZ_ASSERT(x->name == y->name && x->value == y->value && x->len == y->len &&
			    x->name_len == y->name_len && x->id == y->id && x->next == y->next);
	}
}

// Fields do not overlap and their values are trimmed.
static void fields_in_order(const struct sip_msg *m)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < m->n_fields; i++) {
		const struct sip_field *f = &m->field[i];

		FUZZ_ASSERT(f->name >= at && f->name_len != 0);
		FUZZ_ASSERT(f->name + f->name_len + 1 <= f->value);
		at = (uint32_t)f->value + f->len;
		FUZZ_ASSERT(at <= m->len);
		FUZZ_ASSERT(f->id == SIP_H_OTHER ||
			    sip_header_of(sip_msg_field_name(m, f)) == f->id);
		FUZZ_ASSERT(slice_trim(sip_msg_field_value(m, f)).len == f->len);
	}
}

static void chains_are_complete(const struct sip_msg *m)
{
	unsigned chained = 0;

	for (unsigned id = 0; id < SIP_H_N; id++)
		for (const struct sip_field *f = sip_msg_first(m, id); f != NULL;
		     f = sip_msg_next(m, f)) {
			FUZZ_ASSERT(f->id == id);
			chained++;
		}
	FUZZ_ASSERT(chained == m->n_fields);
}

// Each field taken out once, by itself, leaves a message with one field less.
static void take_one_out(const struct sip_msg *m)
{
	static uint8_t mem[SIP_MSG_MAX_BYTES];
	struct sip_msg without;

	for (unsigned i = 0; i < m->n_fields && i < 4; i++) {
		struct outbuf o = outbuf_of(mem, sizeof(mem));
		struct sip_edits edits = {0};

		if (m->field[i].id == SIP_H_CONTENT_LENGTH)
			continue;
		sip_edit_remove_field(&edits, m, &m->field[i]);
		FUZZ_ASSERT(sip_edit_apply(&o, m, &edits) == 0);
		// a fold of nothing but white space stays behind and has lost its field
		if (sip_msg_parse(&without, outbuf_slice(&o)) == 0)
			FUZZ_ASSERT(without.n_fields == m->n_fields - 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t mem[SIP_MSG_MAX_BYTES];
	struct outbuf o = outbuf_of(mem, sizeof(mem));
	struct sip_edits edits = {0};
	struct slice in = slice_of(data, size);
	struct sip_msg a, b;
	int rc = sip_msg_parse_scalar(&a, in);

	FUZZ_ASSERT(sip_msg_parse(&b, in) == rc);
	same(&a, &b);
	FUZZ_ASSERT(sip_msg_parse_sse(&b, in) == rc);
	same(&a, &b);
	if (rc == -EMSGSIZE || rc == -ENOMSG)
		return 0;
	inside(&a, a.uri);
	inside(&a, a.method_token);
	inside(&a, a.reason);
	inside(&a, a.body);
	fields_in_order(&a);
	chains_are_complete(&a);
	if (rc != 0)
		return 0;
	FUZZ_ASSERT(sip_msg_end(&a) <= data + size);
	FUZZ_ASSERT(sip_edit_apply(&o, &a, &edits) == 0 &&
		    slice_eq(outbuf_slice(&o), sip_msg_all(&a)));
	take_one_out(&a);
	return 0;
}
