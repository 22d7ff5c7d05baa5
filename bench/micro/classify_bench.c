// SPDX-License-Identifier: BSD-3-Clause
// What classifying costs for each indexed message: by one scan with 0, 200 and 1,000 operator
// patterns, by the scalar parsers alone (no operator patterns), and Hyperscan's own share of it.
#include "bench.h"

#include "classify/classify.h"
#include "sip_mix.h"

#define BATCH	 (SIP_MIX_KINDS * 64)
#define INDEXED	 64 // messages of each kind: the indexes alone fill more than a cache
#define PATTERNS 1000

static struct sip_mix mix;
static struct sip_msg indexed[SIP_MIX_KINDS][INDEXED];
static struct sip_class out;
static struct classify_db *db_0, *db_200, *db_1000;
static struct classify_scratch *scratch;

static inline const struct sip_msg *mixed(uint64_t i)
{
	return &indexed[i % SIP_MIX_KINDS][i / SIP_MIX_KINDS % INDEXED];
}

BENCH(classify_0, BATCH)
{
	classify_message(db_0, scratch, mixed(i), &out);
	bench_keep(out.kind);
}

BENCH(classify_200, BATCH)
{
	classify_message(db_200, scratch, mixed(i), &out);
	bench_keep(out.kind);
}

BENCH(classify_1000, BATCH)
{
	classify_message(db_1000, scratch, mixed(i), &out);
	bench_keep(out.kind);
}

BENCH(classify_1000_invite, BATCH)
{
	classify_message(db_1000, scratch, &indexed[SIP_MIX_INVITE][i % INDEXED], &out);
	bench_keep(out.kind);
}

BENCH(classify_scalar, BATCH)
{
	classify_message_scalar(mixed(i), &out);
	bench_keep(out.kind);
}

static const struct classify_header headers[] = {{SLICE_NONE, SIP_H_USER_AGENT},
						 {SLICE_NONE, CLASSIFY_REQUEST_URI}};
#define COUNT_HEADERS 2

static void prepare(void)
{
	static char text[PATTERNS][32];
	static struct classify_pattern patterns[PATTERNS];

	sip_mix_make(&mix);
	for (unsigned kind = 0; kind < SIP_MIX_KINDS; kind++)
		for (unsigned i = 0; i < INDEXED; i++)
			if (sip_msg_parse(&indexed[kind][i], mix.msg[kind][i]) != 0)
				abort();
	for (unsigned i = 0; i < PATTERNS; i++) {
		int n = snprintf(text[i], sizeof(text[i]), "%c%cscan-%x", 'a' + i % 26,
				 'a' + i / 26 % 26, i * 2654435761u);

		patterns[i] = (struct classify_pattern){.text = slice_of(text[i], (size_t)n),
							.id = (uint16_t)i,
							.header = (uint8_t)(i % COUNT_HEADERS),
							.any_case = true};
	}
	if (classify_db_compile(&db_0, NULL, NULL) != 0 ||
	    classify_db_compile(&db_200,
				&(struct classify_rules){headers, patterns, COUNT_HEADERS, 200},
				NULL) != 0 ||
	    classify_db_compile(
		    &db_1000, &(struct classify_rules){headers, patterns, COUNT_HEADERS, PATTERNS},
		    NULL) != 0 ||
	    classify_scratch_make(&scratch, db_0) != 0 ||
	    classify_scratch_make(&scratch, db_200) != 0 ||
	    classify_scratch_make(&scratch, db_1000) != 0)
		abort();
}

BENCH_MAIN(prepare)
