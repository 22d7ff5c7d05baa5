// SPDX-License-Identifier: BSD-3-Clause
// Replies as text for people. Pure but for what it prints.
#include "control/vergectl_print.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 24
#define VALUE_MAX   256

static unsigned line_width; // 0: any

void vergectl_print_width(unsigned columns)
{
	line_width = columns;
}

// A scalar as text; control characters become '?'.
static const char *show(json_t *v, char text[VALUE_MAX])
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		snprintf(text, VALUE_MAX, "%s", json_string_value(v));
		break;
	case JSON_INTEGER:
		snprintf(text, VALUE_MAX, "%lld", (long long)json_integer_value(v));
		break;
	case JSON_REAL:
		snprintf(text, VALUE_MAX, "%.3f", json_real_value(v));
		break;
	case JSON_TRUE:
		return "yes";
	case JSON_FALSE:
		return "no";
	case JSON_NULL:
		return "-";
	case JSON_OBJECT:
	case JSON_ARRAY:
		return "";
	}
	for (char *p = text; *p != 0; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	// C1 controls are two bytes in UTF-8
	for (char *p = text; p[0] != 0 && p[1] != 0; p++)
		if ((unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0)
			p[0] = p[1] = '?';
	return text;
}

static int is_scalar(json_t *v)
{
	return !json_is_object(v) && !json_is_array(v);
}

static void pad(FILE *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fputc(' ', out);
}

// Characters, not bytes, so that columns line up.
static unsigned width_of(const char *text)
{
	unsigned n = 0;

	for (; *text != 0; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

// Text of a last column, cut where the line is full.
static void put_cut(FILE *out, const char *text, unsigned used)
{
	unsigned room = line_width > used + 8 ? line_width - used : 8;

	if (line_width == 0 || width_of(text) <= room) {
		fputs(text, out);
		return;
	}
	for (unsigned n = 0; *text != 0 && (n < room - 1 || ((unsigned char)*text & 0xc0) == 0x80);
	     text++) {
		fputc(*text, out);
		n += ((unsigned char)text[1] & 0xc0) != 0x80;
	}
	fputs("\xe2\x80\xa6", out); // an ellipsis
}

// Objects as rows; their scalar members are the columns, in the order of the first row.
static void print_table(json_t *rows, unsigned indent, FILE *out)
{
	const char *keys[COLUMNS_MAX];
	unsigned widths[COLUMNS_MAX], n = 0;
	char text[VALUE_MAX];
	const char *key;
	json_t *v, *first = json_array_get(rows, 0);
	size_t i;
	json_t *row;

	json_object_foreach(first, key, v)
	{
		if (is_scalar(v) && n < COLUMNS_MAX) {
			widths[n] = width_of(key);
			keys[n++] = key;
		}
	}
	json_array_foreach(rows, i, row)
	{
		for (unsigned c = 0; c < n; c++) {
			json_t *value = json_object_get(row, keys[c]);
			unsigned w = value != NULL ? width_of(show(value, text)) : 1;

			if (w > widths[c])
				widths[c] = w;
		}
	}
	pad(out, indent);
	for (unsigned c = 0; c < n; c++)
		fprintf(out, "%-*s%s", c + 1 < n ? (int)widths[c] : 0, keys[c],
			c + 1 < n ? "  " : "\n");
	json_array_foreach(rows, i, row)
	{
		unsigned used = indent;

		pad(out, indent);
		for (unsigned c = 0; c < n; c++) {
			json_t *value = json_object_get(row, keys[c]);
			const char *shown = value != NULL ? show(value, text) : "-";

			if (c + 1 == n) {
				put_cut(out, shown, used);
				continue;
			}
			fputs(shown, out);
			pad(out, widths[c] - width_of(shown) + 2);
			used += widths[c] + 2;
		}
		fputc('\n', out);
	}
}

static void print_members(json_t *object, unsigned indent, FILE *out);

static void print_array(json_t *array, unsigned indent, FILE *out)
{
	char text[VALUE_MAX];
	json_t *first = json_array_get(array, 0);
	int flat = 1;
	const char *key;
	json_t *v, *item;
	size_t i;

	if (first == NULL) {
		pad(out, indent);
		fputs("none\n", out);
		return;
	}
	json_object_foreach(first, key, v)
	{
		flat = flat && is_scalar(v);
	}
	if (json_is_object(first) && flat) {
		print_table(array, indent, out);
		return;
	}
	json_array_foreach(array, i, item)
	{
		if (json_is_object(item)) {
			print_members(item, indent, out);
			if (i + 1 < json_array_size(array))
				fputc('\n', out);
		} else {
			pad(out, indent);
			fprintf(out, "%s\n", show(item, text));
		}
	}
}

static void print_members(json_t *object, unsigned indent, FILE *out)
{
	char text[VALUE_MAX];
	unsigned width = 0;
	const char *key;
	json_t *v;

	json_object_foreach(object, key, v)
	{
		if (is_scalar(v) && width_of(key) > width)
			width = width_of(key);
	}
	json_object_foreach(object, key, v)
	{
		pad(out, indent);
		if (is_scalar(v)) {
			fprintf(out, "%-*s  %s\n", (int)width, key, show(v, text));
			continue;
		}
		fprintf(out, "%s\n", key);
		if (json_is_object(v))
			print_members(v, indent + 2, out);
		else
			print_array(v, indent + 2, out);
	}
}

void vergectl_print(json_t *result, FILE *out)
{
	print_members(result, 0, out);
}

static json_t *in(json_t *object, const char *path)
{
	char key[64];

	while (object != NULL && *path != 0) {
		size_t len = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		object = json_object_get(object, key);
		path += len + (path[len] == '.');
	}
	return object;
}

// A row for print_table() from members of nested objects: "column=path column=path".
static json_t *flatten(json_t *object, const char *columns)
{
	json_t *row = json_object();
	char column[32], path[64];
	int used;

	while (sscanf(columns, " %31[^=]=%63s%n", column, path, &used) == 2) {
		json_t *value = in(object, path);

		json_object_set_new(row, column,
				    value != NULL ? json_deep_copy(value) : json_null());
		columns += used;
	}
	return row;
}

static void print_columns(json_t *array, const char *columns, FILE *out)
{
	json_t *rows = json_array();
	size_t i;
	json_t *item;

	json_array_foreach(array, i, item)
	{
		json_array_append_new(rows, flatten(item, columns));
	}
	if (json_array_size(rows) != 0)
		print_table(rows, 0, out);
	json_decref(rows);
}

void vergectl_print_calls(json_t *result, FILE *out)
{
	json_t *calls = json_object_get(result, "calls");

	print_columns(calls,
		      "state=state seconds=duration_s ingress=ingress.trunk in_se=ingress.se_s "
		      "in_refresher=ingress.refresher egress=egress.trunk out_se=egress.se_s "
		      "out_refresher=egress.refresher call_id=ingress.call_id",
		      out);
	fprintf(out, "%zu calls%s\n", json_array_size(calls),
		json_is_true(json_object_get(result, "complete")) ? ""
								  : " shown, there may be more");
}

void vergectl_print_trunks(json_t *result, FILE *out)
{
	size_t i, k;
	json_t *trunk, *peer;

	json_array_foreach(json_object_get(result, "trunks"), i, trunk)
	{
		json_t *peers = json_object_get(trunk, "peers");
		char text[64];
		size_t up = 0;

		json_array_foreach(peers, k, peer)
		{
			up += json_is_true(json_object_get(peer, "up"));
		}
		snprintf(text, sizeof(text), "%zu of %zu", up, json_array_size(peers));
		json_object_set_new(trunk, "peers_up", json_string(text));
	}
	print_columns(
		json_object_get(result, "trunks"),
		"trunk=trunk port=port profile=profile timers=timers peers_up=peers_up calls=calls "
		"in=calls_in answered=answered_in out=calls_out answered_out=answered_out",
		out);
}

void vergectl_print_rules_test(json_t *result, FILE *out)
{
	json_t *steps = json_object_get(result, "steps"),
	       *message = json_object_get(result, "message");
	const char *text = json_string_value(message);

	if (json_array_size(steps) != 0)
		print_table(steps, 0, out);
	else
		fputs("no rule of this trunk was tried\n", out);
	json_object_del(result, "steps");
	fputc('\n', out);
	for (const char *p = text != NULL ? text : ""; *p != 0; p++)
		if (*p == '\n' || ((unsigned char)*p >= 0x20 && *p != 0x7f))
			fputc(*p, out);
	json_object_del(result, "message");
	vergectl_print(result, out);
}

void vergectl_print_why(json_t *result, FILE *out)
{
	char text[VALUE_MAX];
	size_t i, k;
	json_t *leg, *line;

	json_array_foreach(json_object_get(result, "legs"), i, leg)
	{
		json_array_foreach(json_object_get(leg, "story"), k, line)
		{
			fprintf(out, "%s%s\n", k == 0 ? "" : "  ", show(line, text));
		}
		if (i == 0)
			fputc('\n', out);
	}
}

// An array of objects as a table of the report.
static void print_part(json_t *result, const char *key, const char *title, bool markdown, FILE *out)
{
	json_t *rows = json_object_get(result, key);
	char text[VALUE_MAX];
	const char *column;
	size_t i;
	json_t *row, *v, *first = json_array_get(rows, 0);

	fprintf(out, markdown ? "\n## %s\n\n" : "\n%s\n", title);
	if (first == NULL) {
		fputs(markdown ? "None.\n" : "  none\n", out);
		return;
	}
	if (!markdown) {
		print_table(rows, 2, out);
		return;
	}
	json_object_foreach(first, column, v)
	{
		fprintf(out, "| %s ", column);
	}
	fputs("|\n", out);
	for (size_t n = json_object_size(first); n != 0; n--)
		fputs("| --- ", out);
	fputs("|\n", out);
	json_array_foreach(rows, i, row)
	{
		json_object_foreach(row, column, v)
		{
			fprintf(out, "| %s ", show(v, text));
		}
		fputs("|\n", out);
	}
}

// Members of an object as one line each.
static void print_figures(json_t *result, const char *key, const char *title, bool markdown,
			  FILE *out)
{
	char text[VALUE_MAX];
	const char *name;
	json_t *v;

	fprintf(out, markdown ? "\n## %s\n\n" : "\n%s\n", title);
	json_object_foreach(json_object_get(result, key), name, v)
	{
		fprintf(out, markdown ? "- %s: %s\n" : "  %-28s  %s\n", name, show(v, text));
	}
}

// A character of a peer's message; what would move a terminal's cursor is '?'. Returns its bytes.
static size_t put_shown(const char *p, FILE *out)
{
	unsigned char c = (unsigned char)p[0], next = (unsigned char)p[c != 0];
	bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;

	fputc((c < 0x20 && c != '\t') || c == 0x7f || c1 ? '?' : c, out);
	return c1 ? 2 : 1;
}

// Indented by four: Markdown's code, from which nothing gets out.
static void print_message(const char *p, FILE *out)
{
	while (p != NULL && *p != 0) {
		fputs("    ", out);
		while (*p != 0 && *p != '\n')
			p += p[0] == '\r' && p[1] == '\n' ? 1 : put_shown(p, out);
		p += *p == '\n';
		fputc('\n', out);
	}
}

// A sample of each departure that has one, taken out of the rows.
static json_t *take_samples(json_t *rows)
{
	json_t *samples = json_array(), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_t *sample = json_incref(json_object_get(row, "sample"));

		json_object_del(row, "sample");
		if (json_is_object(sample)) {
			json_object_set(sample, "rfc", json_object_get(row, "rfc"));
			json_object_set(sample, "what", json_object_get(row, "what"));
			json_array_append(samples, sample);
		}
		json_decref(sample);
	}
	return samples;
}

static void print_samples(json_t *samples, bool markdown, FILE *out)
{
	char text[VALUE_MAX];
	json_t *sample;
	size_t i;

	json_array_foreach(samples, i, sample)
	{
		fprintf(out, markdown ? "\n### %s" : "\n%s",
			show(json_object_get(sample, "rfc"), text));
		fprintf(out, ": %s\n\n", show(json_object_get(sample, "what"), text));
		fprintf(out, "Seen at %s", show(json_object_get(sample, "at"), text));
		fprintf(out, ", sent by %s%s:\n\n", show(json_object_get(sample, "from"), text),
			json_is_true(json_object_get(sample, "cut")) ? ", cut" : "");
		print_message(json_string_value(json_object_get(sample, "message")), out);
	}
}

void vergectl_print_report(json_t *result, bool markdown, FILE *out)
{
	json_t *samples = take_samples(json_object_get(result, "violations"));
	char a[VALUE_MAX], b[VALUE_MAX];

	fprintf(out, markdown ? "# Session timers on trunk %s\n\n" : "Session timers on trunk %s\n",
		show(json_object_get(result, "trunk"), a));
	fprintf(out, "Seen from %s", show(json_object_get(result, "from"), a));
	fprintf(out, " to %s", show(json_object_get(result, "to"), a));
	fprintf(out, " in %s answered calls; interval proposed %s s",
		show(json_object_get(result, "calls_answered"), a),
		show(json_object_get(result, "interval_s"), b));
	fprintf(out, ", least accepted by the peer %s s.\n",
		show(json_object_get(result, "peer_min_se_s"), a));
	print_part(result, "capabilities", "What works", markdown, out);
	print_figures(result, "negotiated", "What was negotiated", markdown, out);
	print_figures(result, "refreshes", "Refreshes", markdown, out);
	print_figures(result, "round_trip", "Round trip of refreshes", markdown, out);
	print_figures(result, "answers", "Answers to refreshes", markdown, out);
	print_part(result, "violations", "Where it departs from the RFC", markdown, out);
	print_samples(samples, markdown, out);
	json_decref(samples);
	print_part(result, "suggestions", "Suggested settings", markdown, out);
}
