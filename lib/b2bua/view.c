// SPDX-License-Identifier: BSD-3-Clause
// What other threads may see of calls, and what tests may check.
// Thread: engine_view() and engine_find() any, inside an RCU read section; the others the owning
// worker.
#include <errno.h>

#include "b2bua/core.h"
#include "b2bua/txn.h"

static uint16_t view_copy(char *to, size_t room, struct slice s)
{
	size_t n = s.len < room ? s.len : room;

	if (n != 0)
		memcpy(to, s.p, n);
	return (uint16_t)n;
}

static void view_leg(const struct leg *leg, struct leg_view *v)
{
	// acquire: pairs with the release store of leg_set_text(); the block's bytes are complete.
	const struct leg_text *t = atomic_load_explicit(&leg->text, memory_order_acquire);

	memset(v, 0, sizeof(*v));
	leg_timer_view(leg, &v->timer);
	v->state = leg->state;
	v->kept = leg->kept;
	v->trunk = leg->trunk;
	v->local_cseq = leg->local_cseq;
	v->remote_cseq = leg->remote_cseq;
	v->refreshes_sent = leg->refreshes_sent;
	v->refreshes_received = leg->refreshes_received;
	v->refreshes_failed = leg->refreshes_failed;
	v->refresh_tk = leg->st.refresh_tk;
	v->expiry_tk = leg->st.expiry_tk;
	v->last_refresh_ok_tk = leg->st.last_ok_tk;
	v->last_proof_tk = leg->last_proof_tk;
	v->refresh_pending = (leg->flags & (LEG_REFRESH_OUT | LEG_REFRESH_DUE)) != 0;
	v->negotiated_by = leg->st.by;
	v->holds = leg->holds;
	v->agent = leg->agent;
	v->flow = leg->flow;
	if (t == NULL)
		return;
	v->call_id_len =
		view_copy(v->call_id, sizeof(v->call_id), leg_text_part(t, LEG_TEXT_CALL_ID));
	v->local_len = view_copy(v->local, sizeof(v->local), leg_text_part(t, LEG_TEXT_LOCAL));
	v->remote_len = view_copy(v->remote, sizeof(v->remote), leg_text_part(t, LEG_TEXT_REMOTE));
	v->target_len = view_copy(v->target, sizeof(v->target), leg_text_part(t, LEG_TEXT_TARGET));
}

int engine_view(const struct engine *e, uint32_t call, struct call_view *view)
{
	const struct call *c = call < e->p.calls ? &e->calls[call] : NULL;
	uint32_t seq;

	if (c == NULL)
		return -ENOENT;
	// acquire: pairs with the release store of engine_release_held(); the record is as of this
	// count.
	seq = atomic_load_explicit(&c->seq, memory_order_acquire);
	if ((seq & 1) != 0)
		return -EAGAIN;
	if (c->state == CALL_FREE)
		return -ENOENT;
	view->call = call;
	view->gen = c->gen;
	view->state = c->state;
	view->start_tk = c->start_tk;
	view->ringing_tk = c->ringing_tk;
	view->answer_tk = c->answer_tk;
	for (unsigned side = 0; side < 2; side++)
		view_leg(&e->legs[2 * call + side], &view->legs[side]);
	// acquire fence: pairs with the release fence of engine_hold(); what was read is older than
	// a new odd count.
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&c->seq, memory_order_relaxed) == seq ? 0 : -EAGAIN;
}

uint32_t engine_find(const struct engine *e, struct slice call_id)
{
	uint32_t ids[TABLE_CANDIDATES];
	unsigned n = table_find(e->leg_table, siphash(e->p.key, call_id) | 1, ids);

	for (unsigned i = 0; i < n; i++) {
		// acquire: as in view_leg()
		const struct leg_text *t =
			ids[i] < 2 * e->p.calls
				? atomic_load_explicit(&e->legs[ids[i]].text, memory_order_acquire)
				: NULL;

		if (t != NULL && slice_eq(leg_text_part(t, LEG_TEXT_CALL_ID), call_id))
			return ids[i] / 2;
	}
	return POOL_NONE;
}

