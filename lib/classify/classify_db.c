// SPDX-License-Identifier: BSD-3-Clause
// The Hyperscan database of the classifier: built-in literals of sip.def and patterns.def, and an
// operator's. Control thread, at start and reload: allocates and takes milliseconds.
#include <assert.h>
#include <errno.h>
#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>

#include "classify/classify_hs.h"
#include "classify/digest.h"

// Expressions being collected. Literals may hold any byte and are counted; regular expressions end
// with a zero, and literals among them are written as escapes.
struct expressions {
	char *bytes;
	size_t used, size;
	const char **text;
	unsigned *flags, *ids;
	size_t *lens;
	uint32_t n, room;
	bool regex; // one of them is: all are compiled as such
};

#define REGEX_FLAGS (HS_FLAG_MULTILINE | HS_FLAG_PREFILTER)
#define ESCAPED	    4 // bytes that a byte takes as \xHH

static void expressions_free(struct expressions *x)
{
	free(x->bytes);
	free(x->text);
	free(x->flags);
	free(x->ids);
	free(x->lens);
}

static int expressions_make(struct expressions *x, uint32_t room, size_t bytes, bool regex)
{
	*x = (struct expressions){
		.bytes = calloc(1, bytes),
		.size = bytes,
		.text = calloc(room, sizeof(*x->text)),
		.flags = calloc(room, sizeof(*x->flags)),
		.ids = calloc(room, sizeof(*x->ids)),
		.lens = calloc(room, sizeof(*x->lens)),
		.room = room,
		.regex = regex,
	};
	if (x->bytes != NULL && x->text != NULL && x->flags != NULL && x->ids != NULL &&
	    x->lens != NULL)
		return 0;
	expressions_free(x);
	return -ENOMEM;
}

static void put_byte(struct expressions *x, uint8_t c, bool escape)
{
	static const char digits[] = "0123456789abcdef";

	assert(x->used + ESCAPED < x->size);
	if (!escape) {
		x->bytes[x->used++] = (char)c;
		return;
	}
	x->bytes[x->used++] = '\\';
	x->bytes[x->used++] = 'x';
	x->bytes[x->used++] = digits[c >> 4];
	x->bytes[x->used++] = digits[c & 15];
}

// around: bytes before and after it, 0 = none.
static void add(struct expressions *x, unsigned id, unsigned flags, struct slice text,
		const uint8_t around[2])
{
	bool escape = x->regex && (flags & REGEX_FLAGS) == 0;

	assert(x->n < x->room);
	x->text[x->n] = x->bytes + x->used;
	if (around[0] != 0)
		put_byte(x, around[0], escape);
	for (uint32_t i = 0; i < text.len; i++)
		put_byte(x, text.p[i], escape);
	if (around[1] != 0)
		put_byte(x, around[1], escape);
	x->lens[x->n] = (size_t)(x->bytes + x->used - x->text[x->n]);
	x->bytes[x->used++] = 0;
	x->flags[x->n] = flags;
	x->ids[x->n++] = id;
}

// marker 0: anywhere
static void add_literal(struct expressions *x, unsigned id, bool any_case, uint8_t marker,
			struct slice text)
{
	add(x, id, any_case ? HS_FLAG_CASELESS : 0, text, (const uint8_t[2]){marker, 0});
}

#define N_STATUS	     6
#define AGENT_ANYWHERE(text) +1
#define AGENT_PREFIX(text)   +1
enum {
	N_AGENTS = 0
#include "classify/patterns.def"
};
#define N_BUILT_IN (SIP_METHOD_N + N_STATUS + SIP_OPT_N + N_AGENTS)

