// SPDX-License-Identifier: BSD-3-Clause
// The Call-ID of a message. See call_id.h.
#include "frame/call_id.h"

// Length of the name of a Call-ID header at p with its colon; 0 if it is another header.
static uint32_t name_len(const uint8_t *p, uint32_t n)
{
	uint32_t len = 0;

	if (n >= 8 && slice_eq_nocase(slice_of(p, 7), SLICE_LIT("Call-ID")))
		len = 7;
	else if (n >= 2 && (p[0] == 'i' || p[0] == 'I'))
		len = 1;
	else
		return 0;
	while (len < n && (p[len] == ' ' || p[len] == '\t'))
		len++;
	return len < n && p[len] == ':' ? len + 1 : 0;
}

// The value from p on: to the end of the line and of the lines that continue it.
static struct slice value_at(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *q = p;

	for (;;) {
		q = memchr(q, '\n', (size_t)(end - q));
		if (q == NULL)
			return slice_trim(slice_of(p, (size_t)(end - p)));
		if (q + 1 == end || (q[1] != ' ' && q[1] != '\t'))
			return slice_trim(slice_of(p, (size_t)(q - p)));
		q++;
	}
}

struct slice call_id_find(struct slice message)
{
	const uint8_t *p = message.p, *end = p + message.len;

	if (message.len == 0)
		return SLICE_NONE;
	while (p < end && (*p == '\r' || *p == '\n')) // RFC 3261 s7.5: before the start line
		p++;
	for (;;) {
		uint32_t n;

		p = memchr(p, '\n', (size_t)(end - p));
		if (p == NULL)
			return SLICE_NONE;
		p++;
		if (p < end && (*p == '\r' || *p == '\n'))
			return SLICE_NONE; // the header ends
		n = name_len(p, (uint32_t)(end - p));
		if (n != 0)
			return value_at(p + n, end);
	}
}
