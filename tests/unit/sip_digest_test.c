// SPDX-License-Identifier: BSD-3-Clause
// Digest challenges and credentials: the examples of RFC 2617 s3.5 and RFC 7616 s3.9, odd
// spellings, refusals.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>

#include "guard.h"
#include "sip/digest.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static int md5(struct slice bytes, uint8_t out[16])
{
	struct md5_ctx ctx;

	md5_init(&ctx);
	md5_update(&ctx, bytes.len, bytes.p);
	md5_digest(&ctx, 16, out);
	return 0;
}

static int sha256(struct slice bytes, uint8_t out[32])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, bytes.len, bytes.p);
	sha256_digest(&ctx, 32, out);
	return 0;
}

static int refuse(struct slice, uint8_t *)
{
	return -EPERM;
}

static const struct sip_digest_hash hash = {md5, sha256};

#define NONCE_7616 "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"

static void examples(void **)
{
	static const struct {
		const char *challenge;
		const char *password, *cnonce;
		const char *want;
	} rows[] = {
		{"Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
		 "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
		 "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
		 "Circle Of Life", "0a4f113b",
		 "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
		 "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", "
		 "response=\"6629fae49393a05397450978507c4ef1\", algorithm=MD5, "
		 "cnonce=\"0a4f113b\", "
		 "qop=auth, nc=00000001, opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""},
		{"Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", "
		 "algorithm=SHA-256, "
		 "nonce=\"" NONCE_7616 "\"",
		 "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
		 "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", nonce=\"" NONCE_7616
		 "\", uri=\"/dir/index.html\", response="
		 "\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", "
		 "algorithm=SHA-256, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "
		 "qop=auth, nc=00000001"},
		{"DIGEST\r\n realm = \"http-auth@example.org\" ,nonce=\"" NONCE_7616
		 "\",algorithm=md5,qop=auth",
		 "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
		 "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", nonce=\"" NONCE_7616
		 "\", uri=\"/dir/index.html\", response=\"8ca523f5e9506fed4657c9700eebdbec\", "
		 "algorithm=MD5, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "
		 "qop=auth, nc=00000001"},
	};
	uint8_t mem[1024];

	for (size_t i = 0; i < N(rows); i++) {
		struct outbuf o = outbuf_of(mem, sizeof(mem));
		struct slice rest = guard_str(0, rows[i].challenge);
		struct sip_digest_request r = {
			.username = SLICE_LIT("Mufasa"),
			.password = slice_of_str(rows[i].password),
			.method = SLICE_LIT("GET"),
			.uri = SLICE_LIT("/dir/index.html"),
			.cnonce = slice_of_str(rows[i].cnonce),
			.nc = 1,
		};
		struct sip_digest_challenge c;

		assert_int_equal(sip_digest_take(&rest, &c), 0);
		assert_int_equal(rest.len, 0);
		assert_int_equal(sip_digest_build(&o, &c, &r, &hash), 0);
		if (!slice_eq(outbuf_slice(&o), slice_of_str(rows[i].want)))
			fail_msg("%.*s", (int)o.len, (const char *)mem);
	}
}

// Without qop (RFC 2069) and with -sess, by hashing step by step here.
static void steps(void **)
{
	static const char *const algorithms[] = {"MD5", "MD5-sess"};
	struct sip_digest_request r = {
		.username = SLICE_LIT("u"),
		.password = SLICE_LIT("p"),
		.method = SLICE_LIT("INVITE"),
		.uri = SLICE_LIT("sip:a"),
		.cnonce = SLICE_LIT("cc"),
		.nc = 0xabc,
	};

	for (size_t i = 0; i < N(algorithms); i++) {
		uint8_t mem[1024], raw[16];
		struct outbuf o = outbuf_of(mem, sizeof(mem));
		char text[256], a1[33], a2[33], want[64];
		struct sip_digest_challenge c;
		struct slice rest;

		(void)snprintf(text, sizeof(text), "Digest realm=\"r\\\"x\",nonce=n,algorithm=%s",
			       algorithms[i]);
		rest = guard_str(0, text);
		assert_int_equal(sip_digest_take(&rest, &c), 0);
		assert_int_equal(sip_digest_build(&o, &c, &r, &hash), 0);
		(void)md5(SLICE_LIT("u:r\"x:p"), raw);
		for (int k = 0; k < 16; k++)
			(void)snprintf(a1 + 2 * k, 3, "%02x", raw[k]);
		if (i == 1) {
			(void)snprintf(text, sizeof(text), "%s:n:cc", a1);
			(void)md5(slice_of_str(text), raw);
			for (int k = 0; k < 16; k++)
				(void)snprintf(a1 + 2 * k, 3, "%02x", raw[k]);
		}
		(void)md5(SLICE_LIT("INVITE:sip:a"), raw);
		for (int k = 0; k < 16; k++)
			(void)snprintf(a2 + 2 * k, 3, "%02x", raw[k]);
		(void)snprintf(text, sizeof(text), "%s:n:%s", a1, a2);
		(void)md5(slice_of_str(text), raw);
		for (int k = 0; k < 16; k++)
			(void)snprintf(a1 + 2 * k, 3, "%02x", raw[k]);
		(void)snprintf(want, sizeof(want), "response=\"%s\"", a1);
		mem[o.len] = 0;
		assert_non_null(strstr((char *)mem, want));
		assert_null(strstr((char *)mem, "qop"));
		assert_true((strstr((char *)mem, "cnonce") != NULL) == (i == 1));
	}
}

static void challenges(void **)
{
	static const struct {
		const char *in;
		int rc;
		enum sip_digest_algorithm algorithm;
		bool qop_auth, stale;
	} rows[] = {
		{"Digest realm=\"\",nonce=\"n\"", 0, SIP_DIGEST_MD5, false, false},
		{"digest nonce=\"n\",realm=\"r\",stale=TRUE,qop=\"auth-int,auth\"", 0,
		 SIP_DIGEST_MD5, true, true},
		{"Digest realm=\"r\",nonce=\"n\",stale=\"true\",qop=auth-int", 0, SIP_DIGEST_MD5,
		 false, true},
		{"Digest realm=\"r\",nonce=\"n\",algorithm=\"SHA-256-SESS\"", 0,
		 SIP_DIGEST_SHA256_SESS, false, false},
		{"Digest realm=\"r\",nonce=\"n\",algorithm=AKAv1-MD5,x=y", 0, SIP_DIGEST_UNKNOWN,
		 false, false},
		{"Digest realm=\"r\",,nonce=\"n\",", 0, SIP_DIGEST_MD5, false, false},
		{"Digest realm=\"r\"", -EBADMSG, 0, false, false},
		{"Digest nonce=\"n\"", -EBADMSG, 0, false, false},
		{"Digest realm=\"r\",nonce=\"\"", -EBADMSG, 0, false, false},
		{"Digest realm=\"r\",nonce=\"n", -EBADMSG, 0, false, false},
		{"Digest realm=\"r\" nonce=\"n\"", -EBADMSG, 0, false, false},
		{"Digest realm", -EBADMSG, 0, false, false},
		{"\"Digest\"", -EBADMSG, 0, false, false},
		{"Basic realm=\"r\"", -ENOTSUP, 0, false, false},
		{"", -ENOENT, 0, false, false},
	};
	struct sip_digest_challenge c;

	for (size_t i = 0; i < N(rows); i++) {
		struct slice rest = guard_str(0, rows[i].in);
		int rc = sip_digest_take(&rest, &c);

		if (rc != rows[i].rc ||
		    (rc == 0 && (c.algorithm != rows[i].algorithm ||
				 c.qop_auth != rows[i].qop_auth || c.stale != rows[i].stale)))
			fail_msg("%s: %d", rows[i].in, rc);
	}
}

static void choice(void **)
{
	static const struct {
		const char *fields;
		int rc;
		const char *nonce;
	} rows[] = {
		{"WWW-Authenticate: Digest realm=a,nonce=1\r\n"
		 "WWW-Authenticate: Digest realm=a,nonce=2,algorithm=SHA-256\r\n"
		 "WWW-Authenticate: Digest realm=a,nonce=3,algorithm=SHA-256\r\n",
		 0, "2"},
		{"WWW-Authenticate: Basic realm=a, Digest realm=a,nonce=1,Digest realm=b, nonce=2, "
		 "algorithm=SHA-256\r\n",
		 0, "2"},
		{"WWW-Authenticate: Digest realm=a,nonce=1,algorithm=X\r\nWWW-Authenticate: "
		 "nonsense;\r\n"
		 "WWW-Authenticate: Digest realm=a,nonce=2,qop=\"auth-int\"\r\n"
		 "WWW-Authenticate: Digest realm=a,nonce=3\r\n",
		 0, "3"},
		{"WWW-Authenticate: Basic realm=a\r\n", -ENOENT, NULL},
		{"Proxy-Authenticate: Digest realm=a,nonce=1\r\n", -ENOENT, NULL},
	};
	struct sip_digest_challenge c;
	struct sip_msg m;
	char text[1024];

	for (size_t i = 0; i < N(rows); i++) {
		(void)snprintf(text, sizeof(text), "SIP/2.0 401 Unauthorized\r\n%s\r\n",
			       rows[i].fields);
		assert_int_equal(sip_msg_parse(&m, guard_str(0, text)), 0);
		assert_int_equal(sip_digest_choose(&m, SIP_H_WWW_AUTHENTICATE, &c), rows[i].rc);
		if (rows[i].rc == 0)
			assert_true(slice_eq(c.nonce, slice_of_str(rows[i].nonce)));
	}
}

static void refused(void **)
{
	static const struct sip_digest_hash none = {refuse, refuse};
	struct sip_digest_request r = {.username = SLICE_LIT("a\"\\"), .method = SLICE_LIT("BYE")};
	struct sip_digest_challenge c;
	struct slice rest = SLICE_LIT("Digest realm=r,nonce=n,qop=auth-int");
	uint8_t mem[400];
	struct outbuf o = outbuf_of(mem, sizeof(mem));
	static char big[SIP_DIGEST_MAX_REALM + 2];

	assert_int_equal(sip_digest_take(&rest, &c), 0);
	assert_int_equal(sip_digest_build(&o, &c, &r, &hash), -ENOTSUP);
	c.has_qop = false;
	assert_int_equal(sip_digest_build(&o, &c, &r, &none), -EPERM);
	assert_int_equal(o.len, 0);
	assert_int_equal(sip_digest_build(&o, &c, &r, &hash), 0);
	mem[o.len] = 0;
	assert_non_null(strstr((char *)mem, "username=\"a\\\"\\\\\", "));
	memset(big, 'x', sizeof(big) - 1);
	r.password = slice_of_str(big);
	assert_int_equal(sip_digest_build(&o, &c, &r, &hash), -EMSGSIZE);
	r.password = SLICE_NONE;
	o = outbuf_of(mem, 20);
	assert_int_equal(sip_digest_build(&o, &c, &r, &hash), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples), cmocka_unit_test(steps),   cmocka_unit_test(challenges),
		cmocka_unit_test(choice),   cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
