// SPDX-License-Identifier: BSD-3-Clause
// Headers that name a dialog or say why one ends. Pure.
#include "sip/dialog_id.h"

#include <errno.h>

#include "sip/chars.h"
#include "sip/numbers.h"

// Call-ID: what stands before the first semicolon; it holds no white space (s25.1: word [@ word]).
static int take_call_id(struct slice *rest, struct slice *call_id)
{
	int64_t end = slice_find(*rest, ';');

	*call_id = slice_trim(end >= 0 ? slice_first(*rest, (uint32_t)end) : *rest);
	if (call_id->len == 0)
		return -EBADMSG;
	for (uint32_t i = 0; i < call_id->len; i++)
		if (call_id->p[i] <= ' ' || call_id->p[i] == ',')
			return -EBADMSG;
	*rest = end >= 0 ? slice_from(*rest, (uint32_t)end) : SLICE_NONE;
	return 0;
}

// A tag given once. False if it is empty or was there before.
static bool set_once(struct slice *tag, const struct sip_param *p)
{
	if (tag->p != NULL || p->value.len == 0)
		return false;
	*tag = p->value;
	return true;
}

int sip_replaces_parse(struct sip_replaces *r, struct slice value)
{
	struct sip_replaces x = {0};
	struct slice rest = slice_trim(value);
	struct sip_param p;
	bool ok = take_call_id(&rest, &x.call_id) == 0;
	int rc = 0;

	x.params = rest;
	while (ok && (rc = sip_param_next(&rest, &p)) == 1) {
		if (slice_eq_nocase(p.name, SLICE_LIT("to-tag")))
			ok = set_once(&x.to_tag, &p);
		else if (slice_eq_nocase(p.name, SLICE_LIT("from-tag")))
			ok = set_once(&x.from_tag, &p);
		else if (slice_eq_nocase(p.name, SLICE_LIT("early-only")))
			x.early_only = true;
	}
	if (!ok || rc != 0 || x.to_tag.p == NULL || x.from_tag.p == NULL)
		return -EBADMSG;
	*r = x;
	return 0;
}

int sip_target_dialog_parse(struct sip_target_dialog *t, struct slice value)
{
	struct sip_target_dialog x = {0};
	struct slice rest = slice_trim(value);
	struct sip_param p;
	bool ok = take_call_id(&rest, &x.call_id) == 0;
	int rc = 0;

	x.params = rest;
	while (ok && (rc = sip_param_next(&rest, &p)) == 1) {
		if (slice_eq_nocase(p.name, SLICE_LIT("local-tag")))
			ok = set_once(&x.local_tag, &p);
		else if (slice_eq_nocase(p.name, SLICE_LIT("remote-tag")))
			ok = set_once(&x.remote_tag, &p);
	}
	if (!ok || rc != 0)
		return -EBADMSG;
	*t = x;
	return 0;
}

int sip_reason_parse(struct sip_reason *r, struct slice value)
{
	struct slice rest = slice_trim(value);
	struct sip_reason x = {.protocol = slice_of(rest.p, sip_chars_token_span(rest))};
	struct sip_param p;
	int rc;

	if (x.protocol.len == 0)
		return -EBADMSG;
	rest = slice_trim(slice_from(rest, x.protocol.len));
	x.params = rest;
	while ((rc = sip_param_next(&rest, &p)) == 1) {
		if (slice_eq_nocase(p.name, SLICE_LIT("cause")) && !x.has_cause)
			x.has_cause = sip_numbers_u32(&x.cause, p.value) == 0;
		else if (slice_eq_nocase(p.name, SLICE_LIT("text")) && x.text.p == NULL)
			x.text = p.value;
	}
	if (rc != 0)
		return -EBADMSG;
	if (!x.has_cause)
		x.cause = 0;
	*r = x;
	return 0;
}

int sip_reason_of(const struct sip_msg *m, struct slice protocol, struct sip_reason *r)
{
	struct sip_values v = sip_param_values(m, SIP_H_REASON);
	struct sip_reason x;
	struct slice value;

	while (sip_param_values_next(&v, &value))
		if (sip_reason_parse(&x, value) == 0 && slice_eq_nocase(x.protocol, protocol)) {
			*r = x;
			return 0;
		}
	return -ENOENT;
}
