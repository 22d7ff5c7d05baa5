// SPDX-License-Identifier: BSD-3-Clause
// The lines of a session description, one after the other; only this folder includes this.
#pragma once

#include "base/slice.h"

struct sdp_line {
	struct slice all;   // with its line end
	struct slice value; // what follows "x="; blanks at the end cut
	uint8_t type;	    // the x; 0 = an empty line, 1 = not of the form x=
};

// Take the next line off *rest; false at the end. CRLF, LF and CR end a line.
static inline bool sdp_line_next(struct slice *rest, struct sdp_line *line)
{
	uint32_t n = 0, end;

	if (rest->len == 0)
		return false;
	while (n < rest->len && rest->p[n] != '\r' && rest->p[n] != '\n')
		n++;
	end = n;
	if (n < rest->len && rest->p[n] == '\r')
		n++;
	if (n < rest->len && rest->p[n] == '\n')
		n++;
	line->all = slice_first(*rest, n);
	line->type = 1;
	line->value = slice_trim(slice_from(slice_first(*rest, end), 2));
	if (slice_trim(slice_first(*rest, end)).len == 0)
		line->type = 0;
	else if (end >= 2 && rest->p[1] == '=' && rest->p[0] > ' ')
		line->type = rest->p[0];
	*rest = slice_from(*rest, n);
	return true;
}

// Take the next blank-separated word off *rest; empty at the end.
static inline struct slice sdp_word_next(struct slice *rest)
{
	struct slice word;
	uint32_t n = 0;

	*rest = slice_trim(*rest);
	while (n < rest->len && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	word = slice_first(*rest, n);
	*rest = slice_from(*rest, n);
	return word;
}
