// SPDX-License-Identifier: BSD-3-Clause
// A worker of the data plane over ports in memory (net_ring): frames with SIP messages in, all its
// stages, frames out. The worker's rounds are run by this thread, so that only they are timed, by
// CPU time of the thread; what peers do is not. Time of the protocol is virtual: CALL_US a call.
//   pipeline_bench [--mode calls|refresh|dialog] [--held CALLS] [--count N] [--warm N]
//                  [--soak SECONDS] [--once]
// calls: 7 messages in a call; refresh: a caller's UPDATE, answered here; dialog: INFO and its 200.
// What is timed is the steady state: --warm of the same came before, by default so many that their
// transactions have begun to end. Prints one JSON line. Of the stages, times are by the TSC in
// rounds that nobody interrupted.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_launch.h>
#include <rte_ring.h>
#include <rte_udp.h>

#include "b2bua/call.h"
#include "b2bua/tap.h"
#include "config/config_load.h"
#include "dataplane/clock.h"
#include "dataplane/dataplane_private.h"
#include "dataplane/pipeline.h"
#include "peers.h"

#define CALL_US	     1000 // so that what calls leave behind for 32 s fits TRANSACTIONS
#define STAGES_MAX   16
#define TRANSACTIONS 320000
#define HEADERS	     (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))

enum mode { MODE_CALLS, MODE_REFRESH, MODE_DIALOG };

static const char *const mode_names[] = {"calls", "refresh", "dialog"};

static struct dataplane *dp;
static struct worker *worker;
static struct rte_ring *wire_in[2], *wire_out[2]; // as the worker sees them
static uint8_t mac[2][6];
static uint64_t messages, busy_ns, clean_messages, clean_tsc;
static uint64_t stage_tsc[STAGES_MAX], round_tsc[STAGES_MAX];
static uint64_t copies;	  // of messages, for a trace
static uint64_t start_ms; // from configuration to workers that run

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// --- stages with a clock around them

static struct link_stage timed_link[STAGES_MAX];
static struct sip_stage timed_sip[STAGES_MAX];

#define TIMED(n)                                                      \
	static void timed_link_##n(struct worker *w, struct burst *b) \
	{                                                             \
		uint64_t t = rte_rdtsc();                             \
		pipeline_verge.link[n].run(w, b);                     \
		round_tsc[n] += rte_rdtsc() - t;                      \
	}
#define TIMED_SIP(n)                                                       \
	static void timed_sip_##n(struct worker *w, struct sip_burst *b)   \
	{                                                                  \
		uint64_t t = rte_rdtsc();                                  \
		pipeline_verge.sip[n].run(w, b);                           \
		round_tsc[pipeline_verge.n_link + (n)] += rte_rdtsc() - t; \
	}
TIMED(0)
TIMED(1)
TIMED(2)
TIMED(3)
TIMED(4)
TIMED(5)
TIMED_SIP(0)
TIMED_SIP(1)

static struct pipeline timed = {.link = timed_link, .sip = timed_sip};

static void time_stages(void)
{
	static void (*const link[])(struct worker *, struct burst *) = {
		timed_link_0, timed_link_1, timed_link_2, timed_link_3, timed_link_4, timed_link_5};
	static void (*const sip[])(struct worker *, struct sip_burst *) = {timed_sip_0,
									   timed_sip_1};

	if (pipeline_verge.n_link != RTE_DIM(link) || pipeline_verge.n_sip != RTE_DIM(sip))
		abort(); // a stage more: give it a clock above
	for (unsigned i = 0; i < RTE_DIM(link); i++)
		timed_link[i] = (struct link_stage){pipeline_verge.link[i].name, link[i]};
	for (unsigned i = 0; i < RTE_DIM(sip); i++)
		timed_sip[i] = (struct sip_stage){pipeline_verge.sip[i].name, sip[i]};
	timed.n_link = RTE_DIM(link);
	timed.n_sip = RTE_DIM(sip);
	worker->pipeline = &timed;
}

// --- wires

static const struct rte_ether_addr station = {{2, 0, 0, 0, 0, 9}};

static void put_on_wire(unsigned port, struct rte_mbuf *m)
{
	if (rte_ring_enqueue(wire_in[port], m) != 0)
		abort();
}

static void send_frame(const struct peers_message *p)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(worker->pools.small);
	struct rte_ether_hdr *eth;
	struct rte_ipv4_hdr *ip;
	struct rte_udp_hdr *udp;

	if (m == NULL)
		abort();
	eth = (struct rte_ether_hdr *)(void *)rte_pktmbuf_append(m, (uint16_t)(HEADERS + p->len));
	if (eth == NULL)
		abort();
	ip = (struct rte_ipv4_hdr *)(eth + 1);
	udp = (struct rte_udp_hdr *)(ip + 1);
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
	put_on_wire(p->port, m);
}

