// SPDX-License-Identifier: BSD-3-Clause
// Message rules at work on calls. See manipulate.h. Without rules for a trunk and direction this is
// one look at an array.
#include "b2bua/manipulate.h"

#include "b2bua/release.h"
#include "b2bua/tap.h"
#include "classify/classify.h"
#include "rules/rules.h"
#include "session_timer/st_sent.h"
#include "sip/edit.h"

// Whether rules of any snapshot that calls go by are there for a trunk.
static bool any_rules(const struct engine *e, uint16_t trunk, enum rule_direction direction)
{
	if (!e->has_rules)
		return false;
	if (rules_any(e->config->program, trunk, direction))
		return true;
	for (unsigned i = 0; e->old_rules && i < CONFIG_KEPT; i++)
		if (e->kept.at[i] != NULL && rules_any(e->kept.at[i]->program, trunk, direction))
			return true;
	return false;
}

static void facts_of_call(const struct engine *e, struct rules_facts *f, uint32_t call)
{
	const struct leg *a = &e->legs[2 * call], *b = a + 1;

	f->ingress = a->trunk;
	f->egress = b->state != LEG_NONE || e->calls[call].gated ? b->trunk : RULES_NO_TRUNK;
}

// --- what rules say of the call

static uint16_t flags_of(const struct rules_result *r)
{
	return (uint16_t)((r->strip_timer ? LEG_NO_TIMER : 0) | (r->disarm ? LEG_DISARMED : 0) |
			  (r->hide_update ? LEG_NO_UPDATE : 0) |
			  (r->refresher == 1 + RULE_LOCAL    ? LEG_LOCAL
			   : r->refresher == 1 + RULE_REMOTE ? LEG_REMOTE
							     : 0));
}

// Flags of one kind of message after those of another: who refreshes is the last word's.
static uint16_t flags_with(uint16_t flags, uint16_t more)
{
	if ((more & (LEG_LOCAL | LEG_REMOTE)) != 0)
		flags &= (uint16_t) ~(LEG_LOCAL | LEG_REMOTE);
	return flags | more;
}

static void mark_leg(struct engine *e, uint32_t call, unsigned side, uint16_t flags)
{
	struct leg *leg = engine_leg(e, call, side);

	if (flags == 0 || (leg->flags & flags) == flags)
		return;
	leg->flags = flags_with(leg->flags, flags);
	if ((flags & (LEG_NO_TIMER | LEG_DISARMED)) != 0 && leg->st.se_s != 0) {
		leg_stop_timer(e, leg);
		leg_arm(e, call, side);
	}
}

static void mark_call(struct engine *e, uint32_t call, uint64_t labels, bool trace)
{
	struct call *c = &e->calls[call];

	if (labels != 0 && (c->labels | labels) != c->labels)
		engine_hold(e, call)->labels |= labels;
	if (trace && !c->traced)
		engine_mark_traced(e, call);
}

void manipulate_begin(struct engine *e, uint32_t call)
{
	engine_leg(e, call, SIDE_A)->flags |= e->mark.flags;
	mark_call(e, call, e->mark.labels, e->mark.trace);
}

uint16_t manipulate_flags(const struct engine *e)
{
	return e->mark.flags;
}

// --- what arrives

static void facts_of_inbound(struct engine *e, struct inbound *in, const struct txn *t,
			     struct rules_facts *f)
{
	*f = (struct rules_facts){.msg = in->msg,
				  .class = &in->rx->class,
				  .trunk = in->trunk,
				  .ingress = in->trunk,
				  .egress = RULES_NO_TRUNK,
				  .direction = RULE_IN,
				  .method = in->method};
	if (t != NULL) {
		f->in_call = txn_call(e, t) != NULL;
		f->dialog = (t->flags & TXN_INITIAL) != 0 ? RULE_DIALOG_CREATING : RULE_DIALOG_IN;
		if (f->in_call)
			facts_of_call(e, f, t->call);
		return;
	}
	f->in_call = in->method == SIP_INVITE || in->to_tag.len != 0;
	f->dialog = in->to_tag.len != 0 ? RULE_DIALOG_IN : RULE_DIALOG_CREATING;
	if (in->to_tag.len != 0 && inbound_find_dialog(e, in))
		facts_of_call(e, f, in->call);
}

