// SPDX-License-Identifier: BSD-3-Clause
// URIs: parts, refusals, parameters, comparison (RFC 3261 s19.1, RFC 3966).
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "sip/uri.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static bool is(struct slice s, const char *want)
{
	return want == NULL ? s.p == NULL : s.p != NULL && slice_eq(s, slice_of_str(want));
}

static void parts(void **)
{
	static const struct {
		const char *in;
		enum sip_uri_scheme scheme;
		const char *user, *password, *host;
		enum sip_host_kind kind;
		uint16_t port;
		const char *params, *headers;
	} rows[] = {
		{"sip:a.example", SIP_URI_SIP, NULL, NULL, "a.example", SIP_HOST_NAME, 0, "", NULL},
		{"SIPS:bob@b:5061", SIP_URI_SIPS, "bob", NULL, "b", SIP_HOST_NAME, 5061, "", NULL},
		{"sip:u:p@10.0.0.1;lr", SIP_URI_SIP, "u", "p", "10.0.0.1", SIP_HOST_IPV4, 0, ";lr",
		 NULL},
		{"sip:u:@h", SIP_URI_SIP, "u", "", "h", SIP_HOST_NAME, 0, "", NULL},
		{"sip:[2001:db8::1]:99;a=b?h=v", SIP_URI_SIP, NULL, NULL, "2001:db8::1",
		 SIP_HOST_IPV6, 99, ";a=b", "h=v"},
		{"sip:+1-2;phone-context=x@h?", SIP_URI_SIP, "+1-2;phone-context=x", NULL, "h",
		 SIP_HOST_NAME, 0, "", ""},
		{"sip:1.2.3@256.1.1.1", SIP_URI_SIP, "1.2.3", NULL, "256.1.1.1", SIP_HOST_NAME, 0,
		 "", NULL},
		{"sip:a%20b%40@h", SIP_URI_SIP, "a%20b%40", NULL, "h", SIP_HOST_NAME, 0, "", NULL},
		{"sip:*21#@h", SIP_URI_SIP, "*21#", NULL, "h", SIP_HOST_NAME, 0, "", NULL},
		{"tel:+1-201-555-0123;ext=7", SIP_URI_TEL, "+1-201-555-0123", NULL, NULL,
		 SIP_HOST_NONE, 0, ";ext=7", NULL},
		{"tel:7042;phone-context=a.b", SIP_URI_TEL, "7042", NULL, NULL, SIP_HOST_NONE, 0,
		 ";phone-context=a.b", NULL},
		{"urn:service:sos", SIP_URI_OTHER, "service:sos", NULL, NULL, SIP_HOST_NONE, 0,
		 NULL, NULL},
	};
	struct sip_uri u;

	for (size_t i = 0; i < N(rows); i++) {
		assert_int_equal(sip_uri_parse(&u, guard_str(0, rows[i].in)), 0);
		if (u.scheme != rows[i].scheme || !is(u.user, rows[i].user) ||
		    !is(u.password, rows[i].password) || !is(u.host, rows[i].host) ||
		    u.host_kind != rows[i].kind || u.port != rows[i].port ||
		    !is(u.params, rows[i].params) || !is(u.headers, rows[i].headers))
			fail_msg("%s", rows[i].in);
	}
}

static void refused(void **)
{
	static const char *const rows[] = {
		"",
		"sip",
		"sip:",
		"sip:@h",
		"sip::p@h",
		"sip:u@",
		"sip:u@h@i",
		"sip:u@h:0",
		"sip:u@h:65536",
		"sip:u@h:",
		"sip:u@h:5x",
		"sip:u@h/p",
		"sip:u@[::1",
		"sip:u@[::g]",
		"sip:u@[]",
		"sip:u@[1.2.3.4]",
		"sip:u@.h",
		"sip:u v@h",
		"sip:u\t@h",
		"sip:<u>@h",
		"sip:u\"@h",
		"sip:u@h ",
		" sip:u@h",
		"sip:u%2@h",
		"sip:u%@h",
		"sip:%zz@h",
		"sip:u@h%",
		"tel:",
		"tel:+",
		"tel:12x",
		"tel:1+2",
		"tel:;ext=1",
		"tel:--",
		":a@b",
		"1x:a",
		"a b:c",
		"http:",
		"sip:u@[fe80::1%25eth0]",
		"sip:u@h\x7f",
		"sip:a@b,c",
	};
	struct sip_uri u;

	for (size_t i = 0; i < N(rows); i++)
		if (sip_uri_parse(&u, guard_str(0, rows[i])) != -EBADMSG)
			fail_msg("accepted: %s", rows[i]);
}

static void parameters(void **)
{
	struct slice v;
	struct sip_uri u;

	assert_int_equal(sip_uri_parse(&u, guard_str(0, "sip:a@b;lr;Transport=tcp;;ma%64dr=1.2.3.4;"
							"e=;transport=udp?a=1&B%62=%20&c")),
			 0);
	assert_true(sip_uri_has_param(&u, SLICE_LIT("LR")));
	assert_false(sip_uri_has_param(&u, SLICE_LIT("l")));
	assert_true(sip_uri_param(&u, SLICE_LIT("transport"), &v) && is(v, "tcp"));
	assert_true(sip_uri_param(&u, SLICE_LIT("maddr"), &v) && is(v, "1.2.3.4"));
	assert_true(sip_uri_param(&u, SLICE_LIT("e"), &v) && is(v, ""));
	assert_true(sip_uri_header(&u, SLICE_LIT("bb"), &v) && is(v, "%20"));
	assert_true(sip_uri_header(&u, SLICE_LIT("c"), &v) && is(v, ""));
	assert_false(sip_uri_header(&u, SLICE_LIT("d"), &v));
}

