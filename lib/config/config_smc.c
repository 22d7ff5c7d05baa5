// SPDX-License-Identifier: BSD-3-Clause
// A VSXi SMC profile (SIP Message Conversion, JSON) as message rules.
// Control thread; libyaml reads the JSON. A profile has Rules; a rule has MsgType, ReqMethod and
// Conditions, which all hold, and ReplaceDefs, which are done in order. Words: smc.def.
#include <errno.h>
#include <yaml.h>

#include "config/config_import_write.h"
#include "config/config_node.h"
#include "rules/rule_check.h"

enum smc_key {
	SMC_NO_KEY,
	SMC_PROFILE_ID,
	SMC_PROFILE_NAME,
	SMC_RULES,
	SMC_RULE_ID,
	SMC_RULE_NAME,
	SMC_DESCRIPTION,
	SMC_MSG_TYPE,
	SMC_REQ_METHOD,
	SMC_CODE,
	SMC_CONDITIONS,
	SMC_HEADER,
	SMC_HEADER_ATTR,
	SMC_OPERATOR,
	SMC_RIGHT,
	SMC_ACTION,
	SMC_REPLACES,
	SMC_REPLACE_TYPE,
	SMC_PATTERN,
	SMC_VALUE,
	SMC_KEY_N
};

enum smc_replace { SMC_DELETE_ALL, SMC_DELETE_FIRST, SMC_ADD, SMC_SET, SMC_SUBSTITUTE, SMC_SCALE };

static const struct {
	const char *word;
	enum smc_key key;
} keys[] = {
#define SMC_KEY(id, word) {word, SMC_##id},
#include "config/smc.def"
};
static const struct {
	const char *word;
	enum rule_test_kind test;
	bool negated;
} operators[] = {
#define SMC_OPERATOR(word, test, negated) {word, RULE_TEST_##test, negated},
#include "config/smc.def"
};
static const struct {
	const char *word;
	enum smc_replace how;
} replaces[] = {
#define SMC_REPLACE(word, how) {word, SMC_##how},
#include "config/smc.def"
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define SHOW(s)	    (int)((s).len < 40 ? (s).len : 40), (const char *)(s).p

// Without case, '_', '-' and spaces.
static bool same_word(struct slice s, const char *word)
{
	uint32_t i = 0;

	for (;; i++, word++) {
		while (i < s.len && (s.p[i] == '_' || s.p[i] == '-' || s.p[i] == ' '))
			i++;
		while (*word == '_' || *word == '-')
			word++;
		if (i == s.len || *word == 0)
			return i == s.len && *word == 0;
		if (slice_lower(s.p[i]) != slice_lower((uint8_t)*word))
			return false;
	}
}

// The values of one JSON object by key.
struct object {
	const yaml_node_t *value[SMC_KEY_N];
};

struct smc {
	struct config_import *import;
	yaml_document_t *doc;
	struct slice profile; // its ID
	uint32_t rules;	      // of the profile so far
};

static uint32_t line_of(const yaml_node_t *node)
{
	return (uint32_t)node->start_mark.line + 1;
}

static bool read_object(struct smc *s, const yaml_node_t *node, const char *what, struct object *o)
{
	const yaml_node_pair_t *pair;
	bool good = true;

	*o = (struct object){{NULL}};
	if (node->type != YAML_MAPPING_NODE) {
		config_errors_add(&s->import->notes, false, line_of(node), 0, "%s is no object",
				  what);
		return false;
	}
	for (pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(s->doc, pair->key);
		struct slice name =
			key->type == YAML_SCALAR_NODE ? config_node_text(key) : SLICE_NONE;
		enum smc_key id = SMC_NO_KEY;

		for (size_t i = 0; i < COUNT(keys) && id == SMC_NO_KEY; i++)
			if (same_word(name, keys[i].word))
				id = keys[i].key;
		if (id == SMC_NO_KEY || o->value[id] != NULL) {
			config_errors_add(&s->import->notes, false, line_of(key), 0,
					  "%s has the key \"%.*s\"%s", what, SHOW(name),
					  id == SMC_NO_KEY ? ", which is not known" : " twice");
			good = false;
			continue;
		}
		o->value[id] = yaml_document_get_node(s->doc, pair->value);
	}
	return good;
}

// Text of a value; empty if it is not there.
static struct slice text_of(const struct object *o, enum smc_key key)
{
	const yaml_node_t *node = o->value[key];

	return node != NULL && node->type == YAML_SCALAR_NODE ? config_node_text(node) : SLICE_NONE;
}

// A header's name, with the colon that SMC writes behind it or without.
static struct slice header_of(const struct object *o)
{
	struct slice name = slice_trim(text_of(o, SMC_HEADER));

	if (name.len != 0 && name.p[name.len - 1] == ':')
		name = slice_trim(slice_first(name, name.len - 1));
	return rule_header_of(name).name;
}

static bool whole_header(struct import_rule *r, const struct object *o)
{
	struct slice attr = text_of(o, SMC_HEADER_ATTR);

	if (attr.len == 0 || same_word(attr, "HEADER_SECTION_ONLY") ||
	    same_word(attr, "HEADER_VALUE"))
		return true;
	import_rule_refuse(r,
			   "HeaderAttr \"%.*s\" is not carried over; it may be "
			   "HEADER_SECTION_ONLY",
			   SHOW(attr));
	return false;
}

// --- conditions

static bool is_code(struct slice s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(i != 0 && slice_lower(s.p[i]) == 'x'))
			return false;
	return s.len == 3;
}

