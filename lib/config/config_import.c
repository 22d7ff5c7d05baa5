// SPDX-License-Identifier: BSD-3-Clause
// Imports: the file, the format, and the rules that come of it.
// Control thread or a command; allocates.
#include "config/config_import.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config/config_import_write.h"
#include "config/config_rules.h"

#define YAML_MAX (4u << 20)

static const struct {
	const char *format;
	int (*convert)(struct config_import *import, struct slice text);
} formats[] = {{"smc", config_smc_convert}, {"sip_profiles", config_sip_profiles_convert}};

int config_import_convert(struct config_import **out, const char *format, struct slice text,
			  const char *name)
{
	struct config_import *import;
	size_t room;
	int rc = -ENOTSUP;

	*out = NULL;
	import = calloc(1, sizeof(*import));
	if (import == NULL)
		return -ENOMEM;
	// a byte of the source is at most ten of YAML, and a rule's frame no more than its own
	// length
	room = text.len < YAML_MAX / 16 ? 4096 + (size_t)text.len * 16 : YAML_MAX + 4096;
	import->yaml = outbuf_of(malloc(room), room);
	import->yaml_lines = 1;
	snprintf(import->notes.file, sizeof(import->notes.file), "%s", name);
	if (import->yaml.p == NULL) {
		free(import);
		return -ENOMEM;
	}
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(format, formats[i].format) == 0)
			rc = formats[i].convert(import, text);
	if (rc == 0 && import->yaml.full)
		rc = -ENOSPC;
	if (rc != 0) {
		config_import_free(import);
		return rc;
	}
	config_errors_sort(&import->notes);
	*out = import;
	return 0;
}

void config_import_free(struct config_import *import)
{
	if (import == NULL)
		return;
	config_errors_free(&import->notes);
	free(import->yaml.p);
	free(import);
}

bool config_import_try(struct config_import *import, struct slice yaml, char fault[240])
{
	struct config_errors errors = {0};
	struct config_loader l = {.r = {.errors = &errors}};
	struct config_rules_from from = {.l = &l};
	struct rule_set set = {.name = SLICE_LIT("import")};
	struct rule_variables known = import->variables;
	struct config *c = calloc(1, sizeof(*c));
	struct config_text *t = calloc(1, sizeof(*t));
	const char *what;
	uint32_t line;
	bool good;

	l.r.c = c;
	l.r.t = t;
	good = c != NULL && t != NULL && config_rules_read_text(&from, yaml, "", NULL, &set) == 0;
	what = errors.n != 0 ? errors.list[0].text : "out of memory";
	// without the path: it is the one rule's
	snprintf(fault, 240, "%s",
		 strchr(what, ' ') != NULL && what[0] == '[' ? strchr(what, ' ') + 1 : what);
	good = good && rule_check_variables(&known, &set.rules[0], &line, fault);
	if (good)
		import->variables = known;
	config_load_release(t);
	free(c);
	config_errors_free(&errors);
	return good;
}

