// SPDX-License-Identifier: BSD-3-Clause
// Start and stop of the data plane. See dataplane.h.
#include "dataplane/dataplane.h"

#include <errno.h>
#include <time.h>

#include <rte_launch.h>
#include <rte_malloc.h>

#include "classify/classify.h"
#include "dataplane/admit.h"
#include "dataplane/clock.h"
#include "dataplane/dataplane_private.h"
#include "dataplane/eal.h"
#include "dataplane/memory.h"
#include "dataplane/pipeline.h"
#include "dataplane/reassemble.h"

#define DATAPLANE_DESC	1024 // descriptors of a queue, each with a buffer
#define DATAPLANE_SPARE 4096 // buffers on their way through stages and rings
#define DATAPLANE_CACHE 512  // what a pool's cache of one worker keeps from the others
#define DATAPLANE_LARGE 1024 // long messages at once

// Calls of one worker: hashing spreads them, not evenly.
static uint32_t share(uint32_t all, unsigned workers)
{
	return workers == 1 ? all : all / workers + all / (8 * workers) + 64;
}

// A call that is answered and ended within its transactions' life (32 s) needs several: short calls
// are why few calls get more transactions each than many.
static uint32_t count_transactions(const struct config_capacity *c)
{
	if (c->transactions != 0)
		return c->transactions;
	return RTE_MAX(c->calls, RTE_MIN(8 * c->calls, 65536u));
}

// Buffers: what queues and stages hold, and one for every second transaction: nearly all keep their
// last message, but not all are in use. When none is left new calls are refused.
static void count_buffers(struct dataplane *dp, const struct config *c)
{
	unsigned queues = c->n_ports * dp->n_workers;
	uint32_t transactions = dp->links_only ? 0 : count_transactions(&c->system.capacity);

	dp->calls = share(c->system.capacity.calls, dp->n_workers);
	dp->transactions = share(transactions, dp->n_workers);

	dp->n_small = queues * 2 * DATAPLANE_DESC + DATAPLANE_SPARE +
		      dp->n_workers * (DATAPLANE_CACHE + REASSEMBLE_MBUFS + ADMIT_WAITING) +
		      transactions / 2;
	dp->n_large = DATAPLANE_LARGE + transactions / 16;
	for (uint32_t i = 0; i < c->n_ports; i++)
		if (c->ports[i].mtu > MBUF_SMALL_ROOM - FRAME_HEADERS_MAX)
			dp->n_large += dp->n_workers * 2 * DATAPLANE_DESC;
}

// Bytes that DPDK takes: buffers, rings, statistics, stages.
static uint64_t count_bytes(const struct dataplane *dp, bool hugepages)
{
	return mbuf_pools_bytes(dp->n_small, dp->n_large, hugepages) +
	       dp->n_workers * (sizeof(struct worker) + (8u << 20));
}

static int assign_queues(struct dataplane *dp, struct outbuf *why)
{
	for (uint32_t i = 0; i < dp->devices.n_devices; i++) {
		struct device *d = &dp->devices.device[i];

		for (uint16_t q = 0; q < d->n_rxq; q++) {
			struct worker *w = &dp->workers[port_rx_worker(q, dp->n_workers)];

			if (w->n_rx == RTE_DIM(w->rx)) {
				outbuf_put_str(why, "more receive queues than workers can poll: "
						    "give devices fewer");
				return -E2BIG;
			}
			w->rx[w->n_rx++] = (struct rx_queue){d, q};
		}
	}
	return 0;
}

static int make_workers(struct dataplane *dp, const struct dataplane_params *params,
			const struct pipeline *pipeline)
{
	int rc = 0;

	dp->workers = rte_zmalloc("workers", dp->n_workers * sizeof(struct worker), 64);
	if (dp->workers == NULL)
		return -ENOMEM;
	for (unsigned i = 0; rc == 0 && i < dp->n_workers; i++) {
		struct worker *w = &dp->workers[i];

		w->id = i;
		w->cpu = params->config->system.workers.list[i];
		w->lcore = i + 1;
		w->n_workers = dp->n_workers;
		w->dp = dp;
		w->devices = &dp->devices;
		w->pipeline = pipeline;
		w->workers = dp->workers;
		w->pools = dp->pools;
		rc = worker_init(w);
		if (rc == 0 && !dp->links_only)
			rc = calls_make(w, params, params->why);
	}
	return rc;
}

static void free_workers(struct dataplane *dp)
{
	for (unsigned i = 0; dp->workers != NULL && i < dp->n_workers; i++) {
		calls_free(&dp->workers[i]);
		worker_free(&dp->workers[i]);
	}
	rte_free(dp->workers);
	dp->workers = NULL;
}

static int launch(struct dataplane *dp, int (*run)(void *))
{
	for (unsigned i = 0; i < dp->n_workers; i++) {
		int rc = rte_eal_remote_launch(run, &dp->workers[i], dp->workers[i].lcore);

		if (rc != 0)
			return rc;
	}
	return 0;
}

static void join(struct dataplane *dp)
{
	for (unsigned i = 0; dp->workers != NULL && i < dp->n_workers; i++)
		rte_eal_wait_lcore(dp->workers[i].lcore);
}

static void halt(struct dataplane *dp)
{
	// relaxed: the join below is what orders the workers' last writes before ours.
	atomic_store_explicit(&dp->stop, true, memory_order_relaxed);
	join(dp);
}

