// SPDX-License-Identifier: BSD-3-Clause
// Calls, legs, early dialogs, text blocks and buffers: who holds what, and for how long.
// Thread: the owning worker. Allocates only through engine_ops.
#include "b2bua/core.h"

#define OWED_RETRY    TICK_S(1) // of a BYE that finds no memory
#define REOFFER_RETRY TICK_S(2) // after glare, with up to 2 s more (RFC 3261 s14.1)

struct call *engine_hold(struct engine *e, uint32_t call)
{
	struct call *c = &e->calls[call];
	uint32_t seq = atomic_load_explicit(&c->seq, memory_order_relaxed);

	if ((seq & 1) != 0 || e->n_held == ENGINE_HELD)
		return c;
	e->held[e->n_held++] = call;
	atomic_store_explicit(&c->seq, seq + 1, memory_order_relaxed);
	// release fence: pairs with the acquire fence of engine_view(); no change of the record is
	// seen before the odd count.
	atomic_thread_fence(memory_order_release);
	return c;
}

void engine_release_held(struct engine *e)
{
	while (e->n_held != 0) {
		struct call *c = &e->calls[e->held[--e->n_held]];
		uint32_t seq = atomic_load_explicit(&c->seq, memory_order_relaxed);

		// release: pairs with the acquire load of engine_view(); publishes the record.
		atomic_store_explicit(&c->seq, seq + 1, memory_order_release);
	}
}

// One call more or less that goes by its snapshot.
static void count_kept(struct engine *e, uint32_t call, uint32_t add)
{
	_Atomic uint32_t *n = &e->kept_calls[engine_leg(e, call, SIDE_A)->kept];

	// relaxed: only this thread writes it; engine_kept_calls() says what its reader may believe
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + add,
			      memory_order_relaxed);
}

uint32_t call_new(struct engine *e)
{
	uint32_t call = pool_get(&e->call_pool);
	struct call *c;
	uint32_t gen;

	if (call == POOL_NONE)
		return POOL_NONE;
	c = engine_hold(e, call);
	gen = c->gen + 1;
	memset((char *)c + sizeof(c->seq), 0, sizeof(*c) - sizeof(c->seq));
	c->gen = gen;
	c->forks = POOL_NONE;
	for (unsigned side = 0; side < 2; side++) {
		struct leg *leg = engine_leg(e, call, side);

		memset(leg, 0, sizeof(*leg));
		leg->invite_in = leg->invite_out = NO_TXN;
		leg->update_in = leg->update_out = NO_TXN;
		leg->kept = e->config->kept;
	}
	count_kept(e, call, 1);
	stat_add(&e->p.stats->calls, 1);
	return call;
}

void call_free(struct engine *e, uint32_t call)
{
	struct call *c = engine_hold(e, call);

	forks_free(e, c);
	for (unsigned side = 0; side < 2; side++) {
		uint32_t id = 2 * call + side;

		if (c->call_id_hash[side] != 0)
			(void)table_delete(e->leg_table, c->call_id_hash[side], id);
		engine_arm(e, id, TICK_NEVER);
		leg_set_text(e, &e->legs[id], NULL);
		e->legs[id].state = LEG_NONE;
	}
	c->state = CALL_FREE;
	count_kept(e, call, UINT32_MAX);
	stat_sub(&e->p.stats->calls, 1);
	pool_put(&e->call_pool, call);
}

struct leg_text *text_new(struct engine *e, const struct leg_text_parts *parts)
{
	uint32_t size = leg_text_size(parts);
	void *mem = size != 0 ? e->p.ops->text_alloc(e->p.ops_ctx, size) : NULL;

	if (mem == NULL) {
		engine_out_of(e, OUT_OF_TEXT);
		return NULL;
	}
	e->text_bytes += size;
	return leg_text_build(mem, parts);
}

struct leg_text *text_ref(struct leg_text *t)
{
	if (t != NULL)
		t->refs++;
	return t;
}

void text_put(struct engine *e, struct leg_text *t)
{
	if (t == NULL || --t->refs != 0)
		return;
	e->text_bytes -= t->size;
	e->p.ops->text_retire(e->p.ops_ctx, t, t->size);
}

