// SPDX-License-Identifier: BSD-3-Clause
// Variables of a message: parts of header values that `capture` keeps and that later actions of the
// same set write as \u01 to \u99. Any thread; memory is the caller's.
#pragma once

#include "rules/rule.h"

#define VARIABLE_NAME 4 // bytes of \u01

// The variable whose name stands at `at`: 1 to 99 for \u01 to \u99; 0: none does.
unsigned variable_at(struct slice text, uint32_t at);
// The next variable in a text at or after *at, which then is behind it; 0: no more. escapes: a
// backslash and the character behind it are one, as in `with`.
unsigned variable_next(struct slice text, bool escapes, uint32_t *at);
// "u01" to "u99" as 1 to 99; 0: it is none.
unsigned variable_of(struct slice name);

// What a message has, in the order of capture. The texts live as long as the message and its draft.
struct variables {
	uint32_t n;
	struct {
		uint8_t number;
		struct slice text;
	} of[RULE_MAX_VARIABLES];
};

// Empty if nothing has set it.
struct slice variables_get(const struct variables *v, unsigned number);
// False: the text is longer than RULE_MAX_VARIABLE bytes; the variable keeps what it has.
bool variables_set(struct variables *v, unsigned number, struct slice text);
void variables_copy(struct variables *to, const struct variables *from);
