// SPDX-License-Identifier: BSD-3-Clause
// Single values of the configuration: from text into a field and back. Private to lib/config.
// Control thread; allocates from the snapshot.
#pragma once

#include "config/config_schema.h"
#include "config/config_text.h"

// Where findings go and what names are known.
struct config_reader {
	struct config *c; // ports, profiles and trunks that references may name
	struct config_text *t;
	struct config_errors *errors;
	uint32_t line, column; // of the value that is being read
	char path[200];	       // "trunks.8068.peers"
};

// Finding about the value at path, line and column of r.
__attribute__((format(printf, 2, 3))) void config_value_fault(struct config_reader *r,
							      const char *format, ...);

// Read one scalar into the field of a key that is neither a list nor a section.
// Errors: -EINVAL a finding was added and the field is untouched, -ENOMEM.
int config_value_read(struct config_reader *r, const struct config_key *key, void *field,
		      struct slice text);
// The same for one element of a list.
int config_value_read_element(struct config_reader *r, const struct config_key *key, void *element,
			      struct slice text);
// Read "[a, b]" or a single value into a list; for defaults and overrides.
int config_value_read_list(struct config_reader *r, const struct config_key *key, void *field,
			   struct slice text);
// Complains about counts outside the key's bounds. Errors: -EINVAL.
int config_value_count(struct config_reader *r, const struct config_key *key, uint32_t n);

// Whether a net holds an address.
bool config_value_in_net(const struct config_net *net, const struct config_ip *ip);
bool config_value_same_ip(const struct config_ip *a, const struct config_ip *b);
