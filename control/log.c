// SPDX-License-Identifier: BSD-3-Clause
// Log lines. A line costs a system call, so kinds of events are limited: a burst of 50, then 10 a
// second.
#include "control/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/outbuf.h"
#include "control/cdr.h"
#include "control/jsonout.h"

#define BURST	   50
#define PER_SECOND 10
#define KINDS	   256 // hash slots of (area, event): two kinds in one slot share its rate
#define ONE(...)   +1
#define AREAS	   (0 CONFIG_CHOICES_log_area(ONE))
#define LINE	   2048
#define JOURNAL	   "/run/systemd/journal/socket"
#define SYSLOG	   "/dev/log"
#define RETRY_US   1000000  // before a socket that did not answer is tried again
#define TOKEN	   1000000u // one line, in millionths
#define LONG_VALUE 600	    // bytes of a value at most

struct kind {
	uint64_t at_us;
	uint64_t tokens; // of TOKEN each
	uint32_t left_out;
	bool used;
};

#define AREA_WORD(set, id, word, help) word,
static const char *const area_words[] = {CONFIG_CHOICES_log_area(AREA_WORD)};

struct area_level {
	enum config_log_area area;
	enum control_level level;
};

struct log {
	enum control_level level;
	enum config_log_to to;
	int sock;	   // of syslog or the journal, -1: none
	uint64_t retry_us; // with no socket: when it is tried again
	char path[108];
	struct log_stats stats;
	uint32_t n_areas;
	struct area_level areas[AREAS];
	struct kind kinds[KINDS];
};

static const char *const level_words[] = {
	[CONTROL_ERROR] = "error",
	[CONTROL_WARNING] = "warning",
	[CONTROL_INFO] = "info",
	[CONTROL_DEBUG] = "debug",
};

// The level's number, or -EINVAL.
static int level_of(const char *word)
{
	for (int i = CONTROL_ERROR; i <= CONTROL_DEBUG; i++)
		if (strcmp(word, level_words[i]) == 0)
			return i;
	return -EINVAL;
}

static int set_area(struct log *log, const char *entry)
{
	struct area_level *a = log->areas;
	enum config_log_level level;
	enum config_log_area area;

	if (config_log_area(slice_of_str(entry), &area, &level) != 0)
		return -EINVAL;
	while (a < log->areas + log->n_areas && a->area != area)
		a++;
	log->n_areas += a == log->areas + log->n_areas;
	*a = (struct area_level){.area = area, .level = (enum control_level)level};
	return 0;
}

static void open_socket(struct log *log)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
	} to = {.un = {.sun_family = AF_UNIX}};

	snprintf(to.un.sun_path, sizeof(to.un.sun_path), "%s", log->path);
	log->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (log->sock < 0)
		return;
	if (connect(log->sock, &to.any, sizeof(to.un)) != 0) {
		close(log->sock);
		log->sock = -1;
	}
}

static void close_socket(struct log *log)
{
	if (log->sock >= 0)
		close(log->sock);
	log->sock = -1;
}

int log_configure(struct log *log, const struct config_log *config)
{
	int rc = 0;

	close_socket(log);
	log->level = (enum control_level)config->level;
	log->to = config->to;
	log->n_areas = 0;
	for (uint32_t i = 0; i < config->areas.n; i++)
		if (set_area(log, config->areas.list[i]) != 0)
			rc = -EINVAL;
	log->retry_us = 0;
	snprintf(log->path, sizeof(log->path), "%s",
		 config->socket != NULL && config->socket[0] != 0 ? config->socket
		 : log->to == CONFIG_LOG_TO_JOURNAL		  ? JOURNAL
								  : SYSLOG);
	if (log->to != CONFIG_LOG_TO_STDERR)
		open_socket(log);
	return rc;
}

