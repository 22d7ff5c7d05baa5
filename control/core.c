// SPDX-License-Identifier: BSD-3-Clause
// The control core's frame: what exists, who gets which event, what is due next.
#include "control/core.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b2bua/engine.h"
#include "control/jsonout.h"

#define FIRST_BUCKETS 1024

// After a start, or after control or a port stood still, many refreshes are due at once. For so
// long trunks without a budget are paced too (pace.c).
#define GUARD_AT_START	TICK_S(60)
#define GUARD_AFTER_LAG TICK_S(10)
#define LAG		TICK_S(1)

static uint64_t mix(uint64_t x)
{
	// finaliser of SplitMix64 (Steele, Lea, Flood 2014)
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

uint32_t core_random(struct control *c, uint32_t n)
{
	c->random += 0x9e3779b97f4a7c15;
	return (uint32_t)((mix(c->random) >> 32) * n >> 32);
}

uint64_t core_call_key(unsigned worker, uint32_t call, uint32_t gen)
{
	return (mix((uint64_t)worker << 32 | call) ^ mix(~(uint64_t)gen)) | 1;
}

struct control_trunk *core_trunk(const struct control *c, unsigned trunk)
{
	return trunk < c->n_trunks ? c->trunks[trunk] : NULL;
}

const char *core_trunk_name(const struct control *c, unsigned trunk)
{
	return trunk < c->config->n_trunks ? c->config->trunks[trunk].name : "?";
}

const struct config_timer *core_timer_config(const struct control *c, unsigned trunk)
{
	static const struct config_timer unknown = {0};

	return trunk < c->config->n_trunks ? &c->config->trunks[trunk].timer : &unknown;
}

const struct config_timer *core_leg_timer(const struct control *c, unsigned kept, unsigned trunk)
{
	const struct config *config = config_kept_of(&c->kept, kept, (uint16_t)trunk);

	return trunk < config->n_trunks ? &config->trunks[trunk].timer
					: core_timer_config(c, trunk);
}

void core_order(struct control *c, unsigned worker, const struct order *order)
{
	c->stats.orders++;
	c->cb.send_order(c->cb.ctx, worker, order);
}

// Legs by (worker, call, side).

static uint32_t bucket_of(const struct control *c, unsigned worker, uint32_t call, unsigned side)
{
	uint64_t key = (uint64_t)worker << 33 | (uint64_t)call << 1 | side;

	return (uint32_t)mix(key) & (c->n_buckets - 1);
}

static struct control_leg *find_leg(const struct control *c, unsigned worker, uint32_t call,
				    unsigned side)
{
	struct control_leg *leg = c->buckets[bucket_of(c, worker, call, side)];

	while (leg != NULL && (leg->worker != worker || leg->call != call || leg->side != side))
		leg = leg->next;
	return leg;
}

struct control_leg *core_leg(const struct control *c, unsigned worker, uint32_t call, uint32_t gen,
			     unsigned side)
{
	struct control_leg *leg = find_leg(c, worker, call, side);

	return leg != NULL && leg->gen == gen ? leg : NULL;
}

// A failure is no error: longer chains work as well.
static void grow_buckets(struct control *c)
{
	struct control_leg **old = c->buckets;
	uint32_t n_old = c->n_buckets;
	struct control_leg **buckets = calloc(2 * (size_t)n_old, sizeof(struct control_leg *));

	if (buckets == NULL)
		return;
	c->buckets = buckets;
	c->n_buckets = 2 * n_old;
	for (uint32_t i = 0; i < n_old; i++) {
		for (struct control_leg *leg = old[i], *next; leg != NULL; leg = next) {
			uint32_t b = bucket_of(c, leg->worker, leg->call, leg->side);

			next = leg->next;
			leg->next = buckets[b];
			buckets[b] = leg;
		}
	}
	free(old);
}

void core_leg_free(struct control *c, struct control_leg *leg)
{
	struct control_leg **at = &c->buckets[bucket_of(c, leg->worker, leg->call, leg->side)];

	core_leg_stage(c, leg, LEG_IDLE);
	core_due(c, leg, false);
	while (*at != leg)
		at = &(*at)->next;
	*at = leg->next;
	c->n_legs--;
	c->stats.legs_known = c->n_legs;
	free(leg);
}

struct control_leg *core_leg_make(struct control *c, unsigned worker, const struct event *event)
{
	struct control_leg *leg = find_leg(c, worker, event->call, event->side);
	uint32_t b;

	if (leg != NULL && leg->gen == event->gen)
		return leg;
	if (leg != NULL)
		core_leg_free(c, leg); // of a call whose record was lost
	if (core_trunk(c, event->trunk) == NULL)
		return NULL;
	leg = calloc(1, sizeof(*leg));
	if (leg == NULL) {
		c->stats.no_memory++;
		return NULL;
	}
	if (c->n_legs >= c->n_buckets)
		grow_buckets(c);
	leg->timer.kind = TIMER_LEG;
	leg->call = event->call;
	leg->gen = event->gen;
	leg->trunk = event->trunk;
	leg->kept = event->kept;
	leg->worker = (uint8_t)worker;
	leg->side = event->side;
	b = bucket_of(c, worker, event->call, event->side);
	leg->next = c->buckets[b];
	c->buckets[b] = leg;
	c->n_legs++;
	c->stats.legs_known = c->n_legs;
	return leg;
}

void core_leg_stage(struct control *c, struct control_leg *leg, enum leg_stage stage)
{
	heap_remove(&c->timers, &leg->timer.node);
	if (heap_has(&leg->pace))
		heap_remove(&core_trunk(c, leg->trunk)->pace, &leg->pace);
	c->stats.legs_waiting -= leg->stage == LEG_PACED || leg->stage == LEG_WAITING;
	c->stats.legs_in_flight -= leg->stage == LEG_IN_FLIGHT;
	leg->stage = (uint8_t)stage;
	c->stats.legs_waiting += stage == LEG_PACED || stage == LEG_WAITING;
	c->stats.legs_in_flight += stage == LEG_IN_FLIGHT;
}

void core_due(struct control *c, struct control_leg *leg, bool due)
{
	struct control_trunk *trunk = core_trunk(c, leg->trunk);

	if (leg->is_due == due)
		return;
	leg->is_due = due;
	if (due) {
		leg->due_prev = NULL;
		leg->due_next = trunk->due;
		if (trunk->due != NULL)
			trunk->due->due_prev = leg;
		trunk->due = leg;
		return;
	}
	if (leg->due_prev != NULL)
		leg->due_prev->due_next = leg->due_next;
	else
		trunk->due = leg->due_next;
	if (leg->due_next != NULL)
		leg->due_next->due_prev = leg->due_prev;
}

// Trunks.

static int grow_trunks(struct control *c, uint32_t n)
{
	struct control_trunk **trunks;

	if (n <= c->n_trunks)
		return 0;
	trunks = realloc(c->trunks, n * sizeof(struct control_trunk *));
	if (trunks == NULL)
		return -ENOMEM;
	c->trunks = trunks;
	while (c->n_trunks < n) {
		struct control_trunk *trunk = calloc(1, sizeof(*trunk));

		if (trunk == NULL)
			return -ENOMEM;
		trunk->id = (uint16_t)c->n_trunks;
		trunk->timer.kind = TIMER_PACE;
		for (unsigned i = 0; i < CONTROL_PEERS; i++) {
			trunk->peers[i].timer.kind = TIMER_PING;
			trunk->peers[i].keepalive.kind = TIMER_KEEPALIVE;
			trunk->peers[i].trunk = trunk->id;
			trunk->peers[i].index = (uint8_t)i;
		}
		c->trunks[c->n_trunks++] = trunk;
	}
	return 0;
}

static void use_config(struct control *c, const struct config *config)
{
	const struct config *old = c->config;

	c->config = config;
	config_kept_put(&c->kept, config);
	if (grow_trunks(c, config->n_trunks) != 0) {
		c->stats.no_memory++;
		core_log(c, CONTROL_ERROR, "config", "no_memory_for_trunks");
	}
	peers_configure(c, old);
	for (uint32_t i = 0; i < c->n_trunks; i++)
		learn_publish(c, c->trunks[i]);
}

struct control *control_new(const struct control_params *params, tick_t now)
{
	struct control *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->buckets = calloc(FIRST_BUCKETS, sizeof(struct control_leg *));
	if (c->buckets == NULL) {
		free(c);
		return NULL;
	}
	c->n_buckets = FIRST_BUCKETS;
	c->cb = params->callbacks;
	c->live = params->live;
	c->workers = params->workers != 0 ? params->workers : 1;
	c->random = params->seed;
	c->sample_key = (struct siphash_key){params->seed, ~params->seed};
	c->now = now;
	c->guard_until_tk = now + GUARD_AT_START;
	use_config(c, params->config);
	if (c->n_trunks < params->config->n_trunks) {
		control_free(c);
		return NULL;
	}
	return c;
}

void control_free(struct control *c)
{
	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->n_buckets; i++) {
		for (struct control_leg *leg = c->buckets[i], *next; leg != NULL; leg = next) {
			next = leg->next;
			free(leg);
		}
	}
	for (uint32_t i = 0; i < c->n_trunks; i++) {
		heap_free(&c->trunks[i]->pace);
		samples_forget(c, c->trunks[i]);
		free(c->trunks[i]);
	}
	heap_free(&c->timers);
	free(c->trunks);
	free(c->buckets);
	free(c);
}

