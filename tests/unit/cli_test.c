// SPDX-License-Identifier: BSD-3-Clause
// The socket of vergectl: each command over a real socket, and clients that misbehave. Time is the
// test's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "control/cli.h"
#include "control/trunk_facts.h"
#include "served.h"

static struct cli *cli;
static char path[64];

union address {
	struct sockaddr any;
	struct sockaddr_un un;
};

static int start(void **)
{
	served_start();
	snprintf(path, sizeof(path), "/tmp/verge-cli-%d.sock", (int)getpid());
	assert_int_equal(cli_new(&cli, path, &served.view), 0);
	return 0;
}

static int stop(void **)
{
	struct stat st;

	cli_free(cli);
	assert_int_equal(stat(path, &st), -1);
	served_stop();
	return 0;
}

static int connect_client(void)
{
	union address a = {.un = {.sun_family = AF_UNIX}};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(a.un.sun_path, sizeof(a.un.sun_path), "%s", path);
	assert_int_equal(connect(fd, &a.any, sizeof(a.un)), 0);
	return fd;
}

// Polls until the client got a line or was closed; its length, 0 when closed, -1 when nothing came.
static ssize_t take_line(int fd, char *line, size_t size)
{
	size_t len = 0;

	for (unsigned i = 0; i < 5000; i++) {
		ssize_t n;

		cli_poll(cli, served.now);
		n = recv(fd, line + len, size - 1 - len, 0);
		if (n == 0)
			return 0;
		len += n > 0 ? (size_t)n : 0;
		line[len] = 0;
		if (len != 0 && line[len - 1] == '\n')
			return (ssize_t)len;
		assert_true(len < size - 1);
	}
	return -1;
}

static char reply[4 << 20];

static json_t *ask(const char *request)
{
	int fd = connect_client();
	json_t *json;

	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	assert_int_equal(send(fd, "\n", 1, 0), 1);
	assert_true(take_line(fd, reply, sizeof(reply)) > 0);
	close(fd);
	json = json_loads(reply, 0, NULL);
	if (json == NULL)
		fail_msg("no JSON: %s", reply);
	return json;
}

struct exchange {
	const char *shows, *request;
	bool ok;
	const char *has; // in the reply
};

static void hold(const struct exchange *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *json = ask(rows[i].request);

		if (json_is_true(json_object_get(json, "ok")) != rows[i].ok ||
		    strstr(reply, rows[i].has) == NULL)
			fail_msg("%s: %s", rows[i].shows, reply);
		json_decref(json);
	}
}

static void commands_that_look(void **)
{
	static const struct exchange rows[] = {
		{"status", "{\"command\":\"status\"}", true, "\"uptime_s\":3600"},
		{"workers", "{\"command\":\"workers\"}", true, "\"cpu\":2"},
		{"stats", "{\"command\":\"stats\"}", true, "\"drops_tx_ring\":0"},
		{"timers", "{\"command\":\"timers\"}", true, "\"at_risk\":[{\"seconds_left\":"},
		{"calls", "{\"command\":\"calls\"}", true, "\"call_id\":\"a@client\""},
		{"calls: complete", "{\"command\":\"calls\"}", true, "\"complete\":true"},
		{"calls of a trunk", "{\"command\":\"calls\",\"trunk\":\"core1\"}", true,
		 "a@client"},
		{"calls of another", "{\"command\":\"calls\",\"trunk\":\"quiet\"}", true,
		 "\"calls\":[]"},
		{"long calls", "{\"command\":\"calls\",\"over\":499}", true, "a@client"},
		{"longer calls", "{\"command\":\"calls\",\"over\":500}", true, "\"calls\":[]"},
		{"no calls asked for", "{\"command\":\"calls\",\"limit\":0}", true,
		 "\"complete\":false"},
		{"calls of nobody", "{\"command\":\"calls\",\"trunk\":\"x\"}", false,
		 "no trunk is called"},
		{"limit is text", "{\"command\":\"calls\",\"limit\":\"5\"}", false,
		 "limit must be a whole number"},
		{"limit below 0", "{\"command\":\"calls\",\"limit\":-1}", false,
		 "limit must be a whole number"},
		{"call", "{\"command\":\"call\",\"call_id\":\"a@client\"}", true,
		 "\"expires_in_s\":1300"},
		{"call by its other leg", "{\"command\":\"call\",\"call_id\":\"b-leg\"}", true,
		 "10.92.0.2:5060"},
		{"what peers wrote is escaped", "{\"command\":\"call\",\"call_id\":\"b-leg\"}",
		 true, "<sip:a\\u00ff\\\"b@x>"},
		{"call of nobody", "{\"command\":\"call\",\"call_id\":\"z\"}", false,
		 "no call has the Call-ID"},
		{"call without id", "{\"command\":\"call\"}", false, "the request has no call_id"},
		{"why: refresher", "{\"command\":\"why\",\"call_id\":\"a@client\"}", true,
		 "The session interval is 1800 s and the peer refreshes."},
		{"why: the margin", "{\"command\":\"why\",\"call_id\":\"a@client\"}", true,
		 "both legs get BYE at 2023-11-26T12:21:08.000Z, in 21 min 8 s."},
		{"why: next", "{\"command\":\"why\",\"call_id\":\"a@client\"}", true,
		 "at 2023-11-26T12:05:50.000Z, in 5 min 50 s."},
		{"trunks", "{\"command\":\"trunks\"}", true, "\"timers\":\"observed\""},
		{"trunk", "{\"command\":\"trunk\",\"trunk\":\"8068\"}", true,
		 "\"fact\":\"update\""},
		{"report", "{\"command\":\"report\",\"trunk\":\"8068\"}", true,
		 "\"suggestions\":["},
	};

	hold(rows, sizeof(rows) / sizeof(rows[0]));
}

