// SPDX-License-Identifier: BSD-3-Clause
// The judge of fuzz_rules: what rules did to a message, and whether they may. Which headers are
// nobody's to touch is said here again, since a judge must not ask whom it judges. One thread; what
// is not so aborts.
#pragma once

#include "rules/rules.h"

#define RULES_STEPS_MAX 64

struct rules_step_seen {
	const struct rule *rule;
	bool changed, refused;
};

struct rules_outcome {
	bool applies;
	struct rules_result result;
	struct rules_step_seen step[RULES_STEPS_MAX]; // those whose condition held
	unsigned steps, evaluated;
	bool gave_up;
	size_t len; // of text, what the message becomes
	uint8_t text[SIP_MSG_MAX_BYTES];
};

// Apply the rules of a program; their counters must say what they did.
void rules_judge_apply(struct rules_outcome *o, struct rules_program *p,
		       const struct rules_facts *f);
// What has become of a message that was changed.
void rules_judge_message(const struct sip_msg *then, const struct rules_outcome *o,
			 const struct rules_facts *f);
void rules_judge_verdict(const struct rules_outcome *o, const struct rules_facts *f);
// How candidates are found must not matter, unless expressions ran out of their steps.
void rules_judge_same(const struct rules_outcome *a, const struct rules_outcome *b);
