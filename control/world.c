// SPDX-License-Identifier: BSD-3-Clause
// One verge in virtual time: the shell's part, without I/O.
// One thread of the caller.
#include "control/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "config/config_load.h"
#include "rules/rules.h"
#include "sip/token.h"

#define EXPIRE_BUDGET	      64
#define SETTLE_MAX	      10000 // rounds without time passing: more is a loop in verge
#define TRANSACTIONS_PER_CALL 16    // short calls one after the other, each lingering 32 s
#define WALL_START_US	      1700000000000000ull

// The built-in patterns, compiled once for all worlds of the program.
static const struct classify_db *classifier(void)
{
	static struct classify_db *db;

	if (db == NULL && classify_db_compile(&db, NULL, NULL) != 0)
		abort();
	return db;
}

static void complain(struct world *w, const char *what)
{
	if (w->error[0] == '\0')
		snprintf(w->error, sizeof(w->error), "%s", what);
}

static void on_order(void *ctx, unsigned worker, const struct order *order)
{
	struct world *w = ctx;

	if (w->order_tail - w->order_head == WORLD_ORDERS_MAX) {
		complain(w, "control sends orders without bound");
		return;
	}
	w->orders[w->order_tail++ % WORLD_ORDERS_MAX] =
		(struct world_order){worker < w->workers ? worker : 0, *order};
	if (w->hooks.order != NULL)
		w->hooks.order(w->hooks.ctx, order);
}

static void on_log(void *ctx, enum control_level level, const char *area, const char *line)
{
	struct world *w = ctx;

	(void)level;
	if (w->hooks.log != NULL)
		w->hooks.log(w->hooks.ctx, area, line);
}

static void on_cdr(void *ctx, const char *json)
{
	struct world *w = ctx;

	w->hooks.cdr(w->hooks.ctx, json);
}

static int on_view(void *ctx, unsigned worker, uint32_t call, uint32_t gen, struct call_view *view)
{
	struct world *w = ctx;
	int rc = worker < w->workers ? engine_view(w->engine[worker], call, view) : -ENOENT;

	return rc == 0 && view->gen != gen ? -ENOENT : rc;
}

static void own_config(struct world *w, struct config *config)
{
	w->config[config->kept] = config;
	config_kept_put(&w->kept, config);
}

static struct config *load(struct world *w, const char *yaml)
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	int rc = config_load_text(&config, slice_of_str(yaml), "case", world_config(w), NULL,
				  &errors);

	if (rc != 0 && errors.n != 0)
		snprintf(w->error, sizeof(w->error), "configuration, line %u: %.200s",
			 errors.list[0].line, errors.list[0].text);
	else if (rc != 0)
		snprintf(w->error, sizeof(w->error), "configuration: error %d", rc);
	config_errors_free(&errors);
	return config;
}

// Zeroed pages that cost nothing until they are touched.
static void *allocate(struct world *w, size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED || w->n_maps == WORLD_MAPS_MAX)
		abort();
	w->map[w->n_maps].mem = mem;
	w->map[w->n_maps++].size = size;
	return mem;
}

static void start_worker(struct world *w, unsigned i, uint64_t seed)
{
	const struct config *c = world_config(w);
	uint32_t transactions = c->system.capacity.transactions != 0
					? c->system.capacity.transactions
					: w->calls * TRANSACTIONS_PER_CALL;
	struct engine_params params = {
		.calls = w->calls / w->workers,
		.transactions = transactions / w->workers,
		.worker = (uint8_t)i,
		.key = {seed, seed ^ 0x5ca1ab1e},
		.ops = &w->ops,
		.ops_ctx = &w->memory,
		.live = w->live,
	};

	w->trunk_stats[i] = allocate(w, sizeof(struct trunk_stats) * CONFIG_MAX_TRUNKS);
	w->worker_stats[i] = allocate(w, sizeof(struct worker_stats));
	params.trunk_stats = w->trunk_stats[i];
	params.stats = w->worker_stats[i];
	w->engine[i] = engine_init(allocate(w, engine_footprint(&params)), &params, w->now);
	engine_configure(w->engine[i], c);
}

