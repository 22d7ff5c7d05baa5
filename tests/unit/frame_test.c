// SPDX-License-Identifier: BSD-3-Clause
// Headers of the link as bytes (lib/frame) and the Call-ID that steers
// (lib/frame/call_id.h).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frame/begins.h"
#include "frame/call_id.h"
#include "frame/frame.h"
#include "guard.h"

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

// RFC 1071 s3: the sum of these bytes is 0xddf2; odd lengths are padded with zero.
static void checksums(void **)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7, 0x80};
	uint16_t even = frame_sum_end(frame_sum(bytes, 8, 0));
	uint16_t odd = frame_sum_end(frame_sum(bytes, 9, 0));

	assert_int_equal(frame_be16((const uint8_t *)&even), (uint16_t)~0xddf2);
	assert_int_equal(frame_be16((const uint8_t *)&odd), (uint16_t) ~(0xddf2 + 0x8000 - 0xffff));
	for (size_t cut = 0; cut <= 8; cut += 2)
		assert_int_equal(
			frame_sum_end(frame_sum(bytes + cut, 9 - cut, frame_sum(bytes, cut, 0))),
			odd);
}

static void ip4_headers(void **)
{
	static const struct {
		const char *shows;
		uint8_t at, value; // one byte of a good header changed
		uint32_t n;	   // bytes that there are
		enum verdict verdict;
	} rows[] = {
		{"as it is", 0, 0x45, 28, VERDICT_NONE},
		{"frame longer than the packet", 0, 0x45, 60, VERDICT_NONE},
		{"version 6", 0, 0x65, 28, VERDICT_DROP_IP_HEADER},
		{"header of 16 bytes", 0, 0x44, 28, VERDICT_DROP_IP_HEADER},
		{"header longer than the packet", 0, 0x4f, 28, VERDICT_DROP_IP_HEADER},
		{"length below the header", 3, 19, 28, VERDICT_DROP_IP_HEADER},
		{"length above the frame", 3, 29, 28, VERDICT_DROP_SHORT},
		{"cut header", 0, 0x45, 19, VERDICT_DROP_SHORT},
		{"nothing", 0, 0x45, 0, VERDICT_DROP_SHORT},
		{"source 0.x", 12, 0, 28, VERDICT_DROP_IP_HEADER},
		{"source loopback", 12, 127, 28, VERDICT_DROP_IP_HEADER},
		{"source multicast", 12, 224, 28, VERDICT_DROP_IP_HEADER},
		{"more fragments", 6, 0x20, 28, VERDICT_NONE},
		{"don't fragment", 6, 0x40, 28, VERDICT_NONE},
	};
	static const uint8_t src[4] = {10, 1, 2, 3}, dst[4] = {10, 1, 2, 4};

	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t header[60] = {0}, *p = guard_room(0, rows[i].n);
		struct frame_ip ip;

		frame_ip4_write(header, src, dst, FRAME_PROTO_UDP, 8);
		header[rows[i].at] = rows[i].value;
		memcpy(p, header, rows[i].n);
		if (frame_ip4_read(&ip, p, rows[i].n) != rows[i].verdict)
			fail_msg("%s", rows[i].shows);
		if (rows[i].verdict != VERDICT_NONE)
			continue;
		assert_int_equal(ip.total, 28);
		assert_int_equal(ip.fragment, rows[i].at == 6 && rows[i].value == 0x20);
		assert_int_equal(frame_ip4_sum_ok(p, &ip), rows[i].at != 6);
	}
}

