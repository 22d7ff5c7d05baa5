// SPDX-License-Identifier: BSD-3-Clause
// Digest authentication as a client. Pure; hashes by the caller's functions.
#include "sip/digest.h"

#include <errno.h>

#include "sip/build.h"
#include "sip/chars.h"
#include "sip/param.h"

#define MAX_HASH 32
#define MAX_TEXT 2048 // what one hash takes: user:realm:password, method:uri

static enum sip_digest_algorithm algorithm_of(struct slice name)
{
	static const struct {
		const char *name;
		enum sip_digest_algorithm algorithm;
	} names[] = {
		{"MD5", SIP_DIGEST_MD5},
		{"MD5-sess", SIP_DIGEST_MD5_SESS},
		{"SHA-256", SIP_DIGEST_SHA256},
		{"SHA-256-sess", SIP_DIGEST_SHA256_SESS},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_eq_nocase(slice_of_str(names[i].name), name))
			return names[i].algorithm;
	return SIP_DIGEST_UNKNOWN;
}

// "auth" among the tokens of a qop list.
static bool has_auth(struct slice list)
{
	struct slice value;

	while (sip_param_next_value(&list, &value))
		if (slice_eq_nocase(value, SLICE_LIT("auth")))
			return true;
	return false;
}

static struct slice skip_separators(struct slice s)
{
	while (s.len != 0 && (s.p[0] == ',' || slice_is_lws(s.p[0])))
		s = slice_of(s.p + 1, s.len - 1);
	return s;
}

static struct slice take_token(struct slice *s)
{
	struct slice token = slice_of(s->p, sip_chars_token_span(*s));

	*s = slice_of(s->p + token.len, s->len - token.len);
	return token;
}

static int take_text(struct slice *s, struct slice *value)
{
	if (s->len != 0 && s->p[0] == '"')
		return sip_param_quoted(s, value) ? 0 : -EBADMSG;
	*value = slice_of(s->p, 0);
	while (value->len < s->len && s->p[value->len] != ',' && !slice_is_lws(s->p[value->len]))
		value->len++;
	*s = slice_of(s->p + value->len, s->len - value->len);
	return 0;
}

// Take name=value off *rest: 1; 0 at the end or where the next challenge's scheme stands; -EBADMSG.
static int take_pair(struct slice *rest, struct slice *name, struct slice *value)
{
	struct slice s = skip_separators(*rest), after;

	*rest = s;
	if (s.len == 0)
		return 0;
	*name = take_token(&s);
	after = slice_skip_lws(s);
	if (name->len == 0 || after.len == 0)
		return -EBADMSG;
	if (after.p[0] != '=')
		return after.p != s.p && sip_chars_is(after.p[0], SIP_CHARS_TOKEN) ? 0 : -EBADMSG;
	s = slice_skip_lws(slice_of(after.p + 1, after.len - 1));
	if (take_text(&s, value) != 0)
		return -EBADMSG;
	s = slice_skip_lws(s);
	if (s.len != 0 && s.p[0] != ',')
		return -EBADMSG;
	*rest = s;
	return 1;
}

static void set_pair(struct sip_digest_challenge *c, struct slice name, struct slice value)
{
	if (slice_eq_nocase(name, SLICE_LIT("realm"))) {
		c->realm = value;
	} else if (slice_eq_nocase(name, SLICE_LIT("nonce"))) {
		c->nonce = value;
	} else if (slice_eq_nocase(name, SLICE_LIT("opaque"))) {
		c->opaque = value;
	} else if (slice_eq_nocase(name, SLICE_LIT("algorithm"))) {
		c->algorithm = (uint8_t)algorithm_of(value);
	} else if (slice_eq_nocase(name, SLICE_LIT("stale"))) {
		c->stale = slice_eq_nocase(value, SLICE_LIT("true"));
	} else if (slice_eq_nocase(name, SLICE_LIT("qop"))) {
		c->has_qop = true;
		c->qop_auth = has_auth(value);
	}
}

int sip_digest_take(struct slice *rest, struct sip_digest_challenge *c)
{
	struct sip_digest_challenge x = {.algorithm = SIP_DIGEST_MD5};
	struct slice s = skip_separators(*rest), scheme, name, text;
	int rc;

	*rest = SLICE_NONE;
	if (s.len == 0)
		return -ENOENT;
	scheme = take_token(&s);
	if (scheme.len == 0)
		return -EBADMSG;
	while ((rc = take_pair(&s, &name, &text)) == 1)
		set_pair(&x, name, text);
	if (rc != 0)
		return -EBADMSG;
	*rest = s;
	if (!slice_eq_nocase(scheme, SLICE_LIT("Digest")))
		return -ENOTSUP;
	if (x.realm.p == NULL || x.nonce.len == 0) {
		*rest = SLICE_NONE;
		return -EBADMSG;
	}
	*c = x;
	return 0;
}

static bool is_usable(const struct sip_digest_challenge *c)
{
	return c->algorithm != SIP_DIGEST_UNKNOWN && (!c->has_qop || c->qop_auth);
}

static bool is_sha256(const struct sip_digest_challenge *c)
{
	return c->algorithm == SIP_DIGEST_SHA256 || c->algorithm == SIP_DIGEST_SHA256_SESS;
}

static bool is_session(const struct sip_digest_challenge *c)
{
	return c->algorithm == SIP_DIGEST_MD5_SESS || c->algorithm == SIP_DIGEST_SHA256_SESS;
}

