// SPDX-License-Identifier: BSD-3-Clause
// Sets of message rules, and which of them each trunk has.
// Control thread; allocates from the snapshot.
#include <errno.h>

#include "config/config_presets.h"
#include "config/config_rules.h"

#define SHOW(s) (int)((s).len < 60 ? (s).len : 60), (const char *)(s).p

// The value of one set: rules, the word of a preset, or an import.
static int read_set(struct config_rules_from *from, const yaml_node_t *node, struct rule_set *set)
{
	config_node_look_at(&from->l->r, node);
	if (node->type == YAML_SCALAR_NODE && !config_node_is_null(node))
		return config_presets_read(from, config_node_text(node), set);
	if (node->type == YAML_MAPPING_NODE)
		return config_import_read(from, node, set);
	return config_rules_read_list(from, set->name, node, set);
}

static const struct rule_set *find_set(const struct rule_book *book, struct slice name)
{
	for (uint32_t i = 0; i < book->n_sets; i++)
		if (slice_eq(book->sets[i].name, name))
			return &book->sets[i];
	return NULL;
}

static bool good_set_name(struct config_loader *l, struct slice name)
{
	const struct rule_set *known = find_set(&l->r.c->rules, name);

	if (!config_node_is_name(name))
		config_value_fault(&l->r,
				   "has the name \"%.*s\"; a name has 1 to 63 letters, digits and "
				   ". _ - + @ : / and is not \"any\"",
				   SHOW(name));
	else if (config_presets_find(name) != NULL)
		config_value_fault(&l->r,
				   "has a set with the word of the preset %.*s; choose "
				   "another name",
				   SHOW(name));
	else if (known != NULL)
		config_value_fault(&l->r, "has \"%.*s\" twice (first in line %u); keep one",
				   SHOW(name), known->line);
	else
		return true;
	return false;
}

static int read_sets(struct config_rules_from *from, const yaml_node_t *node, uint32_t pairs)
{
	struct config_loader *l = from->l;

	for (uint32_t i = 0; i < pairs && l->r.errors->errors < CONFIG_ENOUGH; i++) {
		struct rule_set *set = &l->sets[l->r.c->rules.n_sets];
		yaml_node_t *value;
		struct slice name;
		const char *copy;
		size_t old;

		if (!config_node_pair(l, node, i, &name, &value) || !good_set_name(l, name))
			continue;
		copy = config_schema_strdup(l->r.t, name);
		if (copy == NULL)
			return -ENOMEM;
		*set = (struct rule_set){.name = slice_of_str(copy), .line = l->r.line};
		l->r.c->rules.n_sets++;
		old = config_node_push(&l->r, ".", name);
		if (read_set(from, value, set) == -ENOMEM)
			return -ENOMEM;
		if (set->rules != NULL)
			config_rules_check_set(l, set);
		config_node_pop(&l->r, old);
	}
	return 0;
}

int config_rules_read(struct config_loader *l, const yaml_node_t *node)
{
	struct config_rules_from from = {.l = l};
	uint32_t pairs = 0;
	bool none =
		node == NULL || (node->type == YAML_SEQUENCE_NODE && config_node_count(node) == 0);
	int rc = none ? 0 : config_node_mapping(l, node, &pairs);

	if (pairs > RULE_MAX_SETS) {
		config_value_fault(&l->r, "has %u sets; it may have %u", pairs, RULE_MAX_SETS);
		return -EINVAL;
	}
	// each preset may become one more set when a trunk names it
	l->sets = config_schema_alloc(l->r.t,
				      (pairs + config_presets_count() + 1) * sizeof(*l->sets));
	if (l->sets == NULL)
		return -ENOMEM;
	l->r.c->rules.sets = l->sets;
	return rc == 0 ? read_sets(&from, node, pairs) : rc;
}

// "did you mean" among sets and presets.
static const char *nearest_set(const struct config_loader *l, struct slice name)
{
	const struct rule_book *book = &l->r.c->rules;
	const char *best = NULL, *word;
	uint32_t best_edits = UINT32_MAX;

	for (uint32_t i = 0; i < book->n_sets + config_presets_count(); i++) {
		uint32_t edits;

		word = i < book->n_sets ? (const char *)book->sets[i].name.p
					: config_presets_at(i - book->n_sets)->word;
		edits = config_schema_distance(name, word);
		if (edits < best_edits) {
			best = word;
			best_edits = edits;
		}
	}
	return best;
}

