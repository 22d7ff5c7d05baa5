// SPDX-License-Identifier: BSD-3-Clause
// Builds what the look-ups of config.h search. Private to lib/config.
#pragma once

#include "config/config_schema.h"

// Fill c->sources and c->routing; memory from t. -ENOMEM.
int config_lookup_build(struct config *c, struct config_text *t);
