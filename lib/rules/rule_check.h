// SPDX-License-Identifier: BSD-3-Clause
// What a rule may be: the loader asks before it accepts one, so that the program (program.h) can be
// compiled from whatever was accepted. Control thread: patterns are compiled for a try, which
// allocates.
#pragma once

#include "rules/rule.h"

#define RULE_FAULT_MAX 240 // bytes of a sentence, zero included

// What is wrong with one node of a condition (not its sub nodes), one action, or a whole rule
// (actions that contradict each other, conditions that can never hold together). true: nothing;
// otherwise fault[] says what is wrong and what would be right, without file and line.
bool rule_check_cond(const struct rule_cond *cond, char fault[RULE_FAULT_MAX]);
bool rule_check_action(const struct rule_action *action, char fault[RULE_FAULT_MAX]);
// Also everything inside; *line is where the fault is.
bool rule_check(const struct rule *rule, uint32_t *line, char fault[RULE_FAULT_MAX]);

// Why no rule may touch a header (enum sip_header); NULL: one may. Any thread.
const char *rule_protected(uint8_t id);

// The variables that rules of a set have captured so far, by number: on which kinds of messages.
struct rule_variables {
	uint8_t kinds[RULE_MAX_VARIABLES + 1]; // 1 << enum rule_kind
};
// The next rule of a set: whether what it writes as \u01 to \u99 has been captured before, on
// messages of its kind; the first that was not is the fault. *known then has its captures, too.
bool rule_check_variables(struct rule_variables *known, const struct rule *rule, uint32_t *line,
			  char fault[RULE_FAULT_MAX]);

// What may stand as user (an empty one: none) or host of a uri action. Any thread.
bool rule_check_user(struct slice user);
bool rule_check_host(struct slice host);

// A regular expression: PCRE2 takes it, and Hyperscan takes what has to hold before it is tried.
bool rule_check_pattern(struct slice pattern, bool any_case, char fault[RULE_FAULT_MAX]);

// Words of rule.def; -1: none.
int rule_cond_of(struct slice key);
int rule_test_of(struct slice key);
int rule_action_of(struct slice key);
const char *rule_cond_key(enum rule_cond_kind kind);
const char *rule_test_key(enum rule_test_kind kind);
const char *rule_action_key(enum rule_action_kind kind);
// A header by the name that an operator wrote; text is kept for names that sip.def does not list.
struct rule_header rule_header_of(struct slice name);
