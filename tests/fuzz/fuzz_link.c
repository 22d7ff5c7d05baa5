// SPDX-License-Identifier: BSD-3-Clause
// Frames as the link stages read them (lib/frame): whatever the bytes, everything that a
// reader accepts lies inside of what it was given, and what the writers make, the readers read
// back. Input: one byte that chooses, then a frame, an IP packet or a message.
#include "fuzz.h"

#include <string.h>

#include "frame/call_id.h"
#include "frame/frame.h"
#include "sip/message.h"

static void inside(const uint8_t *p, uint32_t n, const uint8_t *q, uint32_t len)
{
	FUZZ_ASSERT(q >= p && q + len <= p + n);
}

static void read_nd(const struct frame_ip *ip, const uint8_t *p, uint32_t n)
{
	struct frame_nd nd;

	if (n == 0 || (p[0] != FRAME_ICMP6_NS && p[0] != FRAME_ICMP6_NA) ||
	    frame_nd_read(&nd, ip, p, n) != VERDICT_NONE)
		return;
	inside(p, n, nd.target, 16);
	if (nd.mac != NULL)
		inside(p, n, nd.mac, 6);
	FUZZ_ASSERT(ip->hops == 255);
}

static void read_ip(const uint8_t *p, uint32_t n)
{
	struct frame_ip ip;
	struct frame_udp u;
	enum verdict v;

	if (n == 0)
		return;
	v = p[0] >> 4 == 4 ? frame_ip4_read(&ip, p, n) : frame_ip6_read(&ip, p, n);
	if (v != VERDICT_NONE)
		return;
	FUZZ_ASSERT(ip.header_len <= ip.total && ip.total <= n);
	inside(p, n, ip.src, ip.family == 4 ? 4 : 16);
	inside(p, n, ip.dst, ip.family == 4 ? 4 : 16);
	if (ip.family == 4)
		(void)frame_ip4_sum_ok(p, &ip);
	if (ip.fragment)
		return;
	p += ip.header_len;
	n = ip.total - ip.header_len;
	if (ip.family == 6 && ip.proto == FRAME_PROTO_ICMP6)
		read_nd(&ip, p, n);
	if (ip.proto != FRAME_PROTO_UDP || frame_udp_read(&u, p, n) != VERDICT_NONE)
		return;
	FUZZ_ASSERT(u.len >= FRAME_UDP_LEN && u.len <= n && u.src != 0);
	(void)frame_udp_sum_ok(&ip, p, &u, true);
	(void)frame_is_keepalive(p + FRAME_UDP_LEN, u.len - FRAME_UDP_LEN);
}

static void read_frame(const uint8_t *p, uint32_t n)
{
	struct frame_ether e;
	struct frame_arp a;

	if (frame_ether_read(&e, p, n) != VERDICT_NONE)
		return;
	FUZZ_ASSERT(e.len <= n && e.vlan <= 0x0fff);
	if (e.type == FRAME_TYPE_ARP && frame_arp_read(&a, p + e.len, n - e.len) == VERDICT_NONE) {
		inside(p, n, a.sender_mac, 6);
		inside(p, n, a.sender_ip, 4);
		inside(p, n, a.target_ip, 4);
	}
	read_ip(p + e.len, n - e.len);
}

// A datagram with that payload, written and read back.
static void written(unsigned family, const uint8_t *payload, uint32_t n)
{
	static const uint8_t src[16] = {10, 1, 2, 3}, dst[16] = {10, 3, 2, 1};
	static uint8_t packet[FRAME_IP6_LEN + FRAME_UDP_LEN + 4096];
	uint32_t header = family == 4 ? FRAME_IP4_LEN : FRAME_IP6_LEN;
	struct frame_ip ip = {.src = src, .dst = dst, .family = (uint8_t)family};
	struct frame_udp u;
	enum verdict v;

	memcpy(packet + header + FRAME_UDP_LEN, payload, n);
	frame_udp_write(packet + header, &ip, 5060, 5061, n, true);
	if (family == 4)
		frame_ip4_write(packet, src, dst, FRAME_PROTO_UDP, FRAME_UDP_LEN + n);
	else
		frame_ip6_write(packet, src, dst, FRAME_PROTO_UDP, FRAME_UDP_LEN + n);
	n += header + FRAME_UDP_LEN;
	v = family == 4 ? frame_ip4_read(&ip, packet, n) : frame_ip6_read(&ip, packet, n);
	FUZZ_ASSERT(v == VERDICT_NONE && ip.total == n && ip.proto == FRAME_PROTO_UDP);
	FUZZ_ASSERT(family == 6 || frame_ip4_sum_ok(packet, &ip));
	FUZZ_ASSERT(frame_udp_read(&u, packet + header, n - header) == VERDICT_NONE);
	FUZZ_ASSERT(u.src == 5060 && u.dst == 5061 && u.len == n - header && u.sum != 0);
	FUZZ_ASSERT(frame_udp_sum_ok(&ip, packet + header, &u, false));
}

// The quick search finds the Call-ID that the full index finds.
static void call_id(const uint8_t *p, uint32_t n)
{
	struct slice quick = call_id_find(slice_of(p, n));
	struct sip_msg m;

	if (quick.len != 0)
		inside(p, n, quick.p, quick.len);
	if (sip_msg_parse(&m, slice_of(p, n)) == 0)
		FUZZ_ASSERT(slice_eq(quick, sip_msg_value(&m, SIP_H_CALL_ID)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t n = (uint32_t)size - 1;

	if (size == 0 || size > 4096)
		return 0;
	switch (data[0] & 3) {
	case 0:
		read_frame(data + 1, n);
		break;
	case 1:
		read_ip(data + 1, n);
		break;
	case 2:
		call_id(data + 1, n);
		break;
	case 3:
		written(data[0] & 4 ? 4 : 6, data + 1, n);
		break;
	}
	return 0;
}
