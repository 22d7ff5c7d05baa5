// SPDX-License-Identifier: BSD-3-Clause
// Rules as importers write them: one YAML line for the condition, one for each action.
// Control thread. Everything that comes of a file goes through config_rules_print_text(), so that
// no input breaks the YAML.
#include "config/config_import_write.h"

#include <stdarg.h>

#include "config/config_rules_print.h"
#include "sip/sip.h"

__attribute__((format(printf, 3, 0))) static void note(struct import_rule *r, bool differs,
						       const char *format, va_list args)
{
	char text[200];

	vsnprintf(text, sizeof(text), format, args);
	config_errors_add(&r->import->notes, differs, r->line, 0, "%s", text);
}

void import_rule_refuse(struct import_rule *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(r, false, format, args);
	va_end(args);
	r->failed = true;
}

void import_rule_differs(struct import_rule *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(r, true, format, args);
	va_end(args);
}

void import_rule_init(struct import_rule *r, struct config_import *import, uint32_t line)
{
	r->import = import;
	r->line = line;
	r->failed = false;
	r->typed = NULL;
	r->name[0] = r->comment[0] = 0;
	r->when = outbuf_of(r->when_text, sizeof(r->when_text));
	r->dos = outbuf_of(r->do_text, sizeof(r->do_text));
}

static void put_line(struct config_import *import, const char *text)
{
	outbuf_put_str(&import->yaml, text);
	outbuf_put_char(&import->yaml, '\n');
	import->yaml_lines++;
}

static void put_comment(struct config_import *import, const char *text)
{
	struct outbuf *o = &import->yaml;

	outbuf_put_lit(o, "# ");
	for (; *text != 0; text++)
		outbuf_put_char(o, (char)(*text >= ' ' && *text < 0x7f ? *text : '?'));
	put_line(import, "");
}

void import_comment(struct config_import *import, const char *what, struct slice id,
		    struct slice name)
{
	char text[120];

	snprintf(text, sizeof(text), "%s %.*s %.*s", what, SLICE_ARG(slice_first(id, 20)),
		 SLICE_ARG(slice_first(name, 60)));
	put_comment(import, text);
}

// The rule as YAML.
static void put_rule(struct import_rule *r)
{
	struct config_import *import = r->import;
	struct outbuf *o = &import->yaml;

	if (r->comment[0] != 0)
		put_comment(import, r->comment);
	if (r->typed != NULL)
		put_comment(import, r->typed);
	if (r->name[0] != 0) {
		outbuf_put_lit(o, "- name: ");
		config_rules_print_text(o, slice_of_str(r->name));
		put_line(import, "");
		outbuf_put_lit(o, "  ");
	} else {
		outbuf_put_lit(o, "- ");
	}
	if (r->when.len != 0) {
		outbuf_put_lit(o, "when: { ");
		outbuf_put_slice(o, outbuf_slice(&r->when));
		put_line(import, " }");
		outbuf_put_lit(o, "  ");
	}
	put_line(import, "do:");
	for (struct slice rest = outbuf_slice(&r->dos); rest.len != 0;) {
		int64_t end = slice_find(rest, '\n');
		uint32_t len = end < 0 ? rest.len : (uint32_t)end;

		outbuf_put_lit(o, "    - ");
		outbuf_put_slice(o, slice_first(rest, len));
		put_line(import, "");
		rest = slice_from(rest, len + 1);
	}
}

void import_rule_end(struct import_rule *r)
{
	struct config_import *import = r->import;
	uint32_t from = import->yaml.len, line = import->yaml_lines;
	char fault[240];

	if (r->when.full || r->dos.full)
		import_rule_refuse(r, "the rule is too long");
	if (r->failed || r->dos.len == 0)
		return;
	if (import->n_rules == CONFIG_IMPORT_MAX_RULES) {
		import_rule_refuse(r, "the file has more than %u rules", CONFIG_IMPORT_MAX_RULES);
		return;
	}
	put_rule(r);
	if (import->yaml.full)
		return;
	if (config_import_try(import, slice_from(outbuf_slice(&import->yaml), from), fault)) {
		import->rules[import->n_rules++] = (struct config_import_rule){r->line, line};
		return;
	}
	import->yaml.len = from;
	import->yaml_lines = line;
	import_rule_refuse(r, "%s", fault);
}

struct outbuf *import_rule_when(struct import_rule *r, const char *key)
{
	if (r->when.len != 0)
		outbuf_put_lit(&r->when, ", ");
	outbuf_put_str(&r->when, key);
	outbuf_put_lit(&r->when, ": ");
	return &r->when;
}

