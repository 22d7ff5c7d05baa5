// SPDX-License-Identifier: BSD-3-Clause
// Conditions of rules, on the message as the rules before left it. Worker; allocates nothing.
#include "rules/program.h"

#include <errno.h>

#include "sip/chars.h"
#include "stat/stat.h"

bool eval_number(struct slice value, uint64_t *number, uint32_t *digits)
{
	uint32_t n = sip_chars_span(value, SIP_CHARS_DIGIT);

	*number = 0;
	for (uint32_t i = 0; i < n; i++)
		*number = *number > (UINT64_MAX - 9) / 10 ? UINT64_MAX
							  : *number * 10 + value.p[i] - '0';
	*digits = n;
	return n != 0;
}

static bool contains(struct slice s, struct slice text, bool exact)
{
	for (uint32_t i = 0; i + text.len <= s.len; i++) {
		struct slice at = slice_of(s.p + i, text.len);

		if (exact ? slice_eq(at, text) : slice_eq_nocase(at, text))
			return true;
	}
	return false;
}

static bool matches(struct run *r, const struct node *n, struct slice value)
{
	int rc = regex_find(n->regex, r->user->regex, value, 0, NULL);

	r->gave_up += rc == -ETIME;
	return rc == 1;
}

static bool test_value(struct run *r, const struct node *n, struct slice value)
{
	const struct rule_test *t = &n->cond->test;
	uint64_t number;
	uint32_t digits;

	switch ((enum rule_test_kind)t->kind) {
	case RULE_TEST_PRESENT:
		return true;
	case RULE_TEST_EQUALS:
		return t->exact ? slice_eq(value, t->text) : slice_eq_nocase(value, t->text);
	case RULE_TEST_CONTAINS:
		return contains(value, t->text, t->exact);
	case RULE_TEST_MATCHES:
		return matches(r, n, value);
	case RULE_TEST_LT:
		return eval_number(value, &number, &digits) && number < t->number;
	case RULE_TEST_LE:
		return eval_number(value, &number, &digits) && number <= t->number;
	case RULE_TEST_GT:
		return eval_number(value, &number, &digits) && number > t->number;
	case RULE_TEST_GE:
		return eval_number(value, &number, &digits) && number >= t->number;
	case RULE_TEST_ABSENT:
	case RULE_TEST_N:
		break;
	}
	return false;
}

static bool test_header(struct run *r, const struct node *n, uint8_t head)
{
	const struct rule_header *h = &r->p->heads[head];
	const struct draft *d = &r->user->draft;

	if (h->id == CLASSIFY_REQUEST_URI)
		return sip_msg_is_request(d->msg) && test_value(r, n, d->uri);
	for (int i = draft_find(d, h, 0); i >= 0; i = draft_find(d, h, (uint32_t)i + 1))
		if (test_value(r, n, d->field[i].value))
			return true;
	return false;
}

// The scan did not find it, and no rule has changed the headers since.
static bool ruled_out(const struct run *r, const struct node *n)
{
	if (n->atom == PROGRAM_NO_ATOM || r->class->hits_all)
		return false;
	for (unsigned i = 0; i < 2; i++)
		if (n->head[i] != PROGRAM_NO_HEAD && (r->user->dirty >> n->head[i] & 1) != 0)
			return false;
	for (unsigned i = 0; i < r->class->n_hits; i++)
		if (r->class->hits[i] == n->atom)
			return false;
	return true;
}

static bool test(struct run *r, const struct node *n)
{
	bool holds = false;

	if (ruled_out(r, n))
		return false;
	for (unsigned i = 0; i < 2 && !holds; i++)
		if (n->head[i] != PROGRAM_NO_HEAD)
			holds = test_header(r, n, n->head[i]);
	return n->cond->test.kind == RULE_TEST_ABSENT
		       ? draft_find(&r->user->draft, &r->p->heads[n->head[0]], 0) < 0 &&
				 (n->head[1] == PROGRAM_NO_HEAD ||
				  draft_find(&r->user->draft, &r->p->heads[n->head[1]], 0) < 0)
		       : holds;
}

static bool body_is(const struct run *r, struct slice type)
{
	static const struct rule_header content = {SLICE_NONE, SIP_H_CONTENT_TYPE};
	const struct draft *d = &r->user->draft;
	int at = draft_find(d, &content, 0);
	struct slice value;
	int64_t semicolon;

	if (type.len == 0 || d->msg->body.len == 0)
		return type.len == 0 && d->msg->body.len == 0;
	value = at >= 0 ? d->field[at].value : SLICE_LIT("application/sdp");
	semicolon = slice_find(value, ';');
	if (semicolon >= 0)
		value = slice_trim(slice_first(value, (uint32_t)semicolon));
	return slice_eq_nocase(value, type);
}

static bool code_is(const struct rule_cond *c, uint16_t code)
{
	for (uint32_t i = 0; i < c->n_codes; i++)
		if (code >= c->codes[i].from && code <= c->codes[i].to)
			return true;
	return false;
}

static bool trunk_is(const struct rule_cond *c, uint16_t trunk)
{
	for (uint32_t i = 0; i < c->n_trunks && trunk != RULES_NO_TRUNK; i++)
		if (c->trunks[i] == trunk)
			return true;
	return false;
}

// Conditions on what is not text.
static bool fact(const struct run *r, const struct rule_cond *c)
{
	const struct rules_facts *f = r->facts;
	bool request = sip_msg_is_request(f->msg);

	switch ((enum rule_cond_kind)c->kind) {
	case RULE_COND_DIRECTION:
		return (c->bits >> f->direction & 1) != 0;
	case RULE_COND_KIND:
		return (c->bits >> (request ? RULE_REQUEST : RULE_RESPONSE) & 1) != 0;
	case RULE_COND_METHOD:
		return request && (c->bits >> f->msg->method & 1) != 0;
	case RULE_COND_TRANSACTION:
		return (c->bits >> f->method & 1) != 0;
	case RULE_COND_CODE:
		return !request && code_is(c, r->user->draft.code);
	case RULE_COND_DIALOG:
		return f->in_call && (c->bits >> f->dialog & 1) != 0;
	case RULE_COND_INGRESS:
		return trunk_is(c, f->ingress);
	case RULE_COND_EGRESS:
		return trunk_is(c, f->egress);
	case RULE_COND_BODY:
		return body_is(r, c->text);
	case RULE_COND_ALL:
	case RULE_COND_ANY:
	case RULE_COND_NOT:
	case RULE_COND_HEADER:
	case RULE_COND_AGENT:
	case RULE_COND_N:
		break;
	}
	return false;
}

static bool eval(struct run *r, const struct node *n)
{
	const struct node *sub = &r->p->nodes[n->first];

	switch ((enum rule_cond_kind)n->kind) {
	case RULE_COND_ALL:
		for (uint32_t i = 0; i < n->n; i++)
			if (!eval(r, &sub[i]))
				return false;
		return true;
	case RULE_COND_ANY:
		for (uint32_t i = 0; i < n->n; i++)
			if (eval(r, &sub[i]))
				return true;
		return false;
	case RULE_COND_NOT:
		return !eval(r, sub);
	case RULE_COND_HEADER:
	case RULE_COND_AGENT:
		return test(r, n);
	default:
		return fact(r, n->cond);
	}
}

bool eval_rule(struct run *r, const struct code *code)
{
	return eval(r, &r->p->nodes[code->root]);
}