static void add_built_in(struct expressions *l)
{
	static const uint8_t statuses[N_STATUS][9] = {"SIP/2.0 1", "SIP/2.0 2", "SIP/2.0 3",
						      "SIP/2.0 4", "SIP/2.0 5", "SIP/2.0 6"};

#define SIP_METHOD(id, token, service)                                          \
	add_literal(l, DIGEST_ID(DIGEST_METHOD, SIP_##id), false, DIGEST_START, \
		    SLICE_LIT(token " "));
#include "sip/sip.def"
	for (unsigned i = 0; i < N_STATUS; i++)
		add_literal(l, DIGEST_ID(DIGEST_STATUS, i + 1), false, DIGEST_START,
			    slice_of(statuses[i], sizeof(statuses[i])));
#define SIP_OPTION(id, tag, side) \
	add_literal(l, DIGEST_ID(DIGEST_OPTION, SIP_OPT_##id), true, 0, SLICE_LIT(tag));
#include "sip/sip.def"
#define AGENT_ANYWHERE(text) add_literal(l, DIGEST_ID(DIGEST_SCANNER, 0), true, 0, SLICE_LIT(text));
#define AGENT_PREFIX(text) \
	add_literal(l, DIGEST_ID(DIGEST_SCANNER, 0), true, DIGEST_AGENT, SLICE_LIT(text));
#include "classify/patterns.def"
}

static void add_rules(struct expressions *x, const struct classify_rules *rules)
{
	for (uint32_t i = 0; i < rules->n_patterns; i++) {
		const struct classify_pattern *p = &rules->patterns[i];
		uint8_t end = !p->is_regex && p->whole ? '\n' : 0;

		add(x, DIGEST_ID(DIGEST_RULE, i),
		    (p->any_case ? HS_FLAG_CASELESS : 0) | (p->is_regex ? REGEX_FLAGS : 0), p->text,
		    (const uint8_t[2]){end, end});
	}
}

static int compile(hs_database_t **hs, const struct expressions *x, uint32_t *bad)
{
	hs_compile_error_t *error = NULL;
	hs_error_t rc = x->regex ? hs_compile_multi(x->text, x->flags, x->ids, x->n, HS_MODE_BLOCK,
						    NULL, hs, &error)
				 : hs_compile_lit_multi(x->text, x->flags, x->ids, x->lens, x->n,
							HS_MODE_BLOCK, NULL, hs, &error);

	if (rc == HS_SUCCESS)
		return 0;
	if (bad != NULL)
		*bad = error != NULL && error->expression >= N_BUILT_IN
			       ? (uint32_t)error->expression - N_BUILT_IN
			       : 0;
	hs_free_compile_error(error);
	return rc == HS_NOMEM ? -ENOMEM : -EINVAL;
}

// What is out of range; *bytes: of all expressions, *regex: there is a regular one.
static int measure(const struct classify_rules *rules, size_t *bytes, bool *regex, uint32_t *bad)
{
	if (rules->n_headers > CLASSIFY_HEADERS || rules->n_patterns > CLASSIFY_PATTERNS)
		return -EINVAL;
	for (uint32_t i = 0; i < rules->n_headers; i++)
		if (rules->headers[i].id > CLASSIFY_REQUEST_URI)
			return -EINVAL;
	for (uint32_t i = 0; i < rules->n_patterns; i++) {
		const struct classify_pattern *p = &rules->patterns[i];

		if (bad != NULL)
			*bad = i;
		if ((p->text.len == 0 && !p->whole) || p->header >= rules->n_headers)
			return -EINVAL;
		*bytes += (size_t)ESCAPED * p->text.len + 16;
		*regex |= p->is_regex;
	}
	return 0;
}

static void set_headers(struct classify_db *db, const struct classify_rules *rules)
{
	memset(db->slot, CLASSIFY_NO_SLOT, sizeof(db->slot));
	db->n_headers = rules->n_headers;
	for (uint32_t i = 0; i < rules->n_headers; i++) {
		db->headers[i] = rules->headers[i];
		if (rules->headers[i].id == SIP_H_OTHER)
			db->by_name = true;
		else
			db->slot[rules->headers[i].id] = (uint8_t)i;
	}
	for (uint32_t i = 0; i < rules->n_patterns; i++)
		db->target[i] =
			(struct classify_target){rules->patterns[i].id, rules->patterns[i].header};
}

int classify_db_compile(struct classify_db **db, const struct classify_rules *rules, uint32_t *bad)
{
	static const struct classify_rules none;
	size_t bytes = (size_t)N_BUILT_IN * 160;
	struct classify_db *made;
	struct expressions x;
	bool regex = false;
	int rc;

	*db = NULL;
	if (rules == NULL)
		rules = &none;
	if (hs_valid_platform() != HS_SUCCESS)
		return -ENOTSUP;
	rc = measure(rules, &bytes, &regex, bad);
	if (rc != 0)
		return rc;
	made = calloc(1, sizeof(*made) + rules->n_patterns * sizeof(made->target[0]));
	if (made == NULL)
		return -ENOMEM;
	rc = expressions_make(&x, N_BUILT_IN + rules->n_patterns, bytes, regex);
	if (rc != 0)
		goto fail;
	set_headers(made, rules);
	add_built_in(&x);
	add_rules(&x, rules);
	rc = compile(&made->hs, &x, bad);
	expressions_free(&x);
	if (rc != 0)
		goto fail;
	made->has_rules = rules->n_patterns != 0;
	*db = made;
	return 0;

fail:
	free(made);
	return rc;
}

int classify_pattern_check(struct slice regex, bool any_case, char *why, size_t room)
{
	char text[1100];
	hs_compile_error_t *error = NULL;
	hs_database_t *hs = NULL;
	hs_error_t rc;

	if (regex.len >= sizeof(text) || slice_find(regex, 0) >= 0) {
		snprintf(why, room, "is too long or holds a zero byte");
		return -EINVAL;
	}
	memcpy(text, regex.p, regex.len);
	text[regex.len] = 0;
	rc = hs_compile(text, REGEX_FLAGS | (any_case ? HS_FLAG_CASELESS : 0), HS_MODE_BLOCK, NULL,
			&hs, &error);
	if (rc == HS_SUCCESS) {
		hs_free_database(hs);
		return 0;
	}
	snprintf(why, room, "%s", error != NULL ? error->message : "cannot be compiled");
	hs_free_compile_error(error);
	if (rc == HS_NOMEM)
		return -ENOMEM;
	return strstr(why, "empty buffer") != NULL ? -ENODATA : -EINVAL;
}

void classify_db_free(struct classify_db *db)
{
	if (db == NULL)
		return;
	hs_free_database(db->hs);
	free(db);
}

int classify_scratch_make(struct classify_scratch **scratch, const struct classify_db *db)
{
	struct classify_scratch *s = *scratch != NULL ? *scratch : calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	if (hs_alloc_scratch(db->hs, &s->hs) != HS_SUCCESS) {
		if (*scratch == NULL)
			free(s);
		return -ENOMEM;
	}
	*scratch = s;
	return 0;
}

void classify_scratch_free(struct classify_scratch *scratch)
{
	if (scratch == NULL)
		return;
	hs_free_scratch(scratch->hs);
	free(scratch);
}