static void ip6_headers(void **)
{
	static const struct {
		const char *shows;
		uint8_t next;	     // of the fixed header
		uint8_t payload[20]; // what follows
		uint8_t len;
		enum verdict verdict;
		uint8_t proto, header_len;
		bool fragment;
	} rows[] = {
		{"UDP", 17, {0}, 8, VERDICT_NONE, 17, 40, false},
		{"hop by hop", 0, {17}, 16, VERDICT_NONE, 17, 48, false},
		{"hop by hop, options",
		 0,
		 {60, 0, 0, 0, 0, 0, 0, 0, 17},
		 16,
		 VERDICT_NONE,
		 17,
		 56,
		 false},
		{"hop by hop twice",
		 0,
		 {0, 0, 0, 0, 0, 0, 0, 0, 17},
		 20,
		 VERDICT_DROP_IP_EXTENSION,
		 0,
		 0,
		 false},
		{"option longer than the packet",
		 60,
		 {17, 9},
		 16,
		 VERDICT_DROP_IP_EXTENSION,
		 0,
		 0,
		 false},
		{"option header cut", 60, {17}, 4, VERDICT_DROP_IP_EXTENSION, 0, 0, false},
		{"routing header", 43, {17}, 16, VERDICT_DROP_IP_EXTENSION, 0, 0, false},
		{"authentication header", 51, {17}, 16, VERDICT_DROP_IP_EXTENSION, 0, 0, false},
		{"first fragment", 44, {17, 0, 0, 1}, 16, VERDICT_NONE, 17, 48, true},
		{"last fragment", 44, {17, 0, 5, 0xa8}, 16, VERDICT_NONE, 17, 48, true},
		{"whole packet as a fragment", 44, {17, 0, 0, 0}, 16, VERDICT_NONE, 17, 48, false},
		{"fragment header cut",
		 44,
		 {17, 0, 0, 1},
		 7,
		 VERDICT_DROP_IP_EXTENSION,
		 0,
		 0,
		 false},
		{"fragment after options", 60, {44}, 16, VERDICT_DROP_IP_EXTENSION, 0, 0, false},
	};
	static const uint8_t src[16] = {0xfd, 1}, dst[16] = {0xfd, 2};

	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t *p = guard_room(0, FRAME_IP6_LEN + rows[i].len);
		struct frame_ip ip;

		frame_ip6_write(p, src, dst, rows[i].next, rows[i].len);
		memcpy(p + FRAME_IP6_LEN, rows[i].payload, rows[i].len);
		if (frame_ip6_read(&ip, p, FRAME_IP6_LEN + rows[i].len) != rows[i].verdict)
			fail_msg("%s", rows[i].shows);
		if (rows[i].verdict != VERDICT_NONE)
			continue;
		assert_int_equal(ip.proto, rows[i].proto);
		assert_int_equal(ip.header_len, rows[i].header_len);
		assert_int_equal(ip.fragment, rows[i].fragment);
	}
}

static void udp_checksums(void **)
{
	static const uint8_t src[16] = {10, 1, 2, 3}, dst[16] = {10, 1, 2, 4};

	for (unsigned family = 4; family <= 6; family += 2) {
		struct frame_ip ip = {.src = src, .dst = dst, .family = (uint8_t)family};
		uint8_t *p = guard_room(0, 13);
		struct frame_udp u;

		memcpy(p + 8, "hello", 5);
		frame_udp_write(p, &ip, 5060, 5062, 5, true);
		assert_int_equal(frame_udp_read(&u, p, 13), VERDICT_NONE);
		assert_true(frame_udp_sum_ok(&ip, p, &u, false));
		p[9] ^= 1;
		assert_false(frame_udp_sum_ok(&ip, p, &u, false));
		assert_false(frame_udp_sum_ok(&ip, p, &u, true));
		// As a kernel hands it to its own machine: the pseudo header's sum only.
		frame_udp_write(p, &ip, 5060, 5062, 5, false);
		assert_int_equal(frame_udp_read(&u, p, 13), VERDICT_NONE);
		assert_false(frame_udp_sum_ok(&ip, p, &u, false));
		assert_true(frame_udp_sum_ok(&ip, p, &u, true));
		memset(p + 6, 0, 2);
		assert_int_equal(frame_udp_read(&u, p, 13), VERDICT_NONE);
		assert_int_equal(frame_udp_sum_ok(&ip, p, &u, true), family == 4);
		assert_int_equal(frame_udp_read(&u, p, 12), VERDICT_DROP_UDP_HEADER);
		assert_int_equal(frame_udp_read(&u, p, 7), VERDICT_DROP_UDP_HEADER);
	}
}

