// SPDX-License-Identifier: BSD-3-Clause
// What leaves the engine: messages to peers, events and call records to control.
// Thread: the owning worker. The outbox has room: callers drain it before OUTBOX_RESERVE is short.
#include "b2bua/core.h"
#include "b2bua/manipulate.h"

struct outbox *engine_outbox(struct engine *e)
{
	return &e->out;
}

bool engine_outbox_full(const struct engine *e)
{
	return e->out.n_sends > OUTBOX_SENDS - OUTBOX_RESERVE ||
	       e->out.n_events > OUTBOX_EVENTS - OUTBOX_RESERVE ||
	       e->out.n_records > OUTBOX_RECORDS - OUTBOX_RECORDS_RESERVE;
}

// Of a request of ours, by its first word.
static enum sip_method output_method(const struct sip_buf *b)
{
	struct slice all = slice_of(b->data, b->len);
	int64_t at;

	if (b->len > 7 && memcmp(b->data, "INVITE ", 7) == 0)
		return SIP_INVITE;
	if (b->len > 4 && memcmp(b->data, "ACK ", 4) == 0)
		return SIP_ACK;
	if (b->len > 4 && memcmp(b->data, "BYE ", 4) == 0)
		return SIP_BYE;
	at = slice_find(all, ' ');
	return sip_method_of(slice_first(all, at > 0 ? (uint32_t)at : 0));
}

static void output_count(struct engine *e, const struct sip_buf *b, uint16_t trunk, bool again)
{
	struct trunk_stats *ts = &e->p.trunk_stats[trunk];
	bool response = b->len > 8 && memcmp(b->data, "SIP/2.0 ", 8) == 0;

	if (response) {
		unsigned class = (unsigned)(b->data[8] - '1');

		stat_add(&ts->value[TRUNK_STAT_messages_out_response], 1);
		stat_add(&ts->value[TRUNK_STAT_responses_out_1xx + class], 1);
		if (again)
			stat_add(&ts->retrans_out_responses, 1);
		return;
	}
	stat_add(&ts->value[TRUNK_STAT_messages_out_response + output_method(b)], 1);
	if (again)
		stat_add(&ts->retrans_out_requests, 1);
}

void engine_send(struct engine *e, struct sip_buf *b, const struct flow *flow,
		 const struct msg_about *about, bool again)
{
	if (b == NULL || e->out.n_sends == OUTBOX_SENDS) {
		stat_add(&e->p.stats->no_buffer, b != NULL);
		return;
	}
	b->refs++; // the shell's: it is not counted in e->bufs
	e->out.sends[e->out.n_sends++] =
		(struct send){.buf = b, .flow = *flow, .about = *about, .again = again};
	output_count(e, b, about->trunk, again);
}

struct event *engine_event(struct engine *e, enum event_type type, uint32_t call, unsigned side)
{
	struct event *v = &e->out.events[e->out.n_events];

	if (e->out.n_events < OUTBOX_EVENTS - 1)
		e->out.n_events++;
	memset(v, 0, sizeof(*v));
	v->type = (uint8_t)type;
	v->side = (uint8_t)side;
	v->worker = e->p.worker;
	v->call = call;
	v->at = e->now;
	if (call != POOL_NONE) {
		v->gen = e->calls[call].gen;
		v->trunk = engine_leg(e, call, side)->trunk;
		v->kept = engine_leg(e, call, side)->kept;
	}
	return v;
}

void engine_out_of(struct engine *e, enum out_of what)
{
	static const unsigned rows[] = {
		[OUT_OF_CALLS] = WORKER_STAT_no_call,
		[OUT_OF_TRANSACTIONS] = WORKER_STAT_no_transaction,
		[OUT_OF_BUFFERS] = WORKER_STAT_no_buffer,
		[OUT_OF_TEXT] = WORKER_STAT_no_text,
	};

	stat_add(&e->p.stats->value[rows[what]], 1);
	if (e->out_of_tk != 0 && e->now - e->out_of_tk < TICK_S(1))
		return;
	e->out_of_tk = e->now;
	engine_event(e, EVENT_OUT_OF, POOL_NONE, 0)->out_of.what = (uint8_t)what;
}

void leg_timer_view(const struct leg *leg, struct msg_timer *timer)
{
	*timer = (struct msg_timer){
		.se_s = leg->st.se_s,
		.min_se_s = leg->st.min_se_s,
		.peer_allow = leg->st.peer_allow,
		.role = leg->st.role,
		.peer_timer = (leg->st.flags & ST_LEG_PEER_TIMER) != 0,
		.unasked = (leg->st.flags & ST_LEG_UNASKED) != 0,
		.role_flipped = (leg->st.flags & ST_LEG_BOTH) != 0,
	};
	if ((leg->flags & LEG_NO_UPDATE) == 0)
		return;
	// nothing known is not the same as "not UPDATE"
	if (timer->peer_allow == 0)
		timer->peer_allow = SIP_METHOD_BIT(INVITE) | SIP_METHOD_BIT(ACK) |
				    SIP_METHOD_BIT(BYE) | SIP_METHOD_BIT(CANCEL);
	timer->peer_allow &= ~SIP_METHOD_BIT(UPDATE);
}