// Every address of the wire is the station's.
static void answer_arp(unsigned port, const struct rte_arp_hdr *ask)
{
	struct rte_mbuf *m;
	struct rte_ether_hdr *eth;
	struct rte_arp_hdr *arp;

	if (ask->arp_opcode != rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) ||
	    ask->arp_data.arp_sip == ask->arp_data.arp_tip)
		return; // an announcement
	m = rte_pktmbuf_alloc(worker->pools.small);
	if (m == NULL)
		abort();
	eth = (struct rte_ether_hdr *)(void *)rte_pktmbuf_append(m, sizeof(*eth) + sizeof(*arp));
	if (eth == NULL)
		abort();
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
	put_on_wire(port, m);
}

static void receive_frame(unsigned port, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + 1);

	if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP))
		answer_arp(port, (const struct rte_arp_hdr *)(eth + 1));
	else if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) && m->data_len > HEADERS)
		peers_receive(port, (rte_be_to_cpu_32(ip->dst_addr) & 255) - 2,
			      slice_of(rte_pktmbuf_mtod_offset(m, const uint8_t *, HEADERS),
				       m->data_len - HEADERS));
	rte_pktmbuf_free(m);
}

static void receive_all(void)
{
	void *m;

	for (unsigned port = 0; port < 2; port++)
		while (rte_ring_dequeue(wire_out[port], &m) == 0)
			receive_frame(port, m);
}

// --- rounds

static void drain_channels(void)
{
	static struct event events[64];
	static struct call_record records[16];
	static uint8_t bytes[DATAPLANE_TAP_ROOM];
	struct tap_head head;

	while (dataplane_events(dp, 0, events, RTE_DIM(events)) != 0)
		;
	while (dataplane_records(dp, 0, records, RTE_DIM(records)) != 0)
		;
	while (dataplane_taps(dp, 0, &head, bytes) != 0)
		copies += (head.taps & TAP_TRACE) != 0;
}

// A trace that this worker looks at each message for, as `vergectl trace start --number` makes it.
static void start_trace(const char *number)
{
	static struct tap_filter filter = {.tracing = true, .trunk = TAP_ANY_TRUNK};

	snprintf(filter.number, sizeof(filter.number), "%s", number);
	worker->tap_filter = &filter; // its thread is this one; no other snapshot comes
	atomic_store_explicit(&dp->tap, &filter, memory_order_relaxed);
}

// One round: at most a burst of messages on each port.
static void run_round(void)
{
	unsigned on_port[2] = {0, 0}, sent = 0;
	const struct peers_message *p;
	uint64_t t, tsc, ns, scale = rte_get_tsc_hz() / 1000000;

	while ((p = peers_next()) != NULL && on_port[p->port] < BURST) {
		on_port[p->port]++;
		sent++;
		send_frame(p);
		peers_take();
	}
	memset(round_tsc, 0, sizeof(round_tsc));
	t = cpu_ns();
	tsc = rte_rdtsc();
	(void)worker_poll(worker);
	tsc = rte_rdtsc() - tsc;
	ns = cpu_ns() - t;
	messages += sent;
	busy_ns += ns;
	if (tsc * 1000 / scale < ns + ns / 8) { // nobody else ran meanwhile
		clean_messages += sent;
		clean_tsc += tsc;
		for (unsigned i = 0; i < STAGES_MAX; i++)
			stage_tsc[i] += round_tsc[i];
	}
	worker->now += (tick_t)sent * CALL_US / 7 + 1;
	receive_all();
	drain_channels();
}

static void run(enum mode mode, uint64_t n, uint32_t held, bool hold)
{
	static uint64_t oldest, at;

	for (uint64_t i = 0; i < n || peers_waiting() != 0 || rte_ring_count(wire_in[0]) != 0 ||
			     rte_ring_count(wire_in[1]) != 0;) {
		for (; i < n && peers_waiting() < 2 * BURST; i++) {
			if (mode == MODE_CALLS || hold)
				(void)peers_invite();
			if (mode == MODE_CALLS && !hold)
				peers_bye(oldest++);
			else if (mode == MODE_REFRESH && !hold)
				peers_update(at++ * 7919 % held);
			else if (mode == MODE_DIALOG && !hold)
				peers_info(at++ * 7919 % held);
		}
		run_round();
	}
}

// --- start, report

