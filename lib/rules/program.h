// SPDX-License-Identifier: BSD-3-Clause
// What a program is made of; only this folder includes this.
//
// A condition is a tree of nodes. A node that compares text is an atom: a pattern of the
// classifier, which says in its one scan which atoms may hold. From the tree follows a guard:
// headers and atoms of which at least one must be there for the rule to apply. For a message the
// candidates are the rules whose guard is met, and those without a guard that its kind, method or
// code does not rule out; only these are evaluated, so that a thousand rules cost what few do.
#pragma once

#include <stdalign.h>

#include "rules/draft.h"
#include "rules/regex.h"
#include "rules/rules.h"
#include "rules/variable.h"

#define PROGRAM_NO_ATOM	 UINT16_MAX
#define PROGRAM_NO_HEAD	 UINT8_MAX
#define PROGRAM_BUCKETS	 (SIP_METHOD_N + 6) // requests by method, responses by class
#define PROGRAM_GUARDS	 64		    // of one rule; more and it has none
#define PROGRAM_TEXT	 (64u * 1024)	    // that the actions of one message may make
#define PROGRAM_NO_PLACE UINT16_MAX

struct node {
	const struct rule_cond *cond;
	const struct regex *regex; // of MATCHES
	uint16_t atom;		   // or PROGRAM_NO_ATOM: looked at directly
	uint16_t first, n;	   // nodes below it
	uint8_t kind;		   // enum rule_cond_kind
	uint8_t head[2];	   // header, of AGENT both; or PROGRAM_NO_HEAD
};

// What a rule has done. The program that takes the place of this one has the same tally where it
// has the same rule, so that counters go on, also while calls still go by the older program.
struct tally {
	uint32_t refs; // programs; W, R: control
	struct {
		alignas(64) struct rules_counts counts; // W: the user, R: any (relaxed)
	} of[];						// by user
};

struct code { // a rule
	const struct rule *rule;
	struct tally *tally;
	uint16_t set;
	uint16_t root;	      // node
	uint32_t regex;	      // of its actions: index of the first, one each
	uint64_t heads;	      // headers that its condition looks at
	uint64_t labels;      // that it gives
	uint16_t n_guards;    // 0: none, by bucket
	uint32_t first_guard; // in program.guards
};

// What must be there for a rule to apply: an atom, or a header.
#define GUARD_HEAD 0x8000

// The rules of one trunk and direction, in order.
struct chain {
	struct rule_chain sets; // of the book: to find equal ones
	uint8_t direction;
	uint32_t n;
	uint32_t words;	  // of a set of places
	uint16_t *rules;  // [n]
	uint16_t *place;  // [n_rules] of a rule, or PROGRAM_NO_PLACE
	uint64_t *always; // [PROGRAM_BUCKETS][words]: rules without a guard that may apply
};

struct user {
	struct classify_scratch *scratch;
	struct regex_scratch *regex;
	struct sip_class class; // of messages of ours
	uint32_t number;
	uint32_t last;	// rule that changed the message last
	bool begun;	// draft holds the message
	uint64_t dirty; // headers changed so far
	struct rules_result result;
	struct sip_edits edits;
	uint64_t candidates[RULE_MAX_RULES / 64];
	struct draft draft;
	struct draft saved; // before the rule that is being applied
	uint16_t set;	    // whose variables these are
	struct variables variables, saved_variables;
	alignas(64) uint8_t text[PROGRAM_TEXT];
};

struct rules_program {
	const struct rule_book *book;
	struct code *code; // [n_rules]
	struct node *nodes;
	struct regex **regexes; // of nodes, then of actions; some NULL
	uint16_t *guards;
	uint16_t *guarded;	 // rules by guard, those of one together
	uint32_t *by_guard;	 // where they begin, by program_guard()
	struct chain *chains;	 // [n_chains]
	uint16_t (*of_trunk)[2]; // [n_trunks] chain number + 1; 0: none
	struct classify_db *db;
	struct user **users; // [n_users]
	struct rule_header heads[RULES_HEADERS];
	uint64_t by_name; // heads that are SIP_H_OTHER
	uint32_t n_rules, n_nodes, n_regexes, n_guards, n_atoms, n_heads, n_chains, n_users;
	uint32_t n_labels;
	uint8_t label_len[RULES_LABELS];
	char labels[RULES_LABELS][RULE_MAX_LABEL + 1];
};

// Number of a guard: atoms first, then headers.
static inline uint32_t program_guard(const struct rules_program *p, uint16_t guard)
{
	return (guard & GUARD_HEAD) != 0 ? p->n_atoms + (guard & ~GUARD_HEAD) : guard;
}

enum known { KNOWN_NO, KNOWN_YES, KNOWN_MAYBE };
// What direction and bucket alone say of a condition.
enum known program_known(const struct rules_program *p, const struct node *n,
			 enum rule_direction direction, unsigned bucket);
static inline unsigned program_bucket(const struct sip_msg *m)
{
	return sip_msg_is_request(m) ? m->method : SIP_METHOD_N + m->status / 100u - 1;
}
uint8_t program_head(const struct rules_program *p, const struct rule_header *h);

// --- evaluation (eval.c)

struct run {
	struct rules_program *p;
	struct user *user;
	const struct chain *chain;
	const struct rules_facts *facts;
	const struct sip_class *class;
	uint64_t gave_up; // regular expressions that ran out of steps, of the rule at hand
};
bool eval_rule(struct run *r, const struct code *code);
// The leading number of a value.
bool eval_number(struct slice value, uint64_t *number, uint32_t *digits);

// --- actions (action.c, action_value.c, action_timer.c)

// Carry out one action on the draft and the result. False: it cannot be done.
bool action_do(struct run *r, const struct code *code, uint32_t action);
bool action_timer(struct run *r, const struct rule_action *a);
bool action_substitute(struct run *r, const struct rule_action *a, const struct regex *re);
bool action_capture(struct run *r, const struct rule_action *a, const struct regex *re);
bool action_uri(struct run *r, const struct rule_action *a);
// A text with what its variables hold, in the draft's room.
struct slice action_expand(struct run *r, struct slice text);
bool action_number(struct draft *d, const struct rule_action *a);
bool action_option(struct draft *d, const struct rule_header *h, const struct slice *add,
		   uint32_t n_add, const struct slice *remove, uint32_t n_remove);
uint64_t action_change(const struct rule_action *a, uint64_t number);
bool action_set_number(struct draft *d, uint32_t at, uint64_t number);

// Would the draft be a legal message? NULL or what is wrong (legal.c).
const char *legal_fault(const struct run *r);
