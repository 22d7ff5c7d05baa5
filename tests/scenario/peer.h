// SPDX-License-Identifier: BSD-3-Clause
// The user agents around verge: addresses, dialogs, what they sent and got.
// One thread of a test program. Independent of lib/: a peer knows SIP from wire.h only. Nothing
// here decides what to send; that is the case's (step.c) or the automatic peer's (automatic.c).
#pragma once

#include "base/sip_buf.h"
#include "base/tick.h"
#include "wire.h"

#define PEER_TAGS_MAX	8
#define PEER_ROUTES_MAX 8
#define PEER_COUNTS_MAX 48

struct dialog;
struct lint_sent;

// A request that a peer sent.
struct sent {
	struct sent *next;
	const char *method, *branch, *uri;
	uint32_t cseq;
	const uint8_t *bytes;
	uint32_t len;
	bool offer;		  // it had a body of SDP
	const struct wire *reply; // last response; NULL = none yet
	int final;		  // status of the first final response; 0 = none yet
	bool automatic;		  // the peer sent it by itself
	const uint8_t *ack;	  // INVITE: the ACK for it
	uint32_t ack_len;
	tick_t at;
};

// A request that a peer got.
struct got {
	struct got *next;
	const struct wire *w;
	int final;	      // what the peer answered; 0 = nothing final yet
	const uint8_t *reply; // last response
	uint32_t reply_len;
	bool automatic; // the peer answered it by itself
	bool acked;
	tick_t at;
};

// What the next body is made from.
struct sdp {
	const char *dir, *codecs, *ip, *extra;
	long port, version, id;
	bool video, t38;
};

struct dialog {
	struct dialog *next;
	struct peer *peer;
	const char *label; // "" = the peer's only one; NULL = no step has named it yet
	const char *call_id;
	const char *tag;      // ours
	const char *peer_tag; // "" = not known yet
	const char *used_tags[PEER_TAGS_MAX];
	int n_used_tags;
	const char *local, *remote; // name-addr without tag
	const char *target;	    // remote target
	uint32_t cseq, peer_cseq;
	bool established;	// a 2xx was sent or received
	bool ended;		// BYE sent or received
	struct sent *sent;	// newest first
	struct got *got;	// newest first
	struct sdp sdp, agreed; // agreed: what the last 2xx settled
	uint32_t lint_cseq;	// highest number that verge sent, see lint.c
	const char *lint_to_tag;
	struct lint_sent *lint_sent;	// newest first
	const char *sdp_sent, *sdp_got; // bodies; NULL = none yet
	const char *sdp_settled;	// model: the last body of verge that this side accepted
	uint32_t rseq;
	// RFC 4028 as an automatic peer understands it
	uint32_t se_s;
	bool refresher;
	tick_t refresh_tk, expiry_tk;
	tick_t again_tk; // automatic: next look at what has to be sent again
};

struct arrival {
	struct arrival *next;
	const struct wire *w;
	struct dialog *dialog;
	tick_t at;
	bool again;		// the same bytes came before
	const char *sdp_before; // body that verge had sent in the dialog before
};

// An answer that a peer gives each time.
struct habit {
	struct habit *next;
	const char *method;
	int status;
	const char *const *lines;
	int n_lines;
};

enum peer_automatic {
	AUTO_ANSWER = 1,      // rings and answers calls
	AUTO_REFRESH = 2,     // answers re-INVITE and UPDATE with 200
	AUTO_REFRESHER = 4,   // refreshes at half the interval when that is its part
	AUTO_ACK = 8,	      // acknowledges all answers to INVITE
	AUTO_BYE = 16,	      // answers BYE
	AUTO_OPTIONS = 32,    // answers OPTIONS
	AUTO_OTHER = 64,      // answers what is left with 200
	AUTO_TRANSPORT = 128, // sends again what was not answered; takes copies
};

struct peer {
	const char *name;
	const char *user, *host; // of its URIs; host is ip:port
	const char *via;	 // sent-by
	const char *verge;	 // URI host of verge as this peer sees it
	struct flow flow;	 // local = verge, peer = this one
	struct dialog *dialogs;	 // newest first
	struct arrival *inbox;	 // what no step has looked at yet
	unsigned automatic;	 // enum peer_automatic
	struct habit *habits;
	bool silent; // takes and sends nothing
	bool closed; // its host says by ICMP that nobody listens
	bool refresh_by_invite, refresh_without_se;
	unsigned lose_pm, copy_pm; // thousandths, each way
	tick_t delay_min, delay_max;
	struct {
		const char *what; // method or status
		unsigned n;
	} count[PEER_COUNTS_MAX]; // received since the last mark; retransmissions too
	int n_counts;
	uint32_t serial; // of its Call-IDs, tags and branches
};

struct dialog *peer_dialog(struct peer *p, const char *label); // NULL if there is none
struct dialog *peer_dialog_new(struct arena *a, struct peer *p, const char *label);
struct dialog *peer_dialog_of(struct peer *p, const char *call_id); // newest with this Call-ID

// Take in one message that reached the peer at `now`: finds or makes its dialog, updates it,
// appends to the inbox. NULL when it is not SIP; *why then says what is wrong.
struct arrival *peer_receive(struct arena *a, struct peer *p, const uint8_t *bytes, uint32_t len,
			     tick_t now, const char **why);
// Take an arrival out of the inbox.
void peer_take(struct peer *p, struct arrival *arrival);
// Count what was received: a method, a status, or CRLF for an empty datagram.
void peer_count(struct peer *p, const char *what);
unsigned peer_counted(const struct peer *p, const char *what);

// The newest request of that method that the dialog sent (any method if NULL); NULL if none.
struct sent *peer_sent(struct dialog *d, const char *method);
// The request that a response of this peer answers: of that method if not NULL, else the newest one
// without a final answer.
struct got *peer_got(struct dialog *d, const char *method);
