// SPDX-License-Identifier: BSD-3-Clause
// Copies of SIP messages to a Homer collector: HEP3 (EEP) over UDP. Thread: control. Never waits:
// what the socket does not take is counted. Source:
// https://github.com/sipcapture/HEP/blob/master/docs/HEP3NetworkProtocolSpecification_REV_36.pdf
#pragma once

#include "base/outbuf.h"
#include "config/config.h"
#include "msg/tap.h"

#define HEP_PACKET_MAX 16900 // headers, texts and the longest message

struct hep {
	int fd; // -1: off
	struct config_endpoint to;
	uint64_t sent, failed;
	uint8_t room[HEP_PACKET_MAX];
};

// One packet. correlation: the same for all messages of a call; "" = none.
void hep_packet(struct outbuf *o, const struct config_hep *config, const struct tap_head *head,
		const uint8_t *bytes, uint64_t unix_us, const char *correlation);

void hep_init(struct hep *h);
// Open, or close where no collector is set. 0 or -errno.
int hep_configure(struct hep *h, const struct config_hep *config);
void hep_send(struct hep *h, const struct config_hep *config, const struct tap_head *head,
	      const uint8_t *bytes, uint64_t unix_us, const char *correlation);
void hep_close(struct hep *h);
