// SPDX-License-Identifier: BSD-3-Clause
// control/trace and control/pcapng: blocks as the format wants them, comments, the end at the limit
// and on a full disk.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/pcapng.h"
#include "control/trace.h"
#include "msg/msg.h"
#include "stat/verdict.h"

static char dir[64], path[96];
static const struct config_port ports[] = {{.name = "access"}, {.name = "core"}};
static const struct config_trunk trunks[] = {{.name = "8068"}};
static const struct config config = {.ports = ports, .n_ports = 2, .trunks = trunks, .n_trunks = 1};
static uint8_t bytes[16384];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/verge-trace-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/t.pcapng", dir);
	memset(bytes, 'x', sizeof(bytes));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static struct tap_head head_of(uint16_t len, uint8_t family)
{
	struct tap_head head = {
		.flow = {.port = 1, .family = family, .local_udp = 5060, .peer_udp = 5070},
		.len = len};

	memset(head.flow.local_ip, 1, family == 4 ? 4 : 16);
	memset(head.flow.peer_ip, 2, family == 4 ? 4 : 16);
	return head;
}

// Walk the blocks of a file: each begins and ends with its length. Returns how many are packets.
static unsigned walk(const uint8_t *p, size_t n)
{
	unsigned packets = 0;

	for (size_t at = 0; at < n;) {
		uint32_t type, len, again;

		assert_true(n - at >= 12);
		memcpy(&type, p + at, 4);
		memcpy(&len, p + at + 4, 4);
		assert_true(len >= 12 && len % 4 == 0 && len <= n - at);
		memcpy(&again, p + at + len - 4, 4);
		assert_int_equal(len, again);
		packets += type == PCAPNG_PACKET;
		at += len;
	}
	return packets;
}

static uint8_t *slurp(size_t *n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = malloc(2 << 20);

	assert_non_null(f);
	*n = fread(p, 1, 2 << 20, f);
	fclose(f);
	return p;
}

static void blocks(void **state)
{
	static uint8_t room[65536];

	(void)state;
	for (unsigned len = 0; len < 16; len++) {
		struct tap_head head = head_of((uint16_t)len, len % 2 ? 4 : 6);
		struct outbuf o = outbuf_of(room, sizeof(room));
		char comment[8] = "commentX";

		comment[len % 8] = '\0';
		pcapng_section(&o, "verge");
		pcapng_interface(&o, "access");
		pcapng_message(&o, &head, bytes, 1234567890123456u, comment);
		assert_false(o.full);
		assert_int_equal(walk(room, o.len), 1);
	}
}

static void no_room(void **state)
{
	static uint8_t room[PCAPNG_BLOCK_MAX];
	struct tap_head head = head_of(sizeof(bytes), 6);
	struct outbuf o = outbuf_of(room, sizeof(room) / 2);

	(void)state;
	pcapng_message(&o, &head, bytes, 1, "x");
	assert_true(o.full);
	o = outbuf_of(room, sizeof(room));
	pcapng_message(&o, &head, bytes, 1, "x");
	assert_false(o.full);
	assert_int_equal(walk(room, o.len), 1);
}

static void comments(void **state)
{
	static const struct {
		const char *want;
		uint32_t call;
		uint16_t trunk;
		uint8_t side, verdict, out;
	} rows[] = {
		{"leg=ingress trunk=8068 verdict=SIP_HANDLED", 7, 0, SIDE_A, VERDICT_SIP_HANDLED,
		 0},
		{"leg=egress trunk=8068 verdict=SENT", 7, 0, SIDE_B, 0, 1},
		{"leg=egress trunk=8068 verdict=SENT_AGAIN", 7, 0, SIDE_B, 1, 1},
		{"leg=none trunk=8068 verdict=DROP_STRAY", UINT32_MAX, 0, 0, VERDICT_DROP_STRAY, 0},
		{"leg=none trunk=none verdict=NONE", UINT32_MAX, 9, 0, 0x7f, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tap_head head = {.about = {rows[i].call, 0, rows[i].trunk, rows[i].side},
					.verdict = rows[i].verdict & 0x7f,
					.out = rows[i].out & 1};
		char text[128];

		trace_comment(text, sizeof(text), &config, &head);
		assert_string_equal(text, rows[i].want);
	}
}

static void at_limit(void **state)
{
	struct tap_head head = head_of(1000, 4);
	struct trace t;
	unsigned n = 0;
	size_t len;
	uint8_t *p;

	(void)state;
	trace_init(&t);
	assert_int_equal(trace_open(&t, &config, path, 100000), 0);
	assert_int_equal(trace_open(&t, &config, path, 100000), -EALREADY);
	while (trace_put(&t, &config, &head, bytes, n))
		assert_true(++n < 200);
	assert_false(trace_runs(&t));
	assert_string_equal(t.reason, "trace.max_size is reached");
	assert_int_equal(t.packets, n);
	p = slurp(&len);
	assert_true(len <= 100000 && len > 98000 && len == t.bytes);
	assert_int_equal(walk(p, len), n);
	free(p);
	assert_int_equal(trace_open(&t, &config, path, 100000), -EEXIST);
	trace_close(&t); // fine on one that has ended
}

// A disk that takes no more in the middle of a block.
static void disk_full(void **state)
{
	const struct rlimit small = {50000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
	struct tap_head head = head_of(1000, 6);
	struct trace t;
	size_t len;
	uint8_t *p;

	(void)state;
	signal(SIGXFSZ, SIG_IGN); // NOLINT(concurrency-mt-unsafe): one thread
	trace_init(&t);
	assert_int_equal(trace_open(&t, &config, path, 1 << 20), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_true(trace_put(&t, &config, &head, bytes, i));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_false(trace_flush(&t));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_false(trace_runs(&t));
	assert_true(t.reason[0] != '\0' && t.buffer.len == 0 && t.buffer.packets == 0);
	p = slurp(&len);
	assert_true(len > 48000 && len <= 50000 && len == t.bytes);
	assert_int_equal(walk(p, len), t.packets);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks),
		cmocka_unit_test(no_room),
		cmocka_unit_test(comments),
		cmocka_unit_test_setup_teardown(at_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(disk_full, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
