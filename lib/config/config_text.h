// SPDX-License-Identifier: BSD-3-Clause
// Values of the configuration as YAML text. Private to lib/config. Pure.
#pragma once

#include "config/config_schema.h"

// The field as YAML text. c gives names to ids.
void config_text_print(struct outbuf *out, const struct config *c, const struct config_key *key,
		       const void *field);
void config_text_print_ip(struct outbuf *out, const struct config_ip *ip);
// A bound or number of a key in its unit: 0.05, 90.
void config_text_print_number(struct outbuf *out, double v);
