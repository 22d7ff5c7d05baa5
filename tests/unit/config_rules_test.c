// SPDX-License-Identifier: BSD-3-Clause
// Message rules of the configuration: what is read prints as it should, what is printed reads as
// the same, lists of profile and trunk in their order, presets, overrides, imports.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config_load.h"
#include "config/config_presets.h"
#include "config/config_rules_print.h"
#include "rules/rule_check.h"

#define TEXT_MAX (1u << 20)

static char text[TEXT_MAX], printed[TEXT_MAX];

static const char frame[] = "ports: { p: { device: x, addresses: [192.0.2.1/24] } }\n"
			    "trunks:\n"
			    "  t: { port: p, peers: [192.0.2.2] %s }\n"
			    "  \"80:68\": { port: p, peers: [192.0.2.3] }\n"
			    "  u: { port: p, peers: [192.0.2.4] }\n"
			    "routes: [ { to: [t] } ]\n%s";

static struct config *load(const char *trunk, const char *rules)
{
	struct config_errors errors = {0};
	struct config *c;

	assert_true((size_t)snprintf(text, sizeof(text), frame, trunk, rules) < sizeof(text));
	if (config_load_text(&c, slice_of_str(text), "test.yaml", NULL, NULL, &errors) != 0)
		config_errors_print(&errors, stderr);
	config_errors_free(&errors);
	return c;
}

static void print(const struct config *c)
{
	struct outbuf o = outbuf_of(printed, sizeof(printed) - 1);

	assert_int_equal(config_rules_print(&o, c), 0);
	printed[o.len] = 0;
}

