// SPDX-License-Identifier: BSD-3-Clause
// The CDR writer. Lines wait in a ring; the file only ever ends in whole lines: what a failed write
// left behind is completed at the next try, and a line that a dead process left open is closed
// first.
#include "control/cdr_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "control/cdr_csv.h"
#include "control/cdr_sync.h"
#include "control/log.h"

#define RETRY  TICK_S(1)
#define CHUNK  (256u << 10) // bytes of one write
#define GATHER (1u << 20)   // bytes that do not wait for flush

struct cdr_file {
	void (*log)(void *ctx, enum control_level level, const char *area, const char *line);
	void *ctx;
	char path[256];
	uint32_t rotate_s;
	uint64_t rotate_bytes;
	enum config_cdr_sync sync;
	enum config_cdr_format format;
	tick_t flush;	 // the longest that a line waits
	tick_t flush_tk; // when what waits is written; 0: nothing waits
	int fd;
	uint64_t size;	     // bytes of the open file
	uint64_t period_us;  // start of the period that the open file belongs to
	uint8_t *ring;	     // [CDR_FILE_BACKLOG]
	uint32_t head, used; // first byte that waits, how many wait
	uint32_t line_done;  // bytes of the line at head that the open file has already
	tick_t retry_tk;     // after an error: not before
	bool failing;	     // told once
	uint64_t sync_told;  // of cdr_sync_errors()
	bool sync_wanted;    // lines were written while the thread was busy
	_Atomic int syncing; // a thread forces the file to the disk
	struct cdr_file_stats stats;
};

static void say(struct cdr_file *f, enum control_level level, const char *what, int error)
{
	struct log_value value;
	char line[1024];

	snprintf(line, sizeof(line), "%s file=%s error=\"%s\" waiting_bytes=%u lost=%llu", what,
		 log_quote(&value, f->path),
		 error == ENOTSUP ? "it is no regular file"
		 : error != 0	  ? strerrordesc_np(error)
				  : "",
		 f->used, (unsigned long long)f->stats.lost);
	f->log(f->ctx, level, "cdr", line);
}

static void failed(struct cdr_file *f, const char *what, int error)
{
	f->stats.errors++;
	if (!f->failing)
		say(f, CONTROL_ERROR, what, error);
	f->failing = true;
}

// What was written may be gone after a power cut.
static void tell_sync_errors(struct cdr_file *f)
{
	int error;
	uint64_t n = cdr_sync_errors(&error);

	if (n == f->sync_told)
		return;
	f->stats.errors += n - f->sync_told;
	f->sync_told = n;
	say(f, CONTROL_ERROR, "sync_failed", error);
}

struct cdr_file *cdr_file_new(void (*log)(void *ctx, enum control_level level, const char *area,
					  const char *line),
			      void *ctx)
{
	struct cdr_file *f = calloc(1, sizeof(*f));
	int error;

	if (f == NULL)
		return NULL;
	f->ring = malloc(CDR_FILE_BACKLOG);
	if (f->ring == NULL) {
		free(f);
		return NULL;
	}
	f->log = log;
	f->ctx = ctx;
	f->fd = -1;
	f->sync_told = cdr_sync_errors(&error); // of files before
	return f;
}

static uint64_t period_of(const struct cdr_file *f, uint64_t unix_us)
{
	uint64_t rotate_us = (uint64_t)f->rotate_s * 1000000;

	return f->rotate_s != 0 ? unix_us - unix_us % rotate_us : 0;
}

static void put_byte_if_open_line(struct cdr_file *f)
{
	char last = '\n';

	if (f->size == 0 || pread(f->fd, &last, 1, (off_t)f->size - 1) != 1 || last == '\n')
		return;
	if (write(f->fd, "\n", 1) == 1)
		f->size++;
}

static int rename_finished(struct cdr_file *f);

// A new CSV file begins with the names of its columns. What is left of a failed try is taken away.
static int put_header(struct cdr_file *f)
{
	char header[2048];
	struct outbuf o = outbuf_of(header, sizeof(header));
	ssize_t n;

	if (f->format != CONFIG_CDR_FORMAT_CSV || f->size != 0)
		return 0;
	cdr_csv_put_header(&o);
	outbuf_put_char(&o, '\n');
	n = write(f->fd, o.p, o.len);
	if (n == (ssize_t)o.len) {
		f->size = o.len;
		return 0;
	}
	n = n < 0 ? -errno : -ENOSPC;
	(void)!ftruncate(f->fd, 0);
	return (int)n;
}

// The file that is there was written in another format: it is finished.
static bool is_other_format(const struct cdr_file *f)
{
	char first;

	return f->size != 0 && pread(f->fd, &first, 1, 0) == 1 &&
	       (first == '{') != (f->format == CONFIG_CDR_FORMAT_JSON);
}

