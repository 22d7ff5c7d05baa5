// SPDX-License-Identifier: BSD-3-Clause
// One worker: a core with its ports' queues, its engine, its tables. Everything here is written by
// its own thread only, unless a field says otherwise.
#pragma once

#include <stdalign.h>
#include <stdatomic.h>

#include "b2bua/engine.h"
#include "dataplane/channel.h"
#include "dataplane/mbuf.h"
#include "dataplane/neighbour.h"
#include "dataplane/port.h"
#include "dataplane/retire.h"
#include "frame/frame.h"
#include "stat/stat.h"
#include "stat/verdict.h"

#define BURST		  32
#define WORKER_BURSTS	  32 // of one queue in one round
#define WORKERS_MAX	  64
#define WORKER_QUEUES_MAX 256

struct admit;
struct arena;
struct classify_db;
struct classify_scratch;
struct dataplane;
struct rte_ip_frag_tbl;
struct rte_ip_frag_death_row;
struct sip_burst;
struct tap_filter;
struct tap_state;
struct pipeline;

// A packet on its way through the stages of the link.
struct packet {
	struct rte_mbuf *m; // NULL: belongs to somebody else by now
	struct port *port;
	enum verdict verdict; // VERDICT_NONE: the next stage's
	uint16_t type;	      // FRAME_TYPE_... after stage_link
	bool summed;	      // the device has checked the checksum of UDP
	bool reassembled;     // of fragments, here
	bool undelivered;     // m is what an ICMP error quotes of a message of ours
	uint8_t mac[6];	      // station that sent it
	uint8_t *l3;	      // IP or ARP; l3_len bytes
	uint32_t l3_len;
	struct frame_ip ip; // IPv4 and IPv6 only
};

struct burst {
	uint32_t n;
	struct packet pkt[BURST];
};

// Frames on their way to a device.
struct egress {
	uint32_t n;
	struct rte_mbuf *m[BURST];
};

// Where received frames come from: one queue of one device.
struct rx_queue {
	struct device *device;
	uint16_t queue;
};

struct worker {
	// line 0: read every burst, written at start
	alignas(64) unsigned id;
	unsigned n_workers;
	unsigned lcore, cpu;
	struct dataplane *dp;
	struct devices *devices;
	const struct pipeline *pipeline;
	struct engine *engine;		    // NULL in tests of the link alone
	struct worker *workers;		    // all of them
	const struct classify_db *patterns; // of the snapshot in use
	struct classify_scratch *scratch;
	struct classify_scratch *own_scratch; // for snapshots without rules
	// line 1: written every loop
	alignas(64) tick_t now;
	const struct config *config;		      // W: this worker, R: this worker
	_Atomic(const struct config *) config_in_use; // W: this worker, R: control
	const struct tap_filter *tap_filter;	      // NULL: nobody wants copies of messages
	tick_t look_tk;				      // when buffers and rings are looked at next
	tick_t tick_tk;		// when neighbours and old fragments are looked at next
	tick_t announce_tk;	// worker 0: when own addresses are told next,
	uint32_t announcements; // so many times
	uint32_t links_changed; // worker 0: dp->links_changed when it last announced
	uint32_t icmp_tokens;
	tick_t icmp_tk;
	uint16_t ip_id;
	bool gave_work; // this loop found something to do
	bool refusing;	// the rings to control are full: nothing new begins
	// further lines
	alignas(64) uint64_t verdicts[VERDICT_N]; // W: this worker, R: control (relaxed)
	alignas(64) struct worker_stats *stats;	  // W: this worker, R: control (relaxed)
	struct trunk_stats *trunk_stats;	  // [CONFIG_MAX_TRUNKS], the same
	struct mbuf_pools pools;
	uint32_t n_rx;
	struct rx_queue rx[WORKER_QUEUES_MAX];
	struct egress egress[CONFIG_MAX_PORTS]; // index: device
	struct neighbours neighbours;
	struct rte_ip_frag_tbl *fragments;
	struct rte_ip_frag_death_row *death_row;
	// calls
	struct engine_ops ops;
	struct engine_params engine_params;
	void *engine_memory;
	uint64_t engine_bytes;
	struct arena *arena; // of leg texts
	struct retire retire;
	// to and from control
	struct channel events, records;		       // this worker produces
	struct channel orders;			       // control produces
	struct tap_state *tap;			       // copies of messages; this worker produces
	_Atomic(const struct tap_filter *) tap_in_use; // W: this worker, R: control
	// to and from other workers
	struct rte_ring *handoff; // mbufs for this worker; many producers
	struct rte_ring *news;	  // struct neighbour_news for this worker; many producers
	struct egress to_worker[WORKERS_MAX];
	bool filling[WORKERS_MAX]; // that worker's hand-over ring has no room for what is new
	struct burst burst;
	struct sip_burst *sip;
	struct admit *admit; // who waits while there is more than can be done
	// IP packets of ours that have no next hop, for the call logic in the next round; freed
	// there
	uint32_t n_undelivered;
	struct rte_mbuf *undelivered[BURST];
};

// Make a worker's tables and rings; w->id, n_workers, workers, devices, pools and pipeline are set.
// Control thread. Errors: -ENOMEM; what was made is freed.
int worker_init(struct worker *w);
void worker_free(struct worker *w);

// Make the engine on the worker's own core, so that its memory is near. Returns 0.
int worker_prepare(void *worker);
// The loop of a worker until dataplane_stop(); the function that its lcore is launched with.
int worker_run(void *worker);
// One round of it; returns whether there was anything to do.
bool worker_poll(struct worker *w);

// A packet of ours (from its IP header on) goes nowhere: the call logic hears of it in this
// worker's next round, if there is room for it. Takes the reference.
static inline void worker_undelivered(struct worker *w, struct rte_mbuf *m)
{
	if (w->engine != NULL && w->n_undelivered != BURST)
		w->undelivered[w->n_undelivered++] = m;
	else
		rte_pktmbuf_free(m);
}

static inline void worker_count(struct worker *w, enum verdict v, uint64_t n)
{
	stat_add(&w->verdicts[v], n);
}