// Index of a set by name; a preset that is named for the first time becomes a set.
static int set_index(struct config_loader *l, struct slice name, uint16_t *index)
{
	struct config_rules_from from = {.l = l};
	struct rule_book *book = &l->r.c->rules;
	const struct rule_set *set = find_set(book, name);
	const struct config_preset *preset = config_presets_find(name);
	const char *near;
	int rc;

	if (set == NULL && preset != NULL && book->n_sets < RULE_MAX_SETS) {
		struct rule_set *new = &l->sets[book->n_sets];

		*new = (struct rule_set){.name = slice_of_str(preset->word), .line = l->r.line};
		rc = config_presets_read(&from, name, new);
		if (rc != 0)
			return rc;
		book->n_sets++;
		set = new;
	}
	if (set != NULL) {
		*index = (uint16_t)(set - book->sets);
		return 0;
	}
	near = nearest_set(l, name);
	config_value_fault(&l->r, "has \"%.*s\", but there is no such set of rules%s%s%s",
			   SHOW(name),
			   near != NULL ? "; did you mean "
					: "; write it under rules, or take a preset's word",
			   near != NULL ? near : "", near != NULL ? "?" : "");
	return -EINVAL;
}

static int add_names(struct config_loader *l, const struct config_strings *names, bool gone,
		     uint16_t *list, uint32_t *n)
{
	int rc = 0;

	for (uint32_t i = 0; i < names->n; i++) {
		struct slice name = slice_of_str(names->list[i]);
		uint16_t set = 0;
		uint32_t j;
		int one;

		// what calls of a trunk that is gone had may be gone too
		if (gone && find_set(&l->r.c->rules, name) == NULL &&
		    config_presets_find(name) == NULL)
			continue;
		one = set_index(l, name, &set);
		if (one == -ENOMEM)
			return one;
		if (one != 0) {
			rc = one;
			continue;
		}
		for (j = 0; j < *n && list[j] != set;)
			j++;
		if (j < *n)
			continue;
		if (*n == RULE_MAX_CHAIN) {
			config_value_fault(&l->r, "makes more than %u sets with the profile's",
					   RULE_MAX_CHAIN);
			return -EINVAL;
		}
		list[(*n)++] = set;
	}
	return rc;
}

static int resolve_chain(struct config_loader *l, const struct config_trunk *t,
			 enum rule_direction direction, struct rule_chain *chain)
{
	const struct config_profile *p = &l->profiles[t->profile];
	const struct config_strings *of_profile, *of_trunk;
	const char *word = direction == RULE_IN ? "in" : "out";
	uint16_t list[RULE_MAX_CHAIN], *copy;
	uint32_t n = 0;
	int rc;

	of_profile = direction == RULE_IN ? &p->rules.in : &p->rules.out;
	of_trunk = direction == RULE_IN ? &t->rules.in : &t->rules.out;
	l->r.column = 0;
	snprintf(l->r.path, sizeof(l->r.path), "profiles.%s.rules.%s", p->name, word);
	l->r.line = config_read_line(l, of_profile, p->line);
	rc = add_names(l, of_profile, t->gone || p->gone, list, &n);
	if (rc != 0)
		return rc;
	snprintf(l->r.path, sizeof(l->r.path), "trunks.%s.rules.%s", t->name, word);
	l->r.line = config_read_line(l, of_trunk, t->line);
	rc = add_names(l, of_trunk, t->gone, list, &n);
	if (rc != 0)
		return rc;
	copy = config_schema_alloc(l->r.t, (n + 1) * sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, list, n * sizeof(*copy));
	*chain = (struct rule_chain){copy, n};
	if (!t->gone && n != 0)
		config_rules_check_chain(l, t, direction);
	return 0;
}

int config_rules_resolve(struct config_loader *l)
{
	struct config *c = l->r.c;
	struct rule_trunk *trunks =
		config_schema_alloc(l->r.t, ((size_t)c->n_trunks + 1) * sizeof(*trunks));
	int rc = 0;

	if (trunks == NULL)
		return -ENOMEM;
	c->rules.trunks = trunks;
	c->rules.n_trunks = c->n_trunks;
	for (uint32_t i = 0; i < c->n_trunks && l->r.errors->errors < CONFIG_ENOUGH; i++)
		for (unsigned direction = RULE_IN; direction <= RULE_OUT; direction++) {
			rc = resolve_chain(l, &l->trunks[i], (enum rule_direction)direction,
					   &trunks[i].chain[direction]);
			if (rc == -ENOMEM)
				return rc;
		}
	config_node_pop(&l->r, 0);
	return l->r.errors->errors == 0 ? 0 : -EINVAL;
}
