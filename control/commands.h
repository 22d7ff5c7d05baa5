// SPDX-License-Identifier: BSD-3-Clause
// The commands of vergectl: a request as JSON becomes a reply as JSON, in steps of bounded work.
// Thread: control. Never waits; allocates the reply, which is never longer than CLI_REPLY_MAX.
#pragma once

#include <jansson.h>

#include "control/cli.h"
#include "control/control_view.h"
#include "control/jsonout.h"

// Records that one step looks at.
#define COMMANDS_STEP 512
// Room that a step has in out before it runs.
#define COMMANDS_ROOM 65536

struct commands_job {
	const struct control_view *view;
	json_t *request;
	struct outbuf out;		     // malloc'ed
	bool (*run)(struct commands_job *j); // true: finished
	uint64_t at, more;		     // where a long one stands; 0 at first
	void *kept;			     // what it keeps between steps, malloc'ed
	char error[400];		     // not empty: refused
};

// NULL when out of memory. The line need not be JSON: then the job says so.
struct commands_job *commands_new(const struct control_view *view, struct slice line);
// One step. True: the reply is whole, one line with its line end in j->out.
bool commands_step(struct commands_job *j);
void commands_free(struct commands_job *j); // NULL is fine

// --- for the files of the commands

// Refuse; only the first reason counts.
__attribute__((format(printf, 2, 3))) void commands_refuse(struct commands_job *j,
							   const char *format, ...);
// A member of the request as text; NULL if it is missing. wanted: refuse if it is.
const char *commands_text(struct commands_job *j, const char *key, bool wanted);
// A member as a number; otherwise if it is missing. Refuses what is no number from 0 to most.
uint64_t commands_number(struct commands_job *j, const char *key, uint64_t otherwise,
			 uint64_t most);
// What is wrong, of findings that are not empty: the first that is no warning, if there is one.
const char *commands_fault(const struct config_errors *errors);
// The trunk that the request names; -1 after refusing.
int commands_trunk(struct commands_job *j);
// The call that the request names by the Call-ID of either leg; false after refusing.
bool commands_find(struct commands_job *j, unsigned *worker, struct call_view *view);

// Members that several commands share.
void commands_put_time(struct commands_job *j, const char *key, tick_t at); // null if it never was
void commands_put_endpoint(struct outbuf *o, const char *key, uint8_t family, const uint8_t *ip,
			   uint16_t udp);
void commands_put_histogram(struct outbuf *o, const char *key, const struct histogram *h,
			    const struct histogram_bounds *bounds);
// Counters over workers; those of a trunk also over control.
void commands_sum_workers(const struct control_view *v, struct worker_stats *sum);
void commands_sum_trunk(const struct control_view *v, unsigned trunk, struct trunk_stats *sum);
const char *commands_trunk_name(const struct control_view *v, unsigned trunk);
// What control has made of the trunk's timers, in words.
const char *commands_timers_word(const struct control_view *v, unsigned trunk);
uint64_t commands_calls_now(const struct control_view *v, unsigned trunk);
unsigned commands_peers_up(const struct control_view *v, unsigned trunk);
const char *commands_method_word(unsigned refresh_method);

// Run functions by id of commands.def.
bool commands_run_calls(struct commands_job *j);
bool commands_run_call(struct commands_job *j);
bool commands_run_end(struct commands_job *j);
bool commands_run_why(struct commands_job *j);
bool commands_run_what_if(struct commands_job *j);
bool commands_run_trunks(struct commands_job *j);
bool commands_run_trunk(struct commands_job *j);
bool commands_run_report(struct commands_job *j);
bool commands_run_set(struct commands_job *j);
bool commands_run_reset(struct commands_job *j);
bool commands_run_status(struct commands_job *j);
bool commands_run_workers(struct commands_job *j);
bool commands_run_stats(struct commands_job *j);
bool commands_run_timers(struct commands_job *j);
bool commands_run_trace(struct commands_job *j);
bool commands_run_trace_start(struct commands_job *j);
bool commands_run_trace_stop(struct commands_job *j);
bool commands_run_cdr(struct commands_job *j);
bool commands_run_cdr_tail(struct commands_job *j);
bool commands_run_rules(struct commands_job *j);
bool commands_run_rules_test(struct commands_job *j);
bool commands_run_reload(struct commands_job *j);
bool commands_run_log(struct commands_job *j);
