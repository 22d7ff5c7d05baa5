// SPDX-License-Identifier: BSD-3-Clause
// Lines of a Cisco CUBE's "voice class sip-profiles" as message rules.
// Control thread. A line is
//   [rule N] request METHOD | response CODE [method METHOD]  sip-header NAME  add "NAME: value" |
//   copy "regex" uNN | modify "regex" "text" | remove
// and everything else of a configuration that may stand around it (comments, voice class, exit) is
// read over. INVITE is the one that begins a dialog, REINVITE one inside, as IOS has it.
#include "config/config_import_write.h"
#include "rules/rule_check.h"
#include "rules/variable.h"

#define MAX_WORDS 16

struct words {
	struct slice list[MAX_WORDS];
	bool quoted[MAX_WORDS];
	uint32_t n, at;
	bool bad; // a quote without its end, or too many words
};

// Length of a quotation mark, also of a typographic one that a manual put in its place; 0: none.
static uint32_t quote(struct slice s)
{
	if (s.len != 0 && s.p[0] == '"')
		return 1;
	return s.len > 2 && s.p[0] == 0xe2 && s.p[1] == 0x80 && (s.p[2] == 0x9c || s.p[2] == 0x9d)
		       ? 3
		       : 0;
}

static void split_words(struct words *w, struct slice line)
{
	*w = (struct words){.n = 0};
	for (line = slice_trim(line); line.len != 0; line = slice_trim(line)) {
		uint32_t len = 0, open = quote(line);

		if (w->n == MAX_WORDS) {
			w->bad = true;
			return;
		}
		line = slice_from(line, open);
		while (len < line.len && quote(slice_from(line, len)) == 0 &&
		       (open != 0 || !slice_is_lws(line.p[len])))
			len++;
		if (open == 0 && quote(slice_from(line, len)) != 0)
			w->bad = true;
		w->quoted[w->n] = open != 0;
		w->list[w->n++] = slice_of(line.p, len);
		if (open != 0 && len == line.len) {
			w->bad = true;
			return;
		}
		line = slice_from(line, len + (open != 0 ? quote(slice_from(line, len)) : 0));
	}
}

static struct slice next_word(struct words *w)
{
	return w->at < w->n ? w->list[w->at++] : SLICE_NONE;
}

static bool is_word(struct slice s, const char *word)
{
	return slice_eq_nocase(s, slice_of_str(word));
}

static bool take(struct words *w, const char *word)
{
	if (w->at == w->n || w->quoted[w->at] || !is_word(w->list[w->at], word))
		return false;
	w->at++;
	return true;
}

static bool is_number(struct slice s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len != 0 && s.len <= 10;
}

// --- what the line applies to

static bool put_method(struct import_rule *r, const char *key, struct slice word)
{
	bool again = is_word(word, "REINVITE") || is_word(word, "RE-INVITE");
	uint8_t upper[16];
	enum sip_method method;
	struct outbuf *o;

	for (uint32_t i = 0; i < word.len && i < sizeof(upper); i++)
		upper[i] = (uint8_t)(word.p[i] >= 'a' && word.p[i] <= 'z' ? word.p[i] - 32
									  : word.p[i]);
	method = again ? SIP_INVITE : sip_method_of(slice_of(upper, word.len < 16 ? word.len : 16));
	if (method == SIP_METHOD_NONE || method == SIP_METHOD_OTHER) {
		import_rule_refuse(r, "\"%.*s\" is no method that verge knows",
				   (int)(word.len < 40 ? word.len : 40), word.p);
		return false;
	}
	o = import_rule_when(r, key);
	outbuf_put_char(o, '[');
	outbuf_put_slice(o, sip_method_token(method));
	outbuf_put_char(o, ']');
	if (method == SIP_INVITE)
		outbuf_put_str(import_rule_when(r, "dialog"), again ? "in" : "creating");
	return true;
}

static bool put_messages(struct import_rule *r, struct words *w)
{
	struct slice word;

	if (take(w, "request")) {
		word = next_word(w);
		if (!is_word(word, "ANY"))
			return put_method(r, "method", word);
		outbuf_put_lit(import_rule_when(r, "kind"), "request");
		return true;
	}
	w->at++; // response
	word = next_word(w);
	outbuf_put_lit(import_rule_when(r, "kind"), "response");
	if (!is_word(word, "ANY")) {
		if (!is_number(word) || word.len != 3 || word.p[0] < '1' || word.p[0] > '6') {
			import_rule_refuse(r, "\"%.*s\" is no response code",
					   (int)(word.len < 40 ? word.len : 40), word.p);
			return false;
		}
		import_rule_when(r, "code");
		outbuf_put_char(&r->when, '[');
		outbuf_put_slice(&r->when, word);
		outbuf_put_char(&r->when, ']');
	}
	if (!take(w, "method") || (w->at < w->n && is_word(w->list[w->at], "ANY") && w->at++ != 0))
		return true;
	return put_method(r, "transaction", next_word(w));
}

