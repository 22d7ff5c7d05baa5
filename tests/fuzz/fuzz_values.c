// SPDX-License-Identifier: BSD-3-Clause
// Any header value through every parser of values: results lie inside the value, what was read
// survives being written and read again, a URI equals itself, what we write about a message is a
// message.
#include "fuzz.h"

#include <errno.h>

#include "sip/build.h"
#include "sip/dialog_id.h"
#include "sip/digest.h"
#include "sip/list.h"
#include "sip/name_addr.h"
#include "sip/numbers.h"
#include "sip/token.h"
#include "sip/via.h"

static struct slice all;
static uint8_t mem[256 << 10];

static void inside(struct slice s)
{
	FUZZ_ASSERT(s.len == 0 || (s.p >= all.p && s.p + s.len <= all.p + all.len));
}

static void params(struct slice list)
{
	struct sip_param p;

	inside(list);
	for (unsigned n = 0; sip_param_next(&list, &p) == 1; n++) {
		FUZZ_ASSERT(n <= all.len && p.name.len != 0);
		inside(p.name);
		inside(p.value);
		inside(list);
	}
}

// The scheme in the other case: equal by the rules, not by the bytes.
static void other_case(const struct sip_uri *a)
{
	struct outbuf o = outbuf_of(mem, sizeof(mem));
	struct sip_uri b;

	outbuf_put_slice(&o, a->all);
	o.p[0] ^= 0x20;
	FUZZ_ASSERT(sip_uri_parse(&b, outbuf_slice(&o)) == 0);
	for (unsigned n = 0, i = 0; i < a->all.len; i++) {
		n += a->all.p[i] == ';' || a->all.p[i] == '&';
		if (n > 30)
			return;
	}
	FUZZ_ASSERT(sip_uri_equal(a, &b) && sip_uri_equal(&b, a));
}

static void uri(struct slice text)
{
	struct sip_uri a, b;
	struct slice value;
	uint8_t ip[16], family;
	struct outbuf o = outbuf_of(mem, sizeof(mem));

	if (sip_uri_parse(&a, text) != 0)
		return;
	inside(a.user);
	inside(a.password);
	inside(a.host);
	inside(a.params);
	inside(a.headers);
	FUZZ_ASSERT(sip_uri_equal(&a, &a));
	if (a.scheme <= SIP_URI_SIPS)
		other_case(&a);
	FUZZ_ASSERT(sip_uri_host_ip(&a, ip, &family) == 0 || a.host_kind == SIP_HOST_NAME ||
		    a.host_kind == SIP_HOST_NONE);
	if (sip_uri_param(&a, SLICE_LIT("transport"), &value))
		inside(value);
	if (sip_uri_header(&a, SLICE_LIT("replaces"), &value))
		inside(value);
	FUZZ_ASSERT(sip_uri_unescape(&o, a.user));
	sip_build_value(&o, text);
	FUZZ_ASSERT(sip_uri_parse(&b, slice_of(o.p + o.len - text.len, text.len)) == 0 &&
		    sip_uri_equal(&a, &b) && sip_uri_equal(&b, &a));
}

static void escape_round_trip(void)
{
	struct outbuf o = outbuf_of(mem, sizeof(mem)), back;

	sip_uri_escape(&o, all);
	FUZZ_ASSERT(!o.full);
	back = outbuf_of(mem + o.len, sizeof(mem) - o.len);
	FUZZ_ASSERT(sip_uri_unescape(&back, outbuf_slice(&o)) &&
		    slice_eq(outbuf_slice(&back), all));
}

static void quoted_round_trip(void)
{
	struct outbuf o = outbuf_of(mem, sizeof(mem));
	struct slice rest, text;

	sip_build_quoted(&o, all);
	rest = outbuf_slice(&o);
	FUZZ_ASSERT(sip_param_quoted(&rest, &text) && rest.len == 0);
}

static void names(struct slice value)
{
	struct sip_name_addr na;
	struct slice tag;

	if (sip_name_addr_parse(&na, value) != 0)
		return;
	inside(na.display);
	inside(na.uri);
	params(na.params);
	FUZZ_ASSERT(na.is_star == (na.uri.len == 0));
	if (sip_name_addr_tag(&na, &tag) == 0)
		inside(tag);
	uri(na.uri);
}

static void vias(struct slice value)
{
	struct sip_via via;

	if (sip_via_parse(&via, value) != 0)
		return;
	inside(via.host);
	inside(via.branch);
	inside(via.received);
	inside(via.maddr);
	params(via.params);
	FUZZ_ASSERT(via.host.len != 0 && (via.has_rport || via.rport == 0));
}

