// SPDX-License-Identifier: BSD-3-Clause
// What the files of the control core share: the state behind control.h. Nobody else includes this.
#pragma once

#include "base/siphash.h"
#include "config/config.h"
#include "config/config_kept.h"
#include "control/cdr.h"
#include "control/control.h"
#include "control/heap.h"
#include "control/trunk_facts.h"
#include "session_timer/outcome.h"

// Where a leg's refresh stands. Legs of which nothing is to be remembered have no record at all.
enum leg_stage {
	LEG_IDLE,      // no refresh under way; the record holds what was learned on this leg
	LEG_PACED,     // waits for the trunk's budget, in trunk->pace
	LEG_WAITING,   // waits for a retry, in control->timers
	LEG_IN_FLIGHT, // ordered; its REFRESH_DONE has not come
	LEG_ENDING,    // the call was ordered to end: nothing more is done for the leg
};

enum timer_kind { TIMER_LEG, TIMER_PACE, TIMER_PING, TIMER_KEEPALIVE };

// First member of whatever waits in control->timers.
struct control_timer {
	struct heap_node node;
	uint8_t kind; // enum timer_kind
};

struct control_leg {
	struct control_timer timer; // LEG_WAITING: when to send again
	struct heap_node pace;	    // LEG_PACED: key is expiry_tk
	struct control_leg *next;   // of the same hash bucket
	struct control_leg *due_prev,
		*due_next; // of the trunk's legs whose refresh is due; see core_due()
	uint32_t call, gen;
	uint16_t trunk;
	uint8_t worker, side;
	uint8_t kept;	     // place of the snapshot that the call began with
	uint8_t stage;	     // enum leg_stage
	uint8_t method;	     // enum refresh_method to send, or sent last
	uint8_t missing;     // bit per refresh_method that this peer has shown not to have
	uint8_t silent;	     // bit per refresh_method that met silence in this refresh
	uint8_t why;	     // enum cause of the expiry to come; 0 = nothing has failed for good
	uint8_t last_method; // enum refresh_method of the last attempt that failed
	uint16_t last_code;  // answer to it
	bool is_due;	     // in the trunk's list of due legs
	bool has_sdp, call_id_owner;
	bool update_sdp_works;
	bool was_sent;	      // a refresh has been ordered since the last one that succeeded
	struct st_refresh st; // this refresh, for lib/session_timer
	tick_t planned_tk, sent_tk;
	tick_t expiry_tk; // when the session ends if nothing succeeds
	uint64_t agent;
	struct msg_timer peer; // as the last event showed it
	uint32_t n_attempts;   // failed in this call; the last CONTROL_ATTEMPTS are kept
	struct control_attempt
		attempts[CONTROL_ATTEMPTS]; // ring, the i-th at [i % CONTROL_ATTEMPTS]
};

struct control_peer {
	struct control_timer timer;	// next ping
	struct control_timer keepalive; // next keep-alive
	uint16_t trunk;
	uint8_t index;
	uint8_t failures; // pings in a row without answer
	bool pending;	  // ping sent, not yet told how it went
	bool down;
	tick_t sent_tk;
};

#define CONTROL_PEERS 16 // KEY_TRUNK(peers) allows no more

struct control_trunk {
	struct control_timer timer; // next token or next leg that can wait no longer
	struct heap pace;	    // legs that wait for the budget, nearest expiry first
	uint64_t pace_ns; // when the bucket is empty of debt (virtual scheduling, ITU-T I.371)
	struct control_leg *due; // legs whose refresh is due and has not succeeded
	uint64_t late_peers[CONTROL_AT_RISK_N],
		late_seen[CONTROL_AT_RISK_N]; // risk.c: last round, this one
	uint16_t id;
	struct control_trunk_stats stats;
	struct trunk_facts facts;
	struct control_sample *samples[VIOLATION_N]; // samples.c
	struct control_peer peers[CONTROL_PEERS];
};

// What one round over all calls has found (risk.c).
#define CORE_DUE_MINUTES (CONTROL_DUE_MINUTES + 4) // it is read some minutes later
struct core_round {
	tick_t from_tk; // when it began; 0: not yet
	uint32_t local[CORE_DUE_MINUTES], remote[CORE_DUE_MINUTES];
	unsigned n_risks;
	struct control_risk risks[CONTROL_RISKS]; // nearest end first
};

struct control {
	const struct config *config;
	struct config_kept kept; // it, and those that calls in progress go by
	struct control_callbacks cb;
	struct trunk_live *live;
	unsigned workers;
	unsigned next_worker; // who sends the next ping
	uint64_t random;
	tick_t guard_until_tk; // storm guard
	tick_t now;	       // of the call that is being served
	tick_t wall_tk;
	uint64_t wall_us;
	struct heap timers;
	struct control_trunk **trunks; // [n_trunks], index = id; they never move
	uint32_t n_trunks;
	struct control_leg **buckets; // [n_buckets], a power of two
	uint32_t n_buckets, n_legs;
	struct control_stats stats;
	struct core_round seen, last;  // this round, the one before
	struct siphash_key sample_key; // numbers in samples are hashed with it
	uint32_t n_samples;
	char line[CDR_MAX_BYTES]; // the CDR that is being written
};