// A queue of net_ring sends into the ring that it receives from: the worker sends on its queue 0
// and is made to receive from queue 1 alone.
static void take_wires(void)
{
	struct rte_ether_addr addr;
	char name[64];

	for (unsigned i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "ETH_RXTX0_net_ring%u", i);
		wire_out[i] = rte_ring_lookup(name);
		snprintf(name, sizeof(name), "ETH_RXTX1_net_ring%u", i);
		wire_in[i] = rte_ring_lookup(name);
		if (wire_in[i] == NULL || wire_out[i] == NULL || dp->devices.device[i].n_rxq < 2 ||
		    rte_eth_macaddr_get(dp->devices.device[i].dpdk, &addr) != 0)
			abort();
		memcpy(mac[i], &addr, 6);
		worker->rx[i] = (struct rx_queue){&dp->devices.device[i], 1};
	}
	worker->n_rx = 2;
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

static void start(uint32_t held)
{
	static char text[16384], why[4096];
	struct outbuf o = outbuf_of(text, sizeof(text)), w = outbuf_of(why, sizeof(why) - 1);
	struct dataplane_params params = {.key = {1, 2}, .why = &w};
	static struct config_errors errors;
	struct config *config;
	char line[256];

	snprintf(line, sizeof(line),
		 "system: { workers: [1], control_core: 0, idle: busy,\n"
		 "  capacity: { calls: %u, transactions: %d, leg_text: 1024 } }\n",
		 held + 8192, TRANSACTIONS);
	outbuf_put_str(&o, line);
	outbuf_put_str(&o, "ports:\n"
			   "  access: { device: net_ring0, addresses: [10.91.0.1/16] }\n"
			   "  core: { device: net_ring1, addresses: [10.92.0.1/16] }\ntrunks:\n");
	for (unsigned i = 0; i < PEERS_TRUNKS; i++) {
		snprintf(line, sizeof(line),
			 "  a%u: { port: access, peers: [10.91.1.%u:5060] }\n"
			 "  b%u: { port: core, peers: [10.92.1.%u:5060] }\n",
			 i, i + 2, i, i + 2);
		outbuf_put_str(&o, line);
	}
	outbuf_put_str(&o, "routes:\n");
	for (unsigned i = 0; i < PEERS_TRUNKS; i++) {
		snprintf(line, sizeof(line), "  - { from: a%u, to: [b%u] }\n", i, i);
		outbuf_put_str(&o, line);
	}
	params.live = calloc(CONFIG_MAX_TRUNKS, sizeof(*params.live));
	if (config_load_text(&config, outbuf_slice(&o), "bench", NULL, NULL, &errors) != 0 ||
	    params.live == NULL)
		abort();
	params.config = config;
	start_ms = wall_ms();
	if (dataplane_start(&dp, &params) != 0) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	start_ms = wall_ms() - start_ms;
	// Its thread has done its part: this one runs the rounds from now on.
	atomic_store_explicit(&dp->stop, true, memory_order_relaxed); // relaxed: joined below
	worker = &dp->workers[0];
	rte_eal_wait_lcore(worker->lcore);
	worker->now = clock_now();
	(void)madvise(worker->engine_memory, worker->engine_bytes, MADV_POPULATE_WRITE);
	(void)rte_mempool_mem_iter(worker->pools.small, populate, NULL);
	take_wires();
	receive_all();
}

// What the system reports, hugepages included.
static uint64_t resident_bytes(void)
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

// The same traffic for so many seconds: what is held and what the system gave, at the start and at
// the end, in rounds that end with the same calls up.
static int soak(enum mode mode, uint32_t held, uint64_t seconds)
{
	uint64_t end = wall_ms() + 1000 * seconds, rounds = 0, resident;
	struct engine_usage first, last;

	engine_usage(worker->engine, &first);
	resident = resident_bytes();
	for (; wall_ms() < end; rounds++)
		run(mode, 50000, held, false);
	engine_usage(worker->engine, &last);
	printf("{\"bench\":\"pipeline_soak\",\"mode\":\"%s\",\"held_calls\":%u,\"rounds\":%" PRIu64
	       ",\"messages\":%" PRIu64 ",\"calls\":[%u,%u],\"transactions\":[%u,%u]"
	       ",\"buffers\":[%u,%u],\"text_kib\":[%" PRIu64 ",%" PRIu64 "]"
	       ",\"resident_kib\":[%" PRIu64 ",%" PRIu64 "]}\n",
	       mode_names[mode], held, rounds, messages, first.calls, last.calls,
	       first.transactions, last.transactions, first.bufs, last.bufs, first.text_bytes >> 10,
	       last.text_bytes >> 10, resident >> 10, resident_bytes() >> 10);
	return peers_refused() == 0 && first.calls == last.calls ? 0 : 1;
}

