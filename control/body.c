// SPDX-License-Identifier: BSD-3-Clause
// A body's text: gathered, escaped, taken.
#include "control/body.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/jsonout.h"

int body_put(struct body *b, const char *text, size_t len)
{
	if (b->error == 0 && b->cap - b->len < len) {
		size_t cap = (b->len + len) * 2;
		char *more = realloc(b->text, cap);

		if (more == NULL) {
			b->error = -ENOMEM;
		} else {
			b->text = more;
			b->cap = cap;
		}
	}
	if (b->error != 0)
		return b->error;
	memcpy(b->text + b->len, text, len);
	b->len += len;
	return 0;
}

void body_printf(struct body *b, const char *format, ...)
{
	char text[4096];
	va_list args;
	int n;

	va_start(args, format);
	// NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() above
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		body_put(b, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static const char *escape_of(uint8_t c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return c < 0x20 || c == 0x7f ? "?" : NULL;
	}
}

void body_put_html(struct body *b, struct slice text)
{
	while (text.len != 0) {
		unsigned n = jsonout_utf8_len(text);
		const char *escape = n == 1 ? escape_of(text.p[0]) : NULL;
		// C1 controls and what turns the direction of text around
		bool odd = (n == 2 && text.p[0] == 0xc2 && text.p[1] < 0xa0) ||
			   (n == 3 && text.p[0] == 0xe2 &&
			    ((text.p[1] == 0x80 && text.p[2] >= 0xa8 && text.p[2] <= 0xae) ||
			     (text.p[1] == 0x81 && text.p[2] >= 0xa6 && text.p[2] <= 0xa9)));

		if (n == 0 || odd)
			escape = "?";
		if (escape != NULL)
			body_put(b, escape, strlen(escape));
		else
			body_put(b, (const char *)text.p, n);
		text = slice_from(text, n != 0 ? n : 1);
	}
}

ssize_t body_take(struct body *b, char *buf, size_t max)
{
	size_t n;

	// small pieces are gathered until the client's buffer is full
	while (b->len - b->from < max && b->error == 0) {
		if (b->from == b->len)
			b->from = b->len = 0;
		if (!b->step(b))
			break;
	}
	if (b->error != 0)
		return b->error;
	n = b->len - b->from < max ? b->len - b->from : max;
	if (n != 0)
		memcpy(buf, b->text + b->from, n);
	b->from += n;
	return (ssize_t)n;
}

void body_free(struct body *b)
{
	if (b == NULL)
		return;
	free(b->text);
	b->free(b);
}