// The message as rules left it takes the place of the one that arrived, in a buffer of its own.
static bool take_edited(struct engine *e, struct inbound *in, const struct rules_result *r,
			struct rules_program *p)
{
	struct sip_buf *b = buf_get(e, r->len);
	struct sip_class *class = &in->rx->class;
	bool scanner = class->scanner;
	struct outbuf o;

	if (b == NULL)
		return false;
	o = outbuf_of(b->data, b->cap);
	if (sip_edit_apply(&o, in->msg, r->edits) != 0 ||
	    sip_msg_parse(&e->edited, outbuf_slice(&o)) != 0 || e->edited.len != o.len ||
	    sip_msg_repeats(&e->edited)) {
		rules_blame(p, e->p.worker);
		buf_put(e, b);
		return false;
	}
	b->len = o.len;
	in->rx->msg = e->edited;
	in->as_sent = e->arrived = in->rx->buf;
	in->rx->buf = b;
	classify_message_scalar(&in->rx->msg, class);
	class->scanner = scanner;
	engine_forget_read(e);
	return true;
}

static unsigned reject(struct engine *e, struct inbound *in, const struct rules_result *r)
{
	if (in->method == SIP_INVITE && in->to_tag.len == 0)
		release_refused(e, in, CAUSE_RULE, r->code);
	return reply_reason(e, in, r->code, r->reason);
}

static unsigned take_result(struct engine *e, struct inbound *in, const struct txn *t,
			    const struct rules_result *r)
{
	uint32_t call = t != NULL && txn_call(e, t) != NULL ? t->call : in->call;
	unsigned side = t != NULL ? t->side : in->side;

	e->mark.flags = flags_of(r);
	e->mark.labels = r->labels;
	e->mark.trace = r->trace;
	if (call != POOL_NONE) {
		mark_call(e, call, r->labels, r->trace);
		mark_leg(e, call, side, e->mark.flags);
	}
	if (r->verdict == RULES_DROP)
		return VERDICT_DROP_RULE;
	return r->verdict == RULES_REJECT ? reject(e, in, r) : VERDICT_NONE;
}

static const struct config *config_of_inbound(const struct engine *e, const struct inbound *in,
					      const struct txn *t)
{
	if (t != NULL)
		return txn_config(e, t);
	return in->call != POOL_NONE ? leg_config(e, &e->legs[2 * in->call + in->side]) : e->config;
}

unsigned manipulate_in(struct engine *e, struct inbound *in, const struct txn *t)
{
	struct rules_facts facts;
	struct rules_result result;
	struct rules_program *p;

	if (!any_rules(e, in->trunk, RULE_IN))
		return VERDICT_NONE;
	facts_of_inbound(e, in, t, &facts);
	p = config_of_inbound(e, in, t)->program;
	if (!rules_any(p, in->trunk, RULE_IN))
		return VERDICT_NONE;
	if (p != e->config->program)
		facts.class = NULL; // it tells what the present rules look for
	if (!rules_apply(p, e->p.worker, &facts, &result, NULL))
		return VERDICT_NONE;
	if (result.changed && result.verdict == RULES_PASS && !take_edited(e, in, &result, p))
		return VERDICT_NONE;
	return take_result(e, in, t, &result);
}

void manipulate_end(struct engine *e, struct rx *rx)
{
	struct sip_buf *edited = rx->buf;

	memset(&e->mark, 0, sizeof(e->mark));
	if (e->arrived == NULL)
		return;
	rx->buf = e->arrived;
	e->arrived = NULL;
	buf_put(e, edited);
}

// --- what leaves

// Rules of a trunk on a message of ours. *b may become another buffer, indexed in e->edited then.
// p: of the message's trunk. False: nothing was changed or said.
static bool run_out(struct engine *e, struct rules_program *p, struct sip_buf **b,
		    struct rules_facts *f, struct rules_result *r)
{
	struct sip_buf *made;
	struct outbuf o;

	if (*b == NULL || sip_msg_parse(&e->composed, slice_of((*b)->data, (*b)->len)) != 0)
		return false;
	f->msg = &e->composed;
	f->direction = RULE_OUT;
	if (!rules_apply(p, e->p.worker, f, r, NULL))
		return false;
	if (!r->changed)
		return true;
	made = buf_get(e, r->len);
	if (made == NULL)
		return false;
	o = outbuf_of(made->data, made->cap);
	if (sip_edit_apply(&o, &e->composed, r->edits) != 0 ||
	    sip_msg_parse(&e->edited, outbuf_slice(&o)) != 0 || e->edited.len != o.len) {
		rules_blame(p, e->p.worker);
		buf_put(e, made);
		return false;
	}
	made->len = o.len;
	made->lines = (struct sip_reply_lines){0};
	buf_put(e, *b);
	*b = made;
	return true;
}

