// SPDX-License-Identifier: BSD-3-Clause
// What message rules cost for each message as a worker meets it: the scan that classifies, with the
// patterns of 0, 200 and 1,000 rules in it, and then the rules of the trunk. The rules look at the
// agent, at numbers and at timers; of the mix one message in a few meets one that applies.
#include "bench.h"

#include "base/outbuf.h"
#include "config/config_load.h"
#include "rules/rules.h"
#include "sip_mix.h"

#define BATCH	(SIP_MIX_KINDS * 64)
#define INDEXED 64

static struct sip_mix mix;
static struct sip_msg indexed[SIP_MIX_KINDS][INDEXED];
static struct sip_class class;
static struct config *none, *some, *many, *acting;
static struct classify_db *db_none;
static struct classify_scratch *scratch_none;
static uint8_t made[4096];

static inline const struct sip_msg *mixed(uint64_t i)
{
	return &indexed[i % SIP_MIX_KINDS][i / SIP_MIX_KINDS % INDEXED];
}

// As lib/b2bua does it: one look where the trunk has no rules; the message is made anew where one
// applies.
static inline void apply(const struct config *c, const struct sip_msg *m)
{
	struct rules_facts facts = {.msg = m,
				    .class = &class,
				    .egress = RULES_NO_TRUNK,
				    .direction = RULE_IN,
				    .method = m->method,
				    .in_call = true};
	struct outbuf o = outbuf_of(made, sizeof(made));
	struct rules_result result;

	if (rules_any(c->program, 0, RULE_IN) &&
	    rules_apply(c->program, 0, &facts, &result, NULL) && result.changed)
		bench_keep(sip_edit_apply(&o, m, result.edits));
}

static inline void handle(const struct config *c, const struct sip_msg *m)
{
	if (c->program != NULL)
		classify_message(rules_patterns(c->program), rules_scratch(c->program, 0), m,
				 &class);
	else
		classify_message(db_none, scratch_none, m, &class);
	apply(c, m);
}

BENCH(rules_0, BATCH)
{
	handle(none, mixed(i));
}

BENCH(rules_200, BATCH)
{
	handle(some, mixed(i));
}

BENCH(rules_1000, BATCH)
{
	handle(many, mixed(i));
}

BENCH(rules_1000_invite, BATCH)
{
	handle(many, &indexed[SIP_MIX_INVITE][i % INDEXED]);
}

// One rule that applies to each INVITE: condition, substitution by PCRE2, the message written anew.
BENCH(rules_acting_invite, BATCH)
{
	handle(acting, &indexed[SIP_MIX_INVITE][i % INDEXED]);
}

static struct config *load(const char *rules)
{
	struct config_errors errors = {0};
	struct config *c;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	fprintf(f,
		"ports: { p: { device: x, addresses: [192.0.2.1/24] } }\n"
		"trunks: { t: { port: p, peers: [192.0.2.2], rules: { in: [%s] } } }\n"
		"routes: [ { to: [t] } ]\n%s",
		rules[0] != 0 ? "s" : "", rules);
	(void)fclose(f);
	if (config_load_text(&c, slice_of_str(text), "bench", NULL, NULL, &errors) != 0) {
		config_errors_print(&errors, stderr);
		abort();
	}
	config_errors_free(&errors);
	free(text);
	return c;
}

// n rules; % is another number in each.
static struct config *load_many(unsigned n)
{
	static const char *const forms[] = {
		"{ kind: request, agent: { contains: device-% } }, do: [ { hide_update: true } ]",
		"{ method: [INVITE], header: { name: From, matches: 'sip:\\+1%[0-9]*@' } }, do: [ "
		"{ "
		"tag: number } ]",
		"{ transaction: [INVITE], header: { name: P-Asserted-Identity, contains: 'x%' } "
		"}, do: [ "
		"{ delete: Privacy } ]",
		"{ code: [2xx], header: { name: Session-Expires, equals: '9%' } }, do: [ { "
		"session_expires: { cap: 600 } } ]",
		"{ kind: request, header: { name: Request-URI, contains: 'u%@' } }, do: [ { add: "
		"{ "
		"header: X-R, value: a } } ]",
	};
	struct config *c;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	fputs("rules:\n  s:\n", f);
	for (unsigned i = 0; i < n; i++) {
		fputs("    - { when: ", f);
		for (const char *p = forms[i % 5]; *p != 0; p++)
			if (*p == '%')
				fprintf(f, "%x", i * 2654435761u);
			else
				fputc(*p, f);
		fputs(" }\n", f);
	}
	(void)fclose(f);
	c = load(text);
	free(text);
	return c;
}

static void prepare(void)
{
	sip_mix_make(&mix);
	for (unsigned kind = 0; kind < SIP_MIX_KINDS; kind++)
		for (unsigned i = 0; i < INDEXED; i++)
			if (sip_msg_parse(&indexed[kind][i], mix.msg[kind][i]) != 0)
				abort();
	if (classify_db_compile(&db_none, NULL, NULL) != 0 ||
	    classify_scratch_make(&scratch_none, db_none) != 0)
		abort();
	none = load("");
	some = load_many(200);
	many = load_many(1000);
	acting = load(
		"rules:\n  s:\n    - { when: { method: [INVITE], header: { name: From, matches: "
		"'sip:' } }, do: [ { substitute: { header: From, match: '<sip:(.)', with: "
		"'<sip:9\\1' } } ] }\n");
}

BENCH_MAIN(prepare)