// What is written, and what it prints as; NULL: the same.
static const struct {
	const char *shows, *rule, *out;
} rows[] = {
	{"no condition", "do:\n        - trace: true\n", NULL},
	{"a name", "name: \"x.1\"\n      do:\n        - trace: true\n", NULL},
	{"direction", "when: { direction: out }\n      do:\n        - trace: true\n", NULL},
	{"methods in the order of sip.def",
	 "when: { method: [UPDATE, INVITE] }\n      do:\n        - trace: true\n",
	 "when: { method: [INVITE, UPDATE] }\n      do:\n        - trace: true\n"},
	{"a single value is a list of one",
	 "when: { transaction: BYE, code: 200, dialog: in }\n      do:\n        - trace: true\n",
	 "when: { transaction: [BYE], code: [200], dialog: in }\n      do:\n        - trace: "
	 "true\n"},
	{"ANY stays ANY", "when: { method: [ANY] }\n      do:\n        - trace: true\n", NULL},
	{"classes and ranges of codes",
	 "when: { code: [400..499, 5xx, 600..603, 180] }\n      do:\n        - trace: true\n",
	 "when: { code: [4xx, 5xx, 600..603, 180] }\n      do:\n        - trace: true\n"},
	{"trunks by name",
	 "when: { ingress: [\"80:68\"], egress: [\"t\", \"u\"] }\n      do:\n        - trace: "
	 "true\n",
	 NULL},
	{"compact forms are the header",
	 "when: { header: { name: x, present: true } }\n"
	 "      do:\n        - delete: k\n",
	 "when: { header: { name: Session-Expires, present: true } }\n"
	 "      do:\n        - delete: { header: Supported, which: all }\n"},
	{"each test of a header",
	 "when: { header: [{ name: X-A, present: false }, { name: X-A, equals: \"\" }, "
	 "{ name: X-A, contains: \"b\", case: exact }, { name: X-A, matches: \"c\\\\d\" }, "
	 "{ name: X-A, lt: 1 }, { name: X-A, le: 2 }, { name: X-A, gt: 3 }, "
	 "{ name: X-A, ge: 4294967295 }] }\n      do:\n        - trace: true\n",
	 NULL},
	{"agent and body",
	 "when: { agent: { contains: \"CUBE\" }, body: none }\n      do:\n        - trace: true\n",
	 NULL},
	{"sdp is a type", "when: { body: sdp }\n      do:\n        - trace: true\n",
	 "when: { body: \"application/sdp\" }\n      do:\n        - trace: true\n"},
	{"all, any and not in each other",
	 "when: { any: [{ kind: request, method: [BYE] }, { not: { all: [{ kind: response }, { "
	 "kind: response }] } }] }\n      do:\n        - trace: true\n",
	 NULL},
	{"text that YAML would read otherwise",
	 "do:\n        - add: { header: \"true\", value: \"a: \\\"b\\\" \\\\ #\\u00e9\\U0001F600\" "
	 "}\n",
	 "do:\n        - add: { header: \"true\", value: \"a: \\\"b\\\" \\\\ "
	 "#\\U000000e9\\U0001f600\" }\n"},
	{"delete",
	 "do:\n        - delete: { header: X-A, which: 3, matching: \"a\", case: exact }\n", NULL},
	{"set and rename",
	 "do:\n        - set: { header: X-A, value: \"\" }\n        - rename: { header: X-A, to: "
	 "X-B }\n",
	 NULL},
	{"substitute",
	 "do:\n        - substitute: { header: From, match: \"(a)\", with: "
	 "\"\\\\1\\\\\\\\\", which: first, case: ignore }\n",
	 NULL},
	{"option",
	 "do:\n        - option: { header: Allow, add: [PRACK], remove: [UPDATE, INFO] }\n", NULL},
	{"number",
	 "do:\n        - number: { header: X-A, scale: 0.125 }\n        - number: { header: "
	 "X-A, min: 90 }\n        - number: { header: X-A, max: 1800 }\n",
	 NULL},
	{"uri",
	 "do:\n        - uri: { header: Request-URI, user: \"\", host: \"[2001:db8::1]:5070\", "
	 "param: { \"user\": \"phone\", \"lr\": \"\", \"x\": ~ } }\n",
	 NULL},
	{"status", "when: { code: [183] }\n      do:\n        - status: { code: 180 }\n", NULL},
	{"reject", "do:\n        - reject: { code: 403, reason: \"Not here\" }\n", NULL},
	{"drop and tag", "do:\n        - tag: \"fax\"\n        - drop: true\n", NULL},
	{"timer actions",
	 "do:\n        - session_expires: { scale: 0.5 }\n        - min_se: { cap: 90 }\n        - "
	 "force_refresher: remote\n        - hide_update: true\n",
	 NULL},
	{"units of time", "do:\n        - session_expires: { cap: 30m }\n",
	 "do:\n        - session_expires: { cap: 1800 }\n"},
	{"strip", "do:\n        - strip_session_timer: true\n", NULL},
	{"disarm", "do:\n        - disarm: true\n", NULL},
	{"move", "do:\n        - move: { option: \"timer\", from: Require, to: Supported }\n",
	 NULL},
};

static void prints_what_is_read(void **)
{
	char in[2048], want[2048];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *c;

		snprintf(in, sizeof(in), "rules:\n  \"s\":\n    - %s", rows[i].rule);
		snprintf(want, sizeof(want), "rules:\n  \"s\":\n    - %s",
			 rows[i].out != NULL ? rows[i].out : rows[i].rule);
		c = load("", in);
		if (c == NULL)
			fail_msg("%s", rows[i].shows);
		print(c);
		if (strcmp(printed, want) != 0)
			fail_msg("%s: expected\n%s got\n%s", rows[i].shows, want, printed);
		config_free(c);
	}
}

// --- random rules: printed and read they are the same

static uint64_t seed;

