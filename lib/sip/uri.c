// SPDX-License-Identifier: BSD-3-Clause
// URIs. Pure.
#include "sip/uri.h"

#include <arpa/inet.h>
#include <errno.h>

#include "sip/chars.h"

// Bytes that may stand in a URI at all: no white space, controls or delimiters of the header around
// it, and each % before two hexadecimal digits. Otherwise more is let through than the grammar has:
// peers dial it.
static bool bytes_ok(struct slice s)
{
	for (;;) {
		s = slice_skip(s, sip_chars_uri_span(s));
		if (s.len == 0)
			return true;
		if (s.p[0] != '%' || s.len < 3 || !sip_chars_is(s.p[1], SIP_CHARS_HEX) ||
		    !sip_chars_is(s.p[2], SIP_CHARS_HEX))
			return false;
		s = slice_skip(s, 3);
	}
}

// Four decimal numbers of at most 255 without leading zeros.
static bool dotted_quad(struct slice s, uint8_t ip[4])
{
	uint32_t v = 0, digits = 0, dots = 0;

	for (uint32_t i = 0; i < s.len; i++) {
		uint32_t d = (uint32_t)s.p[i] - '0';

		if (d <= 9) {
			v = v * 10 + d;
			if (v > 255 || (digits != 0 && v < 10))
				return false;
			digits++;
		} else {
			if (s.p[i] != '.' || digits == 0 || dots == 3)
				return false;
			ip[dots++] = (uint8_t)v;
			v = 0;
			digits = 0;
		}
	}
	ip[3] = (uint8_t)v;
	return dots == 3 && digits != 0;
}

static int take_port(struct slice *rest, uint16_t *port)
{
	struct slice s = slice_skip(*rest, 1);
	uint32_t v = 0, n = 0;

	while (s.len != 0 && slice_is_lws(s.p[0]))
		s = slice_skip(s, 1);
	for (uint32_t d; n < s.len && (d = s.p[n] - (uint32_t)'0') <= 9 && v <= UINT16_MAX; n++)
		v = v * 10 + d;
	if (n == 0 || v == 0 || v > UINT16_MAX)
		return -EBADMSG;
	*port = (uint16_t)v;
	*rest = slice_skip(s, n);
	return 0;
}

// [IPv6]; takes the brackets off *rest.
static int take_ipv6(struct slice *rest, struct slice *host)
{
	int64_t end = slice_find(*rest, ']');
	uint8_t ip[16], family;

	if (end < 0)
		return -EBADMSG;
	*host = slice_of(rest->p + 1, (size_t)end - 1);
	if (sip_uri_ip(*host, SIP_HOST_IPV6, ip, &family) != 0)
		return -EBADMSG;
	*rest = slice_skip(*rest, (uint32_t)end + 1);
	return 0;
}

int sip_uri_take_host(struct slice *rest, struct slice *host, uint8_t *host_kind, uint16_t *port)
{
	struct slice s = *rest, h, after;
	uint32_t quad;

	if (s.len != 0 && s.p[0] == '[') {
		if (take_ipv6(&s, &h) != 0)
			return -EBADMSG;
		*host_kind = SIP_HOST_IPV6;
	} else {
		quad = sip_chars_quad_span(s);
		h = slice_of(s.p, quad != 0 ? quad : sip_chars_span(s, SIP_CHARS_HOST));
		if (h.len == 0 || h.p[0] == '.')
			return -EBADMSG;
		*host_kind = quad != 0 ? SIP_HOST_IPV4 : SIP_HOST_NAME;
		s = slice_skip(s, h.len);
	}
	*port = 0;
	*host = h;
	if (s.len == 0 || (s.p[0] != ':' && !slice_is_lws(s.p[0]))) {
		*rest = s;
		return 0;
	}
	after = s;
	while (after.len != 0 && slice_is_lws(after.p[0]))
		after = slice_skip(after, 1);
	if (after.len != 0 && after.p[0] == ':') {
		if (take_port(&after, port) != 0)
			return -EBADMSG;
		s = after;
	}
	*rest = s;
	return 0;
}

// What follows the colon of sip: and sips:.
static int parse_sip(struct sip_uri *uri, struct slice s)
{
	int64_t at = slice_find(s, '@'), colon, question;

	if (at >= 0) {
		uri->user = slice_first(s, (uint32_t)at);
		s = slice_skip(s, (uint32_t)at + 1);
		colon = slice_find(uri->user, ':');
		if (colon >= 0) {
			uri->password = slice_skip(uri->user, (uint32_t)colon + 1);
			uri->user.len = (uint32_t)colon;
		}
		if (uri->user.len == 0)
			return -EBADMSG;
	}
	if (sip_uri_take_host(&s, &uri->host, &uri->host_kind, &uri->port) != 0)
		return -EBADMSG;
	if (s.len != 0 && s.p[0] != ';' && s.p[0] != '?')
		return -EBADMSG;
	question = s.len != 0 ? slice_find(s, '?') : -1;
	if (question >= 0) {
		uri->headers = slice_skip(s, (uint32_t)question + 1);
		s.len = (uint32_t)question;
	}
	uri->params = s;
	return 0;
}

