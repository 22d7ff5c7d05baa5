// SPDX-License-Identifier: BSD-3-Clause
// `vergectl cdr tail`: reads the file that verge names. It needs the right to read it.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

// request: limit, trunk, csv, follow as given; result: what verge said about the file. json: lines
// as they are. 0, or -1 after saying on stderr why not. With follow it ends when out does.
int vergectl_cdr_tail(const json_t *request, const json_t *result, bool json, FILE *out);
