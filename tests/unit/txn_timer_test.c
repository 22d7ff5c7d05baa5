// SPDX-License-Identifier: BSD-3-Clause
// Transaction timers: the exact instants of RFC 3261 s17 and RFC 6026, late calls, and both ends of
// a transaction against each other over a wire that loses and repeats.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transaction/transaction.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct txn_times udp = TXN_TIMES_DEFAULT;
static const struct txn_times tcp = {500000, 4000000, 5000000, 185000000, true};
static const struct txn_times no_c = {500000, 4000000, 5000000, 0, false};

static const struct {
	const char *shows;
	enum txn_machine machine;
	enum txn_state state;
	const struct txn_times *times;
	int32_t resend_ms[14];
	int64_t end_ms; // -1 = never
} rows[] = {
	{"A, B",
	 TXN_INVITE_CLIENT,
	 TXN_ST_CALLING,
	 &udp,
	 {500, 1500, 3500, 7500, 15500, 31500},
	 32000},
	{"A does not run over TCP", TXN_INVITE_CLIENT, TXN_ST_CALLING, &tcp, {0}, 32000},
	{"C", TXN_INVITE_CLIENT, TXN_ST_PROCEEDING, &udp, {0}, 185000},
	{"no C", TXN_INVITE_CLIENT, TXN_ST_PROCEEDING, &no_c, {0}, -1},
	{"after CANCEL", TXN_INVITE_CLIENT, TXN_ST_CANCELLING, &udp, {0}, 32000},
	{"D", TXN_INVITE_CLIENT, TXN_ST_COMPLETED, &udp, {0}, 32000},
	{"D is 0 over TCP", TXN_INVITE_CLIENT, TXN_ST_COMPLETED, &tcp, {0}, 0},
	{"M", TXN_INVITE_CLIENT, TXN_ST_ACCEPTED, &udp, {0}, 32000},
	{"M runs over TCP", TXN_INVITE_CLIENT, TXN_ST_ACCEPTED, &tcp, {0}, 32000},
	{"INVITE server: the phone rings", TXN_INVITE_SERVER, TXN_ST_PROCEEDING, &udp, {0}, -1},
	{"G, H",
	 TXN_INVITE_SERVER,
	 TXN_ST_COMPLETED,
	 &udp,
	 {500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500},
	 32000},
	{"H over TCP", TXN_INVITE_SERVER, TXN_ST_COMPLETED, &tcp, {0}, 32000},
	{"I", TXN_INVITE_SERVER, TXN_ST_CONFIRMED, &udp, {0}, 5000},
	{"I is 0 over TCP", TXN_INVITE_SERVER, TXN_ST_CONFIRMED, &tcp, {0}, 0},
	{"L", TXN_INVITE_SERVER, TXN_ST_ACCEPTED, &udp, {0}, 32000},
	{"E, F",
	 TXN_CLIENT,
	 TXN_ST_TRYING,
	 &udp,
	 {500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500},
	 32000},
	{"F over TCP", TXN_CLIENT, TXN_ST_TRYING, &tcp, {0}, 32000},
	{"E at T2",
	 TXN_CLIENT,
	 TXN_ST_PROCEEDING,
	 &udp,
	 {4000, 8000, 12000, 16000, 20000, 24000, 28000},
	 32000},
	{"K", TXN_CLIENT, TXN_ST_COMPLETED, &udp, {0}, 5000},
	{"K is 0 over TCP", TXN_CLIENT, TXN_ST_COMPLETED, &tcp, {0}, 0},
	{"ni01", TXN_SERVER, TXN_ST_TRYING, &udp, {0}, 32000},
	{"J", TXN_SERVER, TXN_ST_COMPLETED, &udp, {0}, 32000},
	{"J is 0 over TCP", TXN_SERVER, TXN_ST_COMPLETED, &tcp, {0}, 0},
	{"2xx",
	 TXN_ANSWER,
	 TXN_ST_ACCEPTED,
	 &udp,
	 {500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500},
	 32000},
	{"2xx also over TCP",
	 TXN_ANSWER,
	 TXN_ST_ACCEPTED,
	 &tcp,
	 {500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500},
	 32000},
	{"L after the ACK", TXN_ANSWER, TXN_ST_ACKED, &udp, {0}, 32000},
};

