// SPDX-License-Identifier: BSD-3-Clause
// Message rules: what no file of tests/golden/rules shows. Expressions that would never end,
// counted in steps; counters that go on in the next program.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "rules/regex.h"
#include "rules/rules.h"
#include "rules/variable.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define S(text)                                           \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

// --- expressions

// A subject of the greatest length that is looked at: `with` again and again, then `last`.
static struct slice subject(const char *with, const char *last)
{
	static uint8_t text[REGEX_SUBJECT_MAX];
	size_t n = strlen(with), end = sizeof(text) - strlen(last);

	for (size_t i = 0; i < end; i++)
		text[i] = (uint8_t)with[i % n];
	memcpy(text + end, last, strlen(last));
	return slice_of(text, sizeof(text));
}

// What is known to take exponential or high polynomial time, or to hide from a match limit.
static void no_expression_runs_on(void **)
{
	static const struct {
		const char *shows, *pattern, *with, *last;
	} rows[] = {
		{"nested quantifiers", "(a+)+$", "a", "b"},
		{"nested lazily", "(a+?)+?$", "a", "b"},
		{"star of star", "(a*)*b", "a", "c"},
		{"alternatives that overlap", "(a|a)*$", "a", "b"},
		{"alternatives, one inside the other", "(a|aa)+$", "a", "b"},
		{"optional pieces", "(a?){64}a{64}$", "a", "b"},
		{"a polynomial", "(.*)(.*)(.*)(.*)(.*)x$", "a", "b"},
		{"white space", "(\\s*,\\s*)*$", " ", ","},
		{"an address", "^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}$", "a", "!"},
		{"a reference back", "(a*)*\\1b", "a", "c"},
		{"inside a look-ahead", "(?=(a+)+$)a", "a", "b"},
		{"items in a look-ahead", "(?=[^q]*[^r]*#)a", "a", "b"},
		{"inside a negative look-ahead", "(?!(a+)+$)b", "a", "b"},
		{"behind a look-behind", "(?<=a)(a+)+$", "a", "b"},
		{"recursion", "^(a|(?1)a)*$", "a", "b"},
		{"recursion that consumes nothing", "(?R)?a", "a", "b"},
		{"a condition", "(?(?=(a+)+$)a|b)c", "a", "b"},
		{"possessive inside", "((a++)*)+b$", "a", "c"},
		{"atomic", "((?>a+))+b$", "a", "c"},
		{"repeated 1,000 times", "(a{0,9}){0,999}$", "a", "b"},
	};
	struct regex_scratch *s = regex_scratch_make();
	char why[200];

	assert_non_null(s);
	for (size_t i = 0; i < COUNT(rows); i++)
		for (int any_case = 0; any_case < 2; any_case++) {
			struct slice text = subject(rows[i].with, rows[i].last);
			struct regex_match match;
			struct regex *re;
			int rc;

			regex_scratch_reset(s);
			if (regex_compile(&re, slice_of_str(rows[i].pattern), any_case != 0, why,
					  sizeof(why)) != 0)
				fail_msg("%s: %s", rows[i].shows, why);
			rc = regex_find(re, s, text, 0, &match);
			if (rc != -ETIME && rc != 0 && rc != 1)
				fail_msg("%s: %d", rows[i].shows, rc);
			if (regex_scratch_left(s) < REGEX_STEPS_ALL - REGEX_STEPS)
				fail_msg("%s: %u steps", rows[i].shows,
					 REGEX_STEPS_ALL - regex_scratch_left(s));
			regex_free(re);
		}
	regex_scratch_free(s);
}

// Steps are really counted: an expression without end takes all that one match has, and with the
// message's spent the next match is given up at once.
static void steps_of_a_message_end(void **)
{
	struct regex_scratch *s = regex_scratch_make();
	struct slice text = subject("a", "b");
	struct regex *bad, *good;
	char why[200];

	assert_int_equal(regex_compile(&bad, slice_of_str("(a+)+$"), false, why, sizeof(why)), 0);
	assert_int_equal(regex_compile(&good, slice_of_str("^a"), false, why, sizeof(why)), 0);
	assert_int_equal(regex_find(good, s, text, 0, NULL), 1);
	regex_scratch_reset(s);
	for (unsigned i = 1; i <= REGEX_STEPS_ALL / REGEX_STEPS; i++) {
		assert_int_equal(regex_find(bad, s, text, 0, NULL), -ETIME);
		assert_int_equal(regex_scratch_left(s), REGEX_STEPS_ALL - i * REGEX_STEPS);
	}
	assert_int_equal(regex_find(good, s, text, 0, NULL), -ETIME);
	regex_scratch_reset(s);
	assert_int_equal(regex_find(good, s, text, 0, NULL), 1);
	assert_int_equal(regex_find(good, s, slice_of(text.p, REGEX_SUBJECT_MAX + 1), 0, NULL),
			 -E2BIG);
	regex_free(bad);
	regex_free(good);
	regex_scratch_free(s);
}

