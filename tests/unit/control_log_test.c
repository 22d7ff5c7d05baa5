// SPDX-License-Identifier: BSD-3-Clause
// control/log: levels by area, the limit on each kind of event, the form of a line.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/log.h"

static const struct {
	const char *shows, *area;
	enum control_level level;
	bool admitted;
} rows[] = {
	{"own level of the area", "refresh", CONTROL_DEBUG, true},
	{"level of the others", "trunk", CONTROL_DEBUG, false},
	{"less than the level", "trunk", CONTROL_INFO, true},
	{"an area made quiet", "peer", CONTROL_WARNING, false},
	{"but for errors", "peer", CONTROL_ERROR, true},
};

static void levels(void **state)
{
	static const char *const areas[] = {"refresh=debug", "peer=error"};
	static const char *const bad[] = {"refresh", "refresh=loud", "=debug", "nonsense=info",
					  "refresh=debug=info"};
	struct config_log config = {.level = CONFIG_LOG_LEVEL_INFO, .areas = {areas, 2}};
	struct log *log = log_new(&config);
	struct log_line line = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		line.level = rows[i].level;
		if (log_admit(log, &line, rows[i].area, "event", 1) != rows[i].admitted)
			fail_msg("%s", rows[i].shows);
		assert_int_equal(log_wants(log, rows[i].level, rows[i].area), rows[i].admitted);
	}
	assert_int_equal(log_set_level(log, "loud"), -EINVAL);
	assert_int_equal(log_set_level(log, "debug"), 0);
	line.level = CONTROL_DEBUG;
	assert_true(log_admit(log, &line, "peer", "event", 1));
	assert_int_equal(log_set_level(log, "peer=error"), 0); // at run time, one area
	assert_false(log_admit(log, &line, "peer", "event", 1));
	assert_true(log_admit(log, &line, "trunk", "event", 1));
	assert_int_equal(log_set_level(log, "peer=debug"), 0); // again: the same entry
	assert_true(log_admit(log, &line, "peer", "event", 1));
	assert_int_equal(log_set_level(log, "peer=loud"), -EINVAL);
	assert_int_equal(log_set_level(log, "pear=debug"), -EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		config.areas = (struct config_strings){&bad[i], 1};
		assert_int_equal(log_configure(log, &config), -EINVAL);
	}
	log_free(log);
}

// A flood of one kind leaves 50 lines and then 10 a second, does not touch other kinds, and says
// what it cost.
static void floods(void **state)
{
	struct log *log = log_new(NULL);
	struct log_line line = {.level = CONTROL_INFO};
	unsigned admitted = 0, left_out = 0;
	uint64_t now = 1000000000;

	(void)state;
	for (unsigned i = 0; i < 100000; i++, now += 100) { // 10 s
		if (log_admit(log, &line, "refresh", "retry code=1", now)) {
			admitted++;
			left_out += line.left_out;
		}
	}
	assert_in_range(admitted, 148, 152);
	assert_true(log_admit(log, &line, "refresh", "failed code=1", now));
	now += 1000000;
	assert_true(log_admit(log, &line, "refresh", "retry code=2", now));
	assert_int_equal(admitted + left_out + line.left_out, 100000);
	log_free(log);
}