static uint32_t draw(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static uint8_t heap[1 << 22];
static size_t used;

static void *take(size_t size)
{
	void *p = heap + used;

	used += (size + 15) & ~(size_t)15;
	assert_true(used <= sizeof(heap));
	memset(p, 0, size);
	return p;
}

static struct slice random_text(uint32_t least, bool token)
{
	static const char *const odd[] = {"\"", "\\\\", "'", ": ", " #",   "\xc3\xa9",
					  "{",	"[",	",", "%",  "~",	   "-",
					  "&",	"*",	"!", "|",  "null", "\xf0\x9f\x98\x80"};
	uint8_t *p = take(200);
	uint32_t len = 0;

	for (uint32_t n = least + draw(6); n > 0; n--)
		if (!token && draw(2) == 0) {
			const char *s = odd[draw(sizeof(odd) / sizeof(odd[0]))];

			memcpy(p + len, s, strlen(s));
			len += (uint32_t)strlen(s);
		} else {
			p[len++] = (uint8_t) "abcXYZ019-."[draw(11)];
		}
	return slice_of(p, len);
}

static struct rule_header random_header(void)
{
	static const char *const names[] = {"Allow",  "Session-Expires",     "X-Odd'Name", "true",
					    "Reason", "P-Asserted-Identity", "no"};

	return rule_header_of(slice_of_str(names[draw(7)]));
}

static struct slice random_pattern(void)
{
	static const char *const patterns[] = {"a(b)c", "\\d+\"",   "[^,]*",
					       "^x|y$", "\xc3\xa9", "(?i)q"};

	return slice_of_str(patterns[draw(6)]);
}

static void random_test(struct rule_cond *c)
{
	struct rule_test *t = &c->test;

	t->kind = (uint8_t)draw(RULE_TEST_N);
	t->exact = draw(2) != 0;
	if (c->kind == RULE_COND_HEADER)
		t->header = random_header();
	if (t->kind == RULE_TEST_MATCHES)
		t->text = random_pattern();
	else if (t->kind == RULE_TEST_EQUALS || t->kind == RULE_TEST_CONTAINS)
		t->text = random_text(1, false);
	else if (t->kind >= RULE_TEST_LT)
		t->number = draw(5000);
}

static void random_cond(struct rule_cond *c, enum rule_cond_kind kind, unsigned depth);

// all, any, not
static void random_node(struct rule_cond *c, unsigned depth)
{
	struct rule_cond *sub;

	c->n_sub = c->kind == RULE_COND_NOT ? 1 : 2 + draw(2);
	sub = take(c->n_sub * sizeof(*sub));
	for (uint32_t i = 0; i < c->n_sub; i++)
		random_cond(&sub[i],
			    (enum rule_cond_kind)(
				    depth < 3 ? draw(RULE_COND_N)
					      : RULE_COND_DIRECTION +
							draw(RULE_COND_N - RULE_COND_DIRECTION)),
			    depth + 1);
	c->sub = sub;
}

static void random_codes(struct rule_cond *c)
{
	struct rule_codes *codes = take(3 * sizeof(*codes));

	c->n_codes = 1 + draw(3);
	for (uint32_t i = 0; i < c->n_codes; i++) {
		codes[i].from = (uint16_t)(100 + draw(500));
		codes[i].to = (uint16_t)(codes[i].from + (draw(2) != 0 ? draw(100) : 0));
	}
	if (draw(3) == 0)
		codes[0] = (struct rule_codes){400, 499};
	c->codes = codes;
}

static void random_cond(struct rule_cond *c, enum rule_cond_kind kind, unsigned depth)
{
	uint16_t *trunks;

	*c = (struct rule_cond){.kind = (uint8_t)kind};
	switch (kind) {
	case RULE_COND_ALL:
	case RULE_COND_ANY:
	case RULE_COND_NOT:
		random_node(c, depth);
		break;
	case RULE_COND_DIRECTION:
	case RULE_COND_KIND:
	case RULE_COND_DIALOG:
		c->bits = 1u << draw(2);
		break;
	case RULE_COND_METHOD:
	case RULE_COND_TRANSACTION:
		c->bits = draw(5) == 0 ? UINT32_MAX : SIP_METHOD_BIT(INVITE) | 1u << (1 + draw(10));
		break;
	case RULE_COND_CODE:
		random_codes(c);
		break;
	case RULE_COND_INGRESS:
	case RULE_COND_EGRESS:
		trunks = take(2 * sizeof(*trunks));
		trunks[0] = (uint16_t)draw(3);
		trunks[1] = (uint16_t)draw(3);
		c->trunks = trunks;
		c->n_trunks = 1 + draw(2);
		break;
	case RULE_COND_HEADER:
	case RULE_COND_AGENT:
		random_test(c);
		break;
	case RULE_COND_BODY:
		c->text = draw(2) != 0 ? SLICE_LIT("application/isup+x") : SLICE_LIT("");
		break;
	case RULE_COND_N:
		break;
	}
}

static struct slice *random_tokens(uint32_t n)
{
	struct slice *list = take((n + 1) * sizeof(*list));

	for (uint32_t i = 0; i < n; i++)
		list[i] = random_text(1, true);
	return list;
}

static void random_uri(struct rule_action *a)
{
	struct rule_param *params = take(2 * sizeof(*params));

	a->request_uri = draw(2) != 0;
	if (!a->request_uri)
		a->header = rule_header_of(SLICE_LIT("To"));
	a->host = random_text(1, true);
	if (draw(2) != 0)
		a->user = random_text(0, true);
	a->n_params = draw(3);
	a->params = params;
	for (uint32_t i = 0; i < a->n_params; i++)
		params[i] = (struct rule_param){random_text(1, true),
						draw(2) != 0 ? SLICE_NONE : random_text(0, true)};
}

// An action with all that its kind has and nothing else, as the loader makes it.
static void random_action(struct rule_action *a)
{
	*a = (struct rule_action){.kind = (uint8_t)draw(RULE_DO_N)};
	switch ((enum rule_action_kind)a->kind) {
	case RULE_DO_DELETE:
		a->header = random_header();
		a->which = (uint8_t)draw(3);
		a->nth = a->which == RULE_NTH ? (uint16_t)(1 + draw(9)) : 0;
		a->any_case = true;
		if (draw(2) != 0) {
			a->match = random_pattern();
			a->any_case = draw(2) != 0;
		}
		break;
	case RULE_DO_ADD:
	case RULE_DO_SET:
		a->header = random_header();
		a->text = random_text(0, false);
		break;
	case RULE_DO_SUBSTITUTE:
		a->header = random_header();
		a->match = random_pattern();
		a->text = random_text(0, false);
		a->which = (uint8_t)draw(2);
		a->any_case = draw(2) != 0;
		break;
	case RULE_DO_CAPTURE:
		a->request_uri = draw(2) != 0;
		if (!a->request_uri)
			a->header = random_header();
		a->match = random_pattern();
		a->variable = (uint8_t)(1 + draw(RULE_MAX_VARIABLES));
		a->any_case = draw(2) != 0;
		break;
	case RULE_DO_RENAME:
		a->header = random_header();
		a->to_header = random_header();
		break;
	case RULE_DO_OPTION:
		a->header = rule_header_of(SLICE_LIT("Supported"));
		a->n_add = 1 + draw(2);
		a->n_remove = draw(3);
		a->add = random_tokens(a->n_add);
		a->remove = random_tokens(a->n_remove);
		break;
	case RULE_DO_NUMBER:
		a->header = random_header();
		a->change = (uint8_t)draw(4);
		a->number = 1 + draw(100000);
		break;
	case RULE_DO_URI:
		random_uri(a);
		break;
	case RULE_DO_STATUS:
	case RULE_DO_REJECT:
		a->code = (uint16_t)(400 + draw(200));
		if (draw(2) != 0)
			a->text = random_text(1, false);
		break;
	case RULE_DO_TAG:
		a->text = random_text(1, true);
		break;
	case RULE_DO_EXPIRES:
		a->change = (uint8_t[]){RULE_SET, RULE_SCALE, RULE_MAX}[draw(3)];
		a->number = 90 + draw(5000);
		break;
	case RULE_DO_REFRESHER:
		a->refresher = (uint8_t)draw(2);
		break;
	case RULE_DO_MIN_SE:
		a->change = draw(2) != 0 ? RULE_SET : RULE_MAX;
		a->number = 90 + draw(5000);
		break;
	case RULE_DO_MOVE:
		a->text = SLICE_LIT("timer");
		a->header = rule_header_of(SLICE_LIT("Require"));
		a->to_header = rule_header_of(SLICE_LIT("Supported"));
		break;
	case RULE_DO_DROP:
	case RULE_DO_TRACE:
	case RULE_DO_STRIP_TIMER:
	case RULE_DO_HIDE_UPDATE:
	case RULE_DO_DISARM:
	case RULE_DO_N:
		break;
	}
}

// A rule that rule_check() takes; its root is a mapping, as the loader makes it.
static void random_rule(struct rule *r)
{
	char fault[RULE_FAULT_MAX];
	uint32_t line;
	size_t old = used;

	do {
		struct rule_cond *sub = take(RULE_COND_N * sizeof(*sub));
		struct rule_action *actions = take(4 * sizeof(*actions));
		uint32_t n = 0;

		used = old;
		sub = take(RULE_COND_N * sizeof(*sub));
		actions = take(4 * sizeof(*actions));
		for (unsigned kind = 0; kind < RULE_COND_N; kind++)
			if (draw(6) == 0)
				random_cond(&sub[n++], (enum rule_cond_kind)kind, 1);
		*r = (struct rule){.name = slice_of_str("r-1"),
				   .when = {.kind = RULE_COND_ALL, .sub = sub, .n_sub = n},
				   .actions = actions,
				   .n_actions = 1 + draw(4)};
		for (uint32_t i = 0; i < r->n_actions; i++)
			random_action(&actions[i]);
	} while (!rule_check(r, &line, fault));
}

static void same_text(struct slice a, struct slice b)
{
	assert_true((a.p == NULL) == (b.p == NULL) || (a.len == 0 && b.len == 0));
	assert_true(slice_eq(a, b));
}

static void same_cond(const struct rule_cond *a, const struct rule_cond *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->bits, b->bits);
	assert_int_equal(a->n_codes, b->n_codes);
	assert_int_equal(a->n_trunks, b->n_trunks);
	assert_int_equal(a->n_sub, b->n_sub);
	if (a->n_codes != 0)
		assert_memory_equal(a->codes, b->codes, a->n_codes * sizeof(*a->codes));
	if (a->n_trunks != 0)
		assert_memory_equal(a->trunks, b->trunks, a->n_trunks * sizeof(*a->trunks));
	assert_int_equal(a->test.kind, b->test.kind);
	assert_int_equal(a->test.exact, b->test.exact);
	assert_int_equal(a->test.number, b->test.number);
	assert_int_equal(a->test.header.id, b->test.header.id);
	same_text(a->test.header.name, b->test.header.name);
	same_text(a->test.text, b->test.text);
	same_text(a->text, b->text);
	for (uint32_t i = 0; i < a->n_sub; i++)
		same_cond(&a->sub[i], &b->sub[i]);
}

