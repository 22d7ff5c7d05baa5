// SPDX-License-Identifier: BSD-3-Clause
// Build the digest of a message (see digest.h), and all that is known about a message without a
// scan. Pure; any thread. Allocates nothing; what does not fit is left out and said so.
#include "classify/digest.h"

#include "classify/classify_hs.h"
#include "sip/chars.h"
#include "sip/list.h"
#include "sip/name_addr.h"

static void section_begin(struct digest *d, enum digest_marker marker)
{
	d->section[d->n_sections].marker = (uint8_t)marker;
	d->bytes[d->len++] = (uint8_t)marker;
}

static void section_end(struct digest *d)
{
	d->section[d->n_sections++].end = (uint16_t)d->len;
	d->bytes[d->len++] = 0;
}

// Is there a section to be had, and room for its two marks and n bytes?
static bool section_fits(const struct digest *d, uint32_t n)
{
	return d->n_sections < DIGEST_SECTIONS && n + 2 <= DIGEST_MAX - d->len;
}

#define ONES 0x0101010101010101u

// Is there a byte below `least` among the eight? (Mycroft; least is at most 128.)
static bool has_less(uint64_t eight, uint8_t least)
{
	return ((eight - ONES * least) & ~eight & ONES * 0x80) != 0;
}

static bool has_byte(uint64_t eight, uint8_t c)
{
	return has_less(eight ^ ONES * c, 1);
}

// Append s; bytes that could be taken for markers as question marks. Eight at a time.
static void put_text(struct digest *d, struct slice s)
{
	uint8_t *to = d->bytes + d->len;
	uint64_t eight;
	uint32_t i = 0;

	for (; i + 8 <= s.len; i += 8) {
		memcpy(&eight, s.p + i, 8);
		if (has_less(eight, DIGEST_MARKERS))
			break;
		memcpy(to + i, &eight, 8);
	}
	for (; i < s.len; i++)
		to[i] = s.p[i] < DIGEST_MARKERS ? '?' : s.p[i];
	d->len += s.len;
}

static void put_start_line(struct digest *d, const struct sip_msg *m)
{
	static const struct slice version = SLICE_LIT("SIP/2.0 ");
	uint8_t code[4] = {(uint8_t)('0' + m->status / 100), (uint8_t)('0' + m->status / 10 % 10),
			   (uint8_t)('0' + m->status % 10), ' '};

	section_begin(d, DIGEST_START);
	if (sip_msg_is_request(m)) {
		struct slice method = slice_first(m->method_token, DIGEST_TEXT_MAX / 4);

		put_text(d, method);
		d->bytes[d->len++] = ' ';
		put_text(d, slice_first(m->uri, DIGEST_TEXT_MAX - method.len));
	} else {
		put_text(d, version);
		put_text(d, slice_of(code, sizeof(code)));
		put_text(d, slice_first(m->reason, DIGEST_TEXT_MAX / 2));
	}
	section_end(d);
}

static void put_agents(struct digest *d, const struct sip_msg *m, enum sip_header id)
{
	for (const struct sip_field *f = sip_msg_first(m, id); f != NULL; f = sip_msg_next(m, f)) {
		struct slice value = slice_first(sip_msg_field_value(m, f), DIGEST_TEXT_MAX);

		if (!section_fits(d, value.len)) {
			d->odd = true;
			return;
		}
		section_begin(d, DIGEST_AGENT);
		put_text(d, value);
		section_end(d);
	}
}

// Quotes and brackets may hide commas: not for us.
static bool is_plain(struct slice list)
{
	uint64_t eight;
	uint32_t i = 0;

	for (; i + 8 <= list.len; i += 8) {
		memcpy(&eight, list.p + i, 8);
		if (has_byte(eight, '"') || has_byte(eight, '<'))
			return false;
	}
	for (; i < list.len; i++)
		if (list.p[i] == '"' || list.p[i] == '<')
			return false;
	return true;
}

static uint32_t count_elements(struct slice list)
{
	bool inside = false;
	uint32_t n = 0;

	for (uint32_t i = 0; i < list.len; i++) {
		if (list.p[i] == ',') {
			inside = false;
		} else if (!inside && !slice_is_lws(list.p[i])) {
			inside = true;
			n++;
		}
	}
	return n;
}

static void put_lists(struct digest *d, const struct sip_msg *m, enum sip_header id,
		      enum digest_marker marker)
{
	for (const struct sip_field *f = sip_msg_first(m, id); f != NULL; f = sip_msg_next(m, f)) {
		struct slice value = sip_msg_field_value(m, f);

		if (!section_fits(d, value.len)) {
			d->odd = true;
			return;
		}
		section_begin(d, marker);
		put_text(d, value);
		d->odd |= !is_plain(value);
		if (marker != DIGEST_SUPPORTED)
			d->elements += count_elements(value);
		section_end(d);
	}
}

void digest_begin(struct digest *d, const struct classify_db *db, struct sip_class *out)
{
	d->len = d->n_sections = d->elements = d->known = d->matches = 0;
	d->odd = false;
	d->db = db;
	d->out = out;
}

bool digest_is_line_only(const struct sip_msg *m)
{
	return !sip_msg_has(m, SIP_H_SUPPORTED) && !sip_msg_has(m, SIP_H_REQUIRE) &&
	       !sip_msg_has(m, SIP_H_PROXY_REQUIRE) && !sip_msg_has(m, SIP_H_USER_AGENT) &&
	       !sip_msg_has(m, SIP_H_SERVER);
}

