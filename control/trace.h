// SPDX-License-Identifier: BSD-3-Clause
// A trace: messages of a call, trunk or number as a pcapng file, each with a comment that names its
// leg and what became of it. Ends by itself at its size limit or when the disk is full, and says
// so. Thread: control. Writing may wait for the disk.
#pragma once

#include "config/config.h"
#include "msg/tap.h"

struct trace {
	int fd; // -1: none runs
	char path[256];
	char reason[128];	 // why it ended by itself; "" = it did not
	uint64_t limit;		 // bytes
	uint64_t bytes, packets; // written
	uint64_t lost;		 // copies that workers had no room for
	struct {
		uint8_t *p;
		uint32_t len, packets;
	} buffer;
};

void trace_init(struct trace *t);
// Begin. The file must not exist. Errors: -EALREADY one runs, -errno of open().
int trace_open(struct trace *t, const struct config *c, const char *path, uint64_t limit);
static inline bool trace_runs(const struct trace *t)
{
	return t->fd >= 0;
}
// One message. False: the trace has ended by itself.
bool trace_put(struct trace *t, const struct config *c, const struct tap_head *head,
	       const uint8_t *bytes, uint64_t unix_us);
// Write what waits. False as above.
bool trace_flush(struct trace *t);
// Counters and reason stay readable.
void trace_close(struct trace *t);

// What a comment says: "leg=ingress trunk=carrier1 verdict=SIP_HANDLED".
void trace_comment(char *text, size_t size, const struct config *c, const struct tap_head *head);
