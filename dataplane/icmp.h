// SPDX-License-Identifier: BSD-3-Clause
// ICMP and ICMPv6 (RFC 792, 4443): echo requests are answered, up to a rate; errors are counted.
// Thread: the worker.
#pragma once

#include "dataplane/worker.h"

// Takes every ICMP and ICMPv6 packet that stage_arp_nd left.
void stage_icmp(struct worker *w, struct burst *b);