static void txn_timer_instants(void **)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum txn_machine m = rows[i].machine;
		enum txn_state s = rows[i].state;
		tick_t base = TICK_S(77) + 13;
		struct txn_timer t;
		tick_t next = txn_timer_start(&t, m, s, rows[i].times, base);

		for (size_t n = 0; rows[i].resend_ms[n] != 0; n++) {
			tick_t at = base + TICK_MS(rows[i].resend_ms[n]);

			if (next != at)
				fail_msg("%s: retransmission %zu at %ld us", rows[i].shows, n,
					 (long)(next - base));
			assert_int_equal(txn_timer_fire(&t, m, s, rows[i].times, at - 1),
					 TXN_EV_NONE);
			assert_int_equal(txn_timer_next(&t, m, s, rows[i].times), at);
			assert_int_equal(txn_timer_fire(&t, m, s, rows[i].times, at),
					 TXN_EV_RESEND);
			assert_int_equal(txn_timer_fire(&t, m, s, rows[i].times, at), TXN_EV_NONE);
			next = txn_timer_next(&t, m, s, rows[i].times);
		}
		if (rows[i].end_ms < 0) {
			assert_int_equal(next, TICK_NEVER);
			assert_int_equal(
				txn_timer_fire(&t, m, s, rows[i].times, base + TICK_S(100000)),
				TXN_EV_NONE);
			continue;
		}
		if (next != base + TICK_MS(rows[i].end_ms))
			fail_msg("%s: ends after %ld us", rows[i].shows, (long)(next - base));
		if (next > base)
			assert_int_equal(txn_timer_fire(&t, m, s, rows[i].times, next - 1),
					 TXN_EV_NONE);
		assert_int_equal(txn_timer_fire(&t, m, s, rows[i].times, next), TXN_EV_TIMEOUT);
	}
}

// E goes on where it was when the 100 came, then at T2; F does not begin again.
static void txn_timer_keeps_f_in_proceeding(void **)
{
	struct txn_timer t;
	tick_t next = txn_timer_start(&t, TXN_CLIENT, TXN_ST_TRYING, &udp, 0);
	static const unsigned at_ms[] = {500,	1500,  3500,  7500,  11500,
					 15500, 19500, 23500, 27500, 31500};

	for (size_t i = 0; i < COUNT(at_ms); i++) {
		enum txn_state s = i < 2 ? TXN_ST_TRYING : TXN_ST_PROCEEDING;

		next = txn_timer_next(&t, TXN_CLIENT, s, &udp);
		// 100 came at 1.6 s: the retransmission at 3.5 s was set, all others follow at T2
		assert_int_equal(next, TICK_MS(at_ms[i]));
		assert_int_equal(txn_timer_fire(&t, TXN_CLIENT, s, &udp, next), TXN_EV_RESEND);
	}
	assert_int_equal(txn_timer_next(&t, TXN_CLIENT, TXN_ST_PROCEEDING, &udp), TICK_S(32));
}

// The ACK stops 2xx; L ends when it would have.
static void txn_timer_keeps_l_after_ack(void **)
{
	struct txn_timer t;

	txn_timer_start(&t, TXN_ANSWER, TXN_ST_ACCEPTED, &udp, TICK_S(1));
	assert_int_equal(txn_timer_fire(&t, TXN_ANSWER, TXN_ST_ACCEPTED, &udp, TICK_MS(1500)),
			 TXN_EV_RESEND);
	assert_int_equal(txn_timer_next(&t, TXN_ANSWER, TXN_ST_ACKED, &udp), TICK_S(33));
	assert_int_equal(txn_timer_fire(&t, TXN_ANSWER, TXN_ST_ACKED, &udp, TICK_S(20)),
			 TXN_EV_NONE);
	assert_int_equal(txn_timer_fire(&t, TXN_ANSWER, TXN_ST_ACKED, &udp, TICK_S(33)),
			 TXN_EV_TIMEOUT);
}

// A worker that was away sends once and keeps to the old instants.
static void txn_timer_skips_what_it_missed(void **)
{
	static const struct {
		unsigned now_ms, next_ms;
	} late[] = {{500, 1500}, {1499, 1500}, {1500, 3500}, {9000, 11500}, {31999, 32000}};

	for (size_t i = 0; i < COUNT(late); i++) {
		struct txn_timer t;

		txn_timer_start(&t, TXN_CLIENT, TXN_ST_TRYING, &udp, 0);
		assert_int_equal(txn_timer_fire(&t, TXN_CLIENT, TXN_ST_TRYING, &udp,
						TICK_MS(late[i].now_ms)),
				 TXN_EV_RESEND);
		assert_int_equal(txn_timer_next(&t, TXN_CLIENT, TXN_ST_TRYING, &udp),
				 TICK_MS(late[i].next_ms));
	}
}

