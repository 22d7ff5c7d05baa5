// SPDX-License-Identifier: BSD-3-Clause
// Transactions of the engine: records, timers and the messages that the state tables of
// lib/transaction ask for (RFC 3261 s17, RFC 6026, RFC 3262 s3). Thread: the owning worker.
#include "b2bua/txn.h"
#include "b2bua/midcall.h"
#include "b2bua/setup.h"
#include "sip/build.h"

// Keep keys made of a dialog's token, and of a request's identity, apart from those made of a
// branch.
#define TXN_DIALOG_KEY 0x5bd1e9955bd1e995u

// --- records

uint32_t txn_index(const struct engine *e, const struct txn *t)
{
	return (uint32_t)(t - e->txns);
}

struct txn *txn_at(struct engine *e, uint32_t index, uint32_t gen)
{
	struct txn *t;

	if (index >= e->p.transactions)
		return NULL;
	t = &e->txns[index];
	return t->machine != TXN_MACHINE_N && (t->gen & 0xffff) == (gen & 0xffff) ? t : NULL;
}

struct txn *txn_pair(struct engine *e, const struct txn *t)
{
	return t->pair != NO_TXN ? txn_at(e, t->pair, t->pair_gen) : NULL;
}

void txn_join(struct engine *e, struct txn *server, struct txn *client)
{
	server->pair = txn_index(e, client);
	server->pair_gen = client->gen;
	client->pair = txn_index(e, server);
	client->pair_gen = server->gen;
}

struct call *txn_call(struct engine *e, const struct txn *t)
{
	struct call *c = t->call != POOL_NONE ? &e->calls[t->call] : NULL;

	return c != NULL && c->gen == t->call_gen && c->state != CALL_FREE ? c : NULL;
}

const struct config *txn_config(const struct engine *e, const struct txn *t)
{
	if (t->call == POOL_NONE || e->calls[t->call].gen != t->call_gen ||
	    e->calls[t->call].state == CALL_FREE)
		return e->config;
	return config_kept_of(&e->kept, e->legs[2 * t->call + t->side].kept, t->trunk);
}

// Timer C is the profile's of the trunk that the INVITE went to. Who waits for none need not look
// at call and leg, which may be long gone from caches.
static struct txn_times txn_times_of(const struct engine *e, const struct txn *t)
{
	struct txn_times times = e->times;
	const struct config *c;

	if (!txn_timer_is_c(t->machine, t->state))
		return times;
	c = txn_config(e, t);
	times.c_us = c->profiles[c->trunks[t->trunk].profile].timer_c_s * 1000000u;
	return times;
}

static void txn_arm(struct engine *e, const struct txn *t, tick_t at)
{
	engine_arm(e, 2 * e->p.calls + txn_index(e, t), at);
}

static struct txn *txn_new(struct engine *e, uint32_t call, unsigned side)
{
	uint32_t index = pool_get(&e->txn_pool);
	struct txn *t;
	uint32_t gen;

	if (index == POOL_NONE) {
		engine_out_of(e, OUT_OF_TRANSACTIONS);
		return NULL;
	}
	t = &e->txns[index];
	gen = t->gen + 1;
	memset(t, 0, sizeof(*t));
	t->gen = gen;
	t->call = call;
	t->side = (uint8_t)side;
	t->pair = NO_TXN;
	t->started_tk = e->now;
	if (call != POOL_NONE) {
		t->call_gen = e->calls[call].gen;
		t->trunk = engine_leg(e, call, side)->trunk;
	}
	return t;
}

static bool txn_is_server(const struct txn *t)
{
	return t->machine == TXN_INVITE_SERVER || t->machine == TXN_SERVER ||
	       t->machine == TXN_ANSWER;
}

// The leg that it belonged to must not mistake the next user of the record for it.
static void txn_forget(struct engine *e, const struct txn *t)
{
	uint32_t index = txn_index(e, t);
	struct leg *leg;

	if (txn_call(e, t) == NULL)
		return;
	leg = engine_leg(e, t->call, t->side);
	if (leg->invite_in == index)
		leg->invite_in = NO_TXN;
	if (leg->invite_out == index)
		leg->invite_out = NO_TXN;
	if (leg->update_in == index)
		leg->update_in = NO_TXN;
	if (leg->update_out == index)
		leg->update_out = NO_TXN;
}

