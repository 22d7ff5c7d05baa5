// SPDX-License-Identifier: BSD-3-Clause
// The HTTP endpoint over loopback: what Prometheus and supervisors get, and what others get.
// promtool, where it is installed, judges the whole text.
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/metrics.h"
#include "served.h"

static struct metrics *metrics;
static struct config_endpoint at = {.ip = {4, {127, 0, 0, 1}}};

union address {
	struct sockaddr any;
	struct sockaddr_in in;
};

static int start(void **)
{
	int rc = -EADDRINUSE;

	served_start();
	for (unsigned i = 0; i < 50 && rc == -EADDRINUSE; i++) {
		at.udp = (uint16_t)(20000 + ((unsigned)getpid() * 7 + i) % 40000);
		rc = metrics_new(&metrics, &at, &served.view);
	}
	assert_int_equal(rc, 0);
	return 0;
}

static int stop(void **)
{
	metrics_free(metrics);
	served_stop();
	return 0;
}

static int connect_client(void)
{
	union address a = {.in = {.sin_family = AF_INET, .sin_port = htons(at.udp)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, &a.any, sizeof(a.in)), 0);
	return fd;
}

static char text[8 << 20];

// All that comes until the other side closes or 20 seconds are over.
static size_t take_all(int fd)
{
	size_t len = 0;

	for (unsigned i = 0; i < 20000 && len < sizeof(text) - 1; i++) {
		ssize_t n;
		struct pollfd p = {.fd = metrics_fd(metrics), .events = POLLIN};

		poll(&p, 1, 1);
		metrics_poll(metrics, served.now);
		n = recv(fd, text + len, sizeof(text) - 1 - len, MSG_DONTWAIT);
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = 0;
	return len;
}

static const char *ask(const char *request)
{
	int fd = connect_client();

	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	take_all(fd);
	close(fd);
	return text;
}

static void requests(void **)
{
	static const struct {
		const char *shows, *request, *status, *has;
	} rows[] = {
		{"metrics", "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		 "HTTP/1.1 200", "verge_calls 0"},
		{"its type", "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		 "HTTP/1.1 200", "version=0.0.4"},
		{"HTTP/1.0", "GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.",
		 "verge_build_info{version="},
		{"OpenMetrics on request",
		 "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: "
		 "application/openmetrics-text;version=1.0.0\r\n"
		 "Connection: close\r\n\r\n",
		 "HTTP/1.1 200", "# EOF"},
		{"health", "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		 "HTTP/1.1 200", "ok\n"},
		{"head", "HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		 "HTTP/1.1 200", "Content-Length: 3"},
		{"something else",
		 "GET /etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 404",
		 "/metrics"},
		{"post",
		 "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: "
		 "close\r\n\r\nabcd",
		 "HTTP/1.1 405", "Allow: GET, HEAD"},
		{"no HTTP", "INVITE sip:x SIP/2.0\r\n\r\n", "HTTP/1.1 4", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = ask(rows[i].request);

		if (strncmp(got, rows[i].status, strlen(rows[i].status)) != 0 ||
		    strstr(got, rows[i].has) == NULL)
			fail_msg("%s: %.400s", rows[i].shows, got);
	}
	served.healthy = false;
	assert_non_null(strstr(ask("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
			       "HTTP/1.1 503"));
}

// HTTP/1.0 has no chunks: the body is the text as it is.
static const char *body(void)
{
	const char *end = strstr(ask("GET /metrics HTTP/1.0\r\n\r\n"), "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static void contents(void **)
{
	static const char *const lines[] = {
		"\nverge_config_version 1\n",
		"\nverge_config_reloads_total{result=\"ok\"} 0\n",
		"\nverge_session_timer_at_risk{trunk=\"8068\",le=\"",
		"\nverge_trunk_peers{trunk=\"8068\",state=\"up\"} 1\n",
		"\nverge_trunk_peers{trunk=\"8068\",state=\"down\"} 1\n",
		"\nverge_session_timer_quarantined{trunk=\"core1\"} 1\n",
		"\nverge_calls_total{trunk=\"core1\",direction=\"out\",result=\"answered\"} 5\n",
		"\nverge_worker_busy_ratio{worker=\"1\"} 0.250000\n",
		"\nverge_packets_total{verdict=\"sip_handled\",class=\"sip\"} 11\n",
	};

	served.live[0].peers_down = 2;
	served.live[1].flags = TRUNK_LIVE_OBSERVE;
	served.trunks[0][1].calls_out_answered = 2;
	served.trunks[1][1].calls_out_answered = 3;
	served.workers[1].busy_us = 250;
	served.workers[1].idle_us = 750;
	served.verdicts[1][VERDICT_SIP_HANDLED] = 11;

	const char *got = body();

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (strstr(got, lines[i]) == NULL)
			fail_msg("no %s", lines[i]);
}

static void promtool(void **)
{
	const char *got = body();
	FILE *pipe;

	if (system("command -v promtool >/dev/null 2>&1") != 0)
		skip();
	pipe = popen("promtool check metrics >&2", "w");
	assert_non_null(pipe);
	assert_int_equal(fwrite(got, 1, strlen(got), pipe), strlen(got));
	assert_int_equal(pclose(pipe), 0);
}

// Clients that say nothing, and one that takes nothing, leave room for the next.
static void idle_clients(void **)
{
	int fds[3];

	for (unsigned i = 0; i < 3; i++)
		fds[i] = connect_client();
	assert_true(send(fds[0], "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 34, 0) > 0);
	assert_true(send(fds[1], "GET /me", 7, 0) > 0);
	metrics_poll(metrics, served.now);
	assert_true(metrics_next(metrics, served.now) < TICK_NEVER);
	assert_non_null(strstr(body(), "verge_calls"));
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
}

static void addresses(void **)
{
	const struct config_endpoint off = {0},
				     elsewhere = {.ip = {4, {192, 0, 2, 1}}, .udp = 9161};
	struct metrics *m;

	assert_int_equal(metrics_new(&m, &off, &served.view), 0);
	assert_null(m);
	metrics_free(NULL);
	assert_int_equal(metrics_new(&m, &elsewhere, &served.view), -EADDRNOTAVAIL);
	assert_int_equal(metrics_new(&m, &at, &served.view), -EADDRINUSE);
	assert_null(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests, start, stop),
		cmocka_unit_test_setup_teardown(contents, start, stop),
		cmocka_unit_test_setup_teardown(promtool, start, stop),
		cmocka_unit_test_setup_teardown(idle_clients, start, stop),
		cmocka_unit_test_setup_teardown(addresses, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
