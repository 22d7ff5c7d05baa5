// SPDX-License-Identifier: BSD-3-Clause
// Message rules as the configuration has them once read: sets of rules, each a condition and what
// to do. Plain data, any thread; the memory belongs to who made it (the configuration snapshot) and
// is constant. Nothing here is checked: rule_check.h says what is allowed, program.h compiles.
#pragma once

#include "base/slice.h"
#include "sip/sip.h"

#define RULE_MAX_SETS	 512
#define RULE_MAX_RULES	 4096 // of all sets
#define RULE_MAX_CONDS	 64   // nodes of one rule's condition, its root included
#define RULE_MAX_DEPTH	 8    // of all, any, not in each other
#define RULE_MAX_ACTIONS 32   // of one rule
#define RULE_MAX_TEXT	 1024 // bytes of a pattern, a value, a name
#define RULE_MAX_PARAMS	 8    // of one uri action
#define RULE_MAX_TOKENS	 16   // in each of add and remove of one option action
#define RULE_MAX_CODES	 16   // ranges of one condition
#define RULE_MAX_CHAIN	 64   // sets of one trunk and direction
#define RULE_MAX_LABEL	 63   // bytes of a tag: letters, digits, '_', '-', '.'

#define RULE_MAX_VARIABLES 99  // \u01 to \u99
#define RULE_MAX_VARIABLE  512 // bytes that one may hold

enum rule_cond_kind {
#define RULE_COND(id, key, args) RULE_COND_##id,
#include "rules/rule.def"
	RULE_COND_N
};

enum rule_test_kind {
#define RULE_TEST(id, key, args) RULE_TEST_##id,
#include "rules/rule.def"
	RULE_TEST_N
};

enum rule_action_kind {
#define RULE_ACTION(id, key, args) RULE_DO_##id,
#include "rules/rule.def"
	RULE_DO_N
};

enum rule_direction { RULE_IN, RULE_OUT }; // as the trunk's lists in and out
enum rule_kind { RULE_REQUEST, RULE_RESPONSE };
// CREATING: an INVITE without To tag and its responses; IN: all that has a To tag, but responses to
// that INVITE.
enum rule_dialog { RULE_DIALOG_CREATING, RULE_DIALOG_IN };
enum rule_which { RULE_FIRST, RULE_ALL_OF, RULE_NTH };
enum rule_change { RULE_SET, RULE_SCALE, RULE_MIN, RULE_MAX };
enum rule_refresher { RULE_LOCAL, RULE_REMOTE }; // verge, the trunk's peer

// A header by name. id is SIP_H_OTHER for names that sip.def does not list; compact forms and case
// are the same header.
struct rule_header {
	struct slice name; // as to be written: canonical where sip.def lists it
	uint8_t id;	   // enum sip_header
};

struct rule_test {
	struct rule_header header; // not of RULE_COND_AGENT
	uint8_t kind;		   // enum rule_test_kind
	bool exact;		   // case counts
	struct slice text;	   // EQUALS, CONTAINS, MATCHES
	uint64_t number;	   // LT ... GE
};

struct rule_codes { // 100-699, both included
	uint16_t from, to;
};

struct rule_cond {
	uint8_t kind; // enum rule_cond_kind; which of the following it has: rule.def
	uint32_t bits;
	const struct rule_codes *codes;
	uint32_t n_codes;
	const uint16_t *trunks; // ids
	uint32_t n_trunks;
	struct rule_test test;
	struct slice text;
	const struct rule_cond *sub;
	uint32_t n_sub;
	uint32_t line; // of the file
};

struct rule_param {
	struct slice name;
	struct slice value; // p NULL: the parameter is taken out; empty: a name without "="
};

struct rule_action {
	uint8_t kind;	   // enum rule_action_kind; which of the following it has: rule.def
	uint8_t which;	   // enum rule_which
	uint8_t change;	   // enum rule_change
	uint8_t refresher; // enum rule_refresher
	uint16_t nth;	   // from 1, of RULE_NTH
	uint16_t code;
	bool request_uri; // URI, CAPTURE: the Request-URI instead of a header
	bool any_case;	  // SUBSTITUTE, DELETE, CAPTURE: case of match does not count
	uint8_t variable; // CAPTURE: 1 to 99
	struct rule_header header, to_header;
	struct slice text;
	struct slice match;	 // a regular expression
	struct slice user, host; // host: with port if one is wanted, IPv6 in brackets
	uint32_t number; // SCALE: thousandths; otherwise the value, seconds in timer actions
	const struct rule_param *params;
	uint32_t n_params;
	const struct slice *add, *remove; // tokens
	uint32_t n_add, n_remove;
	uint32_t line;
};

struct rule {
	struct slice name;     // given, or SET#N; what counters and vergectl show
	struct rule_cond when; // kind ALL; n_sub 0: always
	const struct rule_action *actions;
	uint32_t n_actions;
	uint32_t line;
};

struct rule_set {
	struct slice name; // of the set, or the preset's word
	const struct rule *rules;
	uint32_t n_rules;
	uint32_t line;
};

// The sets of one trunk and direction in the order of application: the profile's, then the trunk's;
// each at most once.
struct rule_chain {
	const uint16_t *sets; // indices into rule_book.sets
	uint32_t n;
};

struct rule_trunk {
	struct rule_chain chain[2]; // by enum rule_direction
};

// All rules of a configuration. Without any: n_sets 0, and trunks may be NULL.
struct rule_book {
	const struct rule_set *sets;
	uint32_t n_sets;
	const struct rule_trunk *trunks; // [n_trunks], by trunk id
	uint32_t n_trunks;
};
