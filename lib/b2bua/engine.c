// SPDX-License-Identifier: BSD-3-Clause
// One worker's calls: memory, inputs, timers and orders. Thread: the owning worker.
#include "b2bua/engine.h"

#include "b2bua/midcall.h"
#include "b2bua/prefetch.h"
#include "b2bua/release.h"
#include "b2bua/setup.h"
#include "b2bua/txn.h"
#include "session_timer/outcome.h"

// Where each part lies in the memory of an engine.
struct engine_layout {
	size_t calls, legs, txns, forks, call_free, txn_free, fork_free, leg_table, txn_table,
		wheel, end;
	uint32_t n_forks;
};

static size_t layout_take(size_t *at, size_t bytes)
{
	size_t here = *at;

	*at = (here + bytes + 63) & ~(size_t)63;
	return here;
}

// A call has up to four transactions at once and leaves as many behind for 32 s.
static uint32_t engine_transactions(const struct engine_params *p)
{
	return p->transactions != 0 ? p->transactions : 16 * p->calls;
}

// A key for each, and one more for those that began a call.
static uint32_t engine_txn_keys(const struct engine_params *p)
{
	return p->transactions + p->transactions / 4;
}

static struct engine_layout engine_layout(const struct engine_params *params)
{
	struct engine_params filled = *params, *p = &filled;
	struct engine_layout l = {.n_forks = p->calls / 8 + 64};
	size_t at = 0;

	filled.transactions = engine_transactions(params);

	(void)layout_take(&at, sizeof(struct engine));
	l.calls = layout_take(&at, p->calls * sizeof(struct call));
	l.legs = layout_take(&at, 2ull * p->calls * sizeof(struct leg));
	l.txns = layout_take(&at, p->transactions * sizeof(struct txn));
	l.forks = layout_take(&at, l.n_forks * sizeof(struct fork));
	l.call_free = layout_take(&at, p->calls * sizeof(uint32_t));
	l.txn_free = layout_take(&at, p->transactions * sizeof(uint32_t));
	l.fork_free = layout_take(&at, l.n_forks * sizeof(uint32_t));
	l.leg_table = layout_take(&at, table_footprint(2 * p->calls));
	l.txn_table = layout_take(&at, table_footprint(engine_txn_keys(p)));
	l.wheel = layout_take(&at, wheel_footprint(2 * p->calls + p->transactions));
	l.end = at;
	return l;
}

size_t engine_footprint(const struct engine_params *params)
{
	return engine_layout(params).end;
}

struct engine *engine_init(void *mem, const struct engine_params *params, tick_t now)
{
	struct engine_layout l = engine_layout(params);
	struct engine *e = mem;
	char *base = mem;

	e->p = *params;
	e->p.transactions = engine_transactions(params);
	params = &e->p;
	e->calls = (struct call *)(void *)(base + l.calls);
	e->legs = (struct leg *)(void *)(base + l.legs);
	e->txns = (struct txn *)(void *)(base + l.txns);
	e->forks = (struct fork *)(void *)(base + l.forks);
	pool_init(&e->call_pool, (uint32_t *)(void *)(base + l.call_free), params->calls);
	pool_init(&e->txn_pool, (uint32_t *)(void *)(base + l.txn_free), params->transactions);
	pool_init(&e->fork_pool, (uint32_t *)(void *)(base + l.fork_free), l.n_forks);
	e->leg_table = table_init(base + l.leg_table, 2 * params->calls);
	e->txn_table = table_init(base + l.txn_table, engine_txn_keys(params));
	e->wheel = wheel_init(base + l.wheel, 2 * params->calls + params->transactions, now);
	for (uint32_t i = 0; i < params->transactions; i++)
		e->txns[i].machine = TXN_MACHINE_N;
	e->now = now;
	return e;
}

void engine_refuse_new(struct engine *e, bool refuse)
{
	e->refusing = refuse;
}

void engine_buffers_scarce(struct engine *e, bool scarce)
{
	e->scarce = scarce;
}

