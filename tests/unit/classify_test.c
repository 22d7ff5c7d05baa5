// SPDX-License-Identifier: BSD-3-Clause
// The classifier: kinds, option tags, methods, scanners, operator patterns; the scan agrees with
// the scalar parsers on every row.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "classify/classify.h"
#include "guard.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define OPT(id)	   SIP_OPTION_BIT(id)
#define METHOD(id) SIP_METHOD_BIT(id)

#define HEAD \
	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nCall-ID: c@x\r\n"
#define REQUEST(method, more) \
	method " sip:b@x SIP/2.0\r\n" HEAD "To: <sip:b@x>\r\nCSeq: 1 " method "\r\n" more "\r\n"
#define RESPONSE(status, more) \
	"SIP/2.0 " status "\r\n" HEAD "To: <sip:b@x>;tag=2\r\nCSeq: 1 INVITE\r\n" more "\r\n"
#define INVITE(more) REQUEST("INVITE", more)

static struct classify_db *db;
static struct classify_scratch *scratch;

struct want {
	enum sip_kind kind;
	uint32_t supported, required, proxy_required, allow;
	bool unknown, scanner, by_scalar;
};

static const struct {
	const char *shows, *in;
	struct want want;
} rows[] = {
	{"INVITE", INVITE(""), {SIP_KIND_INVITE}},
	{"re-INVITE",
	 "INVITE sip:b@x SIP/2.0\r\n" HEAD "To: <sip:b@x>;tag=9\r\nCSeq: 2 INVITE\r\n\r\n",
	 {SIP_KIND_REINVITE}},
	{"tag of the URI is none",
	 "INVITE sip:b@x SIP/2.0\r\n" HEAD "To: <sip:b@x;tag=9>\r\nCSeq: 2 INVITE\r\n\r\n",
	 {SIP_KIND_INVITE}},
	{"ACK", REQUEST("ACK", ""), {SIP_KIND_ACK}},
	{"BYE", REQUEST("BYE", ""), {SIP_KIND_BYE}},
	{"CANCEL", REQUEST("CANCEL", ""), {SIP_KIND_CANCEL}},
	{"PRACK", REQUEST("PRACK", ""), {SIP_KIND_PRACK}},
	{"UPDATE", REQUEST("UPDATE", ""), {SIP_KIND_UPDATE}},
	{"INFO", REQUEST("INFO", ""), {SIP_KIND_INFO}},
	{"REFER", REQUEST("REFER", ""), {SIP_KIND_REFER}},
	{"NOTIFY", REQUEST("NOTIFY", ""), {SIP_KIND_NOTIFY}},
	{"MESSAGE", REQUEST("MESSAGE", ""), {SIP_KIND_MESSAGE}},
	{"OPTIONS", REQUEST("OPTIONS", ""), {SIP_KIND_OPTIONS}},
	{"SUBSCRIBE", REQUEST("SUBSCRIBE", ""), {SIP_KIND_SUBSCRIBE}},
	{"REGISTER", REQUEST("REGISTER", ""), {SIP_KIND_REGISTER}},
	{"PUBLISH", REQUEST("PUBLISH", ""), {SIP_KIND_PUBLISH}},
	{"other method", REQUEST("FOO", ""), {SIP_KIND_OTHER}},
	{"methods have case", REQUEST("invite", ""), {SIP_KIND_OTHER}},
	{"longer than a method", REQUEST("INVITES", ""), {SIP_KIND_OTHER}},
	{"ends like a method", REQUEST("REINVITE", ""), {SIP_KIND_OTHER}},
	{"100", RESPONSE("100 Trying", ""), {SIP_KIND_1XX}},
	{"200", RESPONSE("200 OK", ""), {SIP_KIND_2XX}},
	{"302", RESPONSE("302 Moved", ""), {SIP_KIND_3XX}},
	{"422", RESPONSE("422 Session Interval Too Small", ""), {SIP_KIND_4XX}},
	{"503", RESPONSE("503 INVITE sip:x", ""), {SIP_KIND_5XX}},
	{"603", RESPONSE("603 Decline", ""), {SIP_KIND_6XX}},

	{"p25 Supported",
	 INVITE("Supported: timer, 100rel\r\n"),
	 {SIP_KIND_INVITE, OPT(TIMER) | OPT(REL100)}},
	{"p25 compact, case, blanks",
	 INVITE("k:100REL ,\tTimer\r\n"),
	 {SIP_KIND_INVITE, OPT(TIMER) | OPT(REL100)}},
	{"p25 folded",
	 INVITE("Supported: 100rel,\r\n timer\r\n"),
	 {SIP_KIND_INVITE, OPT(TIMER) | OPT(REL100)}},
	{"p25 twice",
	 INVITE("Supported: 100rel\r\nk: timer\r\n"),
	 {SIP_KIND_INVITE, OPT(TIMER) | OPT(REL100)}},
	{"p25 parameter",
	 INVITE("Supported: timer;x=1, replaces ; y\r\n"),
	 {SIP_KIND_INVITE, OPT(TIMER) | OPT(REPLACES)}},
	{"unknown tags are no harm",
	 INVITE("Supported: foo, timer, path\r\n"),
	 {SIP_KIND_INVITE, OPT(TIMER)}},
	{"part of a tag",
	 INVITE("Supported: timers, mytimer, x-timer, timer.x\r\n"),
	 {SIP_KIND_INVITE}},
	{"no comma", INVITE("Supported: timer 100rel\r\n"), {SIP_KIND_INVITE}},
	{"empty elements", INVITE("Supported: ,, timer,,\r\n"), {SIP_KIND_INVITE, OPT(TIMER)}},
	{"empty", INVITE("Supported:\r\n"), {SIP_KIND_INVITE}},
	{"in quotes",
	 INVITE("Supported: \"a,timer,b\", 100rel\r\n"),
	 {SIP_KIND_INVITE, OPT(REL100), .by_scalar = true}},
	{"in brackets",
	 INVITE("Supported: <a,timer>, 100rel\r\n"),
	 {SIP_KIND_INVITE, OPT(REL100), .by_scalar = true}},
	{"each header is itself",
	 INVITE("Supported: timer\r\nRequire: 100rel\r\nProxy-Require: privacy\r\n"),
	 {SIP_KIND_INVITE, OPT(TIMER), OPT(REL100), OPT(PRIVACY)}},
	{"st54 Require: timer", INVITE("Require: timer\r\n"), {SIP_KIND_INVITE, 0, OPT(TIMER)}},
	{"dl16 unknown Require",
	 INVITE("Require: foo, timer\r\n"),
	 {SIP_KIND_INVITE, 0, OPT(TIMER), .unknown = true}},
	{"dl16 unknown Proxy-Require",
	 INVITE("Proxy-Require: foo\r\n"),
	 {SIP_KIND_INVITE, .unknown = true}},
	{"dl16 Require in quotes",
	 INVITE("Require: \"timer\"\r\n"),
	 {SIP_KIND_INVITE, .unknown = true, .by_scalar = true}},
	{"Require twice the same",
	 INVITE("Require: timer, timer\r\nRequire: TIMER\r\n"),
	 {SIP_KIND_INVITE, 0, OPT(TIMER)}},
	{"Require parameter alone",
	 INVITE("Require: ;timer\r\n"),
	 {SIP_KIND_INVITE, .unknown = true}},
	{"Require empty", INVITE("Require: , ,\r\n"), {SIP_KIND_INVITE}},
	{"control bytes", INVITE("Require: \x03timer\x01\r\n"), {SIP_KIND_INVITE, .unknown = true}},
	{"a marker does not make a start",
	 INVITE("Supported: x\x01INVITE \r\n"),
	 {SIP_KIND_INVITE}},

	{"dl17 up06 Allow",
	 INVITE("Allow: INVITE, ACK,BYE , UPDATE, FOO\r\n"),
	 {SIP_KIND_INVITE, .allow = METHOD(INVITE) | METHOD(ACK) | METHOD(BYE) | METHOD(UPDATE)}},
	{"Allow has case",
	 INVITE("Allow: invite, BYE\r\n"),
	 {SIP_KIND_INVITE, .allow = METHOD(BYE)}},
	{"Allow: PRACK is not ACK",
	 INVITE("Allow: PRACK\r\n"),
	 {SIP_KIND_INVITE, .allow = METHOD(PRACK)}},
	{"empty Allow is known", INVITE("Allow:\r\n"), {SIP_KIND_INVITE}},

	{"scanner",
	 REQUEST("OPTIONS", "User-Agent: friendly-scanner\r\n"),
	 {SIP_KIND_OPTIONS, .scanner = true}},
	{"scanner, case and place",
	 REQUEST("OPTIONS", "User-Agent: my SIPVicious 0.3\r\n"),
	 {SIP_KIND_OPTIONS, .scanner = true}},
	{"scanner in Server",
	 RESPONSE("200 OK", "Server: sundayddr\r\n"),
	 {SIP_KIND_2XX, .scanner = true}},
	{"prefix",
	 REQUEST("REGISTER", "User-Agent: sipcli/v1.8\r\n"),
	 {SIP_KIND_REGISTER, .scanner = true}},
	{"prefix elsewhere is none",
	 REQUEST("REGISTER", "User-Agent: not sipcli\r\n"),
	 {SIP_KIND_REGISTER}},
	{"an ordinary agent", INVITE("User-Agent: Asterisk PBX 18\r\n"), {SIP_KIND_INVITE}},
	{"elsewhere is no scanner",
	 INVITE("Subject: friendly-scanner\r\nSupported: sipvicious\r\n"),
	 {SIP_KIND_INVITE}},
	{"second User-Agent",
	 INVITE("User-Agent: x\r\nUser-Agent: pplsip\r\n"),
	 {SIP_KIND_INVITE, .scanner = true}},
};

