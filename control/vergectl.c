// SPDX-License-Identifier: BSD-3-Clause
// vergectl: asks a running verge over its socket and prints the answer.
// Exit status: 0 done, 1 refused (reason on stderr), 2 usage, 3 verge is not running.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/cli.h"
#include "control/vergectl_print.h"

#define SOCKET_STANDARD "/run/verge/verge.sock"
#define WAIT_MS		30000
#define WORDS_MAX	8

enum { DONE, REFUSED, USAGE, NOT_RUNNING };

// What the command line says.
struct line {
	const char *words[WORDS_MAX];
	unsigned n;
	const char *socket, *trunk, *over, *limit, *call_id, *number, *format;
	bool json, marked;
};

static int usage(FILE *to)
{
	static const char *const rows[][2] = {
#define COMMAND(id, arguments, help) {arguments, help},
#include "control/commands.def"
	};

	fputs("usage: vergectl [-s SOCKET] [--json] COMMAND\n", to);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fprintf(to, "  %-52s %s\n", rows[i][0], rows[i][1]);
	fputs("SOCKET is $VERGE_SOCKET or " SOCKET_STANDARD
	      " if it is not given. --json prints the answer as it came.\n",
	      to);
	return USAGE;
}

// Options may stand anywhere. False on one that is unknown or has no value.
static bool read_line(struct line *l, int argc, char **argv)
{
	const struct {
		const char *name;
		const char **value;
	} options[] = {
		{"-s", &l->socket},	  {"--trunk", &l->trunk},     {"--over", &l->over},
		{"--limit", &l->limit},	  {"--call-id", &l->call_id}, {"--number", &l->number},
		{"--format", &l->format},
	};

	for (int i = 1; i < argc; i++) {
		size_t k = 0;

		if (strcmp(argv[i], "--json") == 0) {
			l->json = true;
			continue;
		}
		if (strcmp(argv[i], "--marked") == 0) {
			l->marked = true;
			continue;
		}
		while (k < sizeof(options) / sizeof(options[0]) &&
		       strcmp(argv[i], options[k].name) != 0)
			k++;
		if (k < sizeof(options) / sizeof(options[0])) {
			if (++i == argc)
				return false;
			*options[k].value = argv[i];
		} else if (argv[i][0] == '-' || l->n == WORDS_MAX) {
			return false;
		} else {
			l->words[l->n++] = argv[i];
		}
	}
	return true;
}

static bool word_is(const struct line *l, unsigned i, const char *word)
{
	return i < l->n && strcmp(l->words[i], word) == 0;
}

// A whole number for the request; false if it is none.
static bool put_number(json_t *request, const char *key, const char *text)
{
	char *end;
	long long v;

	if (text == NULL)
		return true;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno != 0 || *end != 0 || end == text || v < 0)
		return false;
	json_object_set_new(request, key, json_integer(v));
	return true;
}

// Text from the command line may be anything: what is not UTF-8 is no request.
static bool put_text(json_t *request, const char *key, const char *text)
{
	return text == NULL || json_object_set_new(request, key, json_string(text)) == 0;
}

static const char *trunk_request(const struct line *l, json_t *request)
{
	const char *value;
	char key[80];

	if (l->n < 2 || !put_text(request, "trunk", l->words[1]))
		return NULL;
	if (l->n == 2)
		return "trunk";
	if (l->n == 3 && word_is(l, 2, "report") &&
	    (l->format == NULL || strcmp(l->format, "text") == 0 ||
	     strcmp(l->format, "json") == 0 || strcmp(l->format, "markdown") == 0))
		return "report";
	if (l->n == 3 && word_is(l, 2, "reset"))
		return "reset";
	if (l->n != 4 || !word_is(l, 2, "set"))
		return NULL;
	value = strchr(l->words[3], '=');
	if (value == NULL || (size_t)(value - l->words[3]) >= sizeof(key))
		return NULL;
	snprintf(key, sizeof(key), "%.*s", (int)(value - l->words[3]), l->words[3]);
	return put_text(request, "key", key) && put_text(request, "value", value + 1) ? "set"
										      : NULL;
}

static const char *trace_request(const struct line *l, json_t *request)
{
	char path[4096];

	if (l->n == 1)
		return "trace";
	if (l->n == 2 && word_is(l, 1, "stop"))
		return "trace_stop";
	if (l->n != 3 || !word_is(l, 1, "start"))
		return NULL;
	// verge has its own working directory: it gets the file from / on
	if (l->words[2][0] == '/') {
		snprintf(path, sizeof(path), "%s", l->words[2]);
	} else {
		char *here = getcwd(NULL, 0);

		snprintf(path, sizeof(path), "%s/%s", here != NULL ? here : "", l->words[2]);
		free(here);
	}
	return put_text(request, "file", path) && put_text(request, "call_id", l->call_id) &&
			       put_text(request, "trunk", l->trunk) &&
			       put_text(request, "number", l->number) &&
			       (!l->marked ||
				json_object_set_new(request, "marked", json_true()) == 0)
		       ? "trace_start"
		       : NULL;
}

