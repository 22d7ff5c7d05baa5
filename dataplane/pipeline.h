// SPDX-License-Identifier: BSD-3-Clause
// The order of the stages, as two tables: over frames, and over the SIP messages in them. A message
// that another worker hands over enters at the second table.
// Thread: the worker.
#pragma once

#include "dataplane/worker.h"

// Messages on their way through the stages of SIP. Each holds one reference of its buffer.
struct sip_burst {
	uint32_t n;
	int error[BURST];	     // of sip_msg_parse()
	enum verdict verdict[BURST]; // VERDICT_NONE: the next stage's
	struct rx rx[BURST];	     // buf and flow are set, the rest by the stages
};

struct link_stage {
	const char *name;
	void (*run)(struct worker *w, struct burst *b);
};

struct sip_stage {
	const char *name;
	void (*run)(struct worker *w, struct sip_burst *b);
};

struct pipeline {
	const struct link_stage *link;
	unsigned n_link;
	const struct sip_stage *sip;
	unsigned n_sip;
};

// What verge runs.
extern const struct pipeline pipeline_verge;
// The stages of the link alone: tests and benchmarks put their own behind them.
extern const struct pipeline pipeline_link;

// Run a burst of frames and then the messages among them that are this worker's.
void pipeline_frames(struct worker *w, struct burst *b);
// Run messages that other workers handed over.
void pipeline_messages(struct worker *w, struct rte_mbuf **m, uint32_t n);

// Stage steer puts a message of this worker into its SIP burst by this.
void pipeline_take(struct worker *w, struct rte_mbuf *m);
