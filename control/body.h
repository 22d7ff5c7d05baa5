// SPDX-License-Identifier: BSD-3-Clause
// The body of an HTTP reply that is made piece by piece as the client takes it, so that thousands
// of trunks cost control no long pause. Thread: control.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/slice.h"

// First member of whatever makes a body.
struct body {
	bool (*step)(struct body *b); // writes some more; false: there is no more
	void (*free)(struct body *b); // frees b itself
	char *text;		      // written and not yet taken: [from, len)
	size_t from, len, cap;
	int error; // first one, -errno; nothing is written after it
};

// 0 or -ENOMEM, which is kept in b->error too.
int body_put(struct body *b, const char *text, size_t len);
#define body_put_lit(b, s) body_put((b), (s), sizeof(s) - 1)
// Text of ours, printf-like; at most 4 KiB.
__attribute__((format(printf, 2, 3))) void body_printf(struct body *b, const char *format, ...);
// Text of anybody as HTML: what has a meaning there is escaped, control characters and bytes that
// are no UTF-8 become '?' (safe in text and in quoted attribute values).
void body_put_html(struct body *b, struct slice text);

// What the client gets next: bytes, 0 at the end, -errno.
ssize_t body_take(struct body *b, char *buf, size_t max);
void body_free(struct body *b); // NULL is fine
