// SPDX-License-Identifier: BSD-3-Clause
// What the files behind dataplane.h share.
#pragma once

#include <stdatomic.h>

#include "dataplane/dataplane.h"
#include "dataplane/idle.h"
#include "dataplane/worker.h"

struct dataplane {
	_Atomic bool stop;			// W: control, R: workers
	_Atomic(const struct config *) config;	// W: control, R: workers
	_Atomic(const struct tap_filter *) tap; // the same; NULL: none
	_Atomic uint32_t links_changed;		// W: control, R: worker 0
	bool busy;				// system.idle
	bool hugepages;				// EAL's memory comes from them
	bool links_only;			// no calls: stages of a test or benchmark
	unsigned n_workers;
	struct worker *workers; // [n_workers]
	struct mbuf_pools pools;
	struct devices devices;
	uint32_t n_small, n_large;    // buffers of each pool
	uint32_t calls, transactions; // of each worker
	struct classify_db *patterns;
	tick_t links_tk;
};

// Wait until every worker uses the snapshot of the configuration, or with tap the filter, that was
// published. Errors: -ETIMEDOUT after a second.
int dataplane_wait_all(struct dataplane *dp, const void *published, bool tap);

// dataplane_start() with other stages than verge's and no calls: for tests of the link and for
// benchmarks.
int dataplane_start_stages(struct dataplane **out, const struct dataplane_params *params,
			   const struct pipeline *pipeline);

// Memory, arena, tables and channels of the calls of one worker. Errors: -ENOMEM, -ENOTSUP; *why
// says more. Control thread.
int calls_make(struct worker *w, const struct dataplane_params *params, struct outbuf *why);
void calls_free(struct worker *w);
