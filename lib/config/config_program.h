// SPDX-License-Identifier: BSD-3-Clause
// The message rules of a snapshot, compiled. Private to lib/config. Control thread.
#pragma once

#include "config/config_load.h"

// c->program from c->rules; NULL where no trunk uses a rule. It has a user for each worker and one
// more, the last, for control. Errors: -EINVAL a finding (a pattern that Hyperscan refuses, too
// many headers or tags), -ENOMEM, -ENOTSUP.
int config_program(struct config *c, const struct config *previous, struct config_errors *errors);
