// SPDX-License-Identifier: BSD-3-Clause
// Legs and their texts: session timer, where the peer is reached, what messages say. A part of
// core.h, which includes it. Thread: the owning worker.
#pragma once

#include "b2bua/call.h"

// --- legs (leg.c)

// The snapshot that a leg goes by, and its profile in it.
const struct config *leg_config(const struct engine *e, const struct leg *leg);
const struct config_profile *leg_profile(const struct engine *e, const struct leg *leg);
// The session timer settings of a leg, with what control has learned about its trunk.
void leg_read_policy(const struct engine *e, const struct leg *leg, struct st_policy *policy);
// Spreads refreshes; the same for the life of the leg.
uint32_t leg_jitter(const struct engine *e, uint32_t call, unsigned side);
// The timer that a 2xx of ours sets on the leg now; its headers.
struct st_headers leg_answer_timer(struct engine *e, uint32_t call, unsigned side,
				   const struct st_seen *seen, unsigned flags);
// The timer that a 2xx of the peer sets on the leg now.
void leg_take_timer(struct engine *e, uint32_t call, unsigned side,
		    const struct st_headers *offered, const struct sip_msg *answer);
// Headers of a request of ours on the leg.
struct st_headers leg_offer_timer(struct engine *e, uint32_t call, unsigned side, unsigned flags);
// Count the leg in the gauges of its trunk as its timer stands now.
void leg_count_timer(struct engine *e, struct leg *leg, bool answered);
// ring_timeout of the leg's profile; 0 = none.
tick_t leg_ring_timeout(const struct engine *e, const struct leg *leg);
void leg_stop_timer(struct engine *e, struct leg *leg);
// Remember what any message of the dialog says of the peer's abilities (RFC 3261 s20.5).
void leg_learn(struct engine *e, struct leg *leg, const struct sip_msg *msg);
// What a message says of session timers; of the one being handled it is read once. The result is
// good until the next call.
const struct st_seen *leg_seen(struct engine *e, const struct sip_msg *msg);
// Option tags in Supported and in Require, SIP_OPTION_BIT.
uint32_t leg_supported(const struct engine *e, const struct sip_msg *msg);
uint32_t leg_required(const struct engine *e, const struct sip_msg *msg);
// A hash of User-Agent or Server; 0 when the message has neither.
uint64_t leg_agent(const struct engine *e, const struct sip_msg *msg);
// Where requests of this dialog go: the next hop if it is an address that the trunk owns, else
// where the peer was seen (RFC 3261 s12.2.1.1; RFC 3581).
void leg_aim(struct engine *e, struct leg *leg, const struct leg_text *text);
// The same where a text takes the place of another one that the leg was aimed by.
void leg_aim_again(struct engine *e, struct leg *leg, const struct leg_text *before,
		   const struct leg_text *text);
// The trunk whose source an address is, on the port of the flow; -ENOENT.
int leg_trunk_of(struct engine *e, const struct flow *flow);
// The same, and where engine.budgets has the source; not set if it is of no trunk.
int leg_source_of(struct engine *e, const struct flow *flow, uint16_t *budget);
// What rx says is read once: it was not yet, or rules have changed it.
static inline void engine_forget_read(struct engine *e)
{
	e->has_seen = e->has_parties = false;
}
void leg_owe_ack(struct leg *leg, uint32_t cseq);
bool leg_txn_open(const struct engine *e, uint32_t txn);
// Our 2xx to the peer's last INVITE has no ACK yet.
bool leg_awaits_ack(const struct engine *e, const struct leg *leg);

// --- text (text.c)

// A new block made from another one and a message; NULL when memory is out.
struct leg_text *text_of_response(
	struct engine *e, const struct leg_text *base, const struct sip_msg *msg,
	struct slice remote_tag); // an answer that makes the dialog: tag, target, routes, body
struct leg_text *text_of_target(struct engine *e, const struct leg_text *base,
				const struct sip_msg *msg);
struct leg_text *text_of_change(struct engine *e, const struct leg_text *base,
				const struct sip_msg *msg); // target, body
struct leg_text *text_of_body(struct engine *e, const struct leg_text *base,
			      const struct sip_msg *msg);
// The body of a message, if it has one, as the parts' stored body.
void text_set_body(struct leg_text_parts *parts, const struct sip_msg *msg);
bool text_is_sdp(struct slice content_type); // empty stands for application/sdp