static void facts_of_txn(const struct engine *e, const struct txn *t, struct rules_facts *f)
{
	*f = (struct rules_facts){
		.trunk = t->trunk,
		.ingress = RULES_NO_TRUNK,
		.egress = RULES_NO_TRUNK,
		.method = t->method,
		.dialog = (t->flags & TXN_INITIAL) != 0 ? RULE_DIALOG_CREATING : RULE_DIALOG_IN,
		.in_call = t->call != POOL_NONE,
	};
	if (t->call == POOL_NONE)
		return;
	facts_of_call(e, f, t->call);
	f->peer_lacks_timer = (e->legs[2 * t->call + t->side].st.flags & ST_LEG_PEER_TIMER) == 0;
}

static void take_marks(struct engine *e, const struct txn *t, const struct rules_result *r)
{
	if (t->call == POOL_NONE || e->calls[t->call].gen != t->call_gen)
		return;
	mark_call(e, t->call, r->labels, r->trace);
	mark_leg(e, t->call, t->side, flags_of(r));
}

struct sip_buf *manipulate_request(struct engine *e, struct txn *t, struct sip_buf *b,
				   bool has_timer)
{
	struct rules_facts facts;
	struct rules_result result;
	struct rules_program *p;
	struct st_seen sent;

	if (!any_rules(e, t->trunk, RULE_OUT))
		return b;
	p = txn_config(e, t)->program;
	if (!rules_any(p, t->trunk, RULE_OUT))
		return b;
	facts_of_txn(e, t, &facts);
	if (!run_out(e, p, &b, &facts, &result))
		return b;
	take_marks(e, t, &result);
	if (has_timer && result.changed) {
		st_read(&sent, &e->edited);
		t->offered = st_offered(&sent, t->offered.flags);
	}
	return b;
}

// The leg's timer is the one that our 2xx speaks of.
static void take_sent(struct engine *e, const struct txn *t)
{
	struct leg *leg = engine_leg(e, t->call, t->side);
	struct st_policy policy;
	struct st_seen sent;

	if ((leg->flags & LEG_DISARMED) != 0)
		return; // the operator wants it to differ
	st_read(&sent, &e->edited);
	leg_read_policy(e, leg, &policy);
	if (!st_sent(&policy, &leg->st, &sent, e->now, leg_jitter(e, t->call, t->side)))
		return;
	leg_count_timer(e, leg, false);
	if (leg->state == LEG_CONFIRMED)
		leg_arm(e, t->call, t->side);
}

struct sip_buf *manipulate_response(struct engine *e, const struct txn *t, struct sip_buf *b,
				    bool has_timer)
{
	struct rules_facts facts;
	struct rules_result result;
	struct rules_program *p;

	if (!any_rules(e, t->trunk, RULE_OUT))
		return b;
	p = txn_config(e, t)->program;
	if (!rules_any(p, t->trunk, RULE_OUT))
		return b;
	facts_of_txn(e, t, &facts);
	if (!run_out(e, p, &b, &facts, &result))
		return b;
	take_marks(e, t, &result);
	if (has_timer && result.changed && e->edited.status / 100 == 2)
		take_sent(e, t);
	if ((t->flags & TXN_INITIAL) != 0 && result.code >= 300)
		e->calls[t->call].code = result.code;
	return b;
}

struct sip_buf *manipulate_plain(struct engine *e, struct sip_buf *b, uint16_t trunk)
{
	struct rules_facts facts = {
		.trunk = trunk, .ingress = RULES_NO_TRUNK, .egress = RULES_NO_TRUNK};
	struct rules_result result;
	struct slice method;

	if (b == NULL || !rules_any(e->config->program, trunk, RULE_OUT) ||
	    sip_msg_parse(&e->composed, slice_of(b->data, b->len)) != 0)
		return b;
	method = e->composed.method_token;
	if (!sip_msg_is_request(&e->composed)) {
		struct sip_cseq cseq;

		if (sip_cseq_of(&e->composed, &cseq) != 0)
			return b;
		method = cseq.method_token;
	}
	facts.method = (uint8_t)sip_method_of(method);
	(void)run_out(e, e->config->program, &b, &facts, &result);
	return b;
}
