// SPDX-License-Identifier: BSD-3-Clause
// What the shell of control lets cli.c and http.c see and do. The shell fills it in once; every
// function is called on the control thread, must not wait, and must not call back into cli or http.
#pragma once

#include "b2bua/engine.h"
#include "config/config_load.h"
#include "control/cdr_file.h"
#include "control/control.h"
#include "stat/prometheus.h"

// Which packets a trace keeps; empty strings do not restrict.
struct control_trace {
	char call_id[256];
	char trunk[64];
	char number[64]; // start of the calling or called user
	char file[256];	 // pcapng to write
	bool marked;	 // only calls that a rule marked
};

// What a trace has done so far, or did.
struct control_trace_end {
	bool runs;
	char file[256];	  // "" = there was none
	char reason[128]; // why it ended by itself; "" = it did not
	uint64_t packets, bytes, lost;
};

struct control_view {
	void *ctx; // first argument of each function
	struct control *core;
	unsigned n_workers;
	const struct worker_stats *const *worker_stats; // [n_workers]
	const uint64_t *const *verdicts;		// [n_workers] of [VERDICT_N]
	const uint16_t *worker_cpus;			// [n_workers]

	tick_t (*now)(void *ctx);		     // monotonic
	uint64_t (*unix_us)(void *ctx, tick_t tick); // wall clock of a tick
	tick_t started_tk;

	const struct trunk_live *live; // [CONFIG_MAX_TRUNKS]

	// Counters of a trunk on a worker; NULL: none.
	const struct trunk_stats *(*trunk_stats)(void *ctx, unsigned worker, unsigned trunk);

	// Calls: engine_calls_max(), engine_view() and engine_find() of a worker inside a read
	// section.
	uint32_t (*calls_max)(void *ctx, unsigned worker);
	int (*call)(void *ctx, unsigned worker, uint32_t index, struct call_view *view);
	uint32_t (*find)(void *ctx, unsigned worker, struct slice call_id);

	// Further metrics of the shell: buffers, ports, arena. May be NULL.
	void (*more_metrics)(void *ctx, struct prometheus_writer *w);
	// What is wrong, for /healthz: NULL, or a sentence without its full stop, which is the
	// shell's until the next call: the process starts or stops, or a worker stands still.
	const char *(*trouble)(void *ctx);

	// Read the file again and publish it. 0, or -errno with *errors saying why (the caller
	// frees them); changes that need a restart are refused with -EBUSY.
	int (*reload)(void *ctx, struct config_errors *errors);
	// Publish a snapshot made by config_override(); it is the shell's from now on.
	void (*publish)(void *ctx, struct config *c);
	// NULL where there is no CDR file.
	void (*cdr_stats)(void *ctx, struct cdr_file_stats *stats);
	// 0 or -EINVAL.
	int (*log_level)(void *ctx, const char *level);
	// NULL where the shell cannot trace. 0 or -errno; -EALREADY / -ENOENT while one runs / none
	// does.
	int (*trace_start)(void *ctx, const struct control_trace *trace);
	int (*trace_stop)(void *ctx, struct control_trace_end *end);
	void (*trace_status)(void *ctx, struct control_trace_end *status);
};
