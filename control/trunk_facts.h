// SPDX-License-Identifier: BSD-3-Clause
// What each trunk, and each User-Agent behind it, has shown to be able to do with session timers.
// A fact is concluded from distinct calls only: `learn` of the last `learn_of` calls must agree (5
// of 6), never one. Silence counts as evidence only once the trunk has shown life after it, so that
// an outage teaches nothing. Pure: no I/O, no clock, no allocation; who calls it logs the changes
// and sets struct trunk_live.
#pragma once

#include <stdbool.h>

#include "base/tick.h"
#include "msg/msg.h"
#include "session_timer/session_timer.h"

// FACT(id, "word", "what is counted as good; what as bad")
#define FACTS(FACT)                                                                      \
	FACT(TIMER, "timer", "the answer carried Session-Expires; it did not")           \
	FACT(UPDATE, "update",                                                           \
	     "UPDATE got a 2xx; 405, 501, or silence where re-INVITE then worked")       \
	FACT(INVITE, "invite",                                                           \
	     "re-INVITE got a 2xx; it was refused, or silence where UPDATE then worked") \
	FACT(REFRESH, "refresh",                                                         \
	     "a refresh by verge succeeded; the session ended because none did")         \
	FACT(PEER_REFRESH, "peer_refresh",                                               \
	     "the peer refreshed as it had to; it did not until the expiry")             \
	FACT(ROLE, "role", "uac/uas read per request; per dialog (the peer refreshed out of turn)")

enum fact_id {
#define FACT(id, word, help) FACT_##id,
	FACTS(FACT)
#undef FACT
		FACT_N
};

enum fact_state { FACT_UNKNOWN, FACT_SUPPORTED, FACT_PARTIAL, FACT_UNSUPPORTED };

#define FACT_CALLS_MAX	16 // calls that a window holds at most
#define FACT_AGENTS_MAX 8  // User-Agents told apart on a trunk; the one seen longest ago makes room

// One call's word on one fact.
struct fact_call {
	uint64_t call; // which one (control's key); 0 = free
	tick_t at;     // when it spoke
	uint16_t code; // the answer that says it; 0 = silence
	bool good;
	bool pending; // bad by silence, and no sign of life from the trunk since
};

struct fact {
	struct fact_call calls[FACT_CALLS_MAX]; // the last ones, newest at calls[newest]
	uint8_t newest;
	uint8_t state;	     // enum fact_state
	tick_t since;	     // of that state; 0 = from the start
	uint64_t good, bad;  // calls since the start or reset
	tick_t last_good_tk; // 0 = never
};

struct facts_row {
	uint64_t agent; // hash of User-Agent or Server; 0 = the whole trunk
	tick_t seen_tk;
	struct fact facts[FACT_N];
};

struct trunk_facts {
	struct facts_row all;
	struct facts_row agents[FACT_AGENTS_MAX]; // agent 0 = free
	tick_t life_tk;				  // last sign of life of the trunk
	tick_t outage_tk; // last time that no peer of it answered; 0 = never
	bool pending;	  // some evidence waits for a sign of life
	bool quarantined; // by what was learned
	uint8_t override; // enum control_override
	tick_t quarantined_since;
	uint32_t min_se_s; // learned from 422 and requests; 0 = nothing
	tick_t min_se_tk;  // when last seen
	uint32_t min_se_calls;
	uint64_t boundary[ST_BOUNDARY_N]; // BYEs of the peer on a boundary of the timer
	uint64_t unasked, unanswered_pings;
	uint64_t resets;
};

// Changes are told one by one; the caller keeps nothing of them.
struct facts_change {
	enum fact_id fact;
	uint64_t agent;
	enum fact_state from, to;
	unsigned good, bad, of; // the window that proves it
	char evidence[160];	// "silence,silence,200,…", newest first
};

// How sure it has to be, and who hears of changes.
struct facts_judge {
	unsigned n, m; // n of the last m distinct calls; n = 0: only watch
	void (*changed)(void *ctx, const struct facts_change *change);
	void *ctx;
};

const char *trunk_facts_word(enum fact_id fact);
const char *trunk_facts_help(enum fact_id fact);
const char *trunk_facts_state_word(enum fact_state state);

// One call's evidence, for the trunk and, if agent is not 0, for that agent. A call speaks once in
// a window: good stays good (who answered a refresh once can do it); a later good one overrules a
// bad one.
struct facts_observation {
	enum fact_id fact;
	uint64_t call, agent;
	bool good;
	uint16_t code; // 0 = silence
	tick_t since;  // silence: when it began
};
void trunk_facts_observe(struct trunk_facts *f, const struct facts_judge *judge,
			 const struct facts_observation *o, tick_t now);

// The trunk has answered or asked something: silence before it was not an outage.
void trunk_facts_life(struct trunk_facts *f, const struct facts_judge *judge, tick_t now);

// No peer of the trunk answers: silence around now is the outage's and proves nothing.
void trunk_facts_outage(struct trunk_facts *f, tick_t now);

// What is known about a fact for a leg: of its agent if that is concluded, else of the trunk.
enum fact_state trunk_facts_state(const struct trunk_facts *f, uint64_t agent, enum fact_id fact);
// The same of the agent alone: FACT_UNKNOWN when nothing is concluded about it.
enum fact_state trunk_facts_agent(const struct trunk_facts *f, uint64_t agent, enum fact_id fact);
// The last word of one call on a fact: 1 good, -1 bad, 0 none. A preference may follow it, a
// quarantine not.
int trunk_facts_last(const struct trunk_facts *f, uint64_t agent, enum fact_id fact);

// Forget all but the operator's override.
void trunk_facts_reset(struct trunk_facts *f);
