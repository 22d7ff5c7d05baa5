// SPDX-License-Identifier: BSD-3-Clause
// The SIP messages of a capture. See capture.h.
#include "control/replay/capture.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame/frame.h"
#include "sip/message.h"
#include "sip/name_addr.h"
#include "sip/numbers.h"
#include "sip/via.h"

static struct slice tag_of(const struct sip_msg *m, enum sip_header id)
{
	struct sip_name_addr party;
	struct slice tag = SLICE_NONE;

	if (sip_name_addr_of(m, id, &party) == 0)
		(void)sip_name_addr_tag(&party, &tag);
	return tag;
}

static void read_message(struct captured *m)
{
	struct sip_msg msg;
	struct sip_via via;
	struct sip_cseq cseq;

	if (sip_msg_parse(&msg, slice_of(m->at.data, m->at.len)) != 0)
		return;
	if (sip_via_top(&msg, &via) != 0 || sip_cseq_of(&msg, &cseq) != 0 ||
	    !sip_msg_has(&msg, SIP_H_CALL_ID))
		return;
	m->readable = true;
	m->call_id = sip_msg_value(&msg, SIP_H_CALL_ID);
	m->branch = via.branch;
	m->from_tag = tag_of(&msg, SIP_H_FROM);
	m->to_tag = tag_of(&msg, SIP_H_TO);
	m->cseq = cseq.number;
	m->status = msg.status;
	m->method = msg.status != 0 ? cseq.method : msg.method;
}

// The start line of SIP: a token and a URI, or SIP/2.0; media and DNS begin otherwise.
static bool is_sip(const struct datagram *d)
{
	struct slice line = slice_of(d->data, d->len);
	int64_t end = slice_find(line, '\n');
	struct slice version = SLICE_LIT("SIP/2.0");

	line = slice_first(line, end >= 0 && end < 4096 ? (uint32_t)end : 0);
	if (slice_starts_with(line, version))
		return true;
	for (uint32_t i = 1; i + version.len <= line.len; i++)
		if (line.p[i] == 'S' && slice_starts_with(slice_skip(line, i), version))
			return line.p[0] >= 'A' && line.p[0] <= 'z';
	return false;
}

void capture_frame(struct capture *c, struct decoder *d, int linktype,
		   const struct frame_bytes *frame, uint64_t us)
{
	struct datagram at;
	struct captured *m;
	enum skip why = decoder_frame(d, linktype, frame->p, frame->caplen, frame->wirelen, &at);

	c->frames++;
	if (why == SKIP_NONE && frame_is_keepalive(at.data, at.len))
		why = SKIP_KEEPALIVE;
	if (why == SKIP_NONE && !is_sip(&at))
		why = SKIP_NOT_SIP;
	if (why == SKIP_NONE && c->n == CAPTURE_MESSAGES_MAX)
		why = SKIP_TOO_MANY;
	if (why != SKIP_NONE) {
		c->skipped[why]++;
		return;
	}
	c->list = region_grow(&c->region, c->list, c->n, sizeof(*c->list));
	m = &c->list[c->n++];
	*m = (struct captured){.us = us, .order = c->n, .at = at};
	m->at.data = region_copy(&c->region, at.data, at.len);
	read_message(m);
}

static int by_time(const void *a, const void *b)
{
	const struct captured *x = a, *y = b;

	if (x->us != y->us)
		return x->us < y->us ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void capture_sort(struct capture *c)
{
	uint32_t left = 0;

	if (c->n != 0)
		qsort(c->list, c->n, sizeof(*c->list), by_time);
	for (uint32_t i = 0; i < c->n; i++) {
		if (c->list[i].us - c->list[0].us > CAPTURE_SPAN_US)
			c->skipped[SKIP_TOO_LATE]++;
		else if (!c->list[i].readable)
			c->skipped[SKIP_MALFORMED]++;
		else
			c->list[left++] = c->list[i];
	}
	c->n = left;
}

static void read_all(struct capture *c, pcap_t *pcap, struct decoder *d)
{
	struct pcap_pkthdr *head;
	const u_char *frame;
	int linktype = pcap_datalink(pcap), rc;

	while ((rc = pcap_next_ex(pcap, &head, &frame)) == 1) {
		const struct frame_bytes bytes = {frame, head->caplen, head->len};

		capture_frame(c, d, linktype, &bytes,
			      (uint64_t)head->ts.tv_sec * 1000000 + (uint64_t)head->ts.tv_usec);
	}
	if (rc == PCAP_ERROR)
		snprintf(c->cut, sizeof(c->cut), "%s", pcap_geterr(pcap));
	c->skipped[SKIP_FRAGMENT] = decoder_waiting(d);
}

int capture_read(struct capture *c, const char *path, char *why, size_t size)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_open_offline(path, error);
	struct decoder *d = decoder_new();
	int rc = 0;

	memset(c, 0, sizeof(*c));
	if (pcap == NULL || d == NULL) {
		snprintf(why, size, "%s", pcap == NULL ? error : "out of memory");
		rc = -1;
	} else if (!decoder_knows(pcap_datalink(pcap))) {
		const char *name = pcap_datalink_val_to_name(pcap_datalink(pcap));

		snprintf(
			why, size,
			"its link type is %s; Ethernet, Linux cooked, raw IP and loopback are read",
			name != NULL ? name : "unknown");
		rc = -1;
	} else {
		read_all(c, pcap, d);
		capture_sort(c);
	}
	decoder_free(d);
	if (pcap != NULL)
		pcap_close(pcap);
	return rc;
}

void capture_free(struct capture *c)
{
	region_free(&c->region);
}
