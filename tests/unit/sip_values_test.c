// SPDX-License-Identifier: BSD-3-Clause
// The parsers of single values: name-addr, Via, numbers, lists, Replaces, Target-Dialog, Reason.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "sip/dialog_id.h"
#include "sip/list.h"
#include "sip/name_addr.h"
#include "sip/numbers.h"
#include "sip/via.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static bool is(struct slice s, const char *want)
{
	return want == NULL ? s.p == NULL : s.p != NULL && slice_eq(s, slice_of_str(want));
}

static void name_addrs(void **)
{
	static const struct {
		const char *in;
		int rc;
		const char *display, *uri, *params, *tag;
	} rows[] = {
		{"<sip:a@b>", 0, NULL, "sip:a@b", "", NULL},
		{"<sip:a@b>;tag=1", 0, NULL, "sip:a@b", ";tag=1", "1"},
		{"  Bob  Smith <sip:a@b> ; TAG = x ", 0, "Bob  Smith", "sip:a@b", "; TAG = x", "x"},
		{"\"B, \\\"<x>\\\"\" <sip:a@b;lr>;x=\";tag=9\";tag=7", 0, "B, \\\"<x>\\\"",
		 "sip:a@b;lr", ";x=\";tag=9\";tag=7", "7"},
		{"\"\"<sip:a@b>", 0, "", "sip:a@b", "", NULL},
		{"Bob<sip:a@b>", 0, "Bob", "sip:a@b", "", NULL},
		{"sip:a@b;tag=1", 0, NULL, "sip:a@b", ";tag=1", "1"},
		{"sip:a@b ;tag=1", 0, NULL, "sip:a@b", ";tag=1", "1"},
		{"sip:a@b;x=<y>;tag=1", 0, NULL, "sip:a@b", ";x=<y>;tag=1", "1"},
		{"\r\n <\r\n sip:a@b\r\n >\r\n ;tag=1", 0, NULL, "sip:a@b", ";tag=1", "1"},
		{"<sip:a@b>;mytag=2;tagx=3", 0, NULL, "sip:a@b", ";mytag=2;tagx=3", NULL},
		{"", -EBADMSG, NULL, NULL, NULL, NULL},
		{"<>", -EBADMSG, NULL, NULL, NULL, NULL},
		{"<sip:a@b", -EBADMSG, NULL, NULL, NULL, NULL},
		{"\"Bob <sip:a@b>", -EBADMSG, NULL, NULL, NULL, NULL},
		{"\"Bob\" sip:a@b", -EBADMSG, NULL, NULL, NULL, NULL},
		{"\"Bob\"", -EBADMSG, NULL, NULL, NULL, NULL},
		{"Bob \"B\" <sip:a@b>", -EBADMSG, NULL, NULL, NULL, NULL},
		{"a> <sip:a@b>", -EBADMSG, NULL, NULL, NULL, NULL},
		{"<sip:a@b> x", -EBADMSG, NULL, NULL, NULL, NULL},
		{"<sip:a@b>tag=1", -EBADMSG, NULL, NULL, NULL, NULL},
		{"sip:a@b x", -EBADMSG, NULL, NULL, NULL, NULL},
		{"sip:a@b,sip:c", -EBADMSG, NULL, NULL, NULL, NULL},
	};
	struct sip_name_addr na;
	struct slice tag;

	for (size_t i = 0; i < N(rows); i++) {
		int rc = sip_name_addr_parse(&na, guard_str(0, rows[i].in));

		if (rc != rows[i].rc)
			fail_msg("%s: %d", rows[i].in, rc);
		if (rc != 0)
			continue;
		assert_int_equal(sip_name_addr_tag(&na, &tag), 0);
		if (!is(na.display, rows[i].display) || !is(na.uri, rows[i].uri) ||
		    !is(na.params, rows[i].params) || !is(tag, rows[i].tag))
			fail_msg("%s", rows[i].in);
	}
	assert_int_equal(sip_name_addr_parse(&na, guard_str(0, " * ")), 0);
	assert_true(na.is_star && na.uri.len == 0);
	assert_int_equal(sip_name_addr_parse(&na, guard_str(0, "<sip:a>;tag=")), 0);
	assert_int_equal(sip_name_addr_tag(&na, &tag), -EBADMSG);
	assert_int_equal(sip_name_addr_parse(&na, guard_str(0, "<sip:a>;x=\"")), 0);
	assert_int_equal(sip_name_addr_tag(&na, &tag), -EBADMSG);
}

