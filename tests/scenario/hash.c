// SPDX-License-Identifier: BSD-3-Clause
// Hash functions for digest authentication, from GnuTLS as in the shell.
// One thread of a test program.
#include "hash.h"

#include <errno.h>
#include <gnutls/crypto.h>

static int md5(struct slice bytes, uint8_t out[16])
{
	return gnutls_hash_fast(GNUTLS_DIG_MD5, bytes.p, bytes.len, out) == 0 ? 0 : -EIO;
}

static int sha256(struct slice bytes, uint8_t out[32])
{
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes.p, bytes.len, out) == 0 ? 0 : -EIO;
}

const struct sip_digest_hash hash_functions = {md5, sha256};
