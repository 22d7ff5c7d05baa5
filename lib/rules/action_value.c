// SPDX-License-Identifier: BSD-3-Clause
// Actions on the value of one header: substitution, numbers, lists of tokens, URIs. Worker.
#include "rules/program.h"

#include "sip/list.h"
#include "sip/name_addr.h"
#include "sip/uri.h"

#define MATCHES_MAX 256 // of one substitution in one value

// --- substitution

// What begins with a backslash: \0 to \9 are what the groups matched, \u01 to \u99 what variables
// hold; any other character stands for itself. Returns the bytes that were read.
static uint32_t put_escape(struct outbuf *o, struct slice with, const struct regex_match *match,
			   const struct variables *variables)
{
	unsigned number = variable_at(with, 0);
	uint8_t c;

	if (number != 0) {
		outbuf_put_slice(o, variables_get(variables, number));
		return VARIABLE_NAME;
	}
	if (with.len == 1) {
		outbuf_put_char(o, '\\');
		return 1;
	}
	c = with.p[1];
	if (c >= '0' && c <= '9')
		outbuf_put_slice(o, match->group[c - '0']);
	else
		outbuf_put_char(o, (char)c);
	return 2;
}

// What stands in the place of a match.
static void put_with(struct outbuf *o, struct slice with, const struct regex_match *match,
		     const struct variables *variables)
{
	while (with.len != 0) {
		int64_t at = slice_find(with, '\\');
		uint32_t plain = at < 0 ? with.len : (uint32_t)at;

		outbuf_put(o, with.p, plain);
		with = slice_skip(with, plain);
		if (with.len != 0)
			with = slice_skip(with, put_escape(o, with, match, variables));
	}
}

// One value. Returns how often it matched; -1: given up.
static int substitute_value(struct run *r, const struct rule_action *a, const struct regex *re,
			    struct slice *value)
{
	struct draft *d = &r->user->draft;
	uint32_t begin = draft_text_begin(d), at = 0;
	struct regex_match match;
	int n = 0, rc = 0;

	while (at <= value->len && n < MATCHES_MAX) {
		uint32_t from, to;

		rc = regex_find(re, r->user->regex, *value, at, &match);
		if (rc != 1)
			break;
		n++;
		from = (uint32_t)(match.group[0].p - value->p);
		to = from + match.group[0].len;
		outbuf_put(&d->text, value->p + at, from - at);
		put_with(&d->text, a->text, &match, &r->user->variables);
		if (to == from && to < value->len) // an empty match: go on behind the next byte
			outbuf_put(&d->text, value->p + to, 1);
		at = to == from ? to + 1 : to;
		if (a->which != RULE_ALL_OF)
			break;
	}
	if (rc < 0) {
		r->gave_up++;
		return -1;
	}
	if (n == 0)
		return 0;
	if (at < value->len)
		outbuf_put(&d->text, value->p + at, value->len - at);
	*value = draft_text_take(d, begin);
	return n;
}

bool action_substitute(struct run *r, const struct rule_action *a, const struct regex *re)
{
	struct draft *d = &r->user->draft;

	for (int i = draft_find(d, &a->header, 0); i >= 0;
	     i = draft_find(d, &a->header, (uint32_t)i + 1)) {
		struct slice value = d->field[i].value;
		int n = value.p != NULL ? substitute_value(r, a, re, &value) : 0;

		if (n < 0)
			return false;
		if (n == 0)
			continue;
		draft_set_value(d, (uint32_t)i, value);
		if (a->which != RULE_ALL_OF)
			break;
	}
	return true;
}

// --- variables

struct slice action_expand(struct run *r, struct slice text)
{
	struct draft *d = &r->user->draft;
	uint32_t begin = draft_text_begin(d), from = 0, at = 0;
	unsigned number;

	if (slice_find(text, '\\') < 0)
		return text;
	while ((number = variable_next(text, false, &at)) != 0) {
		outbuf_put(&d->text, text.p + from, at - VARIABLE_NAME - from);
		outbuf_put_slice(&d->text, variables_get(&r->user->variables, number));
		from = at;
	}
	if (from == 0)
		return text;
	outbuf_put_slice(&d->text, slice_from(text, from));
	return draft_text_take(d, begin);
}

// 1: it matched, and the variable has it; 0: it did not; -1: given up, or too long.
static int capture_value(struct run *r, const struct rule_action *a, const struct regex *re,
			 struct slice value)
{
	struct regex_match match;
	int rc = regex_find(re, r->user->regex, value, 0, &match);

	if (rc < 0)
		r->gave_up++;
	if (rc != 1)
		return rc < 0 ? -1 : 0;
	return variables_set(&r->user->variables, a->variable, match.group[regex_groups(re) != 0])
		       ? 1
		       : -1;
}