// core.c
struct control_trunk *core_trunk(const struct control *c, unsigned trunk); // NULL: no such trunk
// Settings of a trunk now; of one of its legs, whose call began with the snapshot at a place.
const struct config_timer *core_timer_config(const struct control *c, unsigned trunk);
const struct config_timer *core_leg_timer(const struct control *c, unsigned kept, unsigned trunk);
const char *core_trunk_name(const struct control *c, unsigned trunk);
// Identity of a call across workers and generations, never 0.
uint64_t core_call_key(unsigned worker, uint32_t call, uint32_t gen);
struct control_leg *core_leg(const struct control *c, unsigned worker, uint32_t call, uint32_t gen,
			     unsigned side); // NULL: nothing remembered
// The leg's record, made if there is none; NULL: no memory.
struct control_leg *core_leg_make(struct control *c, unsigned worker, const struct event *event);
void core_leg_free(struct control *c, struct control_leg *leg);
// Leave whatever queue the leg waits in and set its stage.
void core_leg_stage(struct control *c, struct control_leg *leg, enum leg_stage stage);
void core_due(struct control *c, struct control_leg *leg, bool due);
void core_order(struct control *c, unsigned worker, const struct order *order);
// 0 .. n - 1, reproducible from the seed.
uint32_t core_random(struct control *c, uint32_t n);
// One log line: printf-like text after the event's name.
void core_log(struct control *c, enum control_level level, const char *area, const char *format,
	      ...) __attribute__((format(printf, 4, 5)));
// The same about a leg: trunk, side and Call-ID are put behind.
void core_log_leg(struct control *c, enum control_level level, const char *area,
		  const struct control_leg *leg, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
static inline struct control_leg *core_leg_of_pace(struct heap_node *node)
{
	return (struct control_leg *)(void *)((char *)node - offsetof(struct control_leg, pace));
}

// refresh.c
void refresh_due(struct control *c, unsigned worker, const struct event *event);
void refresh_done(struct control *c, unsigned worker, const struct event *event);
void refresh_peer(struct control *c, unsigned worker, const struct event *event);
void refresh_retry(struct control *c, struct control_leg *leg); // its timer fired
// Nobody waits any longer for a refresh that is on its way: it counts as an attempt that was not
// answered, and in the trunk's counters as result (RETRY: another method takes its place).
void refresh_unanswered(struct control *c, struct control_leg *leg, enum refresh_result result);
const char *refresh_method_word(enum refresh_method method);
struct st_policy refresh_policy(const struct control *c, unsigned kept, unsigned trunk);
// What the next refresh of a leg will probably be sent by, with the settings given. leg: what is
// remembered of it, or NULL.
enum refresh_method refresh_expected(const struct control *c, const struct config_timer *timer,
				     const struct leg_view *view, const struct control_leg *leg);
// pace.c
void pace_submit(struct control *c, struct control_leg *leg);
void pace_run(struct control *c, struct control_trunk *trunk); // its timer fired
void pace_send(struct control *c, struct control_leg *leg);    // order now, whatever the budget
// release.c
void release_expired(struct control *c, unsigned worker, const struct event *event);
void release_max_duration(struct control *c, unsigned worker, const struct event *event);
// Refreshing a leg has failed for good before its session expired. event: the REFRESH_DONE that
// says so.
void release_failed(struct control *c, struct control_leg *leg, enum cause cause,
		    const struct event *event);
// learn.c
void learn_answered(struct control *c, unsigned worker, const struct event *event);
void learn_success(struct control *c, const struct control_leg *leg, const struct event *event);
void learn_no_update(struct control *c, const struct control_leg *leg, unsigned code);
// A session ended, or would have, because nothing refreshed it. leg: NULL if nothing is remembered.
void learn_failed(struct control *c, unsigned worker, const struct event *event,
		  const struct control_leg *leg, unsigned code);
void learn_peer(struct control *c, unsigned worker, const struct event *event);
void learn_record(struct control *c, const struct call_record *record);
void learn_life(struct control *c, unsigned id);
void learn_outage(struct control *c, unsigned id); // no peer of the trunk answers
void learn_publish(struct control *c, struct control_trunk *trunk);
// Whether session timers of this trunk, or of this User-Agent on it, are not to end calls now.
bool learn_is_observed(const struct control *c, unsigned kept, unsigned id, uint64_t agent);
// samples.c
void samples_forget(struct control *c, struct control_trunk *trunk);
// peers.c
void peers_configure(struct control *c, const struct config *old); // old: NULL at start
void peers_keepalive(struct control *c, struct control_peer *peer);
void peers_timer(struct control *c, struct control_peer *peer);
void peers_ping_done(struct control *c, const struct event *event);
void peers_invite_failed(struct control *c, const struct event *event);
