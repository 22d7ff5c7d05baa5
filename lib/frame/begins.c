// SPDX-License-Identifier: BSD-3-Clause
// Whether a message begins something new. See begins.h.
#include "frame/begins.h"

#define TO_LINE_MAX 512 // of a To header that is looked at

// Constant lengths: the compiler makes a load and a comparison of each. A flood asks this of each
// of its messages.
#define STARTS(m, word) ((m).len >= sizeof(word) - 1 && memcmp((m).p, word, sizeof(word) - 1) == 0)

// Methods that belong to what is there.
static bool belongs(struct slice m)
{
	switch (m.p[0]) {
	case 'S':
		return STARTS(m, "SIP/2.0 ");
	case 'A':
		return STARTS(m, "ACK ");
	case 'B':
		return STARTS(m, "BYE ");
	case 'C':
		return STARTS(m, "CANCEL ");
	case 'I':
		return STARTS(m, "INFO ");
	case 'P':
		return STARTS(m, "PRACK ");
	case 'U':
		return STARTS(m, "UPDATE ");
	default:
		return false;
	}
}

bool frame_is_options(struct slice message)
{
	return STARTS(message, "OPTIONS ");
}

// Behind the colon if the line at p is a To header, else NULL.
static const uint8_t *to_value(const uint8_t *p, const uint8_t *end)
{
	if (p == end || (*p | 0x20) != 't')
		return NULL;
	p++;
	if (p < end && (*p | 0x20) == 'o')
		p++;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p < end && *p == ':' ? p + 1 : NULL;
}

static bool has_tag(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *at = p;

	if (end - p > TO_LINE_MAX)
		end = p + TO_LINE_MAX;
	while ((at = memchr(at, ';', (size_t)(end - at))) != NULL) {
		at++;
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (end - at >= 4 && slice_eq_nocase(slice_of(at, 4), SLICE_LIT("tag=")))
			return true;
	}
	return false;
}

bool frame_begins_something(struct slice m)
{
	const uint8_t *p = m.p, *end = m.p + m.len;

	if (m.len == 0)
		return true;
	if (belongs(m))
		return false;
	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		const uint8_t *value, *line_end;

		p++;
		if (p < end && (*p == '\r' || *p == '\n'))
			return true; // the header ends
		value = to_value(p, end);
		if (value == NULL)
			continue;
		line_end = memchr(value, '\n', (size_t)(end - value));
		return !has_tag(value, line_end != NULL ? line_end : end);
	}
	return true;
}
