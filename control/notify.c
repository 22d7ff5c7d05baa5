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

static uint64_t number_of(const char *variable)
{
	const char *text = getenv(variable); // NOLINT(concurrency-mt-unsafe): nobody sets it

	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

void notify_init(struct notify *n)
{
	uint64_t us = number_of("WATCHDOG_USEC"), pid = number_of("WATCHDOG_PID");

	*n = (struct notify){0};
	// Twice in the time that systemd waits, as sd_watchdog_enabled(3) asks.
	if (us != 0 && (pid == 0 || pid == (uint64_t)getpid()))
		n->every = TICK_US(us / 2);
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

int notify_alive(struct notify *n, const struct worker_stats *const *workers, unsigned n_workers,
		 uint64_t calls, tick_t now)
{
	bool first = n->due == 0; // nothing to compare with yet
	char text[96];
	int still = -1;

	if (n->every == 0 || now < n->due)
		return -1;
	n->due = now + n->every;
	for (unsigned i = 0; i < n_workers && i < NOTIFY_WORKERS; i++) {
		uint64_t time = stat_read(&workers[i]->busy_us) + stat_read(&workers[i]->idle_us);

		if (!first && time == n->looked[i] && still < 0)
			still = (int)i;
		n->looked[i] = time;
	}
	if (still >= 0) {
		bool told = n->silent;

		n->silent = true;
		return told ? -1 : still;
	}
	n->silent = false;
	snprintf(text, sizeof(text), "WATCHDOG=1\nSTATUS=%llu calls, %u workers",
		 (unsigned long long)calls, n_workers);
	notify_send(text);
	return -1;
}
