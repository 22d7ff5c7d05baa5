// SPDX-License-Identifier: BSD-3-Clause
// The program vergectl against a socket that is served by a child process: what it prints, and its
// exit status.
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "control/cli.h"
#include "served.h"

static char path[64];
static pid_t server;

// What a peer sent, on its way into a report that is mailed about.
static void served_sample(void)
{
	static const char message[] =
		"UPDATE sip:v@10.91.0.1 SIP/2.0\r\nFrom: Eve <sip:+15551234@h>\r\n"
		"Subject: \x1b[2J`</pre>\xc2\x9b\r\nAuthorization: Digest "
		"response=\"secret\"\r\n\r\n```\n";
	struct tap_head head = {.at = served.now,
				.about = {.trunk = 0},
				.len = sizeof(message) - 1,
				.shows = 1u << VIOLATION_ROLE_FLIP};

	control_sample(served.view.core, &head, (const uint8_t *)message);
}

static void serve(void)
{
	struct cli *cli;

	if (cli_new(&cli, path, &served.view) != 0)
		_exit(1);
	for (;;) {
		struct pollfd p = {.fd = cli_fd(cli), .events = POLLIN};

		poll(&p, 1, cli_next(cli, served.now) <= served.now ? 0 : 50);
		cli_poll(cli, served.now);
	}
}

// The socket is there, and somebody listens.
static bool answers(void)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
	} address = {.un = {.sun_family = AF_UNIX}};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool yes;

	memcpy(address.un.sun_path, path, strlen(path) + 1);
	yes = connect(fd, &address.any, sizeof(address.un)) == 0;
	close(fd);
	return yes;
}

static int start(void **)
{
	snprintf(path, sizeof(path), "/tmp/vergectl-%d.sock", (int)getpid());
	server = fork();
	if (server == 0) {
		served_start();
		served.live[0].peers_down = 1;
		served.trunks[0][0].role_flips = 3;
		served_sample();
		serve();
	}
	assert_true(server > 0);
	for (unsigned i = 0; i < 2000 && !answers(); i++)
		poll(NULL, 0, 10);
	return 0;
}

static int stop(void **)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(path);
	return 0;
}

static char out[65536];

