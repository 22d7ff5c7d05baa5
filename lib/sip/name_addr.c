// SPDX-License-Identifier: BSD-3-Clause
// Values that name somebody. Pure; one pass over the value.
#include "sip/name_addr.h"

#include <errno.h>

#include "sip/chars.h"

// <uri> and what follows; s begins with the bracket.
static int take_brackets(struct sip_name_addr *na, struct slice s)
{
	int64_t end = slice_find(s, '>');

	if (end < 0)
		return -EBADMSG;
	na->has_brackets = true;
	na->uri = slice_trim(slice_of(s.p + 1, (size_t)end - 1));
	na->params = slice_skip_lws(slice_skip(s, (uint32_t)end + 1));
	if (na->uri.len == 0 || (na->params.len != 0 && na->params.p[0] != ';'))
		return -EBADMSG;
	return 0;
}

// addr-spec: the URI ends at the first semicolon; what follows belongs to the header.
static int take_bare(struct sip_name_addr *na, struct slice s)
{
	uint32_t n = 0;

	while (n < s.len && s.p[n] != ';' && !slice_is_lws(s.p[n]) && s.p[n] != ',' &&
	       s.p[n] != '"')
		n++;
	na->uri = slice_first(s, n);
	na->params = slice_skip_lws(slice_skip(s, n));
	if (n == 0 || (na->params.len != 0 && na->params.p[0] != ';'))
		return -EBADMSG;
	return 0;
}

static int parse(struct sip_name_addr *na, struct slice s)
{
	int64_t open;

	if (s.len == 0)
		return -EBADMSG;
	if (s.p[0] == '<')
		return take_brackets(na, s);
	if (s.p[0] == '"') {
		na->is_quoted = true;
		if (!sip_param_quoted(&s, &na->display))
			return -EBADMSG;
		s = slice_skip_lws(s);
		return s.len != 0 && s.p[0] == '<' ? take_brackets(na, s) : -EBADMSG;
	}
	open = slice_find(s, '<');
	if (open < 0) {
		na->is_star = s.p[0] == '*' && slice_skip_lws(slice_skip(s, 1)).len == 0;
		return na->is_star ? 0 : take_bare(na, s);
	}
	// A display name holds neither of these; where one stands before <, the bracket is in a
	// parameter.
	if (memchr(s.p, ';', (size_t)open) != NULL)
		return take_bare(na, s);
	if (memchr(s.p, '"', (size_t)open) != NULL || memchr(s.p, '>', (size_t)open) != NULL)
		return -EBADMSG;
	na->display = slice_trim(slice_first(s, (uint32_t)open));
	return take_brackets(na, slice_skip(s, (uint32_t)open));
}

int sip_name_addr_parse(struct sip_name_addr *na, struct slice value)
{
	struct sip_name_addr x = {0};
	int rc = parse(&x, slice_trim(value));

	if (rc == 0)
		*na = x;
	return rc;
}

int sip_name_addr_next(struct sip_values *v, struct sip_name_addr *na)
{
	struct slice value;

	if (!sip_param_values_next(v, &value))
		return 0;
	return sip_name_addr_parse(na, value) == 0 ? 1 : -EBADMSG;
}

// Headers with one value: a comma in them is part of a display name that should have been quoted.
static bool is_single(enum sip_header id)
{
	return id == SIP_H_FROM || id == SIP_H_TO || id == SIP_H_REFER_TO ||
	       id == SIP_H_REFERRED_BY;
}

int sip_name_addr_of(const struct sip_msg *m, enum sip_header id, struct sip_name_addr *na)
{
	if (is_single(id) && sip_msg_has(m, id)) {
		const struct sip_field *f = &m->field[m->first[id]];

		return f->next == SIP_FIELD_NONE
			       ? sip_name_addr_parse(na, sip_msg_field_value(m, f))
			       : -EBADMSG;
	}

	struct sip_values v = sip_param_values(m, id);
	int rc;

	if (v.f == NULL)
		return -ENOENT;
	rc = sip_name_addr_next(&v, na);
	return rc == 1 ? 0 : -EBADMSG;
}

int sip_name_addr_tag(const struct sip_name_addr *na, struct slice *tag)
{
	struct sip_param p;
	int rc = sip_param_find(na->params, SLICE_LIT("tag"), &p);

	if (rc < 0 || (rc == 1 && p.value.len == 0))
		return -EBADMSG;
	*tag = rc == 1 ? p.value : SLICE_NONE;
	return 0;
}

// Where the bracket of a name-addr stands; -1: none, or to be found by parsing.
static int64_t open_bracket(struct slice s)
{
	const uint8_t *quote;
	uint32_t n = 0;

	if (s.len != 0 && s.p[0] == '"') {
		quote = memchr(s.p + 1, '"', s.len - 1);
		if (quote == NULL || memchr(s.p, '\\', (size_t)(quote - s.p)) != NULL)
			return -1;
		n = (uint32_t)(quote - s.p) + 1;
		while (n < s.len && slice_is_lws(s.p[n]))
			n++;
		return n < s.len && s.p[n] == '<' ? (int64_t)n : -1;
	}
	if (s.len != 0 && s.p[0] != '<')
		n = sip_chars_bracket_span(s);
	return n < s.len && s.p[n] == '<' ? (int64_t)n : -1;
}

// The tag of nearly every From and To: what follows the bracket is nothing, or one tag. False: to
// be parsed.
static bool value_tag_fast(struct slice s, struct slice *tag)
{
	static const struct slice lead = SLICE_LIT(">;tag=");
	int64_t open = open_bracket(s), close;

	if (open < 0)
		return false;
	s = slice_from(s, (uint32_t)open + 1);
	close = slice_find(s, '>');
	if (close <= 0 || slice_is_lws(s.p[0]))
		return false;
	s = slice_skip(s, (uint32_t)close);
	if (s.len == 1) {
		*tag = SLICE_NONE;
		return true;
	}
	if (s.len <= lead.len || !slice_starts_with(s, lead))
		return false;
	s = slice_skip(s, lead.len);
	if (sip_chars_token_span(s) != s.len)
		return false;
	*tag = s;
	return true;
}

int sip_name_addr_value_tag(struct slice value, struct slice *tag)
{
	struct sip_name_addr na;
	int rc;

	if (value_tag_fast(value, tag))
		return 0;
	rc = sip_name_addr_parse(&na, value);
	return rc == 0 ? sip_name_addr_tag(&na, tag) : rc;
}

int sip_name_addr_uri_of(const struct sip_msg *m, enum sip_header id, struct sip_name_addr *na,
			 struct sip_uri *uri)
{
	int rc = sip_name_addr_of(m, id, na);

	if (rc != 0)
		return rc;
	return sip_uri_parse(uri, na->uri);
}