static void neighbours(void **)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7}, group[6] = {3};
	static const uint8_t us[16] = {0xfd, 1, [15] = 1}, them[16] = {0xfd, 1, [15] = 2};
	struct frame_ip ip = {.src = us, .dst = them, .family = 6, .hops = 255};
	uint8_t *p = guard_room(0, FRAME_ARP_LEN), solicited[16], out[6];
	struct frame_arp arp;
	struct frame_nd nd;

	frame_arp_write(p, mac, us, NULL, them);
	assert_int_equal(frame_arp_read(&arp, p, FRAME_ARP_LEN), VERDICT_NONE);
	assert_true(arp.request);
	assert_memory_equal(arp.sender_mac, mac, 6);
	assert_memory_equal(arp.target_ip, them, 4);
	frame_arp_write(p, group, us, mac, them);
	assert_int_equal(frame_arp_read(&arp, p, FRAME_ARP_LEN), VERDICT_DROP_ARP);
	assert_int_equal(frame_arp_read(&arp, p, FRAME_ARP_LEN - 1), VERDICT_DROP_SHORT);

	p = guard_room(0, FRAME_ND_LEN);
	frame_nd_write(p, &ip, us, mac, FRAME_NA_OVERRIDE);
	assert_int_equal(frame_sum_end(frame_sum(p, FRAME_ND_LEN,
						 frame_sum_pseudo(6, us, them, 58, FRAME_ND_LEN))),
			 0);
	assert_int_equal(frame_nd_read(&nd, &ip, p, FRAME_ND_LEN), VERDICT_NONE);
	assert_false(nd.solicitation);
	assert_true(nd.override && !nd.solicited);
	assert_memory_equal(nd.mac, mac, 6);
	p[25] = 0; // an option without a length never ends
	assert_int_equal(frame_nd_read(&nd, &ip, p, FRAME_ND_LEN), VERDICT_DROP_ND);
	p[25] = 2;
	assert_int_equal(frame_nd_read(&nd, &ip, p, FRAME_ND_LEN), VERDICT_DROP_ND);
	p[25] = 1;
	ip.hops = 254;
	assert_int_equal(frame_nd_read(&nd, &ip, p, FRAME_ND_LEN), VERDICT_DROP_ND);
	frame_solicited_node(solicited, them);
	frame_multicast_mac(out, solicited);
	assert_memory_equal(out, "\x33\x33\xff\0\0\x02", 6);
}

static void keepalives(void **)
{
	static const struct {
		const char *bytes;
		uint32_t n;
		bool is;
	} rows[] = {
		{"", 0, true},
		{"\r\n\r\n", 4, true},
		{"\r\n", 2, true},
		{"\0", 1, true},
		{"\0\0\0\0", 4, true},
		{"jaK", 3, false},
		{"\r\n\r\n\r\n\r\n\r\n", 10, false},
		{"\0\1\0\0\x21\x12\xa4\x42"
		 "123456789012",
		 20, true},
		{"\0\1\0\0\x21\x12\xa4\x43"
		 "123456789012",
		 20, false},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct slice s = guard_copy(0, slice_of(rows[i].bytes, rows[i].n));

		assert_int_equal(frame_is_keepalive(s.p, s.len), rows[i].is);
	}
}

static void call_ids(void **)
{
	static const struct {
		const char *shows, *in, *value; // NULL: none
	} rows[] = {
		{"plain", "BYE sip:a SIP/2.0\r\nCall-ID: a@b\r\n\r\n", "a@b"},
		{"compact, no blank", "BYE sip:a SIP/2.0\r\ni:a@b\r\n\r\n", "a@b"},
		{"case, blanks, lone LF", "BYE sip:a SIP/2.0\ncALL-id \t:  a@b \n\n", "a@b"},
		{"folded", "BYE sip:a SIP/2.0\r\nCall-ID:\r\n a@b\r\n\t\r\nTo: x\r\n\r\n", "a@b"},
		{"the first of two", "BYE sip:a SIP/2.0\r\nCall-ID: 1\r\nCall-ID: 2\r\n\r\n", "1"},
		{"CRLF before the message", "\r\n\r\nBYE sip:a SIP/2.0\r\ni: 1\r\n\r\n", "1"},
		{"in a continued line", "BYE sip:a SIP/2.0\r\nX: 1\r\n Call-ID: 2\r\n\r\n", NULL},
		{"in the body", "BYE sip:a SIP/2.0\r\nX: 1\r\n\r\nCall-ID: 2\r\n", NULL},
		{"other header", "BYE sip:a SIP/2.0\r\nCall-Info: 2\r\nI-D: 3\r\n\r\n", NULL},
		{"end after the name", "BYE sip:a SIP/2.0\r\nCall-ID", NULL},
		{"end after the colon", "BYE sip:a SIP/2.0\r\nCall-ID:", ""},
		{"end inside the value", "BYE sip:a SIP/2.0\r\nCall-ID: 1", "1"},
		{"empty", "", NULL},
		{"one line", "BYE", NULL},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct slice got = call_id_find(guard_str(0, rows[i].in));
		const char *want = rows[i].value != NULL ? rows[i].value : "";

		if (!slice_eq(got, slice_of_str(want)))
			fail_msg("%s: got " SLICE_FMT, rows[i].shows, SLICE_ARG(got));
	}
}

