// SPDX-License-Identifier: BSD-3-Clause
// What kind of message is this, and which policy patterns does it match: one Hyperscan block scan
// of a small digest (start line, User-Agent or Server, option tags, methods of Allow) per message.
// A database is compiled at start or reload, on the control thread, which is the only part that
// allocates; it is then constant and read by all workers. Each worker has its own scratch.
#pragma once

#include "sip/message.h"

#define CLASSIFY_RULES 256 // operator patterns that a database can report

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
	bool exact; // false: lists with quotes, or more than the digest holds, were read by the
		    // scalar parsers instead; the result is the same
	uint64_t rules[CLASSIFY_RULES / 64]; // operator patterns that matched, bit by id
};

// Where an operator's pattern is looked for.
enum classify_field { CLASSIFY_START_LINE, CLASSIFY_AGENT, CLASSIFY_FIELD_N };

struct classify_pattern {
	struct slice text; // literal bytes, at least one; any case matches
	uint16_t id; // bit in sip_class.rules, below CLASSIFY_RULES; several patterns may share one
	uint8_t field; // enum classify_field
};

struct classify_db;
struct classify_scratch;

// Compile the built-in patterns and n more.
// Out:    *db, freed by classify_db_free().
// Errors: -EINVAL an empty pattern, or an id or field out of range; -ENOMEM; -ENOTSUP this CPU
// cannot run
//         Hyperscan (SSSE3).
// Cost:   milliseconds, up to 200 ms for hundreds of patterns. Allocates: never on the packet path.
int classify_db_compile(struct classify_db **db, const struct classify_pattern *patterns,
			uint32_t n);
void classify_db_free(struct classify_db *db);

// Scratch of one worker, good for every database that it was made or grown for. *scratch is NULL or
// from an earlier call. 0 or -ENOMEM. Allocates.
int classify_scratch_make(struct classify_scratch **scratch, const struct classify_db *db);
void classify_scratch_free(struct classify_scratch *scratch);

// Classify one message. Never fails; allocates nothing. Any bytes may stand in the values.
void classify_message(const struct classify_db *db, struct classify_scratch *scratch,
		      const struct sip_msg *m, struct sip_class *out);

// The same without Hyperscan and without operator patterns: tests compare the two.
void classify_message_scalar(const struct sip_msg *m, struct sip_class *out);

const char *sip_kind_name(enum sip_kind kind);
