// SPDX-License-Identifier: BSD-3-Clause
// Header values and their parameters. Pure; every loop moves forward over the value once.
#include "sip/param.h"

#include <errno.h>

#include "sip/chars.h"

bool sip_param_quoted(struct slice *rest, struct slice *text)
{
	for (uint32_t i = 1; i < rest->len; i++) {
		if (rest->p[i] == '\\') {
			i++;
		} else if (rest->p[i] == '"') {
			*text = slice_of(rest->p + 1, i - 1);
			*rest = slice_skip(*rest, i + 1);
			return true;
		}
	}
	return false;
}

void sip_param_unquote(struct outbuf *o, struct slice text)
{
	for (uint32_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\\' && i + 1 < text.len)
			i++;
		outbuf_put_char(o, (char)text.p[i]);
	}
}

static int param_value(struct slice *s, struct sip_param *p)
{
	*s = slice_skip_lws(slice_skip(*s, 1));
	p->value = slice_of(s->p, 0);
	if (s->len != 0 && s->p[0] == '"') {
		p->is_quoted = true;
		return sip_param_quoted(s, &p->value) ? 0 : -EBADMSG;
	}
	p->value.len = sip_chars_value_span(*s); // token, host, and what peers write besides
	*s = slice_skip(*s, p->value.len);
	return 0;
}

int sip_param_next(struct slice *rest, struct sip_param *p)
{
	struct slice s = slice_skip_lws(*rest);
	bool has_semicolon = s.len != 0 && s.p[0] == ';';

	while (s.len != 0 && s.p[0] == ';')
		s = slice_skip_lws(slice_skip(s, 1));
	if (s.len == 0) {
		*rest = s;
		return 0;
	}
	*p = (struct sip_param){.name = slice_of(s.p, sip_chars_token_span(s))};
	if (!has_semicolon || p->name.len == 0)
		return -EBADMSG;
	s = slice_skip_lws(slice_skip(s, p->name.len));
	if (s.len != 0 && s.p[0] == '=') {
		if (param_value(&s, p) != 0)
			return -EBADMSG;
		s = slice_skip_lws(s);
	}
	if (s.len != 0 && s.p[0] != ';')
		return -EBADMSG;
	*rest = s;
	return 1;
}

int sip_param_find(struct slice params, struct slice name, struct sip_param *p)
{
	int rc;

	while ((rc = sip_param_next(&params, p)) == 1)
		if (slice_eq_nocase(p->name, name))
			return 1;
	return rc;
}

struct slice sip_param_value(struct slice params, struct slice name)
{
	struct sip_param p;

	return sip_param_find(params, name, &p) == 1 ? p.value : SLICE_NONE;
}

// Offset of the comma that ends the first value, or s.len.
static uint32_t value_end(struct slice s)
{
	bool in_quotes = false, in_angles = false;
	int64_t comma = slice_find(s, ',');

	if (comma < 0)
		return s.len;
	if (memchr(s.p, '"', (size_t)comma) == NULL && memchr(s.p, '<', (size_t)comma) == NULL)
		return (uint32_t)comma;
	for (uint32_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];

		if (in_quotes) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_quotes = false;
		} else if (in_angles) {
			in_angles = c != '>';
		} else if (c == ',') {
			return i;
		} else {
			in_quotes = c == '"';
			in_angles = c == '<';
		}
	}
	return s.len;
}

bool sip_param_next_value(struct slice *rest, struct slice *value)
{
	struct slice s = *rest;

	while (s.len != 0) {
		uint32_t end = value_end(s);

		*value = slice_trim(slice_first(s, end));
		s = end < s.len ? slice_skip(s, end + 1) : SLICE_NONE;
		if (value->len != 0) {
			*rest = s;
			return true;
		}
	}
	*rest = SLICE_NONE;
	return false;
}

struct sip_values sip_param_values(const struct sip_msg *m, enum sip_header id)
{
	struct sip_values v = {.m = m, .f = sip_msg_first(m, id)};

	if (v.f != NULL)
		v.rest = sip_msg_field_value(m, v.f);
	return v;
}

bool sip_param_values_next(struct sip_values *v, struct slice *value)
{
	while (v->f != NULL) {
		if (sip_param_next_value(&v->rest, value))
			return true;
		v->f = sip_msg_next(v->m, v->f);
		if (v->f != NULL)
			v->rest = sip_msg_field_value(v->m, v->f);
	}
	return false;
}