// --- what it does

// Names that IOS has for what others call differently.
static struct slice header_name(struct slice word)
{
	static const struct slice suffix = {(const uint8_t *)"-Header", 7};

	if (word.len > suffix.len &&
	    slice_eq_nocase(slice_from(word, word.len - suffix.len), suffix))
		word = slice_first(word, word.len - suffix.len);
	return rule_header_of(word).name;
}

// Without a leading "Name:", which IOS lets stand in patterns and texts.
static struct slice without_name(struct slice text, struct slice header)
{
	struct slice s = text;

	if (s.len != 0 && s.p[0] == '^')
		s = slice_from(s, 1);
	if (s.len > header.len && s.p[header.len] == ':' &&
	    slice_eq_nocase(slice_first(s, header.len), header))
		return slice_skip_lws(slice_from(s, header.len + 1));
	return text;
}

// `with` knows \0 to \9, \u01 to \u99 and \\ only.
static bool good_text(struct import_rule *r, struct slice text)
{
	for (uint32_t i = 0; i < text.len; i++) {
		if (text.p[i] != '\\' || variable_at(text, i) != 0)
			continue;
		i++;
		if (i < text.len && (text.p[i] == '\\' || (text.p[i] >= '0' && text.p[i] <= '9')))
			continue;
		import_rule_refuse(r, "the text has a backslash that is none of \\1 to \\9 and "
				      "\\u01 to \\u99");
		return false;
	}
	return true;
}

static void modify_status(struct import_rule *r, struct slice pattern, struct slice with)
{
	static const struct slice version = {(const uint8_t *)"SIP/2.0 ", 8};
	struct slice code = slice_starts_with(with, version) ? slice_from(with, version.len) : with;
	struct slice from =
		slice_starts_with(pattern, version) ? slice_from(pattern, version.len) : SLICE_NONE;
	struct slice reason = slice_trim(slice_from(code, 3));
	struct outbuf *o;

	code = slice_first(code, 3);
	if (!is_number(code) || code.len != 3 || slice_find(reason, '\\') >= 0) {
		import_rule_refuse(r, "SIP-StatusLine: only texts like \"SIP/2.0 180 Ringing\" are "
				      "carried over");
		return;
	}
	if (from.len >= 3 && is_number(slice_first(from, 3)) &&
	    memmem(r->when.p, r->when.len, "code: ", 6) == NULL) {
		import_rule_when(r, "code");
		outbuf_put_char(&r->when, '[');
		outbuf_put_slice(&r->when, slice_first(from, 3));
		outbuf_put_char(&r->when, ']');
	}
	o = import_rule_do(r, "status");
	outbuf_put_lit(o, "{ code: ");
	outbuf_put_slice(o, code);
	if (reason.len != 0)
		import_rule_text(o, "reason", reason);
	outbuf_put_lit(o, " }");
}

static bool is_host(struct slice s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (s.p[i] == 0 ||
		    strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:",
			   s.p[i]) == NULL)
			return false;
	return s.len != 0 && slice_find(s, '.') > 0;
}

// "METHOD sip:..." as the Request-URI that verge has.
static struct slice without_method(struct slice text)
{
	struct slice s = text.len != 0 && text.p[0] == '^' ? slice_from(text, 1) : text;
	int64_t space = slice_find(s, ' ');
	enum sip_method method =
		space > 0 ? sip_method_of(slice_first(s, (uint32_t)space)) : SIP_METHOD_NONE;

	return method != SIP_METHOD_NONE && method != SIP_METHOD_OTHER
		       ? slice_skip_lws(slice_from(s, (uint32_t)space))
		       : text;
}

// ".*@(.*)" to "INVITE sip:USER@\1", and "sip:(.*)@" to "sip:USER@": the user, empty if it is
// neither.
static struct slice user_of(struct slice pattern, struct slice with)
{
	static const struct slice rest[] = {SLICE_LIT(".*@(.*)"), SLICE_LIT("sip:.*@(.*)")},
				  user[] = {SLICE_LIT("sip:(.*)@"), SLICE_LIT("sip:.*@")},
				  scheme = SLICE_LIT("sip:");
	bool all = false, only = false;
	struct slice s = without_method(with);
	int64_t at = slice_find(s, '@');

	pattern = without_method(pattern);
	for (size_t i = 0; i < 2; i++) {
		all |= slice_eq(pattern, rest[i]);
		only |= slice_eq(pattern, user[i]);
	}
	if (!slice_starts_with(s, scheme) || at < 0 ||
	    !((all && slice_eq(slice_from(s, (uint32_t)at), SLICE_LIT("@\\1"))) ||
	      (only && (uint32_t)at + 1 == s.len)))
		return SLICE_NONE;
	return slice_from(slice_first(s, (uint32_t)at), scheme.len);
}

