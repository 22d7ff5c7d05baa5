// SPDX-License-Identifier: BSD-3-Clause
// The peers of the pipeline benchmark: callers and callees of PEERS_TRUNKS trunks each, as far as
// the benchmark's messages need them. What they send waits in a ring until the benchmark takes it.
// Thread: the one that runs the worker. Never timed.
#pragma once

#include <stdint.h>

#include "base/slice.h"

#define PEERS_TRUNKS	20
#define PEERS_MSG_BYTES 1400

enum peers_port { PEERS_ACCESS, PEERS_CORE };

struct peers_message {
	uint8_t port;  // enum peers_port
	uint8_t trunk; // 0 .. PEERS_TRUNKS - 1
	uint32_t len;
	char text[PEERS_MSG_BYTES];
};

// Make room for calls numbered modulo max_calls.
void peers_init(uint32_t max_calls);
// Session-Expires of both peers in calls that begin from now on; 1800 at first.
void peers_interval(uint32_t seconds);

// The time at which what follows happens, for delays; and who is told how long each message was
// under way from peer to peer. What concerns a call that others have pushed out is not told.
enum peers_kind { PEERS_SETUP, PEERS_IN_CALL }; // the INVITE that begins a call, all others
void peers_clock(uint64_t now_ns);
void peers_on_delay(void (*delay)(enum peers_kind kind, uint64_t ns));

// A call of the caller, and requests inside it. Calls are numbered from 0 as they begin.
uint64_t peers_invite(void);
void peers_bye(uint64_t call);
void peers_update(uint64_t call); // with Session-Expires, without a body
void peers_info(uint64_t call);

// A message of verge arrived at a peer, who may answer.
void peers_receive(enum peers_port port, unsigned trunk, struct slice message);

// The oldest message that is under way, or NULL; peers_take() removes it.
const struct peers_message *peers_next(void);
void peers_take(void);
uint32_t peers_waiting(void);

// Final answers that arrived at the callers (to requests inside calls) and callees' BYEs.
uint64_t peers_answered(void);
uint64_t peers_ended(void);
// verge's refreshes that were answered.
uint64_t peers_refreshed(void);
// Other messages that arrived at callers: refusals, and what a benchmark does not expect.
uint64_t peers_refused(void);
