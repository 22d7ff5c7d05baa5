// SPDX-License-Identifier: BSD-3-Clause
// A data plane for benchmarks. See rig.h.
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_launch.h>
#include <rte_ring.h>
#include <rte_udp.h>

#include "config/config_load.h"
#include "dataplane/clock.h"

#define HEADERS	    (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))
#define RIG_DEVICES 2 // with traffic; as many more lend their rings for what arrives

struct rig rig;

static const struct rte_ether_addr station = {{2, 0, 0, 0, 0, 9}};
static struct rte_ring *wire_in[RIG_WORKERS][2], *wire_out[RIG_WORKERS][2]; // as workers see them
// The same, as peers see them: other rings where a worker is apart.
static struct rte_ring *peers_out[RIG_WORKERS][2], *peers_in[RIG_WORKERS][2];
static struct rte_mempool *between; // frames on their way to and from a worker that is apart
static struct device lent[2];	    // the ports' devices, but for where frames come from
static uint8_t mac[2][6];

uint64_t rig_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t rig_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t rig_resident(void)
{
	unsigned long kib, sum = 0;
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	if (f == NULL)
		abort();
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmRSS: %lu", &kib) == 1 || // NOLINT(cert-err34-c)
		    sscanf(line, "HugetlbPages: %lu", &kib) == 1)
			sum += kib;
	fclose(f);
	return (uint64_t)sum * 1024;
}

// --- frames

static void *append(struct rte_mbuf *m, size_t bytes)
{
	void *p = m != NULL ? rte_pktmbuf_append(m, (uint16_t)bytes) : NULL;

	if (p == NULL)
		abort();
	return p;
}

static void put_on_wire(unsigned worker, unsigned port, struct rte_mbuf *m)
{
	if (rte_ring_enqueue(peers_out[worker][port], m) != 0)
		abort();
}

static struct rte_mempool *pool_for(unsigned worker)
{
	return peers_out[worker][0] == wire_in[worker][0] ? rig.dp->pools.small : between;
}

static void copy_all(struct rte_ring *from, struct rte_ring *to, struct rte_mempool *pool)
{
	struct rte_mbuf *copy;
	void *m;

	while (rte_ring_dequeue(from, &m) == 0) {
		copy = rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);
		if (copy == NULL || rte_ring_enqueue(to, copy) != 0)
			abort();
		rte_pktmbuf_free(m);
	}
}

void rig_carry_in(unsigned worker)
{
	for (unsigned port = 0; port < 2; port++)
		copy_all(peers_out[worker][port], wire_in[worker][port], rig.dp->pools.small);
}

void rig_carry_out(unsigned worker)
{
	for (unsigned port = 0; port < 2; port++)
		copy_all(wire_out[worker][port], peers_in[worker][port], between);
}

void rig_send(const struct peers_message *p)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool_for(rig_queue(p)));
	struct rte_ether_hdr *eth = append(m, HEADERS + p->len);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	memcpy(&eth->dst_addr, mac[p->port], 6);
	eth->src_addr = station;
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)(HEADERS - RTE_ETHER_HDR_LEN + p->len)),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = rte_cpu_to_be_32(RTE_IPV4(10, 91 + p->port, 1, 2 + p->trunk)),
		.dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, 91 + p->port, 0, 1)),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*udp = (struct rte_udp_hdr){
		.src_port = rte_cpu_to_be_16(5060),
		.dst_port = rte_cpu_to_be_16(5060),
		.dgram_len = rte_cpu_to_be_16((uint16_t)(sizeof(*udp) + p->len)),
	};
	memcpy(udp + 1, p->text, p->len);
	udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
	put_on_wire(rig_queue(p), p->port, m);
}

unsigned rig_waiting(unsigned worker, unsigned port)
{
	return rte_ring_count(peers_out[worker][port]) +
	       (pool_for(worker) == between ? rte_ring_count(wire_in[worker][port]) : 0);
}