void txn_free(struct engine *e, struct txn *t)
{
	bool server = txn_is_server(t);

	txn_forget(e, t);
	if (t->key != 0)
		(void)table_delete(e->txn_table, t->key, txn_index(e, t));
	if (server && t->merged != 0)
		(void)table_delete(e->txn_table, t->merged, txn_index(e, t));
	stat_sub(server ? &e->p.stats->server_transactions : &e->p.stats->client_transactions, 1);
	txn_arm(e, t, TICK_NEVER);
	buf_put(e, t->sent);
	buf_put(e, t->received);
	buf_put(e, t->reliable);
	if (server)
		buf_put(e, t->as_sent);
	else
		text_put(e, t->text);
	t->sent = t->received = t->reliable = NULL;
	t->text = NULL;
	t->machine = TXN_MACHINE_N;
	pool_put(&e->txn_pool, txn_index(e, t));
}

// Key of a server transaction: INVITE and its ACK share one, CANCEL has the INVITE's branch
// (s17.2.3).
static uint64_t txn_key(uint64_t key, enum sip_method method)
{
	key ^= (uint64_t)(method == SIP_ACK ? SIP_INVITE : method) * 0x9e3779b97f4a7c15u;
	return key != 0 ? key : 1;
}

void txn_prefetch_server(const struct engine *e, uint64_t key, enum sip_method method)
{
	table_prefetch(e->txn_table, txn_key(key, method));
}

struct txn *txn_find_server(struct engine *e, uint64_t key, enum sip_method method)
{
	uint32_t ids[TABLE_CANDIDATES];
	uint64_t want = txn_key(key, method);
	unsigned n = table_find(e->txn_table, want, ids);

	for (unsigned i = 0; i < n; i++)
		if (e->txns[ids[i]].key == want)
			return &e->txns[ids[i]];
	return NULL;
}

// --- running the tables

static void txn_timers(struct engine *e, struct txn *t)
{
	struct txn_times times = txn_times_of(e, t);

	t->flags &= (uint16_t)~TXN_REL_TIMER;
	txn_arm(e, t, txn_timer_start(&t->timer, t->machine, t->state, &times, e->now));
}

static void txn_send(struct engine *e, struct txn *t, bool again)
{
	struct msg_about about = txn_about(t);
	struct flow to = t->flow;

	to.peer_udp = t->to_udp;
	if (t->sent != NULL)
		engine_send(e, t->sent, &to, &about, again);
}

// Put an event through the table and do what concerns bytes and timers. Returns all actions.
static unsigned txn_run(struct engine *e, struct txn *t, enum txn_event event)
{
	struct txn_step step = txn_step(t->machine, t->state, event);

	if (!step.expected)
		return 0;
	t->state = step.state;
	if ((step.actions & TXN_DO_SEND) != 0)
		txn_send(e, t, false);
	if ((step.actions & TXN_DO_RESEND) != 0) {
		t->flags |= TXN_RESENT;
		txn_send(e, t, true);
	}
	if ((step.actions & TXN_DO_TIMERS) != 0)
		txn_timers(e, t);
	return step.actions;
}

static void txn_end_if(struct engine *e, struct txn *t, unsigned actions)
{
	if ((actions & TXN_DO_DESTROY) != 0)
		txn_free(e, t);
}

// --- server side

struct txn *txn_new_server(struct engine *e, struct inbound *in, enum sip_method method,
			   uint32_t call, unsigned side)
{
	struct txn *t = txn_new(e, call, side);

	if (t == NULL)
		return NULL;
	t->machine = method == SIP_INVITE ? TXN_INVITE_SERVER : TXN_SERVER;
	t->method = (uint8_t)method;
	t->trunk = in->trunk;
	t->cseq = in->cseq.number;
	t->fork = in->fork;
	t->flow = in->rx->flow;
	t->to_udp = in->reply.peer_udp;
	t->received = buf_ref(e, in->rx->buf);
	t->as_sent = buf_ref(e, in->as_sent);
	stat_add(&e->p.stats->server_transactions, 1);
	t->key = txn_key(in->key, method);
	if (table_insert(e->txn_table, t->key, txn_index(e, t)) != 0) {
		engine_out_of(e, OUT_OF_TRANSACTIONS);
		txn_free(e, t);
		return NULL;
	}
	in->rx->about = txn_about(t);
	(void)txn_run(e, t, TXN_EV_START);
	return t;
}

