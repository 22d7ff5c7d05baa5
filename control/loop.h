// SPDX-License-Identifier: BSD-3-Clause
// The shell around the control core: what it is made of, and the loop that runs it. The only place
// where rings, files, sockets and signals of control meet. Thread: the main one, bound to
// system.control_core.
#pragma once

#include "config/config_kept.h"
#include "control/cdr_file.h"
#include "control/cli.h"
#include "control/control_view.h"
#include "control/http.h"
#include "control/log.h"
#include "control/notify.h"
#include "control/taps.h"
#include "control/watch.h"
#include "dataplane/dataplane.h"

#define LOOP_WORKERS 64

enum loop_state {
	LOOP_RUNNING,
	LOOP_DRAINING, // new calls get 503, the others run until system.stop_timeout
	LOOP_ENDING,   // the calls that are left get BYE
	LOOP_DONE,
};

struct loop {
	const char *path;		   // of the configuration
	struct config *config;		   // in use
	struct config_kept kept;	   // it, and those that calls in progress go by,
	struct config *owned[CONFIG_KEPT]; // to be given back
	struct config_machine machine;	   // what numbers are checked against
	struct log *log;
	struct cdr_file *cdr;
	struct dataplane *dp;
	struct control *control;
	struct cli *cli;
	struct http *http;	 // NULL: metrics.listen is empty
	struct trunk_live *live; // [CONFIG_MAX_TRUNKS]
	int signals;		 // signalfd
	struct notify notify;	 // systemd's watchdog
	struct taps taps;
	unsigned n_workers;
	enum loop_state state;
	tick_t stop_tk;	    // draining, ending: when at the latest
	tick_t again_tk;    // ending: when the order is repeated
	tick_t worked_tk;   // last time that a worker had something to say
	tick_t wall_due_tk; // when the wall clock is read next
	struct watch watch; // the round over all calls
	// for control_view
	struct control_view view;
	const struct worker_stats *worker_stats[LOOP_WORKERS];
	const uint64_t *verdicts[LOOP_WORKERS];
	uint16_t cpus[LOOP_WORKERS];
};

// Make all that follows the data plane: control, CDR file, socket, metrics. l->path, config,
// machine, log, live and signals are set. Errors: -errno, told in the log; loop_close() all the
// same.
int loop_open(struct loop *l);
// Run until a signal ends it.
void loop_run(struct loop *l);
void loop_close(struct loop *l);

// Begin to stop: drain or end by system.stop; a second time ends calls at once, a third time does
// not wait.
void loop_stop(struct loop *l);
// SIGHUP and `vergectl reload`. As control_view.reload.
int loop_reload(struct loop *l, struct config_errors *errors);
// Use a snapshot that has been checked; the loop's from now on, also if it cannot be used.
int loop_publish(struct loop *l, struct config *config);
// The first snapshot, before anything runs; and all of them, after.
void loop_own_config(struct loop *l, struct config *config);
void loop_free_configs(struct loop *l);
// Calls that exist now, over all workers.
uint64_t loop_calls(const struct loop *l);

uint64_t loop_unix_us(void);

// inbox.c: take what workers say; returns how much that was.
unsigned inbox_drain(struct loop *l, tick_t now);
// shell_view.c: fill l->view.
void shell_view_init(struct loop *l, tick_t now);
