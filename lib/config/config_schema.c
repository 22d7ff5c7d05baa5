// SPDX-License-Identifier: BSD-3-Clause
// keys.def and choices.def as tables, spelling help, and the memory of a snapshot.
// Control thread; allocates.
#include "config/config_schema.h"

#include <errno.h>
#include <stdlib.h>

#define CHOICE_ROW(set, id, word, help) {word, help},
#define CHOICE_TABLE(set) \
	static const struct config_choice choices_##set[] = {CONFIG_CHOICES_##set(CHOICE_ROW)};
CONFIG_CHOICE_SETS(CHOICE_TABLE)

// Each TYPE of keys.def as the part of a row that depends on it.
#define T_U32	   .type = CONFIG_T_U32
#define T_SECONDS  .type = CONFIG_T_SECONDS
#define T_MS	   .type = CONFIG_T_MS
#define T_FRACTION .type = CONFIG_T_FRACTION
#define T_BOOL	   .type = CONFIG_T_BOOL
#define T_STR	   .type = CONFIG_T_STR
#define T_SECRET   .type = CONFIG_T_SECRET
#define T_ENUM(set)                                      \
	.type = CONFIG_T_ENUM, .choices = choices_##set, \
	.n_choices = sizeof(choices_##set) / sizeof(choices_##set[0])
#define T_SECTION(sec) .type = CONFIG_T_SECTION, .section = &config_schema_##sec
#define T_LISTEN       .type = CONFIG_T_LISTEN
#define T_PORT	       .type = CONFIG_T_PORT
#define T_PROFILE      .type = CONFIG_T_PROFILE
#define T_FROM	       .type = CONFIG_T_FROM
#define T_CPUS	       .type = CONFIG_T_CPUS
#define T_NETS	       .type = CONFIG_T_NETS
#define T_PREFIXES     .type = CONFIG_T_PREFIXES
#define T_IPS	       .type = CONFIG_T_IPS
#define T_ENDPOINTS    .type = CONFIG_T_ENDPOINTS
#define T_STRINGS      .type = CONFIG_T_STRINGS
#define T_STRINGS_OF(set)                                   \
	.type = CONFIG_T_STRINGS, .choices = choices_##set, \
	.n_choices = sizeof(choices_##set) / sizeof(choices_##set[0])
#define T_TRUNKS .type = CONFIG_T_TRUNKS

#define LIVE	true
#define RESTART false

#define ROW(in, field, key, what, default_text, lo, hi, of, reload, text) \
	{.name = (key),                                                   \
	 T_##what,                                                        \
	 .offset = offsetof(struct in, field),                            \
	 .def = (default_text),                                           \
	 .min = (lo),                                                     \
	 .max = (hi),                                                     \
	 .unit = (of),                                                    \
	 .live = (reload),                                                \
	 .help = (text)},

#define DEFINE_SECTION(sec)                                 \
	const struct config_section config_schema_##sec = { \
		#sec, keys_##sec, sizeof(keys_##sec) / sizeof(keys_##sec[0])}

#define KEY_CAPACITY(...) ROW(config_capacity, __VA_ARGS__)
static const struct config_key keys_capacity[] = {
#include "config/keys.def"
};
DEFINE_SECTION(capacity);

#define KEY_RULES(...) ROW(config_rules, __VA_ARGS__)
static const struct config_key keys_rules[] = {
#include "config/keys.def"
};
DEFINE_SECTION(rules);

#define KEY_LIMITS(...) ROW(config_limits, __VA_ARGS__)
static const struct config_key keys_limits[] = {
#include "config/keys.def"
};
DEFINE_SECTION(limits);

#define KEY_CREDENTIALS(...) ROW(config_credentials, __VA_ARGS__)
static const struct config_key keys_credentials[] = {
#include "config/keys.def"
};
DEFINE_SECTION(credentials);

#define KEY_TIMER(...) ROW(config_timer, __VA_ARGS__)
static const struct config_key keys_timer[] = {
#include "config/keys.def"
};
DEFINE_SECTION(timer);

#define KEY_SYSTEM(...) ROW(config_system, __VA_ARGS__)
static const struct config_key keys_system[] = {
#include "config/keys.def"
};
DEFINE_SECTION(system);

#define KEY_PORT(...) ROW(config_port, __VA_ARGS__)
static const struct config_key keys_port[] = {
#include "config/keys.def"
};
DEFINE_SECTION(port);

#define KEY_PROFILE(...) ROW(config_profile, __VA_ARGS__)
static const struct config_key keys_profile[] = {
#include "config/keys.def"
};
DEFINE_SECTION(profile);

#define KEY_TRUNK(...) ROW(config_trunk, __VA_ARGS__)
static const struct config_key keys_trunk[] = {
#include "config/keys.def"
};
DEFINE_SECTION(trunk);

#define KEY_ROUTE(...) ROW(config_route, __VA_ARGS__)
static const struct config_key keys_route[] = {
#include "config/keys.def"
};
DEFINE_SECTION(route);

#define KEY_TRANSACTION(...) ROW(config_transaction, __VA_ARGS__)
static const struct config_key keys_transaction[] = {
#include "config/keys.def"
};
DEFINE_SECTION(transaction);

#define KEY_CDR(...) ROW(config_cdr, __VA_ARGS__)
static const struct config_key keys_cdr[] = {
#include "config/keys.def"
};
DEFINE_SECTION(cdr);

#define KEY_METRICS(...) ROW(config_metrics, __VA_ARGS__)
static const struct config_key keys_metrics[] = {
#include "config/keys.def"
};
DEFINE_SECTION(metrics);

#define KEY_TRACE(...) ROW(config_trace, __VA_ARGS__)
static const struct config_key keys_trace[] = {
#include "config/keys.def"
};
DEFINE_SECTION(trace);

#define KEY_HEP(...) ROW(config_hep, __VA_ARGS__)
static const struct config_key keys_hep[] = {
#include "config/keys.def"
};
DEFINE_SECTION(hep);

#define KEY_EVIDENCE(...) ROW(config_evidence, __VA_ARGS__)
static const struct config_key keys_evidence[] = {
#include "config/keys.def"
};
DEFINE_SECTION(evidence);

#define KEY_LOG(...) ROW(config_log, __VA_ARGS__)
static const struct config_key keys_log[] = {
#include "config/keys.def"
};
DEFINE_SECTION(log);

#define ONE(name, sec, field, help)                                                          \
	{                                                                                    \
		name, &config_schema_##sec, CONFIG_ONE, offsetof(struct config, field), help \
	}
const struct config_top_row config_schema_top[CONFIG_TOP_N] = {
	[CONFIG_TOP_SYSTEM] = ONE("system", system, system, "The process and its memory."),
	[CONFIG_TOP_PORTS] = {"ports", &config_schema_port, CONFIG_NAMED, 0,
			      "Network ports by name."},
	[CONFIG_TOP_PROFILES] = {"profiles", &config_schema_profile, CONFIG_NAMED, 0,
				 "Ways of treating calls, by name; trunks refer to them."},
	[CONFIG_TOP_TRUNKS] = {"trunks", &config_schema_trunk, CONFIG_NAMED, 0,
			       "Peers that calls come from and go to, by name."},
	[CONFIG_TOP_ROUTES] = {"routes", &config_schema_route, CONFIG_LIST, 0, "Where calls go."},
	[CONFIG_TOP_RULES] = {"rules", NULL, CONFIG_LIST, 0,
			      "Message rules: named sets, which trunks and profiles list under "
			      "rules.in and rules.out."},
	[CONFIG_TOP_TIMERS] =
		ONE("timers", transaction, timers, "Timers of SIP transactions (RFC 3261 s17)."),
	[CONFIG_TOP_CDR] = ONE("cdr", cdr, cdr, "Call detail records."),
	[CONFIG_TOP_METRICS] = ONE("metrics", metrics, metrics, "Metrics for Prometheus."),
	[CONFIG_TOP_TRACE] = ONE("trace", trace, trace, "Traces of messages."),
	[CONFIG_TOP_HEP] = ONE("hep", hep, hep, "Copies of messages for a Homer collector."),
	[CONFIG_TOP_EVIDENCE] =
		ONE("evidence", evidence, evidence, "Last messages of dropped calls."),
	[CONFIG_TOP_LOG] = ONE("log", log, log, "Log lines."),
};

const struct config_key *config_schema_find(const struct config_section *s, struct slice name)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (slice_eq(name, slice_of_str(s->keys[i].name)))
			return &s->keys[i];
	return NULL;
}

static uint32_t least(uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t m = a < b ? a : b;

	return m < c ? m : c;
}

// Optimal string alignment: insert, delete, change, swap of neighbours (case does not count).
uint32_t config_schema_distance(struct slice a, const char *text)
{
	enum { MAX = 32 };
	struct slice b = slice_of_str(text);
	uint32_t row[3][MAX + 1];

	if (a.len > MAX || b.len > MAX)
		return UINT32_MAX;
	for (uint32_t j = 0; j <= b.len; j++)
		row[0][j] = j;
	for (uint32_t i = 1; i <= a.len; i++) {
		uint32_t *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

		now[0] = i;
		for (uint32_t j = 1; j <= b.len; j++) {
			bool same = slice_lower(a.p[i - 1]) == slice_lower(b.p[j - 1]);

			now[j] = least(up[j] + 1, now[j - 1] + 1, up[j - 1] + (same ? 0 : 1));
			if (i > 1 && j > 1 && slice_lower(a.p[i - 1]) == slice_lower(b.p[j - 2]) &&
			    slice_lower(a.p[i - 2]) == slice_lower(b.p[j - 1]))
				now[j] = least(now[j], up2[j - 2] + 1, now[j]);
		}
	}

	uint32_t edits = row[a.len % 3][b.len];

	return edits <= 1 + b.len / 4 && edits < b.len ? edits : UINT32_MAX;
}

const char *config_schema_nearest(const struct config_section *s, struct slice name)
{
	const char *best = NULL;
	uint32_t best_edits = UINT32_MAX;

	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t edits = config_schema_distance(name, s->keys[i].name);

		if (edits < best_edits) {
			best = s->keys[i].name;
			best_edits = edits;
		}
	}
	return best;
}