void txn_stand_for_dialog(struct engine *e, struct txn *t, uint64_t token)
{
	t->key = txn_key(token ^ TXN_DIALOG_KEY, SIP_BYE);
	if (table_insert(e->txn_table, t->key, txn_index(e, t)) != 0)
		t->key = 0;
}

void txn_prefetch_dialog(const struct engine *e, uint64_t token)
{
	table_prefetch(e->txn_table, txn_key(token ^ TXN_DIALOG_KEY, SIP_BYE));
}

bool txn_stands_for_dialog(struct engine *e, uint64_t token)
{
	return txn_find_server(e, token ^ TXN_DIALOG_KEY, SIP_BYE) != NULL;
}

void txn_note_initial(struct engine *e, struct txn *t, const struct inbound *in)
{
	t->flags |= TXN_INITIAL;
	t->asked = *leg_seen(e, in->msg);
	t->merged = in->rx->merge;
	if (table_insert(e->txn_table, t->merged, txn_index(e, t)) != 0)
		t->merged = 0; // a copy of it would begin a call of its own
}

bool txn_is_merged(struct engine *e, const struct inbound *in)
{
	uint32_t ids[TABLE_CANDIDATES];
	uint64_t want = in->rx->merge;
	unsigned n = table_find(e->txn_table, want, ids);

	for (unsigned i = 0; i < n; i++)
		if (txn_is_server(&e->txns[ids[i]]) && e->txns[ids[i]].merged == want)
			return true;
	return false;
}

static void txn_keep(struct engine *e, struct txn *t, struct sip_buf *b)
{
	buf_put(e, t->sent);
	t->sent = b;
}

static void txn_stop_reliable(struct engine *e, struct txn *t)
{
	if ((t->flags & TXN_REL_TIMER) == 0)
		return;
	t->flags &= (uint16_t)~TXN_REL_TIMER;
	txn_arm(e, t, TICK_NEVER);
	buf_put(e, t->reliable);
	t->reliable = NULL;
}

void txn_respond_provisional(struct engine *e, struct txn *t, struct sip_buf *b, uint16_t code,
			     bool reliable)
{
	struct txn_times times = txn_times_of(e, t);

	if (b == NULL)
		return;
	txn_keep(e, t, b);
	if (t->code < code)
		t->code = code;
	(void)txn_run(e, t, txn_event_of_status(code));
	if (!reliable)
		return;
	// T1, doubling, until PRACK or 64*T1 (RFC 3262 s3): the intervals of an INVITE client that
	// waits.
	txn_stop_reliable(e, t);
	t->reliable = buf_ref(e, b);
	t->flags |= TXN_REL_TIMER;
	txn_arm(e, t,
		txn_timer_start(&t->timer, TXN_INVITE_CLIENT, TXN_ST_CALLING, &times, e->now));
}

void txn_pracked(struct engine *e, struct txn *t)
{
	txn_stop_reliable(e, t);
}

void txn_respond(struct engine *e, struct txn *t, struct sip_buf *b, uint16_t code)
{
	unsigned actions;

	if (code < 200) {
		txn_respond_provisional(e, t, b, code, false);
		return;
	}
	txn_stop_reliable(e, t);
	txn_keep(e, t, b);
	t->code = code;
	if (t->method == SIP_INVITE && code <= 299) {
		t->machine = TXN_ANSWER;
		t->state = TXN_ST_NEW;
		t->flags |= TXN_2XX_TIMER;
		actions = txn_run(e, t, TXN_EV_START);
	} else {
		actions = txn_run(e, t, txn_event_of_status(code));
	}
	buf_put(e, t->received);
	buf_put(e, t->as_sent);
	t->received = t->as_sent = NULL;
	if (t->method ==
	    SIP_BYE) { // made again from the retransmission when one comes: 32 s are long
		buf_put(e, t->sent);
		t->sent = NULL;
	}
	txn_end_if(e, t, actions);
}

