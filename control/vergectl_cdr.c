// SPDX-License-Identifier: BSD-3-Clause
// The last lines of the CDR file, and those to come, over rotations.
#include "control/vergectl_cdr.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/cdr_csv.h"

#define LIMIT_STANDARD 10
#define LINE_MAX_BYTES 65536
#define LOOK_MS	       200

struct tail {
	const char *path, *trunk;
	bool json, csv, follow, raw; // raw: the file is CSV already
	int fd;
	char line[LINE_MAX_BYTES]; // the line that is being read
	size_t len;
	FILE *out;
};

static const char *text(const json_t *cdr, const char *a, const char *b)
{
	const json_t *v = json_object_get(cdr, a);
	const char *s = json_string_value(b != NULL ? json_object_get(v, b) : v);

	return s != NULL ? s : "-";
}

// What peers wrote does not reach the terminal as control characters.
static void put_clean(const char *s, FILE *out)
{
	for (; *s != 0; s++)
		fputc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, out);
}

static void put_person(const json_t *cdr, FILE *out)
{
	fprintf(out, "%s  %10.3f s  ", text(cdr, "end", NULL),
		json_number_value(json_object_get(cdr, "duration_s")));
	fprintf(out, "%s > %s  ", text(cdr, "ingress", "trunk"), text(cdr, "egress", "trunk"));
	fprintf(out, "%s: %s  ", text(cdr, "release", "cause"), text(cdr, "release", "sentence"));
	put_clean(text(cdr, "call_id", NULL), out);
	fputc('\n', out);
}

static void put_csv(const json_t *cdr, FILE *out)
{
	static char room[CDR_CSV_MAX_BYTES]; // one thread
	struct outbuf o = outbuf_of(room, sizeof(room));

	cdr_csv_put(&o, cdr);
	if (!o.full)
		fprintf(out, "%.*s\n", (int)o.len, room);
}

static bool is_wanted(const struct tail *t, const json_t *cdr)
{
	return t->trunk == NULL || strcmp(text(cdr, "ingress", "trunk"), t->trunk) == 0 ||
	       strcmp(text(cdr, "egress", "trunk"), t->trunk) == 0;
}

// A whole line; what is no CDR (the rest of a crash) is passed over. True: it was shown.
static bool put_line(struct tail *t)
{
	json_t *cdr = t->raw ? NULL : json_loadb(t->line, t->len, 0, NULL);
	bool wanted = t->raw || (json_is_object(cdr) && is_wanted(t, cdr));

	if (wanted && (t->raw || t->json))
		fprintf(t->out, "%.*s\n", (int)t->len, t->line);
	else if (wanted && t->csv)
		put_csv(cdr, t->out);
	else if (wanted)
		put_person(cdr, t->out);
	json_decref(cdr);
	return wanted;
}

// What the file has from here on; how many lines were shown.
static unsigned read_on(struct tail *t)
{
	char piece[2048];
	unsigned shown = 0;
	ssize_t n;

	while ((n = read(t->fd, piece, sizeof(piece))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (piece[i] == '\n') {
				shown += put_line(t);
				t->len = 0;
			} else if (t->len < sizeof(t->line)) {
				t->line[t->len++] = piece[i];
			}
		}
	}
	fflush(t->out);
	return shown;
}

// Where the last n lines begin.
static off_t begin_of_last(int fd, unsigned long long n)
{
	off_t end = lseek(fd, 0, SEEK_END), at = end;
	char piece[2048];

	while (at > 0) {
		size_t len = at < (off_t)sizeof(piece) ? (size_t)at : sizeof(piece);

		at -= (off_t)len;
		if (pread(fd, piece, len, at) != (ssize_t)len)
			return 0;
		for (size_t i = len; i-- != 0;)
			if (piece[i] == '\n' && at + (off_t)i != end - 1 && n-- <= 1)
				return at + (off_t)i + 1;
	}
	return 0;
}

// A file that was finished just now is made again with the next CDR: who follows waits for it.
static int open_file(struct tail *t)
{
	for (;;) {
		t->fd = open(t->path, O_RDONLY | O_CLOEXEC);
		if (t->fd >= 0)
			return 0;
		if (errno != ENOENT || !t->follow)
			break;
		poll(NULL, 0, LOOK_MS);
	}
	fprintf(stderr, "vergectl: %s: %s%s\n", t->path, strerrordesc_np(errno),
		errno == EACCES ? "; it is for root and its group" : "");
	return -1;
}

