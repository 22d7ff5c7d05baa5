// SPDX-License-Identifier: BSD-3-Clause
// YAML nodes: places, texts, mappings, lists.
// Control thread; pure but for findings.
#include "config/config_node.h"

#include <errno.h>

uint32_t config_node_line(const yaml_node_t *node)
{
	return (uint32_t)node->start_mark.line + 1;
}

void config_node_look_at(struct config_reader *r, const yaml_node_t *node)
{
	r->line = config_node_line(node);
	r->column = (uint32_t)node->start_mark.column + 1;
}

struct slice config_node_text(const yaml_node_t *node)
{
	return slice_of(node->data.scalar.value, node->data.scalar.length);
}

bool config_node_is_null(const yaml_node_t *node)
{
	struct slice s;

	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	s = config_node_text(node);
	return s.len == 0 || slice_eq(s, SLICE_LIT("~")) || slice_eq_nocase(s, SLICE_LIT("null"));
}

size_t config_node_push(struct config_reader *r, const char *dot, struct slice name)
{
	size_t old = strlen(r->path);
	struct outbuf o = outbuf_of(r->path + old, sizeof(r->path) - 1 - old);

	if (old != 0)
		outbuf_put_str(&o, dot);
	outbuf_put_slice(&o, slice_first(name, 64));
	r->path[old + o.len] = 0;
	return old;
}

void config_node_pop(struct config_reader *r, size_t old)
{
	r->path[old] = 0;
}

int config_node_mapping(struct config_loader *l, const yaml_node_t *node, uint32_t *pairs)
{
	*pairs = 0;
	if (node == NULL || config_node_is_null(node))
		return 0;
	if (node->type != YAML_MAPPING_NODE) {
		config_node_look_at(&l->r, node);
		config_value_fault(&l->r, "is %s; write keys with values below it",
				   node->type == YAML_SCALAR_NODE ? "a single value" : "a list");
		return -EINVAL;
	}
	*pairs = (uint32_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
	return 0;
}

bool config_node_pair(struct config_loader *l, const yaml_node_t *node, uint32_t i,
		      struct slice *name, yaml_node_t **value)
{
	const yaml_node_pair_t *pair = &node->data.mapping.pairs.start[i];
	const yaml_node_t *key = yaml_document_get_node(l->doc, pair->key);

	*value = yaml_document_get_node(l->doc, pair->value);
	config_node_look_at(&l->r, key);
	if (key->type != YAML_SCALAR_NODE) {
		size_t old = strlen(l->r.path);

		if (old == 0)
			config_node_push(&l->r, "", SLICE_LIT("the file"));
		config_value_fault(&l->r, "has a key that is no single word");
		config_node_pop(&l->r, old);
		return false;
	}
	*name = config_node_text(key);
	return true;
}

uint32_t config_node_count(const yaml_node_t *node)
{
	return (uint32_t)(node->data.sequence.items.top - node->data.sequence.items.start);
}

yaml_node_t *config_node_item(const struct config_loader *l, const yaml_node_t *node, uint32_t i)
{
	return yaml_document_get_node(l->doc, node->data.sequence.items.start[i]);
}

bool config_node_is_name(struct slice s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+@:/",
			   s.p[i]) == NULL ||
		    s.p[i] == 0)
			return false;
	return s.len >= 1 && s.len <= 63 && !slice_eq(s, SLICE_LIT("any"));
}