// Everything after EAL.
static int build(struct dataplane *dp, const struct dataplane_params *params,
		 const struct pipeline *pipeline)
{
	int rc = mbuf_pools_create(&dp->pools, dp->n_small, dp->n_large);

	if (rc == 0 && !dp->links_only)
		rc = classify_db_compile(&dp->patterns, NULL, NULL);
	if (rc == 0)
		rc = make_workers(dp, params, pipeline);
	if (rc != 0) {
		outbuf_put_str(params->why,
			       rc == -ENOTSUP ? "this CPU has no SSSE3, which Hyperscan needs"
					      : "not enough memory: lower system.capacity, or "
						"raise vm.nr_hugepages");
		return rc;
	}
	rc = port_open_all(&dp->devices, params->config, dp->n_workers, dp->pools.small,
			   dp->pools.large, params->why);
	if (rc != 0)
		return rc;
	rc = assign_queues(dp, params->why);
	if (rc != 0)
		return rc;
	rc = launch(dp, worker_prepare);
	join(dp);
	return rc != 0 ? rc : launch(dp, worker_run);
}

static void tear_down(struct dataplane *dp)
{
	halt(dp);
	port_close_all(&dp->devices);
	free_workers(dp);
	classify_db_free(dp->patterns);
	mbuf_pools_free(&dp->pools);
}

static int start(struct dataplane **out, const struct dataplane_params *params,
		 const struct pipeline *pipeline, bool links_only)
{
	const struct config *c = params->config;
	struct dataplane *dp = memory_lazy(sizeof(*dp));
	uint64_t bytes[2];
	int rc;

	if (dp == NULL)
		return -ENOMEM;
	dp->links_only = links_only;
	atomic_init(&dp->config, c);
	dp->n_workers = c->system.workers.n;
	dp->busy = c->system.idle == CONFIG_IDLE_BUSY;
	count_buffers(dp, c);
	bytes[0] = count_bytes(dp, false);
	bytes[1] = count_bytes(dp, true);
	rc = eal_start(c, bytes, &dp->hugepages, params->why);
	if (rc != 0)
		goto fail;
	rc = build(dp, params, pipeline);
	if (rc != 0)
		goto fail_built;
	*out = dp;
	return 0;

fail_built:
	tear_down(dp);
	eal_stop();
fail:
	memory_free(dp, sizeof(*dp));
	return rc;
}

int dataplane_start_stages(struct dataplane **out, const struct dataplane_params *params,
			   const struct pipeline *pipeline)
{
	return start(out, params, pipeline, true);
}

int dataplane_start(struct dataplane **out, const struct dataplane_params *params)
{
	return start(out, params, &pipeline_verge, false);
}

void dataplane_stop(struct dataplane *dp)
{
	tear_down(dp);
	eal_stop();
	memory_free(dp, sizeof(*dp));
}

tick_t dataplane_now(void)
{
	return clock_now();
}

void dataplane_poll(struct dataplane *dp)
{
	tick_t now = clock_now();

	for (unsigned i = 0; i < dp->n_workers; i++)
		channel_push(&dp->workers[i].orders);
	if (now < dp->links_tk)
		return;
	dp->links_tk = now + TICK_S(1);
	// relaxed: worker 0 only sees that it changed, and tells the stations our addresses again.
	if (port_poll_links(&dp->devices) != 0)
		atomic_fetch_add_explicit(&dp->links_changed, 1, memory_order_relaxed);
}

unsigned dataplane_events(struct dataplane *dp, unsigned worker, struct event *events, unsigned max)
{
	return channel_get(&dp->workers[worker].events, events, max);
}

unsigned dataplane_records(struct dataplane *dp, unsigned worker, struct call_record *records,
			   unsigned max)
{
	return channel_get(&dp->workers[worker].records, records, max);
}

void dataplane_order(struct dataplane *dp, unsigned worker, const struct order *order)
{
	channel_put(&dp->workers[worker].orders, order, 1);
}

// acquire: pairs with the release in take_config() of worker.c and in tap_take().
static const void *in_use(const struct worker *w, bool tap)
{
	if (tap)
		return atomic_load_explicit(&w->tap_in_use, memory_order_acquire);
	return atomic_load_explicit(&w->config_in_use, memory_order_acquire);
}

int dataplane_wait_all(struct dataplane *dp, const void *published, bool tap)
{
	const struct timespec nap = {.tv_nsec = 200000};
	tick_t end = clock_now() + TICK_S(1);

	for (unsigned i = 0; i < dp->n_workers; i++) {
		while (in_use(&dp->workers[i], tap) != published) {
			if (clock_now() > end)
				return -ETIMEDOUT;
			nanosleep(&nap, NULL);
		}
	}
	return 0;
}

void dataplane_kept_calls(const struct dataplane *dp, uint32_t calls[CONFIG_KEPT])
{
	memset(calls, 0, CONFIG_KEPT * sizeof(calls[0]));
	for (unsigned i = 0; i < dp->n_workers; i++)
		for (unsigned k = 0; k < CONFIG_KEPT && dp->workers[i].engine != NULL; k++)
			calls[k] += engine_kept_calls(dp->workers[i].engine, k);
}

int dataplane_configure(struct dataplane *dp, const struct config *config)
{
	// release: pairs with the acquire in take_config(); publishes the snapshot's content.
	atomic_store_explicit(&dp->config, config, memory_order_release);
	return dataplane_wait_all(dp, config, false);
}
