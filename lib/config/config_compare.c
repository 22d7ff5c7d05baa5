// SPDX-License-Identifier: BSD-3-Clause
// What a reload would change.
// Control thread; allocates. Values are compared as the text that would be printed for them, so
// that two snapshots with their own ids and memory compare by what they mean.
#include <errno.h>
#include <stdlib.h>

#include "config/config_rules_print.h"
#include "config/config_text.h"

#define TEXT_MAX 16384

struct compare {
	const struct config *from, *to;
	void (*each)(void *arg, const struct config_change *change);
	void *arg;
	char *old, *new; // [TEXT_MAX]
	unsigned restarts;
};

static void report(struct compare *c, const char *path, const char *old, const char *new,
		   bool restart)
{
	const struct config_change change = {path, old, new, restart};

	c->restarts += restart;
	c->each(c->arg, &change);
}

static void print_value(char *text, const struct config *c, const struct config_key *k,
			const void *field)
{
	struct outbuf o = outbuf_of(text, TEXT_MAX - 1);

	config_text_print(&o, c, k, field);
	text[o.len] = 0;
}

static const char *text_at(const uint8_t *field)
{
	const char *text;

	memcpy(&text, field, sizeof(text));
	return text;
}

static void compare_section(struct compare *c, const char *path, const struct config_section *s,
			    const void *from, const void *to)
{
	char below[256];

	for (uint32_t i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];
		const uint8_t *a = (const uint8_t *)from + k->offset;
		const uint8_t *b = (const uint8_t *)to + k->offset;
		bool differ;

		snprintf(below, sizeof(below), "%s.%s", path, k->name);
		if (k->section != NULL) {
			compare_section(c, below, k->section, a, b);
			continue;
		}
		print_value(c->old, c->from, k, a);
		print_value(c->new, c->to, k, b);
		differ = strcmp(c->old, c->new) != 0;
		if (k->type == CONFIG_T_SECRET)
			differ = strcmp(text_at(a), text_at(b)) != 0;
		if (differ)
			report(c, below, c->old, c->new, !k->live);
	}
}

// One kind of named entries as rows of bytes.
struct rows {
	const char *top;
	const struct config_section *section;
	const uint8_t *list;
	size_t size, name, gone; // of a row, offsets in it
	uint32_t n;
	bool restart; // when one comes or goes
};

static const uint8_t *row_at(const struct rows *r, uint32_t i)
{
	return r->list + i * r->size;
}

static const char *name_of(const struct rows *r, uint32_t i)
{
	return text_at(row_at(r, i) + r->name);
}

static bool is_gone(const struct rows *r, uint32_t i)
{
	return *(const bool *)(row_at(r, i) + r->gone);
}

static int row_find(const struct rows *r, const char *name, uint32_t guess)
{
	// Snapshots of one process have the same name at the same index.
	if (guess < r->n && strcmp(name_of(r, guess), name) == 0)
		return is_gone(r, guess) ? -ENOENT : (int)guess;
	for (uint32_t i = 0; i < r->n; i++)
		if (!is_gone(r, i) && strcmp(name_of(r, i), name) == 0)
			return (int)i;
	return -ENOENT;
}

static void compare_rows(struct compare *c, const struct rows *from, const struct rows *to)
{
	char path[160];

	for (uint32_t i = 0; i < from->n; i++) {
		int at;

		if (is_gone(from, i))
			continue;
		snprintf(path, sizeof(path), "%s.%s", from->top, name_of(from, i));
		at = row_find(to, name_of(from, i), i);
		if (at < 0)
			report(c, path, "there", "", from->restart);
		else
			compare_section(c, path, from->section, row_at(from, i),
					row_at(to, (uint32_t)at));
	}
	for (uint32_t i = 0; i < to->n; i++) {
		if (is_gone(to, i) || row_find(from, name_of(to, i), i) >= 0)
			continue;
		snprintf(path, sizeof(path), "%s.%s", to->top, name_of(to, i));
		report(c, path, "", "there", to->restart);
	}
}

