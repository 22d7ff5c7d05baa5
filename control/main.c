// SPDX-License-Identifier: BSD-3-Clause
// verge: arguments, start in order, privileges, stop in order. Exit status: 0 done, 1 failed, 2
// usage.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/check.h"
#include "control/devices.h"
#include "control/hash.h"
#include "control/loop.h"
#include "control/notify.h"
#include "control/privileges.h"
#include "control/replay/replay.h"
#include "control/rules_command.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
	"usage: verge -c FILE              run in the foreground; SIGHUP reads FILE again, SIGTERM "
	"stops\n"
	"       verge -c FILE --check      say what is wrong with FILE, and what would be "
	"negotiated\n"
	"       verge replay CAPTURE -c FILE   run the calls of a capture through verge in virtual "
	"time\n"
	"                                 (verge replay --help)\n"
	"       verge --print-config       print every key with its default and meaning, as a "
	"valid file\n"
	"       verge --version | --help\n";
static const char usage_end[] =
	"The settings are described in conf/verge.yaml; vergectl speaks to a running verge.\n";

struct arguments {
	const char *path;
	bool check, print_config;
};

// 0, or the exit status plus 1.
static int parse_arguments(struct arguments *a, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
		{"print-config", no_argument, NULL, 'p'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},	  {0},
	};
	int option;

	// NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread yet
	while ((option = getopt_long(argc, argv, "c:hv", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			a->path = optarg;
			break;
		case 'k':
			a->check = true;
			break;
		case 'p':
			a->print_config = true;
			break;
		case 'h':
			fprintf(stdout, "%s%s%s", usage, rules_usage, usage_end);
			return EXIT_SUCCESS + 1;
		case 'v':
			puts("verge " VERGE_VERSION);
			return EXIT_SUCCESS + 1;
		default:
			fprintf(stderr, "%s%s%s", usage, rules_usage, usage_end);
			return EXIT_USAGE + 1;
		}
	}
	if (optind == argc && (a->path != NULL) != a->print_config)
		return 0;
	if (optind < argc)
		fprintf(stderr, "verge: what is \"%s\"?\n", argv[optind]);
	fprintf(stderr, "%s%s%s", usage, rules_usage, usage_end);
	return EXIT_USAGE + 1;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	// before any thread is started, so that all of them leave these signals to the loop
	// NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread yet
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

// run_dir must be there, and the user's that verge becomes: it binds and removes its socket in it.
static int make_run_dir(const struct config *config, const struct passwd *user, struct log *log)
{
	const char *dir = config->system.run_dir;
	struct log_value value;
	struct stat there;

	if (mkdir(dir, 0750) != 0 && errno != EEXIST) {
		log_event(log, CONTROL_ERROR, "start", "run_dir_failed path=%s error=\"%s\"",
			  log_quote(&value, dir), strerrordesc_np(errno));
		return -errno;
	}
	if (user == NULL || (stat(dir, &there) == 0 && there.st_uid == user->pw_uid))
		return 0;
	if (chown(dir, user->pw_uid, user->pw_gid) == 0)
		return 0;
	log_event(log, CONTROL_ERROR, "start", "run_dir_failed path=%s owner=%s error=\"%s\"",
		  log_quote(&value, dir), user->pw_name, strerrordesc_np(errno));
	return -errno;
}

static int find_user(const struct config *config, struct log *log, const struct passwd **user)
{
	const char *name = config->system.user;
	struct log_value value;

	*user = NULL;
	if (name[0] == '\0')
		return 0;
	*user = getpwnam(name); // NOLINT(concurrency-mt-unsafe): no other thread yet
	if (*user != NULL)
		return 0;
	log_event(log, CONTROL_ERROR, "start", "no_such_user user=%s key=system.user",
		  log_quote(&value, name));
	return -ENOENT;
}

static int start_dataplane(struct loop *l)
{
	char text[2048];
	struct outbuf why = outbuf_of(text, sizeof(text) - 1);
	struct dataplane_params params = {
		.config = l->config, .hash = &hash_nettle, .live = l->live, .why = &why};
	struct log_value value;
	int rc;

	if (getrandom(&params.key, sizeof(params.key), 0) != sizeof(params.key))
		return -errno;
	rc = dataplane_start(&l->dp, &params);
	text[why.len] = '\0';
	for (char *line = text, *end; *line != '\0'; line = end) {
		end = strchrnul(line, '\n');
		if (*end != '\0')
			*end++ = '\0';
		log_event(l->log, rc != 0 ? CONTROL_ERROR : CONTROL_WARNING, "start", "%s text=%s",
			  rc != 0 ? "dataplane_failed" : "dataplane", log_quote(&value, line));
	}
	if (rc != 0)
		(void)devices_check(l->config, l->path, NULL, stderr);
	if (rc != 0 && why.len == 0)
		log_event(l->log, CONTROL_ERROR, "start", "dataplane_failed error=\"%s\"",
			  strerrordesc_np(-rc));
	return rc;
}

static int run(struct loop *l)
{
	const struct passwd *user;
	int rc = find_user(l->config, l->log, &user);

	if (rc == 0)
		rc = make_run_dir(l->config, user, l->log);
	if (rc == 0)
		rc = start_dataplane(l);
	if (rc != 0) {
		privileges_explain(l->log);
		return rc;
	}
	rc = privileges_drop(user, l->config, l->log);
	if (rc == 0)
		rc = loop_open(l);
	if (rc == 0) {
		log_event(l->log, CONTROL_INFO, "start",
			  "ready version=%s workers=%u trunks=%u calls=%u", VERGE_VERSION,
			  l->n_workers, l->config->n_trunks, l->config->system.capacity.calls);
		notify_init(&l->notify);
		notify_send("READY=1");
		loop_run(l);
		notify_send("STOPPING=1");
	}
	loop_close(l);
	privileges_for_stop();
	dataplane_stop(l->dp);
	return rc;
}

// 0, or -errno after telling what is wrong with the file.
static int read_config(struct loop *l)
{
	struct config_errors errors = {0};
	int rc;

	check_machine(&l->machine);
	rc = config_load(&l->config, l->path, NULL, &l->machine, &errors);
	config_errors_print(&errors, stderr);
	if (rc != 0 && errors.n == 0)
		fprintf(stderr, "verge: %s: %s\n", l->path, strerrordesc_np(-rc));
	config_errors_free(&errors);
	if (rc == 0)
		loop_own_config(l, l->config);
	return rc;
}

// Nobody in this process waits for who reads standard error: neither the log, nor what DPDK says on
// a worker. A pipe or terminal is opened anew, so that other processes that hold it keep their way
// of writing; systemd's socket is verge's own. A file on a disk that hangs is not helped by this.
static void never_wait_for_stderr(void)
{
	struct stat st;
	int fd;

	if (fstat(STDERR_FILENO, &st) != 0)
		return;
	if (S_ISSOCK(st.st_mode))
		(void)fcntl(STDERR_FILENO, F_SETFL, fcntl(STDERR_FILENO, F_GETFL) | O_NONBLOCK);
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return;
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return; // it is not ours to open: the log looks for room before it writes
	(void)dup2(fd, STDERR_FILENO);
	close(fd);
}

static int serve(const char *path)
{
	static struct loop l;
	int rc;

	l.path = path;
	never_wait_for_stderr();
	if (read_config(&l) != 0)
		return EXIT_FAILURE;
	privileges_at_start();
	l.signals = open_signals();
	l.log = log_new(&l.config->log);
	l.live = aligned_alloc(64, CONFIG_MAX_TRUNKS * sizeof(*l.live));
	if (l.signals < 0 || l.log == NULL || l.live == NULL) {
		fprintf(stderr, "verge: %s\n", strerrordesc_np(errno));
		return EXIT_FAILURE;
	}
	memset(l.live, 0, CONFIG_MAX_TRUNKS * sizeof(*l.live));
	(void)prctl(PR_SET_TIMERSLACK, 1000UL); // ns: the loop sleeps as short as it says
	rc = run(&l);
	log_event(l.log, CONTROL_INFO, "stop", "stopped status=%d", rc == 0 ? 0 : 1);
	close(l.signals);
	free(l.live);
	loop_free_configs(&l);
	log_free(l.log);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct arguments a = {0};
	int rc;

	if (argc >= 2 && strcmp(argv[1], "rules") == 0)
		return rules_command(argc - 2, argv + 2, stdout, stderr);
	if (argc > 1 && strcmp(argv[1], "replay") == 0)
		return replay_main(argc - 1, argv + 1);
	rc = parse_arguments(&a, argc, argv);
	if (rc != 0)
		return rc - 1;
	if (a.print_config)
		return check_print(stdout);
	if (a.check)
		return check_run(a.path, stdout, stderr);
	return serve(a.path);
}
