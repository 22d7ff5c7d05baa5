// SPDX-License-Identifier: BSD-3-Clause
// The messages between a worker and control: fixed size, no pointers, copied through rings.
// A message names a call by index and generation: who receives it checks that the call still lives.
#pragma once

#include <assert.h>

#include "base/sip_buf.h"
#include "base/tick.h"

enum event_type {
#define EVENT(id, help) EVENT_##id,
#include "msg/msg.def"
	EVENT_N
};

enum order_type {
#define ORDER(id, help) ORDER_##id,
#include "msg/msg.def"
	ORDER_N
};

enum cause {
#define CAUSE(id, class, word, sentence) CAUSE_##id,
#include "msg/cause.def"
	CAUSE_N
};

enum release_by { BY_VERGE, BY_INGRESS, BY_EGRESS }; // CDR release.by

enum { SIDE_A = 0, SIDE_B = 1 }; // ingress leg, egress leg

enum refresh_method { REFRESH_UPDATE, REFRESH_UPDATE_SDP, REFRESH_INVITE, REFRESH_METHOD_N };

// How a leg stands towards RFC 4028 after an answer.
struct msg_timer {
	uint32_t se_s;	     // agreed interval; 0 = no timer
	uint32_t min_se_s;   // the largest Min-SE seen on this dialog
	uint32_t peer_allow; // SIP_METHOD_BIT of the peer's Allow; 0 = nothing known
	uint8_t role;	     // enum st_role (session_timer.h)
	bool peer_timer;     // the peer listed the option tag
	bool unasked;	     // the peer answered with a timer that was not asked for
	bool role_flipped;   // the peer reads uac/uas per dialog (INTEROP P5)
};

struct event {
	uint8_t type;	// enum event_type
	uint8_t side;	// SIDE_A, SIDE_B
	uint8_t worker; // filled in by the shell
	uint8_t kept;	// place of the snapshot that the call began with (config_kept.h)
	uint16_t trunk; // of the leg
	uint32_t call;	// index in the worker's calls
	uint32_t gen;	// generation of that call
	tick_t at;	// when it happened
	union {
		struct {		   // REFRESH_DUE
			tick_t planned_tk; // the refresh point
			tick_t expiry_tk;  // when the session ends: expiry less the margin
			uint64_t agent;	   // hash of the peer's User-Agent/Server, 0 = unknown
			struct msg_timer timer;
			uint8_t first_method; // enum refresh_method that profile and Allow suggest
			bool has_sdp; // a body is stored: re-INVITE or UPDATE with SDP can be sent
			bool call_id_owner; // the leg's Call-ID is ours (back-off of RFC 3261
					    // s14.1)
		} refresh_due;
		struct {		   // REFRESH_DONE
			tick_t planned_tk; // the refresh point that it served
			tick_t sent_tk;	   // first transmission
			tick_t expiry_tk;  // when the session ends as things stand now
			uint32_t rtt_us;   // request to final response; 0 = none came: code 491 and
					   // 503 are then the worker's own, it could not send
			uint32_t retry_after_s;
			uint16_t code;	// final response; 0 = none came
			uint8_t method; // enum refresh_method
			bool has_retry_after;
			bool crossed;	  // the peer refreshed meanwhile: nothing to retry
			bool provisional; // a 1xx came, then silence
			struct msg_timer timer;
		} refresh_done;
		struct { // PEER_REFRESHED
			struct msg_timer timer;
			uint64_t agent;
			uint16_t code;	// our answer
			uint8_t method; // enum sip_method
		} peer_refreshed;
		struct { // SESSION_EXPIRED, MAX_DURATION
			tick_t expiry_tk;
			tick_t last_proof_tk; // last message from the peer in this dialog
			uint64_t agent;	      // hash of the peer's User-Agent/Server, 0 = unknown
			struct msg_timer timer;
		} expired;
		struct { // ANSWERED
			struct msg_timer timer[2];
			uint64_t agent[2];
			uint16_t trunk[2];
		} answered;
		struct {	       // INVITE_FAILED
			uint16_t code; // 0 = no answer
			uint8_t peer;  // index in the trunk's peers
		} invite_failed;
		struct { // PING_DONE
			uint32_t rtt_us;
			uint16_t code; // 0 = no answer
			uint8_t peer;
		} ping_done;
		struct {	      // OUT_OF
			uint8_t what; // enum out_of
		} out_of;
	};
};
static_assert(sizeof(struct event) <= 128, "an event is one ring element");