void txn_retransmitted(struct engine *e, struct txn *t, struct inbound *in)
{
	bool made_again = t->method == SIP_BYE || t->method == SIP_CANCEL;

	if (t->sent == NULL && made_again && t->code >= 200) {
		(void)reply_plain(e, in, t->code, SLICE_NONE);
		stat_add(&e->p.trunk_stats[t->trunk].retrans_out_responses, 1);
		return;
	}
	(void)txn_run(e, t, TXN_EV_REQUEST);
}

void txn_refused_ack(struct engine *e, struct txn *t)
{
	unsigned actions = txn_run(e, t, TXN_EV_ACK);

	if (t->machine == TXN_INVITE_SERVER && t->state == TXN_ST_CONFIRMED) {
		buf_put(e, t->sent);
		t->sent = NULL;
	}
	txn_end_if(e, t, actions);
}

void txn_acked(struct engine *e, struct txn *t)
{
	t->flags |= TXN_ACKED;
	t->flags &= (uint16_t)~TXN_2XX_TIMER;
	buf_put(e, t->sent);
	t->sent = NULL;
	txn_end_if(e, t, txn_run(e, t, TXN_EV_ACK));
}

// --- client side

struct txn *txn_new_client(struct engine *e, enum sip_method method, enum txn_role role,
			   uint32_t call, unsigned side)
{
	struct txn *t = txn_new(e, call, side);

	if (t == NULL)
		return NULL;
	t->machine = method == SIP_INVITE ? TXN_INVITE_CLIENT : TXN_CLIENT;
	t->cancel = NO_TXN;
	t->method = (uint8_t)method;
	t->role = (uint8_t)role;
	stat_add(&e->p.stats->client_transactions, 1);
	return t;
}

void txn_put_branch(struct engine *e, struct outbuf *o, const struct txn *t)
{
	token_put_branch(o, e->p.key, (uint64_t)(t->gen & 0xffff) << 32 | txn_index(e, t));
}

void txn_start(struct engine *e, struct txn *t)
{
	t->to_udp = t->flow.peer_udp;
	(void)txn_run(e, t, TXN_EV_START);
}

// What belongs to a request of ours on the wire, read back from its bytes.
struct txn_sent {
	struct slice uri, via, from, to, call_id;
	struct sip_msg *msg;
};

static bool txn_read_sent(struct engine *e, const struct txn *t, struct txn_sent *s)
{
	struct sip_msg *m = &e->scratch;

	if (t->sent == NULL || sip_msg_parse(m, slice_of(t->sent->data, t->sent->len)) != 0)
		return false;
	*s = (struct txn_sent){.uri = m->uri,
			       .via = sip_msg_value(m, SIP_H_VIA),
			       .from = sip_msg_value(m, SIP_H_FROM),
			       .to = sip_msg_value(m, SIP_H_TO),
			       .call_id = sip_msg_value(m, SIP_H_CALL_ID),
			       .msg = m};
	return true;
}

// ACK for a non-2xx, or CANCEL: the INVITE's Request-URI, Via, Route, From, Call-ID and CSeq number
// (s17.1.1.3, s9.1).
static struct sip_buf *txn_compose_hop(struct engine *e, const struct txn *t,
				       enum sip_method method, struct slice to, struct slice lines)
{
	struct txn_sent s;
	struct sip_buf *b;
	struct outbuf o;

	if (!txn_read_sent(e, t, &s))
		return NULL;
	b = buf_get(e, s.msg->len + to.len + lines.len + 128);
	if (b == NULL)
		return NULL;
	o = outbuf_of(b->data, b->cap);
	sip_build_request_line(&o, method, s.uri);
	sip_build_header(&o, SIP_H_VIA, s.via);
	sip_build_copy(&o, s.msg, SIP_H_ROUTE);
	sip_build_header_u32(&o, SIP_H_MAX_FORWARDS, 70);
	sip_build_header(&o, SIP_H_FROM, s.from);
	sip_build_header(&o, SIP_H_TO, to.len != 0 ? to : s.to);
	sip_build_header(&o, SIP_H_CALL_ID, s.call_id);
	sip_build_cseq(&o, t->cseq, sip_method_token(method));
	if (method == SIP_CANCEL) // RFC 4028 s7.1: each request but ACK lists what it supports
		sip_build_copy(&o, s.msg, SIP_H_SUPPORTED);
	outbuf_put_slice(&o, lines);
	outbuf_put_lit(&o, "Content-Length: 0\r\n\r\n");
	b->len = o.len;
	if (o.full) {
		buf_put(e, b);
		return NULL;
	}
	return b;
}