int sip_digest_choose(const struct sip_msg *m, enum sip_header id, struct sip_digest_challenge *c)
{
	struct sip_digest_challenge x;
	bool found = false;

	for (const struct sip_field *f = sip_msg_first(m, id); f != NULL; f = sip_msg_next(m, f)) {
		struct slice rest = sip_msg_field_value(m, f);
		int rc;

		while ((rc = sip_digest_take(&rest, &x)) != -ENOENT) {
			if (rc != 0 || !is_usable(&x) ||
			    (found && (!is_sha256(&x) || is_sha256(c))))
				continue;
			*c = x;
			found = true;
		}
	}
	return found ? 0 : -ENOENT;
}

// Text that is hashed, and the lower-case hexadecimal of its hash.
struct hashing {
	struct outbuf text;
	uint8_t mem[MAX_TEXT];
	uint8_t hex[2 * MAX_HASH];
	uint32_t hex_len;
};

static void hashing_begin(struct hashing *h)
{
	h->text = outbuf_of(h->mem, sizeof(h->mem));
}

static int hashing_end(struct hashing *h, const struct sip_digest_challenge *c,
		       const struct sip_digest_hash *hash)
{
	uint32_t n = is_sha256(c) ? 32 : 16;
	struct outbuf hex = outbuf_of(h->hex, sizeof(h->hex));
	uint8_t bytes[MAX_HASH];
	int rc;

	if (h->text.full)
		return -EMSGSIZE;
	rc = is_sha256(c) ? hash->sha256(outbuf_slice(&h->text), bytes)
			  : hash->md5(outbuf_slice(&h->text), bytes);
	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < n; i++)
		outbuf_put_hex(&hex, bytes[i], 2);
	h->hex_len = hex.len;
	return 0;
}

static void put_joined(struct outbuf *o, const struct slice *parts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (i != 0)
			outbuf_put_char(o, ':');
		outbuf_put_slice(o, parts[i]);
	}
}

static struct slice hashing_hex(const struct hashing *h)
{
	return slice_of(h->hex, h->hex_len);
}

// H(A1) into a (RFC 7616 s3.4.2). The realm is hashed without its escapes.
static int hash_a1(struct hashing *a, const struct sip_digest_challenge *c,
		   const struct sip_digest_request *r, const struct sip_digest_hash *hash)
{
	int rc;

	hashing_begin(a);
	outbuf_put_slice(&a->text, r->username);
	outbuf_put_char(&a->text, ':');
	sip_param_unquote(&a->text, c->realm);
	outbuf_put_char(&a->text, ':');
	outbuf_put_slice(&a->text, r->password);
	rc = hashing_end(a, c, hash);
	if (rc != 0 || !is_session(c))
		return rc;
	hashing_begin(a);
	put_joined(&a->text, (struct slice[]){hashing_hex(a), c->nonce, r->cnonce}, 3);
	return hashing_end(a, c, hash);
}

static struct slice nc_text(uint8_t mem[8], uint32_t nc)
{
	struct outbuf o = outbuf_of(mem, 8);

	outbuf_put_hex(&o, nc, 8);
	return outbuf_slice(&o);
}

// The response: H(H(A1) : nonce [: nc : cnonce : auth] : H(A2)), in a->hex.
static int hash_response(struct hashing *a, const struct sip_digest_challenge *c,
			 const struct sip_digest_request *r, const struct sip_digest_hash *hash)
{
	struct hashing b;
	uint8_t nc[8];
	int rc = hash_a1(a, c, r, hash);

	if (rc != 0)
		return rc;
	hashing_begin(&b);
	put_joined(&b.text, (struct slice[]){r->method, r->uri}, 2);
	rc = hashing_end(&b, c, hash);
	if (rc != 0)
		return rc;
	hashing_begin(a);
	if (c->qop_auth)
		put_joined(&a->text,
			   (struct slice[]){hashing_hex(a), c->nonce, nc_text(nc, r->nc), r->cnonce,
					    SLICE_LIT("auth"), hashing_hex(&b)},
			   6);
	else
		put_joined(&a->text, (struct slice[]){hashing_hex(a), c->nonce, hashing_hex(&b)},
			   3);
	return hashing_end(a, c, hash);
}

static void put_quoted(struct outbuf *o, const char *name, struct slice value)
{
	outbuf_put_str(o, name);
	outbuf_put_lit(o, "=\"");
	sip_build_value(o, value);
	outbuf_put_char(o, '"');
}

int sip_digest_build(struct outbuf *o, const struct sip_digest_challenge *c,
		     const struct sip_digest_request *r, const struct sip_digest_hash *hash)
{
	static const char *const algorithms[] = {"MD5", "MD5-sess", "SHA-256", "SHA-256-sess"};
	struct hashing h;
	uint8_t nc[8];
	int rc;

	if (!is_usable(c))
		return -ENOTSUP;
	if (c->realm.len > SIP_DIGEST_MAX_REALM || r->username.len > SIP_DIGEST_MAX_REALM ||
	    r->password.len > SIP_DIGEST_MAX_REALM)
		return -EMSGSIZE;
	rc = hash_response(&h, c, r, hash);
	if (rc != 0)
		return rc;
	outbuf_put_lit(o, "Digest ");
	outbuf_put_lit(o, "username=");
	sip_build_quoted(o, r->username);
	put_quoted(o, ", realm", c->realm);
	put_quoted(o, ", nonce", c->nonce);
	put_quoted(o, ", uri", r->uri);
	put_quoted(o, ", response", hashing_hex(&h));
	outbuf_put_lit(o, ", algorithm=");
	outbuf_put_str(o, algorithms[c->algorithm]);
	if (c->qop_auth || is_session(c))
		put_quoted(o, ", cnonce", r->cnonce);
	if (c->qop_auth) {
		outbuf_put_lit(o, ", qop=auth, nc=");
		outbuf_put_slice(o, nc_text(nc, r->nc));
	}
	if (c->opaque.p != NULL)
		put_quoted(o, ", opaque", c->opaque);
	return o->full ? -EMSGSIZE : 0;
}
