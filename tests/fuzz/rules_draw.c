// SPDX-License-Identifier: BSD-3-Clause
// Random rules as a configuration. See rules_draw.h.
#include "rules_draw.h"

#include <stdio.h>
#include <string.h>

#include "config/config_load.h"
#include "fuzz.h"

#define RULES_MOST 10
#define KEY_MAX	   256
#define TEXT_MAX   (256u << 10)
#define KEPT	   32 // compiled configurations, by what they were made of

uint8_t rules_input_next(struct rules_input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

// Several times: those that most can be done to.
static const char *const headers[] = {
	"From",
	"To",
	"Contact",
	"From",
	"To",
	"Contact",
	"Session-Expires",
	"Session-Expires",
	"Session-Expires",
	"Min-SE",
	"Min-SE",
	"X-A",
	"X-B",
	"X-A",
	"Subject",
	"Allow",
	"Supported",
	"Require",
	"User-Agent",
	"Diversion",
	"x",
	"f",
	"m",
	"Content-Type",
	"Retry-After",
	"Request-URI",
	"CSeq",
	"Via",
	"Route",
	"Content-Length",
};

static const char *const texts[] = {
	"",
	"a",
	"1",
	"90",
	"89",
	"4294967296",
	"1800;refresher=uac",
	"200;refresher=uas",
	"timer",
	"UPDATE",
	"INVITE, ACK, UPDATE",
	"<sip:9@192.0.2.7:5062>;tag=z",
	"sip:b@x",
	"tel:+49",
	"\"",
	"<",
	">",
	";tag=x",
	"a\r\nVia: b",
	"\r\n\r\n",
	"application/sdp",
	"\\1\\1",
	"\\0\\0",
	"\\u01",
	"<sip:\\u01@\\u02>",
};

static const char *const expressions[] = {
	".*",	  ".",	       "^$",	       "[0-9]+",     "[0-9]",	   "(.*)",
	"(a+)+$", "sip:(.*)@", "@(.*)",	       ";tag=.*",    ";tag=",	   "uac",
	"<|>",	  "UPDATE",    ", *UPDATE",    "^([^;]*);",  "(?=.*x)(.)", "timer|replaces",
	"sip:",	  "\\bx\\b",   "refresher *=", "((a|b)*)*c",
};

// %h a header, %t a text, %x an expression, %n a number, %c a case rule
static const char *const conditions[] = {
	"",
	"",
	"",
	"",
	"",
	"",
	"kind: request",
	"kind: response",
	"method: [INVITE, UPDATE, ANY]",
	"transaction: [INVITE, UPDATE]",
	"code: [2xx, 422]",
	"dialog: creating",
	"dialog: in",
	"direction: in",
	"ingress: [a]",
	"egress: [b]",
	"body: sdp",
	"body: none",
	"agent: { matches: %x%c }",
	"header: { name: %h, present: true }",
	"header: { name: %h, present: false }",
	"header: { name: %h, equals: %t%c }",
	"header: { name: %h, contains: %t%c }",
	"header: { name: %h, matches: %x%c }",
	"header: { name: %h, lt: %n }",
	"header: { name: %h, ge: %n }",
	"not: { header: { name: %h, contains: %t%c } }",
	"any: [ { header: { name: %h, equals: %t } }, { header: { name: %h, matches: %x } } ]",
	"all: [ { kind: request }, { header: { name: %h, present: true } } ]",
};

static const char *const actions[] = {
	"delete: %h",
	"delete: { header: %h, which: first }",
	"delete: { header: %h, which: 2 }",
	"delete: { header: %h, matching: %x%c }",
	"add: { header: %h, value: %t }",
	"set: { header: %h, value: %t }",
	"add: { header: X-B, value: %l }",
	"set: { header: X-A, value: %l }",
	"substitute: { header: %h, match: %x, with: %t%c }",
	"substitute: { header: %h, match: %x, with: %t%c }",
	"substitute: { header: %h, match: %x, with: %t%c }",
	"substitute: { header: %h, match: %x, with: %t%c }",
	"substitute: { header: %h, match: %x, with: %t, which: first }",
	"substitute: { header: %h, match: %x, with: %l }",
	"substitute: { header: X-A, match: '.', with: %l }",
	"substitute: { header: From, match: ';tag=[0-9]', with: %t }",
	"substitute: { header: To, match: ';tag=[0-9]', with: %t }",
	"capture: { header: %h, match: %x, as: u01%c }",
	"capture: { header: %h, match: %x, as: u02 }",
	"rename: { header: %h, to: %h }",
	"option: { header: %h, add: [timer, x] }",
	"option: { header: %h, remove: [timer, UPDATE] }",
	"move: { option: timer, from: Require, to: Supported }",
	"number: { header: %h, set: %n }",
	"number: { header: %h, scale: 0.5 }",
	"number: { header: %h, scale: 0.5 }",
	"number: { header: %h, scale: 1000 }",
	"number: { header: %h, min: %n }",
	"number: { header: %h, max: %n }",
	"uri: { header: %h, user: %t }",
	"uri: { header: %h, host: %t }",
	"uri: { header: %h, user: %t, param: { a: %t, b: ~ } }",
	"status: { code: 183 }",
	"status: { code: 603, reason: %t }",
	"reject: { code: 403, reason: %t }",
	"drop: true",
	"tag: s",
	"trace: true",
	"strip_session_timer: true",
	"session_expires: { cap: %n }",
	"session_expires: { scale: 0.5 }",
	"session_expires: { set: %n }",
	"force_refresher: local",
	"force_refresher: remote",
	"hide_update: true",
	"min_se: { set: %n }",
	"min_se: { cap: %n }",
	"disarm: true",
};

#define PICK(in, list) (list)[rules_input_next(in) % (sizeof(list) / sizeof((list)[0]))]

static void put_quoted(struct outbuf *o, const char *text, size_t len)
{
	char code[8];

	outbuf_put_char(o, '"');
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') {
			outbuf_put_char(o, (char)c);
			continue;
		}
		(void)snprintf(code, sizeof(code), "\\x%02x", c);
		outbuf_put_str(o, code);
	}
	outbuf_put_char(o, '"');
}

