// SPDX-License-Identifier: BSD-3-Clause
// Rules for fuzz_rules, made from bytes: conditions, actions and texts of lists, put together as
// the bytes say, and the compiled configuration that has them. One thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct config;

struct rules_input {
	const uint8_t *at, *end;
};

// The next byte, 0 behind the end.
uint8_t rules_input_next(struct rules_input *in);

// The rules at the beginning of the input (a byte with their length first), less what --check
// refuses, compiled; kept for inputs that begin alike: it stays the callee's until others come.
struct config *rules_draw(struct rules_input *in, bool *is_new);