static void same_tokens(const struct slice *a, const struct slice *b, uint32_t n, uint32_t m)
{
	assert_int_equal(n, m);
	for (uint32_t i = 0; i < n; i++)
		same_text(a[i], b[i]);
}

static void same_action(const struct rule_action *a, const struct rule_action *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->which, b->which);
	assert_int_equal(a->change, b->change);
	assert_int_equal(a->refresher, b->refresher);
	assert_int_equal(a->nth, b->nth);
	assert_int_equal(a->code, b->code);
	assert_int_equal(a->request_uri, b->request_uri);
	assert_int_equal(a->variable, b->variable);
	assert_int_equal(a->any_case, b->any_case);
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->header.id, b->header.id);
	assert_int_equal(a->to_header.id, b->to_header.id);
	same_text(a->header.name, b->header.name);
	same_text(a->to_header.name, b->to_header.name);
	same_text(a->text, b->text);
	same_text(a->match, b->match);
	same_text(a->user, b->user);
	same_text(a->host, b->host);
	assert_true((a->user.p == NULL) == (b->user.p == NULL));
	same_tokens(a->add, b->add, a->n_add, b->n_add);
	same_tokens(a->remove, b->remove, a->n_remove, b->n_remove);
	assert_int_equal(a->n_params, b->n_params);
	for (uint32_t i = 0; i < a->n_params; i++) {
		same_text(a->params[i].name, b->params[i].name);
		same_text(a->params[i].value, b->params[i].value);
		assert_true((a->params[i].value.p == NULL) == (b->params[i].value.p == NULL));
	}
}

