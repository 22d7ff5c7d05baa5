// SPDX-License-Identifier: BSD-3-Clause
// The records of calls, legs, early dialogs and transactions, by cache line.
// All are written by the worker that owns the engine; other threads read a call only through
// engine_view(), which checks call.seq.
#pragma once

#include <stdalign.h>
#include <stdatomic.h>

#include "b2bua/engine.h"
#include "base/pool.h"
#include "dialog/leg_text.h"
#include "session_timer/session_timer.h"
#include "transaction/transaction.h"

enum call_state {
	CALL_FREE,
	CALL_SETUP,  // INVITE received, no final response sent
	CALL_UP,     // answered
	CALL_ENDING, // release has begun: inputs change nothing any more
};

enum leg_state {
	LEG_NONE,
	LEG_INVITED,   // an INVITE went, no dialog yet
	LEG_EARLY,     // a provisional response made a dialog
	LEG_CONFIRMED, // 2xx
};

enum leg_flag {		      // 512 to 8192: enum leg_rule (manipulate.h)
	LEG_PROBE = 1,	      // a quarantined trunk is tried with timers on this call
	LEG_SYMMETRIC = 2,    // the peer is reached where it was last seen, not where it says it is
	LEG_O_BUMP = 4,	      // the peer refused our last offer: the next body takes a new version
	LEG_REFRESH_OUT = 8,  // a refresh of ours has no final response yet
	LEG_REFRESH_DUE = 16, // control was told; it decides
	LEG_EXPIRED = 32,     // control was told
	LEG_RELIABLE = 64,    // the peer asked for reliable provisional responses (100rel)
	LEG_BYE_OWED = 128,   // BYE waits for the ACK (RFC 3261 s15), or for memory
	LEG_ACK_OWED = 256,   // the peer's 2xx to our INVITE waits for our ACK
	LEG_REOFFER = 16384,  // the peer is to hear what the other leg's peer changed
};

#define NO_TXN	UINT32_MAX
#define NO_FORK UINT8_MAX // there is no room for one more

struct leg {
	// line 0: each message of the dialog
	alignas(64) struct leg_text
		*_Atomic text; // W: owner (release), R: control under RCU (acquire)
	uint32_t local_cseq;   // last CSeq number that we used
	uint32_t remote_cseq;  // last CSeq number of the peer
	uint32_t invite_in;    // server transaction of the peer's last INVITE, or NO_TXN
	uint32_t invite_out;   // client transaction of our last INVITE, or NO_TXN
	uint32_t update_in;    // the same for UPDATE while unanswered
	uint32_t update_out;
	uint16_t trunk;
	uint8_t kept;	 // place of the snapshot that the call goes by (config_kept.h)
	uint8_t state;	 // enum leg_state
	uint8_t auth_nc; // uses of LEG_TEXT_CHALLENGE so far; 0 = it is spent or there is none
	uint8_t holds;	 // times that the peer put the call on hold, saturated
	uint16_t flags;	 // enum leg_flag
	uint16_t refreshes_sent, refreshes_received, refreshes_failed;
	uint32_t o_version; // version of the o= line last sent
	uint64_t o_hash;    // sdp_hash() of the body last sent; 0 = none
	// line 1: where the peer is
	alignas(64) struct flow flow;
	uint32_t rtt_us;	// round trip to the peer, measured last; 0 = never
	uint32_t options;	// option tags that we listed last (RFC 4028 s7.4)
	uint8_t refresh_method; // enum refresh_method of the last refresh sent
	uint8_t peer;		// index in the trunk's peers (egress)
	uint8_t owed_cause;	// of the BYE that waits
	uint8_t negotiated; // index of the gauge that counts its timer: 0 none, 1 local, 2 remote
	uint16_t owed_code;
	uint8_t owed_tries;    // to make the BYE that waits for memory
	uint8_t reoffer_tries; // of LEG_REOFFER
	uint32_t owed_ack;     // CSeq number of the INVITE whose 2xx waits for our ACK
	// line 2: session timer
	alignas(64) struct st_leg st;
	tick_t last_proof_tk; // last message of the peer in this dialog
	uint64_t agent;	      // hash of its User-Agent or Server; 0 = unknown
};

// RSeq of the last reliable provisional response: the callee's, and the one the caller saw for it.
struct early_rseq {
	uint32_t peer, ours; // 0 = none
};

// One more early dialog of a forked INVITE; the first one is the leg itself, number 0.
struct fork {
	struct leg_text *text; // egress side
	uint32_t next_fork;    // index of the call's next one, or POOL_NONE
	struct early_rseq rseq;
	uint8_t number; // in the tag that the caller sees
};

#define FORKS_MAX 16 // a call

// Some bytes of a text.
struct text_run {
	uint16_t at, len;
};