static void classify_check(const char *shows, const struct sip_class *c, const struct want *w)
{
	if (c->kind != w->kind || c->supported != w->supported || c->required != w->required ||
	    c->proxy_required != w->proxy_required || c->allow != w->allow ||
	    c->unknown_required != w->unknown || c->scanner != w->scanner)
		fail_msg("%s: %s supported %x required %x proxy %x allow %x unknown %u scanner %u",
			 shows, sip_kind_name((enum sip_kind)c->kind), c->supported, c->required,
			 c->proxy_required, c->allow, c->unknown_required, c->scanner);
}

static void classify_kinds(void **)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sip_class by_scan, by_scalar;
		struct sip_msg m;

		assert_int_equal(sip_msg_parse(&m, guard_str(0, rows[i].in)), 0);
		classify_message_scalar(&m, &by_scalar);
		classify_check(rows[i].shows, &by_scalar, &rows[i].want);
		classify_message(db, scratch, &m, &by_scan);
		classify_check(rows[i].shows, &by_scan, &rows[i].want);
		assert_int_equal(by_scan.method, m.method);
		assert_int_equal(by_scan.status_class, m.status / 100);
		assert_int_equal(by_scan.has_allow, sip_msg_has(&m, SIP_H_ALLOW));
		if (by_scan.exact == rows[i].want.by_scalar)
			fail_msg("%s: exact %u", rows[i].shows, by_scan.exact);
	}
}

