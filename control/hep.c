// SPDX-License-Identifier: BSD-3-Clause
// HEP3 packets to a Homer collector. See hep.h.
#include "control/hep.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame/frame.h"

enum chunk {
	CHUNK_FAMILY = 1,
	CHUNK_PROTOCOL,
	CHUNK_SRC4,
	CHUNK_DST4,
	CHUNK_SRC6,
	CHUNK_DST6,
	CHUNK_SRC_PORT,
	CHUNK_DST_PORT,
	CHUNK_SECONDS,
	CHUNK_MICROSECONDS,
	CHUNK_TYPE,
	CHUNK_AGENT,
	CHUNK_PASSWORD = 14,
	CHUNK_PAYLOAD,
	CHUNK_CORRELATION = 17,
};
enum { TYPE_SIP = 1, FAMILY_IP4 = 2, FAMILY_IP6 = 10 };

static void put16(struct outbuf *o, uint16_t v)
{
	uint8_t be[2];

	frame_put16(be, v);
	outbuf_put(o, be, sizeof(be));
}

// Vendor 0 (generic), type, length with these six bytes, value.
static void put_chunk(struct outbuf *o, enum chunk type, const void *value, size_t len)
{
	put16(o, 0);
	put16(o, (uint16_t)type);
	put16(o, (uint16_t)(6 + len));
	outbuf_put(o, value, len);
}

static void put_u8(struct outbuf *o, enum chunk type, uint8_t v)
{
	put_chunk(o, type, &v, 1);
}

static void put_u16(struct outbuf *o, enum chunk type, uint16_t v)
{
	uint8_t be[2];

	frame_put16(be, v);
	put_chunk(o, type, be, sizeof(be));
}

static void put_u32(struct outbuf *o, enum chunk type, uint32_t v)
{
	uint8_t be[4];

	frame_put32(be, v);
	put_chunk(o, type, be, sizeof(be));
}

void hep_packet(struct outbuf *o, const struct config_hep *config, const struct tap_head *head,
		const uint8_t *bytes, uint64_t unix_us, const char *correlation)
{
	const struct flow *f = &head->flow;
	bool six = f->family == 6;
	uint32_t start = o->len;

	outbuf_put_lit(o, "HEP3");
	put16(o, 0); // length, below
	put_u8(o, CHUNK_FAMILY, six ? FAMILY_IP6 : FAMILY_IP4);
	put_u8(o, CHUNK_PROTOCOL, FRAME_PROTO_UDP);
	put_chunk(o, six ? CHUNK_SRC6 : CHUNK_SRC4, head->out ? f->local_ip : f->peer_ip,
		  six ? 16 : 4);
	put_chunk(o, six ? CHUNK_DST6 : CHUNK_DST4, head->out ? f->peer_ip : f->local_ip,
		  six ? 16 : 4);
	put_u16(o, CHUNK_SRC_PORT, head->out ? f->local_udp : f->peer_udp);
	put_u16(o, CHUNK_DST_PORT, head->out ? f->peer_udp : f->local_udp);
	put_u32(o, CHUNK_SECONDS, (uint32_t)(unix_us / 1000000));
	put_u32(o, CHUNK_MICROSECONDS, (uint32_t)(unix_us % 1000000));
	put_u8(o, CHUNK_TYPE, TYPE_SIP);
	put_u32(o, CHUNK_AGENT, config->id);
	if (config->password[0] != '\0')
		put_chunk(o, CHUNK_PASSWORD, config->password, strlen(config->password));
	if (correlation[0] != '\0')
		put_chunk(o, CHUNK_CORRELATION, correlation, strlen(correlation));
	put_chunk(o, CHUNK_PAYLOAD, bytes, head->len);
	if (!o->full)
		frame_put16(o->p + start + 4, (uint16_t)(o->len - start));
}

void hep_init(struct hep *h)
{
	memset(h, 0, sizeof(*h));
	h->fd = -1;
}

void hep_close(struct hep *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

static int connect_to(int fd, const struct config_endpoint *to)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} address = {0};

	if (to->ip.family == 6) {
		address.in6.sin6_family = AF_INET6;
		address.in6.sin6_port = htons(to->udp);
		memcpy(&address.in6.sin6_addr, to->ip.bytes, 16);
		return connect(fd, &address.any, sizeof(address.in6));
	}
	address.in.sin_family = AF_INET;
	address.in.sin_port = htons(to->udp);
	memcpy(&address.in.sin_addr, to->ip.bytes, 4);
	return connect(fd, &address.any, sizeof(address.in));
}

static bool same_address(const struct config_endpoint *a, const struct config_endpoint *b)
{
	return a->ip.family == b->ip.family && a->udp == b->udp &&
	       memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes)) == 0;
}

int hep_configure(struct hep *h, const struct config_hep *config)
{
	if (h->fd >= 0 && same_address(&h->to, &config->collector))
		return 0;
	hep_close(h);
	h->to = config->collector;
	if (h->to.ip.family == 0)
		return 0;
	h->fd = socket(h->to.ip.family == 6 ? AF_INET6 : AF_INET,
		       SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (h->fd >= 0 && connect_to(h->fd, &h->to) != 0) {
		int rc = -errno;

		hep_close(h);
		return rc;
	}
	return h->fd >= 0 ? 0 : -errno;
}

void hep_send(struct hep *h, const struct config_hep *config, const struct tap_head *head,
	      const uint8_t *bytes, uint64_t unix_us, const char *correlation)
{
	struct outbuf o = outbuf_of(h->room, sizeof(h->room));

	if (h->fd < 0)
		return;
	hep_packet(&o, config, head, bytes, unix_us, correlation);
	if (!o.full && send(h->fd, h->room, o.len, MSG_NOSIGNAL) == (ssize_t)o.len)
		h->sent++;
	else
		h->failed++;
}
