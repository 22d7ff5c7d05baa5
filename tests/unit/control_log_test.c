// SPDX-License-Identifier: BSD-3-Clause
// control/log: levels by area, the limit on each kind of event, the form of a line.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
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
	static const char *const bad[] = {"refresh", "refresh=loud", "=debug",
					  "averyveryverylongarea=info"};
	struct config_log config = {.level = CONFIG_LOG_LEVEL_INFO, .areas = {areas, 2}};
	struct log *log = log_new(&config);
	struct log_line line = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		line.level = rows[i].level;
		if (log_admit(log, &line, rows[i].area, "event", 1) != rows[i].admitted)
			fail_msg("%s", rows[i].shows);
	}
	assert_int_equal(log_set_level(log, "loud"), -EINVAL);
	assert_int_equal(log_set_level(log, "debug"), 0);
	line.level = CONTROL_DEBUG;
	assert_true(log_admit(log, &line, "peer", "event", 1));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels),
		cmocka_unit_test(floods),
		cmocka_unit_test(form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
