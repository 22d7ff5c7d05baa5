// SPDX-License-Identifier: BSD-3-Clause
// Parameters, escapes and comparison of URIs (RFC 3261 s19.1.2, s19.1.4; RFC 3966 s4). Pure.
#include "sip/uri.h"

#include <assert.h>

#include "sip/chars.h"

// Comparison looks for each item in the whole list of the other URI: longer lists are not compared.
#define MAX_COMPARED 32

// One name[=value] of a list.
struct item {
	struct slice name, value; // value.p == NULL: no "="
};

// Take the next item off *rest; separators before it are passed over.
static bool item_next(struct slice *rest, uint8_t separator, struct item *it)
{
	struct slice s = *rest;
	int64_t end, equal;

	while (s.len != 0 && s.p[0] == separator)
		s = slice_of(s.p + 1, s.len - 1);
	if (s.len == 0)
		return false;
	end = slice_find(s, separator);
	it->name = end >= 0 ? slice_first(s, (uint32_t)end) : s;
	*rest = slice_of(s.p + it->name.len, s.len - it->name.len);
	equal = slice_find(it->name, '=');
	it->value = SLICE_NONE;
	if (equal >= 0) {
		it->value = slice_of(it->name.p + equal + 1, it->name.len - (size_t)equal - 1);
		it->name.len = (uint32_t)equal;
	}
	return true;
}

// Next byte of a text with its escape resolved; *escaped tells them apart.
static uint8_t next_byte(struct slice *s, bool *escaped)
{
	uint32_t n = 1;
	uint8_t c;

	assert(s->p != NULL && s->len != 0);
	c = s->p[0];
	*escaped = c == '%' && s->len >= 3 && sip_chars_is(s->p[1], SIP_CHARS_HEX) &&
		   sip_chars_is(s->p[2], SIP_CHARS_HEX);
	if (*escaped) {
		c = (uint8_t)(sip_chars_hex(s->p[1]) << 4 | sip_chars_hex(s->p[2]));
		n = 3;
	}
	*s = slice_of(s->p + n, s->len - n);
	return c;
}

static bool is_reserved(uint8_t c)
{
	return c != 0 && strchr(";/?:@&=+$,", c) != NULL;
}

// An escaped character equals the bare one unless it is reserved (s19.1.4).
static bool text_equal(struct slice a, struct slice b, bool nocase)
{
	while (a.len != 0 && b.len != 0) {
		bool a_escaped, b_escaped;
		uint8_t x = next_byte(&a, &a_escaped), y = next_byte(&b, &b_escaped);

		if (nocase) {
			x = slice_lower(x);
			y = slice_lower(y);
		}
		if (x != y || (a_escaped != b_escaped && is_reserved(x)))
			return false;
	}
	return a.len == b.len;
}

static bool item_find(struct slice list, uint8_t separator, struct slice name, struct item *it)
{
	while (item_next(&list, separator, it))
		if (text_equal(it->name, name, true))
			return true;
	return false;
}

bool sip_uri_param(const struct sip_uri *uri, struct slice name, struct slice *value)
{
	struct item it;

	if (!item_find(uri->params, ';', name, &it))
		return false;
	*value = it.value.p != NULL ? it.value : slice_of(it.name.p + it.name.len, 0);
	return true;
}

bool sip_uri_header(const struct sip_uri *uri, struct slice name, struct slice *value)
{
	struct item it;

	if (!item_find(uri->headers, '&', name, &it))
		return false;
	*value = it.value.p != NULL ? it.value : slice_of(it.name.p + it.name.len, 0);
	return true;
}

// Parameters that, standing in one URI only, make the two differ. transport is in the examples of
// s19.1.4.
static bool must_be_in_both(struct slice name)
{
	static const char *const names[] = {"user", "ttl", "method", "maddr", "transport"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_equal(name, slice_of_str(names[i]), true))
			return true;
	return false;
}

