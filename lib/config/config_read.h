// SPDX-License-Identifier: BSD-3-Clause
// From YAML nodes into a snapshot, remembering where each value stood. Private to lib/config.
// Control thread; allocates.
#pragma once

#include <yaml.h>

#include "config/config_value.h"

#define CONFIG_MAX_ROUTES 200000
// Reading stops when a file has so many errors: what follows would be noise, and hostile input
// must not cost more than its size.
#define CONFIG_ENOUGH 1000

// Where a value stood.
struct config_mark {
	const void *field;
	uint32_t line, column;
};

struct config_loader {
	struct config_reader r;
	yaml_document_t *doc;
	const struct config *previous;	      // may be NULL
	const struct config_machine *machine; // may be NULL
	struct config_port *ports;	      // the snapshot's, while they may be written
	struct config_profile *profiles;
	struct config_trunk *trunks;
	struct config_route *routes;
	struct rule_set *sets;
	const struct config_file *kept; // what an earlier snapshot of the same text imported
	struct config_mark *marks;	// malloc'ed
	uint32_t n_marks, cap_marks;
};

// Fill l->r.c from the document (NULL: an empty file). Errors: -EINVAL findings, -ENOMEM.
int config_read_document(struct config_loader *l);

// Put one override on top. Errors: -EINVAL a finding was added, -ENOMEM.
int config_read_override(struct config_loader *l, const struct config_override *o);

// Line of a field that the file gives; `otherwise` if it does not.
uint32_t config_read_line(const struct config_loader *l, const void *field, uint32_t otherwise);
