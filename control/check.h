// SPDX-License-Identifier: BSD-3-Clause
// `verge --check` and `verge --print-config`.
// A command: allocates, reads the machine, prints.
#pragma once

#include <stdio.h>

#include "config/config_load.h"

// What this machine has.
void check_machine(struct config_machine *machine);

// Read and validate a file: errors and warnings to `err`, one line each; then to `out` what would
// be negotiated and the memory that capacity takes. Returns the exit status: 0, or 1 if there are
// errors.
int check_run(const char *path, FILE *out, FILE *err);

// The complete configuration file to `out`. Returns the exit status.
int check_print(FILE *out);