static void txn_timer_scales(void **)
{
	static const struct txn_times slow = {5000000, 32000000, 32000000, 0, false};
	static const struct txn_times fast = {100000, 1000000, 1000000, 0, false};
	struct txn_timer t;

	assert_int_equal(txn_timer_start(&t, TXN_INVITE_CLIENT, TXN_ST_CALLING, &slow, 0),
			 TICK_S(5));
	for (unsigned i = 0; i < 6; i++)
		txn_timer_fire(&t, TXN_INVITE_CLIENT, TXN_ST_CALLING, &slow,
			       TICK_S(5 * ((2u << i) - 1)));
	assert_int_equal(txn_timer_next(&t, TXN_INVITE_CLIENT, TXN_ST_CALLING, &slow), TICK_S(320));
	// D is at least 32 s, also with a short T1
	assert_int_equal(txn_timer_start(&t, TXN_INVITE_CLIENT, TXN_ST_COMPLETED, &fast, 0),
			 TICK_S(32));
	assert_int_equal(txn_timer_start(&t, TXN_INVITE_CLIENT, TXN_ST_COMPLETED, &slow, 0),
			 TICK_S(320));
	assert_int_equal(txn_timer_start(&t, TXN_CLIENT, TXN_ST_COMPLETED, &slow, 0), TICK_S(32));
}

// --- both ends over a bad wire

struct end {
	enum txn_machine machine;
	enum txn_state state;
	struct txn_timer timer;
	tick_t next;
	unsigned passed, sent;
	bool timed_out;
};

#define WIRE 64
struct wire {
	struct {
		tick_t at;
		enum txn_event event;
		bool to_server;
	} packet[WIRE];
	unsigned n;
	uint64_t random;
	unsigned loss_percent;
};

static unsigned wire_random(struct wire *w)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w->random >> 33);
}

static void wire_put(struct wire *w, bool to_server, enum txn_event event, tick_t now)
{
	unsigned copies = wire_random(w) % 100 < w->loss_percent ? 0
			  : wire_random(w) % 20 == 0		 ? 2
								 : 1;

	for (; copies != 0 && w->n < WIRE; copies--) {
		w->packet[w->n].at = now + TICK_MS(1 + wire_random(w) % 300);
		w->packet[w->n].event = event;
		w->packet[w->n++].to_server = to_server;
	}
}

struct model {
	struct wire wire;
	struct end client, server;
	enum txn_event answer; // TXN_EV_2XX or TXN_EV_FINAL, also what the server resends
	tick_t now;
};

static void model_event(struct model *m, struct end *end, enum txn_event event)
{
	bool is_server = end == &m->server;
	struct txn_step step = txn_step(end->machine, end->state, event);

	assert_int_not_equal(end->state, TXN_ST_TERMINATED);
	end->state = (enum txn_state)step.state;
	if ((step.actions & (TXN_DO_SEND | TXN_DO_RESEND)) != 0) {
		end->sent++;
		wire_put(&m->wire, !is_server, is_server ? m->answer : TXN_EV_REQUEST, m->now);
	}
	if ((step.actions & TXN_DO_ACK) != 0)
		wire_put(&m->wire, true, TXN_EV_ACK, m->now);
	if ((step.actions & TXN_DO_TIMERS) != 0)
		txn_timer_start(&end->timer, end->machine, end->state, &udp, m->now);
	end->timed_out |= (step.actions & (TXN_DO_TIMED_OUT | TXN_DO_NO_ACK)) != 0;
	if ((step.actions & TXN_DO_PASS) != 0) {
		end->passed++;
		if (!is_server && m->answer == TXN_EV_2XX && m->client.machine == TXN_INVITE_CLIENT)
			wire_put(&m->wire, true, TXN_EV_ACK, m->now); // p23: each 2xx is ACKed
	}
	end->next = end->state == TXN_ST_TERMINATED
			    ? TICK_NEVER
			    : txn_timer_next(&end->timer, end->machine, end->state, &udp);
}