static void routes_over_fields(void **)
{
	static const char in[] =
		"BYE sip:a SIP/2.0\r\nRoute: <sip:a,1;lr>, \"x,y\" <sip:b>\r\nVia: c\r\n"
		"Route:,\r\nROUTE : , <sip:c>;x=\",\" ,,<broken,<sip:d>\r\n\r\n";
	static const char *const want[] = {"sip:a,1;lr", "sip:b", "sip:c"};
	struct sip_name_addr na;
	struct sip_values v;
	struct sip_msg m;

	assert_int_equal(sip_msg_parse(&m, guard_str(0, in)), 0);
	v = sip_param_values(&m, SIP_H_ROUTE);
	for (size_t i = 0; i < N(want); i++) {
		assert_int_equal(sip_name_addr_next(&v, &na), 1);
		assert_true(is(na.uri, want[i]));
	}
	// an unclosed bracket swallows what follows: never read as a further hop
	assert_int_equal(sip_name_addr_next(&v, &na), 1);
	assert_true(is(na.uri, "broken,<sip:d"));
	assert_int_equal(sip_name_addr_next(&v, &na), 0);
	assert_int_equal(sip_name_addr_of(&m, SIP_H_CONTACT, &na), -ENOENT);
}

static void vias(void **)
{
	static const struct {
		const char *in;
		int rc;
		enum sip_transport transport;
		const char *host, *branch, *received, *maddr;
		uint16_t port, rport;
		bool has_rport;
		uint8_t ttl;
	} rows[] = {
		{"SIP/2.0/UDP a.b;branch=z9hG4bK1", 0, SIP_UDP, "a.b", "z9hG4bK1", NULL, NULL, 0, 0,
		 false, 0},
		{"SIP / 2.0 / udp a : 5060 ; branch = z9hG4bK2", 0, SIP_UDP, "a", "z9hG4bK2", NULL,
		 NULL, 5060, 0, false, 0},
		{"SIP/2.0/TLS [2001:db8::1]:7;rport;received=[::1]", 0, SIP_TLS, "2001:db8::1",
		 NULL, "::1", NULL, 7, 0, true, 0},
		{"SIP/2.0/UDP 1.2.3.4;received=::2;rport=9;ttl=255;maddr=224.1.1.1;RPORT=4", 0,
		 SIP_UDP, "1.2.3.4", NULL, "::2", "224.1.1.1", 0, 9, true, 255},
		{"SIP/2.0/UDP\r\n a\r\n ;branch=b;branch=c", 0, SIP_UDP, "a", "b", NULL, NULL, 0, 0,
		 false, 0},
		{"sip/2.0/FOO a;x=\";branch=y\"", 0, SIP_TRANSPORT_OTHER, "a", NULL, NULL, NULL, 0,
		 0, false, 0},
		{"SIP/2.0/WSS a;;branch=b;", 0, SIP_WSS, "a", "b", NULL, NULL, 0, 0, false, 0},
		{"SIP/2.0/UDP ;branch=z9hG4bK3", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false,
		 0},
		{"SIP/3.0/UDP a", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false, 0},
		{"SIP/2.0/UDPa", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false, 0},
		{"SIP/2.0/ a", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false, 0},
		{"SIP/2.0 UDP a", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false, 0},
		{"SIP/2.0/UDP a b", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false, 0},
		{"SIP/2.0/UDP a:0", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false, 0},
		{"SIP/2.0/UDP a:99999", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false, 0},
		{"SIP/2.0/UDP a;rport=x", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false, 0},
		{"SIP/2.0/UDP a;ttl=256", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false, 0},
		{"SIP/2.0/UDP a, SIP/2.0/UDP b", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false,
		 0},
		{"", -EBADMSG, 0, NULL, NULL, NULL, NULL, 0, 0, false, 0},
	};
	struct sip_via v;

	for (size_t i = 0; i < N(rows); i++) {
		int rc = sip_via_parse(&v, guard_str(0, rows[i].in));

		if (rc != rows[i].rc)
			fail_msg("%s: %d", rows[i].in, rc);
		if (rc == 0 && (v.transport != rows[i].transport || !is(v.host, rows[i].host) ||
				v.port != rows[i].port || !is(v.branch, rows[i].branch) ||
				!is(v.received, rows[i].received) || !is(v.maddr, rows[i].maddr) ||
				v.has_rport != rows[i].has_rport || v.rport != rows[i].rport ||
				v.ttl != rows[i].ttl))
			fail_msg("%s", rows[i].in);
	}
	assert_int_equal(sip_via_parse(&v, guard_str(0, rows[0].in)), 0);
	assert_true(sip_via_is_rfc3261(&v));
	assert_int_equal(sip_via_parse(&v, guard_str(0, "SIP/2.0/UDP a;branch=z9hG4bK")), 0);
	assert_false(sip_via_is_rfc3261(&v));
}

