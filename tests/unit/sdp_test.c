// SPDX-License-Identifier: BSD-3-Clause
// Session descriptions: parse, compare by meaning, own the origin line, hold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "guard.h"
#include "sdp/sdp.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define V     "v=0\r\n"
#define O     "o=- 1 1 IN IP4 192.0.2.1\r\n"
#define S     "s=-\r\n"
#define C     "c=IN IP4 192.0.2.1\r\n"
#define T     "t=0 0\r\n"
#define HEAD  V O S C T
#define AUDIO "m=audio 4000 RTP/AVP 0 8 101\r\n"
#define TEL   "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
#define BASE  HEAD AUDIO TEL

static void sdp_parses(void **)
{
	static const struct {
		const char *shows, *in;
		int rc;
		unsigned n_media;
		const char *connection;
		enum sdp_direction direction;
		bool hold;
	} rows[] = {
		{"plain", BASE, 0, 1, "IN IP4 192.0.2.1", SDP_SENDRECV, false},
		{"empty", "", -EBADMSG, 0, NULL, 0, false},
		{"v= is missing", O S, -EBADMSG, 0, NULL, 0, false},
		{"not SDP", "hello", -EBADMSG, 0, NULL, 0, false},
		{"a line without =", V "hello\r\n", -EBADMSG, 0, NULL, 0, false},
		{"v= alone", "v=", 0, 0, NULL, 0, false},
		{"no media", HEAD, 0, 0, NULL, 0, false},
		{"LF ends lines",
		 "v=0\no=- 1 1 IN IP4 1.2.3.4\nm=audio 1 RTP/AVP 0\nc=IN IP4 1.2.3.4\n", 0, 1,
		 "IN IP4 1.2.3.4", SDP_SENDRECV, false},
		{"CR ends lines", "v=0\rc=IN IP4 1.2.3.4\rm=audio 1 RTP/AVP 0\r", 0, 1,
		 "IN IP4 1.2.3.4", SDP_SENDRECV, false},
		{"no end of the last line", HEAD "m=audio 4000 RTP/AVP 0", 0, 1, "IN IP4 192.0.2.1",
		 SDP_SENDRECV, false},
		{"blank lines", V "\r\n" C "m=audio 4000 RTP/AVP 0\r\n\r\n", 0, 1,
		 "IN IP4 192.0.2.1", SDP_SENDRECV, false},
		{"media's own connection", HEAD AUDIO "c=IN IP4 192.0.2.9\r\n", 0, 1,
		 "IN IP4 192.0.2.9", SDP_SENDRECV, false},
		{"direction of the session", HEAD "a=sendonly\r\n" AUDIO, 0, 1, "IN IP4 192.0.2.1",
		 SDP_SENDONLY, true},
		{"direction of the media wins", HEAD "a=sendonly\r\n" AUDIO "a=recvonly\r\n", 0, 1,
		 "IN IP4 192.0.2.1", SDP_RECVONLY, false},
		{"inactive", HEAD AUDIO "a=inactive\r\n", 0, 1, "IN IP4 192.0.2.1", SDP_INACTIVE,
		 true},
		{"0.0.0.0", HEAD AUDIO "c=IN IP4 0.0.0.0\r\n", 0, 1, "IN IP4 0.0.0.0", SDP_SENDRECV,
		 true},
		{"::", HEAD AUDIO "c=IN IP6 ::\r\n", 0, 1, "IN IP6 ::", SDP_SENDRECV, true},
		{"port 0 holds nothing", HEAD "m=audio 0 RTP/AVP 0\r\na=sendonly\r\n", 0, 1,
		 "IN IP4 192.0.2.1", SDP_SENDONLY, false},
		{"one of two is held",
		 HEAD "m=audio 4000 RTP/AVP 0\r\na=sendonly\r\nm=video 4002 RTP/AVP 31\r\n", 0, 2,
		 "IN IP4 192.0.2.1", SDP_SENDONLY, false},
		{"one held, one switched off",
		 HEAD "m=audio 4000 RTP/AVP 0\r\na=sendonly\r\nm=video 0 RTP/AVP 31\r\n", 0, 2,
		 "IN IP4 192.0.2.1", SDP_SENDONLY, true},
		{"m= without protocol", HEAD "m=audio 4000\r\n", -EBADMSG, 0, NULL, 0, false},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice in = guard_str(0, rows[i].in);
		struct sdp sdp;
		int rc = sdp_parse(&sdp, in);

		if (rc != rows[i].rc || (rc == 0 && sdp.n_media != rows[i].n_media))
			fail_msg("%s: %d, %u media", rows[i].shows, rc, sdp.n_media);
		if (rc != 0 || sdp.n_media == 0)
			continue;
		if (!slice_eq(sdp.media[0].connection, slice_of_str(rows[i].connection)) ||
		    sdp.media[0].direction != rows[i].direction ||
		    sdp_is_hold(&sdp) != rows[i].hold)
			fail_msg("%s: c=" SLICE_FMT " direction %u hold %u", rows[i].shows,
				 SLICE_ARG(sdp.media[0].connection), sdp.media[0].direction,
				 sdp_is_hold(&sdp));
	}
}