void digest_build(struct digest *d, const struct sip_msg *m)
{
	put_start_line(d, m);
	put_lists(d, m, SIP_H_SUPPORTED, DIGEST_SUPPORTED);
	put_lists(d, m, SIP_H_REQUIRE, DIGEST_REQUIRE);
	put_lists(d, m, SIP_H_PROXY_REQUIRE, DIGEST_PROXY_REQUIRE);
	put_agents(d, m, SIP_H_USER_AGENT);
	put_agents(d, m, SIP_H_SERVER);
}

// Append s with folds as spaces. Most values have none, nor a byte that could be taken for a
// marker.
static void put_value(struct digest *d, struct slice s)
{
	uint8_t *to = d->bytes + d->len;
	uint32_t i = 0, n;

	for (uint64_t eight; i + 8 <= s.len; i += 8) {
		memcpy(&eight, s.p + i, 8);
		if (has_less(eight, ' '))
			break;
		memcpy(to + i, &eight, 8);
	}
	for (; i < s.len && s.p[i] >= ' '; i++)
		to[i] = s.p[i];
	n = i == s.len ? i : sip_chars_unfold(to, s);
	for (uint32_t k = i == s.len ? n : 0; k < n; k++)
		if (to[k] < DIGEST_MARKERS) { // patterns do not see it
			to[k] = '?';
			d->out->hits_all = true;
		}
	d->len += n;
}

static void put_rule_value(struct digest *d, unsigned slot, struct slice value)
{
	uint32_t at = d->n_sections;

	if (at == DIGEST_SECTIONS_ALL || value.len + 2 > DIGEST_ALL - d->len) {
		d->out->hits_all = true;
		return;
	}
	d->bytes[d->len++] = '\n';
	put_value(d, value);
	d->section[at].marker = (uint8_t)(DIGEST_MARKERS + slot);
	d->section[at].end = (uint16_t)d->len;
	d->bytes[d->len++] = '\n';
	d->n_sections++;
}

static unsigned slot_of_name(const struct classify_db *db, struct slice name)
{
	for (unsigned i = 0; i < db->n_headers; i++)
		if (db->headers[i].id == SIP_H_OTHER && slice_eq_nocase(name, db->headers[i].name))
			return i;
	return CLASSIFY_NO_SLOT;
}

void digest_build_rules(struct digest *d, const struct sip_msg *m)
{
	const struct classify_db *db = d->db;

	if (db->n_headers == 0)
		return;
	if (db->slot[CLASSIFY_REQUEST_URI] != CLASSIFY_NO_SLOT && sip_msg_is_request(m))
		put_rule_value(d, db->slot[CLASSIFY_REQUEST_URI], m->uri);
	for (unsigned i = 0; i < m->n_fields; i++) {
		const struct sip_field *f = &m->field[i];
		unsigned slot = db->slot[f->id];

		if (f->id == SIP_H_OTHER)
			slot = db->by_name ? slot_of_name(db, sip_msg_field_name(m, f))
					   : CLASSIFY_NO_SLOT;
		if (slot != CLASSIFY_NO_SLOT)
			put_rule_value(d, slot, sip_msg_field_value(m, f));
	}
}

void digest_lists_scalar(const struct sip_msg *m, struct sip_class *out)
{
	struct sip_options require = sip_list_options(m, SIP_H_REQUIRE);
	struct sip_options proxy = sip_list_options(m, SIP_H_PROXY_REQUIRE);

	out->supported = sip_list_options(m, SIP_H_SUPPORTED).bits;
	out->required = require.bits;
	out->proxy_required = proxy.bits;
	out->unknown_required = require.unknown != 0 || proxy.unknown != 0;
}

static bool has_to_tag(const struct sip_msg *m)
{
	const struct sip_field *f = sip_msg_first(m, SIP_H_TO);
	struct slice tag;

	return f != NULL && f->next == SIP_FIELD_NONE &&
	       sip_name_addr_value_tag(sip_msg_field_value(m, f), &tag) == 0 && tag.len != 0;
}

// The methods of Allow, from what a message before it said where that was the same.
static uint32_t read_allow(const struct sip_msg *m, struct classify_scratch *scratch)
{
	const struct sip_field *f = sip_msg_first(m, SIP_H_ALLOW);
	struct slice value = sip_msg_field_value(m, f);
	struct classify_list *known;
	uint16_t last;

	if (scratch == NULL || f->next != SIP_FIELD_NONE || value.len < sizeof(last) ||
	    value.len > CLASSIFY_LIST_TEXT)
		return sip_list_methods(m, SIP_H_ALLOW);
	memcpy(&last, value.p + value.len - sizeof(last), sizeof(last));
	known = &scratch->allow[(value.len + last + (last >> 8)) % CLASSIFY_LISTS];
	if (slice_eq(slice_of(known->text, known->len), value))
		return known->methods;
	known->methods = sip_list_methods(m, SIP_H_ALLOW);
	known->len = value.len;
	memcpy(known->text, value.p, value.len);
	return known->methods;
}

void digest_finish(const struct sip_msg *m, struct classify_scratch *scratch, struct sip_class *out)
{
	static const uint8_t kinds[SIP_METHOD_N] = {
		[SIP_METHOD_NONE] = SIP_KIND_OTHER,
#define SIP_METHOD(id, token, service) [SIP_##id] = SIP_KIND_##id,
#include "sip/sip.def"
		[SIP_METHOD_OTHER] = SIP_KIND_OTHER,
	};

	out->has_allow = sip_msg_has(m, SIP_H_ALLOW);
	out->allow = out->has_allow ? read_allow(m, scratch) : 0;
	if (out->status_class != 0)
		out->kind = (uint8_t)(SIP_KIND_1XX + out->status_class - 1);
	else if (out->method == SIP_INVITE && has_to_tag(m))
		out->kind = SIP_KIND_REINVITE;
	else
		out->kind = kinds[out->method];
}
