// SPDX-License-Identifier: BSD-3-Clause
// Messages that we write: each writer's text, response heads (RFC 3261 s8.2.6, s18.2; RFC 3581),
// edits.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "sip/build.h"
#include "sip/edit.h"

static uint8_t mem[4096];
static struct outbuf o;

static const struct flow flow4 = {
	.family = 4,
	.local_udp = 5060,
	.peer_udp = 5062,
	.local_ip = {10, 91, 0, 1},
	.peer_ip = {10, 91, 1, 2},
};
static const struct flow flow6 = {
	.family = 6,
	.local_udp = 5080,
	.peer_udp = 40000,
	.local_ip = {0xfd, 0x91, [15] = 1},
	.peer_ip = {0xfd, 0x91, [15] = 2},
};

static void begin(void)
{
	o = outbuf_of(mem, sizeof(mem));
}

// What was written since begin() is this text.
static void wrote(const char *want)
{
	if (o.full || o.len != strlen(want) || memcmp(mem, want, o.len) != 0)
		fail_msg("wrote \"%.*s\"\nnot   \"%s\"", (int)o.len, (const char *)mem, want);
	begin();
}

static struct sip_msg parsed(const char *text)
{
	struct sip_msg m;

	assert_int_equal(sip_msg_parse(&m, guard_str(0, text)), 0);
	return m;
}

static void lines(void **)
{
	begin();
	sip_build_request_line(&o, SIP_UPDATE, SLICE_LIT("sip:a\r\nb"));
	wrote("UPDATE sip:a  b SIP/2.0\r\n");
	sip_build_status_line(&o, 422, SLICE_NONE);
	wrote("SIP/2.0 422 Session Interval Too Small\r\n");
	sip_build_status_line(&o, 200, SLICE_LIT("Fine"));
	wrote("SIP/2.0 200 Fine\r\n");
	sip_build_header(&o, SIP_H_SUBJECT, SLICE_LIT("a\r\n b\r\nEvil: 1"));
	wrote("Subject: a   b  Evil: 1\r\n");
	sip_build_header_u32(&o, SIP_H_MIN_SE, 90);
	wrote("Min-SE: 90\r\n");
	sip_build_session_expires(&o, 1800, SIP_REFRESHER_NONE);
	sip_build_session_expires(&o, 4294967295u, SIP_REFRESHER_UAC);
	sip_build_session_expires(&o, 90, SIP_REFRESHER_UAS);
	wrote("Session-Expires: 1800\r\nSession-Expires: 4294967295;refresher=uac\r\n"
	      "Session-Expires: 90;refresher=uas\r\n");
	sip_build_via(&o, &flow4, SLICE_LIT("z9hG4bK1"));
	sip_build_via(&o, &flow6, SLICE_LIT("z9hG4bK2"));
	wrote("Via: SIP/2.0/UDP 10.91.0.1:5060;rport;branch=z9hG4bK1\r\n"
	      "Via: SIP/2.0/UDP [fd91::1]:5080;rport;branch=z9hG4bK2\r\n");
	sip_build_contact(&o, SLICE_LIT("gw"), &flow6);
	sip_build_contact(&o, SLICE_NONE, &flow4);
	wrote("Contact: <sip:gw@[fd91::1]:5080>\r\nContact: <sip:10.91.0.1:5060>\r\n");
	sip_build_name_addr(&o, SIP_H_TO, SLICE_LIT("\"A\" <sip:a@b>"), SLICE_LIT("t"));
	sip_build_name_addr(&o, SIP_H_FROM, SLICE_LIT("<sip:a@b>"), SLICE_NONE);
	wrote("To: \"A\" <sip:a@b>;tag=t\r\nFrom: <sip:a@b>\r\n");
	sip_build_cseq(&o, 12, SLICE_LIT("BYE"));
	wrote("CSeq: 12 BYE\r\n");
	sip_build_options(&o, SIP_H_SUPPORTED, SIP_OPTION_BIT(TIMER) | SIP_OPTION_BIT(REL100));
	sip_build_options(&o, SIP_H_REQUIRE, 0);
	wrote("Supported: timer, 100rel\r\n");
	sip_build_methods(&o, SIP_H_ALLOW, SIP_METHOD_BIT(INVITE) | SIP_METHOD_BIT(UPDATE) | 1);
	wrote("Allow: INVITE, UPDATE\r\n");
	sip_build_reason(&o, SLICE_LIT("SIP"), 408, SLICE_LIT("say \"x\\y\"\r\nno"));
	wrote("Reason: SIP;cause=408;text=\"say \\\"x\\\\y\\\"  no\"\r\n");
	sip_build_body(&o, SLICE_LIT("application/sdp"), SLICE_LIT("v=0\r\n"));
	wrote("Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n");
	sip_build_body(&o, SLICE_NONE, SLICE_NONE);
	wrote("Content-Length: 0\r\n\r\n");
}

