// SPDX-License-Identifier: BSD-3-Clause
// UDP datagrams for the SIP port (RFC 768). Thread: the worker.
#pragma once

#include "dataplane/worker.h"

// Takes every packet that is left. Of SIP datagrams it fills in the private area of pkt[i].m
// (message and flow) and leaves the verdict open.
void stage_udp(struct worker *w, struct burst *b);