void control_set_wall(struct control *c, tick_t tick, uint64_t unix_us)
{
	c->wall_tk = tick;
	c->wall_us = unix_us;
}

void control_configure(struct control *c, const struct config *config, tick_t now)
{
	c->now = now;
	if (config == c->config)
		return;
	use_config(c, config);
	c->stats.reloads_ok++;
}

void control_reload_failed(struct control *c)
{
	c->stats.reloads_failed++;
}

const struct config *control_config(const struct control *c)
{
	return c->config;
}

// Events.

static void out_of(struct control *c, unsigned worker, const struct event *event)
{
	static const char *const what[] = {
		[OUT_OF_CALLS] = "calls",
		[OUT_OF_TRANSACTIONS] = "transactions",
		[OUT_OF_BUFFERS] = "buffers",
		[OUT_OF_TEXT] = "leg_text",
	};

	if (event->out_of.what > OUT_OF_TEXT)
		return;
	c->stats.out_of[event->out_of.what]++;
	core_log(c, CONTROL_ERROR, "capacity", "out_of what=%s worker=%u", what[event->out_of.what],
		 worker);
}

void control_event(struct control *c, unsigned worker, const struct event *event, tick_t now)
{
	c->now = now;
	c->stats.events++;
	if (event->at + LAG < now && c->guard_until_tk < now + GUARD_AFTER_LAG)
		c->guard_until_tk = now + GUARD_AFTER_LAG;
	if (event->side > SIDE_B || event->type >= EVENT_N)
		return;
	switch ((enum event_type)event->type) {
	case EVENT_REFRESH_DUE:
		refresh_due(c, worker, event);
		break;
	case EVENT_REFRESH_DONE:
		refresh_done(c, worker, event);
		break;
	case EVENT_PEER_REFRESHED:
		refresh_peer(c, worker, event);
		break;
	case EVENT_SESSION_EXPIRED:
		release_expired(c, worker, event);
		break;
	case EVENT_MAX_DURATION:
		release_max_duration(c, worker, event);
		break;
	case EVENT_ANSWERED:
		learn_answered(c, worker, event);
		break;
	case EVENT_INVITE_FAILED:
		peers_invite_failed(c, event);
		break;
	case EVENT_PING_DONE:
		peers_ping_done(c, event);
		break;
	case EVENT_OUT_OF:
		out_of(c, worker, event);
		break;
	case EVENT_N:
		break;
	}
}

