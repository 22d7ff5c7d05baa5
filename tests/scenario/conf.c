// SPDX-License-Identifier: BSD-3-Clause
// The configuration of a case, merged from snippets.
// One thread of a test program. A tree of keys in the order of their first mention; no YAML beyond
// maps by indentation, list items and opaque values.
#include "conf.h"

#include <stdbool.h>

#include <string.h>

#define DEPTH_MAX 12

struct node {
	const char *key;   // list items have none
	const char *value; // NULL: a map or a list
	struct node *child, *next;
	int snippet; // list items: snippet that wrote them
};

struct conf {
	struct arena *arena;
	struct node root;
	int snippet, depth;
	struct {
		int indent;
		struct node *node;
	} open[DEPTH_MAX]; // maps that the line before was in
};

static const char *const defaults[] = {
	"system.workers: [1]",
	"system.capacity: { calls: 64 }",
	"ports.access.device: net_null0",
	"ports.access.addresses: [10.91.0.1/24, \"fd91::1/64\"]",
	"ports.core.device: net_null1",
	"ports.core.addresses: [10.92.0.1/24, \"fd92::1/64\"]",
	"profiles.a.options_ping: 0",
	"profiles.a.session_timer.jitter: 0",
	"profiles.b.options_ping: 0",
	"profiles.b.session_timer.jitter: 0",
	"trunks.A.port: access",
	"trunks.A.peers: [10.91.0.2:5060]",
	"trunks.A.profile: a",
	"trunks.B.port: core",
	"trunks.B.peers: [10.92.0.2:5060]",
	"trunks.B.profile: b",
	"routes:",
	"  - { from: A, to: [B] }",
	"  - { from: B, to: [A] }",
	"cdr.file: \"\"",
	"metrics.listen: \"\"",
};

static struct node *child_of(struct conf *c, struct node *parent, const char *key, size_t len)
{
	struct node **at = &parent->child;

	for (; *at != NULL; at = &(*at)->next)
		if ((*at)->key != NULL && strlen((*at)->key) == len &&
		    memcmp((*at)->key, key, len) == 0)
			return *at;
	*at = arena_alloc(c->arena, sizeof(**at));
	(*at)->key = arena_strndup(c->arena, key, len);
	parent->value = NULL;
	return *at;
}

static void add_item(struct conf *c, struct node *parent, const char *value)
{
	struct node **at = &parent->child;

	// the first item of a snippet replaces what the list was before
	if (*at != NULL && (*at)->snippet != c->snippet)
		*at = NULL;
	while (*at != NULL)
		at = &(*at)->next;
	*at = arena_alloc(c->arena, sizeof(**at));
	(*at)->value = arena_strdup(c->arena, value);
	(*at)->snippet = c->snippet;
}

// End of the key at s: a colon followed by a space or the end; quotes are skipped.
static const char *key_end(const char *s)
{
	bool quoted = false;

	for (; *s != '\0'; s++) {
		if (*s == '"')
			quoted = !quoted;
		if (!quoted && *s == ':' && (s[1] == ' ' || s[1] == '\0'))
			return s;
	}
	return NULL;
}

// "{ a: b, c: d }" without braces inside: each key by itself, so that what it does not name stays.
static bool set_flow_map(struct conf *c, struct node *node, const char *value)
{
	const char *s = value + 1;

	if (value[0] != '{' || strpbrk(s, "{[\"") != NULL || strchr(s, '}') == NULL)
		return false;
	node->value = NULL;
	while (*s != '\0' && *s != '}') {
		size_t len;
		const char *colon;

		s += strspn(s, " ,");
		len = strcspn(s, ",}");
		colon = memchr(s, ':', len);
		if (colon != NULL) {
			const char *text = colon + 1 + strspn(colon + 1, " ");
			size_t n = len - (size_t)(text - s);

			while (n > 0 && text[n - 1] == ' ')
				n--;
			child_of(c, node, s, (size_t)(colon - s))->value =
				arena_strndup(c->arena, text, n);
		}
		s += len;
	}
	return true;
}

int conf_line(struct conf *c, const char *line)
{
	int indent = (int)strspn(line, " ");
	struct node *node;
	const char *end;

	line += indent;
	while (c->depth > 0 && c->open[c->depth - 1].indent >= indent)
		c->depth--;
	node = c->depth > 0 ? c->open[c->depth - 1].node : &c->root;
	if (strncmp(line, "- ", 2) == 0) {
		add_item(c, node, line + 2);
		return 0;
	}
	end = key_end(line);
	if (end == NULL || c->depth == DEPTH_MAX)
		return -1;
	while (line < end) {
		size_t n = *line == '"' ? (size_t)(strchr(line + 1, '"') - line) + 1
					: strcspn(line, ".:");

		node = child_of(c, node, line, n);
		line += n + (line[n] == '.');
	}
	end += 1 + strspn(end + 1, " ");
	if (set_flow_map(c, node, end))
		return 0;
	if (*end != '\0') {
		node->value = arena_strdup(c->arena, end);
		node->child = NULL;
	} else {
		c->open[c->depth].indent = indent;
		c->open[c->depth++].node = node;
	}
	return 0;
}

void conf_begin(struct conf *c)
{
	c->depth = 0;
	c->snippet++;
}

struct conf *conf_new(struct arena *a)
{
	struct conf *c = arena_alloc(a, sizeof(*c));

	c->arena = a;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		conf_line(c, defaults[i]);
	conf_begin(c);
	return c;
}

static const char *print_node(struct conf *c, const char *out, const struct node *n, int depth)
{
	for (; n != NULL; n = n->next) {
		if (n->key == NULL)
			out = arena_printf(c->arena, "%s%*s- %s\n", out, depth * 2, "", n->value);
		else if (n->value != NULL)
			out = arena_printf(c->arena, "%s%*s%s: %s\n", out, depth * 2, "", n->key,
					   n->value);
		else
			out = print_node(
				c, arena_printf(c->arena, "%s%*s%s:\n", out, depth * 2, "", n->key),
				n->child, depth + 1);
	}
	return out;
}

const char *conf_text(struct conf *c)
{
	return print_node(c, "", c->root.child, 0);
}
