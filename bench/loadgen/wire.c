// SPDX-License-Identifier: BSD-3-Clause
// Devices and datagrams. See wire.h.
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#define DESCRIPTORS 2048
#define ASK_EVERY   50 // ms between two questions for a station
#define HEADERS	    (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))

struct headers {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
} __attribute__((packed, aligned(2)));

struct side {
	uint16_t device;
	struct rte_ether_addr own, verge;
	bool known; // verge's station
	struct headers headers;
	struct rte_mbuf *making;
	uint32_t n_out, n_in;
	struct rte_mbuf *out[WIRE_BURST], *in[WIRE_BURST];
};

static struct side sides[WIRE_SIDES];
static struct rte_mempool *pool;
struct wire_counts wire_counts;

static uint32_t address(enum wire_side side, unsigned net, unsigned host)
{
	return rte_cpu_to_be_32(RTE_IPV4(10, 91u + side, net, host));
}

static int start_eal(unsigned cpu, unsigned mbufs)
{
	enum { LCORES = 2, MEGABYTES = 8, PREFIX = 10 };
	static char words[][24] = {
		"loadgen",	  "--lcores", "", "--no-pci",	   "--no-huge", "--no-shconf",
		"--no-telemetry", "-m",	      "", "--file-prefix", "",		"--log-level",
		"*:error",
	};
	char *argv[RTE_DIM(words) + 1] = {NULL};

	snprintf(words[LCORES], sizeof(words[0]), "0@%u", cpu);
	snprintf(words[MEGABYTES], sizeof(words[0]), "%u", mbufs / 340 + 64); // 3 KiB each
	snprintf(words[PREFIX], sizeof(words[0]), "loadgen-%d", (int)getpid());
	for (unsigned i = 0; i < RTE_DIM(words); i++)
		argv[i] = words[i];
	if (rte_eal_init(RTE_DIM(words), argv) < 0)
		return -rte_errno;
	// What EAL makes for processes that share: nobody does, and it stays empty.
	(void)rmdir(rte_eal_get_runtime_dir());
	return 0;
}

static void make_headers(struct side *s, enum wire_side side)
{
	s->headers = (struct headers){
		.ether = {.src_addr = s->own,
			  .dst_addr = s->verge,
			  .ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)},
		.ip = {.version_ihl = 0x45,
		       .time_to_live = 64,
		       .next_proto_id = IPPROTO_UDP,
		       .dst_addr = address(side, 0, 1)},
		.udp = {.src_port = rte_cpu_to_be_16(5060), .dst_port = rte_cpu_to_be_16(5060)},
	};
}

