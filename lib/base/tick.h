// SPDX-License-Identifier: BSD-3-Clause
// Time: monotonic microseconds since an arbitrary start. Nothing in lib/ reads a clock; `now` is
// always an argument, so that tests run on a clock that they advance.
#pragma once

#include <stdint.h>

typedef uint64_t tick_t;

#define TICK_NEVER UINT64_MAX

#define TICK_US(n) ((tick_t)(n))
#define TICK_MS(n) ((tick_t)(n)*1000)
#define TICK_S(n)  ((tick_t)(n)*1000000)
