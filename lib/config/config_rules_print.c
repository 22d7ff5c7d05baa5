// SPDX-License-Identifier: BSD-3-Clause
// Message rules as YAML: one line for a condition, one for each action.
// Any thread; writes into the caller's buffer. What is printed reads as the same rules.
#include "config/config_rules_print.h"

#include <errno.h>

#include "config/config_rules_args.h"
#include "config/config_text.h"
#include "rules/rule_check.h"

// One character of UTF-8 that libyaml would not take as it is; *len is how many bytes it has.
static uint32_t code_point(struct slice s, uint32_t *len)
{
	uint8_t c = s.p[0];
	uint32_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t v = n == 1 ? c : c & (0xffu >> (n + 1));

	if (n > s.len)
		n = 1;
	for (uint32_t i = 1; i < n; i++)
		v = v << 6 | (s.p[i] & 0x3f);
	*len = n;
	return v;
}

void config_rules_print_text(struct outbuf *out, struct slice text)
{
	outbuf_put_char(out, '"');
	while (text.len != 0) {
		uint8_t c = text.p[0];
		uint32_t n = 1;

		if (c == '"' || c == '\\') {
			outbuf_put_char(out, '\\');
			outbuf_put_char(out, (char)c);
		} else if (c >= ' ' && c < 0x7f) {
			outbuf_put_char(out, (char)c);
		} else {
			outbuf_put_lit(out, "\\U");
			outbuf_put_hex(out, code_point(text, &n), 8);
		}
		text = slice_from(text, n);
	}
	outbuf_put_char(out, '"');
}

// Without quotes where YAML reads it as the same text.
static void print_word(struct outbuf *out, struct slice s)
{
	static const char *const special[] = {"null", "true", "false", "yes", "no",
					      "on",   "off",  "y",     "n"};
	bool plain = s.len != 0;

	for (uint32_t i = 0; i < s.len && plain; i++) {
		uint8_t c = slice_lower(s.p[i]);

		plain = (c >= 'a' && c <= 'z') || (i != 0 && ((c >= '0' && c <= '9') || c == '-'));
	}
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]) && plain; i++)
		plain = !slice_eq_nocase(s, slice_of_str(special[i]));
	if (plain)
		outbuf_put_slice(out, s);
	else
		config_rules_print_text(out, s);
}

// --- conditions

static void print_cond(struct outbuf *out, const struct config *c, const struct rule_cond *cond);

static void print_methods(struct outbuf *out, uint32_t bits)
{
	bool first = true;

	if (bits == UINT32_MAX) {
		outbuf_put_lit(out, "[ANY]");
		return;
	}
	outbuf_put_char(out, '[');
	for (unsigned m = SIP_METHOD_NONE + 1; m < SIP_METHOD_OTHER; m++) {
		if ((bits >> m & 1) == 0)
			continue;
		outbuf_put_str(out, first ? "" : ", ");
		outbuf_put_slice(out, sip_method_token((enum sip_method)m));
		first = false;
	}
	outbuf_put_char(out, ']');
}

static void print_codes(struct outbuf *out, const struct rule_cond *cond)
{
	outbuf_put_char(out, '[');
	for (uint32_t i = 0; i < cond->n_codes; i++) {
		const struct rule_codes *r = &cond->codes[i];

		outbuf_put_str(out, i != 0 ? ", " : "");
		outbuf_put_u64(out, r->from % 100 == 0 && r->to == r->from + 99 ? r->from / 100u
										: r->from);
		if (r->from % 100 == 0 && r->to == r->from + 99) {
			outbuf_put_lit(out, "xx");
		} else if (r->from != r->to) {
			outbuf_put_lit(out, "..");
			outbuf_put_u64(out, r->to);
		}
	}
	outbuf_put_char(out, ']');
}

static void print_trunks(struct outbuf *out, const struct config *c, const struct rule_cond *cond)
{
	outbuf_put_char(out, '[');
	for (uint32_t i = 0; i < cond->n_trunks; i++) {
		outbuf_put_str(out, i != 0 ? ", " : "");
		config_rules_print_text(out, slice_of_str(c->trunks[cond->trunks[i]].name));
	}
	outbuf_put_char(out, ']');
}