bool config_schema_is_list(enum config_type type)
{
	return type >= CONFIG_T_CPUS;
}

uint32_t config_schema_element(enum config_type type)
{
	switch (type) {
	case CONFIG_T_CPUS:
	case CONFIG_T_TRUNKS:
		return sizeof(uint16_t);
	case CONFIG_T_NETS:
	case CONFIG_T_PREFIXES:
		return sizeof(struct config_net);
	case CONFIG_T_IPS:
		return sizeof(struct config_ip);
	case CONFIG_T_ENDPOINTS:
		return sizeof(struct config_endpoint);
	case CONFIG_T_STRINGS:
		return sizeof(const char *);
	CONFIG_CASES_OF_ONE_VALUE:
		break;
	}
	return 0;
}

void *config_schema_alloc(struct config_text *t, size_t size)
{
	struct config_block *b = t->blocks;

	size = (size + 15) & ~(size_t)15;
	if (b == NULL || b->size - b->used < size) {
		size_t room = size > 32768 ? size : 65536;

		b = calloc(1, sizeof(*b) + room + 16);
		if (b == NULL)
			return NULL;
		b->size = room;
		b->next = t->blocks;
		t->blocks = b;
	}

	uint8_t *p = (uint8_t *)b + ((sizeof(*b) + 15) & ~(size_t)15) + b->used;

	b->used += size;
	return p;
}