void engine_configure(struct engine *e, const struct config *config)
{
	e->config = config;
	config_kept_put(&e->kept, config);
	memset(e->sources, 0, sizeof(e->sources));
	e->old_rules = false;
	for (unsigned i = 0; i < CONFIG_KEPT; i++)
		e->old_rules |= i != config->kept && e->kept.at[i] != NULL &&
				e->kept.at[i]->program != NULL;
	e->has_rules = e->old_rules || config->program != NULL;
	e->times = (struct txn_times){
		.t1_us = config->timers.t1_ms * 1000,
		.t2_us = config->timers.t2_ms * 1000,
		.t4_us = config->timers.t4_ms * 1000,
	};
}

// --- timers

static void expire_max_duration(struct engine *e, uint32_t call)
{
	struct event *v = engine_event(e, EVENT_MAX_DURATION, call, SIDE_A);

	e->calls[call].max_tk = 0;
	v->expired.expiry_tk = e->now;
	v->expired.last_proof_tk = engine_leg(e, call, SIDE_A)->last_proof_tk;
}

static void expire_refresh(struct engine *e, uint32_t call, unsigned side,
			   const struct st_policy *policy)
{
	struct leg *leg = engine_leg(e, call, side);
	const struct leg_text *other = leg_text_of(engine_leg(e, call, side ^ 1u));
	struct event *v = engine_event(e, EVENT_REFRESH_DUE, call, side);
	bool has_sdp = other != NULL && leg_text_part(other, LEG_TEXT_SDP).len != 0;

	histogram_add(&e->p.stats->lateness, &histogram_LATENESS, e->now - leg->st.refresh_tk);
	leg->flags |= LEG_REFRESH_DUE;
	v->refresh_due.planned_tk = leg->st.refresh_tk;
	v->refresh_due.expiry_tk = st_deadline(policy, &leg->st);
	v->refresh_due.agent = leg->agent;
	v->refresh_due.has_sdp = has_sdp;
	v->refresh_due.call_id_owner = side == SIDE_B;
	v->refresh_due.first_method = (uint8_t)st_first_method(policy, &leg->st, has_sdp);
	leg_timer_view(leg, &v->refresh_due.timer);
}

static void expire_session(struct engine *e, uint32_t call, unsigned side,
			   const struct st_policy *policy)
{
	struct leg *leg = engine_leg(e, call, side);
	struct event *v = engine_event(e, EVENT_SESSION_EXPIRED, call, side);

	histogram_add(&e->p.stats->lateness, &histogram_LATENESS,
		      e->now - st_deadline(policy, &leg->st));
	leg->flags |= LEG_EXPIRED;
	v->expired.expiry_tk = leg->st.expiry_tk;
	v->expired.last_proof_tk = leg->last_proof_tk;
	v->expired.agent = leg->agent;
	leg_timer_view(leg, &v->expired.timer);
}

static void expire_leg(struct engine *e, uint32_t id)
{
	uint32_t call = id / 2;
	unsigned side = id & 1;
	struct call *c = &e->calls[call];
	struct leg *leg = &e->legs[id];
	bool told = (leg->flags & (LEG_REFRESH_DUE | LEG_REFRESH_OUT)) != 0;
	struct st_policy policy;

	if (c->state == CALL_SETUP && side == SIDE_B && leg->invite_out != NO_TXN) {
		setup_ring_timeout(e, &e->txns[leg->invite_out]);
		return;
	}
	if (c->state == CALL_ENDING)
		release_owed(e, call, side);
	if (c->state != CALL_UP)
		return;
	(void)engine_hold(e, call);
	if ((leg->flags & LEG_REOFFER) != 0)
		refresh_reoffer(e, call, side);
	leg_read_policy(e, leg, &policy);
	if (side == SIDE_A && c->max_tk != 0 && c->max_tk <= e->now)
		expire_max_duration(e, call);
	if (leg->st.role == ST_ROLE_LOCAL && !told && leg->st.refresh_tk <= e->now)
		expire_refresh(e, call, side, &policy);
	if (leg->st.role != ST_ROLE_NONE && (leg->flags & LEG_EXPIRED) == 0 &&
	    st_deadline(&policy, &leg->st) <= e->now)
		expire_session(e, call, side, &policy);
	leg_arm(e, call, side);
}

// At most this many timers are taken off the wheel at once; none makes more than 4 sends and 2
// events.
#define EXPIRE_BURST 12
static_assert(4 * EXPIRE_BURST < OUTBOX_SENDS - OUTBOX_RESERVE + 4,
	      "an empty outbox takes a burst");