// Fills the request; NULL if the line is no command.
static const char *read_command(const struct line *l, json_t *request)
{
	static const char *const alone[] = {"status", "workers", "stats",
					    "timers", "trunks",	 "reload"};

	if (l->n == 0)
		return NULL;
	for (size_t i = 0; l->n == 1 && i < sizeof(alone) / sizeof(alone[0]); i++)
		if (strcmp(l->words[0], alone[i]) == 0)
			return alone[i];
	if (word_is(l, 0, "calls") && l->n == 1)
		return put_text(request, "trunk", l->trunk) &&
				       put_number(request, "over", l->over) &&
				       put_number(request, "limit", l->limit)
			       ? "calls"
			       : NULL;
	if (word_is(l, 0, "call") && (l->n == 2 || (l->n == 3 && word_is(l, 2, "end"))))
		return put_text(request, "call_id", l->words[1]) ? l->n == 2 ? "call" : "end"
								 : NULL;
	if (word_is(l, 0, "why") && l->n == 2)
		return put_text(request, "call_id", l->words[1]) ? "why" : NULL;
	if (word_is(l, 0, "log") && l->n == 2)
		return put_text(request, "level", l->words[1]) ? "log" : NULL;
	if (word_is(l, 0, "trunk"))
		return trunk_request(l, request);
	if (word_is(l, 0, "trace"))
		return trace_request(l, request);
	return NULL;
}

static int connect_verge(const char *path)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
	} address = {.un = {.sun_family = AF_UNIX}};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && strlen(path) < sizeof(address.un.sun_path)) {
		memcpy(address.un.sun_path, path, strlen(path) + 1);
		if (connect(fd, &address.any, sizeof(address.un)) == 0)
			return fd;
	}
	fprintf(stderr, "vergectl: verge is not running: %s: %s\n", path, strerrordesc_np(errno));
	if (fd >= 0)
		close(fd);
	return -1;
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

static char *exchange(const char *path, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT), *reply = NULL;
	int fd = text != NULL ? connect_verge(path) : -1;

	if (fd >= 0) {
		if (send_all(fd, text, strlen(text)) && send_all(fd, "\n", 1))
			reply = receive(fd);
		if (reply == NULL)
			fputs("vergectl: verge gave no answer\n", stderr);
		close(fd);
	}
	free(text);
	return reply;
}

static void print(const struct line *l, const char *command, json_t *result)
{
	if (strcmp(command, "calls") == 0)
		vergectl_print_calls(result, stdout);
	else if (strcmp(command, "trunks") == 0)
		vergectl_print_trunks(result, stdout);
	else if (strcmp(command, "why") == 0)
		vergectl_print_why(result, stdout);
	else if (strcmp(command, "report") == 0)
		vergectl_print_report(
			result, l->format != NULL && strcmp(l->format, "markdown") == 0, stdout);
	else
		vergectl_print(result, stdout);
}

static int show(const struct line *l, const char *command, const char *text)
{
	json_t *reply = json_loads(text, 0, NULL);
	json_t *result = json_object_get(reply, "result");
	const char *error = json_string_value(json_object_get(reply, "error"));
	bool ok = json_is_true(json_object_get(reply, "ok")) && json_is_object(result);

	if (l->json)
		fputs(text, stdout);
	else if (ok && l->format != NULL && strcmp(l->format, "json") == 0)
		json_dumpf(result, stdout, JSON_INDENT(2));
	else if (ok)
		print(l, command, result);
	if (!ok)
		fprintf(stderr, "vergectl: %s\n", error != NULL ? error : "the answer is not JSON");
	json_decref(reply);
	return ok ? DONE : REFUSED;
}

int main(int argc, char **argv)
{
	// NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
	const char *path = getenv("VERGE_SOCKET"), *command;
	struct line l = {0};
	json_t *request = json_object();
	char *reply;
	int rc;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		json_decref(request);
		usage(stdout);
		return DONE;
	}
	command = read_line(&l, argc, argv) ? read_command(&l, request) : NULL;
	if (command == NULL || json_object_set_new(request, "command", json_string(command)) != 0) {
		json_decref(request);
		return usage(stderr);
	}
	if (l.socket != NULL)
		path = l.socket;
	reply = exchange(path != NULL ? path : SOCKET_STANDARD, request);
	json_decref(request);
	if (reply == NULL)
		return NOT_RUNNING;
	rc = show(&l, command, reply);
	free(reply);
	return rc;
}