// --- programs

#define HEAD                                                                   \
	"INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1" \
	"\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n"   \
	"Call-ID: c@x\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\n"
#define TAIL "Content-Length: 0\r\n\r\n"

static struct rules_program *compiled(const struct rule_book *book,
				      const struct rules_program *before)
{
	struct rules_program *p;
	struct rules_fault fault;

	if (rules_compile(&p, book, 2, before, &fault) != 0)
		fail_msg("%s", fault.text);
	return p;
}

static bool apply(struct rules_program *p, uint32_t user, const char *text,
		  struct rules_result *result)
{
	static struct sip_msg m;
	struct rules_facts facts = {.msg = &m,
				    .ingress = 0,
				    .egress = RULES_NO_TRUNK,
				    .direction = RULE_IN,
				    .method = SIP_INVITE,
				    .in_call = true};

	assert_int_equal(sip_msg_parse(&m, slice_of_str(text)), 0);
	return rules_apply(p, user, &facts, result, NULL);
}

#define MANY 200

// Many rules with expressions that never end: the message's steps are spent, each rule is given up
// and counted, and the rule behind them, which needs none, is applied.
static void many_bad_rules_cost_no_more(void **)
{
	static struct rule_cond when[MANY];
	static struct rule rules[MANY + 1];
	static const struct rule_action tag = {.kind = RULE_DO_TAG, .text = S("bad")},
					add = {.kind = RULE_DO_ADD,
					       .header = {S("Y"), SIP_H_OTHER},
					       .text = S("1")};
	struct rule_set set = {.name = S("s"), .rules = rules, .n_rules = MANY + 1};
	static const uint16_t sets[] = {0};
	struct rule_trunk trunk = {.chain = {{sets, 1}, {NULL, 0}}};
	struct rule_book book = {&set, 1, &trunk, 1};
	static char text[REGEX_SUBJECT_MAX + 1024];
	struct slice value = subject("a", "b");
	struct rules_result result;
	struct rules_counts counts;
	struct rules_program *p;
	uint64_t gave_up = 0;

	for (unsigned i = 0; i < MANY; i++) {
		// a look-ahead: the scan cannot rule it out
		when[i] = (struct rule_cond){.kind = RULE_COND_HEADER,
					     .test = {.header = {S("X-V"), SIP_H_OTHER},
						      .kind = RULE_TEST_MATCHES,
						      .text = S("(?=(a+)+$)a")}};
		rules[i] =
			(struct rule){.name = S("bad"),
				      .when = {.kind = RULE_COND_ALL, .sub = &when[i], .n_sub = 1},
				      .actions = &tag,
				      .n_actions = 1};
	}
	rules[MANY] = (struct rule){.name = S("good"), .actions = &add, .n_actions = 1};
	p = compiled(&book, NULL);
	snprintf(text, sizeof(text), HEAD "X-V: " SLICE_FMT "\r\n" TAIL, SLICE_ARG(value));
	assert_true(apply(p, 0, text, &result));
	assert_true(result.changed && result.labels == 0);
	for (uint32_t i = 0; i < MANY; i++) {
		rules_read(p, i, &counts);
		assert_int_equal(counts.evaluated, 1);
		assert_int_equal(counts.matched, 0);
		gave_up += counts.gave_up;
	}
	assert_int_equal(gave_up, MANY);
	rules_read(p, MANY, &counts);
	assert_int_equal(counts.changed, 1);
	rules_free(p);
}

// Counters of a rule are one, whichever of two programs and users counts; another name is another
// rule.
static void counters_go_on(void **)
{
	static const struct rule_action add = {
		.kind = RULE_DO_ADD, .header = {S("Y"), SIP_H_OTHER}, .text = S("1")};
	struct rule first[] = {{.name = S("a"), .actions = &add, .n_actions = 1},
			       {.name = S("b"), .actions = &add, .n_actions = 1}};
	struct rule second[] = {{.name = S("new"), .actions = &add, .n_actions = 1},
				{.name = S("a"), .actions = &add, .n_actions = 1}};
	struct rule_set before = {.name = S("s"), .rules = first, .n_rules = 2};
	struct rule_set after = {.name = S("s"), .rules = second, .n_rules = 2};
	static const uint16_t sets[] = {0};
	struct rule_trunk trunk = {.chain = {{sets, 1}, {NULL, 0}}};
	struct rule_book book = {&before, 1, &trunk, 1}, next = {&after, 1, &trunk, 1};
	struct rules_program *p = compiled(&book, NULL), *q;
	struct rules_result result;
	struct rules_counts counts;

	assert_true(apply(p, 0, HEAD TAIL, &result));
	q = compiled(&next, p);
	assert_true(apply(q, 1, HEAD TAIL, &result));
	assert_true(apply(p, 0, HEAD TAIL, &result)); // a call that still goes by the old one
	rules_read(q, 1, &counts);
	assert_int_equal(counts.changed, 3);
	rules_read(q, 0, &counts);
	assert_int_equal(counts.changed, 1);
	rules_free(p);
	rules_read(q, 1, &counts);
	assert_int_equal(counts.changed, 3);
	rules_free(q);
}