// Every address of the wire is the station's. Only worker 0 hears the answer, and tells the others.
static void answer_arp(unsigned port, const struct rte_arp_hdr *ask)
{
	struct rte_mbuf *m;
	struct rte_ether_hdr *eth;
	struct rte_arp_hdr *arp;

	if (ask->arp_opcode != rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) ||
	    ask->arp_data.arp_sip == ask->arp_data.arp_tip)
		return; // an announcement
	m = rte_pktmbuf_alloc(pool_for(0));
	eth = append(m, sizeof(*eth) + sizeof(*arp));
	arp = (struct rte_arp_hdr *)(eth + 1);
	memcpy(&eth->dst_addr, mac[port], 6);
	eth->src_addr = station;
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP);
	*arp = *ask;
	arp->arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_sha = station;
	arp->arp_data.arp_sip = ask->arp_data.arp_tip;
	arp->arp_data.arp_tha = ask->arp_data.arp_sha;
	arp->arp_data.arp_tip = ask->arp_data.arp_sip;
	put_on_wire(0, port, m);
}

static unsigned receive_frame(unsigned port, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + 1);
	unsigned messages = 0;

	if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP)) {
		answer_arp(port, (const struct rte_arp_hdr *)(eth + 1));
	} else if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) &&
		   m->data_len > HEADERS) {
		messages = 1;
		peers_receive(port, (rte_be_to_cpu_32(ip->dst_addr) & 255) - 2,
			      slice_of(rte_pktmbuf_mtod_offset(m, const uint8_t *, HEADERS),
				       m->data_len - HEADERS));
	}
	rte_pktmbuf_free(m);
	return messages;
}

unsigned rig_receive(void)
{
	unsigned messages = 0;
	void *m;

	for (unsigned worker = 0; worker < rig.workers; worker++)
		for (unsigned port = 0; port < 2; port++)
			while (rte_ring_dequeue(peers_in[worker][port], &m) == 0)
				messages += receive_frame(port, m);
	return messages;
}

void rig_drain(void)
{
	static struct event events[64];
	static struct call_record records[16];

	for (unsigned worker = 0; worker < rig.workers; worker++) {
		while (dataplane_events(rig.dp, worker, events, RTE_DIM(events)) != 0)
			;
		while (dataplane_records(rig.dp, worker, records, RTE_DIM(records)) != 0)
			;
	}
}

// --- start

// A queue of net_ring sends into the ring that it receives from. So a worker sends on its queue of
// the port's device, and receives from the same queue of a device that nobody sends on.
static void take_wires(void)
{
	struct rte_ether_addr addr;
	void *m;
	char name[64];

	for (unsigned port = 0; port < 2; port++) {
		struct devices *d = &rig.dp->devices;

		lent[port] = d->device[port];
		lent[port].dpdk = d->device[RIG_DEVICES + port].dpdk;
		if (rte_eth_macaddr_get(d->device[port].dpdk, &addr) != 0)
			abort();
		memcpy(mac[port], &addr, 6);
		for (unsigned worker = 0; worker < rig.workers; worker++) {
			snprintf(name, sizeof(name), "ETH_RXTX%u_net_ring%u", worker, port);
			wire_out[worker][port] = rte_ring_lookup(name);
			snprintf(name, sizeof(name), "ETH_RXTX%u_net_ring%u", worker,
				 RIG_DEVICES + port);
			wire_in[worker][port] = rte_ring_lookup(name);
			if (wire_in[worker][port] == NULL || wire_out[worker][port] == NULL)
				abort();
			peers_out[worker][port] = wire_in[worker][port];
			peers_in[worker][port] = wire_out[worker][port];
			while (rte_ring_dequeue(wire_in[worker][port], &m) == 0)
				rte_pktmbuf_free(m); // addresses announced at the start
			rig_worker(worker)->rx[port] =
				(struct rx_queue){&lent[port], (uint16_t)worker};
			rig_worker(worker)->n_rx = 2;
		}
	}
}

// First touches are start-up's, not a message's.
static void populate(struct rte_mempool *, void *, struct rte_mempool_memhdr *chunk, unsigned)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
		  skip = -(uintptr_t)chunk->addr & (page - 1);

	if (chunk->len > skip)
		(void)madvise(RTE_PTR_ADD(chunk->addr, skip), chunk->len - skip,
			      MADV_POPULATE_WRITE);
}