// /dev/null, /dev/full: they never wait.
static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1 &&
	       (minor(st->st_rdev) == 3 || minor(st->st_rdev) == 7);
}

static int open_once(struct cdr_file *f, uint64_t unix_us)
{
	struct stat st;

	f->fd = open(f->path, O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		     0640);
	if (f->fd < 0)
		return -errno;
	// What is no file (a pipe, a terminal) would block, or nobody reads it; /dev/null is one
	// too many to forbid.
	if (fstat(f->fd, &st) != 0 || !(S_ISREG(st.st_mode) || is_null(&st))) {
		close(f->fd);
		f->fd = -1;
		return -ENOTSUP;
	}
	f->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	f->line_done = 0;
	// a file that an earlier process began belongs to the period of its last line
	f->period_us = period_of(f, f->size != 0 ? (uint64_t)st.st_mtim.tv_sec * 1000000 : unix_us);
	put_byte_if_open_line(f);
	return 0;
}

static int open_file(struct cdr_file *f, uint64_t unix_us)
{
	int rc = open_once(f, unix_us);

	if (rc == 0 && is_other_format(f)) {
		rc = rename_finished(f);
		close(f->fd);
		f->fd = -1;
		if (rc == 0)
			rc = open_once(f, unix_us);
	}
	if (rc == 0)
		rc = put_header(f);
	if (rc != 0 && f->fd >= 0) {
		close(f->fd);
		f->fd = -1;
	}
	return rc;
}

static void close_file(struct cdr_file *f, bool in_background)
{
	bool sync = f->sync != CONFIG_CDR_SYNC_NONE;

	if (f->fd < 0)
		return;
	if (!sync || !in_background || !cdr_sync_close(f->fd)) {
		if (sync)
			cdr_sync_now(f->fd);
		close(f->fd);
	}
	f->fd = -1;
}