#define ROWS(c, kind, top, restarts)                                                \
	((struct rows){(top), &config_schema_##kind, (const uint8_t *)(c)->kind##s, \
		       sizeof(*(c)->kind##s), offsetof(struct config_##kind, name), \
		       offsetof(struct config_##kind, gone), (c)->n_##kind##s, (restarts)})

struct way {
	const struct config_route *route;
	const char *from;
};

static int by_way(const void *a, const void *b)
{
	const struct way *x = a, *y = b;
	int d = strcmp(x->from, y->from);

	return d != 0 ? d : strcmp(x->route->prefix, y->route->prefix);
}

static struct way *sort_routes(const struct config *c)
{
	struct way *ways = calloc((size_t)c->n_routes + 1, sizeof(*ways));

	if (ways == NULL)
		return NULL;
	for (uint32_t i = 0; i < c->n_routes; i++) {
		const struct config_route *r = &c->routes[i];

		ways[i].route = r;
		ways[i].from = r->from == CONFIG_NONE ? "any" : c->trunks[r->from].name;
	}
	qsort(ways, c->n_routes, sizeof(*ways), by_way);
	return ways;
}

static void compare_way(struct compare *c, const struct way *a, const struct way *b)
{
	const struct config_key *to = config_schema_find(&config_schema_route, SLICE_LIT("to"));
	const struct way *one = a != NULL ? a : b;
	char path[200];

	if (one == NULL)
		return;
	snprintf(path, sizeof(path), "routes[from %s, prefix \"%s\"].to", one->from,
		 one->route->prefix);
	c->old[0] = c->new[0] = 0;
	if (a != NULL)
		print_value(c->old, c->from, to, &a->route->to);
	if (b != NULL)
		print_value(c->new, c->to, to, &b->route->to);
	if (strcmp(c->old, c->new) != 0)
		report(c, path, c->old, c->new, false);
}

static int compare_routes(struct compare *c)
{
	struct way *a = sort_routes(c->from), *b = sort_routes(c->to);
	uint32_t i = 0, j = 0;

	while (a != NULL && b != NULL && (i < c->from->n_routes || j < c->to->n_routes)) {
		int d = i == c->from->n_routes ? 1
			: j == c->to->n_routes ? -1
					       : by_way(&a[i], &b[j]);

		compare_way(c, d <= 0 ? &a[i] : NULL, d >= 0 ? &b[j] : NULL);
		i += d <= 0;
		j += d >= 0;
	}
	i = a != NULL && b != NULL;
	free(a);
	free(b);
	return i != 0 ? 0 : -ENOMEM;
}

static const struct rule_set *find_set(const struct config *c, struct slice name)
{
	for (uint32_t i = 0; i < c->rules.n_sets; i++)
		if (slice_eq(c->rules.sets[i].name, name))
			return &c->rules.sets[i];
	return NULL;
}

// A set as text in malloc'ed memory; p NULL: there is none.
static struct outbuf set_text(const struct config *c, const struct rule_set *set)
{
	size_t room = 4096;

	for (;; room *= 4) {
		struct outbuf o = outbuf_of(malloc(room), room);

		if (o.p == NULL)
			return o;
		config_rules_print_set(&o, c, set);
		if (!o.full)
			return o;
		free(o.p);
	}
}

static void count_text(char *text, size_t size, const struct rule_set *set)
{
	if (set != NULL)
		snprintf(text, size, "%u rules", set->n_rules);
	else
		text[0] = 0;
}

static int compare_set(struct compare *c, const struct rule_set *a, const struct rule_set *b)
{
	struct outbuf x = {0}, y = {0};
	bool same = false;
	char path[80];

	if (a != NULL && b != NULL) {
		x = set_text(c->from, a);
		y = set_text(c->to, b);
		same = x.p != NULL && y.p != NULL && slice_eq(outbuf_slice(&x), outbuf_slice(&y));
		if (x.p == NULL || y.p == NULL) {
			free(x.p);
			free(y.p);
			return -ENOMEM;
		}
	}
	snprintf(path, sizeof(path), "rules.%.*s", SLICE_ARG(a != NULL ? a->name : b->name));
	count_text(c->old, TEXT_MAX, a);
	count_text(c->new, TEXT_MAX, b);
	if (!same)
		report(c, path, c->old, c->new, false);
	free(x.p);
	free(y.p);
	return 0;
}

static int compare_sets(struct compare *c)
{
	int rc = 0;

	for (uint32_t i = 0; i < c->from->rules.n_sets && rc == 0; i++) {
		const struct rule_set *set = &c->from->rules.sets[i];

		rc = compare_set(c, set, find_set(c->to, set->name));
	}
	for (uint32_t i = 0; i < c->to->rules.n_sets && rc == 0; i++)
		if (find_set(c->from, c->to->rules.sets[i].name) == NULL)
			rc = compare_set(c, NULL, &c->to->rules.sets[i]);
	return rc;
}

int config_compare(const struct config *from, const struct config *to,
		   void (*each)(void *arg, const struct config_change *change), void *arg)
{
	struct compare c = {from, to, each, arg, malloc(TEXT_MAX), malloc(TEXT_MAX), 0};
	int rc = -ENOMEM;

	if (c.old != NULL && c.new != NULL) {
		struct rows a = ROWS(from, port, "ports", true), b = ROWS(to, port, "ports", true);

		for (uint32_t top = 0; top < CONFIG_TOP_N; top++) {
			const struct config_top_row *row = &config_schema_top[top];

			if (row->shape == CONFIG_ONE)
				compare_section(&c, row->name, row->section,
						(const uint8_t *)from + row->offset,
						(const uint8_t *)to + row->offset);
		}
		compare_rows(&c, &a, &b);
		a = ROWS(from, profile, "profiles", false);
		b = ROWS(to, profile, "profiles", false);
		compare_rows(&c, &a, &b);
		a = ROWS(from, trunk, "trunks", false);
		b = ROWS(to, trunk, "trunks", false);
		compare_rows(&c, &a, &b);
		rc = compare_routes(&c);
		if (rc == 0)
			rc = compare_sets(&c);
	}
	free(c.old);
	free(c.new);
	return rc == 0 ? (int)c.restarts : rc;
}