// sip: without password, headers and escapes, which is nearly all of them. False: to be parsed in
// full.
static bool usual_sip(struct sip_uri *uri, struct slice text)
{
	struct slice user = SLICE_NONE, host, rest;
	struct sip_chars_marks marks;
	uint8_t host_kind;
	uint32_t at;
	uint16_t port;

	if (text.len > SIP_CHARS_MARKS || !slice_starts_with(text, SLICE_LIT("sip:")))
		return false;
	sip_chars_uri_marks(text, &marks);
	if ((marks.ends | marks.question) != 0)
		return false;
	rest = slice_skip(text, 4);
	if (marks.at != 0) {
		at = (uint32_t)__builtin_ctzll(marks.at);
		user = slice_of(rest.p, at - 4);
		if (user.len == 0 || (marks.colon & ((1ull << at) - 1)) >> 4 != 0)
			return false;
		rest = slice_skip(text, at + 1);
	}
	if (sip_uri_take_host(&rest, &host, &host_kind, &port) != 0 ||
	    (rest.len != 0 && rest.p[0] != ';'))
		return false;
	*uri = (struct sip_uri){.scheme = SIP_URI_SIP,
				.host_kind = host_kind,
				.port = port,
				.all = text,
				.user = user,
				.host = host,
				.params = rest};
	return true;
}

static bool is_tel_digit(uint8_t c)
{
	return sip_chars_is(c, SIP_CHARS_HEX) || c == '*' || c == '#';
}

static bool is_tel_separator(uint8_t c)
{
	return c == '-' || c == '.' || c == '(' || c == ')';
}

static int parse_tel(struct sip_uri *uri, struct slice s)
{
	int64_t semicolon = slice_find(s, ';');
	uint32_t digits = 0;

	uri->user = semicolon >= 0 ? slice_first(s, (uint32_t)semicolon) : s;
	uri->params = slice_skip(s, uri->user.len);
	for (uint32_t i = 0; i < uri->user.len; i++) {
		uint8_t c = uri->user.p[i];

		if (is_tel_digit(c))
			digits++;
		else if (!is_tel_separator(c) && !(c == '+' && i == 0))
			return -EBADMSG;
	}
	return digits != 0 ? 0 : -EBADMSG;
}

static bool scheme_ok(struct slice s)
{
	if (s.len == 0 || (slice_lower(s.p[0]) < 'a' || slice_lower(s.p[0]) > 'z'))
		return false;
	for (uint32_t i = 0; i < s.len; i++)
		if (!sip_chars_is(s.p[i], SIP_CHARS_HOST) && s.p[i] != '+')
			return false;
	return true;
}

int sip_uri_parse(struct sip_uri *uri, struct slice text)
{
	struct slice scheme, rest;
	struct sip_uri x;
	int64_t colon;
	int rc = 0;

	if (usual_sip(uri, text))
		return 0;
	if (!bytes_ok(text))
		return -EBADMSG;
	x = (struct sip_uri){.all = text};
	colon = slice_find(text, ':');
	if (colon < 0)
		return -EBADMSG;
	scheme = slice_first(text, (uint32_t)colon);
	rest = slice_skip(text, (uint32_t)colon + 1);
	if (slice_eq_nocase(scheme, SLICE_LIT("sip"))) {
		x.scheme = SIP_URI_SIP;
		rc = parse_sip(&x, rest);
	} else if (slice_eq_nocase(scheme, SLICE_LIT("sips"))) {
		x.scheme = SIP_URI_SIPS;
		rc = parse_sip(&x, rest);
	} else if (slice_eq_nocase(scheme, SLICE_LIT("tel"))) {
		x.scheme = SIP_URI_TEL;
		rc = parse_tel(&x, rest);
	} else {
		x.scheme = SIP_URI_OTHER;
		x.user = rest;
		rc = scheme_ok(scheme) && rest.len != 0 ? 0 : -EBADMSG;
	}
	if (rc == 0)
		*uri = x;
	return rc;
}

int sip_uri_ip(struct slice host, uint8_t host_kind, uint8_t ip[16], uint8_t *family)
{
	char text[INET6_ADDRSTRLEN];

	memset(ip, 0, 16);
	if (host_kind == SIP_HOST_IPV4) {
		*family = 4;
		return dotted_quad(host, ip) ? 0 : -EINVAL;
	}
	if (host_kind != SIP_HOST_IPV6 || host.len == 0 || host.len >= sizeof(text) ||
	    memchr(host.p, 0, host.len) != NULL)
		return -EINVAL;
	memcpy(text, host.p, host.len);
	text[host.len] = 0;
	*family = 6;
	return inet_pton(AF_INET6, text, ip) == 1 ? 0 : -EINVAL;
}

int sip_uri_host_ip(const struct sip_uri *uri, uint8_t ip[16], uint8_t *family)
{
	return sip_uri_ip(uri->host, uri->host_kind, ip, family);
}