static void print_test(struct outbuf *out, const struct rule_test *test, bool header)
{
	outbuf_put_lit(out, "{ ");
	if (header) {
		outbuf_put_lit(out, "name: ");
		print_word(out, test->header.name);
		outbuf_put_lit(out, ", ");
	}
	outbuf_put_str(out, rule_test_key(test->kind == RULE_TEST_ABSENT
						  ? RULE_TEST_PRESENT
						  : (enum rule_test_kind)test->kind));
	outbuf_put_lit(out, ": ");
	if (test->kind == RULE_TEST_PRESENT || test->kind == RULE_TEST_ABSENT)
		outbuf_put_str(out, test->kind == RULE_TEST_PRESENT ? "true" : "false");
	else if (test->kind >= RULE_TEST_LT)
		outbuf_put_u64(out, test->number);
	else
		config_rules_print_text(out, test->text);
	outbuf_put_str(out, test->exact ? ", case: exact }" : " }");
}

static void print_bits(struct outbuf *out, uint32_t bits, const char *first, const char *second)
{
	outbuf_put_str(out, (bits & 1) != 0 ? first : second);
}

static bool is_list_kind(uint8_t kind)
{
	return kind == RULE_COND_HEADER || kind == RULE_COND_AGENT;
}

// Whether the parts of an ALL can stand as keys of one mapping: each kind once, and tests of
// headers (or agents) in one run.
static bool is_mapping(const struct rule_cond *all)
{
	uint32_t seen = 0;

	for (uint32_t i = 0; i < all->n_sub; i++) {
		uint8_t kind = all->sub[i].kind;
		bool goes_on = i != 0 && is_list_kind(kind) && all->sub[i - 1].kind == kind;

		if (!goes_on && (seen >> kind & 1) != 0)
			return false;
		seen |= 1u << kind;
	}
	return true;
}

static void print_value(struct outbuf *out, const struct config *c, const struct rule_cond *cond);

// The parts of an ALL as a mapping, without its braces.
static void print_pairs(struct outbuf *out, const struct config *c, const struct rule_cond *all)
{
	for (uint32_t i = 0; i < all->n_sub; i++) {
		const struct rule_cond *cond = &all->sub[i];
		uint32_t run = 1;

		while (is_list_kind(cond->kind) && i + run < all->n_sub &&
		       all->sub[i + run].kind == cond->kind)
			run++;
		outbuf_put_str(out, i != 0 ? ", " : "");
		outbuf_put_str(out, rule_cond_key((enum rule_cond_kind)cond->kind));
		outbuf_put_lit(out, ": ");
		outbuf_put_str(out, run > 1 ? "[" : "");
		for (uint32_t j = 0; j < run; j++) {
			outbuf_put_str(out, j != 0 ? ", " : "");
			print_value(out, c, cond + j);
		}
		outbuf_put_str(out, run > 1 ? "]" : "");
		i += run - 1;
	}
}

static void print_sub(struct outbuf *out, const struct config *c, const struct rule_cond *cond)
{
	outbuf_put_char(out, '[');
	for (uint32_t i = 0; i < cond->n_sub; i++) {
		outbuf_put_str(out, i != 0 ? ", " : "");
		print_cond(out, c, &cond->sub[i]);
	}
	outbuf_put_char(out, ']');
}

// What follows the key of a condition.
static void print_value(struct outbuf *out, const struct config *c, const struct rule_cond *cond)
{
	switch ((enum rule_cond_kind)cond->kind) {
	case RULE_COND_ALL:
	case RULE_COND_ANY:
		print_sub(out, c, cond);
		break;
	case RULE_COND_NOT:
		print_cond(out, c, &cond->sub[0]);
		break;
	case RULE_COND_DIRECTION:
		print_bits(out, cond->bits, "in", "out");
		break;
	case RULE_COND_KIND:
		print_bits(out, cond->bits, "request", "response");
		break;
	case RULE_COND_DIALOG:
		print_bits(out, cond->bits, "creating", "in");
		break;
	case RULE_COND_METHOD:
	case RULE_COND_TRANSACTION:
		print_methods(out, cond->bits);
		break;
	case RULE_COND_CODE:
		print_codes(out, cond);
		break;
	case RULE_COND_INGRESS:
	case RULE_COND_EGRESS:
		print_trunks(out, c, cond);
		break;
	case RULE_COND_HEADER:
	case RULE_COND_AGENT:
		print_test(out, &cond->test, cond->kind == RULE_COND_HEADER);
		break;
	case RULE_COND_BODY:
		if (cond->text.len == 0)
			outbuf_put_lit(out, "none");
		else
			config_rules_print_text(out, cond->text);
		break;
	case RULE_COND_N:
		break;
	}
}