// In this order: each sees what those before have done.
static void commands_that_change(void **)
{
	static const struct exchange rows[] = {
		{"end", "{\"command\":\"end\",\"call_id\":\"b-leg\"}", true, "ending"},
		{"set",
		 "{\"command\":\"set\",\"trunk\":\"8068\",\"key\":\"session_timer.mode\",\"value\":"
		 "\"observe\"}",
		 true, "observe"},
		{"set: wrong value",
		 "{\"command\":\"set\",\"trunk\":\"8068\",\"key\":\"session_timer.mode\",\"value\":"
		 "\"soft\"}",
		 false, "it must be off, observe, supported or required"},
		{"set: wrong key",
		 "{\"command\":\"set\",\"trunk\":\"8068\",\"key\":\"limits.cals\",\"value\":\"1\"}",
		 false, "did you mean calls?"},
		{"set: quarantine",
		 "{\"command\":\"set\",\"trunk\":\"core1\",\"key\":\"timers\",\"value\":"
		 "\"observe\"}",
		 true, "observe"},
		{"set: no quarantine",
		 "{\"command\":\"set\",\"trunk\":\"core1\",\"key\":\"timers\",\"value\":\"x\"}",
		 false, "it must be observe, normal or auto"},
		{"trunk shows what is set", "{\"command\":\"trunk\",\"trunk\":\"8068\"}", true,
		 "\"set\":{\"session_timer.mode\":\"observe\"}"},
		{"reset", "{\"command\":\"reset\",\"trunk\":\"8068\"}", true, "reset"},
		{"trunk after reset", "{\"command\":\"trunk\",\"trunk\":\"8068\"}", true,
		 "\"set\":{}"},
		{"log", "{\"command\":\"log\",\"level\":\"debug\"}", true, "debug"},
		{"log: wrong", "{\"command\":\"log\",\"level\":\"loud\"}", false, "is no level"},
		{"reload", "{\"command\":\"reload\"}", true, "config_version"},
		{"trace", "{\"command\":\"trace_start\",\"file\":\"/tmp/x\"}", false,
		 "cannot trace"},
		{"no trace", "{\"command\":\"trace_stop\"}", false, "no trace runs"},
	};

	hold(rows, sizeof(rows) / sizeof(rows[0]));
	assert_int_equal(served.published, 2);
	assert_int_equal(served.reloads, 1);
	assert_int_equal(served.last_order.type, ORDER_END_CALL);
	assert_int_equal(served.last_order.call, 7);
	assert_int_equal(served.last_order.end.cause, CAUSE_ADMIN);
	assert_string_equal(served.level, "debug");
}

static void what_is_no_command(void **)
{
	static const struct exchange rows[] = {
		{"unknown", "{\"command\":\"fly\"}", false, "there is no command"},
		{"no command", "{}", false, "the request has no command"},
		{"command is a number", "{\"command\":7}", false, "the request has no command"},
		{"a list", "[1,2]", false, "is no JSON object"},
		{"junk", "GET / HTTP/1.1", false, "is no JSON object"},
		{"empty line", "", false, "is no JSON object"},
		{"twice the same member", "{\"command\":\"status\",\"command\":\"calls\"}", false,
		 "is no JSON object"},
	};

	hold(rows, sizeof(rows) / sizeof(rows[0]));
}