// What may wait while a worker has too much to do; a message cut short anywhere is no danger.
static void beginnings(void **)
{
	static const struct {
		const char *shows, *in;
		bool begins;
	} rows[] = {
		{"call", "INVITE sip:a SIP/2.0\r\nTo: <sip:a>\r\n\r\n", true},
		{"re-INVITE", "INVITE sip:a SIP/2.0\r\nTo: <sip:a>;tag=1\r\n\r\n", false},
		{"compact, blanks, case", "INVITE sip:a SIP/2.0\r\nt :<sip:a>; TAG=1\r\n\r\n",
		 false},
		{"From has the tag", "INVITE sip:a SIP/2.0\r\nFrom: <sip:b>;tag=1\r\nTo: a\r\n\r\n",
		 true},
		{"Timestamp is not To", "OPTIONS sip:a SIP/2.0\nTimestamp: 1;tag=2\nTo: a\n\n",
		 true},
		{"tag in a parameter's value", "OPTIONS sip:a SIP/2.0\r\nTo: a;x=tag=1\r\n\r\n",
		 true},
		{"tag in the body", "OPTIONS sip:a SIP/2.0\r\n\r\nTo: a;tag=1\r\n", true},
		{"response", "SIP/2.0 200 OK\r\nTo: a\r\n\r\n", false},
		{"ACK", "ACK sip:a SIP/2.0\r\n\r\n", false},
		{"BYE", "BYE sip:a SIP/2.0\r\n\r\n", false},
		{"CANCEL", "CANCEL sip:a SIP/2.0\r\n\r\n", false},
		{"PRACK", "PRACK sip:a SIP/2.0\r\n\r\n", false},
		{"UPDATE", "UPDATE sip:a SIP/2.0\r\n\r\n", false},
		{"INFO", "INFO sip:a SIP/2.0\r\n\r\n", false},
		{"REFER in a dialog", "REFER sip:a SIP/2.0\r\nTo: a;tag=1\r\n\r\n", false},
		{"no SIP", "GET / HTTP/1.1\r\n\r\n", true},
		{"almost a method", "BYEBYE", true},
		{"nothing", "", true},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct slice all = slice_of_str(rows[i].in);

		if (frame_begins_something(guard_copy(0, all)) != rows[i].begins)
			fail_msg("%s", rows[i].shows);
		for (size_t cut = 0; cut < all.len; cut++) // reads nothing behind the end
			(void)frame_begins_something(guard_copy(0, slice_of(all.p, cut)));
	}
}

// What is left of a datagram in an ICMP error.
static void quotes(void **)
{
	static const struct {
		const char *shows;
		uint8_t at, value; // one byte of a good packet changed
		uint32_t n;	   // bytes that there are
		bool good;
	} rows[] = {
		{"cut in the payload", 0, 0x45, 30, true},
		{"one byte of payload", 0, 0x45, 29, true},
		{"RFC 792's least: the ports only", 0, 0x45, 28, false},
		{"nothing", 0, 0x45, 0, false},
		{"cut header", 0, 0x45, 12, false},
		{"of the other family", 0, 0x65, 30, false},
		{"header of 16 bytes", 0, 0x44, 30, false},
		{"header longer than the quote", 0, 0x4f, 30, false},
		{"of TCP", 9, 6, 30, false},
		{"its length is not looked at", 2, 0xff, 30, true},
		{"first fragment", 6, 0x20, 30, true},
		{"a later fragment: what stands there are no ports", 7, 1, 30, false},
	};
	static const uint8_t src[4] = {10, 1, 2, 3}, dst[4] = {10, 1, 2, 4};

	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t packet[30], *p = guard_room(0, rows[i].n);
		struct frame_ip ip = {.src = src, .dst = dst, .family = 4};
		struct frame_quote q;

		frame_ip4_write(packet, src, dst, FRAME_PROTO_UDP, 10);
		frame_udp_write(packet + 20, &ip, 5060, 5070, 2, true);
		memcpy(packet + 28, "IN", 2);
		packet[rows[i].at] = rows[i].value;
		memcpy(p, packet, rows[i].n);
		if (frame_quote_read(&q, 4, p, rows[i].n) != rows[i].good)
			fail_msg("%s", rows[i].shows);
		if (!rows[i].good)
			continue;
		assert_true(q.src == p + 12 && q.dst == p + 16 && q.payload == p + 28);
		assert_int_equal(q.len, rows[i].n - 28);
		assert_int_equal(q.src_port, 5060);
		assert_int_equal(q.dst_port, 5070);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums),   cmocka_unit_test(ip4_headers),
		cmocka_unit_test(ip6_headers), cmocka_unit_test(udp_checksums),
		cmocka_unit_test(neighbours),  cmocka_unit_test(keepalives),
		cmocka_unit_test(call_ids),    cmocka_unit_test(beginnings),
		cmocka_unit_test(quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
