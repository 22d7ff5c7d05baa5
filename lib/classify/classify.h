// SPDX-License-Identifier: BSD-3-Clause
// What kind of message is this, and which policy patterns does it match: one Hyperscan block scan
// of a small digest (start line, User-Agent or Server, option tags, methods of Allow) per message.
// A database is compiled at start or reload, on the control thread, which is the only part that
// allocates; it is then constant and read by all workers. Each worker has its own scratch.
#pragma once

#include "sip/message.h"

#define CLASSIFY_PATTERNS 8192 // of an operator, in one database
#define CLASSIFY_HEADERS  64   // that they look at
#define CLASSIFY_HITS	  24   // that are told one by one

// What a message counts as; statistics and the early decisions of the call logic.
enum sip_kind {
	SIP_KIND_OTHER,	 // a method that sip.def does not list
	SIP_KIND_INVITE, // without To tag
	SIP_KIND_REINVITE,
	SIP_KIND_ACK,
	SIP_KIND_BYE,
	SIP_KIND_CANCEL,
	SIP_KIND_PRACK,
	SIP_KIND_UPDATE,
	SIP_KIND_INFO,
	SIP_KIND_REFER,
	SIP_KIND_NOTIFY,
	SIP_KIND_MESSAGE,
	SIP_KIND_OPTIONS,
	SIP_KIND_SUBSCRIBE,
	SIP_KIND_REGISTER,
	SIP_KIND_PUBLISH,
	SIP_KIND_1XX,
	SIP_KIND_2XX,
	SIP_KIND_3XX,
	SIP_KIND_4XX,
	SIP_KIND_5XX,
	SIP_KIND_6XX,
	SIP_KIND_N
};

struct sip_class {
	uint32_t supported;	 // SIP_OPTION_BIT of Supported
	uint32_t required;	 // SIP_OPTION_BIT of Require
	uint32_t proxy_required; // SIP_OPTION_BIT of Proxy-Require
	uint32_t allow;		 // SIP_METHOD_BIT of Allow; SIP_METHOD_OTHER's for unknown methods
	uint8_t method;		 // enum sip_method; SIP_METHOD_NONE in responses
	uint8_t status_class;	 // 1-6; 0 in requests
	uint8_t kind;		 // enum sip_kind
	bool has_allow;		 // the message has Allow at all, also an empty one
	bool unknown_required;	 // Require or Proxy-Require lists a tag that sip.def does not (420)
	bool scanner;		 // User-Agent or Server of a known attack tool
	// false: lists with quotes, or more than the digest holds, were read by the scalar parsers
	// instead; the result is the same
	bool exact;
	// any operator pattern may match: too many did, or not all was looked at
	bool hits_all;
	uint8_t n_hits;
	// ids of operator patterns that may match, each once; those that are not here do not
	uint16_t hits[CLASSIFY_HITS];
};

#define CLASSIFY_REQUEST_URI SIP_H_N // as classify_header.id

struct classify_header {
	struct slice name; // of SIP_H_OTHER
	uint8_t id;	   // enum sip_header, or CLASSIFY_REQUEST_URI
};

// Found in the value of a header; folds are spaces there.
struct classify_pattern {
	struct slice text; // a literal, or a regular expression
	uint16_t id;	   // what is reported; several patterns may share one
	uint8_t header;	   // index in classify_rules.headers
	bool is_regex;	   // may be reported where PCRE2 would not match, never the other way
	bool any_case;
	bool whole; // a literal that is the whole value
};

// What an operator looks for.
struct classify_rules {
	const struct classify_header *headers;
	const struct classify_pattern *patterns;
	uint32_t n_headers, n_patterns;
};

struct classify_db;
struct classify_scratch;

// Compile the built-in patterns and an operator's; rules NULL: none. Only headers that rules name
// are looked at for them. Out:    *db, freed by classify_db_free(). Errors: -EINVAL an empty
// pattern, one that Hyperscan refuses (*bad, if not NULL, is its index), or
//         a number out of range; -ENOMEM; -ENOTSUP this CPU cannot run Hyperscan (SSSE3).
// Cost:   milliseconds, a second for a thousand expressions. Allocates: never on the packet path.
int classify_db_compile(struct classify_db **db, const struct classify_rules *rules, uint32_t *bad);
void classify_db_free(struct classify_db *db);

// Can Hyperscan find this expression? 0; -ENODATA it matches everywhere or looks at what is not in
// the value, so nothing can be told in advance; -EINVAL it is refused, why[] says why; -ENOMEM.
int classify_pattern_check(struct slice regex, bool any_case, char *why, size_t room);

// Scratch of one worker, good for every database that it was made or grown for. *scratch is NULL or
// from an earlier call. 0 or -ENOMEM. Allocates.
int classify_scratch_make(struct classify_scratch **scratch, const struct classify_db *db);
void classify_scratch_free(struct classify_scratch *scratch);

// Classify one message. Never fails; allocates nothing. Any bytes may stand in the values.
void classify_message(const struct classify_db *db, struct classify_scratch *scratch,
		      const struct sip_msg *m, struct sip_class *out);

// Only what an operator's patterns say: n_hits, hits, hits_all. For a message of ours.
void classify_rules_only(const struct classify_db *db, struct classify_scratch *scratch,
			 const struct sip_msg *m, struct sip_class *out);

// The same without Hyperscan and without operator patterns: tests compare the two.
void classify_message_scalar(const struct sip_msg *m, struct sip_class *out);

const char *sip_kind_name(enum sip_kind kind);
