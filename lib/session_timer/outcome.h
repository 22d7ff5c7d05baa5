// SPDX-License-Identifier: BSD-3-Clause
// What the outcome of a session refresh means (RFC 4028 s10, RFC 3261 s14.1, RFC 5057): which
// method first, and after each answer or silence what comes next. One table by response code:
// outcome.def. Pure; used by control. Times are microseconds.
#pragma once

#include "session_timer/session_timer.h"

// Rungs of the ladder (P8), in the order of enum refresh_method of lib/msg.
enum st_method { ST_METHOD_UPDATE, ST_METHOD_UPDATE_SDP, ST_METHOD_INVITE, ST_METHOD_N };

// Another attempt makes sense if at least this much is left until the deadline. P8 asks for the 40
// s in which a re-INVITE could time out by itself; with less, the deadline cuts it short, which
// costs a live call nothing.
#define ST_PROBE_US TICK_S(4)

#define ST_MAX_CHALLENGES 2 // one for the nonce, one when it was stale (P16)
#define ST_MAX_RAISES	  4
#define ST_MAX_REPEATS	  3 // the same method again because of Retry-After (ST-73)

// One refresh of a leg, from its refresh point to its end. All zero at the start; control keeps it.
struct st_refresh {
	uint8_t failed;	    // bit per enum st_method: rungs that are used up
	uint8_t glares;	    // crossings: 491, or 500 with Retry-After
	uint8_t challenges; // 401/407 answered
	uint8_t raises;	    // 422 answered
	uint8_t repeats;    // sent again after Retry-After
	bool late_retry;    // the retry at 3/4 of the interval was used
};

// The answer to one attempt.
struct st_result {
	uint16_t code;	// final response; 0 = none came in 64*T1, or the transport failed
	uint8_t method; // enum st_method
	bool has_retry_after;
	bool crossed;	    // the peer refreshed the session meanwhile
	bool call_id_owner; // the leg's Call-ID is ours (RFC 3261 s14.1)
	bool has_sdp;	    // a body is stored: methods with SDP can be sent
	bool can_auth;	    // the trunk has credentials for this challenge, or the nonce was stale
	bool can_raise;	    // st_after_422() said that another try makes sense
	uint32_t retry_after_s;
	uint32_t random; // for the back-off
};

enum st_what {
	ST_DONE, // the session is refreshed
	ST_SEND, // send by `method` at `at`
	ST_WAIT, // nothing more to try: the expiry decides (ST-69)
	ST_END,	 // end the call now, because of `why` (ST-71)
};

enum st_why {
	ST_WHY_NONE,
	ST_WHY_SILENT,	 // no answer by any method
	ST_WHY_GONE,	 // 408, 481, or by RFC 5057 a code that says the dialog is gone
	ST_WHY_REFUSED,	 // refused by each method that can be used
	ST_WHY_AUTH,	 // challenged in vain
	ST_WHY_INTERVAL, // 422 in vain
	ST_WHY_GLARE,	 // only ever crossed
};

struct st_next_step {
	tick_t at;	// ST_SEND: not before; not after the deadline
	uint8_t what;	// enum st_what
	uint8_t method; // enum st_method of ST_SEND
	uint8_t why;	// enum st_why of ST_END and ST_WAIT
	bool glare;	// a crossing, not a failure: count it apart (P13)
	bool no_update; // evidence for the trunk: UPDATE without SDP cannot be used
};

// Method of the first attempt: UPDATE if the profile lets it be, the trunk can do it and the peer's
// Allow lists it (ST-36), else re-INVITE. A profile that says `update` towards a peer whose Allow
// lacks it gets re-INVITE, since the call is worth more than the preference. Without a stored body
// a re-INVITE would carry no offer (P12): then UPDATE also where the trunk has been seen to refuse
// it.
enum st_method st_first_method(const struct st_policy *policy, const struct st_leg *leg,
			       bool has_sdp);

// After an attempt: what next?
// In:     leg - se_s, expiry_tk, last_ok_tk and peer_allow as they stand now; refresh - updated;
//         now - when the result came.
struct st_next_step st_outcome(const struct st_policy *policy, const struct st_leg *leg,
			       struct st_refresh *refresh, const struct st_result *result,
			       tick_t now);

// Back-off after a crossing (RFC 3261 s14.1): 2.1-4 s for the owner of the Call-ID, 0-2 s for the
// other, in units of 10 ms.
tick_t st_glare_backoff(bool call_id_owner, uint32_t random);

const char *st_why_word(enum st_why why);
