// SPDX-License-Identifier: BSD-3-Clause
// pcapng blocks (draft-ietf-opsawg-pcapng) around SIP messages, for traces and evidence. Written
// here because librte_pcapng of DPDK 22.11 knows no comments, stamps packets by a TSC rate that is
// off by up to 0.2 %, and takes mbufs, which control does not know. Any thread; pure: appends to a
// buffer, whole blocks or (outbuf full) to be thrown away.
#pragma once

#include "base/outbuf.h"
#include "msg/tap.h"

// Type of a packet block.
#define PCAPNG_PACKET 6
// Longest packet block: headers of the frame, comment and message.
#define PCAPNG_BLOCK_MAX (512 + 16384 + 512)

// Begin a file.
void pcapng_section(struct outbuf *o, const char *program);
// An interface for each port, in the order of their ids: Ethernet, microseconds.
void pcapng_interface(struct outbuf *o, const char *name);
// A message in an Ethernet frame of its own making: addresses and UDP ports are those of the flow,
// the stations are made up. comment may be "".
void pcapng_message(struct outbuf *o, const struct tap_head *head, const uint8_t *bytes,
		    uint64_t unix_us, const char *comment);
