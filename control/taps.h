// SPDX-License-Identifier: BSD-3-Clause
// Copies of messages that workers send, and who gets them. Thread: control.
#pragma once

#include "b2bua/tap.h"
#include "control/control_view.h"
#include "control/evidence.h"
#include "control/hep.h"
#include "control/trace.h"
#include "dataplane/dataplane.h"

struct loop;

struct taps {
	struct tap_filter filter[2]; // the one that workers use, and the next
	unsigned current;
	bool published; // filter[current] is what workers use
	struct trace trace;
	struct hep hep;
	struct evidence *evidence; // NULL until a trunk asks for it
	tick_t flush_tk;
	uint64_t lost_before;		   // copies lost before the trace began
	uint8_t bytes[DATAPLANE_TAP_ROOM]; // of one message
};

void taps_init(struct loop *l);
// The configuration is another one: who gets copies from now on.
void taps_configure(struct loop *l);
// A call has ended.
void taps_end(struct loop *l, unsigned worker, const struct call_record *record, tick_t now);
// Metrics of copies.
void taps_metrics(const struct loop *l, struct prometheus_writer *w);
void taps_close(struct loop *l);
// Take copies and pass them on; returns how many.
unsigned taps_poll(struct loop *l, tick_t now);

// As control_view.trace_start and trace_stop.
int taps_trace_start(struct loop *l, const struct control_trace *want);
int taps_trace_stop(struct loop *l, struct control_trace_end *end);
void taps_trace_status(struct loop *l, struct control_trace_end *status);
