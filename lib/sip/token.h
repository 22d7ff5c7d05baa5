// SPDX-License-Identifier: BSD-3-Clause
// The identifiers that verge makes: tags, Via branches and Call-IDs of egress legs. Each is an
// opaque text that finds its record again without a search and carries a SipHash MAC, so that an
// outsider can neither guess nor enumerate them. A token is a hint, never the truth: whoever reads
// one compares the record's Call-ID and tags in full. Any thread; pure.
#pragma once

#include "base/outbuf.h"
#include "base/siphash.h"

enum token_kind { TOKEN_TAG = 1, TOKEN_BRANCH, TOKEN_CALL_ID };

#define TOKEN_LEN	  28 // characters of a tag; a branch has TOKEN_BRANCH_COOKIE before it
#define TOKEN_BRANCH_LEN  35 // with the magic cookie z9hG4bK
#define TOKEN_CALL_ID_LEN 44

// Tag and branch: payload is the caller's (record index, generation, fork ...), hidden in the text.
void token_put(struct outbuf *o, struct siphash_key key, enum token_kind kind, uint64_t payload);
// Text of a branch with its cookie.
void token_put_branch(struct outbuf *o, struct siphash_key key, uint64_t payload);
// False when it is not one of ours or the MAC does not verify; *payload is then untouched.
// Accepts either case of letters; a branch is given with its cookie.
bool token_read(struct slice text, struct siphash_key key, enum token_kind kind, uint64_t *payload);
bool token_read_branch(struct slice text, struct siphash_key key, uint64_t *payload);

// Call-ID of an egress leg: owner_hash readable without the key (any worker, after any restart,
// steers by it), unique (call index, generation, attempt) part and MAC behind it.
void token_put_call_id(struct outbuf *o, struct siphash_key key, uint64_t owner_hash,
		       uint64_t unique);
// False when the text has not the form of our Call-IDs. Does not check the MAC: the result only
// chooses a worker.
bool token_read_owner_hash(struct slice call_id, uint64_t *owner_hash);

// H: the owner's hash of a Call-ID: the one it carries if we made it, else an unkeyed hash of its
// bytes that is the same in every process.
uint64_t token_owner_hash(struct slice call_id);
