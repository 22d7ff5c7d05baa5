// SPDX-License-Identifier: BSD-3-Clause
// Callers and callees. See calls.h. Source: RFC 3261 s13, s15, s17; RFC 4028 s7, s9.
#include "calls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <rte_cycles.h>

#define T1_MS	  500
#define T2_MS	  4000
#define HOSTS	  20	// trunks on each side
#define KEPT	  65536 // INVITEs whose 2xx may have to be sent again
#define KEPT_ROOM 700
#define LOST_MS	  40000 // a callee that waits for so long for BYE after its caller is gone

struct generator gen;

// The headers of an INVITE that a callee has answered.
struct kept {
	struct token token;
	uint32_t len;
	char text[KEPT_ROOM];
};

static struct kept *kept;
static uint32_t free_head = NO_LEG, free_tail = NO_LEG;
static uint32_t refresh_at, end_at;
static struct pace pace_calls, pace_refresh, pace_end;

// --- memory

static void *map(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

static void give_back(uint32_t slot)
{
	gen.calls[slot].next_free = NO_LEG;
	if (free_tail != NO_LEG)
		gen.calls[free_tail].next_free = slot;
	else
		free_head = slot;
	free_tail = slot;
}

int calls_init(uint32_t max_calls)
{
	static const struct knobs start = {
#define KNOB(name, value, unit, help) .name = value,
#include "counts.def"
	};

	gen.knobs = start;
	gen.max_calls = max_calls;
	gen.calls = map(max_calls * sizeof(struct call));
	gen.legs = map(2ull * max_calls * sizeof(struct leg));
	kept = map(KEPT * sizeof(struct kept));
	if (gen.calls == NULL || gen.legs == NULL || kept == NULL || calendar_init() != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < max_calls; i++)
		give_back(i);
	for (uint32_t i = 0; i < 2 * max_calls; i++)
		gen.legs[i].parked_ms = gen.legs[i].due_ms = NEVER;
	return 0;
}

static struct token token_of(uint32_t leg)
{
	return (struct token){leg / 2, gen.calls[leg / 2].gen};
}

static char side_of(uint32_t leg)
{
	return (leg & 1) == 0 ? 'a' : 'b';
}

static enum wire_side wire_of(uint32_t leg)
{
	return (leg & 1) == 0 ? WIRE_ACCESS : WIRE_CORE;
}

static void over(uint32_t id)
{
	uint32_t slot = id / 2;
	struct leg *leg = &gen.legs[id], *other = &gen.legs[id ^ 1];

	if ((id & 1) == 0 && (leg->state == LEG_UP || leg->state == LEG_ENDING))
		gen.up--;
	// A request whose call has ended meanwhile was neither served nor refused.
	if (leg->open == LETTER_UPDATE || leg->open == LETTER_REINVITE || leg->open == LETTER_INFO)
		gen.counts.requests--;
	leg->state = LEG_OVER;
	leg->open = 0;
	calendar_arm(id, NEVER);
	if (other->state == LEG_OVER || other->state == LEG_IDLE) {
		gen.calls[slot].used = false;
		gen.used--;
		give_back(slot);
	} else if ((id & 1) == 0) {
		calendar_arm(id ^ 1, gen.now_ms + LOST_MS);
	}
}

// --- sending

static void transmit(uint32_t id, uint8_t host, const struct request *r)
{
	char *start = wire_begin(wire_of(id));

	if (start != NULL)
		wire_send(wire_of(id), (struct wire_from){1, host},
			  (uint32_t)(put_request(start, r) - start));
}

static void send_request(uint32_t id, char letter, uint32_t cseq)
{
	struct leg *leg = &gen.legs[id];
	struct request r = {
		.letter = letter,
		.side = side_of(id),
		.host = leg->host,
		.token = token_of(id),
		.cseq = cseq,
		.se_s = (uint32_t)gen.knobs.se_s,
		.target = {leg->target, leg->target_len},
		.tag = {leg->tag, leg->tag_len},
		.call_id = {leg->call_id, leg->id_len},
	};

	transmit(id, leg->host, &r);
}

// When to send again what is open, or to give up.
static void arm_open(uint32_t id)
{
	struct leg *leg = &gen.legs[id];
	uint32_t wait = T1_MS << (leg->tries > 10 ? 10 : leg->tries - 1);
	uint32_t last = leg->first_ms + (uint32_t)gen.knobs.threshold_ms, due;

	if (leg->open != LETTER_INVITE && wait > T2_MS)
		wait = T2_MS;
	due = gen.now_ms + wait;
	if (leg->provisional || due > last)
		due = last > gen.now_ms ? last : gen.now_ms;
	calendar_arm(id, due);
}

static void open_request(uint32_t id, char letter)
{
	struct leg *leg = &gen.legs[id];

	leg->open = (uint8_t)letter;
	leg->tries = 1;
	leg->provisional = false;
	leg->first_ms = gen.now_ms;
	leg->sent_tk = rte_rdtsc();
	leg->cseq++;
	send_request(id, letter, leg->cseq);
	arm_open(id);
}

static void reply(uint32_t id, uint8_t host, struct answer a)
{
	char *start = wire_begin(wire_of(id));

	a.side = side_of(id);
	a.host = host;
	if (start != NULL)
		wire_send(wire_of(id), (struct wire_from){1, host},
			  (uint32_t)(put_answer(start, &a) - start));
}

// --- what is due

static void send_bye(uint32_t id)
{
	gen.legs[id].state = LEG_ENDING;
	gen.counts.byes++;
	open_request(id, LETTER_BYE);
}

static void gave_up(uint32_t id)
{
	struct leg *leg = &gen.legs[id];

	if (leg->state == LEG_CALLING) {
		gen.counts.unanswered++;
		gen.calls[id / 2].failed = true;
		over(id);
	} else if (leg->state == LEG_ENDING) {
		gen.counts.byes_failed++;
		over(id);
	} else {
		gen.counts.requests_failed++;
		leg->open = 0;
		calendar_arm(id, leg->end_ms);
	}
}

static void answer_again(uint32_t id)
{
	struct leg *leg = &gen.legs[id];
	struct token t = token_of(id);
	const struct kept *k = &kept[t.slot % KEPT];
	struct message m;
	uint32_t wait = T1_MS << (leg->tries > 4 ? 3 : leg->tries - 1);

	if (gen.now_ms - leg->first_ms >= 64 * T1_MS) {
		gen.counts.no_ack++;
		over(id);
		return;
	}
	if (k->token.slot == t.slot && k->token.gen == t.gen && message_read(&m, k->text, k->len)) {
		gen.counts.retrans_out++;
		reply(id, leg->host,
		      (struct answer){.status = 200,
				      .token = t,
				      .to = &m,
				      .session = true,
				      .description = true});
	}
	leg->tries++;
	calendar_arm(id, gen.now_ms + (wait > T2_MS ? T2_MS : wait));
}

static void due(uint32_t id)
{
	struct leg *leg = &gen.legs[id];

	if (leg->state == LEG_ANSWERED) {
		answer_again(id);
	} else if (leg->open != 0) {
		if (gen.now_ms - leg->first_ms >= gen.knobs.threshold_ms) {
			gave_up(id);
			return;
		}
		leg->tries++;
		gen.counts.retrans_out++;
		send_request(id, (char)leg->open, leg->cseq);
		arm_open(id);
	} else if ((id & 1) == 0 && leg->state == LEG_UP && leg->end_ms <= gen.now_ms) {
		send_bye(id);
	} else if ((id & 1) == 1 && gen.legs[id ^ 1].state == LEG_OVER) {
		if (!gen.calls[id / 2].lost && !gen.calls[id / 2].failed)
			gen.counts.no_bye++;
		over(id);
	}
}

void calls_timers(void)
{
	uint32_t id;

	for (unsigned i = 0; i < 256 && (id = calendar_next()) != NO_LEG; i++)
		due(id);
}

// --- messages of verge

static uint8_t keep(char *room, size_t size, struct text t)
{
	if (t.len >= size)
		return 0;
	memcpy(room, t.p, t.len);
	return (uint8_t)t.len;
}

static void expect_refresh(struct leg *leg)
{
	leg->planned_tk =
		gen.knobs.plan_ms != 0 ? rte_rdtsc() + gen.knobs.plan_ms * gen.tk_per_ms : 0;
}

// Which rules a call met that begins.
static void take_turn(struct leg *leg, uint32_t turn)
{
	leg->turn = turn;
	gen.counts.turns_new += turn > gen.turn;
	gen.counts.turns_old += turn < gen.turn;
	if (turn > gen.turn)
		gen.turn = turn;
}

static void take_invite(uint32_t id, const struct message *m, uint8_t host)
{
	struct leg *leg = &gen.legs[id];
	struct token t = token_of(id);
	struct kept *k = &kept[t.slot % KEPT];
	struct answer a = {.status = 100, .token = t, .to = m};
	struct text call_id = {m->call_id.p + sizeof("Call-ID: ") - 1,
			       m->call_id.len - (uint32_t)sizeof("Call-ID: ") + 1};

	if (leg->state != LEG_IDLE) {
		gen.counts.retrans_in++;
		if (leg->state == LEG_ANSWERED)
			answer_again(id);
		return;
	}
	if (gen.legs[id ^ 1].tries == 1)
		hist_add(&gen.delays.forward, calls_ns(rte_rdtsc() - gen.legs[id ^ 1].sent_tk));
	take_turn(leg, m->turn);
	leg->state = LEG_ANSWERED;
	leg->host = host;
	leg->tries = 1;
	leg->open = 0;
	leg->cseq = 0;
	leg->first_ms = gen.now_ms;
	leg->tag_len = keep(leg->tag, TAG_ROOM, message_tag(m->from));
	leg->target_len = keep(leg->target, TARGET_ROOM, message_uri(m->contact));
	leg->id_len = keep(leg->call_id, ID_ROOM, call_id);
	k->token = t;
	k->len = (uint32_t)(put_line(put_line(put_line(put_line(put_line(PUT(k->text,
									     "INVITE sip:x@y "
									     "SIP/2.0\r\n"),
									 m->via),
								m->from),
						       m->to),
					      m->call_id),
				     m->cseq_line) -
			    k->text);
	if (m->session_expires.p != NULL)
		k->len = (uint32_t)(put_line(k->text + k->len, m->session_expires) - k->text);
	reply(id, host, a);
	a.status = 180;
	reply(id, host, a);
	a.status = 200;
	a.session = a.description = true;
	leg->sent_tk = rte_rdtsc();
	reply(id, host, a);
	expect_refresh(leg);
	calendar_arm(id, gen.now_ms + T1_MS);
}

static void take_refresh(uint32_t id, const struct message *m)
{
	struct leg *leg = &gen.legs[id];
	bool invite = m->letter == LETTER_INVITE;
	uint64_t now = rte_rdtsc();
	uint32_t bin = (gen.now_ms - gen.spread_start_ms) / SPREAD_BIN_MS;

	if (leg->state == LEG_OVER || leg->state == LEG_IDLE) {
		gen.counts.stray++;
		return;
	}
	reply(id, leg->host,
	      (struct answer){.status = 200,
			      .token = token_of(id),
			      .to = m,
			      .tagged = true,
			      .session = true,
			      .description = invite});
	gen.counts.refreshes++;
	if (bin < SPREAD_BINS)
		gen.spread[bin]++;
	if (leg->planned_tk != 0 && now >= leg->planned_tk)
		hist_add(&gen.delays.late_by, calls_ns(now - leg->planned_tk));
	else if (leg->planned_tk != 0)
		hist_add(&gen.delays.early_by, calls_ns(leg->planned_tk - now));
	expect_refresh(leg);
}

static void take_bye(uint32_t id, const struct message *m)
{
	struct leg *leg = &gen.legs[id], *other = &gen.legs[id ^ 1];
	struct call *c = &gen.calls[id / 2];

	reply(id, leg->host,
	      (struct answer){.status = 200, .token = token_of(id), .to = m, .tagged = true});
	if (leg->state == LEG_OVER || leg->state == LEG_IDLE)
		return;
	gen.counts.bye_arrived += id & 1;
	gen.counts.turns_changed += (id & 1) == 1 && m->turn != leg->turn;
	if ((id & 1) == 1 && (other->state == LEG_ENDING || other->state == LEG_OVER)) {
		if (other->state == LEG_ENDING && other->tries == 1)
			hist_add(&gen.delays.forward, calls_ns(rte_rdtsc() - other->sent_tk));
	} else if (!c->lost && !c->failed) {
		c->lost = true;
		gen.counts.ended_by_verge++;
	}
	over(id);
}

static void take_request(const struct message *m, enum wire_side side, uint8_t host)
{
	struct token t;
	uint32_t id;
	struct leg *leg;

	if (!token_read(&t, m->user.p, m->user.len) || t.slot >= gen.max_calls ||
	    gen.calls[t.slot].gen != t.gen || !gen.calls[t.slot].used) {
		gen.counts.stray++;
		return;
	}
	id = 2 * t.slot + (side == WIRE_CORE);
	leg = &gen.legs[id];
	if (leg->silent)
		return;
	switch (m->letter) {
	case LETTER_INVITE:
		if (side == WIRE_CORE && message_tag(m->to).len == 0)
			take_invite(id, m, host);
		else
			take_refresh(id, m);
		return;
	case LETTER_UPDATE:
		take_refresh(id, m);
		return;
	case LETTER_ACK:
		if (leg->state == LEG_ANSWERED) {
			leg->state = LEG_UP;
			calendar_arm(id, NEVER);
		}
		return;
	case LETTER_BYE:
		take_bye(id, m);
		return;
	default:
		if (m->letter == LETTER_INFO && gen.legs[id ^ 1].open == LETTER_INFO &&
		    gen.legs[id ^ 1].tries == 1)
			hist_add(&gen.delays.forward,
				 calls_ns(rte_rdtsc() - gen.legs[id ^ 1].sent_tk));
		reply(id, leg->host,
		      (struct answer){.status = 200,
				      .token = t,
				      .to = m,
				      .tagged = leg->state != LEG_IDLE});
		return;
	}
}

// An answer to an INVITE that nobody waits for any more: the session is taken down at once.
static void decline(struct token t, const struct message *m, uint8_t host)
{
	struct request r = {
		.letter = LETTER_ACK,
		.side = 'a',
		.host = host,
		.token = t,
		.cseq = m->cseq,
		.target = message_uri(m->contact),
		.tag = message_tag(m->to),
	};

	gen.counts.stray++;
	if (m->status >= 300) {
		r.same_branch = true;
		r.target.len = 0;
	}
	transmit(2 * t.slot, host, &r);
	if (m->status >= 300)
		return;
	gen.counts.late++;
	r.letter = LETTER_BYE;
	r.cseq++;
	transmit(2 * t.slot, host, &r);
}

static void take_refusal(uint32_t id, const struct message *m)
{
	struct leg *leg = &gen.legs[id];
	struct request r = {
		.letter = LETTER_ACK,
		.side = 'a',
		.host = leg->host,
		.token = token_of(id),
		.cseq = m->cseq,
		.tag = message_tag(m->to),
		.same_branch = true,
	};

	transmit(id, leg->host, &r);
	gen.calls[id / 2].failed = true;
	if (m->status == 503)
		gen.counts.refused_503++;
	else
		gen.counts.refused_other++;
	over(id);
}

static void take_invite_response(uint32_t id, const struct message *m)
{
	struct leg *leg = &gen.legs[id];
	uint64_t now = rte_rdtsc();

	if (m->status < 200) {
		leg->provisional = true;
		arm_open(id);
		return;
	}
	if (m->status >= 300) {
		take_refusal(id, m);
		return;
	}
	hist_add(&gen.delays.setup, calls_ns(now - leg->sent_tk));
	if (gen.legs[id ^ 1].state == LEG_ANSWERED && gen.legs[id ^ 1].tries == 1)
		hist_add(&gen.delays.forward, calls_ns(now - gen.legs[id ^ 1].sent_tk));
	gen.counts.established++;
	gen.up++;
	leg->state = LEG_UP;
	leg->open = 0;
	leg->tag_len = keep(leg->tag, TAG_ROOM, message_tag(m->to));
	leg->target_len = keep(leg->target, TARGET_ROOM, message_uri(m->contact));
	send_request(id, LETTER_ACK, leg->cseq);
	leg->end_ms = gen.knobs.hold_ms != 0 ? gen.now_ms + (uint32_t)gen.knobs.hold_ms : NEVER;
	expect_refresh(leg);
	calendar_arm(id, leg->end_ms);
}

static void take_final(uint32_t id, const struct message *m)
{
	struct leg *leg = &gen.legs[id];
	uint64_t ns = calls_ns(rte_rdtsc() - leg->sent_tk);
	bool ok = m->status == 200;

	if (leg->open == LETTER_BYE) {
		gen.counts.byes_ok += ok;
		gen.counts.byes_failed += !ok;
		if (ok)
			hist_add(&gen.delays.bye, ns);
		over(id);
		return;
	}
	gen.counts.requests_ok += ok;
	gen.counts.requests_failed += !ok;
	if (ok)
		hist_add(&gen.delays.request, ns);
	if (leg->open == LETTER_REINVITE)
		send_request(id, LETTER_ACK, leg->cseq);
	if (leg->open == LETTER_UPDATE || leg->open == LETTER_REINVITE)
		expect_refresh(leg);
	leg->open = 0;
	calendar_arm(id, leg->end_ms);
}

static void take_response(const struct message *m, uint8_t host)
{
	char letter, side;
	struct token t;
	uint32_t cseq, id;
	struct leg *leg;

	if (!branch_read(m->via, &letter, &side, &t, &cseq)) {
		gen.counts.stray++;
		return;
	}
	if (t.slot >= gen.max_calls) {
		gen.counts.flood_answers++;
		return;
	}
	id = 2 * t.slot + (side == 'b');
	leg = &gen.legs[id];
	if (gen.calls[t.slot].gen == t.gen && leg->open == letter && leg->cseq == cseq) {
		if (letter == LETTER_INVITE)
			take_invite_response(id, m);
		else if (m->status >= 200)
			take_final(id, m);
	} else if (letter == LETTER_INVITE && gen.calls[t.slot].gen == t.gen &&
		   (leg->state == LEG_UP || leg->state == LEG_ENDING)) {
		gen.counts.retrans_in++;
		if (m->status >= 200)
			send_request(id, LETTER_ACK, cseq);
	} else if (letter == LETTER_INVITE && m->status >= 200) {
		decline(t, m, host);
	} else if (m->status >= 200) {
		gen.counts.stray++;
	}
}

void calls_datagram(enum wire_side side, const struct wire_datagram *d)
{
	struct message m;

	if (!message_read(&m, d->data, d->len)) {
		if (gen.counts.unreadable++ == 0)
			fprintf(stderr, "unreadable: %.*s\n", (int)d->len, d->data);
	} else if (m.status != 0) {
		take_response(&m, d->host);
	} else {
		take_request(&m, side, d->host);
	}
}

// --- pace

unsigned pace_due(struct pace *p, uint64_t rate, uint64_t *behind)
{
	uint64_t step, late_tk = 50 * gen.tk_per_ms;
	unsigned n = 0;

	if (rate == 0) {
		p->next_tk = 0;
		return 0;
	}
	if (p->next_tk == 0)
		p->next_tk = gen.now_tk;
	step = gen.tk_per_ms * 1000 / rate;
	step = step != 0 ? step : 1;
	if (p->next_tk + late_tk < gen.now_tk) {
		uint64_t missed = (gen.now_tk - late_tk - p->next_tk) / step;

		*behind += missed;
		p->next_tk += missed * step;
	}
	for (; n < 64 && p->next_tk <= gen.now_tk; n++)
		p->next_tk += step;
	return n;
}

void calls_pace_anew(void)
{
	pace_calls.next_tk = pace_refresh.next_tk = pace_end.next_tk = 0;
}

static void begin_call(void)
{
	uint32_t slot = free_head, id = 2 * slot;
	struct call *c;

	if (slot == NO_LEG) {
		gen.counts.no_slot++;
		return;
	}
	c = &gen.calls[slot];
	free_head = c->next_free;
	if (free_head == NO_LEG)
		free_tail = NO_LEG;
	c->gen++;
	c->used = true;
	c->lost = c->failed = false;
	for (unsigned i = 0; i < 2; i++) {
		struct leg *leg = &gen.legs[id + i];

		leg->state = LEG_IDLE;
		leg->open = leg->tries = 0;
		leg->cseq = 0;
		leg->due_ms = leg->end_ms = NEVER;
		leg->planned_tk = 0;
		leg->tag_len = leg->target_len = leg->id_len = 0;
		leg->host = (uint8_t)(2 + slot % HOSTS);
		leg->silent = false;
	}
	gen.legs[id + 1].silent = gen.knobs.silent_pm != 0 && slot % 1000 < gen.knobs.silent_pm;
	gen.legs[id].state = LEG_CALLING;
	gen.used++;
	gen.counts.attempts++;
	open_request(id, LETTER_INVITE);
}

// The next leg in the order of slots whose call is up and whose last request is answered.
static uint32_t next_held(uint32_t *at, bool callers_only)
{
	uint64_t side = callers_only ? 1 : gen.knobs.refresh_side;

	for (unsigned looked = 0; looked < 4096; looked++) {
		uint32_t id = *at;

		*at = (*at + (side == 0 ? 1 : 2)) % (2 * gen.max_calls);
		if (side != 0)
			id = (id & ~1u) | (side == 2);
		if (gen.legs[id].state == LEG_UP && gen.legs[id].open == 0 &&
		    gen.legs[id ^ 1].state == LEG_UP && gen.calls[id / 2].used)
			return id;
	}
	return NO_LEG;
}

static void begin_request(void)
{
	static const char letters[] = {LETTER_UPDATE, LETTER_REINVITE, LETTER_INFO};
	uint32_t id = next_held(&refresh_at, false);

	if (id == NO_LEG)
		return;
	gen.counts.requests++;
	open_request(id, letters[gen.knobs.refresh_kind % 3]);
}

void calls_pace(void)
{
	uint64_t skipped = 0;
	unsigned n = gen.knobs.calls != 0 ? pace_due(&pace_calls, gen.knobs.rate, &skipped) : 0;

	skipped = skipped < gen.knobs.calls ? skipped : gen.knobs.calls;
	gen.counts.behind += skipped;
	gen.knobs.calls -= skipped;
	for (; n != 0 && gen.knobs.calls != 0; n--, gen.knobs.calls--)
		begin_call();
	for (n = pace_due(&pace_refresh, gen.knobs.refresh_rate, &skipped); n != 0; n--)
		begin_request();
	for (n = pace_due(&pace_end, gen.knobs.end_rate, &skipped); n != 0; n--) {
		uint32_t id = next_held(&end_at, true);

		if (id != NO_LEG)
			send_bye(id);
	}
}
