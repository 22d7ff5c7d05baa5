// SPDX-License-Identifier: BSD-3-Clause
// Frames that are ready, on their way to a device: kept until there are BURST of them or the loop
// ends (stage_tx).
// Thread: the worker.
#pragma once

#include "dataplane/worker.h"

// Takes the frame. Counts what became of it, now or at the flush.
void egress_put(struct worker *w, struct device *d, struct rte_mbuf *m);
// Everything that waits leaves, or is counted as unsent and freed.
void egress_flush(struct worker *w);
// Send what workers without a transmit queue of their own have put into the rings of ours.
void egress_serve(struct worker *w);
