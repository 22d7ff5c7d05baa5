// SPDX-License-Identifier: BSD-3-Clause
// control/hep: packets as HEP3 wants them, read back chunk by chunk. control/evidence: hashed
// numbers, the last 16 messages of each leg, only of dropped calls, bounded by memory and files.
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/evidence.h"
#include "control/hep.h"
#include "control/hide_numbers.h"
#include "control/pcapng.h"
#include "frame/frame.h"

static const struct siphash_key key = {1, 2};
static char dir[64];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/verge-taps-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

// How many files there are, and the bytes of the last one; they are removed.
static unsigned collect(uint8_t *bytes, size_t *n)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned files = 0;
	char path[400];

	assert_non_null(d);
	*n = 0;
	while ((e = readdir(d)) != NULL) { // NOLINT(concurrency-mt-unsafe): one thread
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		f = fopen(path, "rb");
		assert_non_null(f);
		*n = fread(bytes, 1, 1 << 20, f);
		fclose(f);
		unlink(path);
		files++;
	}
	closedir(d);
	return files;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

static const uint8_t *chunk(const uint8_t *p, size_t n, unsigned type, unsigned *len)
{
	for (size_t at = 6; at + 6 <= n; at += frame_be16(p + at + 4)) {
		assert_true(frame_be16(p + at) == 0 && frame_be16(p + at + 4) >= 6);
		assert_true(at + frame_be16(p + at + 4) <= n);
		if (frame_be16(p + at + 2) != type)
			continue;
		*len = frame_be16(p + at + 4) - 6u;
		return p + at + 6;
	}
	*len = 0;
	return NULL;
}

static void hep(void **state)
{
	static const uint8_t message[] = "OPTIONS sip:a SIP/2.0\r\n\r\n";
	static uint8_t room[HEP_PACKET_MAX];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const struct config_hep config = {.id = 0x01020304, .password = i & 1 ? "pw" : ""};
		struct tap_head head = {
			.flow = {.family = i & 2 ? 6 : 4, .local_udp = 5060, .peer_udp = 7000},
			.out = i & 1,
			.len = sizeof(message) - 1};
		struct outbuf o = outbuf_of(room, sizeof(room));
		unsigned len, size = i & 2 ? 16 : 4;
		const uint8_t *p;

		memset(head.flow.local_ip, 1, size);
		memset(head.flow.peer_ip, 2, size);
		hep_packet(&o, &config, &head, message, 1234567890123456u, "call-1");
		assert_false(o.full);
		assert_memory_equal(room, "HEP3", 4);
		assert_int_equal(frame_be16(room + 4), o.len);
		p = chunk(room, o.len, 1, &len);
		assert_true(len == 1 && *p == (i & 2 ? 10 : 2));
		p = chunk(room, o.len, i & 2 ? 5 : 3, &len);
		assert_true(len == size && *p == (i & 1 ? 1 : 2));
		p = chunk(room, o.len, 7, &len);
		assert_true(len == 2 && frame_be16(p) == (i & 1 ? 5060 : 7000));
		p = chunk(room, o.len, 9, &len);
		assert_int_equal(frame_be32(p), 1234567890);
		p = chunk(room, o.len, 10, &len);
		assert_int_equal(frame_be32(p), 123456);
		p = chunk(room, o.len, 12, &len);
		assert_int_equal(frame_be32(p), 0x01020304);
		p = chunk(room, o.len, 14, &len);
		assert_true((p != NULL) == (i & 1));
		p = chunk(room, o.len, 17, &len);
		assert_true(len == 6 && memcmp(p, "call-1", 6) == 0);
		p = chunk(room, o.len, 15, &len);
		assert_true(len == sizeof(message) - 1 && memcmp(p, message, len) == 0);
	}
}