// A text of the list, or, where its byte says 255, some of the input.
static void put_text(struct outbuf *o, struct rules_input *in, const char *const *list, size_t n)
{
	uint8_t which = rules_input_next(in);
	size_t len, left;

	if (which != 255) {
		put_quoted(o, list[which % n], strlen(list[which % n]));
		return;
	}
	len = rules_input_next(in) % 32;
	left = (size_t)(in->end - in->at);
	len = len < left ? len : left;
	put_quoted(o, (const char *)in->at, len);
	in->at += len;
}

static void put_long(struct outbuf *o)
{
	static char text[1000]; // of 1,024 that there may be

	memset(text, 'a', sizeof(text));
	put_quoted(o, text, sizeof(text));
}

static void put_part(struct outbuf *o, struct rules_input *in, const char *template)
{
	static const char *const numbers[] = {"0", "60", "89", "90", "600", "1800", "86400"};

	for (const char *c = template; *c != 0; c++) {
		if (*c != '%') {
			outbuf_put_char(o, *c);
			continue;
		}
		switch (*++c) {
		case 'h':
			outbuf_put_str(o, PICK(in, headers));
			break;
		case 't':
			put_text(o, in, texts, sizeof(texts) / sizeof(texts[0]));
			break;
		case 'x':
			put_text(o, in, expressions, sizeof(expressions) / sizeof(expressions[0]));
			break;
		case 'n':
			outbuf_put_str(o, PICK(in, numbers));
			break;
		case 'l':
			put_long(o);
			break;
		default:
			outbuf_put_str(o, rules_input_next(in) % 2 != 0 ? ", case: exact" : "");
			break;
		}
	}
}

struct drawn {
	char *line;
	bool in, out; // of which sets
};

static void draw(struct drawn *d, struct rules_input *in)
{
	static char room[TEXT_MAX];
	struct outbuf o = outbuf_of(room, sizeof(room));
	uint8_t how = rules_input_next(in);

	d->in = how % 4 != 1;
	d->out = how % 4 != 0;
	outbuf_put_str(&o, "    - { when: { ");
	put_part(&o, in, PICK(in, conditions));
	outbuf_put_str(&o, " }, do: [ { ");
	put_part(&o, in, PICK(in, actions));
	for (unsigned i = how >= 128 ? how / 4 % 4 : 0; i != 0; i--) {
		outbuf_put_str(&o, " }, { ");
		put_part(&o, in, PICK(in, actions));
	}
	outbuf_put_str(&o, " } ] }\n");
	FUZZ_ASSERT(!o.full);
	d->line = strndup((const char *)o.p, o.len);
	FUZZ_ASSERT(d->line != NULL);
	if (strstr(d->line, "reject:") != NULL || strstr(d->line, "drop:") != NULL)
		d->out = !(d->in = true); // what leaves cannot be refused
}

