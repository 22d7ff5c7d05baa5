// SPDX-License-Identifier: BSD-3-Clause
// The words of rule.def, and headers by the name that an operator writes. Pure.
#include "classify/classify.h"
#include "rules/rule_check.h"

static const char *const conds[RULE_COND_N] = {
#define RULE_COND(id, key, args) [RULE_COND_##id] = key,
#include "rules/rule.def"
};
static const char *const tests[RULE_TEST_N] = {
#define RULE_TEST(id, key, args) [RULE_TEST_##id] = key,
#include "rules/rule.def"
};
static const char *const actions[RULE_DO_N] = {
#define RULE_ACTION(id, key, args) [RULE_DO_##id] = key,
#include "rules/rule.def"
};

static int word_of(const char *const *words, int n, struct slice key)
{
	for (int i = 0; i < n; i++)
		if (slice_eq(key, slice_of(words[i], strlen(words[i]))))
			return i;
	return -1;
}

int rule_cond_of(struct slice key)
{
	return word_of(conds, RULE_COND_N, key);
}

int rule_test_of(struct slice key)
{
	return word_of(tests, RULE_TEST_N, key);
}

int rule_action_of(struct slice key)
{
	return word_of(actions, RULE_DO_N, key);
}

const char *rule_cond_key(enum rule_cond_kind kind)
{
	return conds[kind];
}

const char *rule_test_key(enum rule_test_kind kind)
{
	return tests[kind];
}

const char *rule_action_key(enum rule_action_kind kind)
{
	return actions[kind];
}

struct rule_header rule_header_of(struct slice name)
{
	static const struct slice request_uri = SLICE_LIT("Request-URI");
	enum sip_header id = sip_header_of(name);

	if (slice_eq_nocase(name, request_uri))
		return (struct rule_header){request_uri, CLASSIFY_REQUEST_URI};
	return (struct rule_header){
		.name = id != SIP_H_OTHER ? sip_header_name(id) : name,
		.id = (uint8_t)id,
	};
}
