// SPDX-License-Identifier: BSD-3-Clause
// One case being run: the script, the world, what has happened so far.
// One thread of a test program.
#pragma once

#include <stdio.h>

#include "automatic.h"
#include "lint.h"
#include "script.h"

#define RUN_VARS_MAX 64
#define RUN_CDRS_MAX 256

struct run {
	struct arena arena;
	struct script *script;
	struct network net;
	struct lint lint;
	FILE *ladder; // what happened, line by line
	char *ladder_text;
	size_t ladder_len;
	tick_t mark; // times in the file count from here
	struct {
		const char *name, *value;
	} var[RUN_VARS_MAX];
	int n_vars;
	const char *cdr[RUN_CDRS_MAX]; // JSON; those that no step has looked at are from cdr_at on
	int n_cdrs, cdr_at;
	bool allow_copies; // retransmissions need no step
	unsigned n_scrapes;
	bool leaks_wanted; // the case says itself what may be left
	const struct step *step;
	const char *error;		   // NULL: nothing wrong so far
	const struct arrival *waiting_for; // last arrival, for network.stop
	struct peer *wait_peer;
	const char *wait_label;
};

// Note the first thing that goes wrong; later ones are consequences.
__attribute__((format(printf, 2, 3))) void run_fail(struct run *r, const char *format, ...);
// A line of the ladder, with the time.
__attribute__((format(printf, 2, 3))) void run_note(struct run *r, const char *format, ...);

// Run a case. Returns 0 when all is as the file says. Otherwise r->error and the ladder tell.
int run_case(struct run *r, struct script *script, uint64_t seed);
void run_free(struct run *r);

// Helpers of the step files.
struct peer *run_peer(struct run *r, const char *name); // fails the case if there is none
// "A/x" into peer and label ("" if there is none); NULL fails the case.
struct peer *run_subject(struct run *r, const char *word, const char **label);
// The text with $variables put in.
const char *run_substitute(struct run *r, const char *text);
void run_set_var(struct run *r, const char *name, const char *value);
// A time such as 900s, 1.5s, 20ms, 1h30m; false if it is none.
bool run_time(const char *text, tick_t *t);
// Let time pass; `until` counts from the start of the clock. Messages for steps stay in the
// inboxes.
void run_until(struct run *r, tick_t until);

// The kinds of steps; each returns false if the step is not its own.
bool step_message(struct run *r, const struct step *s); // X > ..., X < ...
bool step_control(struct run *r, const struct step *s); // time, peers, configuration, operator
bool step_sample(struct run *r, const struct step *s);	// sample TRUNK KIND: what shows a departure
bool step_why(struct run *r, const struct step *s);	// why X: what verge says about a leg
bool step_check(struct run *r, const struct step *s);	// state, cdr, metric, counts

// Lines below an expected message: NULL or what is not as they say.
const char *expect_message(struct run *r, const struct arrival *arrival, const struct step *s);