// The rest of the start: a configuration is loaded.
static int start(struct world *w, const struct world_params *p)
{
	struct control_params params = {
		.callbacks = {w, on_order, on_log, on_cdr, on_view},
		.seed = p->seed,
	};

	w->workers = p->workers != 0 ? p->workers : world_config(w)->system.workers.n;
	w->calls = p->calls != 0 ? p->calls : world_config(w)->system.capacity.calls;
	w->ops = world_memory_ops;
	w->ops.hash = p->hash;
	if (w->workers == 0 || w->workers > WORLD_WORKERS_MAX) {
		snprintf(w->error, sizeof(w->error), "1 to %d workers", WORLD_WORKERS_MAX);
		return -1;
	}
	if (classify_scratch_make(&w->scratch, classifier()) != 0)
		abort();
	w->orders = allocate(w, sizeof(*w->orders) * WORLD_ORDERS_MAX);
	w->live = allocate(w, sizeof(*w->live) * CONFIG_MAX_TRUNKS);
	for (unsigned i = 0; i < w->workers; i++)
		start_worker(w, i, p->seed);
	params.config = world_config(w);
	params.live = w->live;
	params.workers = w->workers;
	w->control = control_new(&params, w->now);
	if (w->control == NULL)
		abort();
	w->wall_us = p->wall_us != 0 ? p->wall_us : WALL_START_US;
	control_set_wall(w->control, w->now, w->wall_us);
	world_settle(w);
	return 0;
}

static void begin(struct world *w, const struct world_params *p)
{
	memset(w, 0, sizeof(*w));
	w->hooks = *p->hooks;
	w->now = WORLD_START_TK;
}

int world_init(struct world *w, const char *yaml, const struct world_params *params)
{
	struct config *config;

	begin(w, params);
	config = load(w, yaml);
	if (config == NULL)
		return -1;
	own_config(w, config);
	return start(w, params);
}

int world_start(struct world *w, struct config *config, const struct world_params *params)
{
	begin(w, params);
	own_config(w, config);
	return start(w, params);
}

int world_reload(struct world *w, const char *yaml)
{
	uint32_t calls[CONFIG_KEPT] = {0};
	struct config *config = load(w, yaml), *gone;

	if (config == NULL)
		return -1;
	for (unsigned i = 0; i < w->workers; i++)
		for (unsigned k = 0; k < CONFIG_KEPT; k++)
			calls[k] += engine_kept_calls(w->engine[i], k);
	config->kept = (uint8_t)config_kept_choose(&w->kept, config, calls);
	gone = w->config[config->kept];
	own_config(w, config);
	for (unsigned i = 0; i < w->workers; i++)
		engine_configure(w->engine[i], world_config(w));
	control_configure(w->control, world_config(w), w->now);
	config_free(gone);
	world_settle(w);
	return 0;
}

void world_free(struct world *w)
{
	control_free(w->control);
	classify_scratch_free(w->scratch);
	world_memory_free(&w->memory);
	for (unsigned i = 0; i < w->n_maps; i++)
		munmap(w->map[i].mem, w->map[i].size);
	for (unsigned i = 0; i < CONFIG_KEPT; i++)
		config_free(w->config[i]);
}

static bool drain_worker(struct world *w, unsigned i)
{
	struct outbox *out = engine_outbox(w->engine[i]);
	bool moved = out->n_sends + out->n_events + out->n_records != 0;
	const struct tap_head *sample;
	const uint8_t *bytes;

	if (out->n_sends > OUTBOX_SENDS || out->n_events > OUTBOX_EVENTS ||
	    out->n_records > OUTBOX_RECORDS)
		complain(w, "an outbox overflowed");
	for (uint32_t k = 0; k < out->n_sends; k++) {
		struct send *s = &out->sends[k];

		w->hooks.sent(w->hooks.ctx, &s->flow, s->buf->data, s->buf->len);
		world_memory_buf_release(&w->memory, s->buf);
	}
	for (uint32_t k = 0; k < out->n_events; k++) {
		out->events[k].worker = (uint8_t)i;
		if (w->hooks.event != NULL)
			w->hooks.event(w->hooks.ctx, &out->events[k]);
		control_event(w->control, i, &out->events[k], w->now);
	}
	for (uint32_t k = 0; k < out->n_records; k++) {
		out->records[k].worker = (uint8_t)i;
		control_record(w->control, i, &out->records[k], w->now);
	}
	out->n_sends = out->n_events = out->n_records = 0;
	sample = engine_sample(w->engine[i], &bytes);
	if (sample != NULL)
		control_sample(w->control, sample, bytes);
	return moved;
}

void world_settle(struct world *w)
{
	bool moved = true;

	for (unsigned round = 0; moved; round++) {
		if (round == SETTLE_MAX) {
			complain(w, "worker and control move each other without end");
			return;
		}
		moved = false;
		for (unsigned i = 0; i < w->workers; i++)
			if (drain_worker(w, i))
				moved = true;
		control_poll(w->control, w->now);
		while (w->order_head != w->order_tail) {
			struct world_order *o = &w->orders[w->order_head++ % WORLD_ORDERS_MAX];

			engine_order(w->engine[o->worker], &o->order, w->now);
			moved = true;
			drain_worker(w, o->worker);
		}
	}
	world_memory_grace(&w->memory);
}

