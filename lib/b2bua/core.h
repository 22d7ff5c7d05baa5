// SPDX-License-Identifier: BSD-3-Clause
// The engine's insides, shared by the files of this folder only.
// Thread: the worker that owns the engine. Every function here runs to its end within one input;
// each makes a bounded number of sends (OUTBOX_RESERVE an input).
#pragma once

#include "b2bua/budget.h"
#include "b2bua/call.h"
#include "b2bua/known.h"
#include "base/outbuf.h"
#include "config/config_kept.h"
#include "rules/rules.h"
#include "session_timer/session_timer.h"
#include "sip/build.h"
#include "sip/list.h"
#include "sip/name_addr.h"
#include "sip/numbers.h"
#include "sip/token.h"
#include "sip/uri.h"
#include "sip/via.h"
#include "stat/verdict.h"
#include "stat/violation.h"
#include "table/table.h"
#include "timer/wheel.h"

// Kinds of timers in the wheel: ids below 2 * calls are legs', the others transactions'.
enum timer_kind { TIMER_SESSION, TIMER_TRANSACTION, TIMER_KINDS };

#define ENGINE_HELD  4	  // calls that one input may change
#define SAMPLE_BYTES 2048 // of a message that is kept
#define SAMPLE_SLOTS 1024 // of (trunk, kind): two in one slot share its rate
struct sample {
	bool taken; // there is one, for the shell
	struct tap_head head;
	uint8_t bytes[SAMPLE_BYTES];
	tick_t last_tk[SAMPLE_SLOTS]; // 0 = never
};

struct engine {
	const struct config *config; // of new calls and of what belongs to none; W: this worker
				     // between inputs
	struct config_kept kept; // those that calls go by
	_Atomic uint32_t
		kept_calls[CONFIG_KEPT]; // that began with each; W: this worker, R: control
	bool has_rules, old_rules; // one of them has message rules; one that is not the present one
	struct engine_params p;
	struct call *calls;
	struct leg *legs; // [2 * calls]
	struct txn *txns;
	struct fork *forks;
	struct pool call_pool, txn_pool, fork_pool;
	struct table *leg_table; // Call-ID hash -> leg index
	struct table *txn_table; // branch hash -> server transaction
	struct wheel *wheel;	 // ids: legs, then transactions
	struct outbox out;
	struct txn_times times;
	uint64_t text_bytes;
	uint32_t bufs;
	uint32_t timers[TIMER_KINDS]; // armed now
	uint32_t n_held;
	uint32_t held[ENGINE_HELD]; // calls whose seq is odd now
	tick_t now;		    // of the input being handled
	tick_t out_of_tk;	    // last OUT_OF event
	bool stopping;		    // no new calls
	bool refusing;		    // nothing new at all: the worker has too much to do
	bool scarce;		    // no new calls: message buffers are few
	const struct rx *rx;	    // the message being handled, or NULL
	bool sampled;		    // it is the one in sample
	bool has_seen;		    // seen holds what rx says of session timers
	bool has_parties;	    // parties holds who calls whom in rx
	struct st_seen seen;
	struct sip_msg scratch;	 // a kept message, indexed again
	struct sip_buf *arrived; // of rx, while rules have put another message in its place
	struct {		 // what rules say of the call of the message being handled
		uint64_t labels;
		uint16_t flags; // enum leg_flag
		bool trace;
	} mark;
	struct compose_own own[COMPOSE_OWN]; // by port and family
	struct known_source sources[KNOWN_SOURCES];
	struct budget budgets[BUDGET_PLACES];
	struct known_parties parties;
	struct sip_msg composed, edited; // messages on which rules work
	struct sample sample;		 // violation.c
	uint8_t spare[4096]; // an answer being written while no buffer is left (compose.c)
};

// Arm or re-arm the timer `id`; TICK_NEVER disarms it.
static inline void engine_arm(struct engine *e, uint32_t id, tick_t at)
{
	uint32_t *armed = &e->timers[id < 2 * e->p.calls ? TIMER_SESSION : TIMER_TRANSACTION];

	*armed -= wheel_armed(e->wheel, id);
	if (at == TICK_NEVER)
		wheel_cancel(e->wheel, id);
	else
		wheel_arm(e->wheel, id, at);
	*armed += at != TICK_NEVER;
}

// --- records (records.c)

static inline struct leg *engine_leg(struct engine *e, uint32_t call, unsigned side)
{
	return &e->legs[2 * call + side];
}

static inline struct leg_text *leg_text_of(const struct leg *leg)
{
	// relaxed: this thread wrote it
	return atomic_load_explicit(&leg->text, memory_order_relaxed);
}

// The record for writing: readers see it change until the input ends.
struct call *engine_hold(struct engine *e, uint32_t call);
void engine_release_held(struct engine *e);

// A call with two empty legs; POOL_NONE when none is left.
uint32_t call_new(struct engine *e);
// Give everything back: texts, forks, keys, timers. Transactions go on by themselves.
void call_free(struct engine *e, uint32_t call);

// Text blocks: build one from parts (NULL when memory is out), share it, drop a share.
struct leg_text *text_new(struct engine *e, const struct leg_text_parts *parts);
struct leg_text *text_ref(struct leg_text *t);
void text_put(struct engine *e, struct leg_text *t);
// Replace a leg's block; the old share is dropped. NULL leaves the leg without one.
void leg_set_text(struct engine *e, struct leg *leg, struct leg_text *t);

struct sip_buf *buf_get(struct engine *e, uint32_t size);
struct sip_buf *buf_ref(struct engine *e, struct sip_buf *b);
void buf_put(struct engine *e, struct sip_buf *b);

// Early dialog `number` of a call; NULL if there is none.
struct fork *fork_find(struct engine *e, const struct call *c, uint8_t number);
struct fork *fork_of_tag(struct engine *e, const struct call *c, struct slice remote_tag);
struct fork *fork_new(struct engine *e, uint32_t call, struct leg_text *text);
void forks_free(struct engine *e, struct call *c);

// Tag of a leg (side A: of one early dialog) as text, TOKEN_LEN bytes.
void leg_put_tag(struct engine *e, struct outbuf *o, uint32_t call, unsigned side, uint8_t fork);
uint64_t leg_token(const struct engine *e, uint32_t call, unsigned side, uint8_t fork);

// Arm the wheel for whatever of the leg's session timer comes next.
void leg_arm(struct engine *e, uint32_t call, unsigned side);

static inline struct msg_about txn_about(const struct txn *t)
{
	return (struct msg_about){t->call, t->call_gen, t->trunk, t->side};
}

// --- output (output.c)

// Send a buffer (a reference is taken) and count it.
void engine_send(struct engine *e, struct sip_buf *b, const struct flow *flow,
		 const struct msg_about *about, bool again);
struct event *engine_event(struct engine *e, enum event_type type, uint32_t call, unsigned side);
void engine_out_of(struct engine *e, enum out_of what);
void leg_timer_view(const struct leg *leg, struct msg_timer *timer);

#include "b2bua/leg.h"