// A condition inside all, any or not: a mapping.
static void print_cond(struct outbuf *out, const struct config *c, const struct rule_cond *cond)
{
	bool plain = cond->kind == RULE_COND_ALL && cond->n_sub != 1 && is_mapping(cond);

	outbuf_put_lit(out, "{ ");
	if (plain) {
		print_pairs(out, c, cond);
	} else {
		outbuf_put_str(out, rule_cond_key((enum rule_cond_kind)cond->kind));
		outbuf_put_lit(out, ": ");
		print_value(out, c, cond);
	}
	outbuf_put_lit(out, " }");
}

// --- actions

static void print_tokens(struct outbuf *out, const struct slice *list, uint32_t n)
{
	outbuf_put_char(out, '[');
	for (uint32_t i = 0; i < n; i++) {
		outbuf_put_str(out, i != 0 ? ", " : "");
		print_word(out, list[i]);
	}
	outbuf_put_char(out, ']');
}

static void print_params(struct outbuf *out, const struct rule_action *a)
{
	outbuf_put_lit(out, "{ ");
	for (uint32_t i = 0; i < a->n_params; i++) {
		outbuf_put_str(out, i != 0 ? ", " : "");
		config_rules_print_text(out, a->params[i].name);
		outbuf_put_lit(out, ": ");
		if (a->params[i].value.p == NULL)
			outbuf_put_char(out, '~');
		else
			config_rules_print_text(out, a->params[i].value);
	}
	outbuf_put_lit(out, " }");
}

// Whether the action has this argument.
static bool has_arg(const struct rules_arg *arg, const struct rule_action *a)
{
	const struct slice *text =
		(const struct slice *)(const void *)((const uint8_t *)a + arg->offset);

	if (config_rules_change(arg->type) >= 0)
		return config_rules_change(arg->type) == a->change;
	if (arg->type == RULES_ARG_CASE)
		return a->match.p != NULL;
	if (arg->type == RULES_ARG_TOKENS)
		return (arg->offset == offsetof(struct rule_action, add) ? a->n_add
									 : a->n_remove) != 0;
	if (arg->type == RULES_ARG_PARAMS)
		return a->n_params != 0;
	if (arg->need == RULES_ARG_MAY || arg->need == RULES_ARG_SOME)
		return (arg->type != RULES_ARG_TEXT && arg->type != RULES_ARG_REGEX) ||
		       text->p != NULL;
	return true;
}

static void print_which(struct outbuf *out, const struct rule_action *a)
{
	if (a->which == RULE_NTH)
		outbuf_put_u64(out, a->nth);
	else
		outbuf_put_str(out, a->which == RULE_FIRST ? "first" : "all");
}