static void put_config(struct outbuf *o, const struct rig_params *p)
{
	char line[1024];

	snprintf(line, sizeof(line),
		 "system: { workers: %s, control_core: 0, idle: adaptive,\n"
		 "  capacity: { calls: %u, transactions: %u, leg_text: %u } }\n%s"
		 "ports:\n"
		 "  access: { device: net_ring0, addresses: [10.91.0.1/16] }\n"
		 "  core: { device: net_ring1, addresses: [10.92.0.1/16] }\n"
		 "  lends1: { device: net_ring2, addresses: [10.93.0.1/16] }\n"
		 "  lends2: { device: net_ring3, addresses: [10.94.0.1/16] }\n"
		 "trunks:\n",
		 p->workers == 1 ? "[1]" : "[1, 0]", p->calls, p->transactions, p->leg_text,
		 p->more);
	outbuf_put_str(o, line);
	for (unsigned i = 0; i < PEERS_TRUNKS; i++) {
		snprintf(line, sizeof(line),
			 "  a%u: { port: access, peers: [10.91.1.%u:5060] }\n"
			 "  b%u: { port: core, peers: [10.92.1.%u:5060] }\n",
			 i, i + 2, i, i + 2);
		outbuf_put_str(o, line);
	}
	outbuf_put_str(o, "routes:\n");
	for (unsigned i = 0; i < PEERS_TRUNKS; i++) {
		snprintf(line, sizeof(line), "  - { from: a%u, to: [b%u] }\n", i, i);
		outbuf_put_str(o, line);
	}
}

static void load_config(const struct rig_params *p)
{
	static const uint16_t cpus[RIG_WORKERS] = {1, 0, 1, 0};
	static char text[16384];
	static struct config_errors errors;
	struct outbuf o = outbuf_of(text, sizeof(text));

	put_config(&o, p);
	if (o.full ||
	    config_load_text(&rig.config, outbuf_slice(&o), "bench", NULL, NULL, &errors) != 0) {
		for (uint32_t i = 0; i < errors.n; i++)
			fprintf(stderr, "line %u: %s\n", errors.list[i].line, errors.list[i].text);
		exit(1);
	}
	if (p->workers > rig.config->system.workers.n) // a configuration names no CPU twice
		rig.config->system.workers = (struct config_cpus){cpus, p->workers};
}

void rig_start(const struct rig_params *p)
{
	static char why[4096];
	struct outbuf w = outbuf_of(why, sizeof(why) - 1);
	struct dataplane_params params = {.key = {1, 2}, .why = &w};

	rig.workers = p->workers;
	rig.live = params.live = calloc(CONFIG_MAX_TRUNKS, sizeof(*params.live));
	if (rig.live == NULL)
		abort();
	load_config(p);
	params.config = rig.config;
	rig.start_ms = rig_wall_ms();
	if (dataplane_start(&rig.dp, &params) != 0) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	rig.start_ms = rig_wall_ms() - rig.start_ms;
	// Its threads have done their part: the program's run the rounds from now on.
	atomic_store_explicit(&rig.dp->stop, true, memory_order_relaxed); // relaxed: joined below
	for (unsigned i = 0; i < rig.workers; i++) {
		struct worker *worker = rig_worker(i);

		rte_eal_wait_lcore(worker->lcore);
		worker->now = clock_now();
		(void)madvise(worker->engine_memory, worker->engine_bytes, MADV_POPULATE_WRITE);
	}
	(void)rte_mempool_mem_iter(rig.dp->pools.small, populate, NULL);
	take_wires();
	(void)rig_receive();
}

#define BETWEEN_FRAMES 8191
#define BETWEEN_CACHE  256

void rig_apart(unsigned worker)
{
	char name[RTE_RING_NAMESIZE];

	if (between == NULL)
		between = rte_pktmbuf_pool_create("between", BETWEEN_FRAMES, BETWEEN_CACHE, 0,
						  RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (between == NULL)
		abort();
	for (unsigned port = 0; port < 2; port++) {
		snprintf(name, sizeof(name), "to%u_%u", worker, port);
		peers_out[worker][port] = rte_ring_create(name, 1024, SOCKET_ID_ANY, 0);
		snprintf(name, sizeof(name), "from%u_%u", worker, port);
		peers_in[worker][port] = rte_ring_create(name, 1024, SOCKET_ID_ANY, 0);
		if (peers_out[worker][port] == NULL || peers_in[worker][port] == NULL)
			abort();
	}
}
