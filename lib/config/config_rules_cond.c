// SPDX-License-Identifier: BSD-3-Clause
// The `when` of message rules: YAML nodes into struct rule_cond.
// Control thread; allocates from the snapshot. Depth and number of nodes are bounded, so that
// neither nesting nor aliases decide how long this takes.
#include "config/config_rules.h"

#include <errno.h>

static const char *const cond_words[] = {
#define RULE_COND(id, key, args) key,
#include "rules/rule.def"
	NULL};
static const char *const directions[] = {"in", "out", NULL};
static const char *const kinds[] = {"request", "response", NULL};
static const char *const dialogs[] = {"creating", "in", NULL};
static const char *const cases[] = {"ignore", "exact", NULL};

static int read_map(struct config_rules_from *from, const yaml_node_t *node, unsigned depth,
		    struct rule_cond *all);

static int read_bit(struct config_loader *l, const yaml_node_t *node, const char *const *words,
		    struct rule_cond *cond)
{
	uint32_t index = 0;
	int rc = config_rules_word(l, node, words, &index);

	cond->bits = 1u << index;
	return rc;
}

static int read_methods(struct config_loader *l, const yaml_node_t *node, struct rule_cond *cond)
{
	uint32_t n;
	int rc = config_rules_scalars(l, node, SIP_METHOD_N, &n);

	for (uint32_t i = 0; i < n; i++) {
		const yaml_node_t *item = config_rules_scalar(l, node, i);
		struct slice word = config_node_text(item);
		enum sip_method method = sip_method_of(word);

		config_node_look_at(&l->r, item);
		if (slice_eq(word, SLICE_LIT("ANY"))) {
			cond->bits = UINT32_MAX;
		} else if (method > SIP_METHOD_NONE && method < SIP_METHOD_OTHER) {
			cond->bits |= 1u << method;
		} else {
			config_value_fault(&l->r,
					   "has \"%.*s\", which is no method; write one like "
					   "INVITE, or ANY",
					   (int)(word.len < 40 ? word.len : 40), word.p);
			rc = -EINVAL;
		}
	}
	return rc;
}

// 200, 4xx, 500..599
static bool read_range(struct slice s, struct rule_codes *range)
{
	uint32_t v[2] = {0, 0}, n = 0;

	if (s.len == 3 && s.p[0] >= '1' && s.p[0] <= '6' && slice_lower(s.p[1]) == 'x' &&
	    slice_lower(s.p[2]) == 'x') {
		range->from = (uint16_t)((s.p[0] - '0') * 100);
		range->to = range->from + 99;
		return true;
	}
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.p[i] >= '0' && s.p[i] <= '9' && i % 5 < 3) {
			v[n] = v[n] * 10 + (uint32_t)(s.p[i] - '0');
		} else if (i == 3 && s.len == 8 && s.p[3] == '.' && s.p[4] == '.') {
			n = 1;
			i = 4;
		} else {
			return false;
		}
	}
	if (n == 0)
		v[1] = v[0];
	range->from = (uint16_t)v[0];
	range->to = (uint16_t)v[1];
	return (s.len == 3 || s.len == 8) && v[0] >= 100 && v[0] <= v[1] && v[1] <= 699;
}

static int read_codes(struct config_loader *l, const yaml_node_t *node, struct rule_cond *cond)
{
	struct rule_codes *codes;
	uint32_t n;
	int rc = config_rules_scalars(l, node, RULE_MAX_CODES, &n);

	if (rc != 0)
		return rc;
	codes = config_schema_alloc(l->r.t, n * sizeof(*codes));
	if (codes == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const yaml_node_t *item = config_rules_scalar(l, node, i);
		struct slice word = config_node_text(item);

		config_node_look_at(&l->r, item);
		if (read_range(word, &codes[i]))
			continue;
		config_value_fault(&l->r,
				   "has \"%.*s\"; write codes like 200, 4xx or 500..599 from 100 "
				   "to 699",
				   (int)(word.len < 40 ? word.len : 40), word.p);
		rc = -EINVAL;
	}
	cond->codes = codes;
	cond->n_codes = n;
	return rc;
}

