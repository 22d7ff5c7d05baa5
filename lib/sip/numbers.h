// SPDX-License-Identifier: BSD-3-Clause
// Header values that are numbers, with what may follow them: CSeq, Max-Forwards, Content-Length,
// RSeq and RAck (RFC 3262), Expires, Retry-After, Session-Expires and Min-SE (RFC 4028). Any
// thread; pure. A number too large is kept apart from garbage: the result is then complete, the
// number saturated, and -ERANGE returned; -EBADMSG leaves the result untouched. Folds and white
// space are accepted wherever the grammar has LWS.
#pragma once

#include "sip/message.h"

struct sip_cseq {
	uint32_t number; // below 2^31 by the RFC; up to 2^32 - 1 is accepted
	uint8_t method;	 // enum sip_method
	struct slice method_token;
};

struct sip_rack {
	uint32_t rseq;
	struct sip_cseq cseq;
};

struct sip_delta { // Expires, Retry-After
	uint32_t seconds;
	struct slice comment; // between the parentheses; p == NULL if there is none
	struct slice params;  // for sip_param_next()
};

enum sip_refresher {
	SIP_REFRESHER_NONE, // no parameter
	SIP_REFRESHER_UAC,
	SIP_REFRESHER_UAS,
	SIP_REFRESHER_OTHER, // a value that RFC 4028 does not know, or two that contradict each
			     // other
};

struct sip_session_expires {
	uint32_t seconds;    // as written, also below 90
	uint8_t refresher;   // enum sip_refresher
	struct slice params; // for sip_param_next()
};

// A number alone: Content-Length, Max-Forwards, RSeq ...
int sip_numbers_u32(uint32_t *n, struct slice value);
int sip_content_length_parse(uint32_t *bytes, struct slice value);
// 0-255; what is larger is 255 with -ERANGE.
int sip_max_forwards_parse(uint8_t *hops, struct slice value);
int sip_rseq_parse(uint32_t *rseq, struct slice value);
int sip_cseq_parse(struct sip_cseq *cseq, struct slice value);
int sip_rack_parse(struct sip_rack *rack, struct slice value);
int sip_delta_parse(struct sip_delta *delta, struct slice value);

// RFC 4028 s4. Parameters other than refresher are accepted and not looked at (ST-05, ST-08); a
// malformed parameter list is -EBADMSG.
int sip_session_expires_parse(struct sip_session_expires *se, struct slice value);
// As written; that less than 90 means 90 is the session timer's business (ST-06).
int sip_min_se_parse(uint32_t *seconds, struct slice value);

// The one value of a message, by any of the spellings. Errors: as above and -ENOENT: no such field.
// Two fields (or values) that say different things are -EBADMSG, two that say the same are one.
int sip_session_expires_of(const struct sip_msg *m, struct sip_session_expires *se);
int sip_min_se_of(const struct sip_msg *m, uint32_t *seconds);
// -ENOENT, -EBADMSG also if there are two CSeq fields.
int sip_cseq_of(const struct sip_msg *m, struct sip_cseq *cseq);