static void txn_ack_refusal(struct engine *e, struct txn *t, const struct inbound *in)
{
	struct sip_buf *b;

	if ((t->flags & TXN_ACKED) != 0) {
		txn_send(e, t, true);
		return;
	}
	b = txn_compose_hop(e, t, SIP_ACK, sip_msg_value(in->msg, SIP_H_TO), SLICE_NONE);
	if (b == NULL)
		return;
	t->flags |= TXN_ACKED;
	txn_keep(e, t, b); // the INVITE is not needed any more, its ACK may be
	txn_send(e, t, false);
}

// Without memory it stays owed: until the next provisional response, or timer C.
static void txn_send_cancel(struct engine *e, struct txn *t)
{
	struct txn *c = txn_new_client(e, SIP_CANCEL, TXN_CANCEL, t->call, t->side);

	t->flags |= TXN_CANCEL_OWED;
	if (c == NULL)
		return;
	c->cseq = t->cseq;
	c->flow = t->flow;
	c->trunk = t->trunk;
	c->sent = txn_compose_hop(e, t, SIP_CANCEL, SLICE_NONE, SLICE_NONE);
	if (c->sent == NULL) {
		txn_free(e, c);
		return;
	}
	t->cancel = txn_index(e, c);
	t->cancel_gen = c->gen;
	t->flags &= (uint16_t)~TXN_CANCEL_OWED;
	t->flags |= TXN_CANCELLED;
	txn_start(e, c);
	(void)txn_run(e, t, TXN_EV_CANCEL);
}

void txn_cancel(struct engine *e, struct txn *t)
{
	if (t->machine != TXN_INVITE_CLIENT || t->code >= 200 || (t->flags & TXN_CANCELLED) != 0)
		return;
	if ((t->flags & TXN_PROVISIONAL) != 0)
		txn_send_cancel(e, t);
	else
		t->flags |= TXN_CANCEL_OWED; // s9.1: not before a provisional response
}

void txn_abandon(struct engine *e, struct txn *t)
{
	txn_cancel(e, t);
	if ((t->flags & TXN_CANCELLED) == 0)
		(void)txn_run(e, t, TXN_EV_CANCEL);
}

// The transaction that a response with this CSeq method belongs to: CANCEL shares its INVITE's
// branch.
struct txn *txn_for_method(struct engine *e, struct txn *t, enum sip_method method)
{
	if (t->machine != TXN_INVITE_CLIENT && t->machine != TXN_CLIENT)
		return NULL;
	if (method == SIP_CANCEL && t->method == SIP_INVITE)
		return t->cancel != NO_TXN ? txn_at(e, t->cancel, t->cancel_gen) : NULL;
	return t->method == method ? t : NULL;
}

static void txn_pass(struct engine *e, struct txn *t, struct inbound *in)
{
	switch ((enum txn_role)t->role) {
	case TXN_SETUP:
		setup_response(e, t, in);
		break;
	case TXN_RELAY:
		midcall_response(e, t, in);
		break;
	case TXN_REFRESH:
	case TXN_REOFFER:
		refresh_response(e, t, in);
		break;
	case TXN_PING:
		ping_response(e, t, in->msg->status);
		break;
	case TXN_BYE:
	case TXN_CANCEL:
	case TXN_NONE:
		break;
	}
}

// The first response to a request, provisional or not, tells the round trip; not if the request
// went twice, since nobody knows which one it answers (Karn's rule).
static void txn_measure(struct engine *e, const struct txn *t, struct leg *leg)
{
	if ((t->flags & (TXN_PROVISIONAL | TXN_RESENT)) == 0 && t->code < 200)
		leg->rtt_us = (uint32_t)(e->now - t->started_tk) | (e->now == t->started_tk);
}