// Numbers at each change of length, in a buffer that just takes them and in one that does not.
static void numbers(void **)
{
	uint64_t edge = 1;
	char want[24];

	for (int digits = 1; digits <= 20; digits++, edge *= 10)
		for (int step = -1; step <= 1; step++) {
			uint64_t v = edge + (uint64_t)(int64_t)step;
			int n = snprintf(want, sizeof(want), "%llu", (unsigned long long)v);

			o = outbuf_of(mem, (size_t)n);
			outbuf_put_u64(&o, v);
			wrote(want);
			o = outbuf_of(mem, (size_t)n - 1);
			outbuf_put_u64(&o, v);
			assert_true(o.full);
		}
	begin();
	outbuf_put_u64(&o, UINT64_MAX);
	wrote("18446744073709551615");
	for (unsigned i = 0; i < 256; i++) {
		const uint8_t ip[4] = {(uint8_t)i, 0, (uint8_t)(255 - i), 10};
		int n = snprintf(want, sizeof(want), "%u.0.%u.10", i, 255 - i);

		begin();
		outbuf_put_ip4(&o, ip);
		wrote(want);
		o = outbuf_of(mem, (size_t)n);
		outbuf_put_ip4(&o, ip);
		wrote(want);
		o = outbuf_of(mem, (size_t)n - 1);
		outbuf_put_ip4(&o, ip);
		assert_true(o.full);
	}
}

// A value of any length, with an end of line at each place: spaces, and nothing beyond it touched.
static void values_stay_on_one_line(void **)
{
	static const char ends[] = {'\r', '\n'};
	uint8_t text[70], want[70];

	for (uint32_t n = 0; n < sizeof(text); n++)
		for (uint32_t at = 0; at <= n; at++)
			for (unsigned i = 0; i < 2; i++) {
				memset(text, 'x', n);
				memset(want, 'x', n);
				if (at < n) {
					text[at] = (uint8_t)ends[i];
					want[at] = ' ';
				}
				memset(mem, '#', sizeof(mem));
				o = outbuf_of(mem, n);
				sip_build_value(&o, guard_copy(0, slice_of(text, n)));
				assert_false(o.full);
				assert_int_equal(o.len, n);
				assert_memory_equal(mem, want, n);
				assert_int_equal(mem[n], '#');
			}
}

static void bodies_take_their_headers(void **)
{
	struct sip_msg m =
		parsed("INFO sip:a SIP/2.0\r\nc: x/y;\r\n z\r\nSubject: s\r\nMIME-Version: 1\r\n"
		       "l: 2\r\nX-My: 1\r\nx-my: 2\r\n\r\nab");

	begin();
	sip_build_body_of(&o, &m);
	wrote("Content-Type: x/y;   z\r\nMIME-Version: 1\r\nContent-Length: 2\r\n\r\nab");
	sip_build_copy(&o, &m, SIP_H_SUBJECT);
	sip_build_copy(&o, &m, SIP_H_VIA);
	sip_build_copy(&o, &m, SIP_H_OTHER);
	wrote("Subject: s\r\nX-My: 1\r\nx-my: 2\r\n");
}

#define REST                                                                         \
	"From: <sip:a@b>;tag=f\r\nTo: <sip:c@d>\r\nCall-ID: i\r\nCSeq: 7 INVITE\r\n" \
	"Timestamp: 5\r\n\r\n"
