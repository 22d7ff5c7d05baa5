// SPDX-License-Identifier: BSD-3-Clause
// Message rules alone: random rules on a random message. Whatever they do, what is left is a
// message, within its limits, with everything in it that rules may not touch; the scan of the
// classifier, the one of rules alone and no scan at all say the same; counters say what happened.
// Input: a byte with the length of what rules are made of, that (what --check refuses is left out),
// two bytes of what is known beside the message, the message.
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "config/config_load.h"
#include "rules/rules.h"
#include "sip/name_addr.h"
#include "sip/numbers.h"

#define RULES_MOST 10
#define KEY_MAX	   256
#define TEXT_MAX   (256u << 10)
#define KEPT	   32 // compiled configurations, by what they were made of
#define STEPS_MAX  64

#define HEAD                                                                                 \
	"Via: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP 192.0.2.4\r\n"       \
	"Max-Forwards: 70\r\nFrom: \"A\" <sip:a@x;user=phone>;tag=1;x=y\r\nCall-ID: c@x\r\n" \
	"Contact: <sip:a@192.0.2.3>;a=b\r\nAllow: INVITE, ACK, BYE, UPDATE\r\nX-A: aaa\r\n"  \
	"Supported: timer, replaces\r\nX-B: 12;a\r\nX-A: <sip:x@y>\r\nSubject: aaaab\r\n"
#define NO_BODY "Content-Length: 0\r\n\r\n"
#define BODY                                                         \
	"Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\n" \
	"v=0\r\n"

struct input {
	const uint8_t *at, *end;
};

static uint8_t next(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

// --- rules

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

#define PICK(in, list) (list)[next(in) % (sizeof(list) / sizeof((list)[0]))]

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
static void put_text(struct outbuf *o, struct input *in, const char *const *list, size_t n)
{
	uint8_t which = next(in);
	size_t len, left;

	if (which != 255) {
		put_quoted(o, list[which % n], strlen(list[which % n]));
		return;
	}
	len = next(in) % 32;
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

static void put_part(struct outbuf *o, struct input *in, const char *template)
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
			outbuf_put_str(o, next(in) % 2 != 0 ? ", case: exact" : "");
			break;
		}
	}
}

struct drawn {
	char *line;
	bool in, out; // of which sets
};

