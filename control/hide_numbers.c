// SPDX-License-Identifier: BSD-3-Clause
// Users of URIs, display names and credentials out of a message. See hide_numbers.h.
#include "control/hide_numbers.h"

#include <string.h>
#include <strings.h>

// A word that URIs of people begin with, at p; its length or 0.
static uint32_t scheme_at(const uint8_t *p, uint32_t n)
{
	static const char *const schemes[] = {"sip:", "sips:", "tel:"};

	for (unsigned i = 0; i < 3; i++) {
		uint32_t len = (uint32_t)strlen(schemes[i]);

		if (n > len && strncasecmp((const char *)p, schemes[i], len) == 0)
			return len;
	}
	return 0;
}

static void put_hash(struct outbuf *o, const struct siphash_key *key, struct slice user)
{
	outbuf_put_char(o, 'h');
	outbuf_put_hex(o, siphash(*key, user), 10);
}

// Bytes of the user of a URI: of sip: up to the @ (none: no user), of tel: up to its end.
static uint32_t user_len(const uint8_t *p, uint32_t n, bool tel)
{
	for (uint32_t i = 0; i < n && p[i] != '>' && p[i] != ' ' && p[i] != '\r' && p[i] != '\n';
	     i++) {
		if (!tel && p[i] == '@')
			return i;
		if (tel && p[i] == ';')
			return i;
		if (!tel && p[i] == '"')
			return 0;
	}
	if (!tel)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (p[i] == '>' || p[i] == ' ' || p[i] == '\r' || p[i] == '\n')
			return i;
	return n;
}

// Bytes of a header line that tells a password's digest, folded lines included; 0: it is none.
static uint32_t credentials_len(const uint8_t *p, uint32_t n)
{
	static const char *const names[] = {"authorization:", "proxy-authorization:"};
	bool is = false;

	for (unsigned i = 0; i < 2; i++)
		is |= n > strlen(names[i]) &&
		      strncasecmp((const char *)p, names[i], strlen(names[i])) == 0;
	for (uint32_t i = 0; is && i < n; i++)
		if (p[i] == '\n' && (i + 1 == n || (p[i + 1] != ' ' && p[i + 1] != '\t')))
			return i + 1;
	return is ? n : 0;
}

// Bytes of a display name without quotes at the start of a header's value: up to its "<".
static uint32_t name_len(const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n && strchr("\":;,\r\n", p[i]) == NULL; i++)
		if (p[i] == '<')
			return scheme_at(p + i + 1, n - i - 1) != 0 ? i : 0;
	return 0;
}

// What is not to be seen at m.p + at is left out or replaced: how many bytes, 0 if all may be seen.
static uint32_t hide_at(struct outbuf *o, const struct siphash_key *key, struct slice m,
			uint32_t at)
{
	const uint8_t *p = m.p + at, *end;
	uint32_t n = m.len - at, scheme = scheme_at(p, n), len;
	uint8_t before = at != 0 ? m.p[at - 1] : '\n';

	if (scheme != 0) {
		outbuf_put(o, p, scheme);
		len = user_len(p + scheme, n - scheme, (*p | 0x20) == 't');
		if (len != 0)
			put_hash(o, key, slice_of(p + scheme, len));
		return scheme + len;
	}
	if (*p == '"' && (before == ' ' || before == ':')) {
		end = memchr(p + 1, '"', n - 1);
		outbuf_put_lit(o, "\"\"");
		return end != NULL ? (uint32_t)(end - p) + 1 : n;
	}
	len = before == '\n' ? credentials_len(p, n) : 0;
	if (len != 0) {
		outbuf_put_lit(o, "X-Left-Out: credentials\r\n");
		return len;
	}
	len = before == ':' || before == ',' ? name_len(p, n) : 0;
	if (len != 0)
		outbuf_put_char(o, ' ');
	return len;
}

void hide_numbers(struct outbuf *o, const struct siphash_key *key, struct slice m)
{
	uint32_t at = 0, head = m.len;

	for (uint32_t i = 0; i + 3 < m.len && head == m.len; i++)
		if (memcmp(m.p + i, "\r\n\r\n", 4) == 0)
			head = i + 2; // the line end belongs to the last header
	while (at < head) {
		uint32_t hidden = hide_at(o, key, slice_of(m.p, head), at);

		if (hidden == 0)
			outbuf_put(o, m.p + at++, 1);
		at += hidden;
	}
	outbuf_put(o, m.p + at, m.len - at);
}
