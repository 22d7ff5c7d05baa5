// SPDX-License-Identifier: BSD-3-Clause
// Message rules alone: random rules on a random message. Whatever they do, what is left is a
// message, within its limits, with everything in it that rules may not touch; the scan of the
// classifier, the one of rules alone and no scan at all say the same; counters say what happened.
// Input: a byte with the length of what rules are made of, that (what --check refuses is left out),
// two bytes of what is known beside the message, the message.
#include "fuzz.h"

#include <string.h>

#include "config/config_load.h"
#include "rules_draw.h"
#include "rules_judge.h"
#include "sip/numbers.h"

#define HEAD                                                                                 \
	"Via: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP 192.0.2.4\r\n"       \
	"Max-Forwards: 70\r\nFrom: \"A\" <sip:a@x;user=phone>;tag=1;x=y\r\nCall-ID: c@x\r\n" \
	"Contact: <sip:a@192.0.2.3>;a=b\r\nAllow: INVITE, ACK, BYE, UPDATE\r\nX-A: aaa\r\n"  \
	"Supported: timer, replaces\r\nX-B: 12;a\r\nX-A: <sip:x@y>\r\nSubject: aaaab\r\n"
#define NO_BODY "Content-Length: 0\r\n\r\n"
#define BODY                                                         \
	"Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\n" \
	"v=0\r\n"

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
	static struct rules_outcome scanned, alone, all;
	static struct sip_msg m;
	struct rules_facts facts;
	struct sip_class class;

	if (sip_msg_parse(&m, text) != 0)
		return;
	read_facts(&facts, &m, bits, trunks);
	classify_message(rules_patterns(p), rules_scratch(p, 0), &m, &class);
	facts.class = &class;
	rules_judge_apply(&scanned, p, &facts);
	rules_judge_verdict(&scanned, &facts);
	if (scanned.result.changed)
		rules_judge_message(&m, &scanned, &facts);
	facts.class = NULL;
	rules_judge_apply(&alone, p, &facts);
	rules_judge_same(&scanned, &alone);
	class.hits_all = true;
	facts.class = &class;
	rules_judge_apply(&all, p, &facts);
	rules_judge_same(&scanned, &all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[4096];
	struct rules_input in = {data, data + size};
	struct rules_program *p;
	uint8_t bits, trunks;
	bool is_new;

	if (size > sizeof(copy))
		return 0;
	memcpy(copy, data, size);
	p = rules_draw(&in, &is_new)->program;
	bits = rules_input_next(&in);
	trunks = rules_input_next(&in);
	check(p, slice_of(in.at, (size_t)(in.end - in.at)), bits, trunks);
	for (unsigned i = 0; is_new && i < sizeof(panel) / sizeof(panel[0]); i++) {
		check(p, slice_of_str(panel[i]), bits, trunks);
		check(p, slice_of_str(panel[i]), bits ^ 2, trunks);
	}
	FUZZ_ASSERT(memcmp(copy, data, size) == 0);
	return 0;
}
