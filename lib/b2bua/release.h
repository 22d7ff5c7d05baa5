// SPDX-License-Identifier: BSD-3-Clause
// The end of calls.
#pragma once

#include "b2bua/inbound.h"

struct release {
	uint8_t cause;	     // enum cause
	uint8_t by;	     // enum release_by
	uint8_t side;	     // leg that the cause speaks of
	uint8_t method;	     // enum sip_method that it speaks of
	uint16_t code;	     // Reason: SIP;cause= on the BYEs that verge originates; 0 = none
	uint16_t why_code;   // response that the cause speaks of
	bool gone[2];	     // the peer of this leg knows already: no BYE
	struct slice reason; // the peer's own Reason value, which crosses (RFC 3326)
};

// End an answered call, or one in set-up: BYE, CANCEL or a final response on each leg that does not
// know yet; timers stop, the call record goes to control, the call's memory is given back as soon
// as no leg owes anything.
void release_call(struct engine *e, uint32_t call, const struct release *r);
// End a call in set-up: the caller gets `code`, the callee CANCEL. from: response or request whose
// headers cross, or NULL.
void release_unanswered(struct engine *e, uint32_t call, uint16_t code, enum cause cause,
			const struct sip_msg *from);
// ACK and BYE for a 2xx that nobody wants; text is its dialog.
void release_surplus(struct engine *e, struct txn *t, struct leg_text *text);
// A 2xx whose call is gone.
void release_late_2xx(struct engine *e, struct txn *t, const struct inbound *in);
// The peer's BYE.
unsigned release_bye(struct engine *e, struct inbound *in);
// The record of a caller's INVITE that never became a call.
void release_refused(struct engine *e, const struct inbound *in, enum cause cause, uint16_t code);
// A leg that owes its BYE may send it now: the ACK came, or another second has passed without
// memory.
void release_owed(struct engine *e, uint32_t call, unsigned side);