struct log *log_new(const struct config_log *config)
{
	static_assert((int)CONFIG_LOG_LEVEL_ERROR == (int)CONTROL_ERROR &&
			      (int)CONFIG_LOG_LEVEL_DEBUG == (int)CONTROL_DEBUG,
		      "levels are the same list");
	struct log *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return NULL;
	log->level = CONTROL_INFO;
	log->to = CONFIG_LOG_TO_STDERR;
	log->sock = -1;
	if (config != NULL)
		(void)log_configure(log, config);
	return log;
}

void log_free(struct log *log)
{
	if (log == NULL)
		return;
	close_socket(log);
	free(log);
}

int log_set_level(struct log *log, const char *word)
{
	int level = level_of(word);

	if (level < 0 && strchr(word, '=') != NULL)
		return set_area(log, word);
	if (level < 0)
		return -EINVAL;
	log->level = (enum control_level)level;
	log->n_areas = 0;
	return 0;
}

static enum control_level level_for(const struct log *log, const char *area)
{
	for (uint32_t i = 0; i < log->n_areas; i++)
		if (strcmp(area_words[log->areas[i].area], area) == 0)
			return log->areas[i].level;
	return log->level;
}

bool log_wants(const struct log *log, enum control_level level, const char *area)
{
	return level <= level_for(log, area);
}

static struct kind *kind_of(struct log *log, const char *area, const char *event)
{
	uint32_t hash = 2166136261; // FNV-1a

	for (; *area != '\0'; area++)
		hash = (hash ^ (uint8_t)*area) * 16777619;
	for (; *event != '\0' && *event != ' '; event++)
		hash = (hash ^ (uint8_t)*event) * 16777619;
	return &log->kinds[hash % KINDS];
}

bool log_admit(struct log *log, struct log_line *line, const char *area, const char *event,
	       uint64_t now_us)
{
	struct kind *kind = kind_of(log, area, event);
	uint64_t passed = now_us > kind->at_us ? now_us - kind->at_us : 0;

	if (!log_wants(log, line->level, area))
		return false;
	if (!kind->used || passed > (uint64_t)BURST * 1000000 / PER_SECOND)
		kind->tokens = (uint64_t)BURST * TOKEN;
	else
		kind->tokens += passed * PER_SECOND;
	if (kind->tokens > (uint64_t)BURST * TOKEN)
		kind->tokens = (uint64_t)BURST * TOKEN;
	kind->used = true;
	kind->at_us = now_us;
	if (kind->tokens < TOKEN) {
		kind->left_out++;
		log->stats.limited++;
		return false;
	}
	kind->tokens -= TOKEN;
	line->left_out = kind->left_out;
	kind->left_out = 0;
	return true;
}

static int priority_of(enum control_level level)
{
	static const int priorities[] = {
		[CONTROL_ERROR] = LOG_ERR,
		[CONTROL_WARNING] = LOG_WARNING,
		[CONTROL_INFO] = LOG_INFO,
		[CONTROL_DEBUG] = LOG_DEBUG,
	};

	return priorities[level];
}

// "event=NAME area=AREA key=value ..."
static void put_body(struct outbuf *o, const struct log_line *line, const char *area,
		     const char *text)
{
	outbuf_put_lit(o, "area=");
	outbuf_put_str(o, area);
	outbuf_put_lit(o, " event=");
	for (; *text != '\0'; text++)
		outbuf_put_char(o, (char)((uint8_t)*text < 0x20 || *text == 0x7f ? '?' : *text));
	if (line->left_out != 0) {
		outbuf_put_lit(o, " left_out=");
		outbuf_put_u64(o, line->left_out);
	}
}

