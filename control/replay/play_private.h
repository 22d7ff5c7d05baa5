// SPDX-License-Identifier: BSD-3-Clause
// What play.c and answers.c share. One thread.
#pragma once

#include "control/replay/play.h"
#include "control/replay/rewrite.h"
#include "control/world.h"

#define PLAY_MESSAGE_MAX 65535
#define PLAY_HASH	 16384

struct queued;

// A request of verge and what was answered to it.
struct asked {
	struct asked *next;
	struct slice bytes, branch;
	uint32_t recorded; // index in the capture, or UINT32_MAX
	uint8_t method;
	struct slice answer; // final answer that was said
	bool cancelled;
};

struct leg {
	struct leg *next; // of the same hash
	struct recorded *rec;
	struct played_call *call; // NULL: outside calls
	struct slice call_id;	  // in the replay
	uint8_t lane;
	bool outgoing;			   // verge began it
	bool ended;			   // verge said BYE, or refused
	struct flow flow;		   // of the last message
	struct slice tags[ROLES_TAGS_MAX]; // verge's
	uint32_t n_tags;
	struct slice contact;  // verge's
	struct slice invite;   // last INVITE of the peer, as it was said
	struct slice answered; // branch of the last request of the peer that verge answered
	struct slice said;     // branch of the last ACK's INVITE, with its bytes in ack
	struct slice ack;
	uint32_t ack_cseq;
	uint32_t rseq_pracked;
	struct asked *asked; // latest first
	uint64_t *seen;	     // hashes of verge's messages
	uint32_t n_seen;
};

// A peer's message that waits for its time.
struct queued {
	struct queued *next;
	tick_t at;
	struct leg *leg; // NULL: outside all legs
	struct flow flow;
	struct slice bytes;
	bool assumed;
	struct asked *to; // the request that it answers
};

struct play {
	struct played *out;
	struct roles *roles;
	struct region *region; // of the replay
	const struct play_options *options;
	struct world world;
	struct leg *hash[PLAY_HASH];
	struct queued *queue; // by time
	uint8_t *used;	      // [messages of the capture]
	uint8_t room[PLAY_MESSAGE_MAX];
};

static inline const struct captured *play_captured(const struct play *p, uint32_t index)
{
	return &p->roles->capture->list[index];
}

// Time of the capture on the clock of the world, and back.
tick_t play_tick(const struct play *p, uint64_t us);
uint64_t play_us(const struct play *p);

struct leg *play_leg(struct play *p, struct slice call_id);
struct leg *play_new_leg(struct play *p, struct slice call_id, struct recorded *rec);
void play_queue(struct play *p, tick_t at, const struct queued *q);
// A row of the ladder.
void play_tell(struct play *p, const struct leg *leg, const struct sip_msg *m, bool out,
	       bool assumed);

// answers.c: what verge has sent; leg is known, m is new.
void answers_request(struct play *p, struct leg *leg, const struct sip_msg *m);
void answers_response(struct play *p, struct leg *leg, const struct sip_msg *m);
// verge repeats a request.
void answers_again(struct play *p, struct leg *leg, const struct sip_msg *m);
// A request outside calls: OPTIONS.
void answers_ping(struct play *p, const struct flow *flow, const struct sip_msg *m);
// What a request of the peer becomes in the replay.
void answers_rewrite(struct play *p, const struct leg *leg, const struct sip_msg *m,
		     struct slice rack, struct outbuf *o);