static void addresses(void **)
{
	static const struct {
		const char *in;
		int rc;
		uint8_t family, ip[16];
	} rows[] = {
		{"sip:10.91.1.2:5060", 0, 4, {10, 91, 1, 2}},
		{"sip:255.255.255.255", 0, 4, {255, 255, 255, 255}},
		{"sip:[::ffff:1.2.3.4]", 0, 6, {[10] = 0xff, 0xff, 1, 2, 3, 4}},
		{"sip:[fd91::2]", 0, 6, {0xfd, 0x91, [15] = 2}},
		{"sip:1.2.3", -EINVAL, 0, {0}},
		{"sip:01.2.3.4", -EINVAL, 0, {0}},
		{"sip:host", -EINVAL, 0, {0}},
		{"tel:1", -EINVAL, 0, {0}},
	};
	struct sip_uri u;

	for (size_t i = 0; i < N(rows); i++) {
		uint8_t ip[16] = {0}, family = 0;

		assert_int_equal(sip_uri_parse(&u, guard_str(0, rows[i].in)), 0);
		assert_int_equal(sip_uri_host_ip(&u, ip, &family), rows[i].rc);
		if (rows[i].rc == 0) {
			assert_int_equal(family, rows[i].family);
			assert_memory_equal(ip, rows[i].ip, 16);
		}
	}
}

static void comparison(void **)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		// the RFC's own kinds of pairs
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp",
		 true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;security=on", true},
		{"sip:b.com;transport=tcp;method=REGISTER?to=s%40b.com",
		 "sip:b.com;method=REGISTER;transport=tcp?to=s%40b.com", true},
		{"sip:a@b.com?subject=p&priority=u", "sip:a@b.com?priority=u&subject=p", true},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP",
		 false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next", false},
		{"sip:bob@phone21.example.com", "sip:bob@192.0.2.4", false},
		// not transitive, as the RFC says
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
		{"sip:a@b", "sips:a@b", false},
		{"sip:a@b", "sip:b", false},
		{"sip:a@b", "sip:a:@b", false},
		{"sip:a:x@b", "sip:a:%78@b", true},
		{"sip:a%40@b", "sip:a%40@b;user=phone", false},
		{"sip:a;x@b", "sip:a%3bx@b", false},
		{"sip:a@b;maddr=1.1.1.1", "sip:a@b", false},
		{"sip:a@b;ttl=1", "sip:a@b", false},
		{"sip:a@b;lr", "sip:a@b;lr=", false},
		{"sip:a@b;lr", "sip:a@b", true},
		{"sip:a@[2001:db8::1]", "sip:a@[2001:0DB8:0:0::1]", true},
		{"sip:a@[2001:db8::1]", "sip:a@[2001:db8::2]", false},
		{"tel:+1-201-555-0123", "tel:+12015550123", true},
		{"tel:+1(201)555.0123;ext=1", "tel:+12015550123", false},
		{"tel:1;a=1;b=2", "tel:1;b=2;a=1", true},
		{"tel:12", "tel:123", false},
		{"urn:a:b", "urn:a:b", true},
		{"urn:a:b", "urn:a:B", false},
	};
	struct sip_uri a, b;

	for (size_t i = 0; i < N(rows); i++) {
		assert_int_equal(sip_uri_parse(&a, guard_str(0, rows[i].a)), 0);
		assert_int_equal(sip_uri_parse(&b, guard_str(1, rows[i].b)), 0);
		if (sip_uri_equal(&a, &b) != rows[i].equal ||
		    sip_uri_equal(&b, &a) != rows[i].equal)
			fail_msg("%s %s", rows[i].a, rows[i].b);
	}
}

static void long_lists_cost_no_time(void **)
{
	static char text[60000];
	struct sip_uri a, b;
	size_t n = (size_t)snprintf(text, sizeof(text), "sip:a@b");

	while (n < sizeof(text) - 8)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ";%zx", n);
	assert_int_equal(sip_uri_parse(&a, guard_copy(0, slice_of(text, n))), 0);
	text[0] = 'S';
	assert_int_equal(sip_uri_parse(&b, guard_copy(1, slice_of(text, n))), 0);
	assert_false(sip_uri_equal(&a, &b));
	assert_true(sip_uri_equal(&a, &a));
}

static void escapes(void **)
{
	uint8_t mem[64];
	struct outbuf o = outbuf_of(mem, sizeof(mem));

	sip_uri_escape(&o, SLICE_LIT("a;b=c@d%e f-_.!~*'()"));
	assert_true(is(outbuf_slice(&o), "a%3bb%3dc%40d%25e%20f-_.!~*'()"));
	o = outbuf_of(mem, sizeof(mem));
	assert_true(sip_uri_unescape(&o, guard_str(0, "%41b%2fc")));
	assert_true(is(outbuf_slice(&o), "Ab/c"));
	assert_false(sip_uri_unescape(&o, guard_str(0, "ab%4")));
	assert_false(sip_uri_unescape(&o, guard_str(0, "%xy")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),      cmocka_unit_test(refused),
		cmocka_unit_test(parameters), cmocka_unit_test(addresses),
		cmocka_unit_test(comparison), cmocka_unit_test(long_lists_cost_no_time),
		cmocka_unit_test(escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
