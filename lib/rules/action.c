// SPDX-License-Identifier: BSD-3-Clause
// What a rule does, on the draft of the message. Worker; allocates nothing: text that is made lies
// in the draft's room.
#include "rules/program.h"

#include "sip/list.h"

static bool delete (struct run *r, const struct rule_action *a, const struct regex *re)
{
	struct draft *d = &r->user->draft;
	unsigned seen = 0;

	for (int i = draft_find(d, &a->header, 0); i >= 0;
	     i = draft_find(d, &a->header, (uint32_t)i + 1)) {
		if (re != NULL && regex_find(re, r->user->regex, d->field[i].value, 0, NULL) != 1)
			continue;
		seen++;
		if (a->which == RULE_NTH && seen != a->nth)
			continue;
		draft_delete(d, (uint32_t)i);
		if (a->which != RULE_ALL_OF)
			break;
	}
	return true;
}

static bool set(struct draft *d, const struct rule_action *a, struct slice value)
{
	int first = draft_find(d, &a->header, 0);

	if (first < 0) {
		draft_add(d, &a->header, value);
		return true;
	}
	draft_set_value(d, (uint32_t)first, value);
	for (int i = draft_find(d, &a->header, (uint32_t)first + 1); i >= 0;
	     i = draft_find(d, &a->header, (uint32_t)i + 1))
		draft_delete(d, (uint32_t)i);
	return true;
}

static bool rename_all(struct draft *d, const struct rule_action *a)
{
	for (int i = draft_find(d, &a->header, 0); i >= 0; i = draft_find(d, &a->header, 0)) {
		if (a->header.id == a->to_header.id &&
		    slice_eq_nocase(a->header.name, a->to_header.name))
			return true;
		d->field[i].name = a->to_header.name;
		d->field[i].id = a->to_header.id;
		d->field[i].flags |= DRAFT_NAME;
	}
	return true;
}

static bool move(struct draft *d, const struct rule_action *a)
{
	bool there = false;

	for (int i = draft_find(d, &a->header, 0); i >= 0 && !there;
	     i = draft_find(d, &a->header, (uint32_t)i + 1)) {
		struct slice rest = d->field[i].value, token;

		while (!there && sip_param_next_value(&rest, &token))
			there = slice_eq_nocase(token, a->text);
	}
	return !there || (action_option(d, &a->header, NULL, 0, &a->text, 1) &&
			  action_option(d, &a->to_header, &a->text, 1, NULL, 0));
}

// Codes stay in their kind: what a provisional, a successful and a refusing response mean for the
// transaction differs.
static unsigned kind_of(unsigned code)
{
	return code < 200 ? 1 : code < 300 ? 2 : 3;
}

static bool status(struct draft *d, const struct rule_action *a)
{
	if (sip_msg_is_request(d->msg) || d->code == 100 || kind_of(d->code) != kind_of(a->code))
		return false;
	d->code = a->code;
	d->reason = a->text.len != 0 ? a->text : sip_reason_phrase(a->code);
	d->status_changed = true;
	return true;
}

// ACK has no answer; BYE and CANCEL end what would go on for ever.
static bool reject(struct run *r, const struct rule_action *a)
{
	const struct sip_msg *m = r->facts->msg;

	if (r->facts->direction != RULE_IN || !sip_msg_is_request(m) || m->method == SIP_ACK ||
	    m->method == SIP_BYE || m->method == SIP_CANCEL)
		return false;
	r->user->result.verdict = RULES_REJECT;
	r->user->result.code = a->code;
	r->user->result.reason = a->text;
	return true;
}

static bool drop(struct run *r)
{
	if (r->facts->direction != RULE_IN)
		return false;
	r->user->result.verdict = RULES_DROP;
	return true;
}

static bool tag(struct run *r, const struct rule_action *a)
{
	for (unsigned i = 0; i < r->p->n_labels; i++)
		if (slice_eq(rules_label(r->p, i), a->text))
			r->user->result.labels |= 1ull << i;
	return true;
}

bool action_do(struct run *r, const struct code *code, uint32_t action)
{
	const struct rule_action *a = &code->rule->actions[action];
	const struct regex *re = r->p->regexes[code->regex + action];
	struct draft *d = &r->user->draft;

	switch ((enum rule_action_kind)a->kind) {
	case RULE_DO_DELETE:
		return delete (r, a, re);
	case RULE_DO_ADD:
		draft_add(d, &a->header, action_expand(r, a->text));
		return true;
	case RULE_DO_SET:
		return set(d, a, action_expand(r, a->text));
	case RULE_DO_SUBSTITUTE:
		return action_substitute(r, a, re);
	case RULE_DO_CAPTURE:
		return action_capture(r, a, re);
	case RULE_DO_RENAME:
		return rename_all(d, a);
	case RULE_DO_OPTION:
		return action_option(d, &a->header, a->add, a->n_add, a->remove, a->n_remove);
	case RULE_DO_NUMBER:
		return action_number(d, a);
	case RULE_DO_URI:
		return action_uri(r, a);
	case RULE_DO_STATUS:
		return status(d, a);
	case RULE_DO_REJECT:
		return reject(r, a);
	case RULE_DO_DROP:
		return drop(r);
	case RULE_DO_TAG:
		return tag(r, a);
	case RULE_DO_TRACE:
		r->user->result.trace = true;
		return true;
	case RULE_DO_MOVE:
		return move(d, a);
	case RULE_DO_STRIP_TIMER:
	case RULE_DO_EXPIRES:
	case RULE_DO_REFRESHER:
	case RULE_DO_HIDE_UPDATE:
	case RULE_DO_MIN_SE:
	case RULE_DO_DISARM:
		return action_timer(r, a);
	case RULE_DO_N:
		break;
	}
	return false;
}
