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

#include "control/accept.h"
#include "control/http.h"
#include "control/metrics.h"
#include "served.h"

static struct http *http;
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
		rc = http_new(&http, &at, &served.view);
	}
	assert_int_equal(rc, 0);
	return 0;
}

static int stop(void **)
{
	http_free(http);
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
		struct pollfd p = {.fd = http_fd(http), .events = POLLIN};

		poll(&p, 1, 1);
		http_poll(http, served.now);
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
		{"text where it is preferred",
		 "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: "
		 "application/openmetrics-text;q=0.1,text/plain\r\nConnection: close\r\n\r\n",
		 "HTTP/1.1 200", "version=0.0.4"},
		{"page", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
		 "Content-Security-Policy: default-src 'none'; style-src 'nonce-"},
		{"page: its type", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		 "HTTP/1.1 200", "Content-Type: text/html; charset=utf-8"},
		{"page: to its end", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.", "</html>"},
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
	const char *health;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = ask(rows[i].request);

		if (strncmp(got, rows[i].status, strlen(rows[i].status)) != 0 ||
		    strstr(got, rows[i].has) == NULL)
			fail_msg("%s: %.400s", rows[i].shows, got);
	}
	served.trouble = "worker 1 on CPU 2 stands still";
	health = ask("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_non_null(strstr(health, "HTTP/1.1 503"));
	assert_non_null(strstr(health, "\r\n\r\nworker 1 on CPU 2 stands still\n"));
	assert_non_null(strstr(ask("GET / HTTP/1.0\r\n\r\n"),
			       "<span class=\"dot bad\"></span>worker 1 on CPU 2 stands still, "));
	served.trouble = NULL;
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

static bool is_open(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) != 0;
}

static void poll_some(void)
{
	for (unsigned i = 0; i < 20; i++)
		http_poll(http, served.now);
}

// More clients that say nothing than there are places: the oldest ones make room for the next.
static void idle_clients(void **)
{
	enum { N = HTTP_CLIENTS + 50 };
	static int fds[N];

	for (unsigned i = 0; i < N; i++) {
		fds[i] = connect_client();
		served.now += TICK_MS(1);
		poll_some();
	}
	assert_non_null(strstr(body(), "verge_calls"));
	assert_false(is_open(fds[0]));
	assert_true(is_open(fds[N - 1]));
	for (unsigned i = 0; i < N; i++)
		close(fds[i]);
	poll_some();
	assert_non_null(strstr(body(), "verge_calls"));
}

// One whose request comes byte by byte, one that does not take its reply, one that is silent.
static void slow_clients(void **)
{
	int fds[3], small = 2048;

	for (unsigned i = 0; i < 3; i++)
		fds[i] = connect_client();
	setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (unsigned i = 0; i < 40; i++)
		assert_true(send(fds[1], "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 34, 0) > 0);
	for (unsigned i = 0; i <= HTTP_SLOW_S; i++) {
		assert_true(i < 2 || i == HTTP_SLOW_S || is_open(fds[0]));
		(void)!send(fds[0], "G", 1, MSG_NOSIGNAL);
		poll_some();
		served.now += TICK_S(1);
		assert_true(http_next(http, served.now) <= served.now + TICK_S(1));
	}
	poll_some();
	for (unsigned i = 0; i < 3; i++) {
		assert_true(i == 1 || !is_open(fds[i]));
		close(fds[i]);
	}
	assert_non_null(strstr(body(), "verge_calls"));
}

static void accept_header(void **)
{
	static const struct {
		const char *shows, *accept;
		bool open;
	} rows[] = {
		{"nothing", "", false},
		{"anything", "*/*", false},
		{"Prometheus 2.42",
		 "application/openmetrics-text;version=1.0.0,application/"
		 "openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 true},
		{"spaces and case", " Application/OpenMetrics-Text ; version=1.0.0 ; q=0.5 ", true},
		{"a version that is not ours", "application/openmetrics-text;version=0.0.1", false},
		{"refused", "application/openmetrics-text;q=0", false},
		{"refused with zeros", "application/openmetrics-text;q=0.000,text/plain", false},
		{"text first", "application/openmetrics-text;q=0.4,text/plain;q=0.5", false},
		{"text second", "application/openmetrics-text;q=0.501,text/plain;q=0.5", true},
		{"quality that is none", "application/openmetrics-text;q=x", false},
		{"another type", "application/openmetrics-texts", false},
		{"only marks", ",;,;;,=,q=", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (accept_prefers_openmetrics(slice_of_str(rows[i].accept)) != rows[i].open)
			fail_msg("%s", rows[i].shows);
}

// A reply is of one instant: what is counted while it is taken is in the next one.
static void one_instant(void **)
{
	static struct history history;
	struct body *b = metrics_body_new(&served.view, &history, false);
	size_t len = 0;
	ssize_t n;

	assert_non_null(b);
	while ((n = body_take(b, text + len, 500)) > 0) {
		len += (size_t)n;
		for (unsigned t = 0; t < 3; t++) {
			served.trunks[0][t].messages_in_invite = 77;
			served.trunks[1][t].calls_in_answered = 77;
		}
		served.workers[0].messages = 77;
		served.verdicts[0][VERDICT_SIP_HANDLED] = 77;
	}
	text[len] = 0;
	body_free(b);
	assert_non_null(strstr(text, "verge_trunk_peers"));
	assert_null(strstr(text, " 77\n"));
	assert_non_null(strstr(body(), " 77\n"));
}

static void addresses(void **)
{
	const struct config_endpoint off = {0},
				     elsewhere = {.ip = {4, {192, 0, 2, 1}}, .udp = 9161};
	struct http *h;

	assert_int_equal(http_new(&h, &off, &served.view), 0);
	assert_null(h);
	http_free(NULL);
	assert_int_equal(http_new(&h, &elsewhere, &served.view), -EADDRNOTAVAIL);
	assert_int_equal(http_new(&h, &at, &served.view), -EADDRINUSE);
	assert_null(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests, start, stop),
		cmocka_unit_test_setup_teardown(contents, start, stop),
		cmocka_unit_test_setup_teardown(promtool, start, stop),
		cmocka_unit_test(accept_header),
		cmocka_unit_test_setup_teardown(idle_clients, start, stop),
		cmocka_unit_test_setup_teardown(slow_clients, start, stop),
		cmocka_unit_test_setup_teardown(one_instant, start, stop),
		cmocka_unit_test_setup_teardown(addresses, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