static int open_device(struct side *s, const char *args)
{
	struct rte_eth_conf conf = {0};
	char name[64];
	int rc = rte_dev_probe(args);

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(args, ","), args);
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, &s->device);
	if (rc == 0)
		rc = rte_eth_dev_configure(s->device, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(s->device, 0, DESCRIPTORS, 0, NULL, pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(s->device, 0, DESCRIPTORS, 0, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(s->device);
	if (rc == 0)
		rc = rte_eth_macaddr_get(s->device, &s->own);
	if (rc != 0)
		fprintf(stderr, "device %s: %s\n", args, rte_strerror(-rc));
	return rc;
}

int wire_open(const char *const device[WIRE_SIDES], unsigned cpu, unsigned mbufs, bool looped)
{
	int rc = start_eal(cpu, mbufs);

	if (rc != 0)
		return rc;
	pool = rte_pktmbuf_pool_create("loadgen", mbufs, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (pool == NULL)
		return -ENOMEM;
	for (unsigned i = 0; rc == 0 && i < WIRE_SIDES; i++)
		rc = open_device(&sides[i], device[i]);
	for (unsigned i = 0; looped && i < WIRE_SIDES; i++) {
		sides[i].verge = sides[i ^ 1].own;
		sides[i].known = true;
		make_headers(&sides[i], i);
	}
	return rc;
}

void wire_close(void)
{
	for (unsigned i = 0; i < WIRE_SIDES; i++) {
		rte_eth_dev_stop(sides[i].device);
		rte_eth_dev_close(sides[i].device);
	}
	rte_eal_cleanup();
}

static void put_out(struct side *s, struct rte_mbuf *m)
{
	s->out[s->n_out++] = m;
	if (s->n_out < WIRE_BURST)
		return;
	wire_flush();
}

void wire_flush(void)
{
	for (unsigned i = 0; i < WIRE_SIDES; i++) {
		struct side *s = &sides[i];
		unsigned done;

		if (s->n_out == 0)
			continue;
		done = rte_eth_tx_burst(s->device, 0, s->out, (uint16_t)s->n_out);
		wire_counts.sent += done;
		wire_counts.full += s->n_out - done;
		if (done < s->n_out)
			rte_pktmbuf_free_bulk(s->out + done, s->n_out - done);
		s->n_out = 0;
	}
}

static void send_arp(enum wire_side side, const struct rte_arp_hdr *ask)
{
	struct side *s = &sides[side];
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ether_hdr *eth;
	struct rte_arp_hdr *arp;

	if (m == NULL)
		return;
	m->data_len = sizeof(*eth) + sizeof(*arp);
	m->pkt_len = m->data_len;
	eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	arp = (struct rte_arp_hdr *)(eth + 1);
	memset(&eth->dst_addr, 0xff, sizeof(eth->dst_addr));
	eth->src_addr = s->own;
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP);
	*arp = (struct rte_arp_hdr){
		.arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER),
		.arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = RTE_ETHER_ADDR_LEN,
		.arp_plen = 4,
		.arp_opcode = rte_cpu_to_be_16(ask != NULL ? RTE_ARP_OP_REPLY : RTE_ARP_OP_REQUEST),
	};
	arp->arp_data.arp_sha = s->own;
	arp->arp_data.arp_sip = ask != NULL ? ask->arp_data.arp_tip : address(side, 1, 2);
	arp->arp_data.arp_tip = ask != NULL ? ask->arp_data.arp_sip : address(side, 0, 1);
	if (ask != NULL)
		arp->arp_data.arp_tha = ask->arp_data.arp_sha;
	put_out(s, m);
}

bool wire_ready(void)
{
	static uint64_t next;
	uint64_t now = rte_get_timer_cycles();

	if (sides[0].known && sides[1].known)
		return true;
	if (now < next)
		return false;
	next = now + rte_get_timer_hz() / 1000 * ASK_EVERY;
	for (unsigned i = 0; i < WIRE_SIDES; i++)
		if (!sides[i].known)
			send_arp(i, NULL);
	wire_flush();
	return false;
}

static void take_arp(enum wire_side side, const struct rte_arp_hdr *arp)
{
	struct side *s = &sides[side];

	if (arp->arp_data.arp_sip != address(side, 0, 1))
		return;
	s->verge = arp->arp_data.arp_sha;
	s->known = true;
	make_headers(s, side);
	if (arp->arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) &&
	    arp->arp_data.arp_sip != arp->arp_data.arp_tip)
		send_arp(side, arp);
}

char *wire_begin(enum wire_side side)
{
	struct side *s = &sides[side];

	if (s->making == NULL)
		s->making = rte_pktmbuf_alloc(pool);
	if (s->making == NULL) {
		wire_counts.no_buffer++;
		return NULL;
	}
	return rte_pktmbuf_mtod_offset(s->making, char *, HEADERS);
}

void wire_send(enum wire_side side, struct wire_from from, uint32_t len)
{
	struct side *s = &sides[side];
	struct rte_mbuf *m = s->making;
	struct headers *h = rte_pktmbuf_mtod(m, struct headers *);

	s->making = NULL;
	m->data_len = (uint16_t)(HEADERS + len);
	m->pkt_len = m->data_len;
	*h = s->headers;
	h->ip.total_length = rte_cpu_to_be_16((uint16_t)(m->data_len - RTE_ETHER_HDR_LEN));
	h->ip.src_addr = address(side, from.net, from.host);
	h->ip.hdr_checksum = rte_ipv4_cksum(&h->ip);
	h->udp.dgram_len = rte_cpu_to_be_16((uint16_t)(sizeof(h->udp) + len));
	h->udp.dgram_cksum = rte_ipv4_udptcp_cksum(&h->ip, &h->udp);
	put_out(s, m);
}

unsigned wire_receive(enum wire_side side, struct wire_datagram *out)
{
	struct side *s = &sides[side];
	unsigned n = 0;

	if (s->n_in != 0)
		rte_pktmbuf_free_bulk(s->in, s->n_in);
	s->n_in = rte_eth_rx_burst(s->device, 0, s->in, WIRE_BURST);
	for (unsigned i = 0; i < s->n_in; i++) {
		const struct headers *h = rte_pktmbuf_mtod(s->in[i], const struct headers *);

		if (i + 1 < s->n_in)
			rte_prefetch0(rte_pktmbuf_mtod(s->in[i + 1], void *));
		if (h->ether.ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP))
			take_arp(side, (const struct rte_arp_hdr *)(const void *)(&h->ether + 1));
		if (h->ether.ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
		    s->in[i]->data_len <= HEADERS)
			continue;
		out[n++] = (struct wire_datagram){
			.data = (const char *)(h + 1),
			.len = s->in[i]->data_len - (uint32_t)HEADERS,
			.host = (uint8_t)rte_be_to_cpu_32(h->ip.dst_addr),
		};
	}
	wire_counts.received += n;
	return n;
}