static void via_stack(void **)
{
	struct sip_values v;
	struct sip_msg m;
	struct sip_via via;

	assert_int_equal(sip_msg_parse(&m, guard_str(0, "BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a, "
							"SIP/2.0/UDP b;x=\"a,b\"\r\nv:bad\r\n"
							"VIA: SIP/2.0/UDP c\r\n\r\n")),
			 0);
	assert_int_equal(sip_via_count(&m), 4);
	assert_int_equal(sip_via_top(&m, &via), 0);
	assert_true(is(via.host, "a"));
	v = sip_param_values(&m, SIP_H_VIA);
	assert_int_equal(sip_via_next(&v, &via), 1);
	assert_int_equal(sip_via_next(&v, &via), 1);
	assert_int_equal(sip_via_next(&v, &via), -EBADMSG);
	assert_int_equal(sip_via_next(&v, &via), 1);
	assert_true(is(via.host, "c"));
	assert_int_equal(sip_via_next(&v, &via), 0);
}

static void numbers(void **)
{
	static const struct {
		const char *in;
		int rc;
		uint32_t n;
	} u32[] = {
		{"0", 0, 0},
		{" 70 ", 0, 70},
		{"\r\n 4294967295", 0, UINT32_MAX},
		{"4294967296", -ERANGE, UINT32_MAX},
		{"99999999999999999999999999", -ERANGE, UINT32_MAX},
		{"", -EBADMSG, 7},
		{"-1", -EBADMSG, 7},
		{"1 2", -EBADMSG, 7},
		{"1;x", -EBADMSG, 7},
		{"0x1", -EBADMSG, 7},
	};
	uint8_t hops = 7;

	for (size_t i = 0; i < N(u32); i++) {
		uint32_t n = 7;

		assert_int_equal(sip_numbers_u32(&n, guard_str(0, u32[i].in)), u32[i].rc);
		assert_int_equal(n, u32[i].n);
	}
	assert_int_equal(sip_max_forwards_parse(&hops, guard_str(0, "255")), 0);
	assert_int_equal(hops, 255);
	assert_int_equal(sip_max_forwards_parse(&hops, guard_str(0, "0")), 0);
	assert_int_equal(hops, 0);
	assert_int_equal(sip_max_forwards_parse(&hops, guard_str(0, "256")), -ERANGE);
	assert_int_equal(hops, 255);
	assert_int_equal(sip_max_forwards_parse(&hops, guard_str(0, "x")), -EBADMSG);
}

