// SPDX-License-Identifier: BSD-3-Clause
// Reading the configuration again while calls are up: what may change now, what needs a restart.
// Thread: control. Reads the file; publishes nothing.
#pragma once

#include "config/config_load.h"
#include "control/log.h"

// Load `path` as the successor of `current`.
// In:     machine - what numbers are checked against; log - told of each key that changes.
// Out:    *out - a snapshot that may be published and is the caller's; NULL on error.
//         *errors - findings; the caller frees them.
// Errors: as config_load(); -EBUSY: it is good, but changes keys that only a restart can change
// (*errors
//         and the log name them). What is in use stays in use.
int reload_load(struct config **out, const char *path, const struct config *current,
		const struct config_machine *machine, struct config_errors *errors,
		struct log *log);
