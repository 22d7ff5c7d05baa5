// SPDX-License-Identifier: BSD-3-Clause
// The words of SIP: methods, header names, option tags, reason phrases (RFC 3261 s7, s20, s21).
// Any thread. The hash tables are filled by a constructor before main() and are constant
// afterwards.
#include "sip/sip.h"

#include <assert.h>

#include "sip/words.h"

static const struct slice method_tokens[SIP_METHOD_N] = {
#define SIP_METHOD(id, token, service) [SIP_##id] = {(const uint8_t *)(token), sizeof(token) - 1},
#include "sip/sip.def"
};

static const uint8_t method_services[SIP_METHOD_N] = {
	[SIP_METHOD_NONE] = SIP_SERVICE_REFUSE,
#define SIP_METHOD(id, token, service) [SIP_##id] = SIP_SERVICE_##service,
#include "sip/sip.def"
	[SIP_METHOD_OTHER] = SIP_SERVICE_REFUSE,
};

static const struct slice header_names[SIP_H_N] = {
#define SIP_HEADER(id, name, compact, crossing) \
	[SIP_H_##id] = {(const uint8_t *)(name), sizeof(name) - 1},
#include "sip/sip.def"
};

static const char header_compacts[SIP_H_N] = {
#define SIP_HEADER(id, name, compact, crossing) [SIP_H_##id] = (compact),
#include "sip/sip.def"
};

static const uint8_t header_crossings[SIP_H_N] = {
	[SIP_H_OTHER] = SIP_CROSS,
#define SIP_HEADER(id, name, compact, crossing) [SIP_H_##id] = SIP_##crossing,
#include "sip/sip.def"
};

static const struct slice option_tags[SIP_OPT_N] = {
#define SIP_OPTION(id, tag, side) [SIP_OPT_##id] = {(const uint8_t *)(tag), sizeof(tag) - 1},
#include "sip/sip.def"
};

static const uint8_t option_sides[SIP_OPT_N] = {
#define SIP_OPTION(id, tag, side) [SIP_OPT_##id] = SIP_SIDE_##side,
#include "sip/sip.def"
};

#define SIP_HEADER(id, name, compact, crossing)                                    \
	static_assert(sizeof(name) - 1 >= 2 && sizeof(name) - 1 <= WORDS_NAME_MAX, \
		      "a name fits the look-up table");
#include "sip/sip.def"
static_assert(SIP_OPT_N <= 32 && SIP_METHOD_N <= 32, "sets of options and methods are 32 bits");

struct words words;

static uint32_t words_method_slot(struct slice token)
{
	return (token.len * 5u + token.p[0] * 29u) & (WORDS_METHOD_SLOTS - 1);
}

static uint32_t words_option_slot(struct slice tag)
{
	return (tag.len * 7u + (tag.p[0] | 0x20u) * 3 + (tag.p[tag.len - 1] | 0x20u)) &
	       (WORDS_OPTION_SLOTS - 1);
}

static void words_add_header(enum sip_header id)
{
	struct slice name = header_names[id];
	struct words_name *n = &words.name[id];
	uint32_t slot = words_header_slot(name.p, name.len);

	memset(n, 0xff, sizeof(*n));
	for (uint32_t i = 0; i < name.len; i++) {
		n->lower[i] = slice_lower(name.p[i]);
		n->fold[i] = n->lower[i] >= 'a' && n->lower[i] <= 'z' ? 0x20 : 0;
	}
	words.len[id] = (uint8_t)name.len;
	while (words.header[slot] != 0)
		slot = (slot + 1) % WORDS_HEADER_SLOTS;
	words.header[slot] = (uint8_t)id;
	if (header_compacts[id] != 0)
		words.compact[header_compacts[id] & 31] = (uint8_t)id;
}

__attribute__((constructor)) static void words_init(void)
{
	for (enum sip_header id = SIP_H_OTHER + 1; id < SIP_H_N; id++)
		words_add_header(id);
	for (enum sip_method id = SIP_METHOD_NONE + 1; id < SIP_METHOD_OTHER; id++) {
		uint32_t slot = words_method_slot(method_tokens[id]);

		while (words.method[slot] != 0)
			slot = (slot + 1) % WORDS_METHOD_SLOTS;
		words.method[slot] = (uint8_t)id;
	}
	for (unsigned id = 0; id < SIP_OPT_N; id++) {
		uint32_t slot = words_option_slot(option_tags[id]);

		while (words.option[slot] != 0)
			slot = (slot + 1) % WORDS_OPTION_SLOTS;
		words.option[slot] = (uint8_t)(id + 1);
	}
}

struct slice sip_method_token(enum sip_method method)
{
	return method < SIP_METHOD_N ? method_tokens[method] : SLICE_NONE;
}

struct slice sip_header_name(enum sip_header header)
{
	return header < SIP_H_N ? header_names[header] : SLICE_NONE;
}

struct slice sip_option_tag(enum sip_option option)
{
	return option < SIP_OPT_N ? option_tags[option] : SLICE_NONE;
}

enum sip_crossing sip_header_crossing(enum sip_header header)
{
	return header < SIP_H_N ? header_crossings[header] : SIP_CROSS;
}

enum sip_service sip_method_service(enum sip_method method)
{
	return method < SIP_METHOD_N ? method_services[method] : SIP_SERVICE_REFUSE;
}

enum sip_option_side sip_option_side(enum sip_option option)
{
	return option < SIP_OPT_N ? option_sides[option] : SIP_SIDE_CROSS;
}

struct slice sip_reason_phrase(unsigned code)
{
	switch (code) {
#define SIP_REASON(code, phrase) \
	case code:               \
		return SLICE_LIT(phrase);
#include "sip/sip.def"
	default:
		return SLICE_LIT("Unknown");
	}
}

enum sip_method sip_method_of(struct slice token)
{
	uint32_t slot;

	if (token.len == 0)
		return SIP_METHOD_OTHER;
	slot = words_method_slot(token);
	for (; words.method[slot] != 0; slot = (slot + 1) % WORDS_METHOD_SLOTS) {
		struct slice name = method_tokens[words.method[slot]];

		if (name.len == token.len && words_same(name.p, token.p, name.len))
			return words.method[slot];
	}
	return SIP_METHOD_OTHER;
}

enum sip_header sip_header_of(struct slice name)
{
	uint32_t slot;

	if (name.len == 1)
		return slice_lower(name.p[0]) >= 'a' && slice_lower(name.p[0]) <= 'z'
			       ? words.compact[name.p[0] & 31]
			       : SIP_H_OTHER;
	if (name.len == 0 || name.len > WORDS_NAME_MAX)
		return SIP_H_OTHER;
	slot = words_header_slot(name.p, name.len);
	for (; words.header[slot] != 0; slot = (slot + 1) % WORDS_HEADER_SLOTS)
		if (slice_eq_nocase(header_names[words.header[slot]], name))
			return words.header[slot];
	return SIP_H_OTHER;
}

int sip_option_of(struct slice tag)
{
	uint32_t slot;

	if (tag.len == 0)
		return -1;
	slot = words_option_slot(tag);
	for (; words.option[slot] != 0; slot = (slot + 1) % WORDS_OPTION_SLOTS) {
		struct slice name = option_tags[words.option[slot] - 1];

		if (name.len == tag.len &&
		    (words_same(name.p, tag.p, name.len) || slice_eq_nocase(name, tag)))
			return words.option[slot] - 1;
	}
	return -1;
}
