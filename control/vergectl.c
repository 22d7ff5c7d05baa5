// SPDX-License-Identifier: BSD-3-Clause
// vergectl: asks a running verge over its socket and prints the answer.
// Exit status: 0 done, 1 refused (reason on stderr), 2 usage, 3 verge is not running.
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/cli.h"
#include "control/vergectl_cdr.h"
#include "control/vergectl_line.h"
#include "control/vergectl_print.h"

#define WAIT_MS 30000

enum { DONE, REFUSED, USAGE, NOT_RUNNING };

// Why the socket cannot be used, and what would help.
static int refuse_socket(const char *path, int error)
{
	struct stat st;
	struct group *group;

	if (error == ENAMETOOLONG || error == ENOENT || error == ECONNREFUSED || error == ENOTDIR ||
	    error == ENOTSOCK) {
		fprintf(stderr, "vergectl: verge is not running: %s: %s\n", path,
			strerrordesc_np(error));
		return NOT_RUNNING;
	}
	fprintf(stderr, "vergectl: %s: %s", path, strerrordesc_np(error));
	if (error == EACCES || error == EPERM) {
		// NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
		group = stat(path, &st) == 0 ? getgrgid(st.st_gid) : NULL;
		fprintf(stderr, "; the socket is for root and the group %s",
			group != NULL ? group->gr_name : "it belongs to");
	}
	fputc('\n', stderr);
	return REFUSED;
}

// A descriptor, or -errno.
static int connect_verge(const char *path)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
	} address = {.un = {.sun_family = AF_UNIX}};
	int fd, rc;

	if (strlen(path) >= sizeof(address.un.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	memcpy(address.un.sun_path, path, strlen(path) + 1);
	if (connect(fd, &address.any, sizeof(address.un)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static bool send_all(int fd, const char *text, size_t len)
{
	while (len != 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

// The reply up to its line end, malloc'ed; NULL when none came.
static char *receive(int fd)
{
	size_t len = 0, cap = 65536;
	char *text = malloc(cap);

	while (text != NULL) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char *more;
		ssize_t n;

		if (poll(&p, 1, WAIT_MS) <= 0 || (n = recv(fd, text + len, cap - len - 1, 0)) <= 0)
			break;
		len += (size_t)n;
		text[len] = 0;
		if (text[len - 1] == '\n')
			return text;
		if (cap - len > 1)
			continue;
		more = cap < CLI_REPLY_MAX ? realloc(text, cap * 2) : NULL;
		if (more == NULL)
			break;
		text = more;
		cap *= 2;
	}
	free(text);
	return NULL;
}

// DONE with *reply, which is the caller's to free.
static int exchange(const char *path, json_t *request, char **reply)
{
	char *text = json_dumps(request, JSON_COMPACT);
	int fd = text != NULL ? connect_verge(path) : -ENOMEM;

	*reply = NULL;
	if (fd >= 0) {
		if (send_all(fd, text, strlen(text)) && send_all(fd, "\n", 1))
			*reply = receive(fd);
		close(fd);
	}
	free(text);
	if (fd < 0)
		return refuse_socket(path, -fd);
	if (*reply == NULL)
		fputs("vergectl: verge gave no answer\n", stderr);
	return *reply != NULL ? DONE : NOT_RUNNING;
}

static bool format_is(const struct vergectl_line *l, const char *word)
{
	const char *format = json_string_value(json_object_get(l->request, "format"));

	return format != NULL && strcmp(format, word) == 0;
}

static void print(const struct vergectl_line *l, json_t *result)
{
	if (format_is(l, "json"))
		json_dumpf(result, stdout, JSON_INDENT(2));
	else if (strcmp(l->id, "calls") == 0)
		vergectl_print_calls(result, stdout);
	else if (strcmp(l->id, "trunks") == 0)
		vergectl_print_trunks(result, stdout);
	else if (strcmp(l->id, "rules_test") == 0)
		vergectl_print_rules_test(result, stdout);
	else if (strcmp(l->id, "why") == 0)
		vergectl_print_why(result, stdout);
	else if (strcmp(l->id, "report") == 0)
		vergectl_print_report(result, format_is(l, "markdown"), stdout);
	else
		vergectl_print(result, stdout);
}

static int show(const struct vergectl_line *l, const char *text)
{
	json_t *reply = json_loads(text, 0, NULL);
	json_t *result = json_object_get(reply, "result");
	const char *error = json_string_value(json_object_get(reply, "error"));
	bool ok = json_is_true(json_object_get(reply, "ok")) && json_is_object(result);
	int rc = ok ? DONE : REFUSED;

	if (ok && strcmp(l->id, "cdr_tail") == 0)
		rc = vergectl_cdr_tail(l->request, result, l->json, stdout) == 0 ? DONE : REFUSED;
	else if (l->json)
		fputs(text, stdout);
	else if (ok)
		print(l, result);
	if (!ok)
		fprintf(stderr, "vergectl: %s\n", error != NULL ? error : "the answer is not JSON");
	json_decref(reply);
	return rc;
}

// Of the terminal, or what $COLUMNS says; a file or pipe gets whole lines.
static void set_width(void)
{
	// NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (columns != NULL && strtoul(columns, NULL, 10) >= 20)
		vergectl_print_width((unsigned)strtoul(columns, NULL, 10));
	else if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
		 size.ws_col >= 20)
		vergectl_print_width(size.ws_col);
}

int main(int argc, char **argv)
{
	// NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
	const char *path = getenv("VERGE_SOCKET");
	struct vergectl_line l = {.request = json_object()};
	char *reply;
	int rc = vergectl_read(&l, argc, argv);

	if (rc != 0) {
		json_decref(l.request);
		return rc > 0 ? DONE : USAGE;
	}
	if (l.socket != NULL)
		path = l.socket;
	set_width();
	rc = exchange(path != NULL ? path : VERGECTL_SOCKET, l.request, &reply);
	if (rc == DONE)
		rc = show(&l, reply);
	json_decref(l.request);
	free(reply);
	return rc;
}