void txn_response(struct engine *e, struct txn *t, struct inbound *in)
{
	uint16_t code = in->msg->status;
	unsigned actions = txn_run(e, t, txn_event_of_status(code));

	if (txn_call(e, t) != NULL) {
		struct leg *leg = engine_leg(e, t->call, t->side);

		leg->last_proof_tk = e->now;
		if (t->role == TXN_SETUP || t->role == TXN_REFRESH)
			txn_measure(e, t, leg);
	}
	if (actions == 0)
		return;
	if (code < 200) {
		t->flags |= TXN_PROVISIONAL;
		if ((t->flags & TXN_CANCEL_OWED) != 0)
			txn_send_cancel(e, t);
	} else if (t->code < 200) {
		t->code = code;
	} else {
		stat_add(&e->p.trunk_stats[t->trunk].retrans_in_responses,
			 (actions & TXN_DO_PASS) == 0);
	}
	if ((actions & TXN_DO_ACK) != 0)
		txn_ack_refusal(e, t, in);
	if (code >= 200 && (actions & TXN_DO_ACK) == 0 && (t->flags & TXN_KEEP_SENT) == 0)
		txn_keep(e, t, NULL);
	if ((actions & TXN_DO_PASS) != 0)
		txn_pass(e, t, in);
	txn_end_if(e, t, actions);
}

// --- time

static void txn_timed_out(struct engine *e, struct txn *t)
{
	t->code = t->code >= 200 ? t->code : 408;
	switch ((enum txn_role)t->role) {
	case TXN_SETUP:
		setup_timeout(e, t);
		break;
	case TXN_RELAY:
		midcall_timeout(e, t);
		break;
	case TXN_REFRESH:
	case TXN_REOFFER:
		refresh_timeout(e, t);
		break;
	case TXN_PING:
		ping_response(e, t, 0);
		break;
	case TXN_BYE:
	case TXN_CANCEL:
	case TXN_NONE:
		break;
	}
}

bool txn_unreachable(struct engine *e, struct txn *t)
{
	unsigned actions;

	if ((t->role != TXN_SETUP && t->role != TXN_PING) || t->code >= 200)
		return false;
	actions = txn_run(e, t, TXN_EV_TRANSPORT);
	if ((actions & TXN_DO_UNREACHABLE) != 0)
		txn_timed_out(e, t);
	txn_end_if(e, t, actions);
	return actions != 0;
}

static void txn_reliable_expire(struct engine *e, struct txn *t)
{
	struct txn_times times = txn_times_of(e, t);
	struct msg_about about = txn_about(t);
	struct flow to = t->flow;

	to.peer_udp = t->to_udp;
	switch (txn_timer_fire(&t->timer, TXN_INVITE_CLIENT, TXN_ST_CALLING, &times, e->now)) {
	case TXN_EV_RESEND:
		engine_send(e, t->reliable, &to, &about, true);
		break;
	case TXN_EV_TIMEOUT:
		txn_stop_reliable(e, t);
		setup_prack_timeout(e, t);
		return;
	default:
		break;
	}
	txn_arm(e, t, txn_timer_next(&t->timer, TXN_INVITE_CLIENT, TXN_ST_CALLING, &times));
}

void txn_expire(struct engine *e, uint32_t index)
{
	struct txn *t = &e->txns[index];
	struct txn_times times;
	enum txn_event event;
	unsigned actions;

	if (t->machine == TXN_MACHINE_N)
		return;
	if ((t->flags & TXN_REL_TIMER) != 0) {
		txn_reliable_expire(e, t);
		return;
	}
	times = txn_times_of(e, t);
	event = txn_timer_fire(&t->timer, t->machine, t->state, &times, e->now);
	actions = event != TXN_EV_NONE ? txn_run(e, t, event) : 0;
	if ((actions & TXN_DO_RINGS_LONG) != 0)
		setup_ring_timeout(e, t);
	if ((actions & TXN_DO_TIMED_OUT) != 0 && !txn_is_server(t))
		txn_timed_out(e, t);
	if ((actions & TXN_DO_NO_ACK) != 0) {
		t->flags &= (uint16_t)~TXN_2XX_TIMER;
		setup_ack_timeout(e, t);
	}
	if ((actions & TXN_DO_DESTROY) != 0)
		txn_free(e, t);
	else if ((actions & TXN_DO_TIMERS) == 0)
		txn_arm(e, t, txn_timer_next(&t->timer, t->machine, t->state, &times));
}