static void modify_uri(struct import_rule *r, struct slice pattern, struct slice with)
{
	struct slice user = user_of(pattern, with);
	struct outbuf *o;

	for (uint32_t i = 0; i < user.len; i++)
		if (user.p[i] == '\\' && variable_at(user, i) == 0)
			user = SLICE_NONE; // a group of the old user
	if (user.len != 0) {
		o = import_rule_do(r, "uri");
		outbuf_put_lit(o, "{ header: Request-URI");
		import_rule_text(o, "user", user);
		outbuf_put_lit(o, " }");
		return;
	}
	if (!is_host(pattern) || !is_host(with)) {
		import_rule_refuse(r, "SIP-Req-URI: only \"host\" \"host\" and \".*@(.*)\" "
				      "\"INVITE sip:USER@\\1\" are carried over; write an action "
				      "uri for Request-URI");
		return;
	}
	import_rule_differs(r, "the host of the Request-URI is set whatever it was");
	o = import_rule_do(r, "uri");
	outbuf_put_lit(o, "{ header: Request-URI");
	import_rule_text(o, "host", with);
	outbuf_put_lit(o, " }");
}

// "sips:" to "sip:" in any place: verge has no TLS, so there is none to take out.
static bool is_sips(struct import_rule *r, struct slice pattern)
{
	static const struct slice plain[] = {{(const uint8_t *)"sips:", 5},
					     {(const uint8_t *)"<sips:", 6}};

	for (size_t i = 0; i < 2; i++)
		if (slice_starts_with(pattern, plain[i])) {
			import_rule_differs(r, "left out: verge sends sip: URIs only, there is no "
					       "sips: to change");
			return true;
		}
	return false;
}

static void modify(struct import_rule *r, struct words *w, struct slice name, struct slice header)
{
	struct slice pattern, with;

	if (w->n - w->at != 2) {
		import_rule_refuse(r, "modify takes a regular expression and a text, each in "
				      "quotes");
		return;
	}
	pattern = next_word(w);
	with = next_word(w);
	if (is_sips(r, pattern))
		return;
	if (!good_text(r, with))
		return;
	if (is_word(name, "SIP-StatusLine")) {
		modify_status(r, pattern, with);
	} else if (is_word(name, "SIP-Req-URI")) {
		modify_uri(r, pattern, with);
	} else {
		pattern = without_name(pattern, header);
		with = without_name(with, header);
		import_rule_substitute(r, header, pattern, with, false);
	}
}

static void add_tokens(struct import_rule *r, struct slice header, struct slice value)
{
	struct outbuf *o = import_rule_do(r, "option");

	outbuf_put_char(o, '{');
	import_rule_text(o, "header", header);
	outbuf_put_lit(o, ", add: [");
	for (bool first = true; value.len != 0; first = false) {
		int64_t comma = slice_find(value, ',');
		uint32_t len = comma < 0 ? value.len : (uint32_t)comma;

		outbuf_put_str(o, first ? "" : ", ");
		import_rule_quoted(o, slice_trim(slice_first(value, len)));
		value = slice_from(value, len + 1);
	}
	outbuf_put_lit(o, "] }");
}

static void add(struct import_rule *r, struct words *w, struct slice header)
{
	struct slice text = next_word(w), value = without_name(text, header);
	enum sip_header id = sip_header_of(header);
	struct outbuf *o;

	if (w->at != w->n || value.p == text.p) {
		import_rule_refuse(r, "add takes the header's line in quotes, like \"%.*s: value\"",
				   SLICE_ARG(slice_first(header, 60)));
	} else if (id == SIP_H_SESSION_EXPIRES || id == SIP_H_MIN_SE) {
		import_rule_refuse(r,
				   "%.*s is written by verge: see session_timer.insert, interval "
				   "and min_interval of the trunk",
				   SLICE_ARG(header));
	} else if (id == SIP_H_ALLOW || id == SIP_H_SUPPORTED || id == SIP_H_REQUIRE) {
		add_tokens(r, header, slice_trim(value));
	} else {
		o = import_rule_do(r, "add");
		outbuf_put_char(o, '{');
		import_rule_text(o, "header", header);
		import_rule_text(o, "value", slice_trim(value));
		outbuf_put_lit(o, " }");
	}
}