// What is remembered of one list of methods is not taken for another's, of the same length and end.
static void classify_allow_again(void **)
{
	static const struct {
		const char *in;
		uint32_t allow;
	} lists[] = {
		{INVITE("Allow: BYE, PRACK\r\n"), METHOD(BYE) | METHOD(PRACK)},
		{INVITE("Allow: ACK, PRACK\r\n"), METHOD(ACK) | METHOD(PRACK)},
		{INVITE("Allow: ACK, prack\r\n"), METHOD(ACK)},
		{INVITE("Allow: ACK, PRACK\r\nAllow: BYE\r\n"),
		 METHOD(ACK) | METHOD(PRACK) | METHOD(BYE)},
		{INVITE("Allow:\r\n"), 0},
		{INVITE("Allow: ACK, PRACK, " //
			"UPDATE, UPDATE, UPDATE, UPDATE, UPDATE, UPDATE, UPDATE, UPDATE, "
			"UPDATE, UPDATE, UPDATE, UPDATE, UPDATE, UPDATE, UPDATE, PRACK\r\n"),
		 METHOD(ACK) | METHOD(PRACK) | METHOD(UPDATE)},
	};

	for (size_t i = 0; i < 4 * COUNT(lists); i++) {
		const char *in = lists[i / 2 % COUNT(lists)].in; // each twice, all of them twice
		struct sip_class c;
		struct sip_msg m;

		assert_int_equal(sip_msg_parse(&m, guard_str(0, in)), 0);
		classify_message(db, scratch, &m, &c);
		assert_int_equal(c.allow, lists[i / 2 % COUNT(lists)].allow);
	}
}