int config_import_load(const char *path, uint8_t **bytes, size_t *len)
{
	struct stat st;

	*bytes = NULL;
	// a pipe or a device might never end
	if (stat(path, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	return config_load_file(path, bytes, len);
}

// --- into the configuration

// The text of a file that was read for an earlier snapshot of the same text, or of the disk.
static int file_text(struct config_loader *l, const char *path, struct slice *text)
{
	struct config_text *t = l->r.t;
	const struct config_file *kept;
	struct config_file *file;
	uint8_t *bytes = NULL;
	size_t len = 0;
	int rc;

	for (kept = l->kept; kept != NULL; kept = kept->next)
		if (strcmp(kept->path, path) == 0)
			break;
	if (kept != NULL) {
		*text = slice_of(config_schema_strdup(t, kept->text), kept->text.len);
	} else {
		rc = config_import_load(path, &bytes, &len);
		if (rc == 0)
			*text = slice_of(config_schema_strdup(t, slice_of(bytes, len)), len);
		free(bytes);
		if (rc != 0)
			return rc;
	}
	if (text->p == NULL)
		return -ENOMEM;
	file = config_schema_alloc(t, sizeof(*file));
	if (file == NULL)
		return -ENOMEM;
	*file = (struct config_file){t->files, config_schema_strdup(t, slice_of_str(path)), *text};
	t->files = file;
	return file->path != NULL ? 0 : -ENOMEM;
}

// Findings of an import as findings of the line that imports it.
static void pass_on(struct config_loader *l, const struct config_errors *from, const char *path,
		    const struct config_import *import)
{
	for (uint32_t i = 0; i < from->n; i++) {
		const struct config_error *e = &from->list[i];
		uint32_t line = import == NULL ? e->line : 0;

		for (uint32_t j = 0; import != NULL && j < import->n_rules; j++)
			if (import->rules[j].yaml_line <= e->line)
				line = import->rules[j].line;
		if (path[0] == 0)
			config_errors_add(l->r.errors, e->warning, l->r.line, l->r.column, "%s",
					  e->text);
		else
			config_errors_add(l->r.errors, e->warning, l->r.line, l->r.column,
					  "%.60s: %s:%u: %s", l->r.path, path, line, e->text);
	}
	// what did not fit into the list still counts
	if (from->errors > from->n)
		config_value_fault(&l->r, "has more faults in %s that are not shown", path);
}

int config_rules_read_text(struct config_rules_from *from, struct slice yaml, const char *path,
			   const struct config_import *import, struct rule_set *set)
{
	struct config_loader *l = from->l;
	struct config_errors *errors = l->r.errors, own = {0};
	yaml_document_t *doc = l->doc, document;
	uint32_t line = l->r.line, column = l->r.column;
	const yaml_node_t *root;
	yaml_parser_t parser;
	int rc = -ENOMEM;

	if (!yaml_parser_initialize(&parser))
		return rc;
	yaml_parser_set_input_string(&parser, yaml.p, yaml.len);
	if (yaml_parser_load(&parser, &document)) {
		root = yaml_document_get_root_node(&document);
		l->doc = &document;
		l->r.errors = &own;
		from->line = line;
		if (root != NULL)
			rc = config_rules_read_list(from, set->name, root, set);
		from->line = 0;
		l->doc = doc;
		l->r.errors = errors;
		l->r.line = line;
		l->r.column = column;
		config_errors_sort(&own);
		pass_on(l, &own, path, import);
		config_errors_free(&own);
		yaml_document_delete(&document);
	} else if (parser.error != YAML_MEMORY_ERROR) {
		config_value_fault(&l->r, "%s makes no YAML: %s", path, parser.problem);
		rc = -EINVAL;
	}
	yaml_parser_delete(&parser);
	return rc;
}

// "FORMAT FILE" into both; a relative FILE is beside the configuration.
static bool split(const struct config_loader *l, struct slice value, char format[32],
		  char path[512], const char **shown)
{
	const char *dir = l->r.t->name, *slash = strrchr(dir, '/');
	int64_t space = slice_find(value, ' ');
	struct slice file;

	if (space <= 0 || space > 31)
		return false;
	file = slice_trim(slice_from(value, (uint32_t)space));
	if (file.len == 0 || memchr(file.p, 0, file.len) != NULL)
		return false;
	snprintf(format, 32, "%.*s", (int)space, value.p);
	*shown = (const char *)file.p; // value is text of the snapshot
	return snprintf(path, 512, "%.*s%s",
			file.p[0] == '/' || slash == NULL ? 0 : (int)(slash - dir + 1), dir,
			*shown) < 512;
}

static int import_file(struct config_rules_from *from, const char *format, const char *path,
		       const char *shown, struct rule_set *set)
{
	struct config_loader *l = from->l;
	struct config_import *import;
	struct slice text;
	int rc = file_text(l, path, &text);

	if (rc != 0) {
		config_value_fault(&l->r, "cannot read %s: %s", shown, strerrordesc_np(-rc));
		return rc == -ENOMEM ? rc : -EINVAL;
	}
	rc = config_import_convert(&import, format, text, shown);
	if (rc == -ENOTSUP)
		config_value_fault(&l->r, "has the format \"%s\"; it must be smc or sip_profiles",
				   format);
	else if (rc == -ENOSPC)
		config_value_fault(&l->r, "%s makes more than 4 MiB of rules", shown);
	if (rc != 0)
		return rc == -ENOMEM ? rc : -EINVAL;
	pass_on(l, &import->notes, shown, NULL);
	if (import->notes.errors != 0)
		rc = -EINVAL;
	else if (import->n_rules != 0)
		rc = config_rules_read_text(from, outbuf_slice(&import->yaml), shown, import, set);
	else
		config_value_fault(&l->r, "%s has no rules", shown);
	config_import_free(import);
	return rc;
}

int config_import_read(struct config_rules_from *from, const yaml_node_t *node,
		       struct rule_set *set)
{
	static const char *const keys[] = {"import", NULL};
	struct config_loader *l = from->l;
	char format[32], path[512];
	const char *shown;
	struct slice name, value;
	yaml_node_t *item;
	size_t old;
	int rc = -EINVAL;

	if (node->data.mapping.pairs.top - node->data.mapping.pairs.start != 1) {
		config_value_fault(&l->r, "must be a list of rules, a preset's word or { import: "
					  "\"smc FILE\" }");
		return -EINVAL;
	}
	if (!config_node_pair(l, node, 0, &name, &item))
		return -EINVAL;
	old = config_node_push(&l->r, ".", name);
	if (!slice_eq(name, SLICE_LIT("import"))) {
		config_rules_unknown(&l->r, name, keys);
	} else if (config_rules_text(l, item, false, &value) == 0) {
		if (split(l, value, format, path, &shown))
			rc = import_file(from, format, path, shown, set);
		else
			config_value_fault(&l->r,
					   "is \"%.*s\"; write a format and a file, like "
					   "smc /etc/verge/smc-18.json",
					   (int)(value.len < 60 ? value.len : 60), value.p);
	}
	config_node_pop(&l->r, old);
	return rc;
}