static void sdp_is_bounded(void **)
{
	static char big[65536];
	struct sdp sdp;
	int n = 0;

	n += snprintf(big, sizeof(big), V);
	for (unsigned i = 0; i < SDP_MAX_MEDIA; i++)
		n += snprintf(big + n, sizeof(big) - (size_t)n, "m=audio 1 RTP/AVP 0\r\n");
	assert_int_equal(sdp_parse(&sdp, guard_copy(0, slice_of(big, (size_t)n))), 0);
	n += snprintf(big + n, sizeof(big) - (size_t)n, "m=audio 1 RTP/AVP 0\r\n");
	assert_int_equal(sdp_parse(&sdp, guard_copy(0, slice_of(big, (size_t)n))), -E2BIG);
	n = snprintf(big, sizeof(big), V);
	for (unsigned i = 1; i < SDP_MAX_LINES; i++)
		n += snprintf(big + n, sizeof(big) - (size_t)n, "a=x\r\n");
	assert_int_equal(sdp_parse(&sdp, guard_copy(0, slice_of(big, (size_t)n))), 0);
	n += snprintf(big + n, sizeof(big) - (size_t)n, "a=x\r\n");
	assert_int_equal(sdp_parse(&sdp, guard_copy(0, slice_of(big, (size_t)n))), -E2BIG);
}

