// SPDX-License-Identifier: BSD-3-Clause
// The data plane as control sees it: the only header of this folder that control includes.
// Thread: control (the one that called dataplane_start()), unless a function says otherwise.
#pragma once

#include "b2bua/engine.h"
#include "base/outbuf.h"

struct dataplane;
struct tap_filter;
struct sip_digest_hash;

struct dataplane_params {
	const struct config *config; // stays the caller's; in use until dataplane_configure()
	struct siphash_key key;	     // secret of this process
	const struct sip_digest_hash *hash;
	struct trunk_live *live; // [CONFIG_MAX_TRUNKS], the caller's, until dataplane_stop()
	struct outbuf *why; // what went wrong at the start; after success: warnings, one a line
};

// Open ports, make memory, start workers. Once in a process. The calling thread is bound to
// system.control_core from then on.
// Errors: -ENOMEM, -EINVAL, -ENODEV ...; *why says what is wrong and what would be right.
int dataplane_start(struct dataplane **out, const struct dataplane_params *params);
// Stop workers, close ports, free memory. Calls in progress are forgotten, nobody is told: end them
// first.
void dataplane_stop(struct dataplane *dp);

// The clock of workers: CLOCK_MONOTONIC in microseconds. Any thread.
tick_t dataplane_now(void);

unsigned dataplane_workers(const struct dataplane *dp);
unsigned dataplane_worker_cpu(const struct dataplane *dp, unsigned worker);

// Call often (each loop, at least every 100 ms): orders that found a ring full go on, link states
// are read once a second.
void dataplane_poll(struct dataplane *dp);

// What a worker has to say; returns how many. Records are larger: take few at a time.
unsigned dataplane_events(struct dataplane *dp, unsigned worker, struct event *events,
			  unsigned max);
unsigned dataplane_records(struct dataplane *dp, unsigned worker, struct call_record *records,
			   unsigned max);
// An order for a worker; copied. Where the ring is full it waits here, in order.
void dataplane_order(struct dataplane *dp, unsigned worker, const struct order *order);

// Use another snapshot from now on. Waits until every worker does, some milliseconds; then the one
// that had its place (config.kept) is free. Errors: -ETIMEDOUT a worker did not take it within a
// second: it may do so at any time later, so neither is free.
int dataplane_configure(struct dataplane *dp, const struct config *config);
// How many calls go by the snapshot at each place (config/config_kept.h).
void dataplane_kept_calls(const struct dataplane *dp, uint32_t calls[CONFIG_KEPT]);

// Copies of messages (b2bua/tap.h) from now on; NULL ends them. Waits as dataplane_configure()
// does, with its error; the filter before is free then.
int dataplane_tap(struct dataplane *dp, const struct tap_filter *filter);
// The next copy of a worker: its head, and head->len bytes of up to DATAPLANE_TAP_ROOM. 0: none.
#define DATAPLANE_TAP_ROOM 16384
uint32_t dataplane_taps(struct dataplane *dp, unsigned worker, struct tap_head *head,
			uint8_t *bytes);
// Copies for which there was no room.
uint64_t dataplane_taps_lost(const struct dataplane *dp, unsigned worker);

// Calls. What these read is protected while they run; nothing is held afterwards.
uint32_t dataplane_calls_max(const struct dataplane *dp, unsigned worker);
// 0, -ENOENT if the index holds no call, -EAGAIN if it kept changing while it was read.
int dataplane_call(struct dataplane *dp, unsigned worker, uint32_t call, struct call_view *view);
// Index of the worker's call one of whose legs has this Call-ID; UINT32_MAX if there is none.
uint32_t dataplane_find(struct dataplane *dp, unsigned worker, struct slice call_id);

// Counters; they live until dataplane_stop() and are read with stat_read(). Any thread.
const struct worker_stats *dataplane_stats(const struct dataplane *dp, unsigned worker);
const uint64_t *dataplane_verdicts(const struct dataplane *dp, unsigned worker); // [VERDICT_N]
const struct trunk_stats *dataplane_trunk_stats(const struct dataplane *dp, unsigned worker,
						unsigned trunk);

// What is in use now. Takes some microseconds and the locks of jemalloc: for metrics, once a
// second.
struct dataplane_gauges {
	uint32_t mbufs_small, mbufs_small_max; // in use, all
	uint32_t mbufs_large, mbufs_large_max;
	bool hugepages;
};
struct dataplane_worker_gauges {
	uint64_t text_max, text_used, text_mapped; // bytes of the arena of leg texts
	uint32_t text_retired;			   // blocks that wait for readers
	uint64_t text_leaked;
	uint32_t events, records, orders;		 // in the rings
	uint64_t events_late, records_late, orders_late; // found their ring full and waited
	uint64_t events_lost, records_lost, orders_lost; // found the waiting room full as well
};
void dataplane_gauges(const struct dataplane *dp, struct dataplane_gauges *g);
void dataplane_worker_gauges(const struct dataplane *dp, unsigned worker,
			     struct dataplane_worker_gauges *g);

// Ports of the configuration.
struct dataplane_port {
	const char *name;
	const char *driver;
	uint8_t mac[6];
	bool link_up;
	uint64_t link_changes;
	uint16_t rx_queues, tx_queues;
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes; // of the device, all its ports
	uint64_t rx_missed, rx_errors, tx_errors, rx_no_mbuf;
};
// 0 or -ENOENT (past the last one, or gone). id: of the configured port.
int dataplane_port(struct dataplane *dp, unsigned id, struct dataplane_port *port);

// Neighbours that a worker knows: the one in slot *slot or the next, which *slot then names the
// slot after; -ENOENT when there are no more. Begin with *slot = 0.
struct dataplane_neighbour {
	struct config_ip ip;
	uint8_t mac[6];
	uint16_t port;
	const char *state;
	tick_t confirmed_tk;
};
int dataplane_neighbour(const struct dataplane *dp, unsigned worker, unsigned *slot,
			struct dataplane_neighbour *n);
