// SPDX-License-Identifier: BSD-3-Clause
// Headers of the link and of IP as bytes. See frame.h.
#include "frame/frame.h"

#include <arpa/inet.h>

#define IP4_MORE   0x2000u
#define IP4_OFFSET 0x1fffu

uint64_t frame_sum(const void *bytes, size_t n, uint64_t sum)
{
	const uint8_t *p = bytes;
	uint64_t eight, high = 0;

	// Two sums of halves: what compilers turn into vectors of them with the fewest shuffles.
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&eight, p, 8);
		sum += (uint32_t)eight;
		high += eight >> 32;
	}
	sum += high;
	for (; n >= 2; n -= 2, p += 2) {
		uint16_t w;

		memcpy(&w, p, 2);
		sum += w;
	}
	if (n != 0) {
		const uint8_t last[2] = {p[0], 0};
		uint16_t w;

		memcpy(&w, last, 2);
		sum += w;
	}
	return sum;
}

// The sum is kept in the byte order of memory: folding gives the field as it stands in the packet.
static uint16_t sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffffffu) + (sum >> 32);
	sum = (sum & 0xffffu) + (sum >> 16);
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t frame_sum_end(uint64_t sum)
{
	return (uint16_t)~sum_fold(sum);
}

uint64_t frame_sum_pseudo(unsigned family, const uint8_t *src, const uint8_t *dst, unsigned proto,
			  uint32_t len)
{
	size_t n = family == 4 ? 4 : 16;
	uint64_t sum = htonl(len) + (uint64_t)htons((uint16_t)proto);

	return frame_sum(dst, n, frame_sum(src, n, sum));
}

enum verdict frame_ether_read(struct frame_ether *e, const uint8_t *p, uint32_t n)
{
	if (n < FRAME_ETHER_LEN)
		return VERDICT_DROP_SHORT;
	e->dst = p;
	e->src = p + 6;
	e->type = frame_be16(p + 12);
	e->vlan = 0;
	e->len = FRAME_ETHER_LEN;
	if (e->type == FRAME_TYPE_VLAN) {
		if (n < FRAME_ETHER_LEN + FRAME_VLAN_LEN)
			return VERDICT_DROP_SHORT;
		e->vlan = frame_be16(p + 14) & 0x0fff;
		e->type = frame_be16(p + 16);
		e->len = FRAME_ETHER_LEN + FRAME_VLAN_LEN;
	}
	return VERDICT_NONE;
}

unsigned frame_ether_len(uint16_t vlan)
{
	return vlan == 0 ? FRAME_ETHER_LEN : FRAME_ETHER_LEN + FRAME_VLAN_LEN;
}

void frame_ether_write(uint8_t *p, const uint8_t *dst, const uint8_t *src, uint16_t vlan,
		       uint16_t type)
{
	memmove(p, dst, 6);
	memmove(p + 6, src, 6);
	if (vlan != 0) {
		frame_put16(p + 12, FRAME_TYPE_VLAN);
		frame_put16(p + 14, vlan);
		p += FRAME_VLAN_LEN;
	}
	frame_put16(p + 12, type);
}

// RFC 1122 s3.2.1.3: addresses that no packet may come from.
static bool ip4_source_ok(const uint8_t *a)
{
	return a[0] != 0 && a[0] != 127 && a[0] < 224;
}

enum verdict frame_ip4_read(struct frame_ip *ip, const uint8_t *p, uint32_t n)
{
	uint32_t header, total;
	uint16_t offset;

	if (n < FRAME_IP4_LEN)
		return VERDICT_DROP_SHORT;
	header = (p[0] & 15u) * 4;
	total = frame_be16(p + 2);
	if (p[0] >> 4 != 4 || header < FRAME_IP4_LEN || total < header)
		return VERDICT_DROP_IP_HEADER;
	if (total > n)
		return VERDICT_DROP_SHORT;
	if (!ip4_source_ok(p + 12))
		return VERDICT_DROP_IP_HEADER;
	offset = frame_be16(p + 6);
	*ip = (struct frame_ip){
		.src = p + 12,
		.dst = p + 16,
		.total = total,
		.header_len = (uint16_t)header,
		.family = 4,
		.proto = p[9],
		.hops = p[8],
		.fragment = (offset & (IP4_MORE | IP4_OFFSET)) != 0,
	};
	return VERDICT_NONE;
}