#define REPLIED(tag) \
	"From: <sip:a@b>;tag=f\r\nTo: <sip:c@d>" tag "\r\nCall-ID: i\r\nCSeq: 7 INVITE\r\n"

static void reply_heads(void **)
{
	static const struct {
		const char *shows, *vias;
		const struct flow *flow;
		const char *want;
		uint16_t port;
	} rows[] = {
		{"sent-by is the source", "Via: SIP/2.0/UDP 10.91.1.2:5060;branch=b\r\n", &flow4,
		 "Via: SIP/2.0/UDP 10.91.1.2:5060;branch=b\r\n", 5060},
		{"no port: 5060", "Via: SIP/2.0/UDP 10.91.1.2;branch=b\r\n", &flow4,
		 "Via: SIP/2.0/UDP 10.91.1.2;branch=b\r\n", 5060},
		{"another address", "Via: SIP/2.0/UDP 10.9.9.9:6000;branch=b\r\n", &flow4,
		 "Via: SIP/2.0/UDP 10.9.9.9:6000;branch=b;received=10.91.1.2\r\n", 6000},
		{"a name", "v: SIP/2.0/UDP host.example\r\n", &flow4,
		 "Via: SIP/2.0/UDP host.example;received=10.91.1.2\r\n", 5060},
		{"rport asked for", "Via: SIP/2.0/UDP 10.91.1.2:5060;rport;branch=b\r\n", &flow4,
		 "Via: SIP/2.0/UDP 10.91.1.2:5060;branch=b;received=10.91.1.2;rport=5062\r\n",
		 5062},
		{"forged received and rport",
		 "Via: SIP/2.0/UDP 10.91.1.2;received=1.1.1.1;branch=b;rport=53\r\n", &flow4,
		 "Via: SIP/2.0/UDP 10.91.1.2;branch=b;received=10.91.1.2;rport=5062\r\n", 5062},
		{"IPv6", "Via: SIP/2.0/UDP [fd91:0::2]:5060;rport\r\n", &flow6,
		 "Via: SIP/2.0/UDP [fd91:0::2]:5060;received=fd91::2;rport=40000\r\n", 40000},
		{"IPv6, equal in other digits", "Via: SIP/2.0/UDP [FD91:0::2]\r\n", &flow6,
		 "Via: SIP/2.0/UDP [FD91:0::2]\r\n", 5060},
		{"values in one field and in several",
		 "Via: SIP/2.0/UDP x;rport , SIP/2.0/TCP y ;received=2.2.2.2\r\nv:\r\n SIP/2.0/UDP "
		 "z\r\n",
		 &flow4,
		 "Via: SIP/2.0/UDP x;received=10.91.1.2;rport=5062, SIP/2.0/TCP y "
		 ";received=2.2.2.2\r\n"
		 "Via: SIP/2.0/UDP z\r\n",
		 5062},
		{"quotes and maddr", "Via: SIP/2.0/UDP 10.91.1.2;x=\"a;rport,\";maddr=9.9.9.9\r\n",
		 &flow4, "Via: SIP/2.0/UDP 10.91.1.2;x=\"a;rport,\";maddr=9.9.9.9\r\n", 5060},
		{"unreadable", "Via: nonsense\r\n", &flow4, "Via: nonsense\r\n", 5062},
	};
	char text[1024];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_msg m;

		(void)snprintf(text, sizeof(text), "INVITE sip:a SIP/2.0\r\n%s" REST, rows[i].vias);
		m = parsed(text);
		begin();
		sip_build_reply_head(&o, &m, rows[i].flow, 180, SLICE_NONE, SLICE_LIT("ours"));
		(void)snprintf(text, sizeof(text), "SIP/2.0 180 Ringing\r\n%s" REPLIED(";tag=ours"),
			       rows[i].want);
		wrote(text);
		assert_int_equal(sip_build_reply_flow(&m, rows[i].flow).peer_udp, rows[i].port);
	}
}

