// SPDX-License-Identifier: BSD-3-Clause
// Fragments become packets (RFC 791 s3.2, 8200 s4.5), by rte_ip_frag; the packet is then copied
// into one large buffer, since a SIP message is read as one run of bytes. Thread: the worker. A
// packet of more than 8 fragments or longer than MBUF_LARGE_ROOM is refused; incomplete ones are
// dropped after 5 s, and earlier where the table is full.
#pragma once

#include "dataplane/worker.h"

#define REASSEMBLE_PACKETS 256 // incomplete packets of a worker at once
#define REASSEMBLE_MBUFS   (REASSEMBLE_PACKETS * RTE_LIBRTE_IP_FRAG_MAX_FRAG)

int reassemble_init(struct worker *w);
void reassemble_free(struct worker *w);

// Takes fragments; the one that completes a packet stands for all of it.
void stage_reassemble(struct worker *w, struct burst *b);
// Drop what is too old. Once in 100 ms.
void reassemble_tick(struct worker *w);
