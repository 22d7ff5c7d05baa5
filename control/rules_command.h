// SPDX-License-Identifier: BSD-3-Clause
// `verge rules`: what message rules become of other systems' files, and the presets. A command;
// runs before any other thread.
#pragma once

#include <stdio.h>

extern const char rules_usage[];

// argv from the word behind "rules" on. Returns the exit status: 0 done, 1 something could not be
// carried over or read (err says what), 2 usage.
int rules_command(int argc, char **argv, FILE *out, FILE *err);