struct outbuf *import_rule_do(struct import_rule *r, const char *key)
{
	if (r->dos.len != 0)
		outbuf_put_char(&r->dos, '\n');
	outbuf_put_str(&r->dos, key);
	outbuf_put_lit(&r->dos, ": ");
	return &r->dos;
}

void import_rule_comma(struct outbuf *o)
{
	if (o->len != 0 && o->p[o->len - 1] != '[' && o->p[o->len - 1] != '{')
		outbuf_put_lit(o, ", ");
	else if (o->len != 0 && o->p[o->len - 1] == '{')
		outbuf_put_char(o, ' ');
}

void import_rule_text(struct outbuf *o, const char *key, struct slice text)
{
	import_rule_comma(o);
	outbuf_put_str(o, key);
	outbuf_put_lit(o, ": ");
	config_rules_print_text(o, text);
}

void import_rule_quoted(struct outbuf *o, struct slice text)
{
	config_rules_print_text(o, text);
}

// --- regular expressions

static bool is_special(uint8_t c)
{
	return c != 0 && strchr("\\^$.[]|()?*+{}", c) != NULL;
}

void import_rule_literal(struct outbuf *pcre, struct slice text)
{
	for (uint32_t i = 0; i < text.len; i++) {
		if (is_special(text.p[i]))
			outbuf_put_char(pcre, '\\');
		outbuf_put_char(pcre, (char)text.p[i]);
	}
}

// A bracket expression from its "[" on: how long it is, 0 refused. In POSIX a backslash in it is
// itself, and so is "[" but for classes.
static uint32_t bracket(struct import_rule *r, struct slice s, struct outbuf *pcre)
{
	uint32_t i = 1;

	outbuf_put_char(pcre, '[');
	if (i < s.len && s.p[i] == '^')
		outbuf_put_char(pcre, (char)s.p[i++]);
	for (bool first = true; i < s.len; first = false, i++) {
		uint8_t c = s.p[i];
		uint8_t next = i + 1 < s.len ? s.p[i + 1] : 0;
		int64_t end;

		if (c == ']' && !first) {
			outbuf_put_char(pcre, ']');
			return i + 1;
		}
		if (c == '[' && (next == '.' || next == '=')) {
			import_rule_refuse(r,
					   "the regular expression has [%c %c], a collating "
					   "element; write the characters",
					   next, next);
			return 0;
		}
		end = c == '[' && next == ':' ? slice_find(slice_from(s, i), ']') : -1;
		if (end > 2) {
			outbuf_put(pcre, s.p + i, (size_t)end + 1);
			i += (uint32_t)end;
			continue;
		}
		if (c == '\\' || c == '[' || (c == ']' && first))
			outbuf_put_char(pcre, '\\');
		outbuf_put_char(pcre, (char)c);
	}
	import_rule_refuse(r, "the regular expression has a [ without ]");
	return 0;
}

static bool escape(struct import_rule *r, struct slice s, struct outbuf *pcre)
{
	uint8_t c = s.len > 1 ? s.p[1] : 0;

	if (c == 0) {
		import_rule_refuse(r, "the regular expression ends with a backslash");
		return false;
	}
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    c == '<' || c == '>') {
		import_rule_refuse(
			r,
			"the regular expression has \\%c, which POSIX leaves open; write "
			"what it should match",
			c);
		return false;
	}
	if (is_special(c))
		outbuf_put_char(pcre, '\\');
	outbuf_put_char(pcre, (char)c);
	return true;
}

bool import_rule_regex(struct import_rule *r, struct slice s, struct outbuf *pcre)
{
	uint8_t last = 0;

	for (uint32_t i = 0; i < s.len; i++) {
		uint8_t c = s.p[i];
		bool repeats = c == '*' || c == '+' || c == '?' || c == '{';
		bool repeated = last == '*' || last == '+' || last == '?' || last == '}';

		if (c == '[') {
			uint32_t len = bracket(r, slice_from(s, i), pcre);

			if (len == 0)
				return false;
			i += len - 1;
			last = 'x';
			continue;
		}
		if (c == '\\') {
			if (!escape(r, slice_from(s, i), pcre))
				return false;
			i++;
			last = 'x';
			continue;
		}
		if (repeats && (repeated || last == '(')) {
			import_rule_refuse(r,
					   "the regular expression has %c%c, which POSIX does "
					   "not know",
					   last, c);
			return false;
		}
		if (c == '|')
			import_rule_differs(r, "of alternatives in a regular expression the first "
					       "that fits is taken, not the longest");
		outbuf_put_char(pcre, (char)c);
		last = c;
	}
	return true;
}

// --- actions that both formats have