static void random_rules_read_as_they_were(void **)
{
	struct config *names = load("", "");

	for (uint64_t round = 1; round <= 3000; round++) {
		struct rule_set set = {.name = SLICE_LIT("s")};
		struct config with = *names, *c;
		struct rule rule;

		seed = round;
		used = 0;
		random_rule(&rule);
		set.rules = &rule;
		set.n_rules = 1;
		with.rules = (struct rule_book){.sets = &set, .n_sets = 1};
		print(&with);
		c = load("", printed);
		if (c == NULL)
			fail_msg("round %u\n%s", (unsigned)round, printed);
		assert_int_equal(c->rules.n_sets, 1);
		assert_int_equal(c->rules.sets[0].n_rules, 1);
		same_text(c->rules.sets[0].rules[0].name, rule.name);
		same_cond(&rule.when, &c->rules.sets[0].rules[0].when);
		assert_int_equal(c->rules.sets[0].rules[0].n_actions, rule.n_actions);
		for (uint32_t i = 0; i < rule.n_actions; i++)
			same_action(&rule.actions[i], &c->rules.sets[0].rules[0].actions[i]);
		config_free(c);
	}
	config_free(names);
}

// --- lists

static const char *chain_text(const struct config *c, unsigned trunk, unsigned direction)
{
	static char names[512];
	const struct rule_chain *chain = &c->rules.trunks[trunk].chain[direction];
	size_t at = 0;

	names[0] = 0;
	for (uint32_t i = 0; i < chain->n; i++)
		at += (size_t)snprintf(names + at, sizeof(names) - at, SLICE_FMT " ",
				       SLICE_ARG(c->rules.sets[chain->sets[i]].name));
	return names;
}

