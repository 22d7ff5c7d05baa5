// SPDX-License-Identifier: BSD-3-Clause
// The policy of verge: whether and how to refresh, retry, give up, quarantine, ping; what the CDR
// says. The core of the control thread, sans I/O: events and records of workers in, orders, log
// lines and CDR lines out through callbacks. It reads no clock (`now` is monotonic, in
// microseconds) and no file, so that the scenario runner drives the very same code in virtual time.
// It may allocate. Thread: one, the caller's. A callback must not call back into control.
#pragma once

#include "control/control_stats.h"
#include "msg/msg.h"
#include "msg/tap.h"
#include "msg/trunk_live.h"
#include "stat/violation.h"

struct call_view;
struct config;
struct control;
struct trunk_facts;

enum control_level { CONTROL_ERROR, CONTROL_WARNING, CONTROL_INFO, CONTROL_DEBUG };

struct control_callbacks {
	void *ctx; // first argument of each
	// An order for a worker. Copied by the callee.
	void (*send_order)(void *ctx, unsigned worker, const struct order *order);
	// One event of one area ("refresh", "release", "trunk", "peer", "cdr"): `line` is key=value
	// pairs, values with spaces or quotes are quoted, no line end.
	void (*log)(void *ctx, enum control_level level, const char *area, const char *line);
	// One CDR: a JSON object without line end.
	void (*cdr)(void *ctx, const char *json);
	// Optional: what a call is doing now (Call-IDs of log lines). 0 or -ENOENT.
	int (*view)(void *ctx, unsigned worker, uint32_t call, uint32_t gen,
		    struct call_view *view);
	// Optional: whether log() does anything with lines of this level and area; if not they are
	// not made.
	bool (*wants)(void *ctx, enum control_level level, const char *area);
};

struct control_params {
	const struct config
		*config; // stays the caller's until control_configure() or control_free()
	struct control_callbacks callbacks;
	struct trunk_live *live; // [CONFIG_MAX_TRUNKS], shared with the workers
	unsigned workers;	 // pings go to them in turn
	uint64_t seed;		 // of back-offs and spreading; the same seed gives the same run
};

// NULL when out of memory. Storm guard and pings count from `now`.
struct control *control_new(const struct control_params *params, tick_t now);
void control_free(struct control *c);

// Wall clock for CDRs: `tick` was `unix_us` microseconds after 1970. Call again after a clock step.
void control_set_wall(struct control *c, tick_t tick, uint64_t unix_us);

// Use another snapshot from now on; the old one is not used any more when this returns. What was
// learned about trunks stays with their names. Counted as a reload unless it is the snapshot
// already in use.
void control_configure(struct control *c, const struct config *config, tick_t now);
// A reload was refused: only counted.
void control_reload_failed(struct control *c);
const struct config *control_config(const struct control *c);

// An event of a worker. Orders may go out at once.
void control_event(struct control *c, unsigned worker, const struct event *event, tick_t now);
// A call has ended: forget it, learn from it, write its CDR.
void control_record(struct control *c, unsigned worker, const struct call_record *record,
		    tick_t now);
// Run what is due: retries, paced refreshes, pings. Call at control_next() or earlier, and after
// events.
void control_poll(struct control *c, tick_t now);
// When control_poll() next has work; TICK_NEVER if nothing waits.
tick_t control_next(const struct control *c);

// End calls on an operator's word or at the stop: CAUSE_ADMIN, CAUSE_SHUTDOWN.
void control_end_call(struct control *c, unsigned worker, uint32_t call, uint32_t gen,
		      enum cause cause);
void control_end_all(struct control *c, enum cause cause);
// No new calls from now on (503); those in progress go on and are refreshed.
void control_drain(struct control *c);

// What control has counted; lives as long as the control. Index: trunk of the configuration.
const struct control_stats *control_stats(const struct control *c);
const struct control_trunk_stats *control_trunk_stats(const struct control *c, unsigned trunk);

