// SPDX-License-Identifier: BSD-3-Clause
// Captured frames to UDP datagrams. See decode.h.
#include "control/replay/decode.h"

#include <stdlib.h>
#include <string.h>

#include "frame/frame.h"

#define FRAGMENTED 32	 // packets that wait for fragments; the oldest goes
#define PACKET_MAX 65536 // bytes of a packet's payload
#define VLANS_MAX  8

enum { LINK_NULL = 0, LINK_ETHERNET = 1, LINK_RAW_BSD = 12, LINK_RAW = 101, LINK_LOOP = 108 };
enum { LINK_SLL = 113, LINK_IPV4 = 228, LINK_IPV6 = 229, LINK_SLL2 = 276 };
enum { TYPE_QINQ = 0x88a8, TYPE_QINQ_OLD = 0x9100, PROTO_TCP = 6 };

struct fragmented {
	uint64_t used; // 0 = free; when it was begun
	uint8_t family, proto, src[16], dst[16];
	uint32_t id, parts;
	uint32_t have, len;		  // bytes that are there; of the whole, 0 = not known
	uint8_t unit[PACKET_MAX / 8 / 8]; // bit: eight bytes are there
	uint8_t bytes[PACKET_MAX];
};

struct decoder {
	uint64_t count;
	uint32_t lost; // fragments of packets that had to go
	struct fragmented packet[FRAGMENTED];
};

struct decoder *decoder_new(void)
{
	return calloc(1, sizeof(struct decoder));
}

void decoder_free(struct decoder *d)
{
	free(d);
}

bool decoder_knows(int linktype)
{
	switch (linktype) {
	case LINK_NULL:
	case LINK_ETHERNET:
	case LINK_RAW_BSD:
	case LINK_RAW:
	case LINK_LOOP:
	case LINK_SLL:
	case LINK_IPV4:
	case LINK_IPV6:
	case LINK_SLL2:
		return true;
	default:
		return false;
	}
}

uint32_t decoder_waiting(const struct decoder *d)
{
	uint32_t n = d->lost;

	for (unsigned i = 0; i < FRAGMENTED; i++)
		if (d->packet[i].used != 0)
			n += d->packet[i].parts;
	return n;
}

// Bytes before the protocol's number is read and before what follows; UINT32_MAX: not IP.
static uint32_t skip_link(int linktype, const uint8_t *p, uint32_t n)
{
	uint32_t at = linktype == LINK_ETHERNET ? 12 : linktype == LINK_SLL ? 14 : 0;
	uint32_t next = linktype == LINK_SLL2 ? 20 : at + 2;
	uint16_t type;

	if (n < next)
		return UINT32_MAX;
	type = frame_be16(p + at);
	for (unsigned i = 0; i < VLANS_MAX && (type == FRAME_TYPE_VLAN || type == TYPE_QINQ ||
					       type == TYPE_QINQ_OLD);
	     i++) {
		if (n < next + 4)
			return UINT32_MAX;
		type = frame_be16(p + next + 2);
		next += 4;
	}
	return type == FRAME_TYPE_IP4 || type == FRAME_TYPE_IP6 ? next : UINT32_MAX;
}

static struct fragmented *find_packet(struct decoder *d, const struct frame_ip *ip, uint32_t id)
{
	struct fragmented *oldest = &d->packet[0];
	size_t n = ip->family == 4 ? 4 : 16;

	for (unsigned i = 0; i < FRAGMENTED; i++) {
		struct fragmented *f = &d->packet[i];

		if (f->used != 0 && f->family == ip->family && f->id == id &&
		    f->proto == ip->proto && memcmp(f->src, ip->src, n) == 0 &&
		    memcmp(f->dst, ip->dst, n) == 0)
			return f;
		if (f->used < oldest->used)
			oldest = f;
	}
	if (oldest->used != 0)
		d->lost += oldest->parts;
	memset(oldest, 0, offsetof(struct fragmented, bytes));
	oldest->used = ++d->count;
	oldest->family = ip->family;
	oldest->proto = ip->proto;
	oldest->id = id;
	memcpy(oldest->src, ip->src, n);
	memcpy(oldest->dst, ip->dst, n);
	return oldest;
}

