// SPDX-License-Identifier: BSD-3-Clause
// Classify a message: one block scan of its digest (DESIGN section 7), and the same by the scalar
// parsers. Worker; allocates nothing, keeps nothing.
#include "classify/classify.h"

#include "classify/classify_hs.h"
#include "classify/digest.h"
#include "sip/chars.h"

// The section that offset `at` lies in.
static uint8_t marker_at(const struct digest *d, uint32_t at)
{
	uint32_t i = 0;

	while (i + 1 < d->n_sections && d->section[i].end < at)
		i++;
	return d->section[i].marker;
}

// Bytes [from, to) are an element of a list, alone or with parameters.
static bool is_element(const struct digest *d, uint32_t from, uint32_t to)
{
	while (slice_is_lws(d->bytes[from - 1]))
		from--;
	if (d->bytes[from - 1] != ',' && d->bytes[from - 1] >= DIGEST_MARKERS)
		return false;
	while (slice_is_lws(d->bytes[to]))
		to++;
	return d->bytes[to] == ',' || d->bytes[to] == ';' || d->bytes[to] == 0;
}

static void take_option(struct digest *d, unsigned option, uint32_t to)
{
	uint32_t from = to - sip_option_tag((enum sip_option)option).len;
	uint32_t bit = 1u << option;

	switch (marker_at(d, from)) {
	case DIGEST_SUPPORTED:
		if (is_element(d, from, to))
			d->out->supported |= bit;
		break;
	case DIGEST_REQUIRE:
		if (is_element(d, from, to)) {
			d->out->required |= bit;
			d->known++;
		}
		break;
	case DIGEST_PROXY_REQUIRE:
		if (is_element(d, from, to)) {
			d->out->proxy_required |= bit;
			d->known++;
		}
		break;
	}
}

// An operator's pattern, if it is found in its own header. Many reports, as of [0-9] in every
// number, are not listened to any longer: then whoever asks looks for himself.
static int take_rule(struct digest *d, unsigned n, uint32_t end)
{
	const struct classify_target *target = &d->db->target[n];
	struct sip_class *out = d->out;

	if (marker_at(d, end - 1) != DIGEST_MARKERS + target->slot)
		return 0;
	for (unsigned i = out->n_hits; i > 0; i--)
		if (out->hits[i - 1] == target->id)
			return ++d->matches > DIGEST_RULE_MATCHES;
	if (out->n_hits == CLASSIFY_HITS) {
		out->hits_all = true;
		return ++d->matches > DIGEST_RULE_MATCHES;
	}
	out->hits[out->n_hits++] = target->id;
	return ++d->matches > DIGEST_RULE_MATCHES;
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		    void *ctx)
{
	struct digest *d = ctx;
	unsigned n = id & 0xffff;
	uint32_t end = (uint32_t)to;

	(void)from; // not known: the start of a match is not asked for
	(void)flags;
	switch (id >> 16) {
	case DIGEST_METHOD:
		d->out->method = (uint8_t)n;
		break;
	case DIGEST_STATUS:
		d->out->status_class = (uint8_t)n;
		break;
	case DIGEST_OPTION:
		take_option(d, n, end);
		break;
	case DIGEST_SCANNER:
		d->out->scanner |= marker_at(d, end - 1) == DIGEST_AGENT;
		break;
	case DIGEST_RULE:
		return take_rule(d, n, end);
	}
	return 0;
}

static bool contains(struct slice s, struct slice text, bool prefix)
{
	for (uint32_t i = 0; i + text.len <= s.len && (i == 0 || !prefix); i++)
		if (slice_eq_nocase(slice_of(s.p + i, text.len), text))
			return true;
	return false;
}

static bool is_scanner(struct slice agent)
{
	agent = slice_first(agent, DIGEST_TEXT_MAX);
#define AGENT_ANYWHERE(text)                         \
	if (contains(agent, SLICE_LIT(text), false)) \
		return true;
#define AGENT_PREFIX(text)                          \
	if (contains(agent, SLICE_LIT(text), true)) \
		return true;
#include "classify/patterns.def"
	return false;
}

static bool has_scanner(const struct sip_msg *m)
{
	static const enum sip_header agents[] = {SIP_H_USER_AGENT, SIP_H_SERVER};

	for (unsigned i = 0; i < 2; i++)
		for (const struct sip_field *f = sip_msg_first(m, agents[i]); f != NULL;
		     f = sip_msg_next(m, f))
			if (is_scanner(sip_msg_field_value(m, f)))
				return true;
	return false;
}

void classify_message(const struct classify_db *db, struct classify_scratch *scratch,
		      const struct sip_msg *m, struct sip_class *out)
{
	struct digest d;

	memset(out, 0, offsetof(struct sip_class, hits));
	if (!db->has_rules && digest_is_line_only(m)) {
		// Parsing has read the start line: what a scan would find is known.
		out->method = m->method;
		out->status_class = (uint8_t)(m->status / 100);
		out->exact = true;
		digest_finish(m, scratch, out);
		return;
	}
	out->method = sip_msg_is_request(m) ? SIP_METHOD_OTHER : SIP_METHOD_NONE;
	digest_begin(&d, db, out);
	digest_build(&d, m);
	digest_build_rules(&d, m);
	if (hs_scan(db->hs, (const char *)d.bytes, d.len, 0, scratch->hs, on_match, &d) !=
	    HS_SUCCESS) {
		classify_message_scalar(m, out); // ended early by take_rule()
		out->hits_all = true;
		return;
	}
	out->exact = !d.odd;
	out->unknown_required = d.elements != d.known;
	if (d.odd) {
		digest_lists_scalar(m, out);
		out->scanner |= has_scanner(m);
	}
	digest_finish(m, scratch, out);
}

void classify_rules_only(const struct classify_db *db, struct classify_scratch *scratch,
			 const struct sip_msg *m, struct sip_class *out)
{
	struct digest d;

	out->hits_all = false;
	out->n_hits = 0;
	digest_begin(&d, db, out);
	digest_build_rules(&d, m);
	if (d.len != 0 && hs_scan(db->hs, (const char *)d.bytes, d.len, 0, scratch->hs, on_match,
				  &d) != HS_SUCCESS)
		out->hits_all = true;
}

void classify_message_scalar(const struct sip_msg *m, struct sip_class *out)
{
	memset(out, 0, offsetof(struct sip_class, hits));
	out->method = m->method;
	out->status_class = (uint8_t)(m->status / 100);
	digest_lists_scalar(m, out);
	out->scanner = has_scanner(m);
	digest_finish(m, NULL, out);
}

const char *sip_kind_name(enum sip_kind kind)
{
	static const char *const names[SIP_KIND_N] = {
		[SIP_KIND_OTHER] = "other", [SIP_KIND_REINVITE] = "re-INVITE",
#define SIP_METHOD(id, token, service) [SIP_KIND_##id] = token,
#include "sip/sip.def"
		[SIP_KIND_1XX] = "1xx",	    [SIP_KIND_2XX] = "2xx",
		[SIP_KIND_3XX] = "3xx",	    [SIP_KIND_4XX] = "4xx",
		[SIP_KIND_5XX] = "5xx",	    [SIP_KIND_6XX] = "6xx",
	};

	return kind < SIP_KIND_N ? names[kind] : "?";
}
