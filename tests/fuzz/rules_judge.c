// SPDX-License-Identifier: BSD-3-Clause
// What rules did, and what they may not do. See rules_judge.h.
#include "rules_judge.h"

#include <string.h>

#include "fuzz.h"
#include "sip/name_addr.h"
#include "sip/numbers.h"

static void on_step(void *ctx, const struct rules_step *s)
{
	struct rules_outcome *o = ctx;

	o->evaluated++;
	FUZZ_ASSERT(s->matched || (!s->changed && s->refused == NULL));
	FUZZ_ASSERT(!s->changed || s->refused == NULL);
	if (!s->matched)
		return;
	FUZZ_ASSERT(o->steps < RULES_STEPS_MAX);
	o->step[o->steps++] = (struct rules_step_seen){s->rule, s->changed, s->refused != NULL};
}

static struct rules_counts sum(const struct rules_program *p)
{
	struct rules_counts all = {0}, c;

	for (uint32_t i = 0; i < rules_count(p); i++) {
		rules_read(p, i, &c);
		FUZZ_ASSERT(c.evaluated >= c.matched && c.matched >= c.changed + c.refused);
		all.evaluated += c.evaluated;
		all.matched += c.matched;
		all.changed += c.changed;
		all.refused += c.refused;
		all.gave_up += c.gave_up;
	}
	return all;
}

// The counters of rules say what they did, no more and no less.
static void check_counts(const struct rules_outcome *o, const struct rules_counts *was,
			 const struct rules_counts *now)
{
	unsigned changed = 0, refused = 0;

	for (unsigned i = 0; i < o->steps; i++) {
		changed += o->step[i].changed;
		refused += o->step[i].refused;
	}
	FUZZ_ASSERT(now->evaluated - was->evaluated == o->evaluated);
	FUZZ_ASSERT(now->matched - was->matched == o->steps);
	FUZZ_ASSERT(now->changed - was->changed == changed);
	FUZZ_ASSERT(now->refused - was->refused == refused);
	FUZZ_ASSERT(o->applies == (changed != 0));
}

void rules_judge_apply(struct rules_outcome *o, struct rules_program *p,
		       const struct rules_facts *f)
{
	const struct rules_watch watch = {on_step, o};
	struct rules_counts was = sum(p), now;
	struct outbuf out = outbuf_of(o->text, sizeof(o->text));

	o->steps = o->evaluated = 0;
	memset(&o->result, 0, sizeof(o->result));
	o->applies = rules_apply(p, 0, f, &o->result, &watch);
	now = sum(p);
	check_counts(o, &was, &now);
	o->gave_up = now.gave_up != was.gave_up;
	if (o->result.changed) {
		FUZZ_ASSERT(sip_edit_apply(&out, f->msg, o->result.edits) == 0);
		FUZZ_ASSERT(out.len == o->result.len);
	}
	o->len = out.len;
}

static bool is_protected(unsigned id)
{
	switch (id) {
	case SIP_H_VIA:
	case SIP_H_CALL_ID:
	case SIP_H_CSEQ:
	case SIP_H_CONTENT_LENGTH:
	case SIP_H_MAX_FORWARDS:
	case SIP_H_ROUTE:
	case SIP_H_RECORD_ROUTE:
	case SIP_H_RSEQ:
	case SIP_H_RACK:
		return true;
	}
	return false;
}

static const struct sip_field *next_protected(const struct sip_msg *m, unsigned *at)
{
	while (*at < m->n_fields) {
		const struct sip_field *f = &m->field[(*at)++];

		if (is_protected(f->id))
			return f;
	}
	return NULL;
}

static unsigned count(const struct sip_msg *m, enum sip_header id)
{
	unsigned n = 0;

	for (const struct sip_field *f = sip_msg_first(m, id); f != NULL; f = sip_msg_next(m, f))
		n++;
	return n;
}

static struct slice first_line(const struct sip_msg *m, enum sip_header id)
{
	const struct sip_field *f = sip_msg_first(m, id);

	return f != NULL ? sip_msg_field_line(m, f) : SLICE_NONE;
}

static void check_party(const struct sip_msg *then, const struct sip_msg *now, enum sip_header id)
{
	struct sip_name_addr a, b;
	struct slice tag_a, tag_b;

	FUZZ_ASSERT(count(then, id) == count(now, id));
	if (slice_eq(first_line(then, id), first_line(now, id)))
		return;
	FUZZ_ASSERT(sip_name_addr_of(then, id, &a) == 0 && sip_name_addr_of(now, id, &b) == 0);
	FUZZ_ASSERT(sip_name_addr_tag(&a, &tag_a) == 0 && sip_name_addr_tag(&b, &tag_b) == 0);
	FUZZ_ASSERT(slice_eq(tag_a, tag_b));
}