static void put_test(struct import_rule *r, struct slice header, enum rule_test_kind test,
		     struct slice right, bool negated)
{
	struct outbuf *o = &r->when;

	outbuf_put_str(o, negated && test != RULE_TEST_PRESENT ? "not: { header: {" : "header: {");
	import_rule_text(o, "name", header);
	outbuf_put_lit(o, ", ");
	outbuf_put_str(o, rule_test_key(test));
	outbuf_put_lit(o, ": ");
	if (test == RULE_TEST_PRESENT) {
		outbuf_put_str(o, negated ? "false" : "true");
	} else if (test == RULE_TEST_MATCHES) {
		uint8_t text[1200];
		struct outbuf pcre = outbuf_of(text, sizeof(text));

		if (import_rule_regex(r, right, &pcre))
			import_rule_quoted(o, outbuf_slice(&pcre));
		if (pcre.full)
			import_rule_refuse(r, "the regular expression is too long");
	} else {
		import_rule_quoted(o, right);
	}
	outbuf_put_str(o, test == RULE_TEST_MATCHES ? ", case: exact }" : " }");
	outbuf_put_str(o, negated && test != RULE_TEST_PRESENT ? " }" : "");
}

static void put_condition(struct import_rule *r, const struct object *o)
{
	struct slice word = text_of(o, SMC_OPERATOR), right = text_of(o, SMC_RIGHT);
	struct slice header = header_of(o);
	enum rule_test_kind test;
	size_t i;

	for (i = 0; i < COUNT(operators) && !same_word(word, operators[i].word);)
		i++;
	if (i == COUNT(operators)) {
		import_rule_refuse(r, "Operator \"%.*s\" is not carried over", SHOW(word));
		return;
	}
	if (header.len == 0) {
		import_rule_refuse(r, "a condition has no Header");
		return;
	}
	if (!whole_header(r, o))
		return;
	test = operators[i].test;
	if (test == RULE_TEST_EQUALS && right.len == 0)
		// "equal to nothing" is how SMC says that a header is not there
		put_test(r, header, RULE_TEST_PRESENT, right, !operators[i].negated);
	else
		put_test(r, header, test, right, operators[i].negated);
}

static void put_conditions(struct smc *s, struct import_rule *r, const yaml_node_t *node)
{
	uint32_t n = node->type == YAML_SEQUENCE_NODE ? (uint32_t)(node->data.sequence.items.top -
								   node->data.sequence.items.start)
						      : 1;

	if (n == 0 || (node->type == YAML_SCALAR_NODE && config_node_is_null(node)))
		return;
	if (n > 1) {
		import_rule_when(r, "all");
		outbuf_put_char(&r->when, '[');
	} else if (r->when.len != 0) {
		outbuf_put_lit(&r->when, ", ");
	}
	for (uint32_t i = 0; i < n && i < RULE_MAX_CONDS; i++) {
		struct object o;
		const yaml_node_t *item =
			node->type == YAML_SEQUENCE_NODE
				? yaml_document_get_node(s->doc, node->data.sequence.items.start[i])
				: node;

		if (n > 1)
			outbuf_put_str(&r->when, i != 0 ? ", { " : "{ ");
		if (read_object(s, item, "a condition", &o))
			put_condition(r, &o);
		else
			r->failed = true;
		outbuf_put_str(&r->when, n > 1 ? " }" : "");
	}
	if (n > RULE_MAX_CONDS)
		import_rule_refuse(r, "has %u conditions, it may have %d", n, RULE_MAX_CONDS);
	outbuf_put_str(&r->when, n > 1 ? "]" : "");
}

// "INVITE", "INVITE,UPDATE", "ANY", "" or, of a response, its code.
static void put_methods(struct import_rule *r, const char *key, struct slice list,
			struct slice *code)
{
	bool any = list.len == 0 || same_word(list, "ANY") || same_word(list, "ALL");
	struct outbuf *o;