// A pipe that nobody reads would stop control: if it has no room for a line, the line is lost.
static bool write_all(int fd, const uint8_t *p, size_t n)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};

	if (poll(&room, 1, 0) <= 0 || (room.revents & POLLOUT) == 0)
		return false;
	while (n != 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static bool to_stderr(const struct log_line *line, const char *area, const char *text,
		      uint64_t unix_us)
{
	char room[LINE], time[CDR_TIME_BYTES];
	struct outbuf o = outbuf_of(room, sizeof(room) - 1);

	cdr_time(time, unix_us);
	outbuf_put_str(&o, time);
	outbuf_put_lit(&o, " level=");
	outbuf_put_str(&o, level_words[line->level]);
	outbuf_put_char(&o, ' ');
	put_body(&o, line, area, text);
	room[o.len++] = '\n';
	return write_all(STDERR_FILENO, o.p, o.len);
}

// Fields of systemd's native protocol (systemd.journal-fields(7)); a value has no line end.
static void put_journal(struct outbuf *o, const struct log_line *line, const char *area,
			const char *text)
{
	outbuf_put_lit(o, "SYSLOG_IDENTIFIER=verge\nPRIORITY=");
	outbuf_put_u64(o, (unsigned)priority_of(line->level));
	outbuf_put_lit(o, "\nVERGE_AREA=");
	outbuf_put_str(o, area);
	outbuf_put_lit(o, "\nMESSAGE=");
	put_body(o, line, area, text);
	outbuf_put_char(o, '\n');
}

// "<28>Nov 21 06:20:00 verge[123]: ...": what syslog(3) sends to its socket (RFC 3164 s4.1), but
// without waiting for a reader that is behind.
static void put_syslog(struct outbuf *o, const struct log_line *line, const char *area,
		       const char *text, uint64_t unix_us)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(unix_us / 1000000);
	char head[64];
	struct tm tm;

	if (localtime_r(&seconds, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	snprintf(head, sizeof(head),
		 "<%d>%.3s %2d %02d:%02d:%02d verge[%d]: ", LOG_DAEMON | priority_of(line->level),
		 months + (size_t)3 * (unsigned)tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min,
		 tm.tm_sec, (int)getpid());
	outbuf_put_str(o, head);
	put_body(o, line, area, text);
}

// 1 sent, 0 lost because the reader is behind, -1 nobody is there.
static int to_socket(struct log *log, const struct outbuf *o, uint64_t unix_us)
{
	if (log->sock < 0 && unix_us >= log->retry_us) {
		log->retry_us = unix_us + RETRY_US;
		open_socket(log);
	}
	for (int tries = 0; tries < 2 && log->sock >= 0; tries++) {
		if (send(log->sock, o->p, o->len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 1;
		if (errno == EAGAIN || errno == ENOBUFS)
			return 0;
		close_socket(log); // it was restarted: its name is another socket now
		open_socket(log);
	}
	return -1;
}

void log_put(struct log *log, enum control_level level, const char *area, const char *text)
{
	struct log_line line = {.level = level};
	struct timespec ts;
	uint64_t unix_us;
	char room[LINE];
	struct outbuf o = outbuf_of(room, sizeof(room));
	int rc = -1;

	clock_gettime(CLOCK_REALTIME, &ts);
	unix_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	if (!log_admit(log, &line, area, text, unix_us))
		return;
	if (log->to == CONFIG_LOG_TO_JOURNAL)
		put_journal(&o, &line, area, text);
	else if (log->to == CONFIG_LOG_TO_SYSLOG)
		put_syslog(&o, &line, area, text, unix_us);
	if (log->to != CONFIG_LOG_TO_STDERR)
		rc = to_socket(log, &o, unix_us);
	if (rc < 0)
		rc = to_stderr(&line, area, text, unix_us);
	*(rc > 0 ? &log->stats.written : &log->stats.lost) += 1;
}

void log_stats(const struct log *log, struct log_stats *stats)
{
	*stats = log->stats;
}

const char *log_quote(struct log_value *room, const char *value)
{
	struct slice s = slice_of_str(value);
	struct outbuf o = outbuf_of(room->text, sizeof(room->text) - 1);

	jsonout_put_string(&o, s);
	while (o.full) { // six times as long at the worst
		s.len = s.len > LONG_VALUE ? LONG_VALUE : s.len - s.len / 8 - 1;
		o = outbuf_of(room->text, sizeof(room->text) - 1);
		jsonout_put_string(&o, s);
	}
	room->text[o.len] = '\0';
	return room->text;
}

void log_event(struct log *log, enum control_level level, const char *area, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	// NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() above
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_put(log, level, area, text);
}
