// SPDX-License-Identifier: BSD-3-Clause
// `vergectl why CALL-ID`: the timer story of each leg in sentences: what was negotiated and by
// which header, what comes next and when, and what will happen if nothing arrives. Thread: control.
// Pure but for reading control's state; times are given.
#pragma once

#include "base/outbuf.h"
#include "control/control.h"

struct why {
	const struct control *control;
	unsigned worker;	      // of the call
	const struct call_view *view; // engine_view()
	tick_t now;
};

// Enough for both legs whatever the peers' text.
#define WHY_MAX_BYTES 16384

// Lines of plain text, each with its line end; peers' text is escaped.
void why_put(struct outbuf *o, const struct why *why);
// One leg only.
void why_put_leg(struct outbuf *o, const struct why *why, unsigned side);
