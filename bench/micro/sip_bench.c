// SPDX-License-Identifier: BSD-3-Clause
// What reading and writing SIP costs: the header index by each scanner, index and typed values,
// tokens, a response head; beside them Sofia-SIP and libosip2 on the same messages, where
// installed.
#include "bench.h"

#include "sip/build.h"
#include "sip/list.h"
#include "sip/message.h"
#include "sip/name_addr.h"
#include "sip/numbers.h"
#include "sip/token.h"
#include "sip/via.h"
#include "sip_mix.h"

#define BATCH (SIP_MIX_KINDS * 64)

static struct sip_mix mix;
static struct sip_msg msg;

// Kinds in turn, so that the predictors do not see one kind alone; prefetched, as in a worker's
// burst.
static inline struct slice mixed(uint64_t i)
{
	uint64_t ahead = i + 6;

	sip_mix_prefetch(mix.msg[ahead % SIP_MIX_KINDS][ahead / SIP_MIX_KINDS % SIP_MIX_VARIANTS]);
	return mix.msg[i % SIP_MIX_KINDS][i / SIP_MIX_KINDS % SIP_MIX_VARIANTS];
}

// The values that a B2BUA reads from a message.
static inline uint32_t typed_values(const struct sip_msg *m)
{
	struct sip_name_addr from, to, contact;
	struct sip_session_expires se = {0};
	struct slice from_tag = SLICE_NONE, to_tag = SLICE_NONE;
	struct sip_cseq cseq = {0};
	struct sip_uri uri = {0};
	struct sip_via via = {0};
	uint32_t min_se = 0;

	if (sip_name_addr_of(m, SIP_H_FROM, &from) == 0)
		(void)sip_name_addr_tag(&from, &from_tag);
	if (sip_name_addr_of(m, SIP_H_TO, &to) == 0)
		(void)sip_name_addr_tag(&to, &to_tag);
	(void)sip_via_top(m, &via);
	(void)sip_cseq_of(m, &cseq);
	if (sip_msg_has(m, SIP_H_CONTACT))
		(void)sip_name_addr_uri_of(m, SIP_H_CONTACT, &contact, &uri);
	(void)sip_session_expires_of(m, &se);
	(void)sip_min_se_of(m, &min_se);
	return from_tag.len + to_tag.len + via.branch.len + cseq.number + uri.host.len +
	       se.seconds + min_se + sip_list_options(m, SIP_H_SUPPORTED).bits +
	       sip_list_options(m, SIP_H_REQUIRE).bits + sip_msg_value(m, SIP_H_CALL_ID).len +
	       m->body.len;
}

BENCH(sip_msg_parse, BATCH)
{
	bench_keep(sip_msg_parse(&msg, mixed(i)));
}

BENCH(sip_msg_parse_sse, BATCH)
{
	bench_keep(sip_msg_parse_sse(&msg, mixed(i)));
}

BENCH(sip_msg_parse_scalar, BATCH)
{
	bench_keep(sip_msg_parse_scalar(&msg, mixed(i)));
}

BENCH(sip_msg_parse_and_values, BATCH)
{
	bench_keep(sip_msg_parse(&msg, mixed(i)));
	bench_keep(typed_values(&msg));
}

static const struct siphash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
static uint8_t out[SIP_MIX_ROOM];

BENCH(token_put, 256)
{
	struct outbuf o = outbuf_of(out, sizeof(out));

	token_put(&o, key, TOKEN_TAG, i);
	bench_keep(o.len);
}

static uint8_t tag_text[TOKEN_LEN];

BENCH(token_read, 256)
{
	uint64_t payload;

	bench_keep(token_read(slice_of(tag_text, TOKEN_LEN), key, TOKEN_TAG, &payload));
	bench_keep(i);
}

BENCH(token_owner_hash, 256)
{
	bench_keep(token_owner_hash(slice_of(mix.msg[0][i % SIP_MIX_VARIANTS].p + 40, 32)));
}

static struct sip_msg invites[SIP_MIX_VARIANTS];
static const struct flow flow = {
	.family = 4,
	.local_udp = 5060,
	.peer_udp = 5062,
	.local_ip = {10, 91, 0, 1},
	.peer_ip = {10, 91, 1, 2},
};

BENCH(sip_build_reply_head, 256)
{
	struct outbuf o = outbuf_of(out, sizeof(out));

	sip_build_reply_head(&o, &invites[i % SIP_MIX_VARIANTS], &flow, 180, SLICE_NONE,
			     slice_of(tag_text, TOKEN_LEN));
	sip_build_body(&o, SLICE_NONE, SLICE_NONE);
	bench_keep(o.len);
}

static void prepare(void)
{
	struct outbuf o = outbuf_of(tag_text, sizeof(tag_text));

	sip_mix_make(&mix);
	token_put(&o, key, TOKEN_TAG, 0x1234567890);
	for (unsigned kind = 0; kind < SIP_MIX_KINDS; kind++)
		for (unsigned i = 0; i < SIP_MIX_VARIANTS; i++)
			if (sip_msg_parse(&msg, mix.msg[kind][i]) != 0)
				abort();
	for (unsigned i = 0; i < SIP_MIX_VARIANTS; i++)
		if (sip_msg_parse(&invites[i], mix.msg[SIP_MIX_INVITE][i]) != 0)
			abort();
}

BENCH_MAIN(prepare)