static void sdp_compares(void **)
{
	static const struct {
		const char *shows, *a, *b;
		enum sdp_diff diff;
	} rows[] = {
		{"the same bytes", BASE, BASE, SDP_DIFF_NONE},
		{"p10 version", BASE, V "o=- 1 2 IN IP4 192.0.2.1\r\n" S C T AUDIO TEL,
		 SDP_DIFF_VERSION},
		{"session id", BASE, V "o=- 2 1 IN IP4 192.0.2.1\r\n" S C T AUDIO TEL,
		 SDP_DIFF_ORIGIN},
		{"origin address", BASE, V "o=- 1 1 IN IP4 192.0.2.2\r\n" S C T AUDIO TEL,
		 SDP_DIFF_ORIGIN},
		{"origin missing", BASE, V S C T AUDIO TEL, SDP_DIFF_ORIGIN},
		{"origin broken", BASE, V "o=x\r\n" S C T AUDIO TEL, SDP_DIFF_ORIGIN},
		{"subject", BASE, V O "s=talk\r\n" C T AUDIO TEL, SDP_DIFF_LAYOUT},
		{"line ends", "v=0\r\nm=audio 1 RTP/AVP 0\r\n", "v=0\nm=audio 1 RTP/AVP 0\n",
		 SDP_DIFF_LAYOUT},
		{"blanks at line ends", HEAD AUDIO, HEAD "m=audio 4000 RTP/AVP 0 8 101 \r\n",
		 SDP_DIFF_LAYOUT},
		{"order of attributes", HEAD AUDIO "a=ptime:20\r\na=maxptime:40\r\n",
		 HEAD AUDIO "a=maxptime:40\r\na=ptime:20\r\n", SDP_DIFF_LAYOUT},
		{"attribute twice", HEAD AUDIO "a=x\r\na=x\r\na=y\r\n",
		 HEAD AUDIO "a=x\r\na=y\r\na=y\r\n", SDP_DIFF_ATTRIBUTE},
		{"c= moved to the media", V O S C T AUDIO, V O S T AUDIO C, SDP_DIFF_LAYOUT},
		{"sendrecv written", HEAD AUDIO, HEAD AUDIO "a=sendrecv\r\n", SDP_DIFF_LAYOUT},
		{"direction moved to the session", HEAD AUDIO "a=sendonly\r\n",
		 HEAD "a=sendonly\r\n" AUDIO, SDP_DIFF_LAYOUT},
		{"static rtpmap written", HEAD AUDIO,
		 HEAD AUDIO "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 pcma/8000/1\r\n", SDP_DIFF_LAYOUT},
		{"static rtpmap of another payload", HEAD AUDIO,
		 HEAD AUDIO "a=rtpmap:0 PCMA/8000\r\n", SDP_DIFF_CODECS},
		{"case of an encoding", HEAD AUDIO "a=rtpmap:101 TELEPHONE-event/8000\r\n",
		 HEAD AUDIO "a=rtpmap:101 telephone-event/8000\r\n", SDP_DIFF_LAYOUT},
		{"p11 hold", BASE, BASE "a=sendonly\r\n", SDP_DIFF_DIRECTION},
		{"p11 resume", BASE "a=inactive\r\n", BASE, SDP_DIFF_DIRECTION},
		{"hold by address", BASE, BASE "c=IN IP4 0.0.0.0\r\n", SDP_DIFF_CONNECTION},
		{"connection", BASE, V O S "c=IN IP4 192.0.2.7\r\n" T AUDIO TEL,
		 SDP_DIFF_CONNECTION},
		{"port", HEAD AUDIO, HEAD "m=audio 4002 RTP/AVP 0 8 101\r\n", SDP_DIFF_PORT},
		{"media switched off", HEAD AUDIO, HEAD "m=audio 0 RTP/AVP 0 8 101\r\n",
		 SDP_DIFF_PORT},
		{"what is off has no codecs", HEAD "m=audio 0 RTP/AVP 0\r\na=x\r\n",
		 HEAD "m=audio 0 RTP/AVP 8\r\n", SDP_DIFF_LAYOUT},
		{"p10 order of payloads", HEAD AUDIO, HEAD "m=audio 4000 RTP/AVP 8 0 101\r\n",
		 SDP_DIFF_CODECS},
		{"a payload less", HEAD AUDIO, HEAD "m=audio 4000 RTP/AVP 0 8\r\n",
		 SDP_DIFF_CODECS},
		{"rtpmap", BASE,
		 HEAD AUDIO "a=rtpmap:101 telephone-event/16000\r\na=fmtp:101 0-15\r\n",
		 SDP_DIFF_CODECS},
		{"fmtp", BASE,
		 HEAD AUDIO "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n",
		 SDP_DIFF_CODECS},
		{"t38", HEAD AUDIO, HEAD "m=image 4000 udptl t38\r\n", SDP_DIFF_MEDIA_KIND},
		{"protocol", HEAD AUDIO, HEAD "m=audio 4000 RTP/SAVP 0 8 101\r\n",
		 SDP_DIFF_MEDIA_KIND},
		{"a media more", HEAD AUDIO, HEAD AUDIO "m=video 4002 RTP/AVP 31\r\n",
		 SDP_DIFF_MEDIA_COUNT},
		{"order of media", HEAD "m=audio 1 RTP/AVP 0\r\nm=video 2 RTP/AVP 31\r\n",
		 HEAD "m=video 2 RTP/AVP 31\r\nm=audio 1 RTP/AVP 0\r\n", SDP_DIFF_MEDIA_KIND},
		{"bandwidth", HEAD AUDIO, HEAD AUDIO "b=AS:64\r\n", SDP_DIFF_BANDWIDTH},
		{"bandwidth of the session", BASE, V O S C "b=AS:64\r\n" T AUDIO TEL,
		 SDP_DIFF_BANDWIDTH},
		{"key", HEAD AUDIO "a=crypto:1 X inline:a\r\n",
		 HEAD AUDIO "a=crypto:1 X inline:b\r\n", SDP_DIFF_ATTRIBUTE},
		{"attribute of the session", BASE, HEAD "a=group:BUNDLE 1\r\n" AUDIO TEL,
		 SDP_DIFF_ATTRIBUTE},
		{"unknown line", BASE, BASE "k=prompt\r\n", SDP_DIFF_ATTRIBUTE},
		{"timing", BASE, V O S C "t=0 1\r\n" AUDIO TEL, SDP_DIFF_TIMING},
		{"not SDP", BASE, "x", SDP_DIFF_UNREADABLE},
		{"the same garbage", "x", "x", SDP_DIFF_NONE},
		{"body and none", BASE, "", SDP_DIFF_UNREADABLE},
		{"connection without media", V O S "c=IN IP4 1.1.1.1\r\n" T,
		 V O S "c=IN IP4 1.1.1.2\r\n" T, SDP_DIFF_CONNECTION},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice a = guard_str(0, rows[i].a), b = guard_str(1, rows[i].b);
		enum sdp_diff diff = sdp_compare(a, b);

		if (diff != rows[i].diff)
			fail_msg("%s: %s", rows[i].shows, sdp_diff_text(diff));
		assert_int_equal(sdp_compare(b, a), diff);
		assert_int_equal(sdp_same(a, b), diff <= SDP_DIFF_LAYOUT);
		if (diff == SDP_DIFF_VERSION)
			assert_int_equal(sdp_hash(a), sdp_hash(b));
		else if (diff > SDP_DIFF_LAYOUT)
			assert_int_not_equal(sdp_hash(a), sdp_hash(b));
	}
}