static int read_trunks(struct config_loader *l, const yaml_node_t *node, struct rule_cond *cond)
{
	static const struct config_key key = {.name = "trunk", .type = CONFIG_T_TRUNKS};
	uint16_t *trunks;
	uint32_t n;
	int rc = config_rules_scalars(l, node, CONFIG_MAX_TRUNKS, &n);

	if (rc != 0)
		return rc;
	trunks = config_schema_alloc(l->r.t, n * sizeof(*trunks));
	if (trunks == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const yaml_node_t *item = config_rules_scalar(l, node, i);

		config_node_look_at(&l->r, item);
		if (config_value_read_element(&l->r, &key, &trunks[i], config_node_text(item)) != 0)
			rc = -EINVAL;
	}
	cond->trunks = trunks;
	cond->n_trunks = n;
	return rc;
}

static int read_operand(struct config_loader *l, const yaml_node_t *node, struct rule_test *test)
{
	static const struct config_key number = {
		.name = "number", .type = CONFIG_T_U32, .max = UINT32_MAX};
	static const struct config_key flag = {.name = "present", .type = CONFIG_T_BOOL};
	uint32_t value = 0;
	bool present = true;
	int rc;

	if (test->kind == RULE_TEST_EQUALS || test->kind == RULE_TEST_CONTAINS ||
	    test->kind == RULE_TEST_MATCHES)
		return config_rules_text(l, node, test->kind == RULE_TEST_EQUALS, &test->text);
	config_node_look_at(&l->r, node);
	if (node->type != YAML_SCALAR_NODE) {
		config_value_fault(&l->r, "is no single value; write one");
		return -EINVAL;
	}
	if (test->kind == RULE_TEST_PRESENT || test->kind == RULE_TEST_ABSENT) {
		rc = config_value_read(&l->r, &flag, &present, config_node_text(node));
		test->kind = present ? RULE_TEST_PRESENT : RULE_TEST_ABSENT;
		return rc;
	}
	rc = config_value_read(&l->r, &number, &value, config_node_text(node));
	test->number = value;
	return rc;
}

// One key of a header or agent test. *kind is the operator's place, -1 before one was seen.
static int read_test_key(struct config_loader *l, struct slice name, const yaml_node_t *value,
			 bool header, struct rule_test *test, int *kind)
{
	static const char *const keys[] = {"name",     "case",	  "present", "equals",
					   "contains", "matches", "lt",	     "le",
					   "gt",       "ge",	  NULL};
	struct slice text;
	uint32_t exact;
	int rc, op = rule_test_of(name);

	if (header && slice_eq(name, SLICE_LIT("name"))) {
		rc = config_rules_text(l, value, false, &text);
		if (rc == 0)
			test->header = rule_header_of(text);
		return rc;
	}
	if (slice_eq(name, SLICE_LIT("case"))) {
		rc = config_rules_word(l, value, cases, &exact);
		if (rc == 0)
			test->exact = exact != 0;
		return rc;
	}
	if (op < 0 || op == RULE_TEST_ABSENT) {
		config_rules_unknown(&l->r, name, header ? keys : keys + 1);
		return -EINVAL;
	}
	if (*kind >= 0) {
		config_value_fault(&l->r, "is a second test beside %s; write one entry for each",
				   rule_test_key((enum rule_test_kind) * kind));
		return -EINVAL;
	}
	*kind = op;
	test->kind = (uint8_t)op;
	return read_operand(l, value, test);
}

static int read_test(struct config_loader *l, const yaml_node_t *node, bool header,
		     struct rule_cond *cond)
{
	uint32_t pairs, seen = 0, line;
	int rc = config_node_mapping(l, node, &pairs), kind = -1;

	config_node_look_at(&l->r, node);
	line = cond->line = l->r.line;
	for (uint32_t i = 0; i < pairs && i < 16; i++) {
		struct slice name;
		yaml_node_t *value;
		size_t old;
		int one = -EINVAL;

		if (config_node_pair(l, node, i, &name, &value)) {
			old = config_node_push(&l->r, ".", name);
			one = read_test_key(l, name, value, header, &cond->test, &kind);
			config_node_pop(&l->r, old);
			seen++;
		}
		if (one == -ENOMEM)
			return one;
		if (one != 0)
			rc = one;
	}
	l->r.line = line;
	if (rc != 0)
		return rc;
	if (header && cond->test.header.name.len == 0)
		config_value_fault(&l->r, "has no name; write one like { name: Session-Expires, "
					  "present: true }");
	else if (kind < 0)
		config_value_fault(&l->r, "has no test; write one of present, equals, contains, "
					  "matches, lt, le, gt, ge");
	else if (seen > 3)
		config_value_fault(&l->r, "has a key twice; keep one");
	else
		return 0;
	return -EINVAL;
}