bool frame_ip4_sum_ok(const uint8_t *p, const struct frame_ip *ip)
{
	return frame_sum_end(frame_sum(p, ip->header_len, 0)) == 0;
}

// Steps over extension headers from ip->header_len on.
static enum verdict ip6_extensions(struct frame_ip *ip, const uint8_t *p)
{
	for (unsigned i = 0; ip->proto == 0 || ip->proto == 60; i++) {
		uint32_t at = ip->header_len;

		// Hop-by-hop options come first or not at all (RFC 8200 s4.1); four headers are
		// more than any sender has a reason for.
		if (i == 4 || (ip->proto == 0 && i != 0) || at + 8 > ip->total)
			return VERDICT_DROP_IP_EXTENSION;
		ip->proto = p[at];
		at += (p[at + 1] + 1u) * 8;
		if (at > ip->total)
			return VERDICT_DROP_IP_EXTENSION;
		ip->header_len = (uint16_t)at;
	}
	return ip->proto == 43 || ip->proto == FRAME_PROTO_FRAG6 || ip->proto == 51
		       ? VERDICT_DROP_IP_EXTENSION
		       : VERDICT_NONE;
}

enum verdict frame_ip6_read(struct frame_ip *ip, const uint8_t *p, uint32_t n)
{
	if (n < FRAME_IP6_LEN)
		return VERDICT_DROP_SHORT;
	if (p[0] >> 4 != 6)
		return VERDICT_DROP_IP_HEADER;
	*ip = (struct frame_ip){
		.src = p + 8,
		.dst = p + 24,
		.total = FRAME_IP6_LEN + (uint32_t)frame_be16(p + 4),
		.header_len = FRAME_IP6_LEN,
		.family = 6,
		.proto = p[6],
		.hops = p[7],
	};
	if (ip->total > n)
		return VERDICT_DROP_SHORT;
	if (ip->src[0] == 0xff)
		return VERDICT_DROP_IP_HEADER;
	if (ip->proto == FRAME_PROTO_FRAG6) {
		if (ip->total < FRAME_IP6_LEN + FRAME_FRAG6_LEN)
			return VERDICT_DROP_IP_EXTENSION;
		ip->proto = p[FRAME_IP6_LEN];
		ip->header_len += FRAME_FRAG6_LEN;
		ip->fragment = (frame_be16(p + FRAME_IP6_LEN + 2) & 0xfff9) != 0;
		if (ip->fragment)
			return VERDICT_NONE;
	}
	return ip6_extensions(ip, p);
}

void frame_ip4_fragment(uint8_t *p, uint32_t payload, uint16_t id, uint16_t flags_offset)
{
	uint16_t sum;

	frame_put16(p + 2, (uint16_t)(FRAME_IP4_LEN + payload));
	frame_put16(p + 4, id);
	frame_put16(p + 6, flags_offset);
	memset(p + 10, 0, 2);
	sum = frame_sum_end(frame_sum(p, FRAME_IP4_LEN, 0));
	memcpy(p + 10, &sum, 2);
}

// Headers that have just been written are summed from their values: bytes stored one by one and
// loaded in larger words are waited for.
void frame_ip4_write(uint8_t *p, const uint8_t *src, const uint8_t *dst, unsigned proto,
		     uint32_t len)
{
	uint32_t addresses[2], version = htonl(0x45000000 | (uint16_t)(FRAME_IP4_LEN + len));
	uint16_t hops = htons((uint16_t)(64 << 8 | proto)), sum;

	memcpy(&addresses[0], src, 4);
	memcpy(&addresses[1], dst, 4);
	sum = frame_sum_end((uint64_t)version + hops + addresses[0] + addresses[1]);
	memcpy(p, &version, 4); // type of service 0, total length
	memset(p + 4, 0, 4);	// no fragment
	memcpy(p + 8, &hops, 2);
	memcpy(p + 10, &sum, 2);
	memcpy(p + 12, addresses, 8);
}