// Runs vergectl; its standard output and error go to out. Returns the exit status.
static int run(const char *arguments)
{
	char command[512];
	int n = snprintf(command, sizeof(command), "%s -s %s %s 2>&1", VERGECTL, path, arguments);
	size_t len;
	FILE *pipe;
	int rc;

	assert_in_range(n, 1, sizeof(command) - 1);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(out, 1, sizeof(out) - 1, pipe);
	out[len] = 0;
	rc = pclose(pipe);
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

static void lines(void **)
{
	static const struct {
		const char *shows, *arguments;
		int status;
		const char *has;
	} rows[] = {
		{"status", "status", 0, "uptime_s             3600"},
		{"workers", "workers", 0, "worker  cpu  calls"},
		{"stats", "stats", 0, "drops_tx_ring"},
		{"timers", "timers", 0, "seconds_left  legs"},
		{"calls", "calls", 0, "answered  500      8068     1800   remote"},
		{"calls with options", "calls --trunk core1 --over 100 --limit 5", 0, "1 calls\n"},
		{"calls of a trunk that is not", "calls --trunk nobody", 1,
		 "no trunk is called \"nobody\""},
		{"limit is no number", "calls --limit x", 2, "usage: vergectl"},
		{"option without value", "calls --limit", 2, "usage:"},
		{"call", "call a@client", 0, "peer                10.91.0.2:5060"},
		{"what the wire sent does not reach the terminal", "call a@client", 0,
		 "<sip:a\xc3\xbf\"b@x>"},
		{"why", "why b-leg", 0, "  The session interval is 1800 s and verge refreshes."},
		{"trunks", "trunks", 0, "1 of 2"},
		{"trunk", "trunk 8068", 0, "unknown"},
		{"report", "trunk 8068 report", 0, "refreshed although verge was the refresher"},
		{"report in Markdown", "trunk 8068 report --format markdown", 0,
		 "| RFC 4028 s7.4, s9 |"},
		{"report: a message that shows it", "trunk 8068 report", 0,
		 "sent by peer:\n\n    UPDATE sip:h"},
		{"report: without a number", "trunk 8068 report --format markdown", 0,
		 "    From: <sip:h"},
		{"report: nothing for the terminal", "trunk 8068 report --format markdown", 0,
		 "    Subject: ?[2J`</pre>?\n    X-Left-Out: credentials\n    \n    ```\n"},
		{"report: the message in JSON", "trunk 8068 report --format json", 0,
		 "\"from\": \"peer\""},
		{"report: round trips", "trunk 8068 report", 0, "Round trip of refreshes\n  count"},
		{"report: refused intervals", "trunk 8068 report", 0,
		 "interval_too_small_from_peer  0"},
		{"report as JSON", "trunk 8068 report --format json", 0, "\"suggestions\": ["},
		{"report in red", "trunk 8068 report --format red", 2, "usage:"},
		{"set", "trunk 8068 set session_timer.mode=observe", 0, "observe"},
		{"set what is no key", "trunk 8068 set session_timer.mod=observe", 1,
		 "did you mean mode?"},
		{"set nothing", "trunk 8068 set session_timer.mode", 2, "usage:"},
		{"reset", "trunk 8068 reset", 0, "reset"},
		{"what if", "what-if core1 se=600", 0, "\n  sent_per_s "},
		{"what if: more than one change", "what-if 8068 se=600 min_se=300 refresher=local",
		 0, "interval_then_s      600\n"},
		{"what if, as JSON", "--json what-if core1 se=600", 0,
		 "{\"figure\":\"verge_refreshes\",\"now\":1,\"then\":1,"},
		{"what if without a change", "what-if core1", 2,
		 "something is missing behind \"what-if core1\""},
		{"what if of no key", "what-if core1 s=600", 1, "session_timer"},
		{"what if of a value that is none", "what-if core1 se=6oo", 1, "6oo"},
		{"what if: not UTF-8", "what-if core1 $(printf 'se=\\377')", 2, "is not UTF-8"},
		{"what if: help", "help what-if", 0, "  what-if T CHANGE...  "},
		{"log", "log debug", 0, "debug"},
		{"reload", "reload", 0, "config_version"},
		{"trace", "trace start --trunk 8068 x.pcapng", 1, "cannot trace"},
		{"trace stop", "trace stop", 1, "no trace runs"},
		{"json", "--json status", 0, "{\"ok\":true,\"result\":{\"version\""},
		{"json of a refusal", "--json call nobody", 1, "{\"ok\":false"},
		{"end", "call b-leg end", 0, "ending"},
		{"calls at risk", "calls --at-risk 1800", 0, "1 calls\n"},
		{"calls at risk soon", "calls --at-risk 60", 0, "0 calls\n"},
		{"calls of a caller", "calls --number a", 0, "1 calls\n"},
		{"calls of nobody's number", "calls --number +49", 0, "0 calls\n"},
		{"calls that are answered", "calls --state answered", 0, "1 calls\n"},
		{"calls that ring", "calls --state ringing", 0, "0 calls\n"},
		{"state that is none", "calls --state up", 2, "must be setup|ringing|answered"},
		{"an option of another command", "status --limit 5", 2,
		 "is no option of \"status\""},
		{"log of an area", "log refresh=debug", 1, "is no level"},
		{"cdr", "cdr", 0, "waiting_bytes"},
		{"cdr tail without a file", "cdr tail", 1, "/nowhere/cdr.jsonl: No such file"},
		{"help", "--help", 0, "Exit status: 0 done"},
		{"help of a command", "help cdr", 0, "  cdr tail [--limit N]"},
		{"help of a command only", "cdr --help", 0, "usage: vergectl"},
		{"not UTF-8", "call $(printf '\\377')", 2, "is not UTF-8"},
		{"nothing", "", 2, "usage:"},
		{"unknown", "fly", 2, "there is no command \"fly\""},
		{"too much", "status now", 2, "there is no command \"status now\""},
		{"too little", "why", 2, "something is missing behind \"why\""},
		{"too little of a trunk", "trunk 8068 set", 2, "behind \"trunk 8068 set\""},
		{"what is shown then", "why", 2, "\n  why CALL-ID "},
		{"a level that is none", "log loud", 2, "none of error|warning|info|debug|"},
		{"unknown option", "--fast status", 2, "usage:"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = run(rows[i].arguments);

		if (status != rows[i].status || strstr(out, rows[i].has) == NULL)
			fail_msg("%s: status %d\n%s", rows[i].shows, status, out);
	}
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

// What rules would do to a message in a file, and what they have done.
static void rules(void **)
{
	static const struct {
		const char *shows, *arguments;
		int status;
		const char *has[3];
	} rows[] = {
		{"what rules have done", "rules", 0, {"set  rule", "fix  no-update", "gave_up"}},
		{"the same as JSON",
		 "--json rules",
		 0,
		 {"\"rule\":\"no-update\"", "\"evaluated\":0", "\"refused\":0"}},
		{"a message of ours, step by step",
		 "rules test --trunk core1 --out FILE",
		 0,
		 {"no-update  10    yes      yes", "From or To would be malformed",
		  "Allow: INVITE, ACK\n"}},
		{"what the call is told",
		 "rules test --trunk core1 --out FILE",
		 0,
		 {"hide_update", "fixed", "pass"}},
		{"the same as JSON",
		 "--json rules test --trunk core1 --out FILE",
		 0,
		 {"\"matched\":true,\"changed\":true", "\"tags\":[\"fixed\"]",
		  "\"message_changed\":true"}},
		{"a trunk without rules that way",
		 "rules test --trunk core1 FILE",
		 0,
		 {"no rule of this trunk was tried", "Allow: INVITE, ACK, UPDATE\n", "pass"}},
		{"a trunk that is not",
		 "rules test --trunk nobody FILE",
		 1,
		 {"no trunk is called \"nobody\""}},
		{"no message", "rules test --trunk core1 OTHER", 1, {"holds no SIP message"}},
		{"no file",
		 "rules test --trunk core1 /nowhere/x",
		 2,
		 {"/nowhere/x is empty, too long, or cannot be read"}},
		{"no argument", "rules test --trunk core1", 2, {"something is missing"}},
		{"no trunk", "rules test --out FILE", 2, {"--trunk is needed", "usage:"}},
	};
	char file[100], other[100], arguments[400];

	snprintf(file, sizeof(file), "%s.sip", path);
	snprintf(other, sizeof(other), "%s.txt", path);
	write_file(file,
		   "INVITE sip:1@10.92.0.2 SIP/2.0\nVia: SIP/2.0/UDP 10.92.0.1;branch=z9hG4bK1\n"
		   "Max-Forwards: 70\nFrom: <sip:2@10.92.0.1>;tag=a\nTo: <sip:1@10.92.0.2>\n"
		   "Call-ID: x\nCSeq: 1 INVITE\nContact: <sip:10.92.0.1>\n"
		   "Allow: INVITE, ACK, UPDATE\nContent-Length: 0\n\n");
	write_file(other, "Dear Sir,\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = strstr(rows[i].arguments, "FILE");
		const char *name = at != NULL ? file : other;
		int status;

		at = at != NULL ? at : strstr(rows[i].arguments, "OTHER");
		snprintf(arguments, sizeof(arguments), "%.*s%s",
			 at != NULL ? (int)(at - rows[i].arguments) : 300, rows[i].arguments,
			 at != NULL ? name : "");
		status = run(arguments);
		for (unsigned k = 0; k < 3 && rows[i].has[k] != NULL; k++)
			if (status != rows[i].status || strstr(out, rows[i].has[k]) == NULL)
				fail_msg("%s: status %d, no %s\n%s", rows[i].shows, status,
					 rows[i].has[k], out);
	}
	unlink(file);
	unlink(other);
}

// A line is as wide as the terminal: the last column is cut.
static void widths(void **)
{
	setenv("COLUMNS", "60", 1); // NOLINT(concurrency-mt-unsafe): one thread
	assert_int_equal(run("trunk 8068"), 0);
	unsetenv("COLUMNS"); // NOLINT(concurrency-mt-unsafe): one thread
	assert_non_null(strstr(out, "\xe2\x80\xa6\n"));
	assert_null(strstr(out, "or silence where re-INVITE then worked"));
	assert_int_equal(run("trunk 8068"), 0);
	assert_non_null(strstr(out, "or silence where re-INVITE then worked"));
}

// Not root, not of the group: it says so, and does not say that nothing runs.
static void no_permission(void **)
{
	char command[600];
	FILE *pipe;
	size_t len;
	int rc;

	if (getuid() != 0)
		skip();
	snprintf(command, sizeof(command),
		 "setpriv --reuid 65534 --regid 65534 --clear-groups %s -s %s status 2>&1",
		 VERGECTL, path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(out, 1, sizeof(out) - 1, pipe);
	out[len] = 0;
	rc = pclose(pipe);
	if (strstr(out, "setpriv") != NULL)
		skip(); // the build is not readable by others here
	assert_int_equal(WEXITSTATUS(rc), 1);
	assert_non_null(
		strstr(out, "Permission denied; the socket is for root and the group root"));
}

static void no_verge(void **)
{
	stop(NULL);
	assert_int_equal(run("status"), 3);
	assert_non_null(strstr(out, "verge is not running"));
	start(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines), cmocka_unit_test(rules), cmocka_unit_test(widths),
		cmocka_unit_test(no_permission), cmocka_unit_test(no_verge)};

	return cmocka_run_group_tests(tests, start, stop);
}
