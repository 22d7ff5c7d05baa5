// SPDX-License-Identifier: BSD-3-Clause
// Regular expressions by PCRE2. Compiling: control thread, allocates. Matching: workers, from their
// scratch only; JIT code where the machine lets us have it, else the interpreter, with the same
// limits.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rules/regex.h"

#include <errno.h>
#include <pcre2.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES (192u * 1024)
#define HEAP_KIB    64 // of the interpreter's frames; the JIT has 32 KiB of stack
#define PATTERN_MAX 1024

struct regex {
	pcre2_code *code;
	uint32_t groups;
};

struct regex_scratch {
	size_t used, mark;
	uint32_t steps; // left of the match in progress
	uint32_t left;	// of the message
	pcre2_general_context *general;
	pcre2_match_context *limits;
	alignas(16) uint8_t arena[ARENA_BYTES];
};

static void *take(PCRE2_SIZE n, void *ctx)
{
	struct regex_scratch *s = ctx;
	size_t bytes = (n + 15) & ~(size_t)15;
	uint8_t *p = s->arena + s->used;

	if (n > ARENA_BYTES || bytes > ARENA_BYTES - s->used)
		return NULL;
	s->used += bytes;
	return p;
}

// Given back all at once, when the match is over.
static void give(void *, void *)
{
}

// Before each item of a pattern that is tried, at each place: this is what is counted. PCRE2's own
// match limit does not count inside assertions.
static int count_step(pcre2_callout_block *, void *ctx)
{
	struct regex_scratch *s = ctx;

	if (s->steps == 0)
		return PCRE2_ERROR_MATCHLIMIT;
	s->steps--;
	return 0;
}

struct regex_scratch *regex_scratch_make(void)
{
	struct regex_scratch *s = aligned_alloc(alignof(struct regex_scratch), sizeof(*s));

	if (s == NULL)
		return NULL;
	s->used = 0;
	s->general = pcre2_general_context_create(take, give, s);
	s->limits = s->general != NULL ? pcre2_match_context_create(s->general) : NULL;
	if (s->limits == NULL) {
		free(s);
		return NULL;
	}
	pcre2_set_match_limit(s->limits, REGEX_STEPS);
	pcre2_set_depth_limit(s->limits, REGEX_STEPS);
	pcre2_set_heap_limit(s->limits, HEAP_KIB);
	pcre2_set_callout(s->limits, count_step, s);
	s->mark = s->used;
	regex_scratch_reset(s);
	return s;
}

void regex_scratch_free(struct regex_scratch *s)
{
	free(s); // the contexts lie in it
}

void regex_scratch_reset(struct regex_scratch *s)
{
	s->left = REGEX_STEPS_ALL;
}

uint32_t regex_scratch_left(const struct regex_scratch *s)
{
	return s->left;
}

int regex_compile(struct regex **re, struct slice pattern, bool any_case, char *why, size_t room)
{
	uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C |
			   PCRE2_DOLLAR_ENDONLY | PCRE2_AUTO_CALLOUT |
			   (any_case ? PCRE2_CASELESS : 0);
	struct regex *made;
	PCRE2_SIZE at;
	int error;

	*re = NULL;
	if (pattern.len == 0 || pattern.len > PATTERN_MAX) {
		snprintf(why, room, "is %s", pattern.len == 0 ? "empty" : "longer than 1024 bytes");
		return -EINVAL;
	}
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return -ENOMEM;
	made->code = pcre2_compile(pattern.p, pattern.len, options, &error, &at, NULL);
	if (made->code == NULL) {
		PCRE2_UCHAR text[160];

		pcre2_get_error_message(error, text, sizeof(text));
		snprintf(why, room, "at byte %zu: %s", at, (const char *)text);
		free(made);
		return -EINVAL;
	}
	pcre2_pattern_info(made->code, PCRE2_INFO_CAPTURECOUNT, &made->groups);
	// Without memory that may be executed the interpreter does the same, more slowly.
	(void)pcre2_jit_compile(made->code, PCRE2_JIT_COMPLETE);
	*re = made;
	return 0;
}

void regex_free(struct regex *re)
{
	if (re == NULL)
		return;
	pcre2_code_free(re->code);
	free(re);
}

unsigned regex_groups(const struct regex *re)
{
	return re->groups;
}

static void read_groups(struct regex_match *match, pcre2_match_data *data, int n,
			struct slice subject)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);

	*match = (struct regex_match){0};
	for (int i = 0; i < n && i < REGEX_GROUPS; i++)
		if (at[2 * i] != PCRE2_UNSET && at[2 * i] <= at[2 * i + 1] &&
		    at[2 * i + 1] <= subject.len)
			match->group[i] =
				slice_of(subject.p + at[2 * i], at[2 * i + 1] - at[2 * i]);
}

int regex_find(const struct regex *re, struct regex_scratch *s, struct slice subject, uint32_t from,
	       struct regex_match *match)
{
	pcre2_match_data *data;
	int n;

	if (subject.len > REGEX_SUBJECT_MAX || from > subject.len)
		return -E2BIG;
	s->used = s->mark;
	s->steps = s->left < REGEX_STEPS ? s->left : REGEX_STEPS;
	s->left -= s->steps;
	data = pcre2_match_data_create(REGEX_GROUPS, s->general);
	if (data == NULL)
		return -ETIME;
	n = pcre2_match(re->code, subject.p != NULL ? subject.p : (PCRE2_SPTR) "", subject.len,
			from, 0, data, s->limits);
	s->left += s->steps;
	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	if (n < 0)
		return -ETIME;
	if (match != NULL)
		read_groups(match, data, n == 0 ? REGEX_GROUPS : n, subject);
	return 1;
}
