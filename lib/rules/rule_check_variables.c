// SPDX-License-Identifier: BSD-3-Clause
// Whether variables are captured before they are written. Control thread or a command.
#include <stdio.h>

#include "rules/rule_check.h"
#include "rules/variable.h"

// The kinds of messages that a rule may apply to, as far as the keys of its condition say.
static uint8_t kinds_of(const struct rule *r)
{
	uint8_t kinds = 1u << RULE_REQUEST | 1u << RULE_RESPONSE;

	for (uint32_t i = 0; i < r->when.n_sub; i++) {
		const struct rule_cond *c = &r->when.sub[i];

		if (c->kind == RULE_COND_KIND)
			kinds &= (uint8_t)c->bits;
		else if (c->kind == RULE_COND_METHOD)
			kinds &= 1u << RULE_REQUEST;
		else if (c->kind == RULE_COND_CODE)
			kinds &= 1u << RULE_RESPONSE;
	}
	return kinds;
}

// The first variable of a text that was not captured on such messages; 0: there is none.
static unsigned unknown_in(const struct rule_variables *known, uint8_t kinds, struct slice text,
			   bool escapes)
{
	uint32_t at = 0;
	unsigned number;

	do
		number = variable_next(text, escapes, &at);
	while (number != 0 && (known->kinds[number] & kinds) != 0);
	return number;
}

static unsigned unknown_of(const struct rule_variables *known, uint8_t kinds,
			   const struct rule_action *a)
{
	unsigned number;

	if (a->kind == RULE_DO_URI) {
		number = unknown_in(known, kinds, a->user, false);
		return number != 0 ? number : unknown_in(known, kinds, a->host, false);
	}
	if (a->kind == RULE_DO_ADD || a->kind == RULE_DO_SET || a->kind == RULE_DO_SUBSTITUTE)
		return unknown_in(known, kinds, a->text, a->kind == RULE_DO_SUBSTITUTE);
	return 0;
}

bool rule_check_variables(struct rule_variables *known, const struct rule *rule, uint32_t *line,
			  char fault[RULE_FAULT_MAX])
{
	uint8_t kinds = kinds_of(rule), has;
	bool good = true;

	for (uint32_t i = 0; i < rule->n_actions; i++) {
		const struct rule_action *a = &rule->actions[i];
		unsigned number = good ? unknown_of(known, kinds, a) : 0;

		if (a->kind == RULE_DO_CAPTURE)
			known->kinds[a->variable] |= kinds;
		if (number == 0)
			continue;
		good = false;
		has = known->kinds[number];
		*line = a->line;
		snprintf(fault, RULE_FAULT_MAX,
			 "\\u%02u holds nothing: capture it before, in this rule or an earlier one "
			 "of "
			 "its set%s",
			 number,
			 has == 0		     ? ""
			 : has == 1u << RULE_REQUEST ? ", from a response (requests alone do so)"
						     : ", from a request (responses alone do so)");
	}
	return good;
}
