// SPDX-License-Identifier: BSD-3-Clause
// From YAML nodes into a snapshot: keys by the schema, names to ids, references.
// Control thread; allocates. Each level of nodes is matched against a level of the schema, so that
// neither depth nor aliases of the input decide how long this takes.
#include "config/config_node.h"
#include "config/config_rules.h"

#include <errno.h>
#include <stdlib.h>

// One entry of ports, profiles or trunks.
struct named {
	const char *name;
	yaml_node_t *node; // NULL: not in the file
	uint32_t line;
};

struct names {
	struct named *list; // [n], index = id
	uint32_t n;
};

static int mark(struct config_loader *l, const void *field)
{
	if (l->n_marks == l->cap_marks) {
		uint32_t cap = l->cap_marks != 0 ? l->cap_marks * 2 : 256;
		struct config_mark *more = realloc(l->marks, cap * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		l->marks = more;
		l->cap_marks = cap;
	}
	l->marks[l->n_marks++] = (struct config_mark){field, l->r.line, l->r.column};
	return 0;
}

uint32_t config_read_line(const struct config_loader *l, const void *field, uint32_t otherwise)
{
	for (uint32_t i = 0; i < l->n_marks; i++)
		if (l->marks[i].field == field)
			return l->marks[i].line;
	return otherwise;
}

// Each key's default, as if the operator had written it.
static int section_defaults(struct config_loader *l, const struct config_section *s, uint8_t *base)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];
		uint8_t *field = base + k->offset;
		int rc = 0;

		if (k->type == CONFIG_T_SECTION)
			rc = section_defaults(l, k->section, field);
		else if (k->def != NULL && config_schema_is_list(k->type))
			rc = config_value_read_list(&l->r, k, field, slice_of_str(k->def));
		else if (k->def != NULL)
			rc = config_value_read(&l->r, k, field, slice_of_str(k->def));
		else if (k->type == CONFIG_T_STR)
			// cppcheck-suppress pointerSize ; the field is a pointer to text
			memcpy(field, &(const char *){""}, sizeof(const char *));
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int read_list(struct config_loader *l, const struct config_key *k, uint8_t *field,
		     const yaml_node_t *node)
{
	uint32_t size = config_schema_element(k->type), n = 1;
	bool single = node->type == YAML_SCALAR_NODE;
	uint8_t *list;
	int rc;

	if (!single)
		n = (uint32_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	rc = config_value_count(&l->r, k, n);
	if (rc != 0)
		return rc;
	list = config_schema_alloc(l->r.t, (size_t)size * n);
	if (list == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const yaml_node_t *item = node;
		int one;

		if (!single)
			item = yaml_document_get_node(l->doc, node->data.sequence.items.start[i]);
		config_node_look_at(&l->r, item);
		if (item->type != YAML_SCALAR_NODE || config_node_is_null(item)) {
			config_value_fault(&l->r,
					   "has an entry that is no single value; write a list "
					   "like [a, b]");
			one = -EINVAL;
		} else {
			one = config_value_read_element(&l->r, k, list + (size_t)size * i,
							config_node_text(item));
		}
		if (one == -ENOMEM)
			return one;
		if (rc == 0)
			rc = one;
	}
	if (rc == 0)
		memcpy(field, &(struct config_list){list, n}, sizeof(struct config_list));
	return rc;
}

static int read_section(struct config_loader *l, const struct config_section *s, uint8_t *base,
			const yaml_node_t *node);

static int read_value(struct config_loader *l, const struct config_key *k, uint8_t *field,
		      const yaml_node_t *node)
{
	bool list = config_schema_is_list(k->type);

	if (k->type == CONFIG_T_SECTION)
		return read_section(l, k->section, field, node);
	if (config_node_is_null(node)) {
		config_value_fault(&l->r, "has no value; write one, or leave the key out for its "
					  "default");
		return -EINVAL;
	}
	if (list && node->type != YAML_MAPPING_NODE)
		return read_list(l, k, field, node);
	if (node->type != YAML_SCALAR_NODE) {
		config_value_fault(&l->r, "is %s; write %s",
				   node->type == YAML_MAPPING_NODE ? "a mapping" : "a list",
				   list ? "a list like [a, b]" : "a single value");
		return -EINVAL;
	}
	return config_value_read(&l->r, k, field, config_node_text(node));
}

static void fault_unknown(struct config_loader *l, const struct config_section *s,
			  struct slice name)
{
	const char *near = config_schema_nearest(s, name);
	char known[160];
	struct outbuf o = outbuf_of(known, sizeof(known) - 1);

	if (slice_eq(name, SLICE_LIT("<<"))) {
		config_value_fault(&l->r,
				   "is a merge key, which is not read; put what trunks share "
				   "into a profile");
		return;
	}
	for (uint32_t i = 0; i < s->n; i++) {
		if (i != 0)
			outbuf_put_lit(&o, ", ");
		outbuf_put_str(&o, s->keys[i].name);
		if (o.full)
			break;
	}
	known[o.len] = 0;
	if (near != NULL)
		config_value_fault(&l->r, "is no key; did you mean %s?", near);
	else
		config_value_fault(&l->r, "is no key; known here: %s%s", known,
				   o.full ? "..." : "");
}

static void fault_missing(struct config_loader *l, const struct config_section *s, uint64_t seen)
{
	static const char *const examples[] = {
		[CONFIG_T_STR] = "device: \"net_af_packet0,iface=eth1\"",
		[CONFIG_T_NETS] = "addresses: [10.0.0.1/24]",
		[CONFIG_T_PORT] = "port: access",
		[CONFIG_T_ENDPOINTS] = "peers: [10.0.0.2:5060]",
		[CONFIG_T_TRUNKS] = "to: [core1]",
	};

	for (uint32_t i = 0; i < s->n; i++)
		if (s->keys[i].def == NULL && (seen >> i & 1) == 0)
			config_value_fault(&l->r, "has no %s; write one like %s", s->keys[i].name,
					   examples[s->keys[i].type]);
}

static int read_section(struct config_loader *l, const struct config_section *s, uint8_t *base,
			const yaml_node_t *node)
{
	uint32_t pairs, line = l->r.line, column = l->r.column;
	uint64_t seen = 0;
	int rc = config_node_mapping(l, node, &pairs);

	for (uint32_t i = 0; i < pairs && l->r.errors->errors < CONFIG_ENOUGH; i++) {
		yaml_node_t *value;
		struct slice name;
		const struct config_key *k;
		size_t old;
		int one = 0;

		if (!config_node_pair(l, node, i, &name, &value))
			continue;
		old = config_node_push(&l->r, ".", name);
		k = config_schema_find(s, name);
		if (k == NULL) {
			fault_unknown(l, s, name);
		} else if (seen >> (k - s->keys) & 1) {
			config_value_fault(&l->r, "is there twice; keep one");
		} else {
			seen |= (uint64_t)1 << (k - s->keys);
			one = mark(l, base + k->offset);
			if (one == 0)
				one = read_value(l, k, base + k->offset, value);
		}
		config_node_pop(&l->r, old);
		if (one == -ENOMEM)
			return one;
	}
	l->r.line = line;
	l->r.column = column;
	if (rc == 0)
		fault_missing(l, s, seen);
	return rc;
}

static struct named *find_name(const struct names *names, struct slice name)
{
	for (uint32_t i = 0; i < names->n; i++)
		if (slice_eq(name, slice_of_str(names->list[i].name)))
			return &names->list[i];
	return NULL;
}

// Names of one top-level mapping: those of the previous snapshot keep their ids.
static int collect_names(struct config_loader *l, const yaml_node_t *node, struct names *names,
			 uint32_t most)
{
	uint32_t pairs;
	int rc = config_node_mapping(l, node, &pairs);

	if (rc != 0)
		return rc;
	if (pairs > most) {
		config_value_fault(&l->r, "has %u entries; it may have %u", pairs, most);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < pairs; i++) {
		yaml_node_t *value;
		struct slice name;
		struct named *known;

		if (!config_node_pair(l, node, i, &name, &value))
			continue;
		if (!config_node_is_name(name)) {
			config_value_fault(&l->r,
					   "has the name \"%.*s\"; a name has 1 to 63 letters, "
					   "digits and . _ - + @ : / and is not \"any\"",
					   (int)(name.len < 60 ? name.len : 60), name.p);
			continue;
		}
		known = find_name(names, name);
		if (known != NULL && known->node != NULL) {
			config_value_fault(&l->r, "has \"%.*s\" twice (first in line %u); keep one",
					   SLICE_ARG(name), known->line);
			continue;
		}
		if (known == NULL) {
			known = &names->list[names->n++];
			known->name = config_schema_strdup(l->r.t, name);
			if (known->name == NULL)
				return -ENOMEM;
		}
		known->node = value;
		known->line = l->r.line;
	}
	if (names->n > most) {
		config_value_fault(&l->r,
				   "would have %u names with those used since start; it may have "
				   "%u: restart verge",
				   names->n, most);
		return -EINVAL;
	}
	return 0;
}

static int begin_names(struct config_loader *l, enum config_top top, struct names *names)
{
	const struct config *p = l->previous;
	uint32_t most = top == CONFIG_TOP_PORTS ? CONFIG_MAX_PORTS : CONFIG_MAX_TRUNKS;
	uint32_t old = p == NULL		  ? 0
		       : top == CONFIG_TOP_PORTS  ? p->n_ports
		       : top == CONFIG_TOP_TRUNKS ? p->n_trunks
						  : p->n_profiles;

	names->n = 0;
	names->list = config_schema_alloc(l->r.t, (old + most + 1) * sizeof(*names->list));
	if (names->list == NULL)
		return -ENOMEM;
	for (; names->n < old; names->n++) {
		const char *name = top == CONFIG_TOP_PORTS    ? p->ports[names->n].name
				   : top == CONFIG_TOP_TRUNKS ? p->trunks[names->n].name
							      : p->profiles[names->n].name;

		names->list[names->n].name = config_schema_strdup(l->r.t, slice_of_str(name));
		if (names->list[names->n].name == NULL)
			return -ENOMEM;
	}
	return 0;
}

// One entry's keys: from the file, or from the previous snapshot if the file has it no more.
static int read_entry(struct config_loader *l, const struct config_section *s, uint8_t *base,
		      const struct named *entry, const void *previous)
{
	size_t old;
	int rc;

	if (entry->node == NULL)
		return previous != NULL ? config_schema_copy(l->r.t, s, base, previous) : 0;
	config_node_look_at(&l->r, entry->node);
	l->r.line = entry->line;
	old = config_node_push(&l->r, ".", slice_of_str(entry->name));
	rc = read_section(l, s, base, entry->node);
	config_node_pop(&l->r, old);
	return rc;
}

static int read_ports(struct config_loader *l, const struct names *names)
{
	struct config *c = l->r.c;

	l->ports = config_schema_alloc(l->r.t, names->n * sizeof(*l->ports));
	if (l->ports == NULL)
		return -ENOMEM;
	c->ports = l->ports;
	c->n_ports = names->n;
	for (uint32_t i = 0; i < names->n; i++) {
		const struct named *entry = &names->list[i];
		struct config_port *p = &l->ports[i];

		*p = (struct config_port){.name = entry->name,
					  .id = (uint16_t)i,
					  .gone = entry->node == NULL,
					  .line = entry->line};
		if (section_defaults(l, &config_schema_port, (uint8_t *)p) == -ENOMEM ||
		    read_entry(l, &config_schema_port, (uint8_t *)p, entry,
			       p->gone ? &l->previous->ports[i] : NULL) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

static int read_profiles(struct config_loader *l, struct names *names)
{
	struct named *standard = find_name(names, SLICE_LIT("default"));
	struct config *c = l->r.c;

	if (standard == NULL) {
		standard = &names->list[names->n++];
		*standard = (struct named){.name = "default"};
	}
	l->profiles = config_schema_alloc(l->r.t, names->n * sizeof(*l->profiles));
	if (l->profiles == NULL)
		return -ENOMEM;
	c->profiles = l->profiles;
	c->n_profiles = names->n;
	for (uint32_t i = 0; i < names->n; i++) {
		const struct named *entry = &names->list[i];
		struct config_profile *p = &l->profiles[i];
		bool gone = entry->node == NULL && entry != standard;

		*p = (struct config_profile){
			.name = entry->name, .id = (uint16_t)i, .gone = gone, .line = entry->line};
		if (section_defaults(l, &config_schema_profile, (uint8_t *)p) == -ENOMEM)
			return -ENOMEM;
		if ((gone || entry->node != NULL) &&
		    read_entry(l, &config_schema_profile, (uint8_t *)p, entry,
			       gone ? &l->previous->profiles[i] : NULL) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

// A trunk begins with the timer of its profile, so that its own keys come on top.
static void take_profile_timer(struct config_loader *l, struct config_trunk *t,
			       const yaml_node_t *node)
{
	const yaml_node_pair_t *pair;
	char name[64];

	if (node == NULL || node->type != YAML_MAPPING_NODE)
		return;
	t->timer = l->profiles[t->profile].timer;
	for (pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(l->doc, pair->key);
		const yaml_node_t *value = yaml_document_get_node(l->doc, pair->value);
		struct slice text;
		int id;

		if (key->type != YAML_SCALAR_NODE || value->type != YAML_SCALAR_NODE ||
		    !slice_eq(config_node_text(key), SLICE_LIT("profile")))
			continue;
		text = slice_first(config_node_text(value), sizeof(name) - 1);
		memcpy(name, text.p, text.len);
		name[text.len] = 0;
		id = config_profile_find(l->r.c, name);
		if (id >= 0)
			t->timer = l->profiles[id].timer;
		return;
	}
}

static int read_trunks(struct config_loader *l, const struct names *names)
{
	struct config *c = l->r.c;

	l->trunks = config_schema_alloc(l->r.t, (names->n + 1) * sizeof(*l->trunks));
	if (l->trunks == NULL)
		return -ENOMEM;
	c->trunks = l->trunks;
	c->n_trunks = names->n;
	for (uint32_t i = 0; i < names->n; i++)
		l->trunks[i].name = names->list[i].name;
	if (config_names_build(c, l->r.t) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < names->n; i++) {
		const struct named *entry = &names->list[i];
		struct config_trunk *t = &l->trunks[i];

		*t = (struct config_trunk){.name = entry->name,
					   .id = (uint16_t)i,
					   .gone = entry->node == NULL,
					   .line = entry->line};
		if (section_defaults(l, &config_schema_trunk, (uint8_t *)t) == -ENOMEM)
			return -ENOMEM;
		t->port = CONFIG_NONE; // stays when the file names none that exists
		take_profile_timer(l, t, entry->node);
		if (read_entry(l, &config_schema_trunk, (uint8_t *)t, entry,
			       t->gone ? &l->previous->trunks[i] : NULL) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

static int read_routes(struct config_loader *l, const yaml_node_t *node)
{
	struct config *c = l->r.c;
	uint32_t n;

	if (node == NULL || config_node_is_null(node))
		return 0;
	if (node->type != YAML_SEQUENCE_NODE) {
		config_value_fault(&l->r, "is no list; begin each route with \"- \"");
		return -EINVAL;
	}
	n = (uint32_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	if (n > CONFIG_MAX_ROUTES) {
		config_value_fault(&l->r, "has %u entries; it may have %u", n, CONFIG_MAX_ROUTES);
		return -EINVAL;
	}
	l->routes = config_schema_alloc(l->r.t, (n + 1) * sizeof(*l->routes));
	if (l->routes == NULL)
		return -ENOMEM;
	c->routes = l->routes;
	for (uint32_t i = 0; i < n && l->r.errors->errors < CONFIG_ENOUGH; i++) {
		yaml_node_t *item =
			yaml_document_get_node(l->doc, node->data.sequence.items.start[i]);
		uint8_t *base = (uint8_t *)&l->routes[i];
		char number[16];
		size_t old;

		config_node_look_at(&l->r, item);
		l->routes[i].line = l->r.line;
		snprintf(number, sizeof(number), "[%u]", i);
		old = config_node_push(&l->r, "", slice_of_str(number));
		if (section_defaults(l, &config_schema_route, base) == -ENOMEM ||
		    read_section(l, &config_schema_route, base, item) == -ENOMEM)
			return -ENOMEM;
		config_node_pop(&l->r, old);
		c->n_routes = i + 1;
	}
	return 0;
}

static int read_top(struct config_loader *l, enum config_top top, yaml_node_t *node)
{
	const struct config_top_row *row = &config_schema_top[top];
	uint8_t *base = (uint8_t *)l->r.c + row->offset;
	struct names names;
	int rc;

	if (node != NULL)
		config_node_look_at(&l->r, node);
	if (top == CONFIG_TOP_RULES)
		return config_rules_read(l, node);
	if (top == CONFIG_TOP_ROUTES)
		return read_routes(l, node);
	if (row->shape == CONFIG_ONE) {
		rc = section_defaults(l, row->section, base);
		return rc == 0 && node != NULL ? read_section(l, row->section, base, node) : rc;
	}
	rc = begin_names(l, top, &names);
	if (rc == 0 && node != NULL)
		rc = collect_names(l, node, &names,
				   top == CONFIG_TOP_PORTS ? CONFIG_MAX_PORTS : CONFIG_MAX_TRUNKS);
	if (rc == -ENOMEM)
		return rc;
	if (top == CONFIG_TOP_PORTS)
		return read_ports(l, &names);
	return top == CONFIG_TOP_PROFILES ? read_profiles(l, &names) : read_trunks(l, &names);
}

// The nodes of the file's own keys.
static void find_tops(struct config_loader *l, const yaml_node_t *root, yaml_node_t **nodes)
{

	uint32_t pairs;

	if (config_node_mapping(l, root, &pairs) != 0)
		return;
	for (uint32_t i = 0; i < pairs && l->r.errors->errors < CONFIG_ENOUGH; i++) {
		const char *near = NULL;
		uint32_t best = UINT32_MAX, top;
		yaml_node_t *value;
		struct slice name;

		if (!config_node_pair(l, root, i, &name, &value))
			continue;
		for (top = 0; top < CONFIG_TOP_N; top++) {
			uint32_t edits = config_schema_distance(name, config_schema_top[top].name);

			if (slice_eq(name, slice_of_str(config_schema_top[top].name)))
				break;
			if (edits < best) {
				best = edits;
				near = config_schema_top[top].name;
			}
		}
		config_node_push(&l->r, "", name);
		if (top < CONFIG_TOP_N && nodes[top] == NULL)
			nodes[top] = value;
		else if (top < CONFIG_TOP_N)
			config_value_fault(&l->r, "is there twice; keep one");
		else if (near != NULL)
			config_value_fault(&l->r, "is no key; did you mean %s?", near);
		else
			config_value_fault(
				&l->r,
				"is no key; known here: system, ports, profiles, trunks, "
				"routes, rules, timers, cdr, metrics, trace, hep, evidence, log");
		config_node_pop(&l->r, 0);
	}
}

int config_read_document(struct config_loader *l)
{
	yaml_node_t *nodes[CONFIG_TOP_N] = {NULL}, *root = yaml_document_get_root_node(l->doc);

	if (root == NULL || config_node_is_null(root)) {
		config_errors_add(l->r.errors, false, 0, 0,
				  "the file is empty; begin with what verge --print-config prints");
		return -EINVAL;
	}
	snprintf(l->r.path, sizeof(l->r.path), "the file");
	if (root->type != YAML_MAPPING_NODE) {
		config_node_look_at(&l->r, root);
		config_value_fault(&l->r,
				   "has no keys; begin with what verge --print-config prints");
		return -EINVAL;
	}
	config_node_pop(&l->r, 0);
	find_tops(l, root, nodes);
	for (uint32_t top = 0; top < CONFIG_TOP_N; top++) {
		int rc;

		config_node_push(&l->r, "", slice_of_str(config_schema_top[top].name));
		rc = read_top(l, top, nodes[top]);
		config_node_pop(&l->r, 0);
		if (rc == -ENOMEM)
			return rc;
	}
	return l->r.errors->errors == 0 ? 0 : -EINVAL;
}

int config_read_override(struct config_loader *l, const struct config_override *o)
{
	const struct config_section *s = &config_schema_trunk;
	const struct config_key *k = NULL;
	int id = config_trunk_find(l->r.c, o->trunk), rc = -EINVAL;
	struct slice path = slice_of_str(o->key);
	size_t old;
	uint8_t *field;

	if (id < 0 || l->trunks[id].gone)
		return 0; // the trunk is gone: so is what was set on it
	field = (uint8_t *)&l->trunks[id];
	l->r.line = l->r.column = 0;
	old = config_node_push(&l->r, "", path);
	while (s != NULL) {
		int64_t dot = slice_find(path, '.');
		uint32_t len = dot < 0 ? path.len : (uint32_t)dot;

		k = config_schema_find(s, slice_first(path, len));
		if (k == NULL) {
			fault_unknown(l, s, slice_first(path, len));
			break;
		}
		field += k->offset;
		path = slice_from(path, len + 1);
		s = k->section;
	}
	if (k != NULL && (k->section != NULL || path.len != 0))
		config_value_fault(&l->r, "is no single key; write one like session_timer.mode");
	else if (k != NULL && !k->live)
		config_value_fault(&l->r, "cannot change while verge runs");
	else if (k != NULL && config_schema_is_list(k->type))
		rc = config_value_read_list(&l->r, k, field, slice_of_str(o->value));
	else if (k != NULL)
		rc = config_value_read(&l->r, k, field, slice_of_str(o->value));
	config_node_pop(&l->r, old);
	return rc;
}