static int read_body(struct config_loader *l, const yaml_node_t *node, struct rule_cond *cond)
{
	struct slice text;
	int rc = config_rules_text(l, node, false, &text);
	uint8_t *lower;

	if (rc != 0)
		return rc;
	if (slice_eq(text, SLICE_LIT("none"))) {
		cond->text = SLICE_LIT("");
		return 0;
	}
	if (slice_eq(text, SLICE_LIT("sdp")))
		text = SLICE_LIT("application/sdp");
	lower = config_schema_alloc(l->r.t, (size_t)text.len + 1);
	if (lower == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < text.len; i++)
		lower[i] = slice_lower(text.p[i]);
	cond->text = slice_of(lower, text.len);
	if (slice_find(text, '/') > 0)
		return 0;
	config_value_fault(&l->r,
			   "is \"%.*s\"; write none, sdp or a type like "
			   "application/isup",
			   (int)(text.len < 40 ? text.len : 40), text.p);
	return -EINVAL;
}

static bool has_room(struct config_rules_from *from, uint32_t n, unsigned depth)
{
	struct config_reader *r = &from->l->r;

	if (depth > RULE_MAX_DEPTH)
		config_value_fault(r, "is nested more than %u deep; make it flatter",
				   RULE_MAX_DEPTH);
	else if (from->conds + n > RULE_MAX_CONDS)
		config_value_fault(r, "makes more than %u tests of one rule; split the rule",
				   RULE_MAX_CONDS);
	else
		return true;
	return false;
}

static struct rule_cond *new_conds(struct config_rules_from *from, uint32_t n)
{
	from->conds += n;
	return config_schema_alloc(from->l->r.t, ((size_t)n + 1) * sizeof(struct rule_cond));
}

// A mapping inside all, any or not: with one key it is that test itself.
static int read_inner(struct config_rules_from *from, const yaml_node_t *node, unsigned depth,
		      struct rule_cond *cond)
{
	struct rule_cond all = {.kind = RULE_COND_ALL, .line = config_node_line(node)};
	int rc = read_map(from, node, depth, &all);

	*cond = rc == 0 && all.n_sub == 1 ? all.sub[0] : all;
	return rc;
}

static int read_sublist(struct config_rules_from *from, const yaml_node_t *node, unsigned depth,
			struct rule_cond *cond)
{
	struct config_loader *l = from->l;
	uint32_t n = node->type == YAML_SEQUENCE_NODE ? config_node_count(node) : 0;
	struct rule_cond *sub;
	int rc = 0;

	if (n == 0) {
		config_value_fault(&l->r, "is no list of conditions; write one like [{ kind: "
					  "request }, { code: [200] }]");
		return -EINVAL;
	}
	if (!has_room(from, n, depth + 1))
		return -EINVAL;
	sub = new_conds(from, n);
	if (sub == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = read_inner(from, config_node_item(l, node, i), depth + 1, &sub[i]);
	cond->sub = sub;
	cond->n_sub = n;
	return rc;
}

static int read_not(struct config_rules_from *from, const yaml_node_t *node, unsigned depth,
		    struct rule_cond *cond)
{
	struct rule_cond *sub;

	if (!has_room(from, 1, depth + 1))
		return -EINVAL;
	sub = new_conds(from, 1);
	if (sub == NULL)
		return -ENOMEM;
	cond->sub = sub;
	cond->n_sub = 1;
	return read_inner(from, node, depth + 1, sub);
}

static int read_cond(struct config_rules_from *from, const yaml_node_t *node, unsigned depth,
		     struct rule_cond *cond)
{
	struct config_loader *l = from->l;

