// SPDX-License-Identifier: BSD-3-Clause
// SIP messages as trunks send them: seven kinds, SIP_MIX_VARIANTS of each, every one with its own
// values, order and choice of headers, so that no branch predictor learns them; always the same.
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/outbuf.h"
#include "base/prefetch.h"

enum sip_mix_kind {
	SIP_MIX_INVITE,
	SIP_MIX_200,
	SIP_MIX_ACK,
	SIP_MIX_BYE,
	SIP_MIX_REINVITE,
	SIP_MIX_UPDATE,
	SIP_MIX_OPTIONS,
	SIP_MIX_KINDS
};

#define SIP_MIX_VARIANTS 512
#define SIP_MIX_ROOM	 2048
#define SIP_MIX_LINES	 24

struct sip_mix {
	struct slice msg[SIP_MIX_KINDS][SIP_MIX_VARIANTS];
};

static uint64_t sip_mix_state = 0x2545f4914f6cdd1du;

static inline uint32_t sip_mix_random(uint32_t below)
{
	sip_mix_state = sip_mix_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(sip_mix_state >> 33) % below;
}

// Header lines that wait to be shuffled.
struct sip_mix_lines {
	char text[SIP_MIX_LINES][320];
	unsigned n;
};

#define SIP_MIX_LINE(l, ...) (void)snprintf((l)->text[(l)->n++], sizeof((l)->text[0]), __VA_ARGS__)

static void sip_mix_dialog_lines(struct sip_mix_lines *l, const char *method, bool in_dialog)
{
	unsigned a = sip_mix_random(250), b = sip_mix_random(250);

	SIP_MIX_LINE(l, "From: %s<sip:+1212555%04u@10.91.1.%u>;tag=%08x%s",
		     sip_mix_random(2) ? "\"Alice Liddell\" " : "", sip_mix_random(10000), a,
		     sip_mix_random(UINT32_MAX), sip_mix_random(2) ? "ab12" : "");
	if (in_dialog)
		SIP_MIX_LINE(l, "To: <sip:+1415555%04u@10.92.1.%u>;tag=as%08x",
			     sip_mix_random(10000), b, sip_mix_random(UINT32_MAX));
	else
		SIP_MIX_LINE(l, "To: <sip:+1415555%04u@10.92.1.%u;user=phone>",
			     sip_mix_random(10000), b);
	SIP_MIX_LINE(l, "Call-ID: %08x-%08x%s@10.91.1.%u", sip_mix_random(UINT32_MAX),
		     sip_mix_random(UINT32_MAX), sip_mix_random(2) ? "-4242" : "", a);
	SIP_MIX_LINE(l, "CSeq: %u %s", 1 + sip_mix_random(40000), method);
}

static void sip_mix_common_lines(struct sip_mix_lines *l, bool is_request)
{
	if (is_request)
		SIP_MIX_LINE(l, "Max-Forwards: %u", 60 + sip_mix_random(11));
	if (sip_mix_random(4) != 0)
		SIP_MIX_LINE(l, "%s: Carrier-GW/%u.%u (build %u)",
			     is_request ? "User-Agent" : "Server", 1 + sip_mix_random(9),
			     sip_mix_random(30), sip_mix_random(9000));
}

static void sip_mix_session_lines(struct sip_mix_lines *l, bool is_request)
{
	SIP_MIX_LINE(l, "Contact: <sip:gw%u@10.91.1.%u:%u%s>", sip_mix_random(100),
		     sip_mix_random(250), 5060 + sip_mix_random(40),
		     sip_mix_random(2) ? ";transport=udp" : "");
	SIP_MIX_LINE(l, "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO%s",
		     sip_mix_random(2) ? ", REFER, NOTIFY" : "");
	SIP_MIX_LINE(l,
		     sip_mix_random(2) ? "Supported: timer, 100rel, replaces" : "k: 100rel,timer");
	SIP_MIX_LINE(l, "%s: %u%s", sip_mix_random(2) ? "Session-Expires" : "x",
		     600 + sip_mix_random(1800),
		     is_request && sip_mix_random(2) ? "" : ";refresher=uac");
	if (is_request)
		SIP_MIX_LINE(l, "Min-SE: %u", 90 + sip_mix_random(300));
	else if (sip_mix_random(2))
		SIP_MIX_LINE(l, "Require: timer");
	if (sip_mix_random(2))
		SIP_MIX_LINE(l, "Record-Route: <sip:10.90.0.%u;lr>", sip_mix_random(250));
	if (sip_mix_random(2))
		SIP_MIX_LINE(l, "P-Asserted-Identity: <sip:+1212555%04u@carrier.example>",
			     sip_mix_random(10000));
	if (sip_mix_random(3) == 0)
		SIP_MIX_LINE(l, "P-Charging-Vector: icid-value=%08x;orig-ioi=carrier.example",
			     sip_mix_random(UINT32_MAX));
	if (sip_mix_random(3) == 0)
		SIP_MIX_LINE(l, "Date: Sat, 21 Nov 2026 05:%02u:%02u GMT", sip_mix_random(60),
			     sip_mix_random(60));
}