// More than the digest holds is still read.
static void classify_long_values(void **)
{
	static char text[32768];
	struct sip_class c;
	struct sip_msg m;
	int n = snprintf(text, sizeof(text),
			 "INVITE sip:%0600d@x SIP/2.0\r\n" HEAD "Supported: ", 1);

	for (unsigned i = 0; i < 300; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "foo%u, ", i);
	n += snprintf(text + n, sizeof(text) - (size_t)n,
		      "timer\r\nRequire: 100rel\r\nTo: <sip:b@x>\r\n");
	for (unsigned i = 0; i < 60; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "User-Agent: %0100u\r\n", i);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "User-Agent: friendly-scanner\r\n\r\n");
	assert_int_equal(sip_msg_parse(&m, guard_copy(0, slice_of(text, (size_t)n))), 0);
	classify_message(db, scratch, &m, &c);
	assert_false(c.exact);
	classify_check("long", &c,
		       &(struct want){SIP_KIND_INVITE, OPT(TIMER), OPT(REL100), .scanner = true});
}

static const struct classify_header looked_at[] = {
	{SLICE_NONE, SIP_H_USER_AGENT},
	{SLICE_LIT("X-Vendor"), SIP_H_OTHER},
	{SLICE_NONE, CLASSIFY_REQUEST_URI},
	{SLICE_NONE, SIP_H_TO},
};

// Literals alone are one kind of database, with one regular expression it is another.
static const struct classify_pattern patterns[] = {
	{.text = SLICE_LIT("asterisk"), .id = 3, .header = 0, .any_case = true},
	{.text = SLICE_LIT("pbx 18"), .id = 255, .header = 0, .any_case = true},
	{.text = SLICE_LIT("sip:b@"), .id = 64, .header = 2},
	{.text = SLICE_LIT("Cisco"), .id = 4, .header = 1, .whole = true},
	{.text = SLICE_LIT(""), .id = 5, .header = 1, .whole = true},
	{.text = SLICE_LIT("^<sip:.*@c>$"), .id = 700, .header = 3, .is_regex = true},
	{.text = SLICE_LIT("(?i)\\bpbx\\s+[0-9]+$"), .id = 701, .header = 0, .is_regex = true},
	{.text = SLICE_LIT("(?=a)as(?!x)"), .id = 702, .header = 1, .is_regex = true},
};

static void classify_operator_patterns(void **)
{
	static const struct {
		const char *shows, *in;
		uint16_t n, hits[4];
		bool regex;
		uint16_t not ; // must not be reported
	} cases[] = {
		{"two at once", INVITE("User-Agent: ASTERISK PBX 18\r\n"), 3, {3, 64, 255}, false},
		{"Request-URI", INVITE(""), 1, {64}, false, .not = 3},
		{"bound to its field",
		 INVITE("Subject: asterisk\r\nServer: sip:b@\r\n"),
		 1,
		 {64},
		 false,
		 .not = 3},
		{"the whole value", INVITE("X-Vendor: Cisco\r\n"), 2, {4, 64}, false},
		{"not the whole value", INVITE("x-vendor: Cisco 1\r\n"), 1, {64}, false, .not = 4},
		{"an empty value", INVITE("X-Vendor:\r\n"), 2, {5, 64}, false},
		{"case counts here", INVITE("X-Vendor: cisco\r\n"), 1, {64}, false, .not = 4},
		{"anchors are of the value",
		 INVITE("User-Agent: pbx 18\r\n"),
		 3,
		 {64, 255, 701},
		 true},
		{"not at its end",
		 INVITE("User-Agent: pbx 18x\r\n"),
		 2,
		 {64, 255},
		 true,
		 .not = 701},
		{"what cannot be told is told", INVITE("X-Vendor: as\r\n"), 2, {64, 702}, true},
	};
	struct classify_rules rules[] = {{looked_at, patterns, COUNT(looked_at), 5},
					 {looked_at, patterns, COUNT(looked_at), COUNT(patterns)}};

	for (unsigned regex = 0; regex < 2; regex++) {
		struct classify_db *with = NULL;
		struct classify_scratch *s = NULL;

		assert_int_equal(classify_db_compile(&with, &rules[regex], NULL), 0);
		assert_int_equal(classify_scratch_make(&s, with), 0);
		for (size_t i = 0; i < COUNT(cases); i++) {
			struct sip_class c;
			struct sip_msg m;
			unsigned found = 0, wrong = 0;

			if (cases[i].regex && regex == 0)
				continue;
			assert_int_equal(sip_msg_parse(&m, guard_str(0, cases[i].in)), 0);
			classify_message(with, s, &m, &c);
			for (unsigned j = 0; j < c.n_hits; j++)
				wrong += cases[i].not != 0 && c.hits[j] == cases[i].not ;
			for (unsigned k = 0; k < cases[i].n; k++)
				for (unsigned j = 0; j < c.n_hits; j++)
					found += c.hits[j] == cases[i].hits[k];
			if (found < cases[i].n || wrong != 0 || c.hits_all)
				fail_msg("%s: %u of %u", cases[i].shows, found, cases[i].n);
			classify_rules_only(with, s, &m, &c);
			assert_true(c.n_hits >= cases[i].n);
		}
		classify_scratch_free(s);
		classify_db_free(with);
	}
}