	if (any)
		return;
	if (is_code(list) && code != NULL) {
		*code = list;
		return;
	}
	o = import_rule_when(r, key);
	outbuf_put_char(o, '[');
	for (bool first = true; list.len != 0; first = false) {
		int64_t comma = slice_find(list, ',');
		uint32_t len = comma < 0 ? list.len : (uint32_t)comma;
		struct slice word = slice_trim(slice_first(list, len));
		enum sip_method method = sip_method_of(word);

		if (method == SIP_METHOD_NONE || method == SIP_METHOD_OTHER)
			import_rule_refuse(r, "ReqMethod \"%.*s\" is no method that verge knows",
					   SHOW(word));
		outbuf_put_str(o, first ? "" : ", ");
		outbuf_put_slice(o, sip_method_token(method));
		list = slice_from(list, len + 1);
	}
	outbuf_put_char(o, ']');
}

static void put_messages(struct import_rule *r, const struct object *o)
{
	struct slice type = slice_trim(text_of(o, SMC_MSG_TYPE));
	struct slice code = text_of(o, SMC_CODE), tail = SLICE_NONE;
	bool any = type.len == 0 || same_word(type, "ANY") || same_word(type, "ALL");

	if (type.len > 8 && same_word(slice_first(type, 8), "RESPONSE")) {
		tail = slice_trim(slice_from(type, 9)); // "RESPONSE 200", "RESPONSE_200"
		type = slice_first(type, 8);
	}
	if (tail.len != 0)
		code = tail;
	if (any) {
		put_methods(r, "transaction", text_of(o, SMC_REQ_METHOD), NULL);
		return;
	}
	if (same_word(type, "REQUEST")) {
		outbuf_put_lit(import_rule_when(r, "kind"), "request");
		put_methods(r, "method", text_of(o, SMC_REQ_METHOD), NULL);
		return;
	}
	if (!same_word(type, "RESPONSE")) {
		import_rule_refuse(r,
				   "MsgType \"%.*s\" is not known; it must be REQUEST or RESPONSE",
				   SHOW(type));
		return;
	}
	outbuf_put_lit(import_rule_when(r, "kind"), "response");
	put_methods(r, "transaction", text_of(o, SMC_REQ_METHOD), &code);
	if (code.len == 0 || same_word(code, "ANY") || same_word(code, "ALL"))
		return;
	if (!is_code(code))
		import_rule_refuse(r, "\"%.*s\" is no response code", SHOW(code));
	import_rule_when(r, "code");
	outbuf_put_char(&r->when, '[');
	outbuf_put_slice(&r->when, code);
	outbuf_put_char(&r->when, ']');
}

// --- what is done

static void put_set(struct import_rule *r, const char *key, struct slice header, struct slice value)
{
	struct outbuf *o = import_rule_do(r, key);

	outbuf_put_char(o, '{');
	import_rule_text(o, "header", header);
	import_rule_text(o, "value", value);
	outbuf_put_lit(o, " }");
}

static void put_scale(struct import_rule *r, struct slice header, struct slice value)
{
	bool timer = sip_header_of(header) == SIP_H_SESSION_EXPIRES;
	struct outbuf *o = import_rule_do(r, timer ? "session_expires" : "number");

	outbuf_put_char(o, '{');
	if (!timer)
		import_rule_text(o, "header", header);
	import_rule_text(o, "scale", value);
	outbuf_put_lit(o, " }");
}

static void put_replace(struct import_rule *r, const struct object *o)
{
	struct slice word = text_of(o, SMC_REPLACE_TYPE), header = header_of(o);
	struct slice value = text_of(o, SMC_VALUE), pattern = text_of(o, SMC_PATTERN);
	size_t i;

	for (i = 0; i < COUNT(replaces) && !same_word(word, replaces[i].word);)
		i++;
	if (i == COUNT(replaces)) {
		import_rule_refuse(r, "ReplaceType \"%.*s\" is not carried over", SHOW(word));
		return;
	}
	if (header.len == 0) {
		import_rule_refuse(r, "a replacement has no Header");
		return;
	}
	if (!whole_header(r, o))
		return;
	switch (replaces[i].how) {
	case SMC_DELETE_ALL:
	case SMC_DELETE_FIRST:
		import_rule_delete(r, header, replaces[i].how == SMC_DELETE_ALL);
		break;
	case SMC_ADD:
		put_set(r, "add", header, value);
		break;
	case SMC_SET:
		if (sip_header_of(header) == SIP_H_SESSION_EXPIRES)
			import_rule_substitute(r, header, SLICE_LIT(".*"), value, false);
		else
			put_set(r, "set", header, value);
		break;
	case SMC_SUBSTITUTE:
		import_rule_substitute(r, header, pattern, value, true);
		break;
	case SMC_SCALE:
		put_scale(r, header, value);
		break;
	}
}

