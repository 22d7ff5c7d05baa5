// SPDX-License-Identifier: BSD-3-Clause
// What control sees of the running data plane: calls, counters, gauges, ports, neighbours.
// Thread: control. See dataplane.h.
#include <errno.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "dataplane/arena.h"
#include "dataplane/dataplane_private.h"

#define VIEW_TRIES 16 // while a call changes under the reader

unsigned dataplane_workers(const struct dataplane *dp)
{
	return dp->n_workers;
}

unsigned dataplane_worker_cpu(const struct dataplane *dp, unsigned worker)
{
	return dp->workers[worker].cpu;
}

uint32_t dataplane_calls_max(const struct dataplane *dp, unsigned worker)
{
	return engine_calls_max(dp->workers[worker].engine);
}

int dataplane_call(struct dataplane *dp, unsigned worker, uint32_t call, struct call_view *view)
{
	struct worker *w = &dp->workers[worker];
	int rc = -EAGAIN;

	retire_read_begin(&w->retire);
	for (unsigned i = 0; rc == -EAGAIN && i < VIEW_TRIES; i++)
		rc = engine_view(w->engine, call, view);
	retire_read_end(&w->retire);
	return rc;
}

uint32_t dataplane_find(struct dataplane *dp, unsigned worker, struct slice call_id)
{
	struct worker *w = &dp->workers[worker];
	uint32_t call;

	retire_read_begin(&w->retire);
	call = engine_find(w->engine, call_id);
	retire_read_end(&w->retire);
	return call;
}

const struct worker_stats *dataplane_stats(const struct dataplane *dp, unsigned worker)
{
	return dp->workers[worker].stats;
}

const uint64_t *dataplane_verdicts(const struct dataplane *dp, unsigned worker)
{
	return dp->workers[worker].verdicts;
}

const struct trunk_stats *dataplane_trunk_stats(const struct dataplane *dp, unsigned worker,
						unsigned trunk)
{
	return &dp->workers[worker].trunk_stats[trunk];
}

void dataplane_gauges(const struct dataplane *dp, struct dataplane_gauges *g)
{
	*g = (struct dataplane_gauges){
		.mbufs_small = rte_mempool_in_use_count(dp->pools.small),
		.mbufs_small_max = dp->pools.small->size,
		.mbufs_large = rte_mempool_in_use_count(dp->pools.large),
		.mbufs_large_max = dp->pools.large->size,
		.hugepages = dp->hugepages,
	};
}

void dataplane_worker_gauges(const struct dataplane *dp, unsigned worker,
			     struct dataplane_worker_gauges *g)
{
	const struct worker *w = &dp->workers[worker];
	struct arena_stats arena;

	arena_stats(w->arena, &arena);
	*g = (struct dataplane_worker_gauges){
		.text_max = arena.max,
		.text_used = arena.allocated - arena.cached,
		.text_mapped = arena.mapped,
		.text_retired = __atomic_load_n(&w->retire.n, __ATOMIC_RELAXED), // one value
		.text_leaked = stat_read(&w->retire.leaked),
		.events = channel_count(&w->events),
		.records = channel_count(&w->records),
		.orders = channel_count(&w->orders),
		.events_late = stat_read(&w->events.late),
		.records_late = stat_read(&w->records.late),
		.orders_late = stat_read(&w->orders.late),
		.events_lost = stat_read(&w->events.lost),
		.records_lost = stat_read(&w->records.lost),
		.orders_lost = stat_read(&w->orders.lost),
	};
}

int dataplane_port(struct dataplane *dp, unsigned id, struct dataplane_port *port)
{
	struct rte_eth_dev_info info = {0};
	struct rte_eth_stats stats = {0};
	const struct device *d;

	if (id >= dp->devices.n_ports || dp->devices.port[id].device == NULL)
		return -ENOENT;
	d = dp->devices.port[id].device;
	// A device that has gone says nothing: its numbers are then 0.
	rte_eth_dev_info_get(d->dpdk, &info);
	rte_eth_stats_get(d->dpdk, &stats);
	*port = (struct dataplane_port){
		.name = dp->devices.port[id].name,
		.driver = info.driver_name != NULL ? info.driver_name : "",
		.link_up = d->link_up,
		.link_changes = d->link_changes,
		.rx_queues = d->n_rxq,
		.tx_queues = d->n_txq,
		.rx_packets = stats.ipackets,
		.tx_packets = stats.opackets,
		.rx_bytes = stats.ibytes,
		.tx_bytes = stats.obytes,
		.rx_missed = stats.imissed,
		.rx_errors = stats.ierrors,
		.tx_errors = stats.oerrors,
		.rx_no_mbuf = stats.rx_nombuf,
	};
	memcpy(port->mac, d->mac, sizeof(port->mac));
	return 0;
}

int dataplane_neighbour(const struct dataplane *dp, unsigned worker, unsigned *slot,
			struct dataplane_neighbour *n)
{
	static const char *const states[] = {
		[NEIGHBOUR_FREE] = "free",	     [NEIGHBOUR_INCOMPLETE] = "incomplete",
		[NEIGHBOUR_REACHABLE] = "reachable", [NEIGHBOUR_PROBE] = "probe",
		[NEIGHBOUR_FAILED] = "failed",
	};
	struct neighbour e;

	while (*slot < NEIGHBOUR_SLOTS) {
		if (!neighbour_copy(&dp->workers[worker].neighbours, (*slot)++, &e))
			continue;
		*n = (struct dataplane_neighbour){
			.ip = e.ip,
			.port = e.port,
			.state = states[e.state],
			.confirmed_tk = e.confirmed_tk,
		};
		memcpy(n->mac, e.mac, sizeof(n->mac));
		return 0;
	}
	return -ENOENT;
}
