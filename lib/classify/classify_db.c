// SPDX-License-Identifier: BSD-3-Clause
// The Hyperscan database of the classifier: built-in literals of sip.def and patterns.def, and an
// operator's. Control thread, at start and reload: allocates and takes milliseconds.
#include <assert.h>
#include <errno.h>
#include <hs/hs.h>
#include <stdlib.h>

#include "classify/classify_hs.h"
#include "classify/digest.h"

#define LITERAL_MAX 264 // bytes of a literal with its marker

// Literals being collected. Expressions may hold any byte but are counted, not ended by a zero.
struct literals {
	uint8_t (*text)[LITERAL_MAX];
	const char **expression;
	unsigned *flags, *ids;
	size_t *lens;
	uint32_t n, room;
};

static void literals_free(struct literals *l)
{
	free(l->text);
	free(l->expression);
	free(l->flags);
	free(l->ids);
	free(l->lens);
}

static int literals_make(struct literals *l, uint32_t room)
{
	*l = (struct literals){
		.text = calloc(room, sizeof(*l->text)),
		.expression = calloc(room, sizeof(*l->expression)),
		.flags = calloc(room, sizeof(*l->flags)),
		.ids = calloc(room, sizeof(*l->ids)),
		.lens = calloc(room, sizeof(*l->lens)),
		.room = room,
	};
	if (l->text != NULL && l->expression != NULL && l->flags != NULL && l->ids != NULL &&
	    l->lens != NULL)
		return 0;
	literals_free(l);
	return -ENOMEM;
}

// marker 0: anywhere
static void literals_add(struct literals *l, unsigned id, bool any_case, uint8_t marker,
			 struct slice text)
{
	uint8_t *to = l->text[l->n];
	size_t len = 0;

	assert(l->n < l->room && text.len < LITERAL_MAX);
	if (marker != 0)
		to[len++] = marker;
	memcpy(to + len, text.p, text.len);
	l->expression[l->n] = (const char *)to;
	l->lens[l->n] = len + text.len;
	l->flags[l->n] = any_case ? HS_FLAG_CASELESS : 0;
	l->ids[l->n++] = id;
}

#define N_STATUS	     6
#define AGENT_ANYWHERE(text) +1
#define AGENT_PREFIX(text)   +1
enum {
	N_AGENTS = 0
#include "classify/patterns.def"
};
#define N_BUILT_IN (SIP_METHOD_N + N_STATUS + SIP_OPT_N + N_AGENTS)

static void add_built_in(struct literals *l)
{
	static const uint8_t statuses[N_STATUS][9] = {"SIP/2.0 1", "SIP/2.0 2", "SIP/2.0 3",
						      "SIP/2.0 4", "SIP/2.0 5", "SIP/2.0 6"};

#define SIP_METHOD(id, token, service)                                           \
	literals_add(l, DIGEST_ID(DIGEST_METHOD, SIP_##id), false, DIGEST_START, \
		     SLICE_LIT(token " "));
#include "sip/sip.def"
	for (unsigned i = 0; i < N_STATUS; i++)
		literals_add(l, DIGEST_ID(DIGEST_STATUS, i + 1), false, DIGEST_START,
			     slice_of(statuses[i], sizeof(statuses[i])));
#define SIP_OPTION(id, tag, side) \
	literals_add(l, DIGEST_ID(DIGEST_OPTION, SIP_OPT_##id), true, 0, SLICE_LIT(tag));
#include "sip/sip.def"
#define AGENT_ANYWHERE(text) \
	literals_add(l, DIGEST_ID(DIGEST_SCANNER, 0), true, 0, SLICE_LIT(text));
#define AGENT_PREFIX(text) \
	literals_add(l, DIGEST_ID(DIGEST_SCANNER, 0), true, DIGEST_AGENT, SLICE_LIT(text));
#include "classify/patterns.def"
}

static int compile(hs_database_t **hs, const struct literals *l)
{
	hs_compile_error_t *error = NULL;
	hs_error_t rc = hs_compile_lit_multi(l->expression, l->flags, l->ids, l->lens, l->n,
					     HS_MODE_BLOCK, NULL, hs, &error);

	if (rc == HS_SUCCESS)
		return 0;
	hs_free_compile_error(error);
	return rc == HS_NOMEM ? -ENOMEM : -EINVAL;
}

int classify_db_compile(struct classify_db **db, const struct classify_pattern *patterns,
			uint32_t n)
{
	struct classify_db *made;
	struct literals l;
	int rc;

	*db = NULL;
	if (hs_valid_platform() != HS_SUCCESS)
		return -ENOTSUP;
	for (uint32_t i = 0; i < n; i++)
		if (patterns[i].text.len == 0 || patterns[i].text.len > DIGEST_TEXT_MAX ||
		    patterns[i].id >= CLASSIFY_RULES || patterns[i].field >= CLASSIFY_FIELD_N)
			return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return -ENOMEM;
	rc = literals_make(&l, N_BUILT_IN + n);
	if (rc != 0)
		goto fail_literals;
	add_built_in(&l);
	for (uint32_t i = 0; i < n; i++)
		literals_add(&l, DIGEST_ID(DIGEST_RULE + patterns[i].field, patterns[i].id), true,
			     0, patterns[i].text);
	rc = compile(&made->hs, &l);
	literals_free(&l);
	if (rc != 0)
		goto fail_literals;
	*db = made;
	return 0;

fail_literals:
	free(made);
	return rc;
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