// copy "pattern" uNN: the part in brackets, for later lines on the same message.
static void copy(struct import_rule *r, struct words *w, struct slice name, struct slice header)
{
	bool uri = is_word(name, "SIP-Req-URI");
	struct slice pattern, variable;
	struct outbuf *o;

	if (is_word(name, "SIP-StatusLine")) {
		import_rule_refuse(r, "the status line cannot be copied from");
		return;
	}
	if (w->n - w->at != 2) {
		import_rule_refuse(r, "copy takes a regular expression in quotes and a variable, "
				      "u01 to u99");
		return;
	}
	pattern = next_word(w);
	variable = next_word(w);
	pattern = uri ? without_method(pattern) : without_name(pattern, header);
	if (variable_of(variable) == 0) {
		import_rule_refuse(r, "\"%.*s\" is no variable; it must be u01 to u99",
				   (int)(variable.len < 40 ? variable.len : 40), variable.p);
		return;
	}
	o = import_rule_match(r, "capture", uri ? SLICE_LIT("Request-URI") : header, pattern);
	if (o == NULL)
		return;
	outbuf_put_lit(o, ", as: ");
	outbuf_put_slice(o, variable);
	outbuf_put_lit(o, ", case: exact }");
}

static void put_action(struct import_rule *r, struct words *w)
{
	struct slice place = next_word(w), name = next_word(w), what = next_word(w);
	struct slice header = header_name(name);
	bool line = is_word(name, "SIP-StatusLine") || is_word(name, "SIP-Req-URI");

	if (is_word(place, "peer-header"))
		import_rule_refuse(r, "peer-header copies from the message of the other leg: rules "
				      "see one message, the one that they change");
	else if (!is_word(place, "sip-header"))
		import_rule_refuse(r, "%.*s: rules change headers, not bodies",
				   (int)(place.len < 40 ? place.len : 40), place.p);
	else if (is_word(what, "copy"))
		copy(r, w, name, header);
	else if (is_word(what, "modify"))
		modify(r, w, name, header);
	else if (line)
		import_rule_refuse(r, "the first line of a message can only be modified");
	else if (is_word(what, "remove") && w->at == w->n)
		import_rule_delete(r, header, true);
	else if (is_word(what, "add"))
		add(r, w, header);
	else
		import_rule_refuse(r,
				   "\"%.*s\" is no action; it must be add, copy, modify or "
				   "remove",
				   (int)(what.len < 40 ? what.len : 40), what.p);
}

// --- lines

// What may stand around the lines of a profile.
static bool is_surrounding(struct words *w)
{
	static const char *const first[] = {"exit",	    "end",	 "sip",	 "voice-class",
					    "sip-profiles", "dial-peer", "conf", "configure"};

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (is_word(w->list[0], first[i]))
			return true;
	return w->n >= 2 && is_word(w->list[0], "voice") && is_word(w->list[1], "service");
}

static void convert_line(struct config_import *import, struct words *w, uint32_t line,
			 const char *profile)
{
	struct import_rule r;
	uint32_t i;

	import_rule_init(&r, import, line);
	if (take(w, "rule")) {
		struct slice number = next_word(w);

		if (!is_number(number))
			import_rule_refuse(&r, "rule has no number");
		else
			snprintf(r.name, sizeof(r.name), "%s.%.*s", profile, SLICE_ARG(number));
	}
	if (w->at == w->n ||
	    (!is_word(w->list[w->at], "request") && !is_word(w->list[w->at], "response"))) {
		import_rule_refuse(&r, "is no line of a sip-profile; it must begin with request or "
				       "response");
		return;
	}
	for (i = 0; i < w->n; i++)
		for (uint32_t j = 0; j < w->list[i].len; j++)
			if (w->list[i].p[j] < ' ' || w->list[i].p[j] == 0x7f) {
				import_rule_refuse(&r, "has a control character");
				return;
			}
	if (put_messages(&r, w))
		put_action(&r, w);
	import_rule_end(&r);
}

int config_sip_profiles_convert(struct config_import *import, struct slice text)
{
	char profile[32] = "sip-profiles";

	for (uint32_t line = 1; text.len != 0; line++) {
		int64_t end = slice_find(text, '\n');
		uint32_t len = end < 0 ? text.len : (uint32_t)end;
		struct slice s = slice_trim(slice_first(text, len));
		struct words w;

		text = slice_from(text, len + 1);
		if (s.len == 0 || s.p[0] == '!' || s.p[0] == '#')
			continue;
		split_words(&w, s);
		if (w.n >= 4 && is_word(w.list[0], "voice") && is_word(w.list[1], "class") &&
		    is_word(w.list[2], "sip-profiles") && is_number(w.list[3])) {
			snprintf(profile, sizeof(profile), "sip-profiles-%.*s",
				 SLICE_ARG(w.list[3]));
			w.at = 4;
			if (w.n == 4)
				continue;
		} else if (is_surrounding(&w)) {
			continue;
		}
		if (w.bad)
			config_errors_add(
				&import->notes, false, line, 0,
				"has a quotation mark without its end, or too many words");
		else
			convert_line(import, &w, line, profile);
	}
	return 0;
}
