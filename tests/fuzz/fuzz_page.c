// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as text of the page: nothing of them is markup, and what comes out is UTF-8 without
// control characters. Any bytes as an Accept header: what names neither type prefers none.
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "control/accept.h"
#include "control/body.h"
#include "control/jsonout.h"

static bool no_step(struct body *b)
{
	return b->error != 0;
}

static void no_free(struct body *b)
{
	b->cap = 0;
}

// "&" begins one of the five escapes that are written.
static bool is_escape(const char *at, size_t left)
{
	static const char *const escapes[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};

	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
		if (left >= strlen(escapes[i]) && memcmp(at, escapes[i], strlen(escapes[i])) == 0)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct body b = {.step = no_step, .free = no_free};
	struct slice out, text = slice_of(data, size);
	bool open = accept_prefers_openmetrics(text);
	bool named = false;

	body_put_html(&b, text);
	FUZZ_ASSERT(b.error == 0);
	out = slice_of(b.text, b.len);
	for (uint32_t at = 0; at < out.len;) {
		unsigned n = jsonout_utf8_len(slice_from(out, at));
		uint8_t c = out.p[at];

		FUZZ_ASSERT(n != 0);
		FUZZ_ASSERT(c >= 0x20 && c != 0x7f && c != '<' && c != '>' && c != '"' &&
			    c != '\'');
		FUZZ_ASSERT(c != '&' || is_escape((const char *)out.p + at, out.len - at));
		at += n;
	}
	body_free(&b);
	for (size_t i = 0; i + 11 <= size; i++)
		named = named || slice_eq_nocase(slice_of(data + i, 11), SLICE_LIT("openmetrics"));
	FUZZ_ASSERT(!open || named);
	return 0;
}
