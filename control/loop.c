// SPDX-License-Identifier: BSD-3-Clause
// The loop of the control thread: rings in, timers, orders out, files and sockets, signals, the
// stop.
#include "control/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "control/cdr_csv.h"
#include "control/reload.h"
#include "rules/rules.h"

// Rings have no descriptor to wait for, so control looks every four milliseconds, and every one
// while workers have much to tell: a refresh is late by that at most, an idle verge takes half a
// percent of a CPU, and a look, which costs as much as six calls, is shared by several.
#define LOOK_BUSY TICK_MS(1)
#define LOOK_IDLE TICK_MS(4)
#define LOOK_MANY 32 // messages at once that are much
#define QUIET	  TICK_MS(200)

#define WALL_EVERY TICK_S(1)

// At the stop: BYEs go out in portions (ORDER_END_ALL is repeated), and their answers get this
// long.
#define END_AGAIN TICK_MS(20)
#define END_LAST  TICK_S(8)

uint64_t loop_unix_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t loop_calls(const struct loop *l)
{
	uint64_t calls = 0;

	for (unsigned i = 0; i < l->n_workers; i++)
		calls += stat_read(&l->worker_stats[i]->calls);
	return calls;
}

// Callbacks of the core.

static void on_order(void *ctx, unsigned worker, const struct order *order)
{
	struct loop *l = ctx;

	dataplane_order(l->dp, worker, order);
}

static void on_log(void *ctx, enum control_level level, const char *area, const char *line)
{
	struct loop *l = ctx;

	log_put(l->log, level, area, line);
}

static bool on_wants(void *ctx, enum control_level level, const char *area)
{
	const struct loop *l = ctx;

	return log_wants(l->log, level, area);
}

static void on_cdr(void *ctx, const char *json)
{
	struct loop *l = ctx;
	static char line[CDR_CSV_MAX_BYTES]; // one thread; too much for its stack
	struct outbuf o = outbuf_of(line, sizeof(line));

	if (l->config->cdr.format != CONFIG_CDR_FORMAT_CSV)
		cdr_file_put(l->cdr, json, strlen(json));
	else if (cdr_csv_convert(&o, slice_of_str(json)) && !o.full)
		cdr_file_put(l->cdr, line, o.len);
}

static int on_view(void *ctx, unsigned worker, uint32_t call, uint32_t gen, struct call_view *view)
{
	struct loop *l = ctx;
	int rc = dataplane_call(l->dp, worker, call, view);

	return rc == 0 && view->gen != gen ? -ENOENT : rc;
}

static int open_served(struct loop *l)
{
	struct log_value value;
	char path[128];
	int rc;

	snprintf(path, sizeof(path), "%s/verge.sock", l->config->system.run_dir);
	rc = cli_new(&l->cli, path, &l->view);
	if (rc != 0) {
		log_event(l->log, CONTROL_ERROR, "start", "socket_failed path=%s error=\"%s\"",
			  log_quote(&value, path), strerrordesc_np(-rc));
		return rc;
	}
	rc = http_new(&l->http, &l->config->metrics.listen, &l->view);
	if (rc != 0)
		log_event(l->log, CONTROL_ERROR, "start", "metrics_failed port=%u error=\"%s\"",
			  l->config->metrics.listen.udp, strerrordesc_np(-rc));
	return rc;
}

int loop_open(struct loop *l)
{
	tick_t now = dataplane_now();
	struct control_params params = {
		.config = l->config,
		.callbacks = {.ctx = l,
			      .send_order = on_order,
			      .log = on_log,
			      .wants = on_wants,
			      .cdr = on_cdr,
			      .view = on_view},
		.live = l->live,
		.workers = dataplane_workers(l->dp),
	};

	l->n_workers = params.workers;
	if (getrandom(&params.seed, sizeof(params.seed), 0) != sizeof(params.seed))
		return -errno;
	l->cdr = cdr_file_new(on_log, l);
	l->control = control_new(&params, now);
	if (l->cdr == NULL || l->control == NULL)
		return -ENOMEM;
	cdr_file_configure(l->cdr, &l->config->cdr, loop_unix_us());
	control_set_wall(l->control, now, loop_unix_us());
	shell_view_init(l, now);
	taps_init(l);
	return open_served(l);
}

