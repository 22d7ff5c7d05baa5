// SPDX-License-Identifier: BSD-3-Clause
// Regular expressions of operators, by PCRE2 with JIT. Compiled on the control thread with the
// configuration (allocates); matched by workers without any allocation, each match bounded in steps
// and memory, so that no pattern can stall a worker on any text.
#pragma once

#include "base/outbuf.h"
#include "base/slice.h"

#define REGEX_STEPS	  10000 // a match is given up after so many tries of a piece of the pattern
#define REGEX_STEPS_ALL	  30000 // and so many are there for all matches of one message
#define REGEX_GROUPS	  10	// \0 to \9
#define REGEX_SUBJECT_MAX 2048	// bytes of a value that are looked at; longer ones do not match

struct regex;

// Errors: -EINVAL with the reason in why[], -ENOMEM.
int regex_compile(struct regex **re, struct slice pattern, bool any_case, char *why, size_t room);
void regex_free(struct regex *re);
// Highest group number that the pattern has.
unsigned regex_groups(const struct regex *re);

// What a worker needs to match. Control thread; NULL: no memory.
struct regex_scratch;
struct regex_scratch *regex_scratch_make(void);
void regex_scratch_free(struct regex_scratch *s);
// A new message: all steps are there again.
void regex_scratch_reset(struct regex_scratch *s);
// Steps that the message has left: what tests hold against REGEX_STEPS_ALL.
uint32_t regex_scratch_left(const struct regex_scratch *s);

// Where a match lies in the subject, by group; p NULL: the group took no part.
struct regex_match {
	struct slice group[REGEX_GROUPS];
};

// The first match at or after offset `from`. 1 and *match (may be NULL), 0 none, -E2BIG the subject
// is too long, -ETIME given up for want of steps or memory.
int regex_find(const struct regex *re, struct regex_scratch *s, struct slice subject, uint32_t from,
	       struct regex_match *match);
