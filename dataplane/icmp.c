// SPDX-License-Identifier: BSD-3-Clause
// ICMP and ICMPv6. See icmp.h.
#include "dataplane/icmp.h"

#include "dataplane/compose.h"

// Answers a worker gives at most: enough for any monitoring, too few for a reflector.
#define ICMP_PER_SECOND 1000
#define ICMP_BURST	100

enum { ICMP4_ECHO_REPLY = 0, ICMP4_ECHO = 8, ICMP6_ECHO = 128, ICMP6_ECHO_REPLY = 129 };

static bool take_token(struct worker *w)
{
	uint64_t more = (w->now - w->icmp_tk) * ICMP_PER_SECOND / TICK_S(1);

	if (more != 0) {
		w->icmp_tk = w->now;
		w->icmp_tokens = more >= ICMP_BURST - w->icmp_tokens
					 ? ICMP_BURST
					 : w->icmp_tokens + (uint32_t)more;
	}
	if (w->icmp_tokens == 0)
		return false;
	w->icmp_tokens--;
	return true;
}

// Network, host, protocol, port unreachable or prohibited; not "fragmentation needed", not "time
// exceeded": those pass.
static bool is_unreachable(const struct packet *p, const uint8_t *msg)
{
	return p->ip.family == 6 ? msg[0] == 1 : msg[0] == 3 && msg[1] != 4;
}

// What the error quotes of a datagram of ours is for its call (RFC 792; RFC 4443 s3.1): make the
// packet that quote, on its way to the owner.
static enum verdict take_unreachable(struct packet *p, uint8_t *msg, uint32_t n)
{
	struct frame_quote quote;

	if (!frame_quote_read(&quote, p->ip.family, msg + 8, n - 8) ||
	    !port_is_own(p->port, p->ip.family, quote.src) || quote.src_port != p->port->sip_port)
		return VERDICT_DROP_ICMP_ERROR;
	mbuf_sip_of(p->m, msg + (quote.payload - msg), quote.len);
	mbuf_priv(p->m)->undelivered = 1;
	p->undelivered = true;
	return VERDICT_NONE;
}

static bool is_error(const struct packet *p, unsigned type)
{
	if (p->ip.family == 6)
		return type < 128;
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

// Turn the request around in its own buffer and send it back to the station that it came from.
static void send_reply(struct worker *w, struct packet *p, uint8_t *msg, uint32_t n)
{
	struct rte_mbuf *m = p->m;
	uint8_t src[16], dst[16];
	uint64_t pseudo = 0;
	uint16_t sum;
	size_t a = p->ip.family == 4 ? 4 : 16;
	// Options and extension headers are not sent back: the new header stands before the
	// message.
	uint32_t header = p->ip.family == 4 ? FRAME_IP4_LEN : FRAME_IP6_LEN;
	uint8_t *ip = msg - header;

	memcpy(src, p->ip.dst, a);
	memcpy(dst, p->ip.src, a);
	msg[0] = p->ip.family == 4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
	memset(msg + 2, 0, 2);
	if (p->ip.family == 4) {
		frame_ip4_write(ip, src, dst, FRAME_PROTO_ICMP, n);
	} else {
		frame_ip6_write(ip, src, dst, FRAME_PROTO_ICMP6, n);
		pseudo = frame_sum_pseudo(6, src, dst, FRAME_PROTO_ICMP6, n);
	}
	sum = frame_sum_end(frame_sum(msg, n, pseudo));
	memcpy(msg + 2, &sum, 2);
	m->data_off = (uint16_t)(ip - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)(header + n);
	m->pkt_len = m->data_len;
	m->ol_flags = 0;
	p->m = NULL;
	compose_to_mac(w, p->port, m, p->mac);
}

static enum verdict take_icmp(struct worker *w, struct packet *p)
{
	uint8_t *msg = p->l3 + p->ip.header_len;
	uint32_t n = p->ip.total - p->ip.header_len;
	uint64_t pseudo = 0;
	bool echo;

	if (n < 8)
		return VERDICT_DROP_SHORT;
	if (p->ip.family == 6)
		pseudo = frame_sum_pseudo(6, p->ip.src, p->ip.dst, FRAME_PROTO_ICMP6, n);
	if (frame_sum_end(frame_sum(msg, n, pseudo)) != 0)
		return VERDICT_DROP_ICMP_CHECKSUM;
	if (is_unreachable(p, msg))
		return take_unreachable(p, msg, n);
	if (is_error(p, msg[0]))
		return VERDICT_DROP_ICMP_ERROR;
	echo = msg[0] == (p->ip.family == 4 ? ICMP4_ECHO : ICMP6_ECHO);
	if (!echo || msg[1] != 0 || (p->ip.family == 6 && p->ip.dst[0] == 0xff))
		return VERDICT_DROP_ICMP_OTHER;
	if (!take_token(w))
		return VERDICT_DROP_ICMP_RATE;
	send_reply(w, p, msg, n);
	return VERDICT_ICMP_ANSWERED;
}

void stage_icmp(struct worker *w, struct burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct packet *p = &b->pkt[i];

		if (p->verdict == VERDICT_NONE &&
		    p->ip.proto == (p->ip.family == 4 ? FRAME_PROTO_ICMP : FRAME_PROTO_ICMP6))
			p->verdict = take_icmp(w, p);
	}
}
