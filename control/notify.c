// SPDX-License-Identifier: BSD-3-Clause
// See notify.h.
#include "control/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// Half of WatchdogSec in conf/verge.service.
#define EVERY_STANDARD TICK_S(5)

static uint64_t number_of(const char *variable)
{
	const char *text = getenv(variable); // NOLINT(concurrency-mt-unsafe): nobody sets it

	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

void notify_init(struct notify *n)
{
	uint64_t us = number_of("WATCHDOG_USEC"), pid = number_of("WATCHDOG_PID");

	*n = (struct notify){.every = EVERY_STANDARD, .still = -1};
	if (us == 0 || (pid != 0 && pid != (uint64_t)getpid()))
		return;
	// Twice in the time that systemd waits, as sd_watchdog_enabled(3) asks.
	n->every = TICK_US(us / 2);
	n->fed = true;
}

void notify_send(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET"); // NOLINT(concurrency-mt-unsafe): nobody sets it
	union {
		struct sockaddr any;
		struct sockaddr_un un;
	} to = {.un = {.sun_family = AF_UNIX}};
	size_t len = path != NULL ? strlen(path) : 0;
	int fd;

	if (len == 0 || len >= sizeof(to.un.sun_path))
		return;
	memcpy(to.un.sun_path, path, len);
	if (path[0] == '@')
		to.un.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, &to.any,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

// Whether the worker has moved since the last look.
static bool has_moved(struct notify *n, unsigned worker, const struct worker_stats *stats,
		      tick_t now)
{
	uint64_t time = stat_read(&stats->busy_us) + stat_read(&stats->idle_us);
	bool first = n->looked[worker].moved_tk == 0; // nothing to compare with yet

	if (!first && time == n->looked[worker].time)
		return false;
	n->looked[worker].time = time;
	n->looked[worker].moved_tk = now;
	return true;
}

int notify_alive(struct notify *n, const struct worker_stats *const *workers, unsigned n_workers,
		 uint64_t calls, tick_t now)
{
	int was = n->still;
	char text[96];

	if (now < n->due)
		return -1;
	n->due = now + n->every;
	n->still = -1;
	for (unsigned i = 0; i < n_workers && i < NOTIFY_WORKERS; i++)
		if (!has_moved(n, i, workers[i], now) && n->still < 0)
			n->still = (int)i;
	if (n->still >= 0)
		return was < 0 ? n->still : -1;
	if (n->fed) {
		snprintf(text, sizeof(text), "WATCHDOG=1\nSTATUS=%llu calls, %u workers",
			 (unsigned long long)calls, n_workers);
		notify_send(text);
	}
	return -1;
}

int notify_still(const struct notify *n, tick_t now, tick_t *for_us)
{
	if (n->still < 0)
		return -1;
	*for_us = now - n->looked[n->still].moved_tk;
	return n->still;
}