// "trunk T" shows what was learned: who reads uac and uas per dialog, who imposes timers.
static void trunk_shows_what_it_learned(void **)
{
	struct event flip = {.type = EVENT_PEER_REFRESHED, .side = SIDE_B, .trunk = 1, .gen = 1};
	struct event imposed = {.type = EVENT_ANSWERED, .gen = 1};
	json_t *json, *fact;

	flip.peer_refreshed.timer = (struct msg_timer){.role = ST_ROLE_LOCAL, .role_flipped = true};
	flip.peer_refreshed.code = 200;
	flip.peer_refreshed.method = SIP_INVITE;
	imposed.answered.trunk[SIDE_B] = 1;
	imposed.answered.timer[SIDE_B] = (struct msg_timer){.se_s = 1800, .unasked = true};
	for (flip.call = 0; flip.call < 5; flip.call++) {
		imposed.call = flip.call;
		control_event(served.view.core, 0, &imposed, served.now);
		control_event(served.view.core, 0, &flip, served.now);
	}
	json = ask("{\"command\":\"trunk\",\"trunk\":\"core1\"}");
	fact = json_object_get(json_object_get(json, "result"), "learned");
	assert_int_equal(json_integer_value(json_object_get(fact, "unasked")), 5);
	fact = json_array_get(json_object_get(fact, "facts"), FACT_ROLE);
	assert_string_equal(json_string_value(json_object_get(fact, "fact")), "role");
	assert_string_equal(json_string_value(json_object_get(fact, "state")), "unsupported");
	assert_int_equal(json_integer_value(json_object_get(fact, "bad_calls")), 5);
	assert_int_equal(json_integer_value(json_object_get(fact, "good_calls")), 0);
	json_decref(json);
}

static void reload_says_why(void **)
{
	served.reload_rc = -EINVAL;
	json_decref(ask("{\"command\":\"reload\"}"));
	assert_non_null(strstr(reply, "bad.yaml:2: log.lvel is no key; did you mean level?"));
	served.reload_rc = -EBUSY;
	json_decref(ask("{\"command\":\"reload\"}"));
	assert_non_null(strstr(reply, "needs a restart"));
}

static void many_calls_in_steps(void **)
{
	for (uint32_t i = 0; i < SERVED_CALLS; i++)
		for (unsigned w = 0; w < 2; w++) {
			char a[32], b[32];

			snprintf(a, sizeof(a), "a%u-%u", w, i);
			snprintf(b, sizeof(b), "b%u-%u", w, i);
			served_put_call(w, i, a, b);
		}

	json_t *json = ask("{\"command\":\"calls\",\"limit\":100000}");
	json_t *result = json_object_get(json, "result");

	assert_int_equal(json_array_size(json_object_get(result, "calls")), 2 * SERVED_CALLS);
	assert_true(json_is_true(json_object_get(result, "complete")));
	json_decref(json);
	json = ask("{\"command\":\"calls\",\"limit\":17}");
	assert_int_equal(json_array_size(json_object_get(json_object_get(json, "result"), "calls")),
			 17);
	json_decref(json);
}

static void idle_clients_are_harmless(void **)
{
	int fds[300];

	for (unsigned i = 0; i < 300; i++) {
		fds[i] = connect_client();
		cli_poll(cli, served.now);
		served.now += TICK_MS(1);
	}
	json_decref(ask("{\"command\":\"status\"}")); // also with the table full
	// 257 connections do not fit: the oldest ones were closed for the newer
	assert_int_equal(recv(fds[0], reply, 1, 0), 0);
	assert_int_equal(recv(fds[299], reply, 1, 0), -1);
	served.now += TICK_S(CLI_IDLE_S);
	assert_true(cli_next(cli, served.now) <= served.now);
	cli_poll(cli, served.now);
	assert_int_equal(recv(fds[299], reply, 1, 0), 0);
	assert_int_equal(cli_next(cli, served.now), TICK_NEVER);
	for (unsigned i = 0; i < 300; i++)
		close(fds[i]);
}