struct call {
	// line 0
	alignas(64) _Atomic uint32_t
		seq;	    // odd while the owner changes the call; W: owner, R: engine_view()
	uint32_t gen;	    // of this use of the record; its low 16 bits are in tokens
	uint8_t state;	    // enum call_state
	uint8_t cause;	    // enum cause, once it is known
	uint8_t by;	    // enum release_by
	uint8_t side;	    // leg that the cause speaks of
	uint8_t method;	    // enum sip_method that the cause speaks of
	uint8_t attempt;    // egress INVITEs begun; in the tag and Call-ID of the egress leg
	uint8_t route_at;   // index in the route's trunks being tried
	uint8_t peer_tried; // peers of that trunk tried
	uint8_t boundary;   // enum st_boundary
	uint8_t n_forks;    // numbers given to forks, the leg's own included
	uint8_t fork_won;   // fork whose 2xx won
	bool gated;	    // counted in the egress trunk's limit
	bool traced;	    // a rule marked it
	uint16_t code;	    // final response to the caller
	uint16_t why_code;  // response that the cause speaks of
	uint32_t forks;	    // first fork or POOL_NONE
	struct early_rseq rseq;
	uint32_t rseq_last; // RSeq last sent to the caller
	tick_t start_tk;
	// line 1
	alignas(64) tick_t ringing_tk;
	tick_t answer_tk;
	tick_t max_tk;			// end by max_duration; 0 = none
	uint64_t owner_hash;		// H of the ingress Call-ID
	uint64_t labels;		// tags that rules gave it (rules_label())
	uint64_t call_id_hash[2];	// keys in the leg table; 0 = not in it
	struct text_run caller, callee; // users in the ingress leg's REMOTE and LOCAL text
};

struct txn {
	// line 0
	alignas(64) uint32_t gen;
	uint8_t machine;	// enum txn_machine; TXN_MACHINE_N = free
	uint8_t state;		// enum txn_state
	uint8_t role;		// enum txn_role
	uint8_t side;		// leg it belongs to
	uint8_t method;		// enum sip_method
	uint8_t fork;		// early dialog
	uint8_t refresh_method; // enum refresh_method
	uint8_t tries;		// challenges answered
	uint16_t trunk;
	uint16_t flags;	 // enum txn_flag
	uint16_t code;	 // last response sent or received
	uint16_t to_udp; // where its messages go, with flow
	uint32_t cseq;
	uint32_t call; // POOL_NONE: none
	uint32_t call_gen;
	uint32_t pair; // the other leg's, that waits for this one or that it waits for; NO_TXN
	uint32_t pair_gen;
	uint64_t key; // server: in the transaction table; 0 in client transactions
	// line 1
	alignas(64) struct sip_buf
		*sent;		  // client: the request, or the ACK; server: the last response
	struct sip_buf *received; // server: the request, until the final response
	struct sip_buf *reliable; // server: the provisional response that waits for its PRACK
	union {
		struct leg_text *text;	 // client: its dialog, once the call is gone
		struct sip_buf *as_sent; // server: the request before rules changed it, or NULL
	};
	struct txn_timer timer;
	tick_t started_tk;
	union {
		tick_t planned_tk; // client, refreshes: the refresh point served
		uint64_t merged;   // server: rx.merge of an INVITE that began a call; 0 = none
	};
	// line 2
	alignas(64) struct flow flow; // server: where the request came from; client: where it goes
	union {
		struct {			     // client
			struct st_headers offered;   // session timer headers of the request
			uint32_t cancel, cancel_gen; // INVITE: its CANCEL, or NO_TXN
			uint32_t surplus; // INVITE: hash of the To tag whose unwanted 2xx got BYE
		};
		struct st_seen asked; // server: timer headers of the INVITE that began a call
	};
};

enum txn_flag {
	TXN_ACKED = 1,	      // INVITE server: the ACK of our 2xx came; client: we sent one
	TXN_LOCAL_ANSWER = 2, // INVITE server: answered here, not relayed
	TXN_OFFERLESS = 4,    // the INVITE had no body: the 2xx carries the offer
	TXN_HAS_OFFER = 8,    // it carries an offer
	TXN_CROSSED = 16,     // the peer refreshed the session while our refresh was out
	TXN_PROVISIONAL = 32, // a 1xx came
	TXN_CANCEL_OWED = 64, // CANCEL goes as soon as a provisional response comes (s9.1)
	TXN_CANCELLED = 128,  // CANCEL went
	TXN_KEEP_SENT = 256,  // client: sent is an ACK that cannot be made again
	TXN_INITIAL = 512,    // the INVITE that began the call
	TXN_2XX_TIMER = 1024, // INVITE server: 2xx is being retransmitted until the ACK
	TXN_REL_TIMER = 2048, // INVITE server: a reliable 1xx is
	TXN_ANSWERED = 4096,  // client: the final response was acted upon
	TXN_RESENT = 8192,    // client: the request was repeated: its answer tells no round trip
};