static void report(enum mode mode, uint32_t held, uint64_t n, uint64_t before)
{
	double ns_per_tsc = 1e9 / (double)rte_get_tsc_hz(), per = (double)clean_messages;
	double message_ns = (double)busy_ns / (double)messages, rest = (double)clean_tsc;
	uint64_t now = resident_bytes();

	printf("{\"bench\":\"pipeline\",\"mode\":\"%s\",\"held_calls\":%u,\"count\":%" PRIu64
	       ",\"messages\":%" PRIu64 ",\"message_ns\":%.1f,\"messages_per_s\":%.0f"
	       ",\"each_us\":%.3f,\"each_per_s\":%.0f",
	       mode_names[mode], held, n, messages, message_ns, 1e9 / message_ns,
	       (double)busy_ns / (double)n / 1000, 1e9 * (double)n / (double)busy_ns);
	for (unsigned i = 0; i < timed.n_link + timed.n_sip; i++) {
		printf(",\"%s_ns\":%.1f",
		       i < timed.n_link ? timed.link[i].name : timed.sip[i - timed.n_link].name,
		       (double)stage_tsc[i] * ns_per_tsc / per);
		rest -= (double)stage_tsc[i];
	}
	printf(",\"rx_timers_tx_ns\":%.1f,\"undisturbed\":%.3f", rest * ns_per_tsc / per,
	       per / (double)messages);
	printf(",\"traced\":%" PRIu64, copies);
	printf(",\"refused\":%" PRIu64 ",\"start_ms\":%" PRIu64, peers_refused(), start_ms);
	printf(",\"hugepages\":%s,\"resident_mib\":%" PRIu64 ",\"held_bytes_per_leg\":%.0f"
	       ",\"leg_record\":%zu,\"call_record_per_leg\":%zu,\"txn_record\":%zu}\n",
	       dp->hugepages ? "true" : "false", now >> 20,
	       held != 0 ? (double)before / (2.0 * held) : 0.0, sizeof(struct leg),
	       sizeof(struct call) / 2, sizeof(struct txn));
}

// Transactions live for 32 s of virtual time. A call may be refreshed eight times at once (ST-78).
static uint64_t warm_up(enum mode mode, uint32_t held)
{
	uint64_t n = 40000000 / (CALL_US / 7);

	if (mode == MODE_CALLS)
		return n / 7;
	if (mode == MODE_DIALOG)
		return n / 2;
	return n < 3ull * held ? n : 3ull * held;
}

int main(int argc, char **argv)
{
	enum mode mode = MODE_CALLS;
	uint32_t held = 10000;
	uint64_t n = 100000, warm = UINT64_MAX, soak_s = 0, before, done;
	const char *number = NULL;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--held") == 0 && i + 1 < argc)
			held = (uint32_t)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
			n = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--once") == 0)
			held = n = warm = 200;
		else if (strcmp(argv[i], "--soak") == 0 && i + 1 < argc)
			soak_s = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--trace") == 0 && i + 1 < argc)
			number = argv[++i];
		else if (strcmp(argv[i], "--warm") == 0 && i + 1 < argc)
			warm = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--mode") == 0 && i + 1 < argc)
			for (i++, mode = MODE_DIALOG; mode != MODE_CALLS; mode--)
				if (strcmp(argv[i], mode_names[mode]) == 0)
					break;
	}
	start(held);
	peers_init(held + 8192);
	before = resident_bytes();
	for (unsigned i = 0; i < PEERS_TRUNKS; i++) // one by one: neighbours have to be found
		run(MODE_CALLS, 1, held, true);
	run(MODE_CALLS, held - PEERS_TRUNKS, held, true);
	before = resident_bytes() - before;
	run(mode, warm != UINT64_MAX ? warm : warm_up(mode, held), held, false);
	if (soak_s != 0)
		return soak(mode, held, soak_s);
	done = mode == MODE_CALLS ? peers_ended() : peers_answered();
	time_stages();
	if (number != NULL)
		start_trace(number);
	messages = busy_ns = clean_messages = clean_tsc = 0;
	memset(stage_tsc, 0, sizeof(stage_tsc));
	run(mode, n, held, false);
	report(mode, held, n, before);
	// What a run claims has to have happened.
	done = (mode == MODE_CALLS ? peers_ended() : peers_answered()) - done;
	if (peers_refused() == 0 && done >= n)
		return 0;
	fprintf(stderr, "%" PRIu64 " of %" PRIu64 " done\n", done, n);
	for (unsigned i = 0; i < VERDICT_N; i++)
		if (worker->verdicts[i] != 0)
			fprintf(stderr, "verdict %u: %" PRIu64 "\n", i, worker->verdicts[i]);
	return 1;
}