static void put_replaces(struct smc *s, struct import_rule *r, const yaml_node_t *node)
{
	bool list = node->type == YAML_SEQUENCE_NODE;
	uint32_t n =
		list ? (uint32_t)(node->data.sequence.items.top - node->data.sequence.items.start)
		     : 1;

	for (uint32_t i = 0; i < n && i < RULE_MAX_ACTIONS; i++) {
		struct object o;

		if (read_object(s,
				list ? yaml_document_get_node(s->doc,
							      node->data.sequence.items.start[i])
				     : node,
				"a replacement", &o))
			put_replace(r, &o);
		else
			r->failed = true;
	}
	if (n > RULE_MAX_ACTIONS)
		import_rule_refuse(r, "has %u replacements, it may have %d", n, RULE_MAX_ACTIONS);
}

static void name_rule(struct smc *s, const struct object *o, struct import_rule *r)
{
	struct slice id = text_of(o, SMC_RULE_ID), about = text_of(o, SMC_RULE_NAME);
	struct outbuf name = outbuf_of(r->name, sizeof(r->name) - 1);

	s->rules++;
	outbuf_put_lit(&name, "smc-");
	for (uint32_t i = 0; i < s->profile.len && i < 20; i++)
		if (slice_lower(s->profile.p[i]) >= 'a' ||
		    (s->profile.p[i] >= '0' && s->profile.p[i] <= '9'))
			outbuf_put_char(&name,
					(char)(s->profile.p[i] < 0x7f ? s->profile.p[i] : '-'));
	outbuf_put_char(&name, '.');
	outbuf_put_u64(&name, s->rules);
	r->name[name.len] = 0;
	if (id.len + about.len != 0)
		snprintf(r->comment, sizeof(r->comment), "%.*s %.*s", SHOW(id), SHOW(about));
}

static void convert_rule(struct smc *s, const yaml_node_t *node)
{
	struct slice action;
	struct import_rule r;
	struct object o;

	if (!read_object(s, node, "a rule", &o))
		return;
	import_rule_init(&r, s->import, line_of(node));
	name_rule(s, &o, &r);
	action = text_of(&o, SMC_ACTION);
	if (!same_word(action, "REPLACE_MSG"))
		import_rule_refuse(&r, "Action \"%.*s\" is not carried over; it may be REPLACE_MSG",
				   SHOW(action));
	put_messages(&r, &o);
	if (o.value[SMC_CONDITIONS] != NULL)
		put_conditions(s, &r, o.value[SMC_CONDITIONS]);
	if (o.value[SMC_REPLACES] != NULL)
		put_replaces(s, &r, o.value[SMC_REPLACES]);
	else
		import_rule_refuse(&r, "a rule has no ReplaceDefs");
	import_rule_end(&r);
}

static void convert_profile(struct smc *s, const yaml_node_t *node)
{
	const yaml_node_t *rules;
	struct object o;

	if (!read_object(s, node, "a profile", &o))
		return;
	s->profile = text_of(&o, SMC_PROFILE_ID);
	s->rules = 0;
	rules = o.value[SMC_RULES];
	if (rules == NULL || rules->type != YAML_SEQUENCE_NODE) {
		config_errors_add(&s->import->notes, false, line_of(node), 0,
				  "a profile has no list Rules");
		return;
	}
	import_comment(s->import, "SMC profile", s->profile, text_of(&o, SMC_PROFILE_NAME));
	for (yaml_node_item_t *item = rules->data.sequence.items.start;
	     item < rules->data.sequence.items.top && s->import->notes.errors < CONFIG_ENOUGH;
	     item++)
		convert_rule(s, yaml_document_get_node(s->doc, *item));
}

int config_smc_convert(struct config_import *import, struct slice text)
{
	struct smc s = {.import = import};
	yaml_document_t document;
	const yaml_node_t *root;
	yaml_parser_t parser;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, text.p, text.len);
	if (!yaml_parser_load(&parser, &document)) {
		config_errors_add(&import->notes, false, (uint32_t)parser.problem_mark.line + 1, 0,
				  "no JSON: %s",
				  parser.problem != NULL ? parser.problem : "it cannot be read");
		yaml_parser_delete(&parser);
		return 0;
	}
	s.doc = &document;
	root = yaml_document_get_root_node(&document);
	if (root != NULL && root->type == YAML_SEQUENCE_NODE)
		for (yaml_node_item_t *item = root->data.sequence.items.start;
		     item < root->data.sequence.items.top && import->notes.errors < CONFIG_ENOUGH;
		     item++)
			convert_profile(&s, yaml_document_get_node(&document, *item));
	else if (root != NULL)
		convert_profile(&s, root);
	yaml_document_delete(&document);
	yaml_parser_delete(&parser);
	return 0;
}
