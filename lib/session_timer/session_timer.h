// SPDX-License-Identifier: BSD-3-Clause
// Session timers of one leg (RFC 4028): what to offer, what to answer, who refreshes, when, and
// what the outcome of a refresh means. Pure: a function of (profile, what the message says, leg
// state, now). One thread owns a leg's state; legs know nothing of each other (ST-79). Never reads
// a clock, never allocates, never fails on any input.
#pragma once

#include <assert.h>

#include "base/tick.h"
#include "sip/message.h"

#define ST_FLOOR_S	   90 // the least interval and Min-SE there is (ST-03, ST-06)
#define ST_EXPIRY_MARGIN_S 32 // ST-74, default

// The first five follow the words of lib/config/choices.def, in the same order.
enum st_mode { ST_MODE_OFF, ST_MODE_OBSERVE, ST_MODE_SUPPORTED, ST_MODE_REQUIRED };
enum st_prefer { ST_PREFER_AUTO, ST_PREFER_LOCAL, ST_PREFER_REMOTE, ST_PREFER_UAC, ST_PREFER_UAS };
enum st_method_choice { ST_CHOOSE_AUTO, ST_CHOOSE_UPDATE, ST_CHOOSE_INVITE };
enum st_failure_policy { ST_FAILURE_RFC4028, ST_FAILURE_RFC5057 };
enum st_unasked { ST_UNASKED_ACCEPT, ST_UNASKED_IGNORE };

enum st_role { ST_ROLE_NONE, ST_ROLE_LOCAL, ST_ROLE_REMOTE }; // who refreshes this leg
enum st_refresher {
	ST_REFRESHER_NONE,
	ST_REFRESHER_UAC,
	ST_REFRESHER_UAS
}; // parameter of one transaction

enum st_by {
#define ST_BY(id, word, sentence) ST_BY_##id,
#include "session_timer/st_by.def"
	ST_BY_N
};

// What a profile says, with what control has learned about the trunk.
struct st_policy {
	uint32_t interval_s;	   // proposed as UAC; the most accepted as UAS
	uint32_t min_interval_s;   // our Min-SE, at least ST_FLOOR_S
	uint32_t max_interval_s;   // the most we go along with when a peer's Min-SE asks for more
	uint32_t learned_min_se_s; // what 422s of this trunk taught; 0 = nothing (ST-17)
	uint16_t refresh_at_pm;	  // refresh point, thousandths of the interval, at most 500 (ST-26)
	uint16_t jitter_pm;	  // thousandths of the interval by which it may come earlier
	uint16_t expiry_margin_s; // ended this long before expiry, at most a third of it (ST-74)
	uint8_t max_422;	  // requests repeated after 422, per call (P6)
	uint8_t mode;		  // enum st_mode
	uint8_t prefer;		  // enum st_prefer
	uint8_t method;		  // enum st_method_choice
	uint8_t unasked;	  // enum st_unasked
	uint8_t failure_policy;	  // enum st_failure_policy
	bool insert;		  // ask for a timer although the other leg has none
	bool midcall_activation;  // a timer may begin on a leg that was answered without one
	bool no_update, no_invite; // learned: this trunk does not answer that method
};

enum st_leg_flag {
	ST_LEG_PEER_TIMER = 1,	 // the peer lists the option tag timer
	ST_LEG_PEER_ALLOW = 2,	 // peer_allow is known (RFC 3261 s20.5: absent means nothing)
	ST_LEG_BOTH = 4,	 // the peer refreshes although we are the refresher (P5)
	ST_LEG_UNASKED = 8,	 // the peer imposed the timer (P3)
	ST_LEG_SHORTENED = 16,	 // the peer lowered the interval mid-call (ST-76)
	ST_LEG_ESTABLISHED = 32, // a 2xx to INVITE was sent or received: what follows is mid-call
	ST_LEG_WE_INVITED = 64,	 // we sent the INVITE that began the leg
	ST_LEG_NO_SE = 128,	 // a 422 could not be satisfied: no Session-Expires any more (P6)
};

// A leg's timer. All zero is a leg before its first INVITE; set ST_LEG_WE_INVITED on egress legs.
struct st_leg {
	tick_t refresh_tk;   // when we refresh; TICK_NEVER or meaningless unless role is local
	tick_t expiry_tk;    // when the session ends (ST-24, ST-67); without the margin
	tick_t last_ok_tk;   // last 2xx to INVITE or UPDATE, sent or received; 0 = none
	uint32_t se_s;	     // agreed interval; 0 = no timer
	uint32_t min_se_s;   // the largest Min-SE seen on this dialog (ST-30, ST-32); 0 = none
	uint16_t peer_allow; // SIP_METHOD_BIT of the peer's Allow
	uint8_t role;	     // enum st_role; NONE if and only if se_s is 0
	uint8_t flags;	     // enum st_leg_flag
	uint8_t by;	     // enum st_by
	uint8_t flips;	     // refreshes of the peer while we were the refresher, saturated
	uint8_t tries_422;   // requests repeated after 422
	uint8_t floods;	     // refreshes of the peer refused one after the other, saturated
	tick_t allowance_tk; // up to when the refreshes taken have used the peer's allowance
			     // (ST-78)
};
static_assert(sizeof(struct st_leg) == 48,
	      "a leg's timer shares a cache line with its proof of life");
static_assert(SIP_METHOD_N <= 16, "peer_allow has 16 bits");

// What a message says about timers.
struct st_seen {
	uint32_t se_s;	   // as written; valid if has_se
	uint32_t min_se_s; // as it counts: at least ST_FLOOR_S (ST-06); 0 = none
	uint32_t allow;	   // SIP_METHOD_BIT; valid if has_allow
	uint8_t refresher; // enum st_refresher
	bool has_se, has_allow;
	bool supported, required; // timer
	bool bad; // Session-Expires or Min-SE that cannot be read or breaks the RFC: counted (P7)
};