const char *config_schema_strdup(struct config_text *t, struct slice s)
{
	char *p = config_schema_alloc(t, (size_t)s.len + 1);

	if (p != NULL && s.len != 0)
		memcpy(p, s.p, s.len);
	return p;
}

// Field sizes of the types that are copied as bytes.
static size_t plain_size(enum config_type type)
{
	if (type == CONFIG_T_BOOL)
		return sizeof(bool);
	if (type == CONFIG_T_LISTEN)
		return sizeof(struct config_endpoint);
	if (type == CONFIG_T_PORT || type == CONFIG_T_PROFILE || type == CONFIG_T_FROM)
		return sizeof(uint16_t);
	return sizeof(uint32_t);
}

static int copy_list(struct config_text *t, enum config_type type, struct config_list *to,
		     const struct config_list *from)
{
	size_t size = (size_t)config_schema_element(type) * from->n;
	void *p = config_schema_alloc(t, size);

	if (p == NULL)
		return -ENOMEM;
	if (type == CONFIG_T_STRINGS) {
		const char *const *old = from->list;
		const char **new = p;

		for (uint32_t i = 0; i < from->n; i++)
			if ((new[i] = config_schema_strdup(t, slice_of_str(old[i]))) == NULL)
				return -ENOMEM;
	} else if (size != 0) {
		memcpy(p, from->list, size);
	}
	*to = (struct config_list){p, from->n};
	return 0;
}

