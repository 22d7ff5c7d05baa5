// SPDX-License-Identifier: BSD-3-Clause
// Headers that are lists of tokens. Pure.
#include "sip/list.h"

#include "sip/chars.h"

// The tag without parameters that do not belong there ("timer;x=1" is seen).
static struct slice tag_of(struct slice value)
{
	return slice_of(value.p, sip_chars_token_span(value));
}

// The next value, as sip_param_values_next() has it, and the token that it begins with. A bare
// token before a comma or the end, which is nearly all that lists hold, needs no search for quotes
// and brackets.
static bool list_next(struct sip_values *v, struct slice *value, struct slice *tag)
{
	struct slice s = v->rest;
	uint32_t n = 0, len;

	if (v->f == NULL)
		return false;
	while (n < s.len && (s.p[n] == ',' || slice_is_lws(s.p[n])))
		n++;
	s = slice_skip(s, n);
	if (s.len == 0 && v->f->next == SIP_FIELD_NONE) {
		v->f = NULL;
		return false;
	}
	len = sip_chars_span(s, SIP_CHARS_TOKEN); // a few bytes: no call
	if (len != 0 && (len == s.len || (len < s.len && s.p[len] == ','))) {
		*value = *tag = slice_first(s, len);
		v->rest = slice_from(s, len + 1);
		return true;
	}
	if (!sip_param_values_next(v, value))
		return false;
	*tag = tag_of(*value);
	return true;
}

static int option_of(struct slice value, struct slice tag)
{
	if (tag.len != value.len) {
		struct slice rest = slice_trim(slice_from(value, tag.len));

		if (rest.len != 0 && rest.p[0] != ';')
			return -1;
	}
	return tag.len != 0 ? sip_option_of(tag) : -1;
}

struct sip_options sip_list_options(const struct sip_msg *m, enum sip_header id)
{
	struct sip_values v = sip_param_values(m, id);
	struct sip_options options = {0};
	struct slice value, tag;

	while (list_next(&v, &value, &tag)) {
		int option = option_of(value, tag);

		if (option >= 0)
			options.bits |= 1u << option;
		else if (options.unknown != UINT16_MAX)
			options.unknown++;
	}
	return options;
}

bool sip_list_next_unknown(struct sip_values *v, struct slice *tag)
{
	struct slice value;

	while (list_next(v, &value, tag))
		if (option_of(value, *tag) < 0 && tag->len != 0)
			return true;
	return false;
}

uint32_t sip_list_methods(const struct sip_msg *m, enum sip_header id)
{
	struct sip_values v = sip_param_values(m, id);
	struct slice value, tag;
	uint32_t bits = 0;

	while (list_next(&v, &value, &tag)) {
		enum sip_method method = sip_method_of(tag);

		if (method < SIP_METHOD_OTHER)
			bits |= 1u << method;
	}
	return bits;
}

bool sip_list_has(const struct sip_msg *m, enum sip_header id, struct slice token)
{
	struct sip_values v = sip_param_values(m, id);
	struct slice value, tag;

	while (list_next(&v, &value, &tag))
		if (slice_eq_nocase(tag, token))
			return true;
	return false;
}
