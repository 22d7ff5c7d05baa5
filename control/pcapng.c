// SPDX-License-Identifier: BSD-3-Clause
// pcapng blocks. See pcapng.h.
#include "control/pcapng.h"

#include "frame/frame.h"

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_PACKET = PCAPNG_PACKET };
enum { OPTION_END, OPTION_COMMENT, OPTION_IF_NAME = 2, OPTION_EPB_FLAGS = 2, OPTION_USERAPPL = 4 };
enum { OPTION_TSRESOL = 9 };
enum { LINKTYPE_ETHERNET = 1 };

static void put16(struct outbuf *o, uint16_t v)
{
	outbuf_put(o, &v, sizeof(v));
}

static void put32(struct outbuf *o, uint32_t v)
{
	outbuf_put(o, &v, sizeof(v));
}

static void put_padding(struct outbuf *o, uint32_t len)
{
	outbuf_put(o, "\0\0", (4 - len % 4) % 4);
}

static void put_option(struct outbuf *o, uint16_t code, const void *value, size_t len)
{
	put16(o, code);
	put16(o, (uint16_t)len);
	outbuf_put(o, value, len);
	put_padding(o, (uint32_t)len);
}

// Where the block begins; its length is filled in at the end.
static uint32_t block_begin(struct outbuf *o, uint32_t type)
{
	uint32_t start = o->len;

	put32(o, type);
	put32(o, 0);
	return start;
}

static void block_end(struct outbuf *o, uint32_t start)
{
	uint32_t len;

	put32(o, OPTION_END);
	len = o->len + 4 - start;
	put32(o, len);
	if (!o->full)
		memcpy(o->p + start + 4, &len, sizeof(len));
}

void pcapng_section(struct outbuf *o, const char *program)
{
	uint32_t start = block_begin(o, BLOCK_SECTION);

	put32(o, 0x1a2b3c4d); // byte order
	put16(o, 1);
	put16(o, 0);
	put32(o, UINT32_MAX); // length of the section: not known
	put32(o, UINT32_MAX);
	put_option(o, OPTION_USERAPPL, program, strlen(program));
	block_end(o, start);
}

void pcapng_interface(struct outbuf *o, const char *name)
{
	static const uint8_t microseconds = 6;
	uint32_t start = block_begin(o, BLOCK_INTERFACE);

	put16(o, LINKTYPE_ETHERNET);
	put16(o, 0);
	put32(o, 0); // packets are whole
	put_option(o, OPTION_IF_NAME, name, strlen(name));
	put_option(o, OPTION_TSRESOL, &microseconds, 1);
	block_end(o, start);
}

// Ethernet, IP and UDP headers of a message; returns their length.
static uint32_t make_headers(uint8_t *p, const struct tap_head *head, const uint8_t *bytes)
{
	static const uint8_t verge[6] = {2, 0, 0, 0, 0, 1}, peer[6] = {2, 0, 0, 0, 0, 2};
	const struct flow *f = &head->flow;
	struct frame_ip ip = {.src = head->out ? f->local_ip : f->peer_ip,
			      .dst = head->out ? f->peer_ip : f->local_ip,
			      .family = f->family};
	uint32_t ip_len = f->family == 6 ? FRAME_IP6_LEN : FRAME_IP4_LEN;
	uint8_t *l3 = p + FRAME_ETHER_LEN, *udp = l3 + ip_len;

	frame_ether_write(p, head->out ? peer : verge, head->out ? verge : peer, 0,
			  f->family == 6 ? FRAME_TYPE_IP6 : FRAME_TYPE_IP4);
	if (f->family == 6)
		frame_ip6_write(l3, ip.src, ip.dst, FRAME_PROTO_UDP, FRAME_UDP_LEN + head->len);
	else
		frame_ip4_write(l3, ip.src, ip.dst, FRAME_PROTO_UDP, FRAME_UDP_LEN + head->len);
	memcpy(udp + FRAME_UDP_LEN, bytes, head->len);
	frame_udp_write(udp, &ip, head->out ? f->local_udp : f->peer_udp,
			head->out ? f->peer_udp : f->local_udp, head->len, true);
	return FRAME_ETHER_LEN + ip_len + FRAME_UDP_LEN;
}

void pcapng_message(struct outbuf *o, const struct tap_head *head, const uint8_t *bytes,
		    uint64_t unix_us, const char *comment)
{
	uint32_t flags = head->out ? 2 : 1; // direction
	uint32_t start = block_begin(o, BLOCK_PACKET), len;

	put32(o, head->flow.port);
	put32(o, (uint32_t)(unix_us >> 32));
	put32(o, (uint32_t)unix_us);
	if (o->full || o->cap - o->len < PCAPNG_BLOCK_MAX - 512) {
		o->full = true;
		return;
	}
	len = make_headers(o->p + o->len + 8, head, bytes) + head->len;
	put32(o, len);
	put32(o, len);
	o->len += len;
	put_padding(o, len);
	if (comment[0] != '\0')
		put_option(o, OPTION_COMMENT, comment, strlen(comment));
	put_option(o, OPTION_EPB_FLAGS, &flags, sizeof(flags));
	block_end(o, start);
}
