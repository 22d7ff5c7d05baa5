// SPDX-License-Identifier: BSD-3-Clause
// YAML nodes as the readers of the configuration take them. Private to lib/config.
// Control thread. A finding is about the place that config_node_look_at() was last called for.
#pragma once

#include "config/config_read.h"

uint32_t config_node_line(const yaml_node_t *node); // from 1
// Findings from now on are about this node.
void config_node_look_at(struct config_reader *r, const yaml_node_t *node);
// Text of a scalar node; it lives as long as the document.
struct slice config_node_text(const yaml_node_t *node);
// Nothing, "~" or "null" without quotes.
bool config_node_is_null(const yaml_node_t *node);

// What ports, profiles, trunks and sets of rules may be called.
bool config_node_is_name(struct slice s);

// Appends a name to the path of findings; returns what config_node_pop() wants back.
size_t config_node_push(struct config_reader *r, const char *dot, struct slice name);
void config_node_pop(struct config_reader *r, size_t old);

// How many keys a mapping node has; an empty value (or NULL) is an empty mapping.
// Errors: -EINVAL with a finding, *pairs is 0.
int config_node_mapping(struct config_loader *l, const yaml_node_t *node, uint32_t *pairs);
// The i-th key and value, and looks at the key; false with a finding if the key is no scalar.
bool config_node_pair(struct config_loader *l, const yaml_node_t *node, uint32_t i,
		      struct slice *name, yaml_node_t **value);
// Entries of a sequence node, and one of them.
uint32_t config_node_count(const yaml_node_t *node);
yaml_node_t *config_node_item(const struct config_loader *l, const yaml_node_t *node, uint32_t i);
