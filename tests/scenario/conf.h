// SPDX-License-Identifier: BSD-3-Clause
// The configuration of a case: a default one with trunks A and B, and what the case changes in it.
// One thread of a test program. Reads nested YAML maps and dotted keys ("profiles.b.midcall: all");
// values are passed on as they are written, so everything that the real loader takes can be said.
#pragma once

#include "arena.h"

struct conf;

// The default configuration: trunk A (profile a) at 10.91.0.2 behind port access 10.91.0.1, trunk B
// (profile b) at 10.92.0.2 behind port core 10.92.0.1, routes both ways, no jitter, no pings.
struct conf *conf_new(struct arena *a);

// Put one line of YAML on top; lines of one snippet follow each other, indented as in YAML.
// A line "- value" below a key begins that key's list anew. Returns 0 or -1 when it cannot be read.
int conf_line(struct conf *c, const char *line);
// The next line starts a new snippet.
void conf_begin(struct conf *c);

// The whole as YAML, in the arena.
const char *conf_text(struct conf *c);
