// SPDX-License-Identifier: BSD-3-Clause
// The generator's own SIP: writes what a plain user agent writes (RFC 3261 s24, RFC 4028) and reads
// what verge sends, by the header names as verge spells them. It shares no code with what it
// measures.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define TOKEN_CHARS 12 // of a call: eight hex digits of its slot, four of its generation

struct text {
	const char *p;
	uint32_t len;
};

// The letter of a method; it stands in branches too. M: a re-INVITE.
enum letter {
	LETTER_NONE,
	LETTER_INVITE = 'I',
	LETTER_REINVITE = 'M',
	LETTER_ACK = 'A',
	LETTER_BYE = 'B',
	LETTER_UPDATE = 'U',
	LETTER_INFO = 'F',
	LETTER_OPTIONS = 'O',
	LETTER_CANCEL = 'C',
};

// A message of verge's. Lines are whole, without CRLF; absent ones have p NULL.
struct message {
	uint16_t status; // 0: a request
	char letter;	 // of the method, of the start line or CSeq; re-INVITEs are LETTER_INVITE
	uint32_t cseq;
	uint32_t turn;	  // of X-Turn: which of verge's rules wrote it; 0: none
	struct text user; // of the Request-URI
	struct text via, from, to, call_id, cseq_line, contact, session_expires;
};

// Read a message. False: not one that verge should send.
bool message_read(struct message *m, const char *p, uint32_t len);

// The tag at the end of a From or To line; length 0 if it has none.
struct text message_tag(struct text line);
// The URI between the brackets of a line.
struct text message_uri(struct text line);

struct token {
	uint32_t slot;
	uint16_t gen;
};

bool token_read(struct token *t, const char *p, uint32_t len);
// A branch of ours: letter, side ('a' or 'b'), token, CSeq number. False: not ours.
bool branch_read(struct text via, char *letter, char *side, struct token *t, uint32_t *cseq);

// --- writing; the caller has the room (WIRE_ROOM)

#define PUT(p, lit) put_bytes((p), (lit), sizeof(lit) - 1)

static inline char *put_bytes(char *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

static inline char *put_text(char *p, struct text t)
{
	return put_bytes(p, t.p, t.len);
}

static inline char *put_line(char *p, struct text t)
{
	return PUT(put_text(p, t), "\r\n");
}

char *put_number(char *p, uint32_t v);
char *put_token(char *p, struct token t);

// What a request is made of.
struct request {
	char letter;
	char side;	    // 'a': a caller on access, 'b': a callee on core
	uint8_t host;	    // of its address
	struct token token; // of the call
	uint32_t cseq;
	uint32_t se_s;	     // Session-Expires of INVITE, UPDATE and re-INVITE; 0 for none
	struct text target;  // Request-URI; empty for that of a new call
	struct text tag;     // verge's; empty outside of a dialog
	struct text call_id; // verge's; empty for the one that a caller makes
	bool same_branch;    // ACK of a refusal
};

char *put_request(char *p, const struct request *r);

// What the answer to a request of verge's is made of.
struct answer {
	uint16_t status;
	char side;
	uint8_t host;
	struct token token;
	const struct message *to;
	bool tagged;	  // the To line has our tag already
	bool session;	  // Contact, and Session-Expires if the request had it
	bool description; // an SDP body
};

char *put_answer(char *p, const struct answer *a);
