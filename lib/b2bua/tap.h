// SPDX-License-Identifier: BSD-3-Clause
// Which messages somebody wants a copy of: a running trace, and trunks that export or keep theirs.
// A call is taken as a whole, both legs, from its first message on.
#pragma once

#include "b2bua/engine.h"
#include "msg/tap.h"

#define TAP_CALL_IDS	2
#define TAP_CALL_ID_MAX 256
#define TAP_NUMBER_MAX	64
#define TAP_ANY_TRUNK	UINT16_MAX

// Immutable while workers use it. All restrictions of a trace must hold at once.
struct tap_filter {
	bool tracing;
	bool marked;	// only calls that a rule marked
	uint16_t trunk; // one of the call's legs; TAP_ANY_TRUNK
	uint8_t n_call_ids;
	uint16_t call_id_len[TAP_CALL_IDS]; // of either leg
	char call_id[TAP_CALL_IDS][TAP_CALL_ID_MAX];
	char number[TAP_NUMBER_MAX];	     // "" = any; start of the calling or called user
	bool trunks;			     // some trunk wants something:
	uint8_t of_trunk[CONFIG_MAX_TRUNKS]; // enum tap bits
};

// Who wants the messages of a call: enum tap bits. Thread: the engine's worker, after the input
// that brought the message. Of a call that ended in that input only the trunks are left.
// *known: the call is there, and its leg is that of the message.
unsigned engine_tap(const struct engine *e, const struct tap_filter *f,
		    const struct msg_about *about, bool *known);
// The same by what a message says itself. message: valid or not. known: as engine_tap() found; then
// only an INVITE is read for numbers, because rules may have changed what its leg has of them.
unsigned tap_message(const struct tap_filter *f, const struct msg_about *about,
		     struct slice message, bool known);

// A rule's action `trace`: the call's messages are wanted by a trace of marked calls and by HEP.
// Thread: the engine's worker, inside an input.
void engine_mark_traced(struct engine *e, uint32_t call);