// Keep a fragment; true when its packet is whole.
static bool keep_fragment(struct fragmented *f, uint32_t at, const uint8_t *p, uint32_t n,
			  bool more)
{
	if (at + n > PACKET_MAX || (more && n % 8 != 0))
		return false;
	f->parts++;
	memcpy(f->bytes + at, p, n);
	for (uint32_t u = at / 8; u < (at + n + 7) / 8; u++) {
		if ((f->unit[u / 8] & 1u << u % 8) == 0)
			f->have++;
		f->unit[u / 8] |= (uint8_t)(1u << u % 8);
	}
	if (!more)
		f->len = at + n;
	return f->len != 0 && f->have == (f->len + 7) / 8;
}

// Offset in bytes, id and whether more follow of a fragment.
static uint32_t read_fragment(const uint8_t *p, const struct frame_ip *ip, uint32_t *id, bool *more)
{
	const uint8_t *h = p + ip->header_len - FRAME_FRAG6_LEN;

	if (ip->family == 4) {
		*id = frame_be16(p + 4);
		*more = (p[6] & 0x20) != 0;
		return (frame_be16(p + 6) & 0x1fffu) * 8;
	}
	*id = frame_be32(h + 4);
	*more = (h[3] & 1) != 0;
	return frame_be16(h + 2) & 0xfff8u;
}

static enum skip take_udp(const struct frame_ip *ip, const uint8_t *p, uint32_t n,
			  struct datagram *out)
{
	size_t bytes = ip->family == 4 ? 4 : 16;
	struct frame_udp u;

	if (ip->proto == PROTO_TCP)
		return SKIP_TCP;
	if (ip->proto != FRAME_PROTO_UDP)
		return SKIP_PROTOCOL;
	if (frame_udp_read(&u, p, n) != VERDICT_NONE)
		return SKIP_UDP;
	*out = (struct datagram){.family = ip->family,
				 .src_udp = u.src,
				 .dst_udp = u.dst,
				 .data = p + FRAME_UDP_LEN,
				 .len = u.len - FRAME_UDP_LEN};
	memcpy(out->src, ip->src, bytes);
	memcpy(out->dst, ip->dst, bytes);
	return SKIP_NONE;
}

static enum skip take_ip(struct decoder *d, const uint8_t *p, uint32_t n, bool cut,
			 struct datagram *out)
{
	struct frame_ip ip;
	struct fragmented *f;
	uint32_t at, id;
	bool more;
	enum verdict v = n != 0 && p[0] >> 4 == 4   ? frame_ip4_read(&ip, p, n)
			 : n != 0 && p[0] >> 4 == 6 ? frame_ip6_read(&ip, p, n)
						    : VERDICT_DROP_NOT_SIP;

	if (v != VERDICT_NONE)
		return cut ? SKIP_CUT : SKIP_IP;
	if (!ip.fragment)
		return take_udp(&ip, p + ip.header_len, ip.total - ip.header_len, out);
	at = read_fragment(p, &ip, &id, &more);
	f = find_packet(d, &ip, id);
	if (!keep_fragment(f, at, p + ip.header_len, ip.total - ip.header_len, more))
		return SKIP_WAIT;
	f->used = 0;
	return take_udp(&ip, f->bytes, f->len, out);
}

enum skip decoder_frame(struct decoder *d, int linktype, const uint8_t *frame, uint32_t caplen,
			uint32_t wirelen, struct datagram *out)
{
	uint32_t at = 0;

	switch (linktype) {
	case LINK_RAW_BSD:
	case LINK_RAW:
	case LINK_IPV4:
	case LINK_IPV6:
		break;
	case LINK_NULL:
	case LINK_LOOP:
		at = caplen < 4 ? UINT32_MAX : 4;
		break;
	case LINK_ETHERNET:
	case LINK_SLL:
	case LINK_SLL2:
		at = skip_link(linktype, frame, caplen);
		break;
	default:
		return SKIP_LINK;
	}
	if (at > caplen)
		return SKIP_LINK;
	return take_ip(d, frame + at, caplen - at, caplen < wirelen, out);
}