static void numbers(struct slice value)
{
	struct sip_session_expires se = {.seconds = 77}, again;
	struct sip_delta delta;
	struct sip_rack rack;
	struct sip_cseq cseq;
	uint32_t n = 77;
	uint8_t hops;
	int rc = sip_session_expires_parse(&se, value);

	FUZZ_ASSERT(rc == 0 || rc == -ERANGE || (rc == -EBADMSG && se.seconds == 77));
	if (rc == 0) {
		struct outbuf o = outbuf_of(mem, sizeof(mem));

		params(se.params);
		sip_build_session_expires(&o, se.seconds, se.refresher);
		FUZZ_ASSERT(
			sip_session_expires_parse(&again, slice_of(o.p + 17, o.len - 19)) == 0 &&
			again.seconds == se.seconds &&
			(again.refresher == se.refresher || se.refresher == SIP_REFRESHER_OTHER));
	}
	rc = sip_min_se_parse(&n, value);
	FUZZ_ASSERT(rc != -EBADMSG || n == 77);
	FUZZ_ASSERT(rc != -ERANGE || n == UINT32_MAX);
	if (sip_delta_parse(&delta, value) == 0) {
		inside(delta.comment);
		params(delta.params);
	}
	if (sip_rack_parse(&rack, value) == 0)
		inside(rack.cseq.method_token);
	if (sip_cseq_parse(&cseq, value) == 0)
		FUZZ_ASSERT(cseq.method_token.len != 0 &&
			    (cseq.method == SIP_METHOD_OTHER) ==
				    (sip_method_of(cseq.method_token) == SIP_METHOD_OTHER));
	(void)sip_max_forwards_parse(&hops, value);
	(void)sip_content_length_parse(&n, value);
}

static void dialog_ids(struct slice value)
{
	struct sip_digest_challenge c;
	struct sip_target_dialog target;
	struct sip_replaces replaces;
	struct slice rest = value;
	struct sip_reason reason;
	uint64_t payload;

	if (sip_replaces_parse(&replaces, value) == 0) {
		inside(replaces.call_id);
		inside(replaces.to_tag);
		inside(replaces.from_tag);
		FUZZ_ASSERT(replaces.to_tag.len != 0 && replaces.from_tag.len != 0);
	}
	if (sip_target_dialog_parse(&target, value) == 0)
		inside(target.remote_tag);
	if (sip_reason_parse(&reason, value) == 0)
		inside(reason.text);
	for (unsigned n = 0; rest.len != 0; n++) {
		FUZZ_ASSERT(n <= value.len);
		if (sip_digest_take(&rest, &c) == 0) {
			inside(c.realm);
			inside(c.nonce);
		}
	}
	(void)token_owner_hash(value);
	FUZZ_ASSERT(!token_read(value, (struct siphash_key){1, 2}, TOKEN_TAG, &payload));
}

// A response head for whatever message this is: a message again, with as many Vias and the same
// Call-ID.
static void reply(void)
{
	static const struct flow flow = {.family = 6, .peer_udp = 5062, .peer_ip = {0x20, 1}};
	struct outbuf o = outbuf_of(mem, sizeof(mem));
	struct sip_msg m, r;

	if (sip_msg_parse(&m, all) != 0 || !sip_msg_is_request(&m))
		return;
	sip_build_reply_head(&o, &m, &flow, 481, SLICE_NONE, SLICE_LIT("tag"));
	sip_build_unsupported(&o, &m, SIP_H_REQUIRE);
	sip_build_body(&o, SLICE_NONE, SLICE_NONE);
	FUZZ_ASSERT(!o.full && sip_msg_parse(&r, outbuf_slice(&o)) == 0 && r.status == 481);
	FUZZ_ASSERT(sip_via_count(&r) == sip_via_count(&m));
	FUZZ_ASSERT(sip_msg_value(&r, SIP_H_CALL_ID).len == sip_msg_value(&m, SIP_H_CALL_ID).len);
	FUZZ_ASSERT(sip_build_reply_flow(&m, &flow).peer_udp != 0);
	for (unsigned i = 0; i < m.n_fields; i++) {
		struct slice value = sip_msg_field_value(&m, &m.field[i]), one;

		params(value);
		while (sip_param_next_value(&value, &one)) {
			inside(one);
			names(one);
			vias(one);
		}
	}
	uri(m.uri);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest, value;

	if (size > 8192)
		return 0;
	all = slice_of(data, size);
	params(all);
	names(all);
	vias(all);
	numbers(all);
	dialog_ids(all);
	uri(all);
	escape_round_trip();
	quoted_round_trip();
	reply();
	rest = all;
	for (unsigned n = 0; sip_param_next_value(&rest, &value); n++) {
		FUZZ_ASSERT(n <= size && value.len != 0);
		inside(value);
	}
	return 0;
}