static void sequences(void **)
{
	static const struct {
		const char *in;
		int rc;
		uint32_t number;
		enum sip_method method;
	} rows[] = {
		{"1 INVITE", 0, 1, SIP_INVITE},
		{"0009\t\r\n INVITE ", 0, 9, SIP_INVITE},
		{"4294967295 BYE", 0, UINT32_MAX, SIP_BYE},
		{"4294967296 BYE", -ERANGE, UINT32_MAX, SIP_BYE},
		{"1 invite", 0, 1, SIP_METHOD_OTHER},
		{"1INVITE", -EBADMSG, 0, 0},
		{"1", -EBADMSG, 0, 0},
		{"1 ", -EBADMSG, 0, 0},
		{"INVITE 1", -EBADMSG, 0, 0},
		{"1 INVITE x", -EBADMSG, 0, 0},
		{"-1 INVITE", -EBADMSG, 0, 0},
		{"1 IN/VITE", -EBADMSG, 0, 0},
	};
	struct sip_cseq c;
	struct sip_rack r;

	for (size_t i = 0; i < N(rows); i++) {
		int rc = sip_cseq_parse(&c, guard_str(0, rows[i].in));

		if (rc != rows[i].rc ||
		    (rc != -EBADMSG && (c.number != rows[i].number || c.method != rows[i].method)))
			fail_msg("%s: %d", rows[i].in, rc);
	}
	assert_int_equal(sip_rack_parse(&r, guard_str(0, "776656 1 INVITE")), 0);
	assert_true(r.rseq == 776656 && r.cseq.number == 1 && r.cseq.method == SIP_INVITE);
	assert_int_equal(sip_rack_parse(&r, guard_str(0, "1\t4294967296\r\n INVITE")), -ERANGE);
	assert_int_equal(sip_rack_parse(&r, guard_str(0, "1 INVITE")), -EBADMSG);
	assert_int_equal(sip_rack_parse(&r, guard_str(0, "1 2")), -EBADMSG);
	assert_int_equal(sip_rack_parse(&r, guard_str(0, "")), -EBADMSG);
}

static void deltas(void **)
{
	static const struct {
		const char *in;
		int rc;
		uint32_t seconds;
		const char *comment, *params;
	} rows[] = {
		{"120", 0, 120, NULL, ""},
		{"18000;duration=3600", 0, 18000, NULL, ";duration=3600"},
		{"120 (I'm in a meeting)", 0, 120, "I'm in a meeting", ""},
		{"5(a (b \\) c))  ; d = 1", 0, 5, "a (b \\) c)", "; d = 1"},
		{"99999999999", -ERANGE, UINT32_MAX, NULL, ""},
		{"5 (a", -EBADMSG, 0, NULL, NULL},
		{"5 (a\\", -EBADMSG, 0, NULL, NULL},
		{"5 (a) (b)", -EBADMSG, 0, NULL, NULL},
		{"5 x", -EBADMSG, 0, NULL, NULL},
		{"Thu, 01 Dec 1994 16:00:00 GMT", -EBADMSG, 0, NULL, NULL},
		{"", -EBADMSG, 0, NULL, NULL},
	};
	struct sip_delta d;

	for (size_t i = 0; i < N(rows); i++) {
		int rc = sip_delta_parse(&d, guard_str(0, rows[i].in));

		if (rc != rows[i].rc ||
		    (rc != -EBADMSG &&
		     (d.seconds != rows[i].seconds || !is(d.comment, rows[i].comment) ||
		      slice_trim(d.params).len != strlen(rows[i].params))))
			fail_msg("%s: %d", rows[i].in, rc);
	}
}

