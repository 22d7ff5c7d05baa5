// SPDX-License-Identifier: BSD-3-Clause
// Session descriptions (RFC 8866, offer/answer RFC 3264) as slices, compared by meaning.
// Any thread; pure: copies and keeps nothing, results point into the body and die with it.
// Tolerant: a line may end with CRLF, LF or CR, unknown lines are kept, order within a section is
// not enforced. Bounded: more than SDP_MAX_MEDIA sections or SDP_MAX_LINES lines is an error, and
// nothing here recurses.
#pragma once

#include "base/outbuf.h"

#define SDP_MAX_MEDIA 16
#define SDP_MAX_LINES 512

enum sdp_direction { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };

struct sdp_media {
	struct slice section; // from "m=" to the next "m=" or the end
	struct slice kind;    // audio, video, image ...
	struct slice port;    // as written, with "/count"
	struct slice proto;
	struct slice formats;	 // all of them, as written
	struct slice connection; // value of the c= that holds for it: own, else the session's
	uint8_t direction;	 // enum sdp_direction: own, else the session's, else sendrecv
	bool disabled;		 // port 0: refused or switched off
};

struct sdp {
	struct slice all;
	struct slice session;	 // the lines before the first m=
	struct slice origin;	 // value of o=, p == NULL if there is none
	struct slice connection; // value of the session's c=
	uint8_t direction;	 // of the session level
	uint8_t n_media;
	struct sdp_media media[SDP_MAX_MEDIA];
};

// Errors: -EBADMSG no v= line first, or a line that is not "x=..."; -E2BIG too many sections or
// lines.
int sdp_parse(struct sdp *sdp, struct slice body);

// o=<username> <sess-id> <sess-version> <nettype> <addrtype> <address>
struct sdp_origin_read {
	struct slice username, session_id, version, net_type, addr_type, address;
	uint64_t session_id_n, version_n; // saturated; 0 where not a number
};
// Value of o=. -EBADMSG: fewer than six words.
int sdp_origin_parse(struct sdp_origin_read *origin, struct slice value);

// How two bodies differ. Up to SDP_DIFF_LAYOUT they mean the same.
enum sdp_diff {
	SDP_DIFF_NONE,	  // the same bytes
	SDP_DIFF_VERSION, // only the version in o=
	SDP_DIFF_ORIGIN,  // only o=
	SDP_DIFF_LAYOUT,  // order of attributes, place of c= or of the direction, line ends, s= i=
			  // and the like
	// from here on another session
	SDP_DIFF_MEDIA_COUNT,
	SDP_DIFF_MEDIA_KIND, // media or protocol of a section
	SDP_DIFF_PORT,
	SDP_DIFF_CONNECTION,
	SDP_DIFF_CODECS, // formats or their order, rtpmap, fmtp
	SDP_DIFF_DIRECTION,
	SDP_DIFF_BANDWIDTH,
	SDP_DIFF_ATTRIBUTE,  // any other attribute
	SDP_DIFF_TIMING,     // t= r= z=
	SDP_DIFF_UNREADABLE, // one of them does not parse and the bytes differ
	SDP_DIFF_N
};

// The first difference that there is: number of sections, then section by section, then the session
// level. What counts: formats in their order (the first is preferred), rtpmap (case ignored, the
// static ones of RFC 3551 need not be written) and fmtp; port; the c= and the direction that hold
// for a section, wherever they stand; bandwidths; every other attribute as a set, names and values
// with case; t= r= z=. What does not: all of o=, s= i= u= e= p=, the order of attributes, blanks at
// line ends, and whatever a section with port 0 says. Cost: O(bytes), whatever the bytes.
enum sdp_diff sdp_compare(struct slice a, struct slice b);

static inline bool sdp_diff_is_same(enum sdp_diff diff)
{
	return diff <= SDP_DIFF_LAYOUT;
}

static inline bool sdp_same(struct slice a, struct slice b)
{
	return sdp_diff_is_same(sdp_compare(a, b));
}

// "only o= version differs", for traces and logs.
const char *sdp_diff_text(enum sdp_diff diff);

// Hash of the bytes without the o= line; never 0. Equal bytes beside o= give equal hashes; bodies
// of equal meaning but other layout need not. Not keyed: only for comparing a leg's own bodies.
uint64_t sdp_hash(struct slice body);

// The o= line of a body as nearly all are: one, and behind v=. at = 0: the body is another.
struct sdp_own_line {
	uint32_t at;  // where it begins
	uint32_t end; // behind its line end
};
// sdp_hash(), and where o= stands, for sdp_rewrite_found().
uint64_t sdp_hash_find(struct slice body, struct sdp_own_line *own);

// Our origin line.
struct sdp_origin {
	uint64_t session_id;
	uint64_t version;
	uint8_t family;	   // 4 or 6
	const uint8_t *ip; // 4 or 16 bytes, network order
};
// Append body to o with our o= line in place of its own; without one, ours is put after v=. All
// other bytes are copied as they are. Further o= lines (not legal) are dropped. A body that does
// not begin with v= is copied untouched.
void sdp_rewrite_origin(struct outbuf *o, struct slice body, const struct sdp_origin *origin);
// The same; own is what sdp_hash_find() said of this body.
void sdp_rewrite_found(struct outbuf *o, struct slice body, struct sdp_own_line own,
		       const struct sdp_origin *origin);

// The offer or answer holds the call: some media has a port other than 0, and all such media are
// sendonly or inactive, or have the address 0.0.0.0 (RFC 3264 s8.4) or "::".
bool sdp_is_hold(const struct sdp *sdp);
