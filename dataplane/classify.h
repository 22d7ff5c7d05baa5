// SPDX-License-Identifier: BSD-3-Clause
// The index of a message's headers and its class (lib/sip/message.h, lib/classify).
// Thread: the worker.
#pragma once

#include "dataplane/pipeline.h"

// Fills in rx[i].msg and rx[i].class, or error[i]. Bytes that are no SIP get their verdict here.
void stage_classify(struct worker *w, struct sip_burst *b);
