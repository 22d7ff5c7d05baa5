// SPDX-License-Identifier: BSD-3-Clause
// Messages to the worker that owns their call: owner = H(Call-ID) mod workers (lib/sip/token.h).
// Thread: the worker.
#pragma once

#include "dataplane/worker.h"

// Takes every packet that is still open: into this worker's SIP burst or to its owner.
void stage_steer(struct worker *w, struct burst *b);
