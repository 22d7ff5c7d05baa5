// SPDX-License-Identifier: BSD-3-Clause
// What classifying costs for each indexed message: with 0, 200 and 1,000 names of agents, with 200
// and 1,000 rules over five headers, literals alone or half of them regular expressions; by the
// scalar parsers, without names or rules. Beside it what verge does not do: Hyperscan over the
// whole message, and over start line and agent alone with the names alone.
#include "bench.h"

#include <hs/hs.h>

#include "classify/classify.h"
#include "sip_mix.h"

#define BATCH	 (SIP_MIX_KINDS * 64)
#define INDEXED	 64 // messages of each kind: the indexes alone fill more than a cache
#define PATTERNS 1000
#define LINE_MAX 256

static struct sip_mix mix;
static struct sip_msg indexed[SIP_MIX_KINDS][INDEXED];
static struct sip_class out;
static struct classify_db *db_0, *names_200, *names_1000, *rules_200, *rules_1000, *regex_200;
static struct classify_scratch *scratch;
static hs_database_t *whole_200, *whole_1000;
static hs_scratch_t *whole_scratch;
static char line[SIP_MIX_KINDS][INDEXED][LINE_MAX]; // start line and agent
static unsigned line_len[SIP_MIX_KINDS][INDEXED];

static inline const struct sip_msg *mixed(uint64_t i)
{
	return &indexed[i % SIP_MIX_KINDS][i / SIP_MIX_KINDS % INDEXED];
}

static inline void classify(const struct classify_db *db, uint64_t i)
{
	classify_message(db, scratch, mixed(i), &out);
	bench_keep(out.kind);
}

BENCH(classify_0, BATCH)
{
	classify(db_0, i);
}

BENCH(classify_names_200, BATCH)
{
	classify(names_200, i);
}

BENCH(classify_names_1000, BATCH)
{
	classify(names_1000, i);
}

BENCH(classify_names_1000_invite, BATCH)
{
	classify_message(names_1000, scratch, &indexed[SIP_MIX_INVITE][i % INDEXED], &out);
	bench_keep(out.kind);
}

BENCH(classify_rules_200, BATCH)
{
	classify(rules_200, i);
}

BENCH(classify_rules_1000, BATCH)
{
	classify(rules_1000, i);
}

BENCH(classify_rules_200_half_regex, BATCH)
{
	classify(regex_200, i);
}

BENCH(classify_scalar, BATCH)
{
	classify_message_scalar(mixed(i), &out);
	bench_keep(out.kind);
}

static int on_match(unsigned id, unsigned long long, unsigned long long, unsigned, void *ctx)
{
	*(unsigned *)ctx += id;
	return 0;
}

static inline void scan(const hs_database_t *db, const void *bytes, size_t len)
{
	unsigned found = 0;

	(void)hs_scan(db, bytes, (unsigned)len, 0, whole_scratch, on_match, &found);
	bench_keep(found);
}

BENCH(hs_line_and_agent_200, BATCH)
{
	unsigned kind = i % SIP_MIX_KINDS, n = i / SIP_MIX_KINDS % INDEXED;

	scan(whole_200, line[kind][n], line_len[kind][n]);
}

BENCH(hs_line_and_agent_1000, BATCH)
{
	unsigned kind = i % SIP_MIX_KINDS, n = i / SIP_MIX_KINDS % INDEXED;

	scan(whole_1000, line[kind][n], line_len[kind][n]);
}

BENCH(hs_whole_message_200, BATCH)
{
	scan(whole_200, mixed(i)->base, mixed(i)->len);
}

BENCH(hs_whole_message_1000, BATCH)
{
	scan(whole_1000, mixed(i)->base, mixed(i)->len);
}

static const struct classify_header headers[] = {
	{SLICE_NONE, SIP_H_USER_AGENT}, {SLICE_NONE, CLASSIFY_REQUEST_URI},
	{SLICE_NONE, SIP_H_FROM},	{SLICE_NONE, SIP_H_TO},
	{SLICE_NONE, SIP_H_CONTACT},
};
#define COUNT_HEADERS 5

static char text[PATTERNS][32], regex[PATTERNS][48];
static struct classify_pattern names[PATTERNS], rules[PATTERNS], half[PATTERNS];

static void make_patterns(void)
{
	for (unsigned i = 0; i < PATTERNS; i++) {
		int n = snprintf(text[i], sizeof(text[i]), "%c%cscan-%x", 'a' + i % 26,
				 'a' + i / 26 % 26, i * 2654435761u);
		int m = snprintf(regex[i], sizeof(regex[i]), "<sip:\\+?1?%03u[0-9]{3,8}@host%u\\.",
				 i, i);

		names[i] = (struct classify_pattern){
			.text = slice_of(text[i], (size_t)n), .id = (uint16_t)i, .any_case = true};
		rules[i] = half[i] = names[i];
		rules[i].header = half[i].header = (uint8_t)(i % COUNT_HEADERS);
		if (i % 2 != 0) {
			half[i].text = slice_of(regex[i], (size_t)m);
			half[i].header = (uint8_t)(2 + i % 3);
			half[i].is_regex = true;
		}
	}
}

// Patterns over the first n_headers.
static struct classify_db *database(const struct classify_pattern *patterns, uint32_t n,
				    uint32_t n_headers)
{
	const struct classify_rules set = {headers, patterns, n_headers, n};
	struct classify_db *db;

	if (classify_db_compile(&db, &set, NULL) != 0 || classify_scratch_make(&scratch, db) != 0)
		abort();
	return db;
}

static hs_database_t *literals(unsigned n)
{
	static const char *at[PATTERNS];
	static unsigned flags[PATTERNS], ids[PATTERNS];
	static size_t lens[PATTERNS];
	hs_compile_error_t *error;
	hs_database_t *db;

	for (unsigned i = 0; i < n; i++) {
		at[i] = text[i];
		lens[i] = names[i].text.len;
		flags[i] = HS_FLAG_CASELESS;
		ids[i] = i;
	}
	if (hs_compile_lit_multi(at, flags, ids, lens, n, HS_MODE_BLOCK, NULL, &db, &error) !=
		    HS_SUCCESS ||
	    hs_alloc_scratch(db, &whole_scratch) != HS_SUCCESS)
		abort();
	return db;
}

static void prepare(void)
{
	sip_mix_make(&mix);
	for (unsigned kind = 0; kind < SIP_MIX_KINDS; kind++)
		for (unsigned i = 0; i < INDEXED; i++) {
			struct sip_msg *m = &indexed[kind][i];
			struct slice first, agent;

			if (sip_msg_parse(m, mix.msg[kind][i]) != 0)
				abort();
			first = slice_of(m->base, m->field[0].name);
			agent = sip_msg_value(m, sip_msg_is_request(m) ? SIP_H_USER_AGENT
								       : SIP_H_SERVER);
			if (first.len + agent.len > LINE_MAX)
				abort();
			memcpy(line[kind][i], first.p, first.len);
			if (agent.len != 0)
				memcpy(line[kind][i] + first.len, agent.p, agent.len);
			line_len[kind][i] = first.len + agent.len;
		}
	make_patterns();
	db_0 = database(NULL, 0, 0);
	names_200 = database(names, 200, 1);
	names_1000 = database(names, PATTERNS, 1);
	rules_200 = database(rules, 200, COUNT_HEADERS);
	rules_1000 = database(rules, PATTERNS, COUNT_HEADERS);
	regex_200 = database(half, 200, COUNT_HEADERS);
	whole_200 = literals(200);
	whole_1000 = literals(PATTERNS);
}

BENCH_MAIN(prepare)