static void sdp_owns_origin(void **)
{
	static const uint8_t four[4] = {10, 1, 2, 3};
	static const uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	static const struct {
		const char *shows, *in;
		struct sdp_origin origin;
		const char *out;
	} rows[] = {
		{"replaced",
		 BASE,
		 {7, 9, 4, four},
		 V "o=- 7 9 IN IP4 10.1.2.3\r\n" S C T AUDIO TEL},
		{"IPv6",
		 BASE,
		 {UINT64_MAX, 0, 6, six},
		 V "o=- 18446744073709551615 0 IN IP6 2001:db8::1\r\n" S C T AUDIO TEL},
		{"inserted", V S C, {7, 9, 4, four}, V "o=- 7 9 IN IP4 10.1.2.3\r\n" S C},
		{"inserted after a bare v=",
		 "v=0",
		 {7, 9, 4, four},
		 V "o=- 7 9 IN IP4 10.1.2.3\r\n"},
		{"inserted after v= and a blank",
		 "v=0 ",
		 {7, 9, 4, four},
		 "v=0 \r\no=- 7 9 IN IP4 10.1.2.3\r\n"},
		{"LF stays",
		 "v=0\no=a b c\ns=-\n",
		 {7, 9, 4, four},
		 "v=0\no=- 7 9 IN IP4 10.1.2.3\ns=-\n"},
		{"last line", "v=0\r\no=a", {7, 9, 4, four}, "v=0\r\no=- 7 9 IN IP4 10.1.2.3"},
		{"a second o=", V O S O T, {7, 9, 4, four}, V "o=- 7 9 IN IP4 10.1.2.3\r\n" S T},
		{"an o= where none belongs",
		 V AUDIO O,
		 {7, 9, 4, four},
		 V "o=- 7 9 IN IP4 10.1.2.3\r\n" AUDIO},
		{"not SDP", "hello o=\r\n", {7, 9, 4, four}, "hello o=\r\n"},
		{"empty", "", {7, 9, 4, four}, ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t mem[1024];
		struct outbuf o = outbuf_of(mem, sizeof(mem));
		struct slice in = guard_str(0, rows[i].in);
		struct sdp_own_line own;

		sdp_rewrite_origin(&o, in, &rows[i].origin);
		if (o.full || !slice_eq(outbuf_slice(&o), slice_of_str(rows[i].out)))
			fail_msg("%s: " SLICE_FMT, rows[i].shows, SLICE_ARG(outbuf_slice(&o)));
		o = outbuf_of(mem, sizeof(mem));
		assert_int_equal(sdp_hash_find(in, &own), sdp_hash(in));
		sdp_rewrite_found(&o, in, own, &rows[i].origin);
		if (o.full || !slice_eq(outbuf_slice(&o), slice_of_str(rows[i].out)))
			fail_msg("%s, found: " SLICE_FMT, rows[i].shows,
				 SLICE_ARG(outbuf_slice(&o)));
		o = outbuf_of(mem, strlen(rows[i].out) - (rows[i].out[0] != '\0'));
		sdp_rewrite_origin(&o, in, &rows[i].origin);
		assert_int_equal(o.full, rows[i].out[0] != '\0');
	}
}

static void sdp_reads_origin(void **)
{
	static const struct {
		const char *shows, *in;
		int rc;
		uint64_t id, version;
	} rows[] = {
		{"plain", "- 123 456 IN IP4 192.0.2.1", 0, 123, 456},
		{"largest", "- 18446744073709551615 18446744073709551614 IN IP4 h", 0, UINT64_MAX,
		 UINT64_MAX - 1},
		{"too large", "- 18446744073709551616 99999999999999999999999 IN IP4 h", 0,
		 UINT64_MAX, UINT64_MAX},
		{"no number", "- abc -1 IN IP4 h", 0, 0, 0},
		{"blanks", "  -   1\t2  IN IP4 h  ", 0, 1, 2},
		{"five words", "- 1 2 IN IP4", -EBADMSG, 0, 0},
		{"empty", "", -EBADMSG, 0, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sdp_origin_read origin = {0};
		int rc = sdp_origin_parse(&origin, guard_str(0, rows[i].in));

		if (rc != rows[i].rc || origin.session_id_n != rows[i].id ||
		    origin.version_n != rows[i].version)
			fail_msg("%s: %d", rows[i].shows, rc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sdp_parses),	    cmocka_unit_test(sdp_is_bounded),
		cmocka_unit_test(sdp_compares),	    cmocka_unit_test(sdp_owns_origin),
		cmocka_unit_test(sdp_reads_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