void leg_set_text(struct engine *e, struct leg *leg, struct leg_text *t)
{
	struct leg_text *old = leg_text_of(leg);

	// release: pairs with the acquire load of engine_view(); publishes the block's bytes.
	atomic_store_explicit(&leg->text, t, memory_order_release);
	text_put(e, old);
}

struct sip_buf *buf_get(struct engine *e, uint32_t size)
{
	struct sip_buf *b = e->p.ops->buf_get(e->p.ops_ctx, size);

	if (b == NULL)
		engine_out_of(e, OUT_OF_BUFFERS);
	else
		e->bufs++;
	return b;
}

struct sip_buf *buf_ref(struct engine *e, struct sip_buf *b)
{
	if (b != NULL) {
		b->refs++;
		e->bufs++;
	}
	return b;
}

void buf_put(struct engine *e, struct sip_buf *b)
{
	if (b == NULL)
		return;
	e->bufs--;
	if (--b->refs == 0)
		e->p.ops->buf_put(e->p.ops_ctx, b);
}

struct fork *fork_find(struct engine *e, const struct call *c, uint8_t number)
{
	for (uint32_t i = c->forks; i != POOL_NONE; i = e->forks[i].next_fork)
		if (e->forks[i].number == number)
			return &e->forks[i];
	return NULL;
}

struct fork *fork_of_tag(struct engine *e, const struct call *c, struct slice remote_tag)
{
	for (uint32_t i = c->forks; i != POOL_NONE; i = e->forks[i].next_fork)
		if (slice_eq(leg_text_part(e->forks[i].text, LEG_TEXT_REMOTE_TAG), remote_tag))
			return &e->forks[i];
	return NULL;
}

struct fork *fork_new(struct engine *e, uint32_t call, struct leg_text *text)
{
	struct call *c = &e->calls[call];
	uint32_t index = c->n_forks < FORKS_MAX ? pool_get(&e->fork_pool) : POOL_NONE;
	struct fork *f;

	if (index == POOL_NONE)
		return NULL;
	f = &e->forks[index];
	*f = (struct fork){.text = text, .number = c->n_forks++, .next_fork = c->forks};
	c->forks = index;
	return f;
}

void forks_free(struct engine *e, struct call *c)
{
	while (c->forks != POOL_NONE) {
		uint32_t index = c->forks;

		c->forks = e->forks[index].next_fork;
		text_put(e, e->forks[index].text);
		pool_put(&e->fork_pool, index);
	}
}

uint64_t leg_token(const struct engine *e, uint32_t call, unsigned side, uint8_t fork)
{
	return (uint64_t)fork << 48 | (uint64_t)(e->calls[call].gen & 0xffff) << 32 |
	       (2 * call + side);
}

void leg_put_tag(struct engine *e, struct outbuf *o, uint32_t call, unsigned side, uint8_t fork)
{
	token_put(o, e->p.key, TOKEN_TAG, leg_token(e, call, side, fork));
}

void leg_arm(struct engine *e, uint32_t call, unsigned side)
{
	const struct call *c = &e->calls[call];
	const struct leg *leg = engine_leg(e, call, side);
	tick_t at = TICK_NEVER;

	if (c->state == CALL_UP && leg->st.se_s != 0) {
		struct st_policy policy;

		leg_read_policy(e, leg, &policy);
		at = st_next(&policy, &leg->st,
			     (leg->flags & (LEG_REFRESH_DUE | LEG_REFRESH_OUT)) != 0);
		if ((leg->flags & LEG_EXPIRED) != 0 && at >= st_deadline(&policy, &leg->st))
			at = TICK_NEVER;
	}
	if (c->state == CALL_UP && (leg->flags & LEG_REOFFER) != 0) {
		tick_t again = e->now + REOFFER_RETRY + leg_jitter(e, call, side) % TICK_S(2);

		at = again < at ? again : at;
	}
	if (c->state == CALL_ENDING && (leg->flags & LEG_BYE_OWED) != 0 && !leg_awaits_ack(e, leg))
		at = e->now + OWED_RETRY;
	if (side == SIDE_A && c->state == CALL_UP && c->max_tk != 0 && c->max_tk < at)
		at = c->max_tk;
	if (side == SIDE_B && c->state == CALL_SETUP && leg_ring_timeout(e, leg) != 0)
		at = e->now + leg_ring_timeout(e, leg);
	engine_arm(e, 2 * call + side, at);
}