static void model_server_request(struct model *m)
{
	struct end *s = &m->server;

	if (s->state != TXN_ST_NEW) {
		if (s->state != TXN_ST_TERMINATED)
			model_event(m, s, TXN_EV_REQUEST);
		return;
	}
	model_event(m, s, TXN_EV_START);
	if (s->machine == TXN_INVITE_SERVER && m->answer == TXN_EV_2XX) {
		s->machine = TXN_ANSWER;
		s->state = TXN_ST_NEW;
		model_event(m, s, TXN_EV_START);
		return;
	}
	model_event(m, s, m->answer);
}

static bool model_step(struct model *m)
{
	struct end *ends[] = {&m->client, &m->server};
	tick_t next = TICK_NEVER;
	unsigned at = WIRE;

	for (unsigned i = 0; i < m->wire.n; i++)
		if (m->wire.packet[i].at < next) {
			next = m->wire.packet[i].at;
			at = i;
		}
	for (unsigned i = 0; i < 2; i++)
		if (ends[i]->next < next) {
			next = ends[i]->next;
			at = WIRE + 1 + i;
		}
	if (at == WIRE)
		return false;
	m->now = next;
	if (at > WIRE) {
		struct end *end = ends[at - WIRE - 1];
		enum txn_event event =
			txn_timer_fire(&end->timer, end->machine, end->state, &udp, m->now);

		assert_int_not_equal(event, TXN_EV_NONE); // next was right
		model_event(m, end, event);
		return true;
	}
	bool to_server = m->wire.packet[at].to_server;
	enum txn_event event = m->wire.packet[at].event;

	m->wire.packet[at] = m->wire.packet[--m->wire.n];
	if (to_server && event == TXN_EV_REQUEST)
		model_server_request(m);
	else if (to_server ? m->server.state != TXN_ST_TERMINATED && m->server.state != TXN_ST_NEW
			   : m->client.state != TXN_ST_TERMINATED)
		model_event(m, to_server ? &m->server : &m->client, event);
	return true;
}

// Whatever the wire does: both ends end, no later than the RFC says, the call logic hears of one
// request and of one final response (of each 2xx to INVITE), or of a timeout; without loss nobody
// times out.
static void txn_model_over_bad_wire(void **)
{
	static const struct {
		enum txn_machine client, server;
		enum txn_event answer;
	} pairs[] = {
		{TXN_INVITE_CLIENT, TXN_INVITE_SERVER, TXN_EV_FINAL},
		{TXN_INVITE_CLIENT, TXN_INVITE_SERVER, TXN_EV_2XX},
		{TXN_CLIENT, TXN_SERVER, TXN_EV_2XX},
		{TXN_CLIENT, TXN_SERVER, TXN_EV_FINAL},
	};

	for (unsigned run = 0; run < 20000; run++) {
		struct model m = {
			.wire = {.random = run * 77777u + 5, .loss_percent = run % 5 * 25},
			.client = {.machine = pairs[run % 4].client, .next = TICK_NEVER},
			.server = {.machine = pairs[run % 4].server, .next = TICK_NEVER},
			.answer = pairs[run % 4].answer,
		};
		unsigned steps = 0;

		model_event(&m, &m.client, TXN_EV_START);
		while (model_step(&m))
			assert_in_range(++steps, 0, 2000);
		assert_int_equal(m.client.state, TXN_ST_TERMINATED);
		assert_true(m.server.state == TXN_ST_TERMINATED || m.server.state == TXN_ST_NEW);
		assert_true(m.now <= TICK_S(32 * 3));
		assert_in_range(m.server.passed, 0, 2); // the request, the ACK of a 2xx
		if (m.wire.loss_percent == 0) {
			assert_false(m.client.timed_out);
			assert_false(m.server.timed_out);
		}
		if (m.wire.loss_percent == 100) {
			assert_true(m.client.timed_out);
			assert_int_equal(m.client.sent, m.client.machine == TXN_CLIENT ? 11 : 7);
		}
		if (!m.client.timed_out && m.answer != TXN_EV_2XX)
			assert_int_equal(m.client.passed, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(txn_timer_instants),
		cmocka_unit_test(txn_timer_keeps_f_in_proceeding),
		cmocka_unit_test(txn_timer_keeps_l_after_ack),
		cmocka_unit_test(txn_timer_skips_what_it_missed),
		cmocka_unit_test(txn_timer_scales),
		cmocka_unit_test(txn_model_over_bad_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