void import_rule_delete(struct import_rule *r, struct slice header, bool all)
{
	struct outbuf *o;

	if (sip_header_of(header) == SIP_H_SESSION_EXPIRES) {
		r->typed = "Session-Expires deleted: what is sent and what is timed stay the same";
		outbuf_put_lit(import_rule_do(r, "strip_session_timer"), "true");
		return;
	}
	o = import_rule_do(r, "delete");
	outbuf_put_char(o, '{');
	import_rule_text(o, "header", header);
	outbuf_put_str(o, all ? ", which: all }" : ", which: first }");
}

static bool is_around(uint8_t c)
{
	return c != 0 && strchr(", []*?", c) != NULL;
}

// The word that a pattern like ", UPDATE", "UPDATE, " or ",[ ]*UPDATE" takes out of a list; empty
// if it is none.
static struct slice list_word(struct slice pattern)
{
	uint32_t from = 0, to;

	while (from < pattern.len && is_around(pattern.p[from]))
		from++;
	for (to = from; to < pattern.len; to++)
		if (is_around(pattern.p[to]))
			break;
	for (uint32_t i = from; i < to; i++)
		if (is_special(pattern.p[i]))
			return SLICE_NONE;
	for (uint32_t i = to; i < pattern.len; i++)
		if (!is_around(pattern.p[i]))
			return SLICE_NONE;
	return slice_of(pattern.p + from, to - from);
}

static bool typed_substitute(struct import_rule *r, struct slice header, struct slice pattern,
			     struct slice with)
{
	enum sip_header id = sip_header_of(header);
	struct slice word = list_word(pattern);
	struct outbuf *o;

	if (slice_trim(with).len != 0 || word.len == 0 ||
	    (id != SIP_H_ALLOW && id != SIP_H_SUPPORTED && id != SIP_H_REQUIRE))
		return false;
	if (id == SIP_H_ALLOW && slice_eq(word, SLICE_LIT("UPDATE"))) {
		r->typed = "UPDATE taken out of Allow: verge refreshes by re-INVITE, too";
		outbuf_put_lit(import_rule_do(r, "hide_update"), "true");
		return true;
	}
	o = import_rule_do(r, "option");
	outbuf_put_char(o, '{');
	import_rule_text(o, "header", header);
	outbuf_put_lit(o, ", remove: [");
	config_rules_print_text(o, word);
	outbuf_put_lit(o, "] }");
	return true;
}

// A number for Session-Expires: what is sent and what is counted change together.
static bool typed_interval(struct import_rule *r, struct slice header, struct slice pattern,
			   struct slice with)
{
	struct slice any[] = {SLICE_LIT(".*"),	   SLICE_LIT("(.*)"),	  SLICE_LIT(".+"),
			      SLICE_LIT("[0-9]+"), SLICE_LIT("([0-9]+)"), SLICE_LIT("[0-9]*")};
	bool whole = false;
	struct outbuf *o;

	if (sip_header_of(header) != SIP_H_SESSION_EXPIRES || with.len == 0 || with.len > 6)
		return false;
	for (uint32_t i = 0; i < with.len; i++)
		if (with.p[i] < '0' || with.p[i] > '9')
			return false;
	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++)
		whole |= slice_eq(pattern, any[i]);
	if (!whole)
		return false;
	r->typed = "Session-Expires changed: what is sent and what is timed stay the same";
	o = import_rule_do(r, "session_expires");
	outbuf_put_lit(o, "{ set: ");
	outbuf_put_slice(o, with);
	outbuf_put_lit(o, " }");
	return true;
}

struct outbuf *import_rule_match(struct import_rule *r, const char *key, struct slice header,
				 struct slice pattern)
{
	uint8_t text[1200];
	struct outbuf pcre = outbuf_of(text, sizeof(text)), *o;

	if (!import_rule_regex(r, pattern, &pcre))
		return NULL;
	if (pcre.full) {
		import_rule_refuse(r, "the regular expression is too long");
		return NULL;
	}
	o = import_rule_do(r, key);
	outbuf_put_char(o, '{');
	import_rule_text(o, "header", header);
	import_rule_text(o, "match", outbuf_slice(&pcre));
	return o;
}

void import_rule_substitute(struct import_rule *r, struct slice header, struct slice pattern,
			    struct slice with, bool all)
{
	struct outbuf *o;

	if (typed_substitute(r, header, pattern, with) || typed_interval(r, header, pattern, with))
		return;
	o = import_rule_match(r, "substitute", header, pattern);
	if (o == NULL)
		return;
	import_rule_text(o, "with", with);
	outbuf_put_str(o, all ? ", which: all, case: exact }" : ", which: first, case: exact }");
}