void control_poll(struct control *c, tick_t now)
{
	c->now = now;
	for (;;) {
		struct control_timer *timer = (struct control_timer *)heap_top(&c->timers);

		if (timer == NULL || timer->node.key > now)
			return;
		heap_remove(&c->timers, &timer->node);
		switch ((enum timer_kind)timer->kind) {
		case TIMER_LEG:
			refresh_retry(c, (struct control_leg *)timer);
			break;
		case TIMER_PACE:
			pace_run(c, (struct control_trunk *)timer);
			break;
		case TIMER_PING:
			peers_timer(c, (struct control_peer *)timer);
			break;
		case TIMER_KEEPALIVE:
			peers_keepalive(
				c, (struct control_peer *)(void *)((char *)timer -
								   offsetof(struct control_peer,
									    keepalive)));
			break;
		}
	}
}

tick_t control_next(const struct control *c)
{
	return heap_next(&c->timers);
}

// What others read.

const struct control_stats *control_stats(const struct control *c)
{
	return &c->stats;
}

const struct control_trunk_stats *control_trunk_stats(const struct control *c, unsigned trunk)
{
	const struct control_trunk *t = core_trunk(c, trunk);

	return t != NULL ? &t->stats : NULL;
}

const struct trunk_facts *control_facts(const struct control *c, unsigned trunk)
{
	const struct control_trunk *t = core_trunk(c, trunk);

	return t != NULL ? &t->facts : NULL;
}

