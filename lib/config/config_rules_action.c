// SPDX-License-Identifier: BSD-3-Clause
// The `do` of message rules: YAML nodes into struct rule_action, driven by rules_args.def.
// Control thread; allocates from the snapshot.
#include "config/config_rules.h"
#include "config/config_rules_args.h"

#include <errno.h>

#include "rules/variable.h"

const struct rules_arg config_rules_args[] = {
#define RULE_ARG(act, word, kind_of, field, how)        \
	{.key = (word),                                 \
	 .offset = offsetof(struct rule_action, field), \
	 .type = RULES_ARG_##kind_of,                   \
	 .need = RULES_ARG_##how,                       \
	 .action = RULE_DO_##act},
#include "config/rules_args.def"
};
const unsigned config_rules_n_args = sizeof(config_rules_args) / sizeof(config_rules_args[0]);

static const char *const action_words[] = {
#define RULE_ACTION(id, key, args) key,
#include "rules/rule.def"
	NULL};
static const char *const cases[] = {"exact", "ignore", NULL}; // as bool any_case
static const char *const refreshers[] = {"local", "remote", NULL};

int config_rules_change(enum rules_arg_type type)
{
	switch (type) {
	case RULES_ARG_CHANGE_SET:
	case RULES_ARG_SECONDS_SET:
		return RULE_SET;
	case RULES_ARG_CHANGE_SCALE:
		return RULE_SCALE;
	case RULES_ARG_CHANGE_MIN:
		return RULE_MIN;
	case RULES_ARG_CHANGE_MAX:
	case RULES_ARG_SECONDS_MAX:
		return RULE_MAX;
	case RULES_ARG_HEADER:
	case RULES_ARG_URI_HEADER:
	case RULES_ARG_TEXT:
	case RULES_ARG_REGEX:
	case RULES_ARG_CODE:
	case RULES_ARG_VARIABLE:
	case RULES_ARG_TOKENS:
	case RULES_ARG_PARAMS:
	case RULES_ARG_WHICH:
	case RULES_ARG_CASE:
	case RULES_ARG_FLAG:
	case RULES_ARG_REFRESHER:
		break;
	}
	return -1;
}

static int read_number(struct config_loader *l, const yaml_node_t *node, enum rules_arg_type type,
		       struct rule_action *a)
{
	static const struct config_key plain = {.type = CONFIG_T_U32, .max = UINT32_MAX};
	static const struct config_key seconds = {
		.type = CONFIG_T_SECONDS, .max = INT32_MAX, .unit = "s"};
	static const struct config_key factor = {
		.type = CONFIG_T_FRACTION, .min = 0.001, .max = 1000, .unit = ""};
	const struct config_key *key =
		type == RULES_ARG_CHANGE_SCALE					 ? &factor
		: type == RULES_ARG_SECONDS_SET || type == RULES_ARG_SECONDS_MAX ? &seconds
										 : &plain;
	struct config_key named = *key;

	if (node->type != YAML_SCALAR_NODE) {
		config_value_fault(&l->r, "is no number; write one");
		return -EINVAL;
	}
	if (named.unit == NULL)
		named.unit = "";
	a->change = (uint8_t)config_rules_change(type);
	return config_value_read(&l->r, &named, &a->number, config_node_text(node));
}

static int read_code(struct config_loader *l, const yaml_node_t *node, uint16_t *code)
{
	static const struct config_key key = {
		.type = CONFIG_T_U32, .min = 100, .max = 699, .unit = ""};
	uint32_t v = 0;
	int rc = -EINVAL;

	if (node->type == YAML_SCALAR_NODE)
		rc = config_value_read(&l->r, &key, &v, config_node_text(node));
	else
		config_value_fault(&l->r, "is no code; write one like 503");
	*code = (uint16_t)v;
	return rc;
}

// all, first or a number from 1
static int read_which(struct config_loader *l, const yaml_node_t *node, struct rule_action *a)
{
	struct slice word = node->type == YAML_SCALAR_NODE ? config_node_text(node) : SLICE_NONE;
	uint32_t nth = 0;

	if (slice_eq(word, SLICE_LIT("all"))) {
		a->which = RULE_ALL_OF;
		return 0;
	}
	if (slice_eq(word, SLICE_LIT("first"))) {
		a->which = RULE_FIRST;
		return 0;
	}
	for (uint32_t i = 0; i < word.len && word.len <= 3; i++)
		nth = word.p[i] >= '0' && word.p[i] <= '9' ? nth * 10 + (word.p[i] - '0') : 1000;
	if (nth == 0 || nth > 255 || a->kind != RULE_DO_DELETE) {
		config_value_fault(&l->r, "is \"%.*s\"; it must be all%s",
				   (int)(word.len < 40 ? word.len : 40), word.p,
				   a->kind == RULE_DO_DELETE ? ", first or a number from 1 to 255"
							     : " or first");
		return -EINVAL;
	}
	a->which = RULE_NTH;
	a->nth = (uint16_t)nth;
	return 0;
}

static int read_tokens(struct config_loader *l, const yaml_node_t *node, bool add,
		       struct rule_action *a)
{
	struct slice *list;
	uint32_t n;
	int rc = config_rules_scalars(l, node, RULE_MAX_TOKENS, &n);

	if (rc != 0)
		return rc;
	list = config_schema_alloc(l->r.t, n * sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && rc == 0; i++)
		rc = config_rules_text(l, config_rules_scalar(l, node, i), false, &list[i]);
	if (add) {
		a->add = list;
		a->n_add = n;
	} else {
		a->remove = list;
		a->n_remove = n;
	}
	return rc;
}

// { name: value, name: ~ }
static int read_params(struct config_loader *l, const yaml_node_t *node, struct rule_action *a)
{
	struct rule_param *list;
	uint32_t pairs;
	int rc = config_node_mapping(l, node, &pairs);

	if (rc == 0 && (pairs == 0 || pairs > RULE_MAX_PARAMS)) {
		config_value_fault(&l->r, "has %u parameters; it may have 1 to %u", pairs,
				   RULE_MAX_PARAMS);
		rc = -EINVAL;
	}
	if (rc != 0)
		return rc;
	list = config_schema_alloc(l->r.t, pairs * sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < pairs && rc == 0; i++) {
		struct slice name;
		yaml_node_t *value;

		if (!config_node_pair(l, node, i, &name, &value))
			return -EINVAL;
		rc = config_rules_text(
			l, yaml_document_get_node(l->doc, node->data.mapping.pairs.start[i].key),
			false, &list[i].name);
		if (rc == 0 && !config_node_is_null(value))
			rc = config_rules_text(l, value, true, &list[i].value);
	}
	a->params = list;
	a->n_params = pairs;
	return rc;
}

static int read_header(struct config_loader *l, const yaml_node_t *node, bool uri,
		       struct rule_action *a, struct rule_header *header)
{
	struct slice name;
	int rc = config_rules_text(l, node, false, &name);

	if (rc != 0)
		return rc;
	if (uri && slice_eq_nocase(name, SLICE_LIT("Request-URI")))
		a->request_uri = true;
	else
		*header = rule_header_of(name);
	return 0;
}

static int read_variable(struct config_loader *l, const yaml_node_t *node, uint8_t *variable)
{
	struct slice name = node->type == YAML_SCALAR_NODE ? config_node_text(node) : SLICE_NONE;

	*variable = (uint8_t)variable_of(name);
	if (*variable != 0)
		return 0;
	config_value_fault(&l->r, "is \"%.*s\"; a variable is one of u01 to u99",
			   (int)(name.len < 40 ? name.len : 40), name.p);
	return -EINVAL;
}

static int read_flag(struct config_loader *l, const yaml_node_t *node)
{
	if (node->type == YAML_SCALAR_NODE && slice_eq(config_node_text(node), SLICE_LIT("true")))
		return 0;
	config_value_fault(&l->r, "takes no value but true; leave the action out where it is not "
				  "meant");
	return -EINVAL;
}

static int read_arg(struct config_loader *l, const struct rules_arg *arg, const yaml_node_t *node,
		    struct rule_action *a)
{
	void *field = (uint8_t *)a + arg->offset;
	uint32_t index = 0;
	int rc;

	config_node_look_at(&l->r, node);
	switch (arg->type) {
	case RULES_ARG_HEADER:
	case RULES_ARG_URI_HEADER:
		return read_header(l, node, arg->type == RULES_ARG_URI_HEADER, a, field);
	case RULES_ARG_REGEX:
		return config_rules_text(l, node, false, field);
	case RULES_ARG_TEXT:
		return config_rules_text(l, node, true, field);
	case RULES_ARG_CODE:
		return read_code(l, node, field);
	case RULES_ARG_VARIABLE:
		return read_variable(l, node, field);
	case RULES_ARG_TOKENS:
		return read_tokens(l, node, arg->offset == offsetof(struct rule_action, add), a);
	case RULES_ARG_PARAMS:
		return read_params(l, node, a);
	case RULES_ARG_WHICH:
		return read_which(l, node, a);
	case RULES_ARG_CASE:
		rc = config_rules_word(l, node, cases, &index);
		a->any_case = index != 0;
		return rc;
	case RULES_ARG_REFRESHER:
		rc = config_rules_word(l, node, refreshers, &index);
		a->refresher = (uint8_t)index;
		return rc;
	case RULES_ARG_FLAG:
		return read_flag(l, node);
	case RULES_ARG_CHANGE_SET:
	case RULES_ARG_CHANGE_SCALE:
	case RULES_ARG_CHANGE_MIN:
	case RULES_ARG_CHANGE_MAX:
	case RULES_ARG_SECONDS_SET:
	case RULES_ARG_SECONDS_MAX:
		return read_number(l, node, arg->type, a);
	}
	return -EINVAL;
}

// The keys of an action's arguments, ended by NULL.
static void arg_words(enum rule_action_kind action, const char *words[16])
{
	unsigned n = 0;

	for (unsigned i = 0; i < config_rules_n_args; i++)
		if (config_rules_args[i].action == action)
			words[n++] = config_rules_args[i].key;
	words[n] = NULL;
}

static const struct rules_arg *find_arg(enum rule_action_kind action, struct slice key,
					unsigned *index)
{
	for (unsigned i = 0; i < config_rules_n_args; i++)
		if (config_rules_args[i].action == action &&
		    slice_eq(key, slice_of_str(config_rules_args[i].key))) {
			*index = i;
			return &config_rules_args[i];
		}
	return NULL;
}

static void fault_words(struct config_loader *l, enum rule_action_kind action,
			enum rules_arg_need need, const char *problem)
{
	char words[120];
	struct outbuf o = outbuf_of(words, sizeof(words) - 1);

	for (unsigned i = 0; i < config_rules_n_args; i++) {
		const struct rules_arg *arg = &config_rules_args[i];

		if (arg->action != action || arg->need != need)
			continue;
		outbuf_put_str(&o, o.len != 0 ? ", " : "");
		outbuf_put_str(&o, arg->key);
	}
	words[o.len] = 0;
	config_value_fault(&l->r, "%s %s", problem, words);
}

// Which arguments are there, by place in the table: what is missing or too much.
static int check_args(struct config_loader *l, enum rule_action_kind action, uint64_t seen)
{
	unsigned one = 0, some = 0, has_one = 0, has_some = 0;
	int rc = 0;

	for (unsigned i = 0; i < config_rules_n_args; i++) {
		const struct rules_arg *arg = &config_rules_args[i];

		if (arg->action != action)
			continue;
		has_one += arg->need == RULES_ARG_ONE;
		has_some += arg->need == RULES_ARG_SOME;
		if ((seen >> i & 1) != 0) {
			one += arg->need == RULES_ARG_ONE;
			some += arg->need == RULES_ARG_SOME;
		} else if (arg->need == RULES_ARG_MUST) {
			config_value_fault(&l->r, "has no %s; write one", arg->key);
			rc = -EINVAL;
		}
	}
	if (has_one != 0 && one != 1) {
		fault_words(l, action, RULES_ARG_ONE, "needs just one of");
		rc = -EINVAL;
	}
	if (has_some != 0 && some == 0) {
		fault_words(l, action, RULES_ARG_SOME, "needs at least one of");
		rc = -EINVAL;
	}
	return rc;
}

static int read_args(struct config_loader *l, const yaml_node_t *node, struct rule_action *a)
{
	enum rule_action_kind action = (enum rule_action_kind)a->kind;
	uint32_t pairs, line = l->r.line;
	uint64_t seen = 0;
	int rc = config_node_mapping(l, node, &pairs);

	for (uint32_t i = 0; i < pairs && i < 16; i++) {
		const struct rules_arg *arg;
		const char *words[16];
		struct slice name;
		yaml_node_t *value;
		unsigned index = 0;
		size_t old;
		int one = -EINVAL;

		if (!config_node_pair(l, node, i, &name, &value))
			return -EINVAL;
		old = config_node_push(&l->r, ".", name);
		arg = find_arg(action, name, &index);
		if (arg == NULL) {
			arg_words(action, words);
			config_rules_unknown(&l->r, name, words);
		} else if ((seen >> index & 1) != 0) {
			config_value_fault(&l->r, "is there twice; keep one");
		} else {
			seen |= (uint64_t)1 << index;
			one = read_arg(l, arg, value, a);
		}
		config_node_pop(&l->r, old);
		if (one == -ENOMEM)
			return one;
		if (one != 0)
			rc = one;
	}
	l->r.line = line;
	return rc != 0 ? rc : check_args(l, action, seen);
}

// An action without arguments by name: its value is what it needs. `delete: NAME` is short for all
// fields of that name.
static int read_value(struct config_loader *l, const yaml_node_t *node, struct rule_action *a)
{
	unsigned index;
	const struct rules_arg *arg =
		find_arg((enum rule_action_kind)a->kind, SLICE_LIT(""), &index);

	if (arg == NULL && a->kind == RULE_DO_DELETE && node->type == YAML_SCALAR_NODE)
		arg = find_arg(RULE_DO_DELETE, SLICE_LIT("header"), &index);
	return arg != NULL ? read_arg(l, arg, node, a) : read_args(l, node, a);
}

int config_rules_read_action(struct config_loader *l, const yaml_node_t *node,
			     struct rule_action *action)
{
	struct slice name;
	yaml_node_t *value;
	size_t old;
	int kind, rc;

	*action = (struct rule_action){.line = config_node_line(node)};
	config_node_look_at(&l->r, node);
	if (node->type != YAML_MAPPING_NODE ||
	    node->data.mapping.pairs.top - node->data.mapping.pairs.start != 1) {
		config_value_fault(&l->r, "has an entry that is no action; begin each with \"- \" "
					  "and write one like delete: Session-Expires");
		return -EINVAL;
	}
	if (!config_node_pair(l, node, 0, &name, &value))
		return -EINVAL;
	kind = rule_action_of(name);
	old = config_node_push(&l->r, ".", name);
	if (kind < 0) {
		config_rules_unknown(&l->r, name, action_words);
		rc = -EINVAL;
	} else {
		action->kind = (uint8_t)kind;
		if (kind == RULE_DO_DELETE || kind == RULE_DO_SUBSTITUTE)
			action->which = RULE_ALL_OF;
		action->any_case = action->which == RULE_ALL_OF || kind == RULE_DO_CAPTURE;
		rc = read_value(l, value, action);
	}
	config_node_pop(&l->r, old);
	return rc;
}