static void draw(struct drawn *d, struct input *in)
{
	static char room[TEXT_MAX];
	struct outbuf o = outbuf_of(room, sizeof(room));
	uint8_t how = next(in);

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

	outbuf_put_str(&o, head);
	for (unsigned out = 0; out < 2; out++) {
		outbuf_put_str(&o, out != 0 ? "  o:\n" : "  i:\n");
		outbuf_put_str(&o, "    - { when: { header: { name: X-None, present: true } }, do: "
				   "[ { tag: none } ] }\n");
		at += 2;
		for (unsigned i = 0; i < n; i++)
			if (rules[i].line != NULL && (out != 0 ? rules[i].out : rules[i].in)) {
				FUZZ_ASSERT(at < lines);
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

// The rules at the beginning of the input, compiled; kept for inputs that begin alike.
static struct config *take_rules(struct input *in, bool *is_new)
{
	static struct kept {
		struct config *config;
		uint8_t key[KEY_MAX];
		size_t len;
	} kept[KEPT];
	struct drawn rules[RULES_MOST] = {0};
	size_t len = next(in), left = (size_t)(in->end - in->at);
	struct input part = {in->at, in->at + (len < left ? len : left)};
	const uint8_t *begin = part.at;
	unsigned n = 1 + next(&part) % RULES_MOST;
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

// --- a message

static void read_facts(struct rules_facts *f, const struct sip_msg *m, uint8_t bits, uint8_t trunks)
{
	struct sip_cseq cseq = {0};

	(void)sip_cseq_of(m, &cseq);
	*f = (struct rules_facts){
		.msg = m,
		.trunk = bits & 1,
		.ingress = trunks % 4 < 2 ? trunks % 4 : RULES_NO_TRUNK,
		.egress = trunks / 4 % 4 < 2 ? trunks / 4 % 4 : RULES_NO_TRUNK,
		.direction = (bits & 2) != 0 ? RULE_OUT : RULE_IN,
		// a request whose CSeq says otherwise is refused before
		.method = sip_msg_is_request(m) ? m->method : cseq.method,
		.dialog = (bits & 4) != 0 ? RULE_DIALOG_IN : RULE_DIALOG_CREATING,
		.in_call = (bits & 8) == 0,
		.peer_lacks_timer = (bits & 16) != 0,
	};
}

struct step {
	const struct rule *rule;
	bool changed, refused;
};

struct outcome {
	bool applies;
	struct rules_result result;
	struct step step[STEPS_MAX]; // those whose condition held
	unsigned steps, evaluated;
	bool gave_up;
	size_t len; // of text, what the message becomes
	uint8_t text[SIP_MSG_MAX_BYTES];
};

static void on_step(void *ctx, const struct rules_step *s)
{
	struct outcome *o = ctx;

	o->evaluated++;
	FUZZ_ASSERT(s->matched || (!s->changed && s->refused == NULL));
	FUZZ_ASSERT(!s->changed || s->refused == NULL);
	if (!s->matched)
		return;
	FUZZ_ASSERT(o->steps < STEPS_MAX);
	o->step[o->steps++] = (struct step){s->rule, s->changed, s->refused != NULL};
}

static struct rules_counts sum(const struct rules_program *p)
{
	struct rules_counts all = {0}, c;

	for (uint32_t i = 0; i < rules_count(p); i++) {
		rules_read(p, i, &c);
		FUZZ_ASSERT(c.evaluated >= c.matched && c.matched >= c.changed + c.refused);
		all.evaluated += c.evaluated;
		all.matched += c.matched;
		all.changed += c.changed;
		all.refused += c.refused;
		all.gave_up += c.gave_up;
	}
	return all;
}

// The counters of rules say what they did, no more and no less.
static void check_counts(const struct outcome *o, const struct rules_counts *was,
			 const struct rules_counts *now)
{
	unsigned changed = 0, refused = 0;

	for (unsigned i = 0; i < o->steps; i++) {
		changed += o->step[i].changed;
		refused += o->step[i].refused;
	}
	FUZZ_ASSERT(now->evaluated - was->evaluated == o->evaluated);
	FUZZ_ASSERT(now->matched - was->matched == o->steps);
	FUZZ_ASSERT(now->changed - was->changed == changed);
	FUZZ_ASSERT(now->refused - was->refused == refused);
	FUZZ_ASSERT(o->applies == (changed != 0));
}

static void apply(struct outcome *o, struct rules_program *p, const struct rules_facts *f)
{
	const struct rules_watch watch = {on_step, o};
	struct rules_counts was = sum(p), now;
	struct outbuf out = outbuf_of(o->text, sizeof(o->text));

	o->steps = o->evaluated = 0;
	memset(&o->result, 0, sizeof(o->result));
	o->applies = rules_apply(p, 0, f, &o->result, &watch);
	now = sum(p);
	check_counts(o, &was, &now);
	o->gave_up = now.gave_up != was.gave_up;
	if (o->result.changed) {
		FUZZ_ASSERT(sip_edit_apply(&out, f->msg, o->result.edits) == 0);
		FUZZ_ASSERT(out.len == o->result.len);
	}
	o->len = out.len;
}

// --- what may not be: said here again, since a judge must not ask whom it judges

static bool is_protected(unsigned id)
{
	switch (id) {
	case SIP_H_VIA:
	case SIP_H_CALL_ID:
	case SIP_H_CSEQ:
	case SIP_H_CONTENT_LENGTH:
	case SIP_H_MAX_FORWARDS:
	case SIP_H_ROUTE:
	case SIP_H_RECORD_ROUTE:
	case SIP_H_RSEQ:
	case SIP_H_RACK:
		return true;
	}
	return false;
}

static const struct sip_field *next_protected(const struct sip_msg *m, unsigned *at)
{
	while (*at < m->n_fields) {
		const struct sip_field *f = &m->field[(*at)++];

		if (is_protected(f->id))
			return f;
	}
	return NULL;
}

static unsigned count(const struct sip_msg *m, enum sip_header id)
{
	unsigned n = 0;

	for (const struct sip_field *f = sip_msg_first(m, id); f != NULL; f = sip_msg_next(m, f))
		n++;
	return n;
}

static struct slice first_line(const struct sip_msg *m, enum sip_header id)
{
	const struct sip_field *f = sip_msg_first(m, id);

	return f != NULL ? sip_msg_field_line(m, f) : SLICE_NONE;
}

static void check_party(const struct sip_msg *then, const struct sip_msg *now, enum sip_header id)
{
	struct sip_name_addr a, b;
	struct slice tag_a, tag_b;

	FUZZ_ASSERT(count(then, id) == count(now, id));
	if (slice_eq(first_line(then, id), first_line(now, id)))
		return;
	FUZZ_ASSERT(sip_name_addr_of(then, id, &a) == 0 && sip_name_addr_of(now, id, &b) == 0);
	FUZZ_ASSERT(sip_name_addr_tag(&a, &tag_a) == 0 && sip_name_addr_tag(&b, &tag_b) == 0);
	FUZZ_ASSERT(slice_eq(tag_a, tag_b));
}

static void check_timer(const struct sip_msg *then, const struct sip_msg *now,
			const struct rules_facts *f)
{
	struct sip_session_expires se;
	uint32_t seconds;
	bool timed = f->method == SIP_INVITE || f->method == SIP_UPDATE;

	FUZZ_ASSERT(count(now, SIP_H_SESSION_EXPIRES) <= 1 && count(now, SIP_H_MIN_SE) <= 1 &&
		    count(now, SIP_H_CONTENT_TYPE) <= 1);
	if (count(now, SIP_H_SESSION_EXPIRES) != 0 &&
	    !slice_eq(sip_msg_value(then, SIP_H_SESSION_EXPIRES),
		      sip_msg_value(now, SIP_H_SESSION_EXPIRES)))
		FUZZ_ASSERT(sip_session_expires_of(now, &se) == 0 && se.seconds >= 90 &&
			    (sip_msg_is_request(now) || (now->status / 100 == 2 && timed)));
	if (count(now, SIP_H_MIN_SE) != 0 &&
	    !slice_eq(sip_msg_value(then, SIP_H_MIN_SE), sip_msg_value(now, SIP_H_MIN_SE)))
		FUZZ_ASSERT(sip_min_se_parse(&seconds, sip_msg_value(now, SIP_H_MIN_SE)) == 0 &&
			    seconds >= 90);
}

static void check_protected(const struct sip_msg *then, const struct sip_msg *now)
{
	const struct sip_field *a, *b;
	unsigned at_then = 0, at_now = 0;

	do {
		a = next_protected(then, &at_then);
		b = next_protected(now, &at_now);
		FUZZ_ASSERT((a == NULL) == (b == NULL));
		FUZZ_ASSERT(a == NULL ||
			    slice_eq(sip_msg_field_line(then, a), sip_msg_field_line(now, b)));
	} while (a != NULL);
}

static void check_message(const struct sip_msg *then, const struct outcome *o,
			  const struct rules_facts *f)
{
	static struct sip_msg now;

	FUZZ_ASSERT(o->len <= RULES_MESSAGE_MAX);
	FUZZ_ASSERT(sip_msg_parse(&now, slice_of(o->text, o->len)) == 0 && now.len == o->len);
	FUZZ_ASSERT(sip_msg_is_request(then) == sip_msg_is_request(&now));
	FUZZ_ASSERT(then->method == now.method && slice_eq(then->method_token, now.method_token));
	FUZZ_ASSERT(slice_eq(then->body, now.body));
	FUZZ_ASSERT(sip_msg_is_request(then) || o->result.verdict != RULES_PASS ||
		    o->result.code == now.status);
	check_protected(then, &now);
	for (unsigned i = 0; i < now.n_fields; i++)
		FUZZ_ASSERT(now.field[i].name_len + now.field[i].len <= RULES_VALUE_MAX);
	check_party(then, &now, SIP_H_FROM);
	check_party(then, &now, SIP_H_TO);
	FUZZ_ASSERT(count(then, SIP_H_CONTACT) == count(&now, SIP_H_CONTACT));
	check_timer(then, &now, f);
}

static void check_verdict(const struct outcome *o, const struct rules_facts *f)
{
	if (o->result.verdict == RULES_REJECT)
		FUZZ_ASSERT(f->direction == RULE_IN && sip_msg_is_request(f->msg) &&
			    f->msg->method != SIP_ACK && o->result.code == 403);
	else if (o->result.verdict == RULES_DROP)
		FUZZ_ASSERT(f->direction == RULE_IN);
	FUZZ_ASSERT(o->applies || !o->result.changed);
}

// How candidates are found must not matter, unless expressions ran out of their steps.
static void check_same(const struct outcome *a, const struct outcome *b)
{
	const struct rules_result *r = &a->result, *s = &b->result;

	if (a->gave_up || b->gave_up)
		return;
	FUZZ_ASSERT(a->applies == b->applies && a->steps == b->steps);
	for (unsigned i = 0; i < a->steps; i++)
		FUZZ_ASSERT(a->step[i].rule == b->step[i].rule &&
			    a->step[i].changed == b->step[i].changed &&
			    a->step[i].refused == b->step[i].refused);
	FUZZ_ASSERT(r->verdict == s->verdict && r->changed == s->changed && r->code == s->code &&
		    r->strip_timer == s->strip_timer && r->disarm == s->disarm &&
		    r->hide_update == s->hide_update && r->trace == s->trace &&
		    r->refresher == s->refresher && r->labels == s->labels);
	FUZZ_ASSERT(a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
}

// Messages that each set of rules meets, beside the input's own.
static const char *const panel[] = {
	"INVITE sip:1@192.0.2.1 SIP/2.0\r\n" HEAD "To: <sip:1@192.0.2.1>\r\nCSeq: 1 INVITE\r\n"
	"Session-Expires: 120;refresher=uac\r\nMin-SE: 120\r\nRequire: timer, 100rel\r\n" BODY,
	"INVITE tel:+491 SIP/2.0\r\n" HEAD "To: \"B\" <tel:+491>\r\nCSeq: 1 INVITE\r\n"
	"Route: <sip:192.0.2.9;lr>\r\nx: 1800\r\nUser-Agent: a\r\nDiversion: <sip:a@x>\r\n" NO_BODY,
	"UPDATE sip:1@192.0.2.1 SIP/2.0\r\n" HEAD
	"To: <sip:1@192.0.2.1>;tag=2\r\nCSeq: 2 UPDATE\r\n"
	"Session-Expires: 180\r\n" NO_BODY,
	"SIP/2.0 200 OK\r\n" HEAD "To: <sip:1@192.0.2.1>;tag=2\r\nCSeq: 1 INVITE\r\n"
	"Session-Expires: 1800;refresher=uas\r\nRequire: timer\r\nServer: b\r\n" BODY,
	"SIP/2.0 200 OK\r\n" HEAD "To: <sip:1@192.0.2.1>;tag=2\r\nCSeq: 1 INVITE\r\n"
	"Session-Expires: 200\r\n ;refresher=uac\r\n" BODY,
	"SIP/2.0 422 Session Interval Too Small\r\n" HEAD "To: <sip:1@192.0.2.1>;tag=2\r\n"
	"CSeq: 1 INVITE\r\nMin-SE: 300\r\n" NO_BODY,
	"SIP/2.0 183 Session Progress\r\n" HEAD "To: <sip:1@192.0.2.1>;tag=2\r\nCSeq: 1 INVITE\r\n"
	"RSeq: 1\r\nRequire: 100rel\r\n" BODY,
	"ACK sip:1@192.0.2.1 SIP/2.0\r\n" HEAD
	"To: <sip:1@192.0.2.1>;tag=2\r\nCSeq: 1 ACK\r\n" NO_BODY,
	"BYE sip:1@192.0.2.1 SIP/2.0\r\n" HEAD "To: <sip:1@192.0.2.1>;tag=2\r\nCSeq: 3 BYE\r\n"
	"Route: <sip:192.0.2.9;lr>\r\n" NO_BODY,
};

// One message, its candidates found in each of the three ways.
static void check(struct rules_program *p, struct slice text, uint8_t bits, uint8_t trunks)
{
	static struct outcome scanned, alone, all;
	static struct sip_msg m;
	struct rules_facts facts;
	struct sip_class class;

	if (sip_msg_parse(&m, text) != 0)
		return;
	read_facts(&facts, &m, bits, trunks);
	classify_message(rules_patterns(p), rules_scratch(p, 0), &m, &class);
	facts.class = &class;
	apply(&scanned, p, &facts);
	check_verdict(&scanned, &facts);
	if (scanned.result.changed)
		check_message(&m, &scanned, &facts);
	facts.class = NULL;
	apply(&alone, p, &facts);
	check_same(&scanned, &alone);
	class.hits_all = true;
	facts.class = &class;
	apply(&all, p, &facts);
	check_same(&scanned, &all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[4096];
	struct input in = {data, data + size};
	struct rules_program *p;
	uint8_t bits, trunks;
	bool is_new;

	if (size > sizeof(copy))
		return 0;
	memcpy(copy, data, size);
	p = take_rules(&in, &is_new)->program;
	bits = next(&in);
	trunks = next(&in);
	check(p, slice_of(in.at, (size_t)(in.end - in.at)), bits, trunks);
	for (unsigned i = 0; is_new && i < sizeof(panel) / sizeof(panel[0]); i++) {
		check(p, slice_of_str(panel[i]), bits, trunks);
		check(p, slice_of_str(panel[i]), bits ^ 2, trunks);
	}
	FUZZ_ASSERT(memcmp(copy, data, size) == 0);
	return 0;
}
