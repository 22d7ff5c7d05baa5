// SPDX-License-Identifier: BSD-3-Clause
// Message rules: from YAML nodes into the structs of rules/rule.h. Private to lib/config.
// Control thread; allocates from the snapshot. What a rule may be is asked of rules/rule_check.h;
// what only the file as a whole shows (unknown sets, rules that are never reached) is checked here.
#pragma once

#include "config/config_node.h"
#include "config/config_rules_print.h"
#include "rules/rule_check.h"

// Where a list of rules comes from.
struct config_rules_from {
	struct config_loader *l;
	uint32_t conds; // nodes of the condition that is being read
	uint32_t rules; // of all sets so far
	uint32_t line;	// that rules of another text stand for; 0: rules stand for themselves
};

struct config_import;

// The sets of `rules:`. Trunks are known by then. Errors: -EINVAL findings, -ENOMEM.
int config_rules_read(struct config_loader *l, const yaml_node_t *node);

// Names of sets in the lists of trunks and profiles into l->r.c->rules.trunks. After overrides.
int config_rules_resolve(struct config_loader *l);

// A list of rules, the value of set `name`. Errors: -EINVAL findings, -ENOMEM.
int config_rules_read_list(struct config_rules_from *from, struct slice name,
			   const yaml_node_t *node, struct rule_set *set);

// The same from a text that is not the file's: findings are about the present line and name `path`,
// with the lines of `import`, where it is one.
int config_rules_read_text(struct config_rules_from *from, struct slice yaml, const char *path,
			   const struct config_import *import, struct rule_set *set);
// The value { import: "FORMAT FILE" } of a set.
int config_import_read(struct config_rules_from *from, const yaml_node_t *node,
		       struct rule_set *set);

// The rules of a preset into set. Errors: -EINVAL a finding (no such preset), -ENOMEM.
int config_presets_read(struct config_rules_from *from, struct slice word, struct rule_set *set);

// One `when`, or a list of them for all and any.
int config_rules_read_when(struct config_rules_from *from, const yaml_node_t *node,
			   struct rule_cond *root);
// One entry of `do`.
int config_rules_read_action(struct config_loader *l, const yaml_node_t *node,
			     struct rule_action *action);

// Rules behind one that takes all of their messages; and actions on arriving messages in a list
// `out`.
void config_rules_check_set(struct config_loader *l, const struct rule_set *set);
void config_rules_check_chain(struct config_loader *l, const struct config_trunk *t,
			      enum rule_direction direction);

// "is no key; did you mean X?" about the value at the path of r; words end with NULL.
void config_rules_unknown(struct config_reader *r, struct slice word, const char *const *words);
// The word that is nearest to a misspelt one.
const char *config_rules_near(struct slice word, const char *const *words, const char *otherwise);
// One scalar: text without control characters, 0 (or 1 unless may_be_empty) to RULE_MAX_TEXT bytes.
int config_rules_text(struct config_loader *l, const yaml_node_t *node, bool may_be_empty,
		      struct slice *text);
// One of `words` (ended by NULL); *index is its place.
int config_rules_word(struct config_loader *l, const yaml_node_t *node, const char *const *words,
		      uint32_t *index);
// A list of scalars or a single one: how many, and the i-th. Errors: -EINVAL a finding (empty, no
// scalars, more than most).
int config_rules_scalars(struct config_loader *l, const yaml_node_t *node, uint32_t most,
			 uint32_t *n);
const yaml_node_t *config_rules_scalar(struct config_loader *l, const yaml_node_t *node,
				       uint32_t i);