bool action_capture(struct run *r, const struct rule_action *a, const struct regex *re)
{
	struct draft *d = &r->user->draft;
	int rc = 0;

	if (a->request_uri)
		return !sip_msg_is_request(d->msg) || capture_value(r, a, re, d->uri) >= 0;
	for (int i = draft_find(d, &a->header, 0); i >= 0 && rc == 0;
	     i = draft_find(d, &a->header, (uint32_t)i + 1))
		rc = capture_value(r, a, re, d->field[i].value);
	return rc >= 0;
}

// --- numbers

uint64_t action_change(const struct rule_action *a, uint64_t number)
{
	switch ((enum rule_change)a->change) {
	case RULE_SET:
		return a->number;
	case RULE_SCALE:
		return number > UINT64_MAX / 1000000 ? UINT64_MAX
						     : (number * a->number + 500) / 1000;
	case RULE_MIN:
		return number < a->number ? a->number : number;
	case RULE_MAX:
		return number > a->number ? a->number : number;
	}
	return number;
}

bool action_set_number(struct draft *d, uint32_t at, uint64_t number)
{
	struct slice value = d->field[at].value;
	uint32_t begin = draft_text_begin(d), digits;
	uint64_t old;

	if (!eval_number(value, &old, &digits))
		return false;
	if (old == number)
		return true;
	outbuf_put_u64(&d->text, number);
	outbuf_put_slice(&d->text, slice_skip(value, digits));
	draft_set_value(d, at, draft_text_take(d, begin));
	return true;
}

bool action_number(struct draft *d, const struct rule_action *a)
{
	int at = draft_find(d, &a->header, 0);
	uint64_t number;
	uint32_t digits;

	if (at < 0 || !eval_number(d->field[at].value, &number, &digits))
		return true; // nothing that could be changed
	return action_set_number(d, (uint32_t)at, action_change(a, number));
}

// --- lists of tokens

static bool is_in(struct slice token, const struct slice *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (slice_eq_nocase(token, list[i]))
			return true;
	return false;
}

static bool value_has(struct slice value, struct slice token)
{
	struct slice t;

	while (sip_param_next_value(&value, &t))
		if (slice_eq_nocase(t, token))
			return true;
	return false;
}

static void remove_tokens(struct draft *d, uint32_t at, const struct slice *remove, uint32_t n)
{
	struct slice rest = d->field[at].value, token;
	uint32_t begin = draft_text_begin(d);
	bool removed = false;

	while (sip_param_next_value(&rest, &token)) {
		if (is_in(token, remove, n)) {
			removed = true;
			continue;
		}
		if (d->text.len != begin)
			outbuf_put_lit(&d->text, ", ");
		outbuf_put_slice(&d->text, token);
	}
	if (!removed) {
		if (!d->text.full)
			d->text.len = begin;
		return;
	}
	draft_set_value(d, at, draft_text_take(d, begin));
	// an empty Allow or Supported says "none"; the others cannot be empty (RFC 3261 s25.1)
	if (d->field[at].value.len == 0 && d->field[at].id != SIP_H_ALLOW &&
	    d->field[at].id != SIP_H_SUPPORTED)
		draft_delete(d, at);
}

static void add_token(struct draft *d, const struct rule_header *h, struct slice token)
{
	uint32_t begin = draft_text_begin(d);
	int first = draft_find(d, h, 0);

	for (int i = first; i >= 0; i = draft_find(d, h, (uint32_t)i + 1))
		if (value_has(d->field[i].value, token))
			return;
	if (first < 0) {
		draft_add(d, h, token);
		return;
	}
	outbuf_put_slice(&d->text, d->field[first].value);
	if (d->field[first].value.len != 0)
		outbuf_put_lit(&d->text, ", ");
	outbuf_put_slice(&d->text, token);
	draft_set_value(d, (uint32_t)first, draft_text_take(d, begin));
}

bool action_option(struct draft *d, const struct rule_header *h, const struct slice *add,
		   uint32_t n_add, const struct slice *remove, uint32_t n_remove)
{
	if (n_remove != 0)
		for (int i = draft_find(d, h, 0); i >= 0; i = draft_find(d, h, (uint32_t)i + 1))
			remove_tokens(d, (uint32_t)i, remove, n_remove);
	for (uint32_t i = 0; i < n_add; i++)
		add_token(d, h, add[i]);
	return true;
}

// --- URIs

static bool is_replaced(const struct rule_action *a, struct slice name)
{
	for (uint32_t i = 0; i < a->n_params; i++)
		if (slice_eq_nocase(a->params[i].name, name))
			return true;
	return false;
}

// Parameters of a URI, those that the action names left out, then the action's own.
static void put_params(struct outbuf *o, const struct rule_action *a, struct slice params)
{
	while (params.len != 0) {
		int64_t next;
		struct slice one, name;

		params = slice_skip(params, 1); // the semicolon
		next = slice_find(params, ';');
		one = next >= 0 ? slice_first(params, (uint32_t)next) : params;
		params = next >= 0 ? slice_skip(params, (uint32_t)next) : SLICE_NONE;
		next = slice_find(one, '=');
		name = next >= 0 ? slice_first(one, (uint32_t)next) : one;
		if (one.len == 0 || is_replaced(a, name))
			continue;
		outbuf_put_char(o, ';');
		outbuf_put_slice(o, one);
	}
	for (uint32_t i = 0; i < a->n_params; i++) {
		if (a->params[i].value.p == NULL)
			continue;
		outbuf_put_char(o, ';');
		outbuf_put_slice(o, a->params[i].name);
		if (a->params[i].value.len != 0) {
			outbuf_put_char(o, '=');
			outbuf_put_slice(o, a->params[i].value);
		}
	}
}

