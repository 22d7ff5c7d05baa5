// SPDX-License-Identifier: BSD-3-Clause
// Variables of a message. Pure.
#include "rules/variable.h"

#include "sip/chars.h"

unsigned variable_of(struct slice name)
{
	if (name.len != VARIABLE_NAME - 1 || name.p[0] != 'u' ||
	    !sip_chars_is(name.p[1], SIP_CHARS_DIGIT) || !sip_chars_is(name.p[2], SIP_CHARS_DIGIT))
		return 0;
	return (name.p[1] - '0') * 10u + (name.p[2] - '0');
}

unsigned variable_at(struct slice text, uint32_t at)
{
	if (at + VARIABLE_NAME > text.len || text.p[at] != '\\')
		return 0;
	return variable_of(slice_of(text.p + at + 1, VARIABLE_NAME - 1));
}

unsigned variable_next(struct slice text, bool escapes, uint32_t *at)
{
	while (*at < text.len) {
		unsigned number = variable_at(text, *at);

		if (number != 0) {
			*at += VARIABLE_NAME;
			return number;
		}
		*at += escapes && text.p[*at] == '\\' ? 2 : 1;
	}
	return 0;
}

struct slice variables_get(const struct variables *v, unsigned number)
{
	for (uint32_t i = 0; i < v->n; i++)
		if (v->of[i].number == number)
			return v->of[i].text;
	return SLICE_NONE;
}

bool variables_set(struct variables *v, unsigned number, struct slice text)
{
	uint32_t i = 0;

	if (text.len > RULE_MAX_VARIABLE || number == 0 || number > RULE_MAX_VARIABLES)
		return false;
	while (i < v->n && v->of[i].number != number)
		i++;
	v->of[i].number = (uint8_t)number;
	v->of[i].text = text;
	if (i == v->n)
		v->n++;
	return true;
}

void variables_copy(struct variables *to, const struct variables *from)
{
	to->n = from->n;
	memcpy(to->of, from->of, from->n * sizeof(from->of[0]));
}
