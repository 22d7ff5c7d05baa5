// SPDX-License-Identifier: BSD-3-Clause
// Message rules: each condition and each action, what must not be touched, order, chains, hostile
// expressions. Rules are built by hand here; tests/golden/rules has them in YAML.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "guard.h"
#include "rules/regex.h"
#include "rules/rules.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define HEAD                                                                          \
	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"          \
	"From: \"A\" <sip:a@x;user=phone>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c@x\r\n" \
	"CSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\n"
#define TAIL	     "Content-Length: 0\r\n\r\n"
#define INVITE(more) "INVITE sip:b@x SIP/2.0\r\n" HEAD more TAIL
#define OK(more)     "SIP/2.0 200 OK\r\n" HEAD more TAIL
#define BUSY(more)   "SIP/2.0 486 Busy Here\r\n" HEAD more TAIL

#define S(text)                                           \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}
#define H(name)                        \
	{                              \
		S(#name), SIP_H_##name \
	}
#define NAMED(n)                  \
	{                         \
		S(n), SIP_H_OTHER \
	}
#define SE                                                  \
	{                                                   \
		S("Session-Expires"), SIP_H_SESSION_EXPIRES \
	}
#define FROM                          \
	{                             \
		S("From"), SIP_H_FROM \
	}
#define CONTACT                             \
	{                                   \
		S("Contact"), SIP_H_CONTACT \
	}
#define ALLOW                           \
	{                               \
		S("Allow"), SIP_H_ALLOW \
	}
#define SUPPORTED                               \
	{                                       \
		S("Supported"), SIP_H_SUPPORTED \
	}
#define REQUIRE                             \
	{                                   \
		S("Require"), SIP_H_REQUIRE \
	}
#define XV NAMED("X-Vendor")

#define TOKENS(...)            \
	(const struct slice[]) \
	{                      \
		__VA_ARGS__    \
	}

struct
try {
	struct rule_cond when[3];
	struct rule_action act[3];
	uint8_t direction;
	const char *in, *out; // out NULL: unchanged
	uint8_t verdict;
	bool refused;
};

static struct rules_program *compiled(const struct rule_book *book)
{
	struct rules_program *p;
	struct rules_fault fault;

	if (rules_compile(&p, book, 1, NULL, &fault) != 0)
		fail_msg("%s", fault.text);
	return p;
}

static bool run(struct rules_program *p, const char *text, uint8_t direction, uint16_t trunk,
		struct rules_result *result, char out[8192])
{
	static struct sip_msg m;
	struct sip_class class;
	struct rules_facts facts = {.msg = &m,
				    .class = &class,
				    .trunk = trunk,
				    .ingress = 1,
				    .egress = RULES_NO_TRUNK,
				    .direction = direction,
				    .method = SIP_INVITE,
				    .dialog = RULE_DIALOG_CREATING,
				    .in_call = true};
	struct outbuf o = outbuf_of(out, 8191);
	bool any;

	memset(result, 0, sizeof(*result));
	assert_int_equal(sip_msg_parse(&m, guard_str(0, text)), 0);
	classify_message(rules_patterns(p), rules_scratch(p, 0), &m, &class);
	any = rules_apply(p, 0, &facts, result, NULL);
	if (any && result->changed) {
		assert_int_equal(sip_edit_apply(&o, &m, result->edits), 0);
		assert_int_equal(o.len, result->len);
	} else {
		outbuf_put_str(&o, text);
	}
	out[o.len] = 0;
	return any;
}

static unsigned filled(const struct rule_cond *when)
{
	unsigned n = 0;

	while (n < 3 && (when[n].kind != RULE_COND_ALL || when[n].n_sub != 0))
		n++;
	return n;
}

static void try_row(const char *shows, const struct try *t)
{
	struct rule rule = {.name = S("r"), .when = {.kind = RULE_COND_ALL, .sub = t->when}};
	struct rule_set set = {.name = S("s"), .rules = &rule, .n_rules = 1};
	static const uint16_t sets[] = {0};
	struct rule_trunk trunks[] = {{.chain = {{sets, 1}, {sets, 1}}}};
	struct rule_book book = {&set, 1, trunks, 1};
	struct rules_program *p;
	struct rules_result result;
	struct rules_counts counts;
	static char out[8192];

	rule.when.n_sub = filled(t->when);
	rule.actions = t->act;
	while (rule.n_actions < 3 && (rule.n_actions == 0 || t->act[rule.n_actions].kind != 0))
		rule.n_actions++;
	p = compiled(&book);
	(void)run(p, t->in, t->direction, 0, &result, out);
	rules_read(p, 0, &counts);
	if (strcmp(out, t->out != NULL ? t->out : t->in) != 0)
		fail_msg("%s: got\n%s", shows, out);
	if (result.verdict != t->verdict || (counts.refused != 0) != t->refused)
		fail_msg("%s: verdict %u refused %lu", shows, result.verdict, counts.refused);
	rules_free(p);
}

#define ADD_Y                                                                     \
	{                                                                         \
		{                                                                 \
			.kind = RULE_DO_ADD, .header = NAMED("Y"), .text = S("1") \
		}                                                                 \
	}
#define Y "Y: 1\r\n"
#define TEST(h, k, v)                               \
	{                                           \
		.kind = RULE_COND_HEADER, .test = { \
			.header = h,                \
			.kind = RULE_TEST_##k,      \
			.text = S(v)                \
		}                                   \
	}
#define NUMBER(h, k, v)                             \
	{                                           \
		.kind = RULE_COND_HEADER, .test = { \
			.header = h,                \
			.kind = RULE_TEST_##k,      \
			.number = v                 \
		}                                   \
	}

static void rules_conditions(void **)
{
	static const uint16_t one[] = {1};
	static const struct rule_codes codes[] = {{400, 499}, {200, 200}};
	static const struct rule_cond never = TEST(XV, EQUALS, "no");
	static const struct rule_cond either[] = {TEST(XV, EQUALS, "no"), TEST(XV, CONTAINS, "is")};
	static const struct {
		const char *shows;
		struct try t;
	} rows[] = {
		{"always", {{}, ADD_Y, 0, INVITE(""), INVITE(Y)}},
		{"direction", {{{.kind = RULE_COND_DIRECTION, .bits = 2}}, ADD_Y, 0, INVITE("")}},
		{"direction out",
		 {{{.kind = RULE_COND_DIRECTION, .bits = 2}}, ADD_Y, 1, INVITE(""), INVITE(Y)}},
		{"kind", {{{.kind = RULE_COND_KIND, .bits = 2}}, ADD_Y, 0, INVITE("")}},
		{"response", {{{.kind = RULE_COND_KIND, .bits = 2}}, ADD_Y, 0, OK(""), OK(Y)}},
		{"method",
		 {{{.kind = RULE_COND_METHOD, .bits = SIP_METHOD_BIT(INVITE)}},
		  ADD_Y,
		  0,
		  INVITE(""),
		  INVITE(Y)}},
		{"another method",
		 {{{.kind = RULE_COND_METHOD, .bits = SIP_METHOD_BIT(BYE)}}, ADD_Y, 0, INVITE("")}},
		{"transaction",
		 {{{.kind = RULE_COND_TRANSACTION, .bits = SIP_METHOD_BIT(INVITE)}},
		  ADD_Y,
		  0,
		  OK(""),
		  OK(Y)}},
		{"code",
		 {{{.kind = RULE_COND_CODE, .codes = codes, .n_codes = 2}},
		  ADD_Y,
		  0,
		  BUSY(""),
		  BUSY(Y)}},
		{"no code",
		 {{{.kind = RULE_COND_CODE, .codes = codes, .n_codes = 1}}, ADD_Y, 0, OK("")}},
		{"dialog",
		 {{{.kind = RULE_COND_DIALOG, .bits = 1}}, ADD_Y, 0, INVITE(""), INVITE(Y)}},
		{"in a dialog", {{{.kind = RULE_COND_DIALOG, .bits = 2}}, ADD_Y, 0, INVITE("")}},
		{"ingress",
		 {{{.kind = RULE_COND_INGRESS, .trunks = one, .n_trunks = 1}},
		  ADD_Y,
		  0,
		  INVITE(""),
		  INVITE(Y)}},
		{"egress not known",
		 {{{.kind = RULE_COND_EGRESS, .trunks = one, .n_trunks = 1}},
		  ADD_Y,
		  0,
		  INVITE("")}},
		{"present",
		 {{TEST(XV, PRESENT, "")},
		  ADD_Y,
		  0,
		  INVITE("x-vendor: a\r\n"),
		  INVITE("x-vendor: a\r\n" Y)}},
		{"absent", {{TEST(XV, ABSENT, "")}, ADD_Y, 0, INVITE("x-vendor: a\r\n")}},
		{"absent holds", {{TEST(XV, ABSENT, "")}, ADD_Y, 0, INVITE(""), INVITE(Y)}},
		{"equals",
		 {{TEST(XV, EQUALS, "Cisco")},
		  ADD_Y,
		  0,
		  INVITE("X-Vendor: cisco\r\n"),
		  INVITE("X-Vendor: cisco\r\n" Y)}},
		{"equals all of it",
		 {{TEST(XV, EQUALS, "Cisco")}, ADD_Y, 0, INVITE("X-Vendor: cisco 1\r\n")}},
		{"contains, second of two, folded",
		 {{TEST(XV, CONTAINS, "1  2")},
		  ADD_Y,
		  0,
		  INVITE("X-Vendor: a\r\nX-Vendor: 1\r\n 2\r\n")}},
		{"matches",
		 {{TEST(XV, MATCHES, "^c.*[0-9]$")},
		  ADD_Y,
		  0,
		  INVITE("X-Vendor: C1\r\n"),
		  INVITE("X-Vendor: C1\r\n" Y)}},
		{"does not match",
		 {{TEST(XV, MATCHES, "^c.*[0-9]$")},
		  ADD_Y,
		  0,
		  INVITE("X-Vendor: C1a\r\nZ: 1\r\n")}},
		{"looks ahead",
		 {{TEST(XV, MATCHES, "a(?!b)")}, ADD_Y, 0, INVITE("X-Vendor: ab\r\n")}},
		{"matches the empty",
		 {{TEST(XV, MATCHES, "^(a*)$")},
		  ADD_Y,
		  0,
		  INVITE("X-Vendor:\r\n"),
		  INVITE("X-Vendor:\r\n" Y)}},
		{"lt",
		 {{NUMBER(SE, LT, 300)},
		  ADD_Y,
		  0,
		  INVITE("x: 299;refresher=uac\r\n"),
		  INVITE("x: 299;refresher=uac\r\n" Y)}},
		{"not lt", {{NUMBER(SE, LT, 300)}, ADD_Y, 0, INVITE("x: 300\r\n")}},
		{"ge",
		 {{NUMBER(SE, GE, 300)}, ADD_Y, 0, INVITE("x: 300\r\n"), INVITE("x: 300\r\n" Y)}},
		{"no number", {{NUMBER(SE, LT, 300)}, ADD_Y, 0, INVITE("x: never\r\n")}},
		{"agent in Server",
		 {{{.kind = RULE_COND_AGENT,
		    .test = {.kind = RULE_TEST_CONTAINS, .text = S("cube")}}},
		  ADD_Y,
		  0,
		  OK("Server: Cisco-CUBE\r\n"),
		  OK("Server: Cisco-CUBE\r\n" Y)}},
		{"no body", {{{.kind = RULE_COND_BODY}}, ADD_Y, 0, INVITE(""), INVITE(Y)}},
		{"sdp",
		 {{{.kind = RULE_COND_BODY, .text = S("application/sdp")}}, ADD_Y, 0, INVITE("")}},
		{"any",
		 {{{.kind = RULE_COND_ANY, .sub = either, .n_sub = 2}},
		  ADD_Y,
		  0,
		  INVITE("X-Vendor: this\r\n"),
		  INVITE("X-Vendor: this\r\n" Y)}},
		{"not",
		 {{{.kind = RULE_COND_NOT, .sub = &never, .n_sub = 1}},
		  ADD_Y,
		  0,
		  INVITE(""),
		  INVITE(Y)}},
		{"all of them",
		 {{TEST(XV, PRESENT, ""), TEST(NAMED("Z"), PRESENT, "")},
		  ADD_Y,
		  0,
		  INVITE("X-Vendor: 1\r\n")}},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		try_row(rows[i].shows, &rows[i].t);
}

static void rules_actions(void **)
{
	static const struct rule_param params[] = {
		{S("user"), SLICE_NONE}, {S("npdi"), S("")}, {S("cic"), S("15")}};
	static const struct slice update[] = {S("UPDATE")}, two[] = {S("100rel"), S("replaces")};
	static const struct {
		const char *shows;
		struct try t;
	} rows[] = {
		{"delete all",
		 {{},
		  {{.kind = RULE_DO_DELETE, .header = XV, .which = RULE_ALL_OF}},
		  0,
		  INVITE("X-Vendor: 1\r\nZ: 2\r\nx-vendor: 3\r\n 4\r\n"),
		  INVITE("Z: 2\r\n")}},
		{"delete the second",
		 {{},
		  {{.kind = RULE_DO_DELETE, .header = XV, .which = RULE_NTH, .nth = 2}},
		  0,
		  INVITE("X-Vendor: 1\r\nX-Vendor: 3\r\n"),
		  INVITE("X-Vendor: 1\r\n")}},
		{"delete those matching",
		 {{},
		  {{.kind = RULE_DO_DELETE,
		    .header = XV,
		    .which = RULE_ALL_OF,
		    .match = S("^[0-9]+$")}},
		  0,
		  INVITE("X-Vendor: 1\r\nX-Vendor: a\r\nX-Vendor: 2\r\n"),
		  INVITE("X-Vendor: a\r\n")}},
		{"add behind its kin",
		 {{},
		  {{.kind = RULE_DO_ADD, .header = XV, .text = S("2")}},
		  0,
		  INVITE("X-Vendor: 1\r\nZ: 1\r\n"),
		  INVITE("X-Vendor: 1\r\nX-Vendor: 2\r\nZ: 1\r\n")}},
		{"set",
		 {{},
		  {{.kind = RULE_DO_SET, .header = XV, .text = S("n")}},
		  0,
		  INVITE("X-Vendor: 1\r\nX-Vendor: 3\r\n"),
		  INVITE("X-Vendor: n\r\n")}},
		{"set what is missing",
		 {{},
		  {{.kind = RULE_DO_SET, .header = XV, .text = S("n")}},
		  0,
		  INVITE(""),
		  INVITE("X-Vendor: n\r\n")}},
		{"substitute",
		 {{},
		  {{.kind = RULE_DO_SUBSTITUTE,
		    .header = FROM,
		    .match = S("<sip:([a-z])@"),
		    .text = S("<sip:+1\\1@")}},
		  0,
		  INVITE(""),
		  "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP "
		  "192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: "
		  "70\r\nFrom: \"A\" <sip:+1a@x;user=phone>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: "
		  "c@x\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\n" TAIL}},
		{"substitute all, empty matches too",
		 {{},
		  {{.kind = RULE_DO_SUBSTITUTE,
		    .header = XV,
		    .match = S("b*"),
		    .text = S("-"),
		    .which = RULE_ALL_OF}},
		  0,
		  INVITE("X-Vendor: abbc\r\n"),
		  INVITE("X-Vendor: -a--c-\r\n")}},
		{"the tag stays",
		 {{},
		  {{.kind = RULE_DO_SUBSTITUTE,
		    .header = FROM,
		    .match = S(";tag=.*"),
		    .text = S("")}},
		  0,
		  INVITE(""),
		  .refused = true}},
		{"rename",
		 {{},
		  {{.kind = RULE_DO_RENAME, .header = XV, .to_header = NAMED("X-New")}},
		  0,
		  INVITE("X-Vendor: 1\r\nX-Vendor: 2\r\n"),
		  INVITE("X-New: 1\r\nX-New: 2\r\n")}},
		{"option",
		 {{},
		  {{.kind = RULE_DO_OPTION, .header = ALLOW, .remove = update, .n_remove = 1}},
		  0,
		  INVITE("Allow: INVITE,UPDATE ,ACK\r\n"),
		  INVITE("Allow: INVITE, ACK\r\n")}},
		{"option in two fields",
		 {{},
		  {{.kind = RULE_DO_OPTION, .header = SUPPORTED, .add = two, .n_add = 2}},
		  0,
		  INVITE("k: timer\r\nSupported: 100rel\r\n"),
		  INVITE("k: timer, replaces\r\nSupported: 100rel\r\n")}},
		{"Require is not left empty",
		 {{},
		  {{.kind = RULE_DO_MOVE,
		    .header = REQUIRE,
		    .to_header = SUPPORTED,
		    .text = S("timer")}},
		  0,
		  INVITE("Require: timer\r\n"),
		  INVITE("Supported: timer\r\n")}},
		{"scale",
		 {{},
		  {{.kind = RULE_DO_NUMBER, .header = SE, .change = RULE_SCALE, .number = 500}},
		  0,
		  INVITE("x: 1800;refresher=uac\r\n"),
		  INVITE("x: 900;refresher=uac\r\n")}},
		{"min",
		 {{},
		  {{.kind = RULE_DO_NUMBER, .header = XV, .change = RULE_MIN, .number = 5}},
		  0,
		  INVITE("X-Vendor: 3 a\r\n"),
		  INVITE("X-Vendor: 5 a\r\n")}},
		{"max leaves less",
		 {{},
		  {{.kind = RULE_DO_NUMBER, .header = XV, .change = RULE_MAX, .number = 5}},
		  0,
		  INVITE("X-Vendor: 3 a\r\n")}},
		{"uri",
		 {{},
		  {{.kind = RULE_DO_URI,
		    .header = NAMED("X-To"),
		    .user = S("77"),
		    .host = S("h:5070"),
		    .params = params,
		    .n_params = 3}},
		  0,
		  INVITE("X-To: \"B, C\" <sips:b:pw@x;user=phone;a=1>;p=1, <sip:z>\r\n"),
		  INVITE("X-To: \"B, C\" <sips:77@h:5070;a=1;npdi;cic=15>;p=1, <sip:z>\r\n")}},
		{"uri without brackets",
		 {{},
		  {{.kind = RULE_DO_URI, .header = NAMED("X-To"), .user = S("77")}},
		  0,
		  INVITE("X-To: sip:b@x;p=1\r\n"),
		  INVITE("X-To: <sip:77@x>;p=1\r\n")}},
		{"tel has no host",
		 {{},
		  {{.kind = RULE_DO_URI, .header = NAMED("X-To"), .host = S("h")}},
		  0,
		  INVITE("X-To: <tel:+123>\r\n"),
		  .refused = true}},
		{"our Contact stays",
		 {{},
		  {{.kind = RULE_DO_URI, .header = CONTACT, .host = S("h")}},
		  1,
		  INVITE(""),
		  .refused = true}},
		{"status",
		 {{},
		  {{.kind = RULE_DO_STATUS, .code = 600}},
		  0,
		  BUSY(""),
		  "SIP/2.0 600 Busy Everywhere\r\n" HEAD TAIL}},
		{"a success stays one",
		 {{}, {{.kind = RULE_DO_STATUS, .code = 600}}, 0, OK(""), .refused = true}},
		{"reject",
		 {{},
		  {{.kind = RULE_DO_REJECT, .code = 403}},
		  0,
		  INVITE(""),
		  .verdict = RULES_REJECT}},
		{"nothing of ours is rejected",
		 {{}, {{.kind = RULE_DO_REJECT, .code = 403}}, 1, INVITE(""), .refused = true}},
		{"drop", {{}, {{.kind = RULE_DO_DROP}}, 0, OK(""), .verdict = RULES_DROP}},
		{"all actions or none",
		 {{},
		  {{.kind = RULE_DO_ADD, .header = XV, .text = S("1")},
		   {.kind = RULE_DO_STATUS, .code = 500}},
		  0,
		  OK(""),
		  .refused = true}},
		{"strip",
		 {{},
		  {{.kind = RULE_DO_STRIP_TIMER}},
		  0,
		  INVITE("x: 90\r\nMin-SE: 90\r\nRequire: timer\r\nSupported: 100rel, timer\r\n"),
		  INVITE("Supported: 100rel\r\n")}},
		{"cap",
		 {{},
		  {{.kind = RULE_DO_EXPIRES, .change = RULE_MAX, .number = 600}},
		  0,
		  INVITE("x: 1800\r\n"),
		  INVITE("x: 600\r\n")}},
		{"not below its own Min-SE",
		 {{},
		  {{.kind = RULE_DO_EXPIRES, .change = RULE_SCALE, .number = 100}},
		  0,
		  INVITE("x: 1800\r\nMin-SE: 400\r\n"),
		  INVITE("x: 400\r\nMin-SE: 400\r\n")}},
		{"the peer's own interval is believed",
		 {{},
		  {{.kind = RULE_DO_EXPIRES, .change = RULE_SCALE, .number = 500}},
		  0,
		  OK("x: 1800;refresher=uas\r\n"),
		  .refused = true}},
		{"ours may be shorter",
		 {{},
		  {{.kind = RULE_DO_EXPIRES, .change = RULE_SCALE, .number = 500}},
		  0,
		  OK("x: 1800;refresher=uac\r\n"),
		  OK("x: 900;refresher=uac\r\n")}},
		{"refresher of a request that arrives",
		 {{},
		  {{.kind = RULE_DO_REFRESHER, .refresher = RULE_LOCAL}},
		  0,
		  INVITE("x: 1800;a=b;refresher=uac\r\n"),
		  INVITE("x: 1800;a=b;refresher=uas\r\n")}},
		{"refresher of a request of ours",
		 {{},
		  {{.kind = RULE_DO_REFRESHER, .refresher = RULE_LOCAL}},
		  1,
		  INVITE("x: 1800\r\n"),
		  INVITE("x: 1800;refresher=uac\r\n")}},
		{"somebody has to refresh",
		 {{},
		  {{.kind = RULE_DO_REFRESHER, .refresher = RULE_REMOTE}},
		  0,
		  OK("x: 1800;refresher=uac\r\n"),
		  .refused = true}},
		{"hide UPDATE",
		 {{},
		  {{.kind = RULE_DO_HIDE_UPDATE}},
		  0,
		  OK("Allow: INVITE, UPDATE\r\n"),
		  OK("Allow: INVITE\r\n")}},
		{"min_se",
		 {{},
		  {{.kind = RULE_DO_MIN_SE, .change = RULE_SET, .number = 120}},
		  0,
		  INVITE(""),
		  INVITE("Min-SE: 120\r\n")}},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		try_row(rows[i].shows, &rows[i].t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_conditions),
		cmocka_unit_test(rules_actions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
