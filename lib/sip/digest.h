// SPDX-License-Identifier: BSD-3-Clause
// Digest authentication as a client (RFC 7616, RFC 3261 s22, RFC 8760): read challenges, write
// credentials. Any thread; pure. The hash functions are the caller's (the shell takes them from a
// library).
#pragma once

#include "base/outbuf.h"
#include "sip/message.h"

struct sip_digest_hash {
	// out: 16 or 32 bytes. 0, or -errno when the library refuses (then nothing is written).
	int (*md5)(struct slice bytes, uint8_t out[16]);
	int (*sha256)(struct slice bytes, uint8_t out[32]);
};

enum sip_digest_algorithm {
	SIP_DIGEST_MD5,
	SIP_DIGEST_MD5_SESS,
	SIP_DIGEST_SHA256,
	SIP_DIGEST_SHA256_SESS,
	SIP_DIGEST_UNKNOWN,
};

struct sip_digest_challenge {
	struct slice realm, nonce,
		opaque;	   // between the quotes, escapes as written; opaque.p may be NULL
	uint8_t algorithm; // enum sip_digest_algorithm
	bool has_qop;	   // a qop list is there; without "auth" in it: unusable
	bool qop_auth;
	bool stale;
};

// Who answers, and for which request.
struct sip_digest_request {
	struct slice username, password;
	struct slice method, uri; // as in the request line
	struct slice cnonce;	  // fresh token of ours; used with qop and the -sess algorithms
	uint32_t nc;		  // 1 with a new nonce, one more with each use
};

#define SIP_DIGEST_MAX_REALM 256 // bytes; longer realms, user names and passwords are refused

// Take one challenge off *rest, which begins as the value of a WWW-Authenticate or
// Proxy-Authenticate field; several may follow each other with commas. *rest is empty after the
// last. Errors: -ENOENT *rest is empty, -ENOTSUP a scheme other than Digest (passed over), -EBADMSG
// malformed or without realm or nonce; *rest is then empty.
int sip_digest_take(struct slice *rest, struct sip_digest_challenge *c);

// The best challenge of a 401 (id SIP_H_WWW_AUTHENTICATE) or 407 (SIP_H_PROXY_AUTHENTICATE) that we
// can answer: SHA-256 before MD5, else the first. Errors: -ENOENT if there is none.
int sip_digest_choose(const struct sip_msg *m, enum sip_header id, struct sip_digest_challenge *c);

// Append the value of an Authorization or Proxy-Authorization header.
// Errors: -ENOTSUP algorithm or qop that we cannot, -EMSGSIZE a text is too long, else the hash's.
int sip_digest_build(struct outbuf *o, const struct sip_digest_challenge *c,
		     const struct sip_digest_request *r, const struct sip_digest_hash *hash);