static unsigned owner_of(const struct world *w, const struct sip_msg *m)
{
	return w->workers > 1
		       ? (unsigned)(token_owner_hash(sip_msg_value(m, SIP_H_CALL_ID)) % w->workers)
		       : 0;
}

// What a worker's stage does, with the patterns of the snapshot's rules.
static void classify(struct world *w, unsigned worker, struct rx *rx)
{
	const struct rules_program *rules = world_config(w)->program;

	classify_message(rules != NULL ? rules_patterns(rules) : classifier(),
			 rules != NULL ? rules_scratch(rules, worker) : w->scratch, &rx->msg,
			 &rx->class);
}

void world_input(struct world *w, const struct flow *flow, const uint8_t *bytes, uint32_t len)
{
	static struct rx rx; // as in a worker, it still says what the last message was
	struct sip_buf *buf = world_memory_buf_get(&w->memory, len);
	unsigned verdict, owner = 0;
	int rc;

	if (buf == NULL) {
		w->memory.no_bufs =
			false; // the network card's own buffers are not what was exhausted
		buf = world_memory_buf_get(&w->memory, len);
		w->memory.no_bufs = true;
	}
	memcpy(buf->data, bytes, len);
	buf->len = len;
	rx.buf = buf;
	rx.flow = *flow;
	rc = sip_msg_parse(&rx.msg, slice_of(buf->data, len));
	if (rc == 0) {
		owner = owner_of(w, &rx.msg);
		classify(w, owner, &rx);
		engine_prefetch_record(w->engine[owner], &rx);
		engine_prefetch_text(w->engine[owner], &rx);
		verdict = engine_message(w->engine[owner], &rx, w->now);
	} else {
		verdict = engine_unparsable(w->engine[owner], &rx, rc, w->now);
	}
	if (verdict < VERDICT_N)
		w->verdicts[verdict]++;
	else
		complain(w, "a message got a verdict that does not exist");
	world_memory_buf_release(&w->memory, buf);
	world_settle(w);
}

void world_unreachable(struct world *w, const uint8_t *bytes, uint32_t len)
{
	struct slice quoted = slice_of(bytes, len);
	unsigned owner = 0;

	// The shell reads the Call-ID of the quote; trying all engines is the same: tokens say
	// whose.
	for (owner = 0; owner < w->workers; owner++)
		w->verdicts[engine_unreachable(w->engine[owner], quoted, w->now)]++;
	world_settle(w);
}

tick_t world_next(const struct world *w)
{
	tick_t next = control_next(w->control);

	for (unsigned i = 0; i < w->workers; i++) {
		tick_t due = engine_next(w->engine[i]);

		next = due < next ? due : next;
	}
	return next < w->now ? w->now : next;
}

void world_advance(struct world *w, tick_t now)
{
	bool more = true;

	w->now = now > w->now ? now : w->now;
	for (unsigned round = 0; more; round++) {
		if (round == SETTLE_MAX) {
			complain(w, "timers fire without end");
			return;
		}
		more = false;
		for (unsigned i = 0; i < w->workers; i++) {
			if (engine_expire(w->engine[i], w->now, EXPIRE_BUDGET) != 0)
				more = true;
			world_settle(w);
		}
	}
	world_settle(w);
}

void world_usage(const struct world *w, struct engine_usage *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < w->workers; i++) {
		struct engine_usage u;

		engine_usage(w->engine[i], &u);
		sum->calls += u.calls;
		sum->transactions += u.transactions;
		sum->forks += u.forks;
		sum->timers += u.timers;
		sum->bufs += u.bufs;
		sum->text_bytes += u.text_bytes;
	}
}

const char *world_check(struct world *w)
{
	struct engine_usage u;

	if (w->error[0] != '\0')
		return w->error;
	for (unsigned i = 0; i < w->workers; i++) {
		int broken = engine_check(w->engine[i]);

		if (broken != 0) {
			snprintf(w->error, sizeof(w->error), "engine_check: invariant %d is broken",
				 broken);
			return w->error;
		}
	}
	world_usage(w, &u);
	if (w->memory.error != NULL)
		complain(w, w->memory.error);
	else if (w->memory.bufs > u.bufs) // one buffer may have several references
		snprintf(w->error, sizeof(w->error), "%lu buffers are out, the engine refers to %u",
			 (unsigned long)w->memory.bufs, u.bufs);
	else if (u.text_bytes != w->memory.text_bytes)
		snprintf(w->error, sizeof(w->error),
			 "engine_usage says %lu bytes of text, %lu are out",
			 (unsigned long)u.text_bytes, (unsigned long)w->memory.text_bytes);
	return w->error[0] != '\0' ? w->error : NULL;
}
