// SPDX-License-Identifier: BSD-3-Clause
// Workers that go round and workers that stand still: what the watchdog is told, and /healthz.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/notify.h"

#define WORKERS 3

static struct worker_stats stats[WORKERS];
static const struct worker_stats *const list[WORKERS] = {&stats[0], &stats[1], &stats[2]};
static char path[64];
static int supervisor;

// NOLINTBEGIN(concurrency-mt-unsafe): one thread
static int with_systemd(void **)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
	} a = {.un = {.sun_family = AF_UNIX}};

	snprintf(path, sizeof(path), "/tmp/verge-notify-%d.sock", (int)getpid());
	snprintf(a.un.sun_path, sizeof(a.un.sun_path), "%s", path);
	supervisor = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(supervisor, &a.any, sizeof(a.un)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "2000000", 1);
	unsetenv("WATCHDOG_PID");
	memset(stats, 0, sizeof(stats));
	return 0;
}

static int close_systemd(void **)
{
	close(supervisor);
	unlink(path);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	return 0;
}

static int without_systemd(void **)
{
	unsetenv("WATCHDOG_USEC");
	memset(stats, 0, sizeof(stats));
	return 0;
}
// NOLINTEND(concurrency-mt-unsafe)

static bool was_fed(void)
{
	char text[200];
	ssize_t n = recv(supervisor, text, sizeof(text) - 1, 0);

	return n > 0 && strncmp(text, "WATCHDOG=1\n", 11) == 0;
}

// A row is a look: which workers have moved since the last one, and what is said then.
static void looks(void **)
{
	static const struct {
		const char *shows;
		tick_t at;
		unsigned moved; // a bit for each worker
		int told, still;
		tick_t for_us;
		bool fed;
	} rows[] = {
		{"the first look has nothing to compare with", TICK_S(10), 0, -1, -1, 0, true},
		{"too early: nobody looks", TICK_MS(10900), 0, -1, -1, 0, false},
		{"all have moved", TICK_S(11), 7, -1, -1, 0, true},
		{"worker 1 has not: told once", TICK_S(12), 5, 1, 1, TICK_S(1), false},
		{"and not again", TICK_S(13), 5, -1, 1, TICK_S(2), false},
		{"between two looks it stands still, too", TICK_MS(13500), 0, -1, 1, TICK_MS(2500),
		 false},
		{"another one goes on and off", TICK_S(14), 4, -1, 0, TICK_S(1), false},
		{"the first one moves again", TICK_S(15), 5, -1, 1, TICK_S(4), false},
		{"all do", TICK_S(16), 7, -1, -1, 0, true},
		{"the next one is told again", TICK_S(17), 3, 2, 2, TICK_S(1), false},
	};
	struct notify n;

	notify_init(&n);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tick_t for_us = 0;
		int told, still;

		for (unsigned w = 0; w < WORKERS; w++)
			if ((rows[i].moved >> w & 1) != 0)
				(w == 0 ? &stats[w].idle_us : &stats[w].busy_us)[0] += 5;
		told = notify_alive(&n, list, WORKERS, 7, rows[i].at);
		still = notify_still(&n, rows[i].at, &for_us);
		if (told != rows[i].told || still != rows[i].still || for_us != rows[i].for_us ||
		    was_fed() != rows[i].fed)
			fail_msg("%s: told %d, still %d for %llu us", rows[i].shows, told, still,
				 (unsigned long long)for_us);
	}
}

// Workers are looked at, too, where nobody feeds on it.
static void nobody_listens(void **)
{
	struct notify n;
	tick_t for_us;

	notify_init(&n);
	assert_int_equal(notify_alive(&n, list, WORKERS, 0, TICK_S(100)), -1);
	stats[0].busy_us = stats[1].idle_us = 1;
	assert_int_equal(notify_alive(&n, list, WORKERS, 0, TICK_S(104)), -1);
	assert_int_equal(notify_still(&n, TICK_S(104), &for_us), -1);
	assert_int_equal(notify_alive(&n, list, WORKERS, 0, TICK_S(105)), 2);
	assert_int_equal(notify_still(&n, TICK_S(106), &for_us), 2);
	assert_int_equal(for_us, TICK_S(6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(looks, with_systemd, close_systemd),
		cmocka_unit_test_setup(nobody_listens, without_systemd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