uint32_t engine_kept_calls(const struct engine *e, unsigned place)
{
	// relaxed: of a place that takes no new calls the number only falls, and what was counted
	// before is seen, since the worker has told control of its new snapshot in between
	return atomic_load_explicit(&e->kept_calls[place], memory_order_relaxed);
}

uint32_t engine_calls_max(const struct engine *e)
{
	return e->p.calls;
}

void engine_usage(const struct engine *e, struct engine_usage *usage)
{
	*usage = (struct engine_usage){
		.calls = pool_used(&e->call_pool),
		.transactions = pool_used(&e->txn_pool),
		.forks = pool_used(&e->fork_pool),
		.timers = wheel_used(e->wheel),
		.bufs = e->bufs,
		.text_bytes = e->text_bytes,
	};
}

void engine_gauges(struct engine *e)
{
	struct worker_stats *s = e->p.stats;

	stat_set(&s->legs, 2ull * pool_used(&e->call_pool));
	stat_set(&s->timers_session, e->timers[TIMER_SESSION]);
	stat_set(&s->timers_transaction, e->timers[TIMER_TRANSACTION]);
	stat_set(&s->leg_text_bytes, e->text_bytes);
	stat_set(&s->sip_buffers, e->bufs);
}

static int check_leg(const struct engine *e, uint32_t call, unsigned side)
{
	const struct call *c = &e->calls[call];
	const struct leg *leg = &e->legs[2 * call + side];

	if (c->state == CALL_FREE)
		return leg_text_of(leg) != NULL || wheel_armed(e->wheel, 2 * call + side) ? 3 : 0;
	if (c->state == CALL_UP && (leg->state != LEG_CONFIRMED || leg_text_of(leg) == NULL))
		return 4;
	if ((leg->st.se_s == 0) != (leg->st.role == ST_ROLE_NONE))
		return 5;
	// An established leg with a timer has something to wait for, or control has been told.
	if (c->state == CALL_UP && leg->st.se_s != 0 && !wheel_armed(e->wheel, 2 * call + side) &&
	    (leg->flags & LEG_EXPIRED) == 0)
		return 6;
	return 0;
}

static int check_txn(const struct engine *e, uint32_t index)
{
	const struct txn *t = &e->txns[index];

	if (t->machine == TXN_MACHINE_N)
		return t->sent != NULL || t->received != NULL || t->text != NULL ||
				       wheel_armed(e->wheel, 2 * e->p.calls + index)
			       ? 7
			       : 0;
	return t->machine > TXN_MACHINE_N || t->state >= TXN_ST_TERMINATED ? 8 : 0;
}

int engine_check(const struct engine *e)
{
	uint32_t calls = 0, txns = 0;
	int rc;

	if (e->n_held != 0)
		return 1;
	for (uint32_t i = 0; i < e->p.calls; i++) {
		calls += e->calls[i].state != CALL_FREE;
		for (unsigned side = 0; side < 2; side++) {
			rc = check_leg(e, i, side);
			if (rc != 0)
				return rc;
		}
	}
	for (uint32_t i = 0; i < e->p.transactions; i++) {
		txns += e->txns[i].machine != TXN_MACHINE_N;
		rc = check_txn(e, i);
		if (rc != 0)
			return rc;
	}
	if (calls != pool_used(&e->call_pool))
		return 2;
	for (unsigned i = 0; i < CONFIG_KEPT; i++)
		calls -= engine_kept_calls(e, i);
	if (calls != 0)
		return 10;
	if (e->timers[TIMER_SESSION] + e->timers[TIMER_TRANSACTION] != wheel_used(e->wheel))
		return 9;
	return txns == pool_used(&e->txn_pool) ? 0 : 2;
}
