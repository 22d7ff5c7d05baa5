// SPDX-License-Identifier: BSD-3-Clause
// Rules of other systems as message rules: an importer writes a list of rules in verge's grammar,
// which is read like any other. Control thread or a command; allocates.
#pragma once

#include "config/config_load.h"
#include "rules/rule_check.h"

#define CONFIG_IMPORT_MAX_RULES 4096 // of a file; what is beyond it is refused

// Where a rule stood, and where it stands in the YAML text.
struct config_import_rule {
	uint32_t line, yaml_line;
};

// What became of a file.
struct config_import {
	struct outbuf yaml;	    // a list of rules, malloc'ed; empty if there is none
	uint32_t yaml_lines;	    // of yaml so far
	struct config_errors notes; // errors: not carried over; warnings: what differs
	struct config_import_rule rules[CONFIG_IMPORT_MAX_RULES];
	uint32_t n_rules;
	struct rule_variables variables; // captured so far
};

// A regular file into malloc'ed memory, to be freed also on errors. -errno, -EFBIG.
int config_import_load(const char *path, uint8_t **bytes, size_t *len);

// Converts text. format: "smc", a VSXi SMC profile (JSON), or "sip_profiles", lines of a CUBE's
// voice class sip-profiles. name is for the notes.
// Out:    *out, to be freed with config_import_free().
// Errors: -ENOTSUP no such format, -ENOSPC the rules take more than 4 MiB, -ENOMEM.
int config_import_convert(struct config_import **out, const char *format, struct slice text,
			  const char *name);
void config_import_free(struct config_import *import); // NULL is fine
