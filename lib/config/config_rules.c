// SPDX-License-Identifier: BSD-3-Clause
// Message rules: texts and words of YAML, and lists of rules.
// Control thread; allocates from the snapshot.
#include "config/config_rules.h"

#include <errno.h>

#define SHOW(s) (int)((s).len < 60 ? (s).len : 60), (const char *)(s).p

const char *config_rules_near(struct slice word, const char *const *words, const char *otherwise)
{
	uint32_t best = UINT32_MAX;

	for (; *words != NULL; words++) {
		uint32_t edits = config_schema_distance(word, *words);

		if (edits < best) {
			best = edits;
			otherwise = *words;
		}
	}
	return otherwise;
}

void config_rules_unknown(struct config_reader *r, struct slice word, const char *const *words)
{
	const char *near = config_rules_near(word, words, NULL);
	char known[170];
	struct outbuf o = outbuf_of(known, sizeof(known) - 1);

	for (; *words != NULL; words++) {
		outbuf_put_str(&o, o.len != 0 ? ", " : "");
		outbuf_put_str(&o, *words);
	}
	known[o.len] = 0;
	if (near != NULL)
		config_value_fault(r, "is no key; did you mean %s?", near);
	else if (o.len != 0)
		config_value_fault(r, "is no key; known here: %s%s", known, o.full ? "..." : "");
	else
		config_value_fault(r, "is no key; nothing is known here");
}

int config_rules_text(struct config_loader *l, const yaml_node_t *node, bool may_be_empty,
		      struct slice *text)
{
	struct config_key key = {
		.type = CONFIG_T_STR, .min = may_be_empty ? 0 : 1, .max = RULE_MAX_TEXT};
	const char *copy = NULL;
	int rc;

	config_node_look_at(&l->r, node);
	if (node->type != YAML_SCALAR_NODE || config_node_is_null(node)) {
		config_value_fault(&l->r, "is no text; write one, in quotes if it is empty or has "
					  "signs of YAML in it");
		return -EINVAL;
	}
	rc = config_value_read(&l->r, &key, &copy, config_node_text(node));
	if (rc == 0)
		*text = slice_of_str(copy);
	return rc;
}

int config_rules_word(struct config_loader *l, const yaml_node_t *node, const char *const *words,
		      uint32_t *index)
{
	struct slice word = node->type == YAML_SCALAR_NODE ? config_node_text(node) : SLICE_NONE;
	char known[100];
	struct outbuf o = outbuf_of(known, sizeof(known) - 1);

	config_node_look_at(&l->r, node);
	for (uint32_t i = 0; words[i] != NULL; i++) {
		if (slice_eq(word, slice_of_str(words[i]))) {
			*index = i;
			return 0;
		}
		outbuf_put_str(&o, i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ");
		outbuf_put_str(&o, words[i]);
	}
	known[o.len] = 0;
	config_value_fault(&l->r, "is \"%.*s\"; it must be %s", SHOW(word), known);
	return -EINVAL;
}

int config_rules_scalars(struct config_loader *l, const yaml_node_t *node, uint32_t most,
			 uint32_t *n)
{
	bool list = node->type == YAML_SEQUENCE_NODE;

	config_node_look_at(&l->r, node);
	*n = list ? config_node_count(node) : 1;
	if (*n == 0)
		config_value_fault(&l->r, "is empty; give at least one");
	else if (*n > most)
		config_value_fault(&l->r, "has %u entries; it may have %u", *n, most);
	else
		for (uint32_t i = 0;; i++) {
			const yaml_node_t *item = list ? config_node_item(l, node, i) : node;

			if (item->type != YAML_SCALAR_NODE || config_node_is_null(item)) {
				config_node_look_at(&l->r, item);
				config_value_fault(&l->r, "has an entry that is no single value; "
							  "write a list like [a, b]");
				break;
			}
			if (i + 1 == *n)
				return 0;
		}
	*n = 0;
	return -EINVAL;
}

const yaml_node_t *config_rules_scalar(struct config_loader *l, const yaml_node_t *node, uint32_t i)
{
	return node->type == YAML_SEQUENCE_NODE ? config_node_item(l, node, i) : node;
}

// Letters, digits and . _ - + @ : / #: what metrics and commands show.
static bool is_rule_name(struct slice s)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+@:/#";

	for (uint32_t i = 0; i < s.len; i++)
		if (s.p[i] == 0 || strchr(good, s.p[i]) == NULL)
			return false;
	return s.len >= 1 && s.len <= 79;
}

static int read_name(struct config_loader *l, const yaml_node_t *node, struct rule *rule)
{
	int rc = config_rules_text(l, node, false, &rule->name);

	if (rc == 0 && !is_rule_name(rule->name)) {
		config_value_fault(&l->r,
				   "is \"%.*s\"; a name has 1 to 79 letters, digits and . _ - + @ "
				   ": / #",
				   SHOW(rule->name));
		return -EINVAL;
	}
	return rc;
}