enum out_of { OUT_OF_CALLS, OUT_OF_TRANSACTIONS, OUT_OF_BUFFERS, OUT_OF_TEXT };

struct order {
	uint8_t type; // enum order_type
	uint8_t side;
	uint16_t trunk; // PING, KEEPALIVE
	uint32_t call;
	uint32_t gen;
	union {
		struct { // REFRESH
			tick_t planned_tk;
			uint8_t method; // enum refresh_method
		} refresh;
		struct {		// END_CALL, END_ALL
			uint16_t code;	// cause= of the Reason header (RFC 3326); 0 = none
			uint8_t cause;	// enum cause
			uint8_t by;	// enum release_by
			uint8_t method; // enum sip_method the cause speaks of
		} end;
		struct { // PING, KEEPALIVE
			uint8_t peer;
		} ping;
	};
};
static_assert(sizeof(struct order) <= 64, "an order is one ring element");

// What a leg did: for the CDR.
struct leg_record {
	struct msg_timer timer; // as it stood at the end
	struct flow flow;
	uint16_t trunk;
	uint16_t refreshes_sent;     // answered 2xx
	uint16_t refreshes_received; // answered by us with 2xx
	uint16_t refreshes_failed;
	uint8_t refresh_method;	   // enum refresh_method of the last one sent
	uint8_t negotiated_by;	   // enum st_by: which header or rule decided
	uint8_t holds;		   // times that the peer put the call on hold
	tick_t last_refresh_ok_tk; // 0 = never
	tick_t last_proof_tk;	   // last message of the peer
	tick_t expiry_tk;	   // 0 = no timer
	uint32_t rtt_us;	   // round trip to the peer, measured last; 0 = never
};

enum call_text {
	TEXT_INGRESS_CALL_ID,
	TEXT_EGRESS_CALL_ID,
	TEXT_FROM,
	TEXT_TO,
	TEXT_REASON,
	CALL_TEXT_N
};

#define CALL_RECORD_TEXT 768

// A call's end: all that the CDR says and the worker knows.
struct call_record {
	uint32_t call, gen;
	uint8_t worker;	   // filled in by the shell
	uint8_t cause;	   // enum cause
	uint8_t by;	   // enum release_by
	uint8_t side;	   // leg that the cause speaks of
	uint8_t method;	   // enum sip_method that failed, where the cause speaks of one
	uint8_t boundary;  // enum st_boundary that a peer's BYE fell on; 0 = none
	uint16_t code;	   // final response to the caller's INVITE, or 0
	uint16_t why_code; // response that the cause speaks of, or 0
	tick_t start_tk, ringing_tk, answer_tk, end_tk; // 0 = did not happen
	uint64_t labels; // tags that rules gave it, bit by number (rules_label())
	struct leg_record legs[2];
	uint16_t text_len[CALL_TEXT_N]; // strings one after the other in text, cut to fit
	char text[CALL_RECORD_TEXT];
};
static_assert(sizeof(struct call_record) <= 1280, "a call record is one ring element");

const char *cause_word(enum cause cause);
const char *cause_sentence(enum cause cause);
enum cause_class {
	CAUSE_CLASS_NONE,
	CAUSE_CLASS_NORMAL,
	CAUSE_CLASS_ATTEMPT,
	CAUSE_CLASS_DROP,
	CAUSE_CLASS_ORDER
};
enum cause_class cause_class(enum cause cause);
const char *cause_class_word(enum cause_class class);
