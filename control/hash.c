// SPDX-License-Identifier: BSD-3-Clause
// MD5 and SHA-256 for RFC 7616. MD5 is what most trunks still ask for.
#include "control/hash.h"

#include <nettle/md5.h>
#include <nettle/sha2.h>

static int md5(struct slice bytes, uint8_t out[16])
{
	struct md5_ctx ctx;

	md5_init(&ctx);
	md5_update(&ctx, bytes.len, bytes.p);
	md5_digest(&ctx, MD5_DIGEST_SIZE, out);
	return 0;
}

static int sha256(struct slice bytes, uint8_t out[32])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, bytes.len, bytes.p);
	sha256_digest(&ctx, SHA256_DIGEST_SIZE, out);
	return 0;
}

const struct sip_digest_hash hash_nettle = {md5, sha256};
