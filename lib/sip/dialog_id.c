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

// What a value that names a dialog can have beside its Call-ID; tags by their names.
struct named {
	struct slice call_id, params;
	struct slice first_tag, second_tag;
	bool early_only;
};

static int parse_named(struct named *n, struct slice value, struct slice first, struct slice second)
{
	struct slice rest = slice_trim(value);
	struct sip_param p;
	int rc = take_call_id(&rest, &n->call_id);
	bool ok = rc == 0;

	n->params = rest;
	while (ok && (rc = sip_param_next(&rest, &p)) == 1) {
		if (slice_eq_nocase(p.name, first))
			ok = set_once(&n->first_tag, &p);
		else if (slice_eq_nocase(p.name, second))
			ok = set_once(&n->second_tag, &p);
		else if (slice_eq_nocase(p.name, SLICE_LIT("early-only")))
			n->early_only = true;
	}
	return ok && rc == 0 ? 0 : -EBADMSG;
}

int sip_replaces_parse(struct sip_replaces *r, struct slice value)
{
	struct named n = {0};

	if (parse_named(&n, value, SLICE_LIT("to-tag"), SLICE_LIT("from-tag")) != 0 ||
	    n.first_tag.p == NULL || n.second_tag.p == NULL)
		return -EBADMSG;
	*r = (struct sip_replaces){.call_id = n.call_id,
				   .params = n.params,
				   .to_tag = n.first_tag,
				   .from_tag = n.second_tag,
				   .early_only = n.early_only};
	return 0;
}

int sip_target_dialog_parse(struct sip_target_dialog *t, struct slice value)
{
	struct named n = {0};

	if (parse_named(&n, value, SLICE_LIT("local-tag"), SLICE_LIT("remote-tag")) != 0)
		return -EBADMSG;
	*t = (struct sip_target_dialog){.call_id = n.call_id,
					.params = n.params,
					.local_tag = n.first_tag,
					.remote_tag = n.second_tag};
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
