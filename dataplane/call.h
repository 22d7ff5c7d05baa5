// SPDX-License-Identifier: BSD-3-Clause
// Messages to the call logic (lib/b2bua/engine.h). Thread: the worker.
#pragma once

#include "dataplane/pipeline.h"

// Three passes over the burst: tokens and records come near, then what they point to, then each
// message is handled. Decides every verdict.
void stage_call(struct worker *w, struct sip_burst *b);
// Tell the call logic of packets that had no next hop (worker_undelivered()).
void call_undelivered(struct worker *w);
