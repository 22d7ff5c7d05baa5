// SPDX-License-Identifier: BSD-3-Clause
// Headers of the link and of IP as bytes: read, checked, written (IEEE 802.3, 802.1Q, RFC 791,
// 8200, 768, 826, 4861). Pure: works on plain memory, keeps no state, knows no DPDK; every byte is
// hostile and no read passes the length given. A reader returns VERDICT_NONE or the verdict that
// ends the packet. Results point into the frame and die with it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "stat/verdict.h"

#define FRAME_ETHER_LEN 14
#define FRAME_VLAN_LEN	4
#define FRAME_IP4_LEN	20
#define FRAME_IP6_LEN	40
#define FRAME_FRAG6_LEN 8
#define FRAME_UDP_LEN	8
#define FRAME_ARP_LEN	28
#define FRAME_ND_LEN	32 // solicitation or advertisement with one link-layer address option
// Room before a SIP message for all headers that it may get.
#define FRAME_HEADERS_MAX (FRAME_ETHER_LEN + FRAME_VLAN_LEN + FRAME_IP6_LEN + FRAME_UDP_LEN)

#define FRAME_TYPE_IP4	0x0800
#define FRAME_TYPE_ARP	0x0806
#define FRAME_TYPE_VLAN 0x8100
#define FRAME_TYPE_IP6	0x86dd

#define FRAME_PROTO_ICMP  1
#define FRAME_PROTO_UDP	  17
#define FRAME_PROTO_ICMP6 58
#define FRAME_PROTO_FRAG6 44

#define FRAME_ICMP6_NS 135
#define FRAME_ICMP6_NA 136

static inline uint16_t frame_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t frame_be32(const uint8_t *p)
{
	return (uint32_t)frame_be16(p) << 16 | frame_be16(p + 2);
}

static inline void frame_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void frame_put32(uint8_t *p, uint32_t v)
{
	frame_put16(p, (uint16_t)(v >> 16));
	frame_put16(p + 2, (uint16_t)v);
}

// Internet checksum (RFC 1071): add n bytes to a running sum. All pieces but the last have an even
// length. About 0.1 ns a byte.
uint64_t frame_sum(const void *bytes, size_t n, uint64_t sum);
// What goes into, or is found over, a checksum field: 0 when a received range is right.
uint16_t frame_sum_end(uint64_t sum);
// Sum of the pseudo header of UDP and ICMPv6.
uint64_t frame_sum_pseudo(unsigned family, const uint8_t *src, const uint8_t *dst, unsigned proto,
			  uint32_t len);

struct frame_ether {
	const uint8_t *dst, *src;
	uint16_t type; // of what follows the tag
	uint16_t vlan; // VLAN id; 0 = untagged, or only priority-tagged
	uint8_t len;   // bytes of the header
};
enum verdict frame_ether_read(struct frame_ether *e, const uint8_t *p, uint32_t n);
// Returns the bytes written: FRAME_ETHER_LEN, with a tag FRAME_VLAN_LEN more.
unsigned frame_ether_len(uint16_t vlan);
void frame_ether_write(uint8_t *p, const uint8_t *dst, const uint8_t *src, uint16_t vlan,
		       uint16_t type);

struct frame_ip {
	const uint8_t *src, *dst;
	uint32_t total;	     // bytes of the packet, headers included; the frame may be longer
	uint16_t header_len; // bytes before the payload; of a fragment the fragment header included
	uint8_t family;	     // 4 or 6
	uint8_t proto;	     // of the payload
	uint8_t hops;	     // TTL, hop limit
	bool fragment;
};
// The IPv4 header checksum is the caller's: devices may have checked it.
enum verdict frame_ip4_read(struct frame_ip *ip, const uint8_t *p, uint32_t n);
// Steps over hop-by-hop and destination options; a fragment header counts only right after the
// fixed header. One that stands for a whole packet (RFC 6946) is stepped over too.
enum verdict frame_ip6_read(struct frame_ip *ip, const uint8_t *p, uint32_t n);
bool frame_ip4_sum_ok(const uint8_t *p, const struct frame_ip *ip);