static void check_timer(const struct sip_msg *then, const struct sip_msg *now,
			const struct rules_facts *f)
{
	struct sip_session_expires se;
	uint32_t seconds;
	bool timed = f->method == SIP_INVITE || f->method == SIP_UPDATE;

	FUZZ_ASSERT(count(now, SIP_H_SESSION_EXPIRES) <= 1 && count(now, SIP_H_MIN_SE) <= 1 &&
		    count(now, SIP_H_CONTENT_TYPE) <= 1);
	if (count(now, SIP_H_SESSION_EXPIRES) != 0 &&
	    !slice_eq(sip_msg_value(then, SIP_H_SESSION_EXPIRES),
		      sip_msg_value(now, SIP_H_SESSION_EXPIRES)))
		FUZZ_ASSERT(sip_session_expires_of(now, &se) == 0 && se.seconds >= 90 &&
			    (sip_msg_is_request(now) || (now->status / 100 == 2 && timed)));
	if (count(now, SIP_H_MIN_SE) != 0 &&
	    !slice_eq(sip_msg_value(then, SIP_H_MIN_SE), sip_msg_value(now, SIP_H_MIN_SE)))
		FUZZ_ASSERT(sip_min_se_parse(&seconds, sip_msg_value(now, SIP_H_MIN_SE)) == 0 &&
			    seconds >= 90);
}

static void check_protected(const struct sip_msg *then, const struct sip_msg *now)
{
	const struct sip_field *a, *b;
	unsigned at_then = 0, at_now = 0;

	do {
		a = next_protected(then, &at_then);
		b = next_protected(now, &at_now);
		FUZZ_ASSERT((a == NULL) == (b == NULL));
		FUZZ_ASSERT(a == NULL ||
			    slice_eq(sip_msg_field_line(then, a), sip_msg_field_line(now, b)));
	} while (a != NULL);
}

void rules_judge_message(const struct sip_msg *then, const struct rules_outcome *o,
			 const struct rules_facts *f)
{
	static struct sip_msg now;

	FUZZ_ASSERT(o->len <= RULES_MESSAGE_MAX);
	FUZZ_ASSERT(sip_msg_parse(&now, slice_of(o->text, o->len)) == 0 && now.len == o->len);
	FUZZ_ASSERT(sip_msg_is_request(then) == sip_msg_is_request(&now));
	FUZZ_ASSERT(then->method == now.method && slice_eq(then->method_token, now.method_token));
	FUZZ_ASSERT(slice_eq(then->body, now.body));
	FUZZ_ASSERT(sip_msg_is_request(then) || o->result.verdict != RULES_PASS ||
		    o->result.code == now.status);
	check_protected(then, &now);
	for (unsigned i = 0; i < now.n_fields; i++)
		FUZZ_ASSERT(now.field[i].name_len + now.field[i].len <= RULES_VALUE_MAX);
	check_party(then, &now, SIP_H_FROM);
	check_party(then, &now, SIP_H_TO);
	FUZZ_ASSERT(count(then, SIP_H_CONTACT) == count(&now, SIP_H_CONTACT));
	check_timer(then, &now, f);
}

void rules_judge_verdict(const struct rules_outcome *o, const struct rules_facts *f)
{
	if (o->result.verdict == RULES_REJECT)
		FUZZ_ASSERT(f->direction == RULE_IN && sip_msg_is_request(f->msg) &&
			    f->msg->method != SIP_ACK && o->result.code == 403);
	else if (o->result.verdict == RULES_DROP)
		FUZZ_ASSERT(f->direction == RULE_IN);
	FUZZ_ASSERT(o->applies || !o->result.changed);
}

void rules_judge_same(const struct rules_outcome *a, const struct rules_outcome *b)
{
	const struct rules_result *r = &a->result, *s = &b->result;

	if (a->gave_up || b->gave_up)
		return;
	FUZZ_ASSERT(a->applies == b->applies && a->steps == b->steps);
	for (unsigned i = 0; i < a->steps; i++)
		FUZZ_ASSERT(a->step[i].rule == b->step[i].rule &&
			    a->step[i].changed == b->step[i].changed &&
			    a->step[i].refused == b->step[i].refused);
	FUZZ_ASSERT(r->verdict == s->verdict && r->changed == s->changed && r->code == s->code &&
		    r->strip_timer == s->strip_timer && r->disarm == s->disarm &&
		    r->hide_update == s->hide_update && r->trace == s->trace &&
		    r->refresher == s->refresher && r->labels == s->labels);
	FUZZ_ASSERT(a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
}