void loop_close(struct loop *l)
{
	taps_close(l);
	http_free(l->http);
	cli_free(l->cli);
	control_free(l->control);
	cdr_file_free(l->cdr, loop_unix_us());
}

// Configuration.

void loop_own_config(struct loop *l, struct config *config)
{
	l->config = config;
	l->owned[config->kept] = config;
	config_kept_put(&l->kept, config);
}

void loop_free_configs(struct loop *l)
{
	for (unsigned i = 0; i < CONFIG_KEPT; i++)
		config_free(l->owned[i]);
}

// A worker stands still. What it has not taken, and what it reads meanwhile, is never given back;
// the others return to the snapshot of before.
static void unpublish(struct loop *l, struct config *config, int rc)
{
	struct config *old = l->config;

	log_event(l->log, CONTROL_ERROR, "config", "publish_failed error=\"%s\"",
		  strerrordesc_np(-rc));
	loop_own_config(l, config);
	loop_own_config(l, old);
	(void)dataplane_configure(l->dp, old);
	control_reload_failed(l->control);
}

int loop_publish(struct loop *l, struct config *config)
{
	uint32_t calls[CONFIG_KEPT];
	struct config *gone;
	int rc;

	dataplane_kept_calls(l->dp, calls);
	config->kept = (uint8_t)config_kept_choose(&l->kept, config, calls);
	gone = l->owned[config->kept];
	if (gone != NULL && gone != l->config && calls[config->kept] != 0)
		log_event(l->log, CONTROL_WARNING, "config", "calls_moved calls=%u from_version=%u",
			  calls[config->kept], gone->version);
	rc = dataplane_configure(l->dp, config);
	if (rc != 0) {
		unpublish(l, config, rc);
		return rc;
	}
	loop_own_config(l, config);
	control_configure(l->control, config, dataplane_now());
	if (log_configure(l->log, &config->log) != 0)
		log_event(l->log, CONTROL_WARNING, "config",
			  "log_areas_wrong hint=\"each is area=level\"");
	cdr_file_configure(l->cdr, &config->cdr, loop_unix_us());
	taps_configure(l);
	config_free(gone);
	log_event(l->log, CONTROL_INFO, "config", "published version=%u trunks=%u", config->version,
		  config->n_trunks);
	return 0;
}

int loop_reload(struct loop *l, struct config_errors *errors)
{
	struct config *config;
	int rc = reload_load(&config, l->path, l->config, &l->machine, errors, l->log);

	if (rc != 0) {
		control_reload_failed(l->control);
		return rc;
	}
	return loop_publish(l, config);
}

// The stop.

static void end_calls(struct loop *l, tick_t now)
{
	l->state = LOOP_ENDING;
	l->stop_tk = now + END_LAST;
	l->again_tk = now;
	log_event(l->log, CONTROL_INFO, "stop", "ending_calls calls=%llu",
		  (unsigned long long)loop_calls(l));
}

void loop_stop(struct loop *l)
{
	tick_t now = dataplane_now();

	switch (l->state) {
	case LOOP_RUNNING:
		control_drain(l->control);
		if (l->config->system.stop == CONFIG_STOP_BYE) {
			end_calls(l, now);
			return;
		}
		l->state = LOOP_DRAINING;
		l->stop_tk = now + TICK_S(l->config->system.stop_timeout_s);
		log_event(l->log, CONTROL_INFO, "stop", "draining calls=%llu seconds=%u",
			  (unsigned long long)loop_calls(l), l->config->system.stop_timeout_s);
		return;
	case LOOP_DRAINING:
		end_calls(l, now);
		return;
	case LOOP_ENDING:
	case LOOP_DONE:
		l->state = LOOP_DONE;
		return;
	}
}