static void put_host(struct outbuf *o, const struct rule_action *a, const struct sip_uri *uri)
{
	if (a->host.p != NULL) {
		outbuf_put_slice(o, a->host);
		return;
	}
	if (uri->host_kind == SIP_HOST_IPV6)
		outbuf_put_char(o, '[');
	outbuf_put_slice(o, uri->host);
	if (uri->host_kind == SIP_HOST_IPV6)
		outbuf_put_char(o, ']');
	if (uri->port != 0) {
		outbuf_put_char(o, ':');
		outbuf_put_u64(o, uri->port);
	}
}

// A URI with the action's parts in it. False: it is neither sip, sips nor tel, or tel gets a host.
static bool put_uri(struct outbuf *o, const struct rule_action *a, const struct sip_uri *uri)
{
	struct slice user = a->user.p != NULL ? a->user : uri->user;

	if (uri->scheme == SIP_URI_TEL) {
		if (a->host.p != NULL || user.len == 0)
			return false;
		outbuf_put_lit(o, "tel:");
		outbuf_put_slice(o, user);
		put_params(o, a, uri->params);
		return true;
	}
	if (uri->scheme == SIP_URI_OTHER)
		return false;
	outbuf_put_str(o, uri->scheme == SIP_URI_SIPS ? "sips:" : "sip:");
	if (user.len != 0) {
		outbuf_put_slice(o, user);
		if (uri->password.p != NULL && a->user.p == NULL) {
			outbuf_put_char(o, ':');
			outbuf_put_slice(o, uri->password);
		}
		outbuf_put_char(o, '@');
	}
	put_host(o, a, uri);
	put_params(o, a, uri->params);
	if (uri->headers.p != NULL) {
		outbuf_put_char(o, '?');
		outbuf_put_slice(o, uri->headers);
	}
	return true;
}

static bool request_uri(struct draft *d, const struct rule_action *a)
{
	uint32_t begin = draft_text_begin(d);
	struct sip_uri uri;
	struct slice made;

	if (!sip_msg_is_request(d->msg))
		return true;
	if (sip_uri_parse(&uri, d->uri) != 0 || !put_uri(&d->text, a, &uri))
		return false;
	made = draft_text_take(d, begin);
	if (!slice_eq(made, d->uri)) {
		d->uri = made;
		d->uri_changed = true;
	}
	return true;
}

// The URI of the first value of a header; what stands around it stays. Without brackets the URI's
// parameters would be the header's: it gets some.
static bool header_uri(struct draft *d, const struct rule_action *a)
{
	uint32_t begin = draft_text_begin(d);
	struct slice value, first, rest;
	struct sip_name_addr na;
	struct sip_uri uri;
	int at;

	at = draft_find(d, &a->header, 0);
	if (at < 0)
		return true;
	value = d->field[at].value;
	rest = value;
	if (a->header.id == SIP_H_FROM || a->header.id == SIP_H_TO)
		first = value;
	else if (!sip_param_next_value(&rest, &first))
		return false;
	if (sip_name_addr_parse(&na, first) != 0 || na.is_star || sip_uri_parse(&uri, na.uri) != 0)
		return false;
	outbuf_put(&d->text, value.p, (size_t)(na.uri.p - value.p));
	if (!na.has_brackets)
		outbuf_put_char(&d->text, '<');
	if (!put_uri(&d->text, a, &uri))
		return false;
	if (!na.has_brackets)
		outbuf_put_char(&d->text, '>');
	rest = slice_of(na.uri.p + na.uri.len,
			(size_t)(value.p + value.len - na.uri.p) - na.uri.len);
	outbuf_put_slice(&d->text, rest);
	draft_set_value(d, (uint32_t)at, draft_text_take(d, begin));
	return true;
}

// What variables make of a user or host has to be one: an empty one would send the call elsewhere.
bool action_uri(struct run *r, const struct rule_action *a)
{
	struct draft *d = &r->user->draft;
	struct slice user = action_expand(r, a->user), host = action_expand(r, a->host);
	struct rule_action own;

	if (user.p != a->user.p || host.p != a->host.p) {
		if ((user.p != a->user.p && (user.len == 0 || !rule_check_user(user))) ||
		    (host.p != a->host.p && !rule_check_host(host)))
			return false;
		own = *a;
		own.user = user;
		own.host = host;
		a = &own;
	}
	return a->request_uri ? request_uri(d, a) : header_uri(d, a);
}
