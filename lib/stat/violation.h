// SPDX-License-Identifier: BSD-3-Clause
// Where peers depart from the RFCs (violation.def) as an enum and as rows. Any thread; constants
// only.
#pragma once

enum violation {
#define VIOLATION(id, row, rfc, what) VIOLATION_##id,
#include "stat/violation.def"
	VIOLATION_N
};

struct violation_row {
	const char *rfc;  // section
	const char *what; // what the peer did
	unsigned counter; // index of trunk_stats.value
};
extern const struct violation_row violation_rows[VIOLATION_N];