// Both sets, a rule a line; line[] says which rule stands in which line of the file.
static struct slice write_file(const struct drawn *rules, unsigned n, int *line, unsigned lines)
{
	static char room[4 * TEXT_MAX];
	static const char head[] =
		"ports: { p: { device: x, addresses: [192.0.2.1/24] } }\n"
		"trunks:\n"
		"  a: { port: p, peers: [192.0.2.2], rules: { in: [i], out: [o] } }\n"
		"  b: { port: p, peers: [192.0.2.3], rules: { in: [i], out: [o] } }\n"
		"routes: [ { to: [a] }, { from: a, to: [b] } ]\nrules:\n";
	struct outbuf o = outbuf_of(room, sizeof(room));
	unsigned at = 7; // the next line

	FUZZ_ASSERT(at + 2 * (2 + n) <= lines);
	outbuf_put_str(&o, head);
	for (unsigned out = 0; out < 2; out++) {
		outbuf_put_str(&o, out != 0 ? "  o:\n" : "  i:\n");
		outbuf_put_str(&o, "    - { when: { header: { name: X-None, present: true } }, do: "
				   "[ { tag: none } ] }\n");
		at += 2;
		for (unsigned i = 0; i < n; i++) {
			if (rules[i].line == NULL || !(out != 0 ? rules[i].out : rules[i].in))
				continue;
			line[at++] = (int)i;
			outbuf_put_str(&o, rules[i].line);
		}
	}
	FUZZ_ASSERT(!o.full);
	return outbuf_slice(&o);
}

// Rules that --check refuses are taken out until it refuses none.
static struct config *load(struct drawn *rules, unsigned n)
{
	struct config *c = NULL;

	for (unsigned round = 0; c == NULL && round <= n; round++) {
		struct config_errors errors = {0};
		int line[16 + 2 * RULES_MOST];
		bool any = false;

		memset(line, -1, sizeof(line));
		(void)config_load_text(&c,
				       write_file(rules, n, line, sizeof(line) / sizeof(line[0])),
				       "rules", NULL, NULL, &errors);
		for (uint32_t i = 0; c == NULL && i < errors.n; i++) {
			const struct config_error *e = &errors.list[i];
			int rule = e->line < sizeof(line) / sizeof(line[0]) ? line[e->line] : -1;

			if (e->warning || rule < 0 || rules[rule].line == NULL)
				continue;
			free(rules[rule].line);
			rules[rule].line = NULL;
			any = true;
		}
		if (c == NULL && !any)
			config_errors_print(&errors, stderr);
		config_errors_free(&errors);
		FUZZ_ASSERT(c != NULL || any); // what is wrong is said of a rule
	}
	return c;
}

struct config *rules_draw(struct rules_input *in, bool *is_new)
{
	static struct kept {
		struct config *config;
		uint8_t key[KEY_MAX];
		size_t len;
	} kept[KEPT];
	struct drawn rules[RULES_MOST] = {0};
	size_t len = rules_input_next(in), left = (size_t)(in->end - in->at);
	struct rules_input part = {in->at, in->at + (len < left ? len : left)};
	const uint8_t *begin = part.at;
	unsigned n = 1 + rules_input_next(&part) % RULES_MOST;
	uint32_t hash = 2166136261u;
	struct kept *k;

	len = (size_t)(part.end - begin);
	in->at = part.end;
	for (unsigned i = 0; i < n; i++)
		draw(&rules[i], &part);
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ begin[i]) * 16777619u;
	k = &kept[hash % KEPT];
	*is_new = k->config == NULL || k->len != len || len > KEY_MAX ||
		  memcmp(k->key, begin, len) != 0;
	if (*is_new) {
		config_free(k->config);
		k->config = load(rules, n);
		k->len = len;
		memcpy(k->key, begin, len);
	}
	for (unsigned i = 0; i < n; i++)
		free(rules[i].line);
	FUZZ_ASSERT(k->config != NULL);
	return k->config;
}