	config_node_look_at(&l->r, node);
	switch ((enum rule_cond_kind)cond->kind) {
	case RULE_COND_ALL:
	case RULE_COND_ANY:
		return read_sublist(from, node, depth, cond);
	case RULE_COND_NOT:
		return read_not(from, node, depth, cond);
	case RULE_COND_DIRECTION:
		return read_bit(l, node, directions, cond);
	case RULE_COND_KIND:
		return read_bit(l, node, kinds, cond);
	case RULE_COND_DIALOG:
		return read_bit(l, node, dialogs, cond);
	case RULE_COND_METHOD:
	case RULE_COND_TRANSACTION:
		return read_methods(l, node, cond);
	case RULE_COND_CODE:
		return read_codes(l, node, cond);
	case RULE_COND_INGRESS:
	case RULE_COND_EGRESS:
		return read_trunks(l, node, cond);
	case RULE_COND_HEADER:
	case RULE_COND_AGENT:
		return read_test(l, node, cond->kind == RULE_COND_HEADER, cond);
	case RULE_COND_BODY:
		return read_body(l, node, cond);
	case RULE_COND_N:
		break;
	}
	return -EINVAL;
}

// How many tests a key stands for: header and agent may be lists, of which each entry holds.
static uint32_t width(int kind, const yaml_node_t *value)
{
	if ((kind == RULE_COND_HEADER || kind == RULE_COND_AGENT) &&
	    value->type == YAML_SEQUENCE_NODE && config_node_count(value) != 0)
		return config_node_count(value);
	return 1;
}

static int read_pair(struct config_rules_from *from, int kind, const yaml_node_t *value,
		     unsigned depth, struct rule_cond *sub)
{
	uint32_t n = width(kind, value), line = from->l->r.line;
	bool list = value->type == YAML_SEQUENCE_NODE && config_node_count(value) != 0 &&
		    (kind == RULE_COND_HEADER || kind == RULE_COND_AGENT);
	int rc = 0;

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		sub[i] = (struct rule_cond){.kind = (uint8_t)kind, .line = line};
		rc = read_cond(from, list ? config_node_item(from->l, value, i) : value, depth,
			       &sub[i]);
	}
	return rc;
}

// Tests of one mapping, counted; -EINVAL with findings for keys that are none or there twice.
static int count_tests(struct config_rules_from *from, const yaml_node_t *node, uint32_t pairs,
		       uint32_t *n)
{
	struct config_loader *l = from->l;
	uint32_t seen = 0;
	int rc = 0;

	*n = 0;
	for (uint32_t i = 0; i < pairs && i <= 2 * RULE_COND_N; i++) {
		struct slice name;
		yaml_node_t *value;
		int kind;
		size_t old;

		if (!config_node_pair(l, node, i, &name, &value)) {
			rc = -EINVAL;
			continue;
		}
		kind = rule_cond_of(name);
		old = config_node_push(&l->r, ".", name);
		if (kind < 0)
			config_rules_unknown(&l->r, name, cond_words);
		else if ((seen >> kind & 1) != 0)
			config_value_fault(&l->r, "is there twice; keep one");
		config_node_pop(&l->r, old);
		if (kind < 0 || (seen >> kind & 1) != 0) {
			rc = -EINVAL;
			continue;
		}
		seen |= 1u << kind;
		*n += width(kind, value);
	}
	return rc;
}

static int read_map(struct config_rules_from *from, const yaml_node_t *node, unsigned depth,
		    struct rule_cond *all)
{
	struct config_loader *l = from->l;
	uint32_t pairs, n, at = 0;
	struct rule_cond *sub;
	int rc = config_node_mapping(l, node, &pairs);

	if (rc == 0)
		rc = count_tests(from, node, pairs, &n);
	if (rc != 0)
		return rc;
	if (!has_room(from, n, depth))
		return -EINVAL;
	sub = new_conds(from, n);
	if (sub == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < pairs; i++) {
		struct slice name = SLICE_NONE;
		yaml_node_t *value;
		size_t old;
		int kind, one;

		if (!config_node_pair(l, node, i, &name, &value))
			return -EINVAL;
		kind = rule_cond_of(name);
		old = config_node_push(&l->r, ".", name);
		one = read_pair(from, kind, value, depth, &sub[at]);
		config_node_pop(&l->r, old);
		at += width(kind, value);
		if (one == -ENOMEM)
			return one;
		if (one != 0)
			rc = one;
	}
	all->sub = sub;
	all->n_sub = n;
	return rc;
}

int config_rules_read_when(struct config_rules_from *from, const yaml_node_t *node,
			   struct rule_cond *root)
{
	*root = (struct rule_cond){.kind = RULE_COND_ALL, .line = config_node_line(node)};
	from->conds = 1;
	return read_map(from, node, 1, root);
}