static void dialog_ids(void **)
{
	struct sip_target_dialog t;
	struct sip_replaces r;
	static const char *const bad[] = {
		"",
		"a",
		"a;to-tag=1",
		"a;from-tag=1",
		";to-tag=1;from-tag=2",
		"a;to-tag=1;from-tag=2;to-tag=3",
		"a;to-tag=;from-tag=2",
		"a;to-tag;from-tag=2",
		"a b;to-tag=1;from-tag=2",
		"a,b;to-tag=1;from-tag=2",
		"a;to-tag=1;from-tag=2 x",
	};

	assert_int_equal(
		sip_replaces_parse(&r, guard_str(0, " a@b ; From-Tag = 1 ;to-tag=2;early-only")),
		0);
	assert_true(is(r.call_id, "a@b") && is(r.from_tag, "1") && is(r.to_tag, "2") &&
		    r.early_only);
	assert_int_equal(sip_replaces_parse(&r, guard_str(0, "a;to-tag=0;from-tag=0;x=y")), 0);
	assert_false(r.early_only);
	for (size_t i = 0; i < N(bad); i++)
		if (sip_replaces_parse(&r, guard_str(0, bad[i])) != -EBADMSG)
			fail_msg("%s", bad[i]);
	assert_int_equal(
		sip_target_dialog_parse(&t, guard_str(0, "f@h;local-tag=kk-;remote-tag=65")), 0);
	assert_true(is(t.call_id, "f@h") && is(t.local_tag, "kk-") && is(t.remote_tag, "65"));
	assert_int_equal(sip_target_dialog_parse(&t, guard_str(0, "f@h")), 0);
	assert_true(t.local_tag.p == NULL && t.remote_tag.p == NULL);
	assert_int_equal(sip_target_dialog_parse(&t, guard_str(0, "f;local-tag=1;local-tag=2")),
			 -EBADMSG);
}

static void reasons(void **)
{
	struct sip_reason r;
	struct sip_msg m;

	assert_int_equal(
		sip_msg_parse(&m, guard_str(0, "BYE sip:a SIP/2.0\r\nReason: Q.850 ;cause=16;"
					       "text=\"a;b, \\\"c\\\"\", sip;cause=200\r\n"
					       "Reason: Preemption\r\nReason: x;cause=a;=\r\n"
					       "Reason: big;cause=99999999999\r\n\r\n")),
		0);
	assert_int_equal(sip_reason_of(&m, SLICE_LIT("q.850"), &r), 0);
	assert_true(r.has_cause && r.cause == 16 && is(r.text, "a;b, \\\"c\\\""));
	assert_int_equal(sip_reason_of(&m, SLICE_LIT("SIP"), &r), 0);
	assert_true(r.has_cause && r.cause == 200 && r.text.p == NULL);
	assert_int_equal(sip_reason_of(&m, SLICE_LIT("preemption"), &r), 0);
	assert_false(r.has_cause);
	assert_int_equal(sip_reason_of(&m, SLICE_LIT("big"), &r), 0);
	assert_false(r.has_cause);
	assert_int_equal(sip_reason_of(&m, SLICE_LIT("x"), &r), -ENOENT);
}

static void unknown_tags_can_be_named(void **)
{
	struct sip_values v;
	struct slice tag;
	struct sip_msg m;

	assert_int_equal(
		sip_msg_parse(&m, guard_str(0, "INVITE sip:a SIP/2.0\r\nRequire: foo, timer, "
					       "\"x\"\r\nRequire: bar;x\r\n\r\n")),
		0);
	v = sip_param_values(&m, SIP_H_REQUIRE);
	assert_true(sip_list_next_unknown(&v, &tag) && is(tag, "foo"));
	assert_true(sip_list_next_unknown(&v, &tag) && is(tag, "bar"));
	assert_false(sip_list_next_unknown(&v, &tag));
	assert_true(sip_list_has(&m, SIP_H_REQUIRE, SLICE_LIT("BAR")));
	assert_false(sip_list_has(&m, SIP_H_REQUIRE, SLICE_LIT("ba")));
	assert_int_equal(sip_list_options(&m, SIP_H_REQUIRE).unknown, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_addrs), cmocka_unit_test(routes_over_fields),
		cmocka_unit_test(vias),	      cmocka_unit_test(via_stack),
		cmocka_unit_test(numbers),    cmocka_unit_test(sequences),
		cmocka_unit_test(deltas),     cmocka_unit_test(dialog_ids),
		cmocka_unit_test(reasons),    cmocka_unit_test(unknown_tags_can_be_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
