// SPDX-License-Identifier: BSD-3-Clause
// Message rules back as YAML that reads as the same rules.
// Any thread; writes into the caller's buffer.
#pragma once

#include "base/outbuf.h"
#include "config/config.h"
#include "rules/rule.h"

// One set as "  NAME:" and a list of rules below it; `c` has the names of trunks.
void config_rules_print_set(struct outbuf *out, const struct config *c, const struct rule_set *set);
// All sets of a snapshot as the section `rules:`; imports and presets appear as what they are.
// Errors: -ENOSPC.
int config_rules_print(struct outbuf *out, const struct config *c);

// Text in double quotes with what YAML wants escaped.
void config_rules_print_text(struct outbuf *out, struct slice text);
