// SPDX-License-Identifier: BSD-3-Clause
// What holds Hyperscan's objects; only this folder includes this.
#pragma once

#include <hs/hs.h>

#include "classify/classify.h"

struct classify_db {
	hs_database_t *hs;
};

struct classify_scratch {
	hs_scratch_t *hs;
};