static void slow_line_is_cut_off(void **)
{
	int fd = connect_client();
	char byte;

	for (unsigned i = 0; i <= CLI_SLOW_S; i++) {
		(void)!send(fd, "x", 1, MSG_NOSIGNAL);
		cli_poll(cli, served.now);
		served.now += TICK_S(1);
	}
	cli_poll(cli, served.now);
	errno = 0;
	assert_true(recv(fd, &byte, 1, 0) <= 0 && errno != EAGAIN);
	close(fd);
}

static void long_line_is_refused(void **)
{
	static char line[CLI_REQUEST_MAX + 10];
	int fd = connect_client();

	memset(line, 'x', sizeof(line));
	assert_true(send(fd, line, sizeof(line), 0) > 0);
	assert_true(take_line(fd, reply, sizeof(reply)) > 0);
	assert_non_null(strstr(reply, "too long"));
	close(fd);
	cli_poll(cli, served.now);
	json_decref(ask("{\"command\":\"status\"}"));
}

static void several_lines_and_half_close(void **)
{
	static const char lines[] =
		"{\"command\":\"log\",\"level\":\"info\"}\nnonsense\n{\"command\":\"status\"}";
	int fd = connect_client();
	unsigned answers = 0;

	assert_true(send(fd, lines, sizeof(lines) - 1, 0) > 0);
	shutdown(fd, SHUT_WR); // the last line has no end: the end of input is its end
	for (;;) {
		ssize_t n = take_line(fd, reply, sizeof(reply));

		assert_true(n >= 0);
		if (n == 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			answers += reply[i] == '\n';
	}
	assert_int_equal(answers, 3);
	close(fd);
}

static void a_reply_that_nobody_takes(void **)
{
	int fd, small = 2048;

	for (uint32_t i = 0; i < SERVED_CALLS; i++)
		served_put_call(0, i, "a", "b");
	fd = connect_client();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_true(send(fd, "{\"command\":\"calls\",\"limit\":100000}\n", 36, 0) > 0);
	for (unsigned i = 0; i < 1000; i++)
		cli_poll(cli, served.now);
	json_decref(ask("{\"command\":\"status\"}"));
	assert_true(cli_next(cli, served.now) <= served.now + TICK_S(CLI_SLOW_S));
	served.now += TICK_S(CLI_SLOW_S);
	cli_poll(cli, served.now);
	assert_int_equal(cli_next(cli, served.now), TICK_NEVER);
	close(fd);
}

static void the_socket(void **)
{
	struct cli *second;
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(cli_new(&second, path, &served.view), -EADDRINUSE);
	assert_null(second);
	assert_int_equal(cli_new(&second, "/nowhere/x.sock", &served.view), -ENOENT);
}

// What a killed process left behind is taken over; a file that is no socket is not touched.
static void what_is_there_already(void **)
{
	char other[80], file[80];
	union address a = {.un = {.sun_family = AF_UNIX}};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct cli *second;

	snprintf(other, sizeof(other), "%s.old", path);
	snprintf(file, sizeof(file), "%s.txt", path);
	snprintf(a.un.sun_path, sizeof(a.un.sun_path), "%s", other);
	assert_int_equal(bind(fd, &a.any, sizeof(a.un)), 0);
	close(fd);
	assert_int_equal(cli_new(&second, other, &served.view), 0);
	cli_free(second);
	fclose(fopen(file, "w"));
	assert_int_equal(cli_new(&second, file, &served.view), -EEXIST);
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(commands_that_look, start, stop),
		cmocka_unit_test_setup_teardown(commands_that_change, start, stop),
		cmocka_unit_test_setup_teardown(what_is_no_command, start, stop),
		cmocka_unit_test_setup_teardown(trunk_shows_what_it_learned, start, stop),
		cmocka_unit_test_setup_teardown(reload_says_why, start, stop),
		cmocka_unit_test_setup_teardown(many_calls_in_steps, start, stop),
		cmocka_unit_test_setup_teardown(idle_clients_are_harmless, start, stop),
		cmocka_unit_test_setup_teardown(slow_line_is_cut_off, start, stop),
		cmocka_unit_test_setup_teardown(long_line_is_refused, start, stop),
		cmocka_unit_test_setup_teardown(several_lines_and_half_close, start, stop),
		cmocka_unit_test_setup_teardown(a_reply_that_nobody_takes, start, stop),
		cmocka_unit_test_setup_teardown(the_socket, start, stop),
		cmocka_unit_test_setup_teardown(what_is_there_already, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