// Whether the name means another file by now.
static bool was_rotated(const struct tail *t)
{
	struct stat own, named;

	return fstat(t->fd, &own) == 0 && stat(t->path, &named) == 0 &&
	       (own.st_ino != named.st_ino || own.st_dev != named.st_dev);
}

static void follow(struct tail *t)
{
	while (!ferror(t->out)) {
		struct pollfd gone = {.fd = fileno(t->out), .events = 0};
		bool rotated = was_rotated(t);

		read_on(t);
		if (rotated) {
			close(t->fd);
			t->len = 0;
			if (open_file(t) != 0)
				return;
			continue;
		}
		if (poll(&gone, 1, LOOK_MS) > 0 && (gone.revents & (POLLERR | POLLHUP)) != 0)
			return;
	}
}

static unsigned long long count_lines(const char *path)
{
	unsigned long long n = 0;
	char piece[2048];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	while (fd >= 0 && (got = read(fd, piece, sizeof(piece))) > 0)
		for (ssize_t i = 0; i < got; i++)
			n += piece[i] == '\n';
	if (fd >= 0)
		close(fd);
	return n;
}

// The last n lines of the file that was finished last. True if there is one.
static bool show_finished(struct tail *t, unsigned long long n)
{
	char pattern[4200];
	glob_t found;
	bool any;

	snprintf(pattern, sizeof(pattern), "%s.2*Z*", t->path);
	// NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
	if (glob(pattern, 0, NULL, &found) != 0)
		return false;
	t->fd = open(found.gl_pathv[found.gl_pathc - 1], O_RDONLY | O_CLOEXEC);
	any = t->fd >= 0;
	if (any) {
		lseek(t->fd, begin_of_last(t->fd, n), SEEK_SET);
		read_on(t);
		close(t->fd);
		t->len = 0;
	}
	globfree(&found);
	return any;
}

static void put_header(FILE *out)
{
	static char header[2048];
	struct outbuf o = outbuf_of(header, sizeof(header));

	cdr_csv_put_header(&o);
	fprintf(out, "%.*s\n", (int)o.len, header);
}

// With a filter the whole file is looked through, else its last lines and, if these are too few,
// those of the file before it.
static int begin(struct tail *t, unsigned long long limit)
{
	unsigned long long there = count_lines(t->path);
	bool before;

	if (t->csv)
		put_header(t->out);
	before = t->trunk == NULL && limit > there && show_finished(t, limit - there);
	if (before && !t->follow && access(t->path, F_OK) != 0)
		t->fd = open("/dev/null", O_RDONLY | O_CLOEXEC); // no CDR since the rotation
	else if (open_file(t) != 0)
		return -1;
	if (t->trunk == NULL || limit == 0)
		lseek(t->fd, limit != 0 ? begin_of_last(t->fd, limit) : lseek(t->fd, 0, SEEK_END),
		      SEEK_SET);
	read_on(t);
	return 0;
}

int vergectl_cdr_tail(const json_t *request, const json_t *result, bool json, FILE *out)
{
	struct tail *t = calloc(1, sizeof(*t));
	json_t *limit = json_object_get(request, "limit");
	int rc = -1;

	if (t == NULL)
		return -1;
	t->path = json_string_value(json_object_get(result, "file"));
	t->trunk = json_string_value(json_object_get(request, "trunk"));
	t->csv = json_is_true(json_object_get(request, "csv"));
	t->raw = strcmp(text(result, "format", NULL), "csv") == 0;
	t->follow = json_is_true(json_object_get(request, "follow"));
	t->json = json;
	t->out = out;
	if (t->path == NULL)
		fputs("vergectl: no CDRs are written: cdr.file is empty\n", stderr);
	else if (t->raw && (t->trunk != NULL || json))
		fputs("vergectl: the file is CSV already: --trunk and --json are not possible\n",
		      stderr);
	else
		rc = begin(t, limit != NULL ? (unsigned long long)json_integer_value(limit)
					    : LIMIT_STANDARD);
	if (rc == 0 && t->follow)
		follow(t);
	if (rc == 0)
		close(t->fd);
	free(t);
	return rc;
}