void frame_ip6_write(uint8_t *p, const uint8_t *src, const uint8_t *dst, unsigned proto,
		     uint32_t len)
{
	frame_put32(p, 0x60000000);
	frame_put16(p + 4, (uint16_t)len);
	p[6] = (uint8_t)proto;
	p[7] = 64;
	memcpy(p + 8, src, 16);
	memcpy(p + 24, dst, 16);
}

enum verdict frame_udp_read(struct frame_udp *u, const uint8_t *p, uint32_t n)
{
	if (n < FRAME_UDP_LEN)
		return VERDICT_DROP_UDP_HEADER;
	u->src = frame_be16(p);
	u->dst = frame_be16(p + 2);
	u->len = frame_be16(p + 4);
	memcpy(&u->sum, p + 6, 2);
	if (u->len < FRAME_UDP_LEN || u->len > n || u->src == 0)
		return VERDICT_DROP_UDP_HEADER;
	return VERDICT_NONE;
}

bool frame_udp_sum_ok(const struct frame_ip *ip, const uint8_t *p, const struct frame_udp *u,
		      bool partial_ok)
{
	uint64_t pseudo;

	if (u->sum == 0)
		return ip->family == 4; // RFC 768; RFC 8200 s8.1 wants one
	pseudo = frame_sum_pseudo(ip->family, ip->src, ip->dst, FRAME_PROTO_UDP, u->len);
	if (frame_sum_end(frame_sum(p, u->len, pseudo)) == 0)
		return true;
	return partial_ok && u->sum == sum_fold(pseudo);
}

void frame_udp_write(uint8_t *p, const struct frame_ip *ip, uint16_t src, uint16_t dst,
		     uint32_t payload, bool sum)
{
	uint32_t len = FRAME_UDP_LEN + payload;
	uint64_t pseudo = frame_sum_pseudo(ip->family, ip->src, ip->dst, FRAME_PROTO_UDP, len);
	uint16_t field = sum_fold(pseudo);

	frame_put16(p, src);
	frame_put16(p + 2, dst);
	frame_put16(p + 4, (uint16_t)len);
	if (sum) {
		pseudo += (uint64_t)htons(src) + htons(dst) + htons((uint16_t)len);
		field = frame_sum_end(frame_sum(p + FRAME_UDP_LEN, payload, pseudo));
		if (field == 0)
			field = 0xffff; // 0 would say that there is none
	}
	memcpy(p + 6, &field, 2);
}

bool frame_quote_read(struct frame_quote *q, unsigned family, const uint8_t *p, uint32_t n)
{
	uint32_t header = FRAME_IP6_LEN;
	unsigned proto_at = 6, src_at = 8, ip_len = 16;

	if (n == 0 || p[0] >> 4 != family)
		return false;
	if (family == 4) {
		header = (p[0] & 15) * 4u;
		proto_at = 9;
		src_at = 12;
		ip_len = 4;
	}
	if (header < FRAME_IP4_LEN || n <= header + FRAME_UDP_LEN ||
	    p[proto_at] != FRAME_PROTO_UDP ||
	    (family == 4 && (frame_be16(p + 6) & 0x1fff) != 0)) // a later fragment has no ports
		return false;
	*q = (struct frame_quote){
		.src = p + src_at,
		.dst = p + src_at + ip_len,
		.payload = p + header + FRAME_UDP_LEN,
		.len = n - header - FRAME_UDP_LEN,
		.src_port = frame_be16(p + header),
		.dst_port = frame_be16(p + header + 2),
	};
	return true;
}

