// SPDX-License-Identifier: BSD-3-Clause
// What Sofia-SIP and libosip2 need to parse the messages of sip_bench.c, where they are installed.
// A program of its own: Sofia-SIP has symbols with our names.
#include "bench.h"

#include "sip_mix.h"

#if HAVE_SOFIA
#include <sofia-sip/msg.h>
#include <sofia-sip/sip_parser.h>
#endif
#if HAVE_OSIP
#include <osipparser2/osip_message.h>
#include <osipparser2/osip_parser.h>
#endif

static struct sip_mix mix;

#if HAVE_SOFIA || HAVE_OSIP
static inline struct slice mixed(uint64_t i)
{
	uint64_t ahead = i + 6;

	sip_mix_prefetch(mix.msg[ahead % SIP_MIX_KINDS][ahead / SIP_MIX_KINDS % SIP_MIX_VARIANTS]);
	return mix.msg[i % SIP_MIX_KINDS][i / SIP_MIX_KINDS % SIP_MIX_VARIANTS];
}
#endif

#if HAVE_SOFIA
BENCH(sofia_msg_make, SIP_MIX_KINDS * 8)
{
	struct slice s = mixed(i);
	msg_t *m = msg_make(sip_default_mclass(), 0, s.p, s.len);

	bench_keep(m);
	msg_destroy(m);
}
#endif

#if HAVE_OSIP
BENCH(osip_message_parse, SIP_MIX_KINDS * 8)
{
	struct slice s = mixed(i);
	osip_message_t *m;

	if (osip_message_init(&m) == 0) {
		bench_keep(osip_message_parse(m, (const char *)s.p, s.len));
		osip_message_free(m);
	}
}
#endif

static void prepare(void)
{
#if HAVE_OSIP
	parser_init();
#endif
	sip_mix_make(&mix);
}

BENCH_MAIN(prepare)