// Who floods the matcher gets "any of them may match", and all else as ever.
static void classify_gives_up_listening(void **)
{
	static const struct classify_pattern all[] = {
		{.text = SLICE_LIT("[a-z0-9]"), .id = 1, .header = 1, .is_regex = true},
		{.text = SLICE_LIT("never"), .id = 2, .header = 1, .is_regex = true},
	};
	const struct classify_rules rules = {looked_at, all, COUNT(looked_at), COUNT(all)};
	struct classify_db *with = NULL;
	struct classify_scratch *s = NULL;
	static char text[4096];
	struct sip_class c, scalar;
	struct sip_msg m;

	snprintf(text, sizeof(text), INVITE("Supported: timer\r\nX-Vendor: %0900d\r\n"), 1);
	assert_int_equal(classify_db_compile(&with, &rules, NULL), 0);
	assert_int_equal(classify_scratch_make(&s, with), 0);
	assert_int_equal(sip_msg_parse(&m, guard_str(0, text)), 0);
	classify_message(with, s, &m, &c);
	assert_true(c.hits_all);
	classify_message_scalar(&m, &scalar);
	assert_int_equal(c.supported, scalar.supported);
	assert_int_equal(c.kind, scalar.kind);
	classify_scratch_free(s);
	classify_db_free(with);
}

static void classify_refuses_bad_patterns(void **)
{
	static const struct {
		const char *shows;
		struct classify_pattern pattern;
		int rc;
	} cases[] = {
		{"empty", {.text = SLICE_LIT("")}, -EINVAL},
		{"header", {.text = SLICE_LIT("x"), .header = COUNT(looked_at)}, -EINVAL},
		{"not an expression", {.text = SLICE_LIT("("), .is_regex = true}, -EINVAL},
		{"any byte", {.text = SLICE_LIT("\t\xff(")}, 0},
	};
	char why[200];

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct classify_rules rules = {looked_at, &cases[i].pattern, COUNT(looked_at),
						     1};
		struct classify_db *made = NULL;
		uint32_t bad = 77;

		if (classify_db_compile(&made, &rules, &bad) != cases[i].rc)
			fail_msg("%s", cases[i].shows);
		assert_int_equal(made != NULL, cases[i].rc == 0);
		assert_true(cases[i].rc == 0 || bad == 0);
		classify_db_free(made);
	}
	assert_int_equal(classify_pattern_check(SLICE_LIT("a+b"), false, why, sizeof(why)), 0);
	assert_int_equal(classify_pattern_check(SLICE_LIT("a*"), false, why, sizeof(why)),
			 -ENODATA);
	assert_int_equal(
		classify_pattern_check(SLICE_LIT("(a{900}){900}"), false, why, sizeof(why)),
		-EINVAL);
}

static int setup(void **)
{
	return classify_db_compile(&db, NULL, NULL) | classify_scratch_make(&scratch, db);
}

static int teardown(void **)
{
	classify_scratch_free(scratch);
	classify_db_free(db);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classify_kinds),
		cmocka_unit_test(classify_allow_again),
		cmocka_unit_test(classify_long_values),
		cmocka_unit_test(classify_operator_patterns),
		cmocka_unit_test(classify_gives_up_listening),
		cmocka_unit_test(classify_refuses_bad_patterns),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