void control_attempts(const struct control *c, unsigned worker, uint32_t call, uint32_t gen,
		      unsigned side, struct control_attempts *out)
{
	const struct control_leg *leg = core_leg(c, worker, call, gen, side);
	uint32_t first;

	out->n = 0;
	out->total = leg != NULL ? leg->n_attempts : 0;
	first = out->total > CONTROL_ATTEMPTS ? out->total - CONTROL_ATTEMPTS : 0;
	for (uint32_t i = first; i < out->total; i++)
		out->list[out->n++] = leg->attempts[i % CONTROL_ATTEMPTS];
}

// Log lines.

static void put_line(struct control *c, enum control_level level, const char *area,
		     struct outbuf *o)
{
	if (o->full)
		o->len = o->cap;
	o->p[o->len] = '\0';
	c->cb.log(c->cb.ctx, level, area, (const char *)o->p);
}

static bool wants(const struct control *c, enum control_level level, const char *area)
{
	return c->cb.log != NULL && (c->cb.wants == NULL || c->cb.wants(c->cb.ctx, level, area));
}

__attribute__((format(printf, 2, 0))) static void put_format(struct outbuf *o, const char *format,
							     va_list args)
{
	int n = vsnprintf((char *)o->p, o->cap, format, args);

	o->len = n < 0 ? 0 : (uint32_t)n < o->cap ? (uint32_t)n : o->cap - 1;
}

void core_log(struct control *c, enum control_level level, const char *area, const char *format,
	      ...)
{
	char text[1024];
	struct outbuf o = outbuf_of(text, sizeof(text) - 1);
	va_list args;

	if (!wants(c, level, area))
		return;
	va_start(args, format);
	put_format(&o, format, args);
	va_end(args);
	put_line(c, level, area, &o);
}

void core_log_leg(struct control *c, enum control_level level, const char *area,
		  const struct control_leg *leg, const char *format, ...)
{
	char text[1024];
	struct outbuf o = outbuf_of(text, sizeof(text) - 1);
	struct call_view view;
	va_list args;

	if (!wants(c, level, area))
		return;
	va_start(args, format);
	put_format(&o, format, args);
	va_end(args);
	outbuf_put_lit(&o, " trunk=");
	jsonout_put_string(&o, slice_of_str(core_trunk_name(c, leg->trunk)));
	outbuf_put_str(&o, leg->side == SIDE_A ? " leg=ingress" : " leg=egress");
	if (c->cb.view != NULL &&
	    c->cb.view(c->cb.ctx, leg->worker, leg->call, leg->gen, &view) == 0) {
		outbuf_put_lit(&o, " call_id=");
		jsonout_put_string(&o, slice_of(view.legs[leg->side].call_id,
						view.legs[leg->side].call_id_len));
	} else {
		outbuf_put_lit(&o, " worker=");
		outbuf_put_u64(&o, leg->worker);
		outbuf_put_lit(&o, " call=");
		outbuf_put_u64(&o, leg->call);
	}
	put_line(c, level, area, &o);
}
