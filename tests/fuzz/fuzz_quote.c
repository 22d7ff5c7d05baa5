// SPDX-License-Identifier: BSD-3-Clause
// The datagram that an ICMP error quotes (frame_quote_read()): whatever the bytes, all that is
// accepted lies inside of them and is the beginning of a UDP datagram of that family; and what
// verge sent is read back from a quote of it, wherever that is cut. Input: one byte that chooses
// (bit 0 the family, bit 1 what to do), then the quote, or a length and a payload.
#include "fuzz.h"

#include <string.h>

#include "frame/frame.h"

static void inside(const uint8_t *p, uint32_t n, const uint8_t *q, uint32_t len)
{
	FUZZ_ASSERT(q >= p && q <= p + n && len <= (uint32_t)(p + n - q));
}

static void any_bytes(unsigned family, const uint8_t *p, uint32_t n)
{
	uint32_t address = family == 4 ? 4 : 16;
	struct frame_quote q, other;
	struct frame_ip ip;

	FUZZ_ASSERT(!frame_quote_read(&q, family == 4 ? 6 : 4, p, n) || n == 0 ||
		    p[0] >> 4 != family);
	if (!frame_quote_read(&q, family, p, n))
		return;
	FUZZ_ASSERT(p[0] >> 4 == family && q.len != 0);
	inside(p, n, q.src, address);
	inside(p, n, q.dst, address);
	FUZZ_ASSERT(q.src + address == q.dst && q.dst + address <= q.payload);
	inside(p, n, q.payload, q.len);
	FUZZ_ASSERT(q.payload + q.len == p + n);
	FUZZ_ASSERT(frame_be16(q.payload - FRAME_UDP_LEN) == q.src_port &&
		    frame_be16(q.payload - FRAME_UDP_LEN + 2) == q.dst_port);
	// less of it is still the same datagram
	FUZZ_ASSERT(q.len == 1 || (frame_quote_read(&other, family, p, n - 1) &&
				   other.payload == q.payload && other.len == q.len - 1));
	FUZZ_ASSERT(!frame_quote_read(&other, family, p, n - q.len));
	// where the packet is whole and right, the strict reader agrees
	if ((family == 4 ? frame_ip4_read(&ip, p, n) : frame_ip6_read(&ip, p, n)) == VERDICT_NONE &&
	    ip.proto == FRAME_PROTO_UDP && !ip.fragment &&
	    ip.header_len == q.payload - FRAME_UDP_LEN - p)
		FUZZ_ASSERT(ip.src == q.src && ip.dst == q.dst);
}

static void ours(unsigned family, const uint8_t *payload, uint32_t n, uint32_t cut)
{
	static const uint8_t src[16] = {10, 1, 2, 3, 5}, dst[16] = {10, 3, 2, 1, 7};
	static uint8_t packet[FRAME_IP6_LEN + FRAME_UDP_LEN + 4096];
	uint32_t header = family == 4 ? FRAME_IP4_LEN : FRAME_IP6_LEN;
	uint32_t head = header + FRAME_UDP_LEN;
	struct frame_ip ip = {.src = src, .dst = dst, .family = (uint8_t)family};
	struct frame_quote q;

	memcpy(packet + head, payload, n);
	frame_udp_write(packet + header, &ip, 5060, 5070, n, true);
	if (family == 4)
		frame_ip4_write(packet, src, dst, FRAME_PROTO_UDP, FRAME_UDP_LEN + n);
	else
		frame_ip6_write(packet, src, dst, FRAME_PROTO_UDP, FRAME_UDP_LEN + n);
	cut %= head + n + 1;
	FUZZ_ASSERT(frame_quote_read(&q, family, packet, cut) == (cut > head));
	if (cut <= head)
		return;
	FUZZ_ASSERT(q.src_port == 5060 && q.dst_port == 5070);
	FUZZ_ASSERT(memcmp(q.src, src, family == 4 ? 4 : 16) == 0 &&
		    memcmp(q.dst, dst, family == 4 ? 4 : 16) == 0);
	FUZZ_ASSERT(q.len == cut - head && memcmp(q.payload, payload, q.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned family = size != 0 && (data[0] & 1) ? 6 : 4;

	if (size == 0 || size > 4096)
		return 0;
	if ((data[0] & 2) == 0)
		any_bytes(family, data + 1, (uint32_t)size - 1);
	else if (size > 3)
		ours(family, data + 3, (uint32_t)size - 3, frame_be16(data + 1));
	return 0;
}