static void step_stop(struct loop *l, tick_t now)
{
	if (l->state == LOOP_RUNNING || l->state == LOOP_DONE)
		return;
	if (loop_calls(l) == 0) {
		log_event(l->log, CONTROL_INFO, "stop", "no_calls_left");
		l->state = LOOP_DONE;
		return;
	}
	if (l->state == LOOP_DRAINING) {
		if (now >= l->stop_tk)
			end_calls(l, now);
		return;
	}
	if (now >= l->again_tk) {
		control_end_all(l->control, CAUSE_SHUTDOWN);
		l->again_tk = now + END_AGAIN;
	}
	if (now >= l->stop_tk) {
		log_event(l->log, CONTROL_WARNING, "stop", "calls_left calls=%llu",
			  (unsigned long long)loop_calls(l));
		l->state = LOOP_DONE;
	}
}

// The loop.

static void read_signals(struct loop *l)
{
	struct signalfd_siginfo info;
	struct config_errors errors = {0};

	while (read(l->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGHUP) {
			log_event(l->log, CONTROL_INFO, "stop", "signal number=%u", info.ssi_signo);
			loop_stop(l);
			continue;
		}
		(void)loop_reload(l, &errors);
		config_errors_free(&errors);
		errors = (struct config_errors){0};
	}
}

static tick_t earlier(tick_t a, tick_t b)
{
	return a < b ? a : b;
}

static void sleep_until(struct loop *l, tick_t now)
{
	struct pollfd fds[3] = {
		{.fd = l->signals, .events = POLLIN},
		{.fd = cli_fd(l->cli), .events = POLLIN},
		{.fd = l->http != NULL ? http_fd(l->http) : -1, .events = POLLIN},
	};
	tick_t next = now + (now - l->worked_tk < QUIET ? LOOK_BUSY : LOOK_IDLE);
	struct timespec wait = {0};

	next = earlier(next, control_next(l->control));
	next = earlier(next, cli_next(l->cli, now));
	next = earlier(next, cdr_file_next(l->cdr, now, loop_unix_us()));
	if (l->http != NULL)
		next = earlier(next, http_next(l->http, now));
	if (next > now)
		wait.tv_nsec = (long)(next - now) * 1000;
	if (ppoll(fds, 3, &wait, NULL) > 0 && fds[0].revents != 0)
		read_signals(l);
}

static void step_watchdog(struct loop *l, tick_t now)
{
	int still = notify_alive(&l->notify, l->worker_stats, l->n_workers, loop_calls(l), now);

	if (still >= 0)
		log_event(l->log, CONTROL_ERROR, "loop", "worker_stands_still worker=%d", still);
}

static void step(struct loop *l)
{
	tick_t now = dataplane_now();

	if (now >= l->wall_due_tk) { // follows steps of the wall clock
		control_set_wall(l->control, now, loop_unix_us());
		l->wall_due_tk = now + WALL_EVERY;
	}
	if (inbox_drain(l, now) >= LOOK_MANY)
		l->worked_tk = now;
	if (taps_poll(l, now) != 0)
		l->worked_tk = now;
	control_poll(l->control, dataplane_now());
	dataplane_poll(l->dp);
	cdr_file_poll(l->cdr, now, loop_unix_us());
	cli_poll(l->cli, now);
	if (l->http != NULL)
		http_poll(l->http, now);
	watch_poll(&l->watch, l->dp, l->control, now);
	step_stop(l, now);
	step_watchdog(l, now);
}

void loop_run(struct loop *l)
{
	while (l->state != LOOP_DONE) {
		step(l);
		sleep_until(l, dataplane_now());
	}
	// the CDRs of the last calls
	for (unsigned i = 0; i < 10 && inbox_drain(l, dataplane_now()) != 0; i++)
		dataplane_poll(l->dp);
	cdr_file_poll(l->cdr, dataplane_now(), loop_unix_us());
}
