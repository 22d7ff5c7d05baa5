// SPDX-License-Identifier: BSD-3-Clause
// Rules that are never reached, and lists that a rule does not belong to.
// Control thread; pure but for findings.
#include "config/config_rules.h"

static bool same_test(const struct rule_test *a, const struct rule_test *b)
{
	return a->kind == b->kind && a->exact == b->exact && a->number == b->number &&
	       slice_eq_nocase(a->header.name, b->header.name) && slice_eq(a->text, b->text);
}

static bool codes_within(const struct rule_cond *inner, const struct rule_cond *outer)
{
	for (uint32_t i = 0; i < inner->n_codes; i++) {
		bool found = false;

		for (uint32_t j = 0; j < outer->n_codes && !found; j++)
			found = inner->codes[i].from >= outer->codes[j].from &&
				inner->codes[i].to <= outer->codes[j].to;
		if (!found)
			return false;
	}
	return true;
}

static bool trunks_within(const struct rule_cond *inner, const struct rule_cond *outer)
{
	for (uint32_t i = 0; i < inner->n_trunks; i++) {
		bool found = false;

		for (uint32_t j = 0; j < outer->n_trunks && !found; j++)
			found = inner->trunks[i] == outer->trunks[j];
		if (!found)
			return false;
	}
	return true;
}

// Whether b holds wherever a does. Says no where it does not know. Both are trees of at most
// RULE_MAX_DEPTH levels; only equal kinds are compared, and inner nodes by place.
static bool implies(const struct rule_cond *a, const struct rule_cond *b)
{
	if (b->kind == RULE_COND_KIND && a->kind == RULE_COND_METHOD)
		return b->bits == 1u << RULE_REQUEST;
	if (b->kind == RULE_COND_KIND && a->kind == RULE_COND_CODE)
		return b->bits == 1u << RULE_RESPONSE;
	if (a->kind != b->kind)
		return false;
	switch ((enum rule_cond_kind)a->kind) {
	case RULE_COND_DIRECTION:
	case RULE_COND_KIND:
	case RULE_COND_METHOD:
	case RULE_COND_TRANSACTION:
	case RULE_COND_DIALOG:
		return (a->bits & ~b->bits) == 0;
	case RULE_COND_CODE:
		return codes_within(a, b);
	case RULE_COND_INGRESS:
	case RULE_COND_EGRESS:
		return trunks_within(a, b);
	case RULE_COND_HEADER:
	case RULE_COND_AGENT:
		return same_test(&a->test, &b->test) ||
		       (b->test.kind == RULE_TEST_PRESENT && a->test.kind != RULE_TEST_ABSENT &&
			slice_eq_nocase(a->test.header.name, b->test.header.name));
	case RULE_COND_BODY:
		return slice_eq(a->text, b->text);
	case RULE_COND_ALL:
	case RULE_COND_ANY:
	case RULE_COND_NOT:
		if (a->n_sub != b->n_sub)
			return false;
		for (uint32_t i = 0; i < a->n_sub; i++)
			if (!implies(a->kind == RULE_COND_NOT ? &b->sub[i] : &a->sub[i],
				     a->kind == RULE_COND_NOT ? &a->sub[i] : &b->sub[i]))
				return false;
		return true;
	case RULE_COND_N:
		break;
	}
	return false;
}

// Whether each part of `outer` follows from some part of `inner`.
static bool covers(const struct rule *outer, const struct rule *inner)
{
	for (uint32_t i = 0; i < outer->when.n_sub; i++) {
		bool found = false;

		for (uint32_t j = 0; j < inner->when.n_sub && !found; j++)
			found = implies(&inner->when.sub[j], &outer->when.sub[i]);
		if (!found)
			return false;
	}
	return true;
}