static int read_do(struct config_loader *l, const yaml_node_t *node, struct rule *rule)
{
	uint32_t n = node->type == YAML_SEQUENCE_NODE ? config_node_count(node) : 0;
	struct rule_action *list;
	int rc = 0;

	config_node_look_at(&l->r, node);
	if (n == 0 || n > RULE_MAX_ACTIONS) {
		config_value_fault(&l->r, "must be a list of 1 to %u actions, each begun by \"- \"",
				   RULE_MAX_ACTIONS);
		return -EINVAL;
	}
	list = config_schema_alloc(l->r.t, n * sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		int one = config_rules_read_action(l, config_node_item(l, node, i), &list[i]);

		if (one == -ENOMEM)
			return one;
		if (one != 0)
			rc = one;
	}
	rule->actions = list;
	rule->n_actions = n;
	return rc;
}

static int default_name(struct config_loader *l, struct slice set, uint32_t i, struct rule *rule)
{
	char text[96];
	const char *copy;

	snprintf(text, sizeof(text), "%.*s#%u", SLICE_ARG(slice_first(set, 63)), i + 1);
	copy = config_schema_strdup(l->r.t, slice_of_str(text));
	if (copy == NULL)
		return -ENOMEM;
	rule->name = slice_of_str(copy);
	return 0;
}

static int read_rule_key(struct config_rules_from *from, const yaml_node_t *node, uint32_t i,
			 struct rule *rule, unsigned *seen)
{
	static const char *const keys[] = {"name", "when", "do", NULL};
	struct config_loader *l = from->l;
	struct slice name;
	yaml_node_t *value;
	unsigned key;
	size_t old;
	int rc = -EINVAL;

	if (!config_node_pair(l, node, i, &name, &value))
		return rc;
	for (key = 0; keys[key] != NULL && !slice_eq(name, slice_of_str(keys[key]));)
		key++;
	old = config_node_push(&l->r, ".", name);
	if (keys[key] == NULL)
		config_rules_unknown(&l->r, name, keys);
	else if ((*seen >> key & 1) != 0)
		config_value_fault(&l->r, "is there twice; keep one");
	else if (key == 0)
		rc = read_name(l, value, rule);
	else if (key == 1)
		rc = config_rules_read_when(from, value, &rule->when);
	else
		rc = read_do(l, value, rule);
	if (keys[key] != NULL)
		*seen |= 1u << key;
	config_node_pop(&l->r, old);
	return rc;
}

static int read_rule(struct config_rules_from *from, struct slice set, uint32_t at,
		     const yaml_node_t *node, struct rule *rule)
{
	struct config_loader *l = from->l;
	char fault[RULE_FAULT_MAX];
	uint32_t pairs, line, at_line;
	unsigned seen = 0;
	bool faultless;
	int rc = config_node_mapping(l, node, &pairs);

	config_node_look_at(&l->r, node);
	line = l->r.line;
	*rule = (struct rule){.when = {.kind = RULE_COND_ALL, .line = line},
			      .line = from->line != 0 ? from->line : line};
	at_line = line;
	for (uint32_t i = 0; i < pairs && i < 8; i++) {
		int one = read_rule_key(from, node, i, rule, &seen);

		if (one == -ENOMEM)
			return one;
		if (one != 0)
			rc = one;
	}
	l->r.line = at_line;
	if (rc == 0 && (seen & 4) == 0) {
		config_value_fault(&l->r, "has no do; write what it does, like do: [ { delete: "
					  "Session-Expires } ]");
		rc = -EINVAL;
	}
	if (rc == 0 && rule->name.len == 0)
		rc = default_name(l, set, at, rule);
	faultless = rc == 0;
	// each action by itself first, so that all findings come at once
	for (uint32_t i = 0; rc != -ENOMEM && i < rule->n_actions; i++)
		if (faultless && !rule_check_action(&rule->actions[i], fault)) {
			l->r.line = rule->actions[i].line;
			config_value_fault(&l->r, "%s", fault);
			rc = -EINVAL;
		}
	if (rc == 0 && !rule_check(rule, &line, fault)) {
		l->r.line = from->line != 0 && line == from->line ? at_line : line;
		config_value_fault(&l->r, "%s", fault);
		rc = -EINVAL;
	}
	return rc;
}

int config_rules_read_list(struct config_rules_from *from, struct slice name,
			   const yaml_node_t *node, struct rule_set *set)
{
	struct config_loader *l = from->l;
	uint32_t n = node->type == YAML_SEQUENCE_NODE ? config_node_count(node) : 0;
	struct rule *rules;
	int rc = 0;

	config_node_look_at(&l->r, node);
	if (n == 0) {
		config_value_fault(&l->r, "must be a list of rules, a preset's word or { import: "
					  "\"smc FILE\" }");
		return -EINVAL;
	}
	from->rules += n;
	if (from->rules > RULE_MAX_RULES) {
		config_value_fault(&l->r, "makes more than %u rules of the file; verge takes %u",
				   RULE_MAX_RULES, RULE_MAX_RULES);
		return -EINVAL;
	}
	rules = config_schema_alloc(l->r.t, n * sizeof(*rules));
	if (rules == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && l->r.errors->errors < CONFIG_ENOUGH; i++) {
		char number[16];
		size_t old;
		int one;

		snprintf(number, sizeof(number), "[%u]", i + 1);
		old = config_node_push(&l->r, "", slice_of_str(number));
		one = read_rule(from, name, i, config_node_item(l, node, i), &rules[i]);
		config_node_pop(&l->r, old);
		if (one == -ENOMEM)
			return one;
		if (one != 0)
			rc = one;
	}
	set->rules = rules;
	set->n_rules = n;
	return rc;
}
