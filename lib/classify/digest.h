// SPDX-License-Identifier: BSD-3-Clause
// The digest: what of a message is scanned, as one contiguous text; only this folder includes this.
// Each section is a marker byte that says which field it is, the bytes, and a zero byte. Bytes of
// the message that could be taken for markers are replaced, so that a pattern with a marker is
// bound to its field.
#pragma once

#include "classify/classify.h"

#define DIGEST_MAX	    1024 // of the built-in sections
#define DIGEST_SECTIONS	    32
#define DIGEST_ALL	    4096 // with those that an operator's patterns look at
#define DIGEST_SECTIONS_ALL 96
#define DIGEST_RULE_MATCHES 512 // reports of operator patterns that are listened to
#define DIGEST_TEXT_MAX	    256 // bytes of the start line and of each agent that are looked at

enum digest_marker {
	DIGEST_START = 1,
	DIGEST_AGENT,
	DIGEST_SUPPORTED,
	DIGEST_REQUIRE,
	DIGEST_PROXY_REQUIRE,
	DIGEST_MARKERS
};

// What a pattern reports: kind in the upper half, number in the lower.
enum digest_kind { DIGEST_METHOD, DIGEST_STATUS, DIGEST_OPTION, DIGEST_SCANNER, DIGEST_RULE };

#define DIGEST_ID(kind, n) ((unsigned)(kind) << 16 | (unsigned)(n))

struct digest {
	uint32_t len;
	uint32_t n_sections;
	uint32_t elements; // of Require and Proxy-Require
	uint32_t known;	   // of them, found by the scan
	const struct classify_db *db;
	uint32_t matches; // of operator patterns
	bool odd; // the lists hold quotes or brackets, or did not fit: not to be read from here
	struct {
		uint16_t end; // offset of its zero byte
		uint8_t marker;
	} section[DIGEST_SECTIONS_ALL];
	uint8_t bytes[DIGEST_ALL];
	struct sip_class *out;
};

void digest_begin(struct digest *d, const struct classify_db *db, struct sip_class *out);
// Besides the start line there is nothing to be looked at, but for an operator's patterns.
bool digest_is_line_only(const struct sip_msg *m);
void digest_build(struct digest *d, const struct sip_msg *m);
// The values that an operator's patterns look at, each between line ends, so that ^ and $ hold.
void digest_build_rules(struct digest *d, const struct sip_msg *m);

// Lists of a message by the scalar parsers.
void digest_lists_scalar(const struct sip_msg *m, struct sip_class *out);
// What needs no scan: kind, Allow. scratch NULL: Allow is read whatever was read before.
void digest_finish(const struct sip_msg *m, struct classify_scratch *scratch,
		   struct sip_class *out);
