// SPDX-License-Identifier: BSD-3-Clause
// Transactions of the engine: records of the state tables of lib/transaction, one for each request
// of a peer and each of ours. Thread: the owning worker.
#pragma once

#include "b2bua/inbound.h"

// What a client transaction is for, and so who hears of its responses.
enum txn_role {
	TXN_NONE,
	TXN_SETUP,   // the INVITE that builds the egress leg
	TXN_RELAY,   // a request of the other leg's peer, passed on
	TXN_REFRESH, // UPDATE or re-INVITE of ours
	TXN_BYE,
	TXN_CANCEL,  // nobody waits for the answer
	TXN_PING,    // OPTIONS to a trunk's peer
	TXN_REOFFER, // re-INVITE of ours that carries a late answer to the other leg
};

// A server transaction for a request that has none yet; keeps the request until its final response.
// call may be POOL_NONE. NULL: none left, counted.
struct txn *txn_new_server(struct engine *e, struct inbound *in, enum sip_method method,
			   uint32_t call, unsigned side);
// A client transaction, not started: the caller sets cseq, flow and sent. NULL: none left, counted.
struct txn *txn_new_client(struct engine *e, enum sip_method method, enum txn_role role,
			   uint32_t call, unsigned side);
// Our BYE answers for its dialog as long as it lives: the peer's own BYE, crossing it, is not
// unknown (RFC 5407 s3.2). token: leg_token() of the dialog.
void txn_stand_for_dialog(struct engine *e, struct txn *t, uint64_t token);
bool txn_stands_for_dialog(struct engine *e, uint64_t token);
// t is the INVITE that begins a call: as long as it lives, the same request by another way (same
// Call-ID, From tag and CSeq, another branch) is a merged one (RFC 3261 s8.2.2.2).
void txn_note_initial(struct engine *e, struct txn *t, const struct inbound *in);
bool txn_is_merged(struct engine *e, const struct inbound *in);
// Send the request and start the timers.
void txn_start(struct engine *e, struct txn *t);
void txn_free(struct engine *e, struct txn *t);

uint32_t txn_index(const struct engine *e, const struct txn *t);
// By index and the low 16 bits of its generation; NULL if it is another's by now.
struct txn *txn_at(struct engine *e, uint32_t index, uint32_t gen);
// The call that it belongs to; NULL when that is gone.
struct call *txn_call(struct engine *e, const struct txn *t);
// The snapshot that it goes by: its call's, or the present one.
const struct config *txn_config(const struct engine *e, const struct txn *t);
// A request that crosses: the peer's transaction and ours on the other leg know each other.
void txn_join(struct engine *e, struct txn *server, struct txn *client);
struct txn *txn_pair(struct engine *e, const struct txn *t);
// By branch, sent-by and method (RFC 3261 s17.2.3); key: inbound.key.
struct txn *txn_find_server(struct engine *e, uint64_t key, enum sip_method method);
// Start loading what txn_find_server(), txn_stand_for_dialog() will read.
void txn_prefetch_server(const struct engine *e, uint64_t key, enum sip_method method);
void txn_prefetch_dialog(const struct engine *e, uint64_t token);
struct txn *txn_for_method(struct engine *e, struct txn *t, enum sip_method method);
// Text of our Via branch.
void txn_put_branch(struct engine *e, struct outbuf *o, const struct txn *t);
// The kept request of a server transaction, indexed (compose.c); NULL once it was answered.
const struct sip_msg *txn_request(struct engine *e, const struct txn *t);

// Send a response; the caller's reference on b passes. b may be NULL (no buffer left): the state
// moves on. A final response gives the kept request back.
void txn_respond(struct engine *e, struct txn *t, struct sip_buf *b, uint16_t code);
// reliable: sent again until txn_pracked() (RFC 3262 s3).
void txn_respond_provisional(struct engine *e, struct txn *t, struct sip_buf *b, uint16_t code,
			     bool reliable);
void txn_pracked(struct engine *e, struct txn *t);
// The request came again; the ACK of our refusal came; the ACK of our 2xx came.
void txn_retransmitted(struct engine *e, struct txn *t, struct inbound *in);
void txn_refused_ack(struct engine *e, struct txn *t);
void txn_acked(struct engine *e, struct txn *t);

// A response for it: state, ACK of refusals, and the call logic by role.
void txn_response(struct engine *e, struct txn *t, struct inbound *in);
// CANCEL an INVITE of ours, at once or as soon as that is legal.
void txn_cancel(struct engine *e, struct txn *t);
// Nobody waits for this INVITE any more: CANCEL, and its end 64*T1 later even if there was no
// memory for a CANCEL.
void txn_abandon(struct engine *e, struct txn *t);
// The network says that nobody is there (RFC 3261 s8.1.3.1). An INVITE that begins a call goes on
// to the next peer at once, a ping has failed. False: that is no news, or in a dialog, where the
// timers decide: what is unreachable now may be reached by the next retransmission.
bool txn_unreachable(struct engine *e, struct txn *t);
// Its timer is due.
void txn_expire(struct engine *e, uint32_t index);