// Legs without a successful refresh although its time has come, by the time left until they are
// given up: counts[i] is how many have at most control_at_risk_le_s[i] seconds (cumulative, as
// Prometheus wants it). Those that verge refreshes are as of now, those that the peer refreshes as
// of the last control_watched().
extern const uint32_t control_at_risk_le_s[CONTROL_AT_RISK_N];
void control_at_risk(const struct control *c, unsigned trunk, tick_t now,
		     uint64_t counts[CONTROL_AT_RISK_N]);

// Shown every call now and then, control counts the legs whose peer should have refreshed.
// control_watched() ends a round: what it found counts from then on.
void control_watch(struct control *c, const struct call_view *view, tick_t now);
void control_watched(struct control *c);

// The load to come, as of the last control_watched(): legs by the minute in which their next
// refresh is due, counts[0] being the minute that begins now and holding what is overdue.
#define CONTROL_DUE_MINUTES 60
struct control_due {
	uint32_t local[CONTROL_DUE_MINUTES];  // verge refreshes
	uint32_t remote[CONTROL_DUE_MINUTES]; // the peer should: half of the interval (RFC 4028
					      // s7.2)
};
void control_due(const struct control *c, tick_t now, struct control_due *due);

// Whether a leg's refresh is overdue now; then *deadline_tk is when the call ends if nothing
// arrives.
struct leg_view;
bool control_is_overdue(const struct control *c, const struct leg_view *leg, tick_t now,
			tick_t *deadline_tk);

// Legs whose refresh is overdue, as of the last control_watched(): the next ones to end come first.
#define CONTROL_RISKS 20
struct control_risk {
	tick_t deadline_tk; // when the call ends if nothing arrives
	uint32_t se_s;
	uint16_t trunk;
	uint8_t side, role; // enum st_role
	uint16_t call_id_len;
	char call_id[128]; // as the peer wrote it: any bytes
};
// How many there are in *list, which is control's until the next control_watched().
unsigned control_risks(const struct control *c, const struct control_risk **list);

// A message that shows how a trunk's peer departs from an RFC, as a worker has sent it; the newest
// of each kind is kept, numbers hashed unless the trunk's report_samples says otherwise.
void control_sample(struct control *c, const struct tap_head *head, const uint8_t *bytes);
struct control_sample {
	tick_t at;
	bool out; // verge sent it
	bool cut; // it was longer
	uint32_t len;
	uint8_t bytes[];
};
// NULL: there is none. Control's until the next control_sample() or control_trunk_reset().
const struct control_sample *control_sample_of(const struct control *c, unsigned trunk,
					       enum violation v);

// What has been learned about a trunk (trunk_facts.h); NULL if there is no such trunk.
const struct trunk_facts *control_facts(const struct control *c, unsigned trunk);
// Operator's word: until reset or reload the trunk's timers are quarantined, or never are.
enum control_override { CONTROL_OVERRIDE_NONE, CONTROL_OVERRIDE_OBSERVE, CONTROL_OVERRIDE_NORMAL };
// 0 or -ENOENT.
int control_trunk_override(struct control *c, unsigned id, enum control_override override,
			   tick_t now);
int control_trunk_reset(struct control *c, unsigned id, tick_t now);

// Refreshes of a leg that did not succeed at once, the oldest first; for the CDR and `vergectl
// why`.
struct control_attempt {
	tick_t at;
	uint32_t ms;	// until the answer, or until it was given up
	uint16_t code;	// 0 = no answer
	uint8_t method; // enum refresh_method
};
#define CONTROL_ATTEMPTS 16
struct control_attempts {
	uint32_t total; // how many there were
	uint32_t n;	// of them in list: the last ones
	struct control_attempt list[CONTROL_ATTEMPTS];
};
void control_attempts(const struct control *c, unsigned worker, uint32_t call, uint32_t gen,
		      unsigned side, struct control_attempts *out);