static void expire_burst(struct engine *e, const uint32_t *due, unsigned n)
{
	prefetch_due(e, due, n);
	for (unsigned i = 0; i < n; i++) {
		bool session = due[i] < 2 * e->p.calls;

		e->timers[session ? TIMER_SESSION : TIMER_TRANSACTION]--; // out of the wheel
		if (session)
			expire_leg(e, due[i]);
		else
			txn_expire(e, due[i] - 2 * e->p.calls);
		engine_release_held(e);
	}
}

unsigned engine_expire(struct engine *e, tick_t now, unsigned budget)
{
	uint32_t due[EXPIRE_BURST];
	unsigned ran = 0;

	e->now = now;
	while (ran < budget && !engine_outbox_full(e)) {
		unsigned room = (OUTBOX_SENDS - OUTBOX_RESERVE + 4 - e->out.n_sends) / 4;
		unsigned events = (OUTBOX_EVENTS - OUTBOX_RESERVE + 2 - e->out.n_events) / 2;
		unsigned want = budget - ran < EXPIRE_BURST ? budget - ran : EXPIRE_BURST;
		unsigned n;

		room = room < events ? room : events;
		want = want < room ? want : room;
		n = wheel_poll(e->wheel, now, due, want);
		expire_burst(e, due, n);
		ran += n;
		if (n < want)
			break;
	}
	stat_add(&e->p.stats->timers_fired, ran);
	return ran;
}

tick_t engine_next(const struct engine *e)
{
	return wheel_next(e->wheel);
}

// --- orders

static void order_end_all(struct engine *e, const struct order *order)
{
	struct release r = {
		.cause = order->end.cause, .by = order->end.by, .code = order->end.code};

	e->stopping = true;
	// As many as one input may send for; control repeats the order until no call is left.
	for (uint32_t i = 0; i < e->p.calls && !engine_outbox_full(e); i++) {
		if (e->calls[i].state == CALL_SETUP)
			release_unanswered(e, i, 503, (enum cause)order->end.cause, NULL);
		else if (e->calls[i].state == CALL_UP)
			release_call(e, i, &r);
		engine_release_held(e);
	}
}

static void order_end(struct engine *e, const struct order *order)
{
	struct release r = {.cause = order->end.cause,
			    .by = order->end.by,
			    .side = order->side,
			    .method = order->end.method,
			    .code = order->end.code};
	struct call *c = &e->calls[order->call];

	if (c->state == CALL_SETUP) {
		c->by = order->end.by;
		c->side = order->side;
		release_unanswered(e, order->call, 480, (enum cause)order->end.cause, NULL);
		return;
	}
	release_call(e, order->call, &r);
}

static void order_timer_off(struct engine *e, const struct order *order)
{
	struct leg *leg = engine_leg(e, order->call, order->side);

	leg_stop_timer(e, leg);
	leg->flags &= (uint16_t) ~(LEG_REFRESH_DUE | LEG_EXPIRED);
	leg_arm(e, order->call, order->side);
}

void engine_order(struct engine *e, const struct order *order, tick_t now)
{
	e->now = now;
	if (order->type == ORDER_PING) {
		ping_order(e, order);
		return;
	}
	if (order->type == ORDER_DRAIN) {
		e->stopping = true;
		return;
	}
	if (order->type == ORDER_KEEPALIVE) {
		keepalive_order(e, order);
		return;
	}
	if (order->type == ORDER_END_ALL) {
		order_end_all(e, order);
		return;
	}
	if (order->call >= e->p.calls || order->side > SIDE_B ||
	    e->calls[order->call].gen != order->gen || e->calls[order->call].state == CALL_FREE ||
	    e->calls[order->call].state == CALL_ENDING) {
		stat_add(&e->p.stats->stale_orders, 1);
		return;
	}
	(void)engine_hold(e, order->call);
	if (order->type == ORDER_END_CALL)
		order_end(e, order);
	else if (e->calls[order->call].state == CALL_UP && order->type == ORDER_REFRESH)
		refresh_order(e, order);
	else if (e->calls[order->call].state == CALL_UP && order->type == ORDER_TIMER_OFF)
		order_timer_off(e, order);
	engine_release_held(e);
}