// "cdr.jsonl" -> "cdr.jsonl.20261121T060000Z", with .1, .2 ... behind if that exists.
static int rename_finished(struct cdr_file *f)
{
	uint64_t at_us = f->period_us;
	char name[320];
	struct tm tm;
	struct timespec now;
	time_t seconds;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	seconds = f->rotate_s != 0 ? (time_t)(at_us / 1000000) : now.tv_sec;
	if (gmtime_r(&seconds, &tm) == NULL)
		return -EINVAL;
	n = (size_t)snprintf(name, sizeof(name), "%s.", f->path);
	n += strftime(name + n, sizeof(name) - n, "%Y%m%dT%H%M%SZ", &tm);
	for (unsigned i = 0; i < 1000; i++) {
		if (i != 0)
			snprintf(name + n, sizeof(name) - n, ".%u", i);
		if (renameat2(AT_FDCWD, f->path, AT_FDCWD, name, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

// Only between lines.
static void rotate(struct cdr_file *f, uint64_t unix_us)
{
	bool by_time = f->rotate_s != 0 && period_of(f, unix_us) > f->period_us;
	bool by_size = f->rotate_bytes != 0 && f->size >= f->rotate_bytes;
	int rc;

	if (f->fd < 0 || f->line_done != 0 || !(by_time || by_size))
		return;
	if (f->size == 0) {
		f->period_us = period_of(f, unix_us);
		return;
	}
	rc = rename_finished(f);
	if (rc != 0 && rc != -ENOENT) { // somebody else moved it away: fine
		failed(f, "rotate_failed", -rc);
		f->period_us = period_of(f, unix_us);
		f->size = 0; // so the next try is a whole period or size away
		return;
	}
	f->stats.rotations++;
	close_file(f, true);
}

static const uint8_t *ring_at(const struct cdr_file *f, uint32_t offset, uint32_t *run)
{
	uint32_t at = (f->head + offset) % CDR_FILE_BACKLOG;

	*run = CDR_FILE_BACKLOG - at < f->used - offset ? CDR_FILE_BACKLOG - at : f->used - offset;
	return f->ring + at;
}

// n bytes after line_done, which lie at p, are in the file: drop the lines that are whole.
static void consume(struct cdr_file *f, const uint8_t *p, uint32_t n)
{
	uint32_t done = f->line_done + n, whole = 0;

	for (const uint8_t *at = p, *nl; (nl = memchr(at, '\n', (size_t)(p + n - at))) != NULL;) {
		at = nl + 1;
		whole = f->line_done + (uint32_t)(at - p);
		f->stats.lines++;
	}
	f->head = (f->head + whole) % CDR_FILE_BACKLOG;
	f->used -= whole;
	f->line_done = done - whole;
	f->size += n;
	f->stats.bytes += n;
}

// One write. 0, or -errno.
static int write_some(struct cdr_file *f)
{
	uint32_t run;
	const uint8_t *p = ring_at(f, f->line_done, &run), *end;
	ssize_t done;

	if (run > CHUNK)
		run = CHUNK;
	end = memrchr(p, '\n', run); // whole lines, so that rotation finds a place between two
	if (end != NULL)
		run = (uint32_t)(end - p) + 1;
	do
		done = write(f->fd, p, run);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	if (done == 0)
		return -ENOSPC;
	consume(f, p, (uint32_t)done);
	return 0;
}

// Lines are gathered for flush, or until there are many.
static bool is_flush_due(struct cdr_file *f, tick_t now)
{
	if (f->flush_tk == 0)
		f->flush_tk = now + f->flush;
	return now >= f->flush_tk || f->used >= GATHER || f->line_done != 0;
}

void cdr_file_poll(struct cdr_file *f, tick_t now, uint64_t unix_us)
{
	uint64_t before = f->stats.bytes;
	int rc = 0;

	tell_sync_errors(f);
	if (f->sync_wanted && f->fd >= 0 && cdr_sync_start(f->fd, &f->syncing))
		f->sync_wanted = false;
	rotate(f, unix_us);
	if (f->path[0] == '\0' || f->used == 0 || now < f->retry_tk || !is_flush_due(f, now))
		return;
	f->flush_tk = 0;
	while (f->used != 0 && rc == 0) {
		if (f->fd < 0)
			rc = open_file(f, unix_us);
		if (rc == 0)
			rotate(f, unix_us);
		if (rc == 0 && f->fd >= 0)
			rc = write_some(f);
	}
	if (f->sync == CONFIG_CDR_SYNC_ALWAYS && f->stats.bytes != before && f->fd >= 0)
		f->sync_wanted = !cdr_sync_start(f->fd, &f->syncing);
	if (rc != 0) {
		failed(f, "write_failed", -rc);
		f->retry_tk = now + RETRY;
		return;
	}
	if (f->failing)
		say(f, CONTROL_INFO, "writing_again", 0);
	f->failing = false;
}

tick_t cdr_file_next(const struct cdr_file *f, tick_t now, uint64_t unix_us)
{
	uint64_t rotate_us = (uint64_t)f->rotate_s * 1000000;
	uint64_t due_us = f->period_us + rotate_us;

	if (f->path[0] != '\0' && f->used != 0) {
		tick_t next = f->retry_tk > f->flush_tk ? f->retry_tk : f->flush_tk;

		return next > now ? next : now;
	}
	if (f->fd < 0 || f->rotate_s == 0 || f->size == 0)
		return TICK_NEVER;
	return due_us > unix_us ? now + (due_us - unix_us) : now;
}

void cdr_file_put(struct cdr_file *f, const char *line, size_t len)
{
	uint32_t at, run;

	if (f->path[0] == '\0')
		return;
	if (len + 1 > CDR_FILE_BACKLOG - f->used) {
		f->stats.lost++;
		return;
	}
	at = (f->head + f->used) % CDR_FILE_BACKLOG;
	run = CDR_FILE_BACKLOG - at;
	if (len < run) {
		memcpy(f->ring + at, line, len);
	} else {
		memcpy(f->ring + at, line, run);
		memcpy(f->ring, line + run, len - run);
	}
	f->ring[(at + len) % CDR_FILE_BACKLOG] = '\n';
	f->used += (uint32_t)len + 1;
}

void cdr_file_configure(struct cdr_file *f, const struct config_cdr *config, uint64_t unix_us)
{
	int rc;

	close_file(f, true);
	snprintf(f->path, sizeof(f->path), "%s", config->file);
	f->rotate_s = config->rotate_s;
	f->rotate_bytes = (uint64_t)config->rotate_mib << 20;
	f->sync = config->sync;
	f->format = config->format;
	f->flush = TICK_MS(config->flush_ms);
	f->flush_tk = 0;
	f->line_done = 0;
	f->retry_tk = 0;
	if (f->path[0] == '\0') {
		f->used = 0;
		return;
	}
	rc = open_file(f, unix_us);
	if (rc != 0)
		failed(f, "open_failed", -rc);
}

void cdr_file_stats(const struct cdr_file *f, struct cdr_file_stats *stats)
{
	*stats = f->stats;
	stats->backlog_bytes = f->used;
}

void cdr_file_free(struct cdr_file *f, uint64_t unix_us)
{
	if (f == NULL)
		return;
	f->retry_tk = 0;
	f->flush = 0;
	f->flush_tk = 0;
	cdr_file_poll(f, 0, unix_us);
	// the thread writes to this struct when it is done; it is waited for, but not for ever
	for (unsigned i = 0; i < 1000 && f->syncing != 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	close_file(f, false);
	tell_sync_errors(f);
	if (f->syncing != 0)
		return; // the disk hangs: better a leak at the end than a write to freed memory
	free(f->ring);
	free(f);
}