// What goes into a message of ours. Zero fields: the header is not there.
struct st_headers {
	uint32_t se_s;	   // Session-Expires
	uint32_t min_se_s; // Min-SE
	uint8_t refresher; // enum st_refresher
	bool supported;	   // Supported: timer (ST-11)
	bool require;	   // Require: timer
	uint8_t flags;	   // enum st_request_flag that st_offer() was given
};

enum st_request_flag {
	ST_INITIAL = 1,	     // the INVITE that begins the leg
	ST_OTHER_TIMER = 2,  // the other leg's peer asked for a timer, or that leg has one
	ST_REFRESH_ONLY = 4, // nothing but the session is refreshed: answered here, not relayed
	ST_CROSSED = 8,	     // ours: while it was out, a request of the peer's got our 2xx
};

// Read an INVITE or UPDATE, a 2xx to one, or a 422. What cannot be read counts as absent (P7, P25).
void st_read(struct st_seen *seen, const struct sip_msg *m);
// The same from what the three lists hold: SIP_OPTION_BIT, SIP_METHOD_BIT.
void st_read_listed(struct st_seen *seen, const struct sip_msg *m, uint32_t supported,
		    uint32_t required, uint32_t allow);

// Remember Allow and Supported. The functions below do it themselves; for other messages of the
// dialog call it alone. Min-SE, which counts in few (ST-07), is not learned here.
void st_learn(struct st_leg *leg, const struct st_seen *seen);

// --- as UAS

// When an INVITE or UPDATE arrives: must it be refused? Returns 0, or 420 (timer required and the
// profile is off; Unsupported: timer is the caller's to write), 421 (the profile requires what the
// peer does not list; initial INVITE only), or 422 with *headers for it. The leg only learns.
unsigned st_refuse(const struct st_policy *policy, struct st_leg *leg, const struct st_seen *seen,
		   unsigned flags, struct st_headers *headers);

// When the 2xx to an INVITE or UPDATE is sent for the first time: its headers. The leg's interval,
// role, refresh point and expiry are set; a retransmission moves nothing (ST-67), so do not call
// for it. In:     seen - of the request; flags - enum st_request_flag; jitter - any hash that is
// stable per leg.
struct st_headers st_answer(const struct st_policy *policy, struct st_leg *leg,
			    const struct st_seen *seen, unsigned flags, tick_t now,
			    uint32_t jitter);

// The headers of a request of ours, read back from it: what st_offer() said, for callers that did
// not keep it.
struct st_headers st_offered(const struct st_seen *own, unsigned flags);

// Headers of any other request or response of ours on this leg: Supported, nothing else (ST-07,
// ST-11), also for a timer that a peer imposed (P3). Inline: gcc stores such a result by bytes.
static inline struct st_headers st_plain(const struct st_policy *policy, const struct st_leg *leg)
{
	return (struct st_headers){.supported = policy->mode != ST_MODE_OFF || leg->se_s != 0};
}

// --- as UAC

// Headers of an INVITE or UPDATE that we send, refresh or not (P17).
struct st_headers st_offer(const struct st_policy *policy, const struct st_leg *leg,
			   unsigned flags);

// A 2xx came for it: the leg's new state. offered - what st_offer() said for this very request. Not
// for retransmitted 2xx, nor for another dialog of the same INVITE (P24).
void st_accept(const struct st_policy *policy, struct st_leg *leg, const struct st_headers *offered,
	       const struct st_seen *seen, tick_t now, uint32_t jitter);

enum st_retry {
	ST_RETRY,	  // send again, CSeq + 1; st_offer() says what
	ST_RETRY_WITHOUT, // likewise, now without Session-Expires (once)
	ST_RETRY_GIVE_UP, // the 422 stands
};
// A 422 came. Strictly growing Min-SE, at most policy->max_422 times, never above max_interval_s;
// then once without a timer; then give up (P6). A refresh that gives up leaves the old expiry as it
// is (ST-70). The count on the leg starts again with each 2xx.
enum st_retry st_after_422(const struct st_policy *policy, struct st_leg *leg,
			   const struct st_headers *offered, const struct st_seen *seen);

// --- schedule

// Refresh point for an interval that began at `from`: refresh_at of it less jitter, half at most.
tick_t st_refresh_point(const struct st_policy *policy, const struct st_leg *leg, tick_t from,
			uint32_t jitter);
// When the leg is given up: expiry less min(margin, interval / 3) (ST-74); TICK_NEVER: no timer.
tick_t st_deadline(const struct st_policy *policy, const struct st_leg *leg);
// What the wheel waits for next: our refresh point if not yet under way, else the deadline.
tick_t st_next(const struct st_policy *policy, const struct st_leg *leg, bool refresh_pending);
// The call ends, or the operator keeps it although it expired: no timer any more (P18).
void st_stop(struct st_leg *leg);

// Which boundary of the leg's timer does a BYE of the peer fall on, 2 s around? (P2)
enum st_boundary {
	ST_BOUNDARY_NONE,
	ST_BOUNDARY_HALF,	// SE/2 after the last refresh
	ST_BOUNDARY_TWO_THIRDS, // SE * 2/3
	ST_BOUNDARY_MARGIN,	// SE - min(32 s, SE/3)
	ST_BOUNDARY_FULL,	// SE
	ST_BOUNDARY_N
};
enum st_boundary st_peer_bye_boundary(const struct st_leg *leg, tick_t now);

const char *st_by_word(enum st_by by);
const char *st_by_sentence(enum st_by by);
const char *st_boundary_word(enum st_boundary boundary); // "none", "SE/2", ...