static void tags_and_timestamps(void **)
{
	struct sip_msg m = parsed("INVITE sip:a SIP/2.0\r\n" REST);

	begin();
	sip_build_reply_head(&o, &m, &flow4, 100, SLICE_NONE, SLICE_LIT("ours"));
	wrote("SIP/2.0 100 Trying\r\n" REPLIED("") "Timestamp: 5\r\n");
	m = parsed("BYE sip:a SIP/2.0\r\nt: sip:a@b;tag=theirs\r\n\r\n");
	sip_build_reply_head(&o, &m, &flow4, 481, SLICE_NONE, SLICE_LIT("ours"));
	wrote("SIP/2.0 481 Call/Transaction Does Not Exist\r\nTo: sip:a@b;tag=theirs\r\n");
	m = parsed("BYE sip:a SIP/2.0\r\nRequire: a, timer,b\r\nRequire: c;d\r\n\r\n");
	sip_build_unsupported(&o, &m, SIP_H_REQUIRE);
	wrote("Unsupported: a, b, c\r\n");
	sip_build_unsupported(&o, &m, SIP_H_PROXY_REQUIRE);
	wrote("");
}

static void what_does_not_fit_is_not_written(void **)
{
	struct sip_msg m = parsed("INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;rport\r\n" REST);
	uint32_t whole;

	begin();
	sip_build_reply_head(&o, &m, &flow4, 180, SLICE_NONE, SLICE_LIT("ours"));
	whole = o.len;
	for (uint32_t cap = 0; cap < whole; cap++) {
		o = outbuf_of(guard_room(1, cap), cap);
		sip_build_reply_head(&o, &m, &flow4, 180, SLICE_NONE, SLICE_LIT("ours"));
		assert_true(o.full);
	}
}

static void edits(void **)
{
	struct sip_msg m = parsed("BYE sip:a SIP/2.0\r\nA: 1\r\nB: 2;\r\n x\r\nC: 3\r\n\r\nbody");
	struct sip_edits e = {0};

	begin();
	assert_int_equal(sip_edit_apply(&o, &m, &e), 0);
	assert_true(slice_eq(outbuf_slice(&o), sip_msg_all(&m)));
	sip_edit_remove_field(&e, &m, &m.field[1]);
	sip_edit_replace(&e, &m, m.uri, SLICE_LIT("sip:longer"));
	sip_edit_replace(&e, &m, m.body, SLICE_NONE);
	sip_edit_insert_before(&e, &m, &m.field[1], SLICE_LIT("N: 1\r\n"));
	sip_edit_insert_before(&e, &m, &m.field[1], SLICE_LIT("N: 2\r\n"));
	begin();
	assert_int_equal(sip_edit_apply(&o, &m, &e), 0);
	wrote("BYE sip:longer SIP/2.0\r\nA: 1\r\nN: 1\r\nN: 2\r\nC: 3\r\n\r\n");

	sip_edit_add(&e, 5, 2, SLICE_NONE); // inside the URI that is replaced
	assert_int_equal(sip_edit_apply(&o, &m, &e), -EINVAL);
	e = (struct sip_edits){0};
	sip_edit_add(&e, m.len, 1, SLICE_NONE);
	assert_int_equal(sip_edit_apply(&o, &m, &e), -EINVAL);
	e = (struct sip_edits){0};
	sip_edit_add(&e, m.len, 0, SLICE_LIT("end"));
	begin();
	assert_int_equal(sip_edit_apply(&o, &m, &e), 0);
	assert_int_equal(o.len, m.len + 3);
	o = outbuf_of(mem, m.len);
	assert_int_equal(sip_edit_apply(&o, &m, &e), -EMSGSIZE);
	for (unsigned i = 0; i <= SIP_EDIT_MAX; i++)
		sip_edit_add(&e, 0, 0, SLICE_NONE);
	assert_int_equal(sip_edit_apply(&o, &m, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(numbers),
		cmocka_unit_test(values_stay_on_one_line),
		cmocka_unit_test(bodies_take_their_headers),
		cmocka_unit_test(reply_heads),
		cmocka_unit_test(tags_and_timestamps),
		cmocka_unit_test(what_does_not_fit_is_not_written),
		cmocka_unit_test(edits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