static void lists_of_profile_before_those_of_trunk(void **)
{
	struct config *c = load(", profile: q, rules: { in: [b, a, hide_update], out: [h] }",
				"profiles: { q: { rules: { in: [a, no_timer_support] } } }\n"
				"rules:\n"
				"  a: [ { do: [ { trace: true } ] } ]\n"
				"  b: [ { do: [ { trace: true } ] }, { do: [ { tag: x } ] } ]\n"
				"  h: hide_update\n");

	assert_non_null(c);
	assert_int_equal(c->rules.n_trunks, 3);
	assert_string_equal(chain_text(c, 0, RULE_IN), "a no_timer_support b hide_update ");
	assert_string_equal(chain_text(c, 0, RULE_OUT), "h ");
	assert_string_equal(chain_text(c, 1, RULE_IN), "");
	assert_true(slice_eq(c->rules.sets[1].rules[1].name, SLICE_LIT("b#2")));
	assert_true(slice_eq(c->rules.sets[2].rules[0].name, SLICE_LIT("h#1")));
	assert_int_equal(c->rules.sets[0].rules[0].line, 9);
	config_free(c);
}

static void override_changes_lists(void **)
{
	struct config *c =
		load(", rules: { in: [a] }", "rules: { a: [ { do: [ { trace: true } ] } ] }\n");
	struct config_errors errors = {0};
	struct config *next;

	assert_int_equal(config_override(&next, c, "t", "rules.in", "[hide_update, a]", &errors),
			 0);
	assert_string_equal(chain_text(next, 0, RULE_IN), "hide_update a ");
	config_free(next);
	assert_int_equal(config_override(&next, c, "t", "rules.in", "[nobody]", &errors), -EINVAL);
	assert_non_null(strstr(errors.list[0].text, "no such set of rules"));
	config_errors_free(&errors);
	config_free(c);
}