// --- variables

static void variables_are_found(void **)
{
	static const struct {
		const char *shows, *text;
		bool escapes;
		unsigned first, second;
	} rows[] = {
		{"two", "\\u01-\\u99", false, 1, 99},
		{"side by side", "\\u10\\u02", true, 10, 2},
		{"at the end, cut", "\\u01\\u0", false, 1, 0},
		{"00 is none", "\\u00\\u07", false, 7, 0},
		{"one digit, or a letter", "\\u1 \\u0x \\U01", false, 0, 0},
		{"a third digit is text", "\\u012", false, 1, 0},
		{"a backslash escapes in with", "\\\\u01\\u02", true, 2, 0},
		{"and does not in value", "\\\\u01\\u02", false, 1, 2},
		{"a group before it", "\\1\\u03", true, 3, 0},
		{"empty", "", true, 0, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice text = slice_of_str(rows[i].text);
		uint32_t at = 0;
		unsigned first = variable_next(text, rows[i].escapes, &at);
		unsigned second = first != 0 ? variable_next(text, rows[i].escapes, &at) : 0;

		if (first != rows[i].first || second != rows[i].second)
			fail_msg("%s: %u %u", rows[i].shows, first, second);
	}
}

// All 99 at once, each its own; the longest text, and one that is longer.
static void variables_are_kept(void **)
{
	static struct variables v, copy;
	static uint8_t text[RULE_MAX_VARIABLE + 1];

	assert_int_equal(variables_get(&v, 1).len, 0);
	for (unsigned i = 1; i <= RULE_MAX_VARIABLES; i++)
		assert_true(variables_set(&v, i, slice_of(text, i)));
	assert_false(variables_set(&v, 0, SLICE_NONE));
	assert_false(variables_set(&v, RULE_MAX_VARIABLES + 1, SLICE_NONE));
	assert_true(variables_set(&v, 50, slice_of(text, RULE_MAX_VARIABLE)));
	assert_false(variables_set(&v, 51, slice_of(text, RULE_MAX_VARIABLE + 1)));
	variables_copy(&copy, &v);
	for (unsigned i = 1; i <= RULE_MAX_VARIABLES; i++)
		assert_int_equal(variables_get(&copy, i).len, i == 50 ? RULE_MAX_VARIABLE : i);
}

// What one set has captured is nothing to the next one, in whichever order they are applied.
static void variables_are_of_one_set(void **)
{
	static const struct rule_action capture = {.kind = RULE_DO_CAPTURE,
						   .header = {S("From"), SIP_H_FROM},
						   .match = S("sip:"),
						   .variable = 1};
	static const struct rule_action add = {
		.kind = RULE_DO_ADD, .header = {S("Y"), SIP_H_OTHER}, .text = S("<\\u01>")};
	static const struct rule first[] = {{.name = S("a"), .actions = &capture, .n_actions = 1},
					    {.name = S("b"), .actions = &add, .n_actions = 1}};
	static const struct rule_set pair[] = {{.name = S("s"), .rules = first, .n_rules = 2},
					       {.name = S("t"), .rules = first + 1, .n_rules = 1}};
	static const uint16_t sets[] = {0, 1};
	struct rule_trunk trunk = {.chain = {{sets, 2}, {NULL, 0}}};
	struct rule_book book = {pair, 2, &trunk, 1};
	struct rules_program *p = compiled(&book, NULL);
	struct rules_result result;

	assert_true(apply(p, 0, HEAD TAIL, &result));
	assert_int_equal(result.edits->n, 2);
	assert_true(slice_eq(result.edits->edit[0].insert, SLICE_LIT("Y: <sip:>\r\n")));
	assert_true(slice_eq(result.edits->edit[1].insert, SLICE_LIT("Y: <>\r\n")));
	rules_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_expression_runs_on),
		cmocka_unit_test(steps_of_a_message_end),
		cmocka_unit_test(many_bad_rules_cost_no_more),
		cmocka_unit_test(counters_go_on),
		cmocka_unit_test(variables_are_found),
		cmocka_unit_test(variables_are_kept),
		cmocka_unit_test(variables_are_of_one_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