// Each parameter of a that is in b too has the same value there; all: it must be there. Of several
// with one name the first counts, as in sip_uri_param().
static bool params_match(struct slice a, struct slice b, bool all)
{
	struct slice rest = a;
	struct item x, y;

	while (item_next(&rest, ';', &x)) {
		(void)item_find(a, ';', x.name, &x);
		if (!item_find(b, ';', x.name, &y)) {
			if (all || must_be_in_both(x.name))
				return false;
		} else if ((x.value.p == NULL) != (y.value.p == NULL) ||
			   !text_equal(x.value, y.value, true)) {
			return false;
		}
	}
	return true;
}

static bool headers_match(struct slice a, struct slice b)
{
	struct slice rest = a;
	struct item x, y;

	while (item_next(&rest, '&', &x)) {
		(void)item_find(a, '&', x.name, &x);
		if (!item_find(b, '&', x.name, &y) || !text_equal(x.value, y.value, false))
			return false;
	}
	return true;
}

static bool is_list_short(struct slice list, uint8_t separator)
{
	struct item it;
	unsigned n = 0;

	while (n <= MAX_COMPARED && item_next(&list, separator, &it))
		n++;
	return n <= MAX_COMPARED;
}

static bool is_comparable(const struct sip_uri *uri)
{
	return is_list_short(uri->params, ';') && is_list_short(uri->headers, '&');
}

static bool host_equal(const struct sip_uri *a, const struct sip_uri *b)
{
	uint8_t a_ip[16], b_ip[16], family;

	if (a->host_kind != b->host_kind)
		return false;
	if (a->host_kind != SIP_HOST_IPV6)
		return slice_eq_nocase(a->host, b->host);
	return sip_uri_host_ip(a, a_ip, &family) == 0 && sip_uri_host_ip(b, b_ip, &family) == 0 &&
	       memcmp(a_ip, b_ip, sizeof(a_ip)) == 0;
}

static bool is_separator(uint8_t c)
{
	return c == '-' || c == '.' || c == '(' || c == ')';
}

// Telephone numbers without their visual separators.
static bool number_equal(struct slice a, struct slice b)
{
	uint32_t i = 0, k = 0;

	for (;;) {
		while (i < a.len && is_separator(a.p[i]))
			i++;
		while (k < b.len && is_separator(b.p[k]))
			k++;
		if (i == a.len || k == b.len)
			return i == a.len && k == b.len;
		if (slice_lower(a.p[i++]) != slice_lower(b.p[k++]))
			return false;
	}
}

bool sip_uri_equal(const struct sip_uri *a, const struct sip_uri *b)
{
	if (a->scheme != b->scheme)
		return false;
	if (slice_eq(a->all, b->all))
		return true;
	if (a->scheme == SIP_URI_OTHER || !is_comparable(a) || !is_comparable(b))
		return false;
	if (a->scheme == SIP_URI_TEL)
		return number_equal(a->user, b->user) && params_match(a->params, b->params, true) &&
		       params_match(b->params, a->params, true);
	return (a->user.p == NULL) == (b->user.p == NULL) && text_equal(a->user, b->user, false) &&
	       (a->password.p == NULL) == (b->password.p == NULL) &&
	       text_equal(a->password, b->password, false) && host_equal(a, b) &&
	       a->port == b->port && params_match(a->params, b->params, false) &&
	       params_match(b->params, a->params, false) && headers_match(a->headers, b->headers) &&
	       headers_match(b->headers, a->headers);
}

bool sip_uri_unescape(struct outbuf *o, struct slice text)
{
	while (text.len != 0) {
		bool starts = text.p[0] == '%', escaped;
		uint8_t c = next_byte(&text, &escaped);

		if (starts && !escaped)
			return false;
		outbuf_put_char(o, (char)c);
	}
	return true;
}

void sip_uri_escape(struct outbuf *o, struct slice text)
{
	for (uint32_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];

		// in every class of URI parts: unreserved
		if (sip_chars_is(c, SIP_CHARS_PASSWORD) && sip_chars_is(c, SIP_CHARS_PARAM) &&
		    !is_reserved(c)) {
			outbuf_put_char(o, (char)c);
		} else {
			outbuf_put_char(o, '%');
			outbuf_put_hex(o, c, 2);
		}
	}
}
