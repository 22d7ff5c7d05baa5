// SPDX-License-Identifier: BSD-3-Clause
// Replies as text for people. What peers wrote may be in them: control characters are shown as '?',
// so that nobody on the wire writes to the operator's terminal.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

// Cut the last column of tables so that a line has at most so many characters; 0, as at first:
// never.
void vergectl_print_width(unsigned columns);

// Any object: members as lines, arrays of objects as tables.
void vergectl_print(json_t *result, FILE *out);
// Tables whose columns are chosen.
void vergectl_print_calls(json_t *result, FILE *out);
void vergectl_print_trunks(json_t *result, FILE *out);
// Rules one by one, then the message as they leave it.
void vergectl_print_rules_test(json_t *result, FILE *out);
void vergectl_print_why(json_t *result, FILE *out);
void vergectl_print_report(json_t *result, bool markdown, FILE *out);