// A header for a payload of `len` bytes, hops 64, checksum set.
void frame_ip4_write(uint8_t *p, const uint8_t *src, const uint8_t *dst, unsigned proto,
		     uint32_t len);
void frame_ip6_write(uint8_t *p, const uint8_t *src, const uint8_t *dst, unsigned proto,
		     uint32_t len);
// Make an IPv4 header with that id and flags-and-offset field; length and checksum follow.
void frame_ip4_fragment(uint8_t *p, uint32_t payload, uint16_t id, uint16_t flags_offset);

struct frame_udp {
	uint16_t src, dst; // ports
	uint16_t sum;	   // checksum field; 0 = none
	uint32_t len;	   // bytes with the header
};
// p, n: the payload of an IP packet.
enum verdict frame_udp_read(struct frame_udp *u, const uint8_t *p, uint32_t n);
// What the checksum says. partial_ok: the sender is a kernel on this machine, whose packets come
// with the sum of the pseudo header only.
bool frame_udp_sum_ok(const struct frame_ip *ip, const uint8_t *p, const struct frame_udp *u,
		      bool partial_ok);
// sum: false leaves the sum of the pseudo header for a device to complete.
void frame_udp_write(uint8_t *p, const struct frame_ip *ip, uint16_t src, uint16_t dst,
		     uint32_t payload, bool sum);

// What an ICMP error quotes of a UDP datagram (RFC 792; RFC 4443 s3.1): the start of the packet,
// cut anywhere behind its ports. Its length fields and sums tell of the whole: they are not looked
// at.
struct frame_quote {
	const uint8_t *src, *dst; // addresses, 4 or 16 bytes
	const uint8_t *payload;	  // of the datagram, as much as there is: at least one byte
	uint32_t len;
	uint16_t src_port, dst_port;
};
// family: of the error. False: something else than a datagram, not its beginning, or too little of
// it.
bool frame_quote_read(struct frame_quote *q, unsigned family, const uint8_t *p, uint32_t n);

struct frame_arp {
	const uint8_t *sender_mac, *sender_ip, *target_ip;
	bool request;
};
enum verdict frame_arp_read(struct frame_arp *a, const uint8_t *p, uint32_t n);
// FRAME_ARP_LEN bytes. A reply when target_mac is given, else a request.
void frame_arp_write(uint8_t *p, const uint8_t *sender_mac, const uint8_t *sender_ip,
		     const uint8_t *target_mac, const uint8_t *target_ip);

struct frame_nd {
	const uint8_t *target; // address that is asked for or advertised
	const uint8_t *mac;    // of the link-layer address option; NULL = none
	bool solicitation;
	bool solicited; // of an advertisement: answers a question
	bool override;
};
// p, n: the ICMPv6 message, its checksum checked.
enum verdict frame_nd_read(struct frame_nd *nd, const struct frame_ip *ip, const uint8_t *p,
			   uint32_t n);
// FRAME_ND_LEN bytes with checksum, for an IPv6 packet from src to dst. flags: of an advertisement,
// FRAME_NA_...; 0 makes a solicitation's reserved field.
#define FRAME_NA_SOLICITED 0x40000000u
#define FRAME_NA_OVERRIDE  0x20000000u
void frame_nd_write(uint8_t *p, const struct frame_ip *ip, const uint8_t *target,
		    const uint8_t *mac, uint32_t flags);

// Solicited-node multicast address of ip, and the group MAC of an IPv6 multicast address.
void frame_solicited_node(uint8_t out[16], const uint8_t ip[16]);
void frame_multicast_mac(uint8_t out[6], const uint8_t ip[16]);

// A datagram on the SIP port that only keeps a NAT binding open: empty, CR, LF and NUL only (at
// most 8 bytes), or STUN (RFC 5389 s6).
bool frame_is_keepalive(const uint8_t *p, uint32_t n);