static void override_does_not_read_imports_again(void **)
{
	char path[] = "/tmp/verge-rules-XXXXXX", rules[200];
	struct config_errors errors = {0};
	int fd = mkstemp(path);
	struct config *c, *next;

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "request ANY sip-header X-A remove\n") > 0);
	close(fd);
	snprintf(rules, sizeof(rules), "rules: { a: { import: \"sip_profiles %s\" } }\n", path);
	c = load("", rules);
	assert_non_null(c);
	unlink(path);
	assert_int_equal(config_override(&next, c, "t", "rules.in", "[a]", &errors), 0);
	assert_int_equal(next->rules.sets[0].n_rules, 1);
	config_free(c);
	assert_true(
		slice_eq(next->rules.sets[0].rules[0].actions[0].header.name, SLICE_LIT("X-A")));
	config_free(next);
	config_errors_free(&errors);
}

static unsigned changes;
static char last_change[200];

static void changed(void *, const struct config_change *change)
{
	changes++;
	snprintf(last_change, sizeof(last_change), "%s: %s -> %s", change->path, change->from,
		 change->to);
	assert_false(change->restart);
}

static void reload_tells_sets_that_changed(void **)
{
	struct config *a =
		load("", "rules: { a: [ { do: [ { trace: true } ] } ], b: hide_update }\n");
	struct config *b = load("", "rules: { a: [ { do: [ { tag: x } ] } ], b: hide_update }\n");
	struct config *c = load("", "rules: { b: hide_update }\n");

	changes = 0;
	assert_int_equal(config_compare(a, a, changed, NULL), 0);
	assert_int_equal(changes, 0);
	assert_int_equal(config_compare(a, b, changed, NULL), 0);
	assert_int_equal(changes, 1);
	assert_string_equal(last_change, "rules.a: 1 rules -> 1 rules");
	assert_int_equal(config_compare(b, c, changed, NULL), 0);
	assert_int_equal(changes, 2);
	assert_string_equal(last_change, "rules.a: 1 rules -> ");
	config_free(a);
	config_free(b);
	config_free(c);
}

// Each preset is good in the lists that it names, and the manual has the table of them.
static void presets_are_good_and_in_the_manual(void **)
{
	static char table[16384], manual[65536];
	struct outbuf o = outbuf_of(table, sizeof(table) - 1);
	FILE *f = fopen("../conf/rules.md", "re");
	char trunk[200];

	for (uint32_t i = 0; i < config_presets_count(); i++) {
		const struct config_preset *p = config_presets_at(i);
		bool in = strncmp(p->lists, "in", 2) == 0, out = strstr(p->lists, "out") != NULL;
		struct config *c;

		snprintf(trunk, sizeof(trunk), ", rules: { in: [%s], out: [%s] }",
			 in ? p->word : "", out ? p->word : "");
		c = load(trunk, "");
		if (c == NULL || c->rules.n_sets != 1 || c->rules.sets[0].n_rules == 0)
			fail_msg("%s", p->word);
		assert_true(slice_eq(c->rules.sets[0].name, slice_of_str(p->word)));
		config_free(c);
	}
	config_presets_print(&o);
	table[o.len] = 0;
	assert_non_null(f);
	manual[fread(manual, 1, sizeof(manual) - 1, f)] = 0;
	fclose(f);
	if (strstr(manual, table) == NULL)
		fprintf(stderr, "conf/rules.md does not have this table:\n%s", table);
	assert_non_null(strstr(manual, table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_what_is_read),
		cmocka_unit_test(random_rules_read_as_they_were),
		cmocka_unit_test(lists_of_profile_before_those_of_trunk),
		cmocka_unit_test(override_changes_lists),
		cmocka_unit_test(override_does_not_read_imports_again),
		cmocka_unit_test(reload_tells_sets_that_changed),
		cmocka_unit_test(presets_are_good_and_in_the_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