// Requests, and none of them ACK, which is never rejected.
static bool only_rejectable(const struct rule *r)
{
	for (uint32_t i = 0; i < r->when.n_sub; i++)
		if (r->when.sub[i].kind == RULE_COND_METHOD &&
		    (r->when.sub[i].bits & SIP_METHOD_BIT(ACK)) == 0)
			return true;
	return false;
}

// The action that takes the message away; -1: none.
static int ends_with(const struct rule *r)
{
	for (uint32_t i = 0; i < r->n_actions; i++)
		if (r->actions[i].kind == RULE_DO_DROP || r->actions[i].kind == RULE_DO_REJECT)
			return r->actions[i].kind;
	return -1;
}

// Whether the rule is for arriving messages only, by its own condition.
static bool only_in(const struct rule *r)
{
	for (uint32_t i = 0; i < r->when.n_sub; i++)
		if (r->when.sub[i].kind == RULE_COND_DIRECTION &&
		    r->when.sub[i].bits == 1u << RULE_IN)
			return true;
	return false;
}

// Reject and drop act on what arrives only, and config_rules_check_chain() keeps rules that have
// them out of the lists `out`: so the direction need not be looked at here.
static void check_variables(struct config_loader *l, const struct rule_set *set)
{
	struct rule_variables known = {0};
	char fault[RULE_FAULT_MAX];
	uint32_t line = 0;

	for (uint32_t i = 0; i < set->n_rules; i++)
		if (!rule_check_variables(&known, &set->rules[i], &line, fault)) {
			l->r.line = line;
			config_value_fault(&l->r, "has the rule " SLICE_FMT ": %s",
					   SLICE_ARG(set->rules[i].name), fault);
		}
}

void config_rules_check_set(struct config_loader *l, const struct rule_set *set)
{
	check_variables(l, set);
	for (uint32_t i = 0; i < set->n_rules; i++) {
		const struct rule *first = &set->rules[i];
		int end = ends_with(first);

		for (uint32_t j = i + 1; end >= 0 && j < set->n_rules; j++) {
			const struct rule *later = &set->rules[j];

			if (!covers(first, later))
				continue;
			if (end == RULE_DO_REJECT && !only_rejectable(later))
				continue;
			l->r.line = later->line;
			config_value_fault(
				&l->r,
				"has the rule " SLICE_FMT ", which is never reached: "
				"" SLICE_FMT " (line %u) %ss all of its messages; put it "
				"before that, or take it out",
				SLICE_ARG(later->name), SLICE_ARG(first->name), first->line,
				rule_action_key((enum rule_action_kind)end));
			break;
		}
	}
}

void config_rules_check_chain(struct config_loader *l, const struct config_trunk *t,
			      enum rule_direction direction)
{
	const struct rule_book *book = &l->r.c->rules;
	const struct rule_chain *chain = &book->trunks[t->id].chain[direction];

	for (uint32_t i = 0; i < chain->n; i++) {
		const struct rule_set *set = &book->sets[chain->sets[i]];

		for (uint32_t j = 0; j < set->n_rules; j++) {
			const struct rule *r = &set->rules[j];
			int end = ends_with(r);

			if (end < 0)
				continue;
			if (direction == RULE_OUT && !only_in(r))
				config_value_fault(
					&l->r,
					"has the set " SLICE_FMT ", whose rule " SLICE_FMT
					" (line %u) %ss messages: that is for the list "
					"in; give the rule direction: in, or take the "
					"set out",
					SLICE_ARG(set->name), SLICE_ARG(r->name), r->line,
					rule_action_key((enum rule_action_kind)end));
			else if (direction == RULE_IN && end == RULE_DO_DROP && i + 1 < chain->n &&
				 r->when.n_sub == (only_in(r) ? 1u : 0u))
				config_value_fault(
					&l->r,
					"has sets behind " SLICE_FMT " that are never "
					"reached: its rule " SLICE_FMT " (line %u) drops "
					"every message; put it last",
					SLICE_ARG(set->name), SLICE_ARG(r->name), r->line);
		}
	}
}