static void form(void **state)
{
	struct log *log = log_new(NULL);
	int fds[2], saved = dup(STDERR_FILENO);
	char text[256];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	log_event(log, CONTROL_WARNING, "peer", "peer_down trunk=%s code=%u", "\"8068\"", 503U);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(fds[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(strlen(text), (size_t)n);
	// 2026-11-21T05:49:45.123Z
	assert_int_equal(text[10], 'T');
	assert_string_equal(text + 24,
			    " level=warning area=peer event=peer_down trunk=\"8068\" code=503\n");
	close(fds[0]);
	close(fds[1]);
	log_free(log);
}

// A value ends where its quote does, whatever is in it.
static void quoted(void **state)
{
	static const struct {
		const char *shows, *in, *out;
	} values[] = {
		{"plain", "eth0", "\"eth0\""},
		{"empty", "", "\"\""},
		{"a quote ends nothing", "a\" level=error x=\"", "\"a\\\" level=error x=\\\"\""},
		{"nor does a backslash", "a\\", "\"a\\\\\""},
		{"no second line", "a\r\n2026 level=error", "\"a\\u000d\\u000a2026 level=error\""},
		{"nothing for a terminal", "\x1b[31m\x7f", "\"\\u001b[31m\\u007f\""},
		{"nor the short controls of Latin-1",
		 "\xc2\x9b"
		 "31m",
		 "\"\\u009b31m\""},
		{"UTF-8 stays", "Caf\xc3\xa9", "\"Caf\xc3\xa9\""},
		{"what is none is Latin-1", "\xff", "\"\\u00ff\""},
	};
	struct log_value room;
	char longest[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		if (strcmp(log_quote(&room, values[i].in), values[i].out) != 0)
			fail_msg("%s: %s", values[i].shows, room.text);
	for (unsigned c = 1; c < 256; c++) { // cut, and closed
		size_t n;

		memset(longest, (int)c, sizeof(longest) - 1);
		longest[sizeof(longest) - 1] = '\0';
		n = strlen(log_quote(&room, longest));
		assert_in_range(n, 90, sizeof(room.text) - 1);
		assert_true(room.text[0] == '"' && room.text[n - 1] == '"');
	}
}

static char path[64];

// A datagram socket as /dev/log and the journal's are.
static int listen_socket(void)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
	} at = {.un = {.sun_family = AF_UNIX}};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	snprintf(path, sizeof(path), "/tmp/verge-log-%d", (int)getpid());
	unlink(path);
	snprintf(at.un.sun_path, sizeof(at.un.sun_path), "%s", path);
	assert_int_equal(bind(fd, &at.any, sizeof(at.un)), 0);
	return fd;
}

static const char *take(int fd)
{
	static char text[4096];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

static struct log *log_to(enum config_log_to to)
{
	struct config_log config = {.level = CONFIG_LOG_LEVEL_INFO, .to = to, .socket = path};

	return log_new(&config);
}

static void syslog_lines(void **state)
{
	int fd = listen_socket();
	struct log *log = log_to(CONFIG_LOG_TO_SYSLOG);
	char month[4], name[32];
	int priority, day, h, m, s, pid, used = 0;
	const char *line;

	(void)state;
	log_event(log, CONTROL_WARNING, "peer", "peer_down trunk=\"8068\" odd=\"a\nb\x7f\"");
	line = take(fd);
	assert_non_null(line);
	// RFC 3164: facility daemon (3), severity warning (4)
	assert_int_equal(sscanf(line, "<%d>%3s %d %d:%d:%d %31[a-z][%d]: %n", &priority, month,
				&day, &h, &m, &s, name, &pid, &used),
			 8);
	assert_int_equal(priority, 3 * 8 + 4);
	assert_string_equal(name, "verge");
	assert_int_equal(pid, getpid());
	assert_string_equal(line + used, "area=peer event=peer_down trunk=\"8068\" odd=\"a?b?\"");
	log_event(log, CONTROL_DEBUG, "peer", "quiet");
	assert_null(take(fd));
	log_free(log);
	close(fd);
	unlink(path);
}

static void journal_lines(void **state)
{
	int fd = listen_socket();
	struct log *log = log_to(CONFIG_LOG_TO_JOURNAL);

	(void)state;
	log_event(log, CONTROL_ERROR, "cdr", "write_failed file=\"x\"");
	assert_string_equal(take(fd), "SYSLOG_IDENTIFIER=verge\nPRIORITY=3\nVERGE_AREA=cdr\n"
				      "MESSAGE=area=cdr event=write_failed file=\"x\"\n");
	log_free(log);
	close(fd);
	unlink(path);
}

// A reader that is behind stops nobody; one that was restarted is found again.
static void reader_that_sleeps(void **state)
{
	int fd = listen_socket();
	struct log *log = log_to(CONFIG_LOG_TO_SYSLOG);
	struct log_stats stats;
	unsigned taken = 0;
	char event[16];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) { // kinds of their own: no limit of rate
		snprintf(event, sizeof(event), "e%u", i);
		log_put(log, CONTROL_INFO, "flood", event);
	}
	log_stats(log, &stats);
	assert_true(stats.lost > 0);
	while (take(fd) != NULL)
		taken++;
	assert_int_equal(stats.written, taken);
	assert_int_equal(stats.written + stats.lost + stats.limited, 5000);
	close(fd);
	fd = listen_socket();
	log_put(log, CONTROL_INFO, "trunk", "after_the_restart");
	assert_non_null(take(fd));
	close(fd);
	unlink(path);
	log_free(log);
}

// No syslog at all: lines go to stderr, and a pipe that nobody reads is not waited for.
static void stderr_instead(void **state)
{
	struct log *log;
	int fds[2], saved = dup(STDERR_FILENO);
	struct log_stats stats;
	char text[200], event[16];
	ssize_t n;

	(void)state;
	snprintf(path, sizeof(path), "/nowhere/log");
	log = log_to(CONFIG_LOG_TO_SYSLOG);
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	log_put(log, CONTROL_INFO, "start", "ready");
	n = read(fds[0], text, sizeof(text) - 1);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(event, sizeof(event), "f%u", i);
		log_put(log, CONTROL_INFO, "flood", event);
	}
	dup2(saved, STDERR_FILENO);
	log_stats(log, &stats);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, " level=info area=start event=ready\n"));
	assert_true(stats.lost > 0);
	close(saved);
	close(fds[0]);
	close(fds[1]);
	log_free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels),
		cmocka_unit_test(floods),
		cmocka_unit_test(form),
		cmocka_unit_test(quoted),
		cmocka_unit_test(syslog_lines),
		cmocka_unit_test(journal_lines),
		cmocka_unit_test(reader_that_sleeps),
		cmocka_unit_test(stderr_instead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