static void hashed(void **state)
{
	static const struct {
		const char *shows, *in, *gone, *stays;
	} rows[] = {
		{"request line", "INVITE sip:+15551234@h SIP/2.0\r\n\r\n", "5551234", "@h SIP/2.0"},
		{"tel", "INVITE tel:+15551234;x=1 SIP/2.0\r\n\r\n", "5551234", ";x=1"},
		{"tel in brackets", "X y\r\nP: <tel:5551234>\r\n\r\n", "5551234", ">"},
		{"display name", "X y\r\nFrom: \"Alice 5551234\" <sip:5551234@h>;tag=t\r\n\r\n",
		 "5551234", ";tag=t"},
		{"password", "X y\r\nTo: <sips:5551234:pw@h>\r\n\r\n", "pw", "@h"},
		{"no user", "X y\r\nContact: <sip:10.0.0.1:5060>\r\n\r\n", "\1",
		 "sip:10.0.0.1:5060"},
		{"the body stays", "X y\r\nA: b\r\n\r\no=sip:5551234@h", "\1", "o=sip:5551234@h"},
		{"cut off", "INVITE sip:5551234", "\1", "INVITE sip:"},
		{"name without quotes", "X y\r\nFrom: Alice 5551234 <sip:1@h>;tag=t\r\n\r\n",
		 "Alice", "From: <sip:h"},
		{"second name of a list",
		 "X y\r\nP-Asserted-Identity: <sip:1@h>,Bob <sip:2@h>\r\n\r\n", "Bob", ", <sip:h"},
		{"credentials",
		 "X y\r\nAuthorization: Digest username=\"u\",\r\n response=\"5551234\"\r\nA: "
		 "b\r\n\r\n",
		 "5551234", "X-Left-Out: credentials\r\nA: b"},
		{"credentials last", "X y\r\nproxy-authorization: secret\r\n\r\nbody", "secret",
		 "credentials\r\n\r\nbody"},
		{"a date is none", "X y\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n\r\n", "\1",
		 "Date: Sat, 21 Nov 2026 12:00:00 GMT"},
		{"quote without end", "X y\r\nFrom: \"5551234", "5551234", "From: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512];
		struct outbuf o = outbuf_of(text, sizeof(text) - 1);

		hide_numbers(&o, &key, slice_of_str(rows[i].in));
		text[o.len] = '\0';
		if (strstr(text, rows[i].gone) != NULL || strstr(text, rows[i].stays) == NULL)
			fail_msg("%s: %s", rows[i].shows, text);
	}
}

static void say(struct evidence *e, const struct config *c, uint32_t call, unsigned side,
		unsigned number, const char *text)
{
	struct tap_head head = {.at = number,
				.about = {call, 1, 0, (uint8_t)side},
				.flow = {.family = 4},
				.taps = TAP_EVIDENCE,
				.len = (uint16_t)strlen(text)};

	evidence_put(e, c, 0, &head, (const uint8_t *)text);
}

static const struct config_port ports[] = {{.name = "p"}};

static struct config config_of(uint32_t memory_mib, uint32_t files)
{
	return (struct config){.ports = ports,
			       .n_ports = 1,
			       .evidence = {.dir = dir, .memory_mib = memory_mib, .files = files}};
}

static void end(struct evidence *e, const struct config *c, uint32_t call, enum cause cause,
		tick_t now)
{
	const struct call_record record = {.call = call, .gen = 1, .cause = (uint8_t)cause};
	char path[300], why[128];

	evidence_end(e, 0, &record, now);
	evidence_poll(e, c, now + TICK_MS(500), 0, path, why);
	assert_true(path[0] == '\0' && why[0] == '\0'); // what still comes is waited for
	evidence_poll(e, c, now + TICK_MS(1500), 0, path, why);
	assert_string_equal(why, "");
}

static void dropped_calls(void **state)
{
	static uint8_t bytes[1 << 20];
	struct config c = config_of(64, 2);
	struct evidence *e = evidence_new(&key);
	struct evidence_stats stats;
	size_t n;
	tick_t now = TICK_S(5000);

	(void)state;
	say(e, &c, 7, 0, 1, "INVITE sip:5551234@h SIP/2.0\r\nX: first\r\n\r\n");
	for (unsigned i = 2; i < 40; i++) {
		char text[64];

		snprintf(text, sizeof(text), "UPDATE sip:5551234@h SIP/2.0\r\nX: n%u.\r\n\r\n", i);
		say(e, &c, 7, i & 1, i, text);
	}
	say(e, &c, 8, 0, 50, "BYE sip:x@h SIP/2.0\r\n\r\n"); // what is left of another call
	evidence_stats(e, &stats);
	assert_int_equal(stats.calls, 1);
	end(e, &c, 7, CAUSE_REFRESH_FAILURE, now);
	assert_int_equal(collect(bytes, &n), 1);
	assert_null(memmem(bytes, n, "5551234", 7));
	assert_null(memmem(bytes, n, "X: first", 8));
	assert_non_null(memmem(bytes, n, "X: n39.", 7));
	assert_non_null(memmem(bytes, n, "X: n8.", 6));
	assert_null(memmem(bytes, n, "X: n7.", 6));
	assert_true(memmem(bytes, n, "X: n38.", 7) < memmem(bytes, n, "X: n39.", 7));
	say(e, &c, 9, 0, 60, "INVITE sip:x@h SIP/2.0\r\n\r\n");
	end(e, &c, 9, CAUSE_NORMAL, now + TICK_S(5)); // nobody wants that
	assert_int_equal(collect(bytes, &n), 0);
	for (uint32_t i = 10; i < 13; i++) {
		say(e, &c, i, 0, 60, "INVITE sip:x@h SIP/2.0\r\n\r\n");
		end(e, &c, i, CAUSE_SESSION_EXPIRED, now + TICK_S(10 + 5 * i));
	}
	assert_int_equal(collect(bytes, &n), 1); // two an hour
	evidence_stats(e, &stats);
	assert_true(stats.files == 2 && stats.suppressed == 2 && stats.calls == 0 &&
		    stats.bytes == 0);
	evidence_free(e);
}

static void bounded(void **state)
{
	struct config c = config_of(1, 2);
	struct evidence *e = evidence_new(&key);
	static char text[2001];
	struct evidence_stats stats;

	(void)state;
	memset(text, 'x', 2000);
	memcpy(text, "INVITE ", 7);
	for (uint32_t i = 0; i < 40000; i++) {
		say(e, &c, i, 0, i, text);
		evidence_stats(e, &stats);
		assert_true(stats.bytes <= 1 << 20);
	}
	assert_true(stats.calls > 400 && stats.forgotten == 40000 - stats.calls);
	evidence_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hep),
		cmocka_unit_test(hashed),
		cmocka_unit_test_setup_teardown(dropped_calls, setup, teardown),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
