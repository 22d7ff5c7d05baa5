// SPDX-License-Identifier: BSD-3-Clause
// The socket of vergectl: accepts, reads lines, runs commands step by step, writes replies.
// Thread: control. One epoll set; nothing here waits. A client costs one descriptor and its line
// buffer.
#include "control/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/commands.h"

#define EVENTS_A_POLL 32
#define STEPS_A_POLL  4

struct client {
	int fd;	       // -1 = free
	bool ended;    // it sends no more: answered and closed
	uint32_t mask; // epoll events it waits for
	uint32_t in_len, sent;
	tick_t progress;	  // last time that something moved
	struct commands_job *job; // being answered
	bool ready;		  // the reply is whole
	char *in;		  // [CLI_REQUEST_MAX]
};

struct cli {
	int listener, epoll;
	const struct control_view *view;
	unsigned n_clients, n_jobs, next_job;
	struct client clients[CLI_CLIENTS];
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

static void watch(struct cli *cli, struct client *c, uint32_t mask)
{
	struct epoll_event e = {.events = mask, .data.u32 = (uint32_t)(c - cli->clients)};

	if (c->mask == mask)
		return;
	epoll_ctl(cli->epoll, EPOLL_CTL_MOD, c->fd, &e);
	c->mask = mask;
}

static void drop_job(struct cli *cli, struct client *c)
{
	if (c->job != NULL)
		cli->n_jobs--;
	commands_free(c->job);
	c->job = NULL;
	c->ready = false;
	c->sent = 0;
}

static void drop(struct cli *cli, struct client *c)
{
	drop_job(cli, c);
	close(c->fd);
	free(c->in);
	*c = (struct client){.fd = -1};
	cli->n_clients--;
}

// Makes room by closing the client that was silent longest; one that is being answered stays.
static void drop_oldest(struct cli *cli)
{
	struct client *oldest = NULL;

	for (unsigned i = 0; i < CLI_CLIENTS; i++) {
		struct client *c = &cli->clients[i];

		if (c->fd >= 0 && c->job == NULL &&
		    (oldest == NULL || c->progress < oldest->progress))
			oldest = c;
	}
	if (oldest != NULL)
		drop(cli, oldest);
}

static void admit(struct cli *cli, int fd, tick_t now)
{
	struct epoll_event e = {.events = EPOLLIN};
	struct client *c = cli->clients;

	if (cli->n_clients == CLI_CLIENTS)
		drop_oldest(cli);
	while (c < cli->clients + CLI_CLIENTS && c->fd >= 0)
		c++;
	if (c == cli->clients + CLI_CLIENTS) {
		close(fd);
		return;
	}
	e.data.u32 = (uint32_t)(c - cli->clients);
	*c = (struct client){
		.fd = fd, .mask = EPOLLIN, .progress = now, .in = malloc(CLI_REQUEST_MAX)};
	if (c->in == NULL || epoll_ctl(cli->epoll, EPOLL_CTL_ADD, fd, &e) != 0) {
		close(fd);
		free(c->in);
		*c = (struct client){.fd = -1};
		return;
	}
	cli->n_clients++;
}

static void accept_some(struct cli *cli, tick_t now)
{
	for (int i = 0; i < EVENTS_A_POLL; i++) {
		int fd = accept4(cli->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		admit(cli, fd, now);
	}
}

// Begins to answer the first whole line; at the end of input what is left counts as one.
static void begin(struct cli *cli, struct client *c)
{
	char *end = memchr(c->in, '\n', c->in_len);
	uint32_t len = end != NULL ? (uint32_t)(end - c->in) : c->in_len, used;

	if (c->job != NULL || (end == NULL && (!c->ended || c->in_len == 0)))
		return;
	c->job = commands_new(cli->view, slice_of(c->in, len));
	if (c->job == NULL) {
		drop(cli, c);
		return;
	}
	cli->n_jobs++;
	used = end != NULL ? len + 1 : len;
	memmove(c->in, c->in + used, c->in_len - used);
	c->in_len -= used;
	watch(cli, c, 0);
}

static void receive(struct cli *cli, struct client *c, tick_t now)
{
	static const char too_long[] = "{\"ok\":false,\"error\":\"the request is too long\"}\n";
	ssize_t n = recv(c->fd, c->in + c->in_len, CLI_REQUEST_MAX - c->in_len, 0);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			drop(cli, c);
		return;
	}
	if (n == 0)
		c->ended = true;
	// A line that comes byte by byte does not keep its client alive.
	if (c->in_len == 0)
		c->progress = now;
	c->in_len += (uint32_t)n;
	begin(cli, c);
	if (c->fd < 0 || c->job != NULL)
		return;
	if (c->in_len == CLI_REQUEST_MAX)
		send(c->fd, too_long, sizeof(too_long) - 1, MSG_NOSIGNAL);
	if (c->ended || c->in_len == CLI_REQUEST_MAX)
		drop(cli, c);
}

static void transmit(struct cli *cli, struct client *c, tick_t now)
{
	struct outbuf *out = &c->job->out;
	ssize_t n = send(c->fd, out->p + c->sent, out->len - c->sent, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		drop(cli, c);
		return;
	}
	if (n > 0) {
		c->sent += (uint32_t)n;
		c->progress = now;
	}
	if (c->sent < out->len) {
		watch(cli, c, EPOLLOUT);
		return;
	}
	drop_job(cli, c);
	watch(cli, c, EPOLLIN);
	begin(cli, c);
	if (c->fd >= 0 && c->job == NULL && c->ended)
		drop(cli, c);
}

static void run_step(struct cli *cli, struct client *c, tick_t now)
{
	c->progress = now;
	if (!commands_step(c->job))
		return;
	if (c->job->out.len == 0) { // not even an error could be written
		drop(cli, c);
		return;
	}
	c->ready = true;
	transmit(cli, c, now);
}

// A few steps of the commands that are not finished, in turn.
static void run_jobs(struct cli *cli, tick_t now)
{
	unsigned steps = 0;

	for (unsigned i = 0; i < CLI_CLIENTS && cli->n_jobs != 0 && steps < STEPS_A_POLL; i++) {
		struct client *c = &cli->clients[cli->next_job];

		cli->next_job = (cli->next_job + 1) % CLI_CLIENTS;
		if (c->fd >= 0 && c->job != NULL && !c->ready) {
			run_step(cli, c, now);
			steps++;
		}
	}
}

// When a client is cut off if nothing moves.
static tick_t deadline(const struct client *c)
{
	if (c->job != NULL && !c->ready)
		return TICK_NEVER;
	if (c->job != NULL || c->in_len != 0)
		return c->progress + TICK_S(CLI_SLOW_S);
	return c->progress + TICK_S(CLI_IDLE_S);
}

static void cut_off(struct cli *cli, tick_t now)
{
	for (unsigned i = 0; i < CLI_CLIENTS; i++)
		if (cli->clients[i].fd >= 0 && deadline(&cli->clients[i]) <= now)
			drop(cli, &cli->clients[i]);
}

void cli_poll(struct cli *cli, tick_t now)
{
	struct epoll_event events[EVENTS_A_POLL];
	int n = epoll_wait(cli->epoll, events, EVENTS_A_POLL, 0);

	for (int i = 0; i < n; i++) {
		struct client *c;

		if (events[i].data.u32 == CLI_CLIENTS) {
			accept_some(cli, now);
			continue;
		}
		c = &cli->clients[events[i].data.u32];
		if (c->fd < 0)
			continue;
		if ((events[i].events & EPOLLIN) != 0 && c->job == NULL)
			receive(cli, c, now);
		else if ((events[i].events & EPOLLOUT) != 0 && c->ready)
			transmit(cli, c, now);
		else if ((events[i].events & (EPOLLHUP | EPOLLERR)) != 0)
			drop(cli, c);
	}
	run_jobs(cli, now);
	cut_off(cli, now);
}

tick_t cli_next(const struct cli *cli, tick_t now)
{
	tick_t next = TICK_NEVER;

	for (unsigned i = 0; i < CLI_CLIENTS && cli->n_clients != 0; i++) {
		const struct client *c = &cli->clients[i];

		if (c->fd >= 0 && c->job != NULL && !c->ready)
			return now;
		if (c->fd >= 0 && deadline(c) < next)
			next = deadline(c);
	}
	return next;
}

int cli_fd(const struct cli *cli)
{
	return cli->epoll;
}

union address {
	struct sockaddr any;
	struct sockaddr_un un;
};

// Whether somebody answers on the socket that is there.
static bool is_alive(const union address *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive = fd >= 0 &&
		     (connect(fd, &address->any, sizeof(address->un)) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return alive;
}

static int bind_listener(struct cli *cli)
{
	union address address = {.un = {.sun_family = AF_UNIX}};
	struct stat st;
	mode_t mask;
	int rc;

	memcpy(address.un.sun_path, cli->path, sizeof(address.un.sun_path));
	if (lstat(cli->path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return -EEXIST;
		if (is_alive(&address))
			return -EADDRINUSE;
		unlink(cli->path);
	}
	cli->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (cli->listener < 0)
		return -errno;
	mask = umask(0117); // 0660 from the first instant
	rc = bind(cli->listener, &address.any, sizeof(address.un)) == 0 ? 0 : -errno;
	umask(mask);
	if (rc == 0 && listen(cli->listener, 64) != 0)
		rc = -errno;
	return rc;
}

int cli_new(struct cli **out, const char *path, const struct control_view *view)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = CLI_CLIENTS};
	struct cli *cli = calloc(1, sizeof(*cli));
	int rc = -ENAMETOOLONG;

	*out = NULL;
	if (cli == NULL)
		return -ENOMEM;
	cli->listener = cli->epoll = -1;
	cli->view = view;
	for (unsigned i = 0; i < CLI_CLIENTS; i++)
		cli->clients[i].fd = -1;
	if (strlen(path) >= sizeof(cli->path))
		goto fail;
	memcpy(cli->path, path, strlen(path) + 1);
	rc = bind_listener(cli);
	if (rc != 0)
		goto fail;
	cli->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (cli->epoll < 0 || epoll_ctl(cli->epoll, EPOLL_CTL_ADD, cli->listener, &e) != 0) {
		rc = -errno;
		unlink(cli->path);
		goto fail;
	}
	*out = cli;
	return 0;
fail:
	if (cli->epoll >= 0)
		close(cli->epoll);
	if (cli->listener >= 0)
		close(cli->listener);
	free(cli);
	return rc;
}

void cli_free(struct cli *cli)
{
	if (cli == NULL)
		return;
	for (unsigned i = 0; i < CLI_CLIENTS; i++)
		if (cli->clients[i].fd >= 0)
			drop(cli, &cli->clients[i]);
	close(cli->epoll);
	close(cli->listener);
	unlink(cli->path);
	free(cli);
}
