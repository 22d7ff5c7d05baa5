// SPDX-License-Identifier: BSD-3-Clause
// The verdicts of packets (verdict.def) as an enum. Any thread; constants only.
#pragma once

enum verdict {
#define VERDICT(id, class, help) VERDICT_##id,
#include "stat/verdict.def"
	VERDICT_N
};
