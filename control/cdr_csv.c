// SPDX-License-Identifier: BSD-3-Clause
// From JSON to a row of CSV by a table of paths.
#include "control/cdr_csv.h"

#include <stdio.h>
#include <stdlib.h>

#include "rules/rule.h"
#include "rules/rules.h"

static const struct {
	const char *name, *path;
} columns[] = {
#define COLUMN(name, path) {#name, path},
#include "control/cdr_columns.def"
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const json_t *at(const json_t *value, const char *path)
{
	char key[64];

	while (value != NULL && *path != 0) {
		size_t len = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		value = json_is_array(value) ? json_array_get(value, strtoul(key, NULL, 10))
					     : json_object_get(value, key);
		path += len + (path[len] == '.');
	}
	return value;
}

// In quotes where RFC 4180 s2 wants them. A line is one line: what breaks it becomes a space.
static void put_field(struct outbuf *o, const char *text)
{
	bool quoted = text[strcspn(text, ",\"\r\n")] != 0;

	if (quoted)
		outbuf_put_char(o, '"');
	for (; *text != 0; text++) {
		if (*text == '"')
			outbuf_put_char(o, '"');
		outbuf_put_char(o, (char)(*text == '\r' || *text == '\n' ? ' ' : *text));
	}
	if (quoted)
		outbuf_put_char(o, '"');
}

// Words of a list, with spaces between.
static void put_words(struct outbuf *o, const json_t *list)
{
	char text[RULES_LABELS * (RULE_MAX_LABEL + 1)]; // tags; warnings are fewer
	struct outbuf words = outbuf_of(text, sizeof(text) - 1);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *word = json_string_value(json_array_get(list, i));

		if (i != 0)
			outbuf_put_char(&words, ' ');
		if (word != NULL)
			outbuf_put_str(&words, word);
	}
	text[words.len] = 0;
	put_field(o, text);
}

static void put_value(struct outbuf *o, const json_t *value)
{
	char number[32];

	if (value == NULL || json_is_null(value))
		return;
	if (json_is_string(value))
		put_field(o, json_string_value(value));
	else if (json_is_array(value) && json_is_string(json_array_get(value, 0)))
		put_words(o, value);
	else if (json_is_array(value))
		outbuf_put_u64(o, json_array_size(value));
	else if (json_is_integer(value))
		outbuf_put_u64(o, (uint64_t)json_integer_value(value));
	else if (json_is_real(value)) {
		snprintf(number, sizeof(number), "%.3f", json_real_value(value));
		outbuf_put_str(o, number);
	} else {
		outbuf_put_str(o, json_is_true(value) ? "true" : "false");
	}
}

void cdr_csv_put_header(struct outbuf *o)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		if (i != 0)
			outbuf_put_char(o, ',');
		outbuf_put_str(o, columns[i].name);
	}
}

void cdr_csv_put(struct outbuf *o, const json_t *cdr)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		if (i != 0)
			outbuf_put_char(o, ',');
		put_value(o, at(cdr, columns[i].path));
	}
}

bool cdr_csv_convert(struct outbuf *o, struct slice json)
{
	json_t *cdr = json_loadb((const char *)json.p, json.len, JSON_ALLOW_NUL, NULL);
	bool ok = json_is_object(cdr);

	if (ok)
		cdr_csv_put(o, cdr);
	json_decref(cdr);
	return ok;
}
