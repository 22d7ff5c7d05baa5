// SPDX-License-Identifier: BSD-3-Clause
// The calls of the generator: a caller on access and a callee on core each, found by the token that
// every request's user, every branch and every tag of theirs carries.
// Thread: the generator's only one.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "message.h"
#include "wire.h"

#define NEVER	    UINT32_MAX
#define NO_LEG	    UINT32_MAX
#define TAG_ROOM    32
#define TARGET_ROOM 56
#define ID_ROOM	    64

enum leg_state {
	LEG_IDLE,
	LEG_CALLING,  // caller: INVITE sent
	LEG_ANSWERED, // callee: 2xx sent, no ACK yet
	LEG_UP,
	LEG_ENDING, // caller: BYE sent
	LEG_OVER,
};

// Legs 2c and 2c + 1 are the caller and the callee of call c.
struct leg {
	uint32_t next, prev; // in a slot of the calendar
	uint32_t parked_ms;  // of that slot; NEVER: in none
	uint32_t due_ms;     // when to look at it again; NEVER: not
	uint32_t cseq;	     // of the last request of its own
	uint32_t first_ms;   // first transmission of what is open
	uint32_t end_ms;     // caller: when to send BYE; NEVER: not
	uint32_t turn;	     // callee: of its INVITE (message.h)
	uint8_t state;
	uint8_t open;  // letter of the request that waits for an answer; ANSWERED: the 2xx
	uint8_t tries; // transmissions of what is open
	uint8_t host;
	bool provisional, silent;
	uint8_t tag_len, target_len, id_len;
	uint64_t sent_tk;    // TSC of the first transmission, of what was sent last
	uint64_t planned_tk; // TSC that verge's next refresh is expected at; 0: not expected
	char tag[TAG_ROOM], target[TARGET_ROOM], call_id[ID_ROOM]; // verge's; Call-ID: of callees
};

struct call {
	uint32_t next_free;
	uint16_t gen;
	bool used, lost, failed;
};

struct knobs {
#define KNOB(name, start, unit, help) uint64_t name;
#include "counts.def"
};

struct counts {
#define COUNT(name, help) uint64_t name;
#include "counts.def"
};

struct delays {
#define DELAY(name, help) struct hist name;
#include "counts.def"
};

#define SPREAD_BIN_MS 100
#define SPREAD_BINS   6000

struct generator {
	struct knobs knobs;
	struct counts counts;
	struct delays delays;
	uint32_t spread[SPREAD_BINS]; // refreshes of verge by 100 ms since the counts were zeroed
	uint32_t spread_start_ms;
	uint32_t max_calls, used, up; // calls; used: not free; up: caller has its 2xx, no BYE yet
	uint32_t turn;		      // the newest that an INVITE had
	struct call *calls;
	struct leg *legs;
	uint64_t now_tk; // TSC at the start of this round
	uint32_t now_ms;
	uint64_t tk_per_ms, start_tk;
};

extern struct generator gen;

static inline uint64_t calls_ns(uint64_t tk)
{
	return tk * 1000 / (gen.tk_per_ms / 1000);
}

// Room for as many calls; -ENOMEM.
int calls_init(uint32_t max_calls);
// A datagram arrived at a peer.
void calls_datagram(enum wire_side side, const struct wire_datagram *d);
// What is due by now.
void calls_timers(void);
// New calls, requests and BYEs by the rates that are set.
void calls_pace(void);
// Forget what the pace has saved up: a rate was changed.
void calls_pace_anew(void);

// How many events of a rate are due since the last question; at most 64 at once.
struct pace {
	uint64_t next_tk;
};
unsigned pace_due(struct pace *p, uint64_t rate, uint64_t *behind);

// --- calendar.c: each leg is in at most one slot of 1 ms; moved only to become earlier
int calendar_init(void);
void calendar_arm(uint32_t leg, uint32_t due_ms);
// The next leg that is due, or NO_LEG.
uint32_t calendar_next(void);

// --- flood.c
void flood_init(void);
void flood_pace(void);
