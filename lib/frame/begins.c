// SPDX-License-Identifier: BSD-3-Clause
// Whether a message begins something new. See begins.h.
#include "frame/begins.h"

#define TO_LINE_MAX 512 // of a To header that is looked at

// Methods that belong to what is there, by the first eight bytes of the start line.
static bool belongs(struct slice m)
{
	static const struct {
		const char *word;
		uint8_t len;
	} rows[] = {
		{"SIP/2.0 ", 8}, {"ACK ", 4},	 {"BYE ", 4},  {"CANCEL ", 7},
		{"PRACK ", 6},	 {"UPDATE ", 7}, {"INFO ", 5},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (m.len >= rows[i].len && memcmp(m.p, rows[i].word, rows[i].len) == 0)
			return true;
	return false;
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
