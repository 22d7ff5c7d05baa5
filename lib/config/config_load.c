// SPDX-License-Identifier: BSD-3-Clause
// A configuration from a file or from memory: YAML by libyaml, then schema, checks and look-ups.
// Control thread or a command; allocates, never on the packet path. libyaml and not libcyaml reads
// the document, because an operator wants all errors of a file with their lines at once, and
// libcyaml stops at the first.
#include "config/config_load.h"
#include "config/config_program.h"
#include "rules/rules.h"

#include <errno.h>
#include <stdlib.h>

#include "config/config_check.h"
#include "config/config_lookup.h"
#include "config/config_rules.h"

static struct config_text *text_new(struct slice source, const char *name,
				    const struct config_override *overrides, uint32_t n)
{
	struct config_text *t = calloc(1, sizeof(*t));
	struct config_override *copy;
	const char *bytes;

	if (t == NULL)
		return NULL;
	bytes = config_schema_strdup(t, source);
	copy = config_schema_alloc(t, ((size_t)n + 1) * sizeof(*copy));
	t->name = config_schema_strdup(t, slice_of_str(name));
	if (bytes == NULL || copy == NULL || t->name == NULL)
		return t;
	if (n != 0)
		memcpy(copy, overrides, n * sizeof(*copy));
	t->source = slice_of(bytes, source.len);
	t->overrides = copy;
	t->n_overrides = n;
	return t;
}

void config_load_release(struct config_text *t)
{
	if (t == NULL)
		return;
	while (t->blocks != NULL) {
		struct config_block *next = t->blocks->next;

		free(t->blocks);
		t->blocks = next;
	}
	free(t);
}

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	rules_free(c->program);
	config_load_release(c->text);
	free(c);
}

static void fault_yaml(struct config_errors *errors, const yaml_parser_t *p)
{
	unsigned line = (unsigned)p->problem_mark.line + 1;
	const char *problem = p->problem != NULL ? p->problem : "it cannot be read";

	if (p->error == YAML_READER_ERROR)
		config_errors_add(errors, false, 0, 0, "no text in UTF-8: %s at byte %zu", problem,
				  p->problem_offset);
	else if (p->context != NULL)
		config_errors_add(errors, false, line, (unsigned)p->problem_mark.column + 1,
				  "no YAML: %s, %s that begins in line %u", problem, p->context,
				  (unsigned)p->context_mark.line + 1);
	else
		config_errors_add(errors, false, line, (unsigned)p->problem_mark.column + 1,
				  "no YAML: %s", problem);
}

// A second document in the file would be ignored silently: say so.
static void want_end(struct config_errors *errors, yaml_parser_t *parser)
{
	yaml_document_t more;

	if (!yaml_parser_load(parser, &more)) {
		fault_yaml(errors, parser);
		return;
	}
	const yaml_node_t *root = yaml_document_get_root_node(&more);

	if (root != NULL)
		config_errors_add(errors, false, (uint32_t)root->start_mark.line + 1, 0,
				  "a second document begins here; put all keys into one");
	yaml_document_delete(&more);
}

static int read_all(struct config_loader *l)
{
	struct config_text *t = l->r.t;
	yaml_document_t document;
	yaml_parser_t parser;
	int rc = -EINVAL;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, t->source.p, t->source.len);
	if (!yaml_parser_load(&parser, &document)) {
		if (parser.error == YAML_MEMORY_ERROR)
			rc = -ENOMEM;
		else
			fault_yaml(l->r.errors, &parser);
		yaml_parser_delete(&parser);
		return rc;
	}
	l->doc = &document;
	rc = config_read_document(l);
	if (rc != -ENOMEM && yaml_document_get_root_node(&document) != NULL)
		want_end(l->r.errors, &parser);
	yaml_document_delete(&document);
	yaml_parser_delete(&parser);
	l->doc = NULL;
	return rc;
}

static int build(struct config_loader *l)
{
	struct config_text *t = l->r.t;
	int rc = read_all(l);

	for (uint32_t i = 0; i < t->n_overrides && rc == 0; i++)
		rc = config_read_override(l, &t->overrides[i]);
	if (rc == 0)
		rc = config_rules_resolve(l);
	if (rc == -ENOMEM)
		return rc;
	// Checks after errors say what is wrong besides; without trunks and ports they would only
	// repeat it.
	if (l->r.c->ports != NULL && l->r.c->trunks != NULL && l->r.c->profiles != NULL)
		config_check(l);
	if (l->r.errors->errors != 0)
		return -EINVAL;
	return config_lookup_build(l->r.c, t);
}

static int load(struct config **out, struct config_text *t, const struct config *previous,
		const struct config_machine *machine, const struct config_file *kept,
		struct config_errors *errors)
{
	struct config_loader l = {.previous = previous, .machine = machine, .kept = kept};
	int rc = -ENOMEM;

