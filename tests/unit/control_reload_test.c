// SPDX-License-Identifier: BSD-3-Clause
// control/reload: what may change is taken, what needs a restart or is wrong is refused and nothing
// changes.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/reload.h"

static const char base[] = "system: { capacity: { calls: 1000 } }\n"
			   "ports:\n  p: { device: net_ring0, addresses: [10.0.0.1/8] }\n"
			   "trunks:\n  t: { port: p, peers: [10.1.0.1], limits: { cps: 5 } }\n";

static const struct {
	const char *shows, *from, *to;
	int rc;
	const char *says;
} rows[] = {
	{"nothing changes", "", "", 0, NULL},
	{"a limit", "cps: 5", "cps: 50", 0,
	 "event=changed key=trunks.t.limits.cps from=\"5\" to=\"50\""},
	{"capacity needs a restart", "calls: 1000", "calls: 2000", -EBUSY,
	 "event=needs_restart key=system.capacity.calls"},
	{"a wrong value", "cps: 5", "cps: five", -EINVAL, "line=5"},
	{"no YAML", "ports:", "ports: [", -EINVAL, "reload_refused"},
};

static void write_file(const char *path, const char *from, const char *to)
{
	const char *at = strstr(base, from);
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fprintf(out, "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
	fclose(out);
}

static void reloads(void **state)
{
	char path[] = "/tmp/verge-reload-XXXXXX", said[4096];
	int fd = mkstemp(path), fds[2], saved = dup(STDERR_FILENO);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config_errors errors = {0};
		struct config *current, *next = NULL;
		struct log *log = log_new(NULL);
		ssize_t n;
		int rc;

		write_file(path, "", "");
		assert_int_equal(config_load(&current, path, NULL, NULL, &errors), 0);
		config_errors_free(&errors);
		errors = (struct config_errors){0};
		write_file(path, rows[i].from, rows[i].to);
		assert_int_equal(pipe(fds), 0);
		dup2(fds[1], STDERR_FILENO);
		rc = reload_load(&next, path, current, NULL, &errors, log);
		dup2(saved, STDERR_FILENO);
		close(fds[1]);
		n = read(fds[0], said, sizeof(said) - 1);
		said[n > 0 ? n : 0] = '\0';
		close(fds[0]);
		if (rc != rows[i].rc || (next != NULL) != (rc == 0))
			fail_msg("%s: %d\n%s", rows[i].shows, rc, said);
		if (rows[i].says != NULL && strstr(said, rows[i].says) == NULL)
			fail_msg("%s: said %s", rows[i].shows, said);
		config_errors_free(&errors);
		config_free(next);
		config_free(current);
		log_free(log);
	}
	close(saved);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
