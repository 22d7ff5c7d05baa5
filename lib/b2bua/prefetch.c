// SPDX-License-Identifier: BSD-3-Clause
// Loads that are begun a burst ahead: a line that comes from memory takes as long as a few hundred
// instructions, and several of them no longer than one. Nothing here changes anything, and nothing
// that it reads has been verified. Thread: the owning worker.
#include "b2bua/prefetch.h"

#include "b2bua/txn.h"
#include "base/prefetch.h"

#define TEXT_LINES 8 // of a leg's text: nearly all of it

static void prefetch_lines(const void *at, unsigned lines)
{
	for (unsigned line = 0; line < lines; line++)
		prefetch_line((const char *)at + 64 * (size_t)line);
}

static void prefetch_call(struct engine *e, uint32_t call)
{
	prefetch_lines(&e->calls[call], sizeof(struct call) / 64);
	prefetch_lines(engine_leg(e, call, SIDE_A), 2 * sizeof(struct leg) / 64);
}

static void prefetch_txn(struct engine *e, uint32_t index)
{
	if (index < e->p.transactions)
		prefetch_lines(&e->txns[index], sizeof(struct txn) / 64);
}

// --- messages

static void record_of_response(struct engine *e, struct rx *rx)
{
	if (!rx->ids.has_via || !token_read_branch(rx->ids.via.branch, e->p.key, &rx->token) ||
	    (uint32_t)rx->token >= e->p.transactions)
		return;
	rx->has_token = true;
	prefetch_txn(e, (uint32_t)rx->token);
	wheel_prefetch(e->wheel, 2 * e->p.calls + (uint32_t)rx->token);
}

void engine_prefetch_record(struct engine *e, struct rx *rx)
{
	rx_read_ids(rx);
	if (!sip_msg_is_request(&rx->msg)) {
		record_of_response(e, rx);
		return;
	}
	if (rx->ids.has_via) {
		rx_read_key(rx, e->p.key);
		txn_prefetch_server(e, rx->key, (enum sip_method)rx->msg.method);
		if (rx->msg.method == SIP_INVITE && rx->ids.complete && rx->ids.to_tag.len == 0) {
			table_prefetch(e->txn_table, rx->merge);
			table_prefetch(e->leg_table, rx->call_id_hash | 1);
		}
	}
	if (!token_read(rx->ids.to_tag, e->p.key, TOKEN_TAG, &rx->token) ||
	    (uint32_t)rx->token >= 2 * e->p.calls)
		return;
	rx->has_token = true;
	prefetch_call(e, (uint32_t)rx->token / 2);
	wheel_prefetch(e->wheel, (uint32_t)rx->token);
}

// What the end of a call takes out of tables and puts into them.
static void prefetch_end(struct engine *e, uint32_t call, unsigned side)
{
	const struct call *c = &e->calls[call];

	table_prefetch(e->leg_table, c->call_id_hash[SIDE_A]);
	table_prefetch(e->leg_table, c->call_id_hash[SIDE_B]);
	txn_prefetch_dialog(
		e, leg_token(e, call, side ^ 1u, side == SIDE_A ? c->attempt : c->fork_won));
	wheel_prefetch(e->wheel, (2 * call + side) ^ 1);
}

void engine_prefetch_text(struct engine *e, const struct rx *rx)
{
	const struct leg *legs;
	const struct txn *t;

	if (!rx->has_token)
		return;
	if (!sip_msg_is_request(&rx->msg)) {
		t = &e->txns[(uint32_t)rx->token];
		prefetch_txn(e, t->pair);
		if (t->call != POOL_NONE)
			prefetch_call(e, t->call);
		return;
	}
	if (rx->msg.method == SIP_BYE)
		prefetch_end(e, (uint32_t)rx->token / 2, (uint32_t)rx->token & 1);
	legs = engine_leg(e, (uint32_t)rx->token / 2, SIDE_A);
	for (unsigned side = 0; side < 2; side++) {
		prefetch_lines(leg_text_of(&legs[side]), TEXT_LINES);
		prefetch_txn(e, legs[side].invite_in);
		prefetch_txn(e, legs[side].invite_out);
	}
}

void engine_prefetch_rest(struct engine *e, const struct rx *rx)
{
	const struct leg *legs;
	const struct txn *t;

	if (!rx->has_token || sip_msg_is_request(&rx->msg))
		return;
	t = &e->txns[(uint32_t)rx->token];
	if (t->call == POOL_NONE)
		return;
	legs = engine_leg(e, t->call, SIDE_A);
	for (unsigned side = 0; side < 2; side++)
		prefetch_lines(leg_text_of(&legs[side]), TEXT_LINES);
	if (t->role == TXN_SETUP)
		prefetch_txn(e, legs[SIDE_A].invite_in);
}

// --- orders

static bool names_leg(const struct engine *e, const struct order *order)
{
	return order->call < e->p.calls && order->side <= SIDE_B;
}

// Records and the wheel first, in a second pass the text that they lead to.
void engine_prefetch_order(struct engine *e, const struct order *o, bool text)
{
	if (!names_leg(e, o))
		return;
	if (text) {
		prefetch_lines(leg_text_of(engine_leg(e, o->call, o->side)), TEXT_LINES);
		return;
	}
	prefetch_call(e, o->call);
	wheel_prefetch(e->wheel, 2 * o->call + o->side);
}

// --- timers

void prefetch_due(struct engine *e, const uint32_t *due, unsigned n)
{
	uint32_t first = 2 * e->p.calls; // of the transactions

	for (unsigned i = 0; i < n; i++)
		if (due[i] < first)
			prefetch_call(e, due[i] / 2);
		else
			prefetch_txn(e, due[i] - first);
	for (unsigned i = 0; i < n; i++) {
		const struct txn *t = &e->txns[due[i] >= first ? due[i] - first : 0];

		if (due[i] < first) {
			// a refresh depends on what the other leg's peer described
			prefetch_line(leg_text_of(&e->legs[due[i] ^ 1]));
			continue;
		}
		if (t->key != 0)
			table_prefetch(e->txn_table, t->key);
		if ((t->flags & TXN_INITIAL) != 0 && t->merged != 0)
			table_prefetch(e->txn_table, t->merged);
		if (t->call != POOL_NONE)
			prefetch_lines(&e->calls[t->call], 1);
		prefetch_line(t->sent);
		prefetch_line(t->text);
	}
}