int config_schema_copy(struct config_text *t, const struct config_section *s, void *to,
		       const void *from)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];
		uint8_t *dst = (uint8_t *)to + k->offset;
		const uint8_t *src = (const uint8_t *)from + k->offset;
		int rc = 0;

		if (k->type == CONFIG_T_SECTION) {
			rc = config_schema_copy(t, k->section, dst, src);
		} else if (config_schema_is_list(k->type)) {
			struct config_list list;

			memcpy(&list, src, sizeof(list));
			rc = copy_list(t, k->type, &list, &list);
			memcpy(dst, &list, sizeof(list));
		} else if (k->type == CONFIG_T_STR || k->type == CONFIG_T_SECRET) {
			const char *text;

			memcpy(&text, src, sizeof(text));
			text = config_schema_strdup(t, slice_of_str(text));
			rc = text != NULL ? 0 : -ENOMEM;
			memcpy(dst, &text, sizeof(text));
		} else {
			memcpy(dst, src, plain_size(k->type));
		}
		if (rc != 0)
			return rc;
	}
	return 0;
}

static bool same_lists(enum config_type type, const struct config_list *a,
		       const struct config_list *b)
{
	if (a->n != b->n)
		return false;
	if (type == CONFIG_T_STRINGS) {
		const char *const *x = a->list, *const *y = b->list;

		for (uint32_t i = 0; i < a->n; i++)
			if (strcmp(x[i], y[i]) != 0)
				return false;
		return true;
	}
	return a->n == 0 ||
	       memcmp(a->list, b->list, (size_t)a->n * config_schema_element(type)) == 0;
}

bool config_schema_same(const struct config_section *s, const void *a, const void *b)
{
	bool same = true;

	for (uint32_t i = 0; i < s->n && same; i++) {
		const struct config_key *k = &s->keys[i];
		const uint8_t *x = (const uint8_t *)a + k->offset;
		const uint8_t *y = (const uint8_t *)b + k->offset;

		if (k->type == CONFIG_T_SECTION) {
			same = config_schema_same(k->section, x, y);
		} else if (config_schema_is_list(k->type)) {
			struct config_list l, m;

			memcpy(&l, x, sizeof(l));
			memcpy(&m, y, sizeof(m));
			same = same_lists(k->type, &l, &m);
		} else if (k->type == CONFIG_T_STR || k->type == CONFIG_T_SECRET) {
			const char *t, *u;

			memcpy(&t, x, sizeof(t));
			memcpy(&u, y, sizeof(u));
			same = strcmp(t, u) == 0;
		} else {
			same = memcmp(x, y, plain_size(k->type)) == 0;
		}
	}
	return same;
}
