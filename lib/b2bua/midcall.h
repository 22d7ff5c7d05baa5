// SPDX-License-Identifier: BSD-3-Clause
// Requests inside a dialog: those of peers (midcall.c), what comes back for those that crossed
// (relay.c), and session refreshes (refresh.c). Thread: the owning worker.
#pragma once

#include "b2bua/inbound.h"

unsigned midcall_request(struct engine *e, struct inbound *in);
// Answer a request in a dialog with a code, in a transaction of its own.
unsigned midcall_refuse(struct engine *e, struct inbound *in, uint16_t code);
// Pass a request on to the other leg's peer. text: the dialog there; lines: header lines that go
// with it.
unsigned midcall_cross(struct engine *e, struct inbound *in, struct leg_text *text,
		       struct slice lines);
// Send once more what crossed, after 422 or a challenge; lines: credentials. False: it cannot be.
bool midcall_resend(struct engine *e, struct txn *from, const struct txn *t, struct slice lines);

unsigned midcall_ack(struct engine *e, struct inbound *in);
void midcall_response(struct engine *e, struct txn *t, struct inbound *in);
void midcall_timeout(struct engine *e, struct txn *t);
// The peer cancelled its re-INVITE.
void midcall_cancel(struct engine *e, struct txn *t);
// ACK for a 2xx to client transaction t; from: the other leg's ACK whose body crosses, or NULL.
void midcall_send_ack(struct engine *e, struct txn *t, const struct leg_text *text,
		      const struct sip_msg *from);
// The same in the dialog of another 2xx to t, which stays unacknowledged itself.
void midcall_put_ack(struct engine *e, struct txn *t, const struct leg_text *text,
		     const struct sip_msg *from);
// The peer repeats its 2xx: our ACK was lost.
void midcall_ack_again(struct engine *e, struct txn *t);

// True: the request changes neither media nor identity, so the other leg need not hear of it.
bool refresh_is_local(struct engine *e, const struct inbound *in, const struct leg_text *stored);
unsigned refresh_answer(struct engine *e, struct inbound *in);
// The answer in the ACK of an offerless re-INVITE that was answered here.
void refresh_late_answer(struct engine *e, struct inbound *in);
// Tell a leg's peer by re-INVITE what the other leg's peer has changed; again a little later if it
// cannot be now.
void refresh_reoffer(struct engine *e, uint32_t call, unsigned side);
// Tell control that a session was refreshed otherwise than by its order. method: the peer's, or
// SIP_METHOD_NONE when it was a request that crossed from the other leg.
void refresh_event_received(struct engine *e, uint32_t call, unsigned side, enum sip_method method,
			    uint16_t code);
void refresh_order(struct engine *e, const struct order *order);
void refresh_response(struct engine *e, struct txn *t, struct inbound *in);
void refresh_timeout(struct engine *e, struct txn *t);

// OPTIONS to verge, answered here; OPTIONS of ours to a trunk's peer (local.c).
unsigned local_options(struct engine *e, struct inbound *in);
void keepalive_order(struct engine *e, const struct order *order);
void ping_order(struct engine *e, const struct order *order);
void ping_response(struct engine *e, struct txn *t, uint16_t code);

// Credentials for a 401 or 407 to client transaction t as a header line. False: none, or the same
// were refused.
#define AUTHORIZE_ROOM 1024
bool authorize(struct engine *e, struct outbuf *o, const struct txn *t,
	       const struct sip_msg *response);
// Keep the challenge that authorize() has answered, for the next refresh of the leg (RFC 7616
// s3.3).
void authorize_keep(struct engine *e, const struct txn *t, const struct sip_msg *response);
// Credentials for the challenge that was kept, nc one higher. False: there is none.
bool authorize_known(struct engine *e, struct outbuf *o, const struct txn *t);