	*out = NULL;
	config_errors_free(errors);
	l.r.c = calloc(1, sizeof(*l.r.c));
	l.r.t = t;
	l.r.errors = errors;
	snprintf(errors->file, sizeof(errors->file), "%s",
		 t != NULL && t->name != NULL ? t->name : "");
	if (l.r.c != NULL && t != NULL && t->overrides != NULL) {
		l.r.c->text = t;
		l.r.c->version = previous != NULL ? previous->version + 1 : 1;
		rc = build(&l);
		if (rc == 0)
			rc = config_program(l.r.c, previous, errors);
	}
	free(l.marks);
	config_errors_sort(errors);
	if (rc == 0) {
		*out = l.r.c;
		return 0;
	}
	free(l.r.c);
	config_load_release(t);
	return rc;
}

int config_load_text(struct config **out, struct slice text, const char *name,
		     const struct config *previous, const struct config_machine *machine,
		     struct config_errors *errors)
{
	return load(out, text_new(text, name, NULL, 0), previous, machine, NULL, errors);
}

int config_load_file(const char *path, uint8_t **bytes, size_t *len)
{
	FILE *file = fopen(path, "re");
	size_t cap = 65536;
	int rc = -ENOMEM;

	*len = 0;
	*bytes = NULL;
	if (file == NULL)
		return -errno;
	for (;;) {
		uint8_t *more = realloc(*bytes, cap);

		if (more == NULL)
			break;
		*bytes = more;
		*len += fread(*bytes + *len, 1, cap - *len, file);
		if (*len < cap) {
			rc = ferror(file) ? -errno : 0;
			break;
		}
		if (cap > CONFIG_MAX_FILE) {
			rc = -EFBIG;
			break;
		}
		cap *= 2;
	}
	fclose(file);
	if (rc == 0 && *len > CONFIG_MAX_FILE)
		rc = -EFBIG;
	return rc;
}

int config_load(struct config **out, const char *path, const struct config *previous,
		const struct config_machine *machine, struct config_errors *errors)
{
	uint8_t *bytes;
	size_t len;
	int rc = config_load_file(path, &bytes, &len);

	*out = NULL;
	if (rc == 0) {
		rc = config_load_text(out, slice_of(bytes, len), path, previous, machine, errors);
	} else {
		config_errors_free(errors);
		snprintf(errors->file, sizeof(errors->file), "%s", path);
		config_errors_add(errors, false, 0, 0, "cannot be read: %s", strerrordesc_np(-rc));
	}
	free(bytes);
	return rc;
}

// An override of the same key of the same trunk, or of any key where new names none.
static bool replaces(const struct config_override *new, const struct config_override *old)
{
	return strcmp(old->trunk, new->trunk) == 0 &&
	       (new->key[0] == 0 || strcmp(old->key, new->key) == 0);
}

// The overrides of t less those that are replaced; if they are to be set, the new ones behind them,
// of each key the last.
static uint32_t next_overrides(const struct config_text *t, const struct config_override *new,
			       uint32_t n_new, bool set, struct config_override *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n_overrides + (set ? n_new : 0); i++) {
		bool is_new = i >= t->n_overrides, stays = true;
		const struct config_override *o =
			is_new ? &new[i - t->n_overrides] : &t->overrides[i];

		for (uint32_t j = is_new ? i - t->n_overrides + 1 : 0; j < n_new && stays; j++)
			stays = !replaces(&new[j], o);
		if (stays)
			list[n++] = *o;
	}
	return n;
}

static int override(struct config **out, const struct config *c, const struct config_override *new,
		    uint32_t n, bool set, struct config_errors *errors)
{
	const struct config_text *t = c->text;
	struct config_override *list;
	int rc;

	*out = NULL;
	for (uint32_t i = 0; i < n; i++)
		if (config_trunk_find(c, new[i].trunk) < 0)
			return -ENOENT;
	config_errors_free(errors);
	list = calloc((size_t)t->n_overrides + n + 1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	rc = load(out, text_new(t->source, t->name, list, next_overrides(t, new, n, set, list)), c,
		  NULL, t->files, errors);
	free(list);
	return rc;
}

int config_override_all(struct config **out, const struct config *c,
			const struct config_override *new, uint32_t n, struct config_errors *errors)
{
	return override(out, c, new, n, true, errors);
}

static bool fits(char *field, size_t size, const char *text)
{
	return (size_t)snprintf(field, size, "%s", text) < size;
}

int config_override(struct config **out, const struct config *c, const char *trunk, const char *key,
		    const char *value, struct config_errors *errors)
{
	struct config_override new = {0};

	*out = NULL;
	if (!fits(new.trunk, sizeof(new.trunk), trunk))
		return -ENOENT;
	if (!fits(new.key, sizeof(new.key), key != NULL ? key : "") ||
	    !fits(new.value, sizeof(new.value), value != NULL ? value : "")) {
		config_errors_free(errors);
		config_errors_add(errors, false, 0, 0, "the key or value is too long");
		return -EINVAL;
	}
	return override(out, c, &new, 1, key != NULL && value != NULL, errors);
}

uint32_t config_overrides(const struct config *c)
{
	return c->text->n_overrides;
}

const struct config_override *config_override_at(const struct config *c, uint32_t i)
{
	return &c->text->overrides[i];
}
