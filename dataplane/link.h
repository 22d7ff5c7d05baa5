// SPDX-License-Identifier: BSD-3-Clause
// From a frame to an ARP or IP packet that is for one of our ports (IEEE 802.3, 802.1Q, RFC 791,
// 8200). Thread: the worker.
#pragma once

#include "dataplane/worker.h"

// Reads pkt[i].m; sets port, mac, type, l3, l3_len and, of IP packets, ip, or the verdict.
// Fragments and multicast for neighbour discovery pass.
void stage_link(struct worker *w, struct burst *b);
