// SPDX-License-Identifier: BSD-3-Clause
// GET / of the metrics listener: what an operator wants to see first, as one HTML page that needs
// nothing else. It is whole without JavaScript; with it, it renews itself. Read-only. Thread:
// control.
#pragma once

#include "control/body.h"
#include "control/history.h"

#define PAGE_NONCE_BYTES 33 // 32 hexadecimal digits and the end

// The nonce (at most PAGE_NONCE_BYTES with its end) marks the script and style of this reply; it is
// copied. NULL when out of memory. history is brought up to date.
struct body *page_body_new(const struct control_view *view, struct history *history,
			   const char *nonce);
