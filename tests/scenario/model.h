// SPDX-License-Identifier: BSD-3-Clause
// The model test: random peers around verge for millions of virtual call-hours, and what must hold
// whatever they do. One thread of a test program.
#pragma once

#include <stdio.h>

#include "automatic.h"
#include "conf.h"
#include "lint.h"

#define MODEL_CALLS_MAX 24 // at once
#define MODEL_ERROR_MAX 4096

// What kind of user agent a peer is, for one episode.
struct model_traits {
	uint32_t se_s;		   // what it asks for or answers with; 0 = knows no timers
	uint32_t min_se_s;	   // below it: 422; 0 = takes anything
	bool update;		   // lists UPDATE in Allow
	uint16_t refuses_update;   // status with which it refuses UPDATE without SDP; 0 = takes it
	bool refreshes_by_update;  // as refresher
	bool flips;		   // reads uac/uas per dialog: refreshes although verge does
	bool refuses_change;	   // 488 to each change of media
	bool forgets_se;	   // its 2xx to refreshes have no Session-Expires
	bool names_refresher;	   // in its requests
	bool wants_uas;		   // as refresher, where it may choose
	bool offerless;		   // its re-INVITEs have no body
	bool offerless_calls;	   // its INVITEs neither
	bool reliable;		   // 100rel, as caller and as callee
	bool forks;		   // as callee: two phones ring, and both may answer
	uint16_t challenges;	   // 401 or 407 to INVITE and UPDATE without credentials; 0 = never
	tick_t answers_after;	   // thinks so long before it answers in-dialog INVITEs
	tick_t rings;		   // before it answers a call
	uint16_t refuses_calls;	   // one call in three with this status; 0 = none
	unsigned actions_per_hour; // re-INVITE, UPDATE, INFO
};

// A response that is sent again until something stops it: T1, doubling.
struct model_repeat {
	const uint8_t *bytes; // NULL = none
	uint32_t len;
	tick_t since, next;
};

#define MODEL_LOSSES 16

// One call as the model sees it, from the first INVITE until both sides are rid of it.
struct model_call {
	bool used, answered, ended, cancelled;
	bool refused;		      // the callee would not have it
	struct model_repeat reliable; // 183 that waits for its PRACK
	struct model_repeat surplus;  // 2xx of the fork that loses: until its ACK
	const char *surplus_tag;      // NULL = there is none
	bool surplus_bye;	      // verge has ended that dialog
	tick_t lost_at[MODEL_LOSSES]; // ring: packets of the call that were lost
	unsigned n_lost;
	uint32_t judged[2];  // CSeq number of the peer's last request whose 2xx was judged
	unsigned unheard[2]; // packets that verge sent to this side since it died
	unsigned id;
	struct dialog *side[2];
	tick_t started, answered_at, hangup_at, next_action, cancel_at;
	bool bye[2]; // that peer hung up
};

// How long the sessions of an episode last between refreshes.
enum model_kind { MODEL_SHORT, MODEL_MEDIUM, MODEL_LONG, MODEL_KINDS };

struct model {
	enum model_kind kind;
	struct arena arena;
	struct network net;
	struct lint lint;
	struct model_traits traits[2];
	struct model_call call[MODEL_CALLS_MAX];
	unsigned next_id;
	bool dead[2];
	tick_t dies_at[2]; // TICK_NEVER: lives
	unsigned nonce[2]; // that a peer challenges with
	tick_t nonce_tk[2];
	bool draining;	   // the peers' dialogs are forgotten already
	bool rules;	   // message rules on the trunks
	bool lossy;	   // so much loss that whole transactions may be lost
	uint64_t hours_us; // sum of call time
	uint64_t calls, refreshes, drops_justified;
	char error[MODEL_ERROR_MAX]; // "" = nothing violated yet
	FILE *trace;		     // NULL = none
};

__attribute__((format(printf, 2, 3))) void model_fail(struct model *m, const char *format, ...);
struct model_call *model_call_of(struct model *m, const struct dialog *d);
unsigned model_side(const struct model *m, const struct peer *p);

// model_call.c: before the answer, and challenges at any time.
// Refuse a request for want of credentials; true if it was.
bool model_challenge(struct model *m, struct dialog *d, struct got *g);
// The callee rings: 180, or reliable 183, by one phone or two.
void model_ring(struct model *m, struct dialog *d, struct got *g);
// Another phone answers too, just before or just behind the one whose 200 is g->reply.
void model_answer_twice(struct model *m, struct dialog *d, struct got *g);
void model_stop_ringing(struct model *m, const struct dialog *d);
// A request to the callee that concerns one of these. True: nothing else is to be done.
bool model_took_early(struct model *m, struct dialog *d, struct got *g);
// The caller got a reliable provisional response.
void model_prack(struct model *m, struct dialog *d, const struct wire *w);
// The callee may answer: no PRACK is awaited.
bool model_may_answer(const struct model *m, const struct dialog *d);
// Whether a BYE of verge ends the answer that came second; once a call.
bool model_judge_surplus(struct model *m, struct model_call *call, struct dialog *d,
			 const struct wire *bye);
// What has to be sent again at `now`; and when something has.
void model_repeat_run(struct model *m, struct model_call *call, tick_t now);
tick_t model_repeat_next(const struct model_call *call);

// model_rules.c: random rules in the configuration; what is wrong with a message that left, or
// NULL.
void model_rules_choose(struct model *m, struct conf *c);
const char *model_rules_judge(struct model *m, struct peer *to, const uint8_t *bytes, uint32_t len,
			      const struct wire *w);

// model_agent.c: the peers.
void model_respond(struct model *m, struct dialog *d, struct got *g, int status, const char *line);
void model_agent_choose(struct model *m, struct model_traits *t);
// A new call of peer 0.
void model_agent_call(struct model *m, struct model_call *call);
// Something reached a peer.
void model_agent_arrived(struct model *m, struct peer *p, struct arrival *arrival);
// What is due for the peers at `now`; and when something is.
void model_agent_run(struct model *m, tick_t now);
tick_t model_agent_next(struct model *m);