static void print_arg(struct outbuf *out, const struct rules_arg *arg, const struct rule_action *a)
{
	const void *field = (const uint8_t *)a + arg->offset;

	switch (arg->type) {
	case RULES_ARG_HEADER:
		print_word(out, ((const struct rule_header *)field)->name);
		break;
	case RULES_ARG_URI_HEADER:
		print_word(out, a->request_uri ? SLICE_LIT("Request-URI") : a->header.name);
		break;
	case RULES_ARG_TEXT:
	case RULES_ARG_REGEX:
		config_rules_print_text(out, *(const struct slice *)field);
		break;
	case RULES_ARG_CODE:
		outbuf_put_u64(out, a->code);
		break;
	case RULES_ARG_VARIABLE:
		outbuf_put_char(out, 'u');
		outbuf_put_char(out, (char)('0' + a->variable / 10));
		outbuf_put_char(out, (char)('0' + a->variable % 10));
		break;
	case RULES_ARG_TOKENS:
		if (arg->offset == offsetof(struct rule_action, add))
			print_tokens(out, a->add, a->n_add);
		else
			print_tokens(out, a->remove, a->n_remove);
		break;
	case RULES_ARG_PARAMS:
		print_params(out, a);
		break;
	case RULES_ARG_WHICH:
		print_which(out, a);
		break;
	case RULES_ARG_CASE:
		outbuf_put_str(out, a->any_case ? "ignore" : "exact");
		break;
	case RULES_ARG_FLAG:
		outbuf_put_lit(out, "true");
		break;
	case RULES_ARG_REFRESHER:
		outbuf_put_str(out, a->refresher == RULE_LOCAL ? "local" : "remote");
		break;
	case RULES_ARG_CHANGE_SCALE:
		config_text_print_number(out, a->number / 1000.0);
		break;
	case RULES_ARG_CHANGE_SET:
	case RULES_ARG_CHANGE_MIN:
	case RULES_ARG_CHANGE_MAX:
	case RULES_ARG_SECONDS_SET:
	case RULES_ARG_SECONDS_MAX:
		outbuf_put_u64(out, a->number);
		break;
	}
}

static void print_action(struct outbuf *out, const struct rule_action *a)
{
	bool first = true;

	outbuf_put_str(out, rule_action_key((enum rule_action_kind)a->kind));
	outbuf_put_lit(out, ": ");
	for (unsigned i = 0; i < config_rules_n_args; i++) {
		const struct rules_arg *arg = &config_rules_args[i];

		if (arg->action != (enum rule_action_kind)a->kind || !has_arg(arg, a))
			continue;
		if (arg->key[0] == 0) {
			print_arg(out, arg, a);
			return;
		}
		outbuf_put_str(out, first ? "{ " : ", ");
		outbuf_put_str(out, arg->key);
		outbuf_put_lit(out, ": ");
		print_arg(out, arg, a);
		first = false;
	}
	outbuf_put_lit(out, " }");
}

// --- rules and sets

static bool has_default_name(const struct rule_set *set, uint32_t i)
{
	char text[96];

	snprintf(text, sizeof(text), "%.*s#%u", SLICE_ARG(slice_first(set->name, 63)), i + 1);
	return slice_eq(set->rules[i].name, slice_of_str(text));
}

static void print_rule(struct outbuf *out, const struct config *c, const struct rule_set *set,
		       uint32_t i)
{
	const struct rule *r = &set->rules[i];

	outbuf_put_lit(out, "    - ");
	if (!has_default_name(set, i)) {
		outbuf_put_lit(out, "name: ");
		config_rules_print_text(out, r->name);
		outbuf_put_lit(out, "\n      ");
	}
	if (r->when.n_sub != 0) {
		outbuf_put_lit(out, "when: { ");
		if (is_mapping(&r->when)) {
			print_pairs(out, c, &r->when);
		} else {
			outbuf_put_lit(out, "all: ");
			print_sub(out, c, &r->when);
		}
		outbuf_put_lit(out, " }\n      ");
	}
	outbuf_put_lit(out, "do:\n");
	for (uint32_t j = 0; j < r->n_actions; j++) {
		outbuf_put_lit(out, "        - ");
		print_action(out, &r->actions[j]);
		outbuf_put_char(out, '\n');
	}
}

void config_rules_print_set(struct outbuf *out, const struct config *c, const struct rule_set *set)
{
	outbuf_put_lit(out, "  ");
	config_rules_print_text(out, set->name);
	outbuf_put_lit(out, ":\n");
	for (uint32_t i = 0; i < set->n_rules; i++)
		print_rule(out, c, set, i);
}

int config_rules_print(struct outbuf *out, const struct config *c)
{
	outbuf_put_str(out, c->rules.n_sets == 0 ? "rules: {}\n" : "rules:\n");
	for (uint32_t i = 0; i < c->rules.n_sets; i++)
		config_rules_print_set(out, c, &c->rules.sets[i]);
	return out->full ? -ENOSPC : 0;
}
