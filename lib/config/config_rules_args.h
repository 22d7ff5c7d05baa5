// SPDX-License-Identifier: BSD-3-Clause
// rules_args.def as a table, for the reader and the printer of actions. Private to lib/config.
// Any thread; constant.
#pragma once

#include <stddef.h>

#include "rules/rule.h"

enum rules_arg_type {
	RULES_ARG_HEADER,
	RULES_ARG_URI_HEADER, // also Request-URI
	RULES_ARG_TEXT,
	RULES_ARG_REGEX,
	RULES_ARG_CODE,
	RULES_ARG_VARIABLE,
	RULES_ARG_TOKENS,
	RULES_ARG_PARAMS,
	RULES_ARG_WHICH,
	RULES_ARG_CASE,
	RULES_ARG_FLAG,
	RULES_ARG_REFRESHER,
	RULES_ARG_CHANGE_SET,
	RULES_ARG_CHANGE_SCALE,
	RULES_ARG_CHANGE_MIN,
	RULES_ARG_CHANGE_MAX,
	RULES_ARG_SECONDS_SET,
	RULES_ARG_SECONDS_MAX,
};

enum rules_arg_need { RULES_ARG_MUST, RULES_ARG_MAY, RULES_ARG_ONE, RULES_ARG_SOME };

struct rules_arg {
	const char *key; // "": the action's own value
	size_t offset;	 // of the field in struct rule_action
	enum rules_arg_type type;
	enum rules_arg_need need;
	enum rule_action_kind action;
};

extern const struct rules_arg config_rules_args[];
extern const unsigned config_rules_n_args;

// enum rule_change that a type stands for; -1: none.
int config_rules_change(enum rules_arg_type type);
