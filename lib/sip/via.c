// SPDX-License-Identifier: BSD-3-Clause
// Via. Pure; one pass over the value.
#include "sip/via.h"

#include <errno.h>

#include "sip/chars.h"

static const struct slice transports[] = {
	[SIP_UDP] = {(const uint8_t *)"UDP", 3}, [SIP_TCP] = {(const uint8_t *)"TCP", 3},
	[SIP_TLS] = {(const uint8_t *)"TLS", 3}, [SIP_SCTP] = {(const uint8_t *)"SCTP", 4},
	[SIP_WS] = {(const uint8_t *)"WS", 2},	 [SIP_WSS] = {(const uint8_t *)"WSS", 3},
};

struct slice sip_via_transport_name(enum sip_transport transport)
{
	return transport < SIP_TRANSPORT_OTHER ? transports[transport] : SLICE_NONE;
}

static struct slice take_token(struct slice *s)
{
	struct slice token = slice_of(s->p, sip_chars_token_span(*s));

	*s = slice_of(s->p + token.len, s->len - token.len);
	return token;
}

static bool take_slash(struct slice *s)
{
	*s = slice_skip_lws(*s);
	if (s->len == 0 || s->p[0] != '/')
		return false;
	*s = slice_skip_lws(slice_of(s->p + 1, s->len - 1));
	return true;
}

// SIP / 2.0 / transport LWS
static int take_protocol(struct slice *s, uint8_t *transport)
{
	struct slice name;

	if (!slice_eq_nocase(take_token(s), SLICE_LIT("SIP")) || !take_slash(s) ||
	    !slice_eq(take_token(s), SLICE_LIT("2.0")) || !take_slash(s))
		return -EBADMSG;
	name = take_token(s);
	if (name.len == 0 || s->len == 0 || !slice_is_lws(s->p[0]))
		return -EBADMSG;
	*transport = SIP_TRANSPORT_OTHER;
	for (unsigned i = 0; i < SIP_TRANSPORT_OTHER; i++)
		if (slice_eq_nocase(transports[i], name))
			*transport = (uint8_t)i;
	*s = slice_skip_lws(*s);
	return 0;
}

static bool take_number(struct slice text, uint32_t max, uint32_t *n)
{
	uint32_t v = 0;

	if (text.len == 0 || text.len > 5)
		return false;
	for (uint32_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		v = v * 10 + (text.p[i] - '0');
	}
	*n = v;
	return v <= max;
}

static struct slice without_brackets(struct slice s)
{
	return s.len >= 2 && s.p[0] == '[' && s.p[s.len - 1] == ']' ? slice_of(s.p + 1, s.len - 2)
								    : s;
}

// The first of several parameters with one name counts.
static int add_param(struct sip_via *via, const struct sip_param *p)
{
	uint32_t n = 0;

	if (slice_eq_nocase(p->name, SLICE_LIT("branch"))) {
		if (via->branch.p == NULL)
			via->branch = p->value;
	} else if (slice_eq_nocase(p->name, SLICE_LIT("rport"))) {
		if (p->value.len != 0 && !take_number(p->value, UINT16_MAX, &n))
			return -EBADMSG;
		if (!via->has_rport)
			via->rport = (uint16_t)n;
		via->has_rport = true;
	} else if (slice_eq_nocase(p->name, SLICE_LIT("received"))) {
		if (via->received.p == NULL)
			via->received = without_brackets(p->value);
	} else if (slice_eq_nocase(p->name, SLICE_LIT("maddr"))) {
		if (via->maddr.p == NULL)
			via->maddr = without_brackets(p->value);
	} else if (slice_eq_nocase(p->name, SLICE_LIT("ttl"))) {
		if (!take_number(p->value, UINT8_MAX, &n))
			return -EBADMSG;
		via->ttl = (uint8_t)n;
	}
	return 0;
}

// The two parameters that nearly every Via has, written without white space. False: to be parsed.
static bool take_usual_param(struct slice *rest, struct slice *branch, bool *has_rport)
{
	static const struct slice branch_is = SLICE_LIT(";branch="), rport = SLICE_LIT(";rport");
	struct slice s = *rest;
	uint32_t n;

	if (slice_starts_with(s, branch_is)) {
		s = slice_skip(s, branch_is.len);
		n = sip_chars_value_span(s);
		if (branch->p == NULL)
			*branch = slice_first(s, n);
	} else if (slice_starts_with(s, rport)) {
		n = rport.len;
		*has_rport = true;
	} else {
		return false;
	}
	*rest = slice_skip(s, n);
	return n == s.len || s.p[n] == ';';
}

// SIP/2.0/UDP host[:port], no blanks, and none but the two usual parameters: nearly all of them.
// False: to be parsed; *via is untouched.
static bool usual_via(struct sip_via *via, struct slice s)
{
	static const struct slice usual = SLICE_LIT("SIP/2.0/UDP ");
	struct slice rest, host, params, branch = SLICE_NONE;
	uint8_t host_kind;
	bool has_rport = false;
	uint16_t port;

	if (s.len <= usual.len || !slice_starts_with(s, usual))
		return false;
	rest = slice_skip(s, usual.len);
	if (sip_uri_take_host(&rest, &host, &host_kind, &port) != 0)
		return false;
	for (params = rest; rest.len != 0;)
		if (!take_usual_param(&rest, &branch, &has_rport))
			return false;
	*via = (struct sip_via){.transport = SIP_UDP,
				.host_kind = host_kind,
				.has_rport = has_rport,
				.port = port,
				.all = s,
				.host = host,
				.params = params,
				.branch = branch};
	return true;
}

static int parse(struct sip_via *via, struct slice value)
{
	struct slice s = slice_trim(value), rest;
	struct sip_via x = {.all = s};
	struct sip_param p;
	int rc;

	if (take_protocol(&s, &x.transport) != 0 ||
	    sip_uri_take_host(&s, &x.host, &x.host_kind, &x.port) != 0)
		return -EBADMSG;
	rest = slice_skip_lws(s);
	x.params = rest;
	while ((rc = sip_param_next(&rest, &p)) == 1)
		if (add_param(&x, &p) != 0)
			return -EBADMSG;
	if (rc != 0)
		return -EBADMSG;
	*via = x;
	return 0;
}

int sip_via_parse(struct sip_via *via, struct slice value)
{
	return usual_via(via, value) ? 0 : parse(via, value);
}

int sip_via_next(struct sip_values *v, struct sip_via *via)
{
	struct slice value;

	if (!sip_param_values_next(v, &value))
		return 0;
	return sip_via_parse(via, value) == 0 ? 1 : -EBADMSG;
}

int sip_via_top(const struct sip_msg *m, struct sip_via *via)
{
	struct sip_values v;

	if (!sip_msg_has(m, SIP_H_VIA))
		return -ENOENT;
	if (usual_via(via, sip_msg_value(m, SIP_H_VIA))) // there is no comma in it
		return 0;
	v = sip_param_values(m, SIP_H_VIA);
	return sip_via_next(&v, via) == 1 ? 0 : -EBADMSG;
}

unsigned sip_via_count(const struct sip_msg *m)
{
	struct sip_values v = sip_param_values(m, SIP_H_VIA);
	struct slice value;
	unsigned n = 0;

	while (sip_param_values_next(&v, &value))
		n++;
	return n;
}

bool sip_via_is_rfc3261(const struct sip_via *via)
{
	return via->branch.len > 7 &&
	       slice_eq_nocase(slice_first(via->branch, 7), SLICE_LIT("z9hG4bK"));
}
