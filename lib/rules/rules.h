// SPDX-License-Identifier: BSD-3-Clause
// All message rules of a configuration, compiled, and their application to one message.
// A program is made on the control thread with the configuration snapshot and freed with it; it is
// then constant but for what belongs to each user. A user is one worker, or control itself: it has
// scratch and counters of its own in the program, so that workers take a new program by its pointer
// alone and nothing is allocated, locked or shared on the packet path.
#pragma once

#include "classify/classify.h"
#include "rules/rule.h"
#include "rules/rule_check.h"
#include "sip/edit.h"

#define RULES_LABELS	  64	// different tags since verge started
#define RULES_HEADERS	  64	// different headers that conditions look at
#define RULES_VALUE_MAX	  8192	// bytes of a header that a rule may leave behind
#define RULES_MESSAGE_MAX 60000 // bytes of a message that a rule may leave behind
#define RULES_NO_TRUNK	  UINT16_MAX

struct rules_program;

struct rules_fault {
	uint32_t line; // of the file
	char text[RULE_FAULT_MAX];
};

// Compile a book, which must outlive the program. users: how many may run it at once. before: the
// program that it takes the place of, or NULL; labels keep their numbers, and the counters of rules
// that have the same name in the same set go on. Both may be run at once.
// Errors: -EINVAL with *fault, -ENOMEM, -ENOTSUP (no SSSE3). *out is then NULL.
// Cost:   10 ms, a second for a thousand expressions. Allocates.
int rules_compile(struct rules_program **out, const struct rule_book *book, uint32_t users,
		  const struct rules_program *before, struct rules_fault *fault);
void rules_free(struct rules_program *p);

// What classify_message() is to be called with while the program is in use: it finds in one scan
// what rules look for.
const struct classify_db *rules_patterns(const struct rules_program *p);
struct classify_scratch *rules_scratch(const struct rules_program *p, uint32_t user);

// How many users it has, as rules_compile() was told.
uint32_t rules_users(const struct rules_program *p);

// Whether any rule is there for messages of a trunk. p may be NULL.
bool rules_any(const struct rules_program *p, uint16_t trunk, enum rule_direction direction);

// What is known of a message beside its text.
struct rules_facts {
	const struct sip_msg *msg;
	const struct sip_class *class; // with hits of rules_patterns(); NULL: scan for them
	uint16_t trunk;		       // whose rules
	uint16_t ingress, egress;      // of the call; RULES_NO_TRUNK: none yet
	uint8_t direction;	       // enum rule_direction
	uint8_t method;		       // enum sip_method of the transaction (CSeq)
	uint8_t dialog;		       // enum rule_dialog
	bool in_call;		       // dialog says something: false for OPTIONS and the like
	bool peer_lacks_timer;	       // known: the peer does not do RFC 4028
};

enum rules_verdict { RULES_PASS, RULES_REJECT, RULES_DROP };

struct rules_result {
	uint8_t verdict;   // enum rules_verdict
	bool changed;	   // edits has something
	bool strip_timer;  // the leg has no timer from now on
	bool disarm;	   // what is negotiated is kept by nobody here
	bool hide_update;  // no UPDATE of ours on this leg
	bool trace;	   // the call is to be traced
	uint8_t refresher; // 0 nothing, 1 + enum rule_refresher
	uint16_t code;	   // RULES_REJECT; otherwise the status code as it is now
	struct slice reason;
	uint64_t labels;	       // tags, bit by number
	uint32_t len;		       // bytes of the message with its edits
	const struct sip_edits *edits; // with sip_edit_apply(); good until the user's next call
};

// For `vergectl rules test`: each rule that was tried, in order.
struct rules_step {
	const struct rule *rule;
	const struct rule_set *set;
	bool matched, changed;
	const char *refused; // why its result was not taken; NULL
	const struct rules_result *result;
};
struct rules_watch {
	void (*step)(void *ctx, const struct rules_step *step);
	void *ctx;
};

// Apply a trunk's rules, one after the other; each sees what the ones before it left. A rule whose
// result would be illegal changes nothing and is counted. The message itself is not written to.
// watch: NULL but in tests. True: *result says what is to be done; false: nothing applies.
// Thread: the user's. Cost: see README.md; one array look-up where the trunk has no rules.
bool rules_apply(struct rules_program *p, uint32_t user, const struct rules_facts *facts,
		 struct rules_result *result, const struct rules_watch *watch);

// The result did not become a legal message after all (its index said no): the last rule that
// changed it is counted as refused.
void rules_blame(struct rules_program *p, uint32_t user);

// Counters of a rule, summed over users and over the programs before that had it.
struct rules_counts {
	uint64_t evaluated; // its condition was looked at
	uint64_t matched;   // it held
	uint64_t changed;   // and something was changed or said
	uint64_t refused;   // its result would have been illegal
	uint64_t gave_up;   // a regular expression ran out of steps
};
uint32_t rules_count(const struct rules_program *p);
const struct rule *rules_at(const struct rules_program *p, uint32_t rule,
			    const struct rule_set **set);
// Any thread.
void rules_read(const struct rules_program *p, uint32_t rule, struct rules_counts *counts);

// Tags by number; empty: not used.
struct slice rules_label(const struct rules_program *p, unsigned label);