static unsigned sip_mix_sdp(char *sdp, size_t room)
{
	int n = snprintf(sdp, room,
			 "v=0\r\no=gw %u %u IN IP4 10.91.1.%u\r\ns=-\r\nc=IN IP4 10.91.2.%u\r\n"
			 "t=0 0\r\nm=audio %u RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\n"
			 "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
			 "a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n",
			 sip_mix_random(UINT32_MAX), sip_mix_random(100), sip_mix_random(250),
			 sip_mix_random(250), 10000 + 2 * sip_mix_random(20000));

	return (unsigned)n;
}

static void sip_mix_shuffle(struct sip_mix_lines *l)
{
	for (unsigned i = l->n; i > 1; i--) {
		char *a = l->text[i - 1], *b = l->text[sip_mix_random(i)], swap[sizeof(l->text[0])];

		memcpy(swap, a, sizeof(swap));
		memmove(a, b, sizeof(swap));
		memcpy(b, swap, sizeof(swap));
	}
}

static void sip_mix_start(struct outbuf *o, enum sip_mix_kind kind, const char *method)
{
	char text[320];

	if (kind == SIP_MIX_200)
		(void)snprintf(text, sizeof(text), "SIP/2.0 200 OK\r\n");
	else
		(void)snprintf(text, sizeof(text), "%s sip:+1415555%04u@10.92.1.%u:%u SIP/2.0\r\n",
			       method, sip_mix_random(10000), sip_mix_random(250),
			       5060 + sip_mix_random(40));
	outbuf_put_str(o, text);
	for (unsigned i = 1 + sip_mix_random(2); i > 0; i--) {
		(void)snprintf(text, sizeof(text),
			       "Via: SIP/2.0/UDP 10.91.1.%u:%u;%sbranch=z9hG4bK%08x%08x\r\n",
			       sip_mix_random(250), 5060 + sip_mix_random(40),
			       sip_mix_random(2) ? "rport;" : "", sip_mix_random(UINT32_MAX),
			       sip_mix_random(UINT32_MAX));
		outbuf_put_str(o, text);
	}
}

static struct slice sip_mix_message(enum sip_mix_kind kind)
{
	static const char *const methods[SIP_MIX_KINDS] = {"INVITE", "INVITE", "ACK",	 "BYE",
							   "INVITE", "UPDATE", "OPTIONS"};
	struct outbuf o = outbuf_of(malloc(SIP_MIX_ROOM), SIP_MIX_ROOM);
	static struct sip_mix_lines l;
	bool is_request = kind != SIP_MIX_200;
	char sdp[512];
	unsigned sdp_len = 0;

	if (o.p == NULL)
		abort();
	l.n = 0;
	sip_mix_start(&o, kind, methods[kind]);
	sip_mix_dialog_lines(&l, methods[kind], kind != SIP_MIX_INVITE && kind != SIP_MIX_OPTIONS);
	sip_mix_common_lines(&l, is_request);
	if (kind != SIP_MIX_ACK && kind != SIP_MIX_BYE && kind != SIP_MIX_OPTIONS)
		sip_mix_session_lines(&l, is_request);
	if (kind == SIP_MIX_OPTIONS)
		SIP_MIX_LINE(&l, "Accept: application/sdp");
	if (kind == SIP_MIX_INVITE || kind == SIP_MIX_200 || kind == SIP_MIX_REINVITE) {
		sdp_len = sip_mix_sdp(sdp, sizeof(sdp));
		SIP_MIX_LINE(&l, "Content-Type: application/sdp");
	}
	SIP_MIX_LINE(&l, "%s: %u", sip_mix_random(2) ? "Content-Length" : "l", sdp_len);
	sip_mix_shuffle(&l);
	for (unsigned i = 0; i < l.n; i++) {
		outbuf_put_str(&o, l.text[i]);
		outbuf_put_lit(&o, "\r\n");
	}
	outbuf_put_lit(&o, "\r\n");
	outbuf_put(&o, sdp, sdp_len);
	o.p = realloc(o.p, o.len);
	if (o.full || o.p == NULL)
		abort();
	return outbuf_slice(&o);
}

// Start to load a message, as a worker does for the later ones of a burst.
static inline void sip_mix_prefetch(struct slice s)
{
	for (uint32_t i = 0; i < s.len; i += 64)
		prefetch_line(s.p + i);
}

// All messages; the memory is never given back.
static inline void sip_mix_make(struct sip_mix *mix)
{
	for (unsigned kind = 0; kind < SIP_MIX_KINDS; kind++)
		for (unsigned i = 0; i < SIP_MIX_VARIANTS; i++)
			mix->msg[kind][i] = sip_mix_message((enum sip_mix_kind)kind);
}