enum verdict frame_arp_read(struct frame_arp *a, const uint8_t *p, uint32_t n)
{
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4}; // Ethernet, IPv4
	uint16_t op;

	if (n < FRAME_ARP_LEN)
		return VERDICT_DROP_SHORT;
	op = frame_be16(p + 6);
	// A group address as a sender's station would make us send SIP to everybody.
	if (memcmp(p, head, sizeof(head)) != 0 || (op != 1 && op != 2) || (p[8] & 1) != 0)
		return VERDICT_DROP_ARP;
	*a = (struct frame_arp){p + 8, p + 14, p + 24, op == 1};
	return VERDICT_NONE;
}

void frame_arp_write(uint8_t *p, const uint8_t *sender_mac, const uint8_t *sender_ip,
		     const uint8_t *target_mac, const uint8_t *target_ip)
{
	static const uint8_t none[6];

	frame_put32(p, 0x00010800);
	frame_put32(p + 4, target_mac != NULL ? 0x06040002 : 0x06040001);
	memcpy(p + 8, sender_mac, 6);
	memcpy(p + 14, sender_ip, 4);
	memcpy(p + 18, target_mac != NULL ? target_mac : none, 6);
	memcpy(p + 24, target_ip, 4);
}

// The link-layer address option of that type. False when options are malformed (RFC 4861 s7.1).
static bool nd_options(const uint8_t **mac, unsigned type, const uint8_t *p, uint32_t n)
{
	*mac = NULL;
	while (n != 0) {
		uint32_t len = n >= 2 ? p[1] * 8u : 0;

		if (len == 0 || len > n)
			return false;
		if (p[0] == type && len == 8 && (p[2] & 1) == 0)
			*mac = p + 2;
		p += len;
		n -= len;
	}
	return true;
}

enum verdict frame_nd_read(struct frame_nd *nd, const struct frame_ip *ip, const uint8_t *p,
			   uint32_t n)
{
	if (n < 24 || ip->hops != 255 || p[1] != 0 || p[8] == 0xff)
		return VERDICT_DROP_ND;
	*nd = (struct frame_nd){
		.target = p + 8,
		.solicitation = p[0] == FRAME_ICMP6_NS,
		.solicited = (p[4] & 0x40) != 0,
		.override = (p[4] & 0x20) != 0,
	};
	if (!nd_options(&nd->mac, nd->solicitation ? 1 : 2, p + 24, n - 24))
		return VERDICT_DROP_ND;
	return VERDICT_NONE;
}

void frame_nd_write(uint8_t *p, const struct frame_ip *ip, const uint8_t *target,
		    const uint8_t *mac, uint32_t flags)
{
	uint16_t sum;

	p[0] = flags != 0 ? FRAME_ICMP6_NA : FRAME_ICMP6_NS;
	memset(p + 1, 0, 3);
	frame_put32(p + 4, flags);
	memcpy(p + 8, target, 16);
	p[24] = flags != 0 ? 2 : 1;
	p[25] = 1;
	memcpy(p + 26, mac, 6);
	sum = frame_sum_end(
		frame_sum(p, FRAME_ND_LEN,
			  frame_sum_pseudo(6, ip->src, ip->dst, FRAME_PROTO_ICMP6, FRAME_ND_LEN)));
	memcpy(p + 2, &sum, 2);
}

void frame_solicited_node(uint8_t out[16], const uint8_t ip[16])
{
	static const uint8_t prefix[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};

	memcpy(out, prefix, sizeof(prefix));
	memcpy(out + 13, ip + 13, 3);
}

void frame_multicast_mac(uint8_t out[6], const uint8_t ip[16])
{
	out[0] = out[1] = 0x33;
	memcpy(out + 2, ip + 12, 4);
}

bool frame_is_keepalive(const uint8_t *p, uint32_t n)
{
	if (n >= 20 && (p[0] & 0xc0) == 0 && frame_be32(p + 4) == 0x2112a442)
		return true;
	if (n > 8)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (p[i] != '\r' && p[i] != '\n' && p[i] != 0)
			return false;
	return true;
}
