// SPDX-License-Identifier: BSD-3-Clause
// A case file into steps.
// One thread of a test program.
#include "script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX   4000
#define DETAILS_MAX 80
#define NESTING_MAX 8

struct reader {
	struct arena *arena;
	struct script *script;
	int line;
	const char *folder; // of the file, with its slash; empty: the present one
	bool in_config;
	int config_indent;
	const char *details[DETAILS_MAX];
};

int script_words(struct arena *a, const char *text, const char *words[STEP_WORDS_MAX])
{
	int n = 0;

	while (n < STEP_WORDS_MAX) {
		size_t len = 0;

		text += strspn(text, " \t");
		if (*text == '\0')
			break;
		while (text[len] != '\0' && text[len] != ' ' && text[len] != '\t') {
			if (text[len] == '"') {
				const char *end = strchr(text + len + 1, '"');

				len = end != NULL ? (size_t)(end - text) : strlen(text) - 1;
			}
			len++;
		}
		words[n++] = arena_strndup(a, text, len);
		text += len;
	}
	// quotes hold a word together and are not part of it
	for (int i = 0; i < n; i++) {
		char *to = arena_strdup(a, words[i]);
		const char *from = words[i];

		words[i] = to;
		for (; *from != '\0'; from++)
			if (*from != '"')
				*to++ = *from;
		*to = '\0';
	}
	return n;
}

static void fail(struct reader *r, const char *what)
{
	if (r->script->error == NULL)
		r->script->error = arena_printf(r->arena, "line %d: %s", r->line, what);
}

static struct step *add_step(struct reader *r, const char *text)
{
	struct script *s = r->script;
	struct step *step;

	if (s->n_steps == STEPS_MAX) {
		fail(r, "too many steps");
		return &s->steps[STEPS_MAX - 1];
	}
	step = &s->steps[s->n_steps++];
	step->line = r->line;
	step->text = arena_strdup(r->arena, text);
	step->n_words = script_words(r->arena, text, step->words);
	return step;
}

static void add_detail(struct reader *r, struct step *step, const char *text)
{
	const char **details;

	if (step->n_details == DETAILS_MAX) {
		fail(r, "too many lines below this step");
		return;
	}
	details = arena_alloc(r->arena, sizeof(*details) * (size_t)(step->n_details + 1));
	if (step->n_details != 0)
		memcpy(details, step->details, sizeof(*details) * (size_t)step->n_details);
	details[step->n_details++] = arena_strdup(r->arena, text);
	step->details = details;
}

// The details of a macro that begin with prefix, without it, below a new step.
static void expand(struct reader *r, const struct step *macro, const char *text, const char *prefix)
{
	struct step *step = add_step(r, text);
	size_t len = strlen(prefix);

	step->line = macro->line;
	for (int i = 0; len != 0 && i < macro->n_details; i++)
		if (strncmp(macro->details[i], prefix, len) == 0)
			add_detail(r, step,
				   macro->details[i] + len + strspn(macro->details[i] + len, " "));
}

// call [X [Y]]: X calls Y, who rings and answers. Lines below: "X: header" in the INVITE, "Y:
// header" in the 200, "X<: check" of the 200, "Y<: check" of the INVITE, "X!: header" in the ACK.
static void expand_call(struct reader *r, const struct step *m)
{
	struct arena *a = r->arena;
	const char *x = m->n_words > 1 ? m->words[1] : "A", *y = m->n_words > 2 ? m->words[2] : "B";
	const char *xs = arena_strndup(a, x, strcspn(x, "/")),
		   *ys = arena_strndup(a, y, strcspn(y, "/"));

	expand(r, m, arena_printf(a, "%s > INVITE", x), arena_printf(a, "%s:", xs));
	expand(r, m, arena_printf(a, "%s < 100", x), "");
	expand(r, m, arena_printf(a, "%s < INVITE", y), arena_printf(a, "%s<:", ys));
	expand(r, m, arena_printf(a, "%s > 180", y), "");
	expand(r, m, arena_printf(a, "%s < 180", x), "");
	expand(r, m, arena_printf(a, "%s > 200", y), arena_printf(a, "%s:", ys));
	expand(r, m, arena_printf(a, "%s < 200", x), arena_printf(a, "%s<:", xs));
	expand(r, m, arena_printf(a, "%s > ACK", x), arena_printf(a, "%s!:", xs));
	expand(r, m, arena_printf(a, "%s < ACK", y), "");
}

// hangup X [Y]: X sends BYE, Y answers it.
static void expand_hangup(struct reader *r, const struct step *m)
{
	struct arena *a = r->arena;
	const char *x = m->n_words > 1 ? m->words[1] : "A";
	const char *y = m->n_words > 2 ? m->words[2] : x[0] == 'A' ? "B" : "A";

	expand(r, m, arena_printf(a, "%s > BYE", x), ">");
	expand(r, m, arena_printf(a, "%s < 200", x), "");
	expand(r, m, arena_printf(a, "%s < BYE", y), "<");
	expand(r, m, arena_printf(a, "%s > 200", y), "");
}

static void expand_macros(struct reader *r)
{
	struct script *s = r->script;
	struct step *from = s->steps;
	int n = s->n_steps, open[NESTING_MAX], depth = 0;

	s->steps = arena_alloc(r->arena, sizeof(*s->steps) * STEPS_MAX);
	s->n_steps = 0;
	for (int i = 0; i < n; i++) {
		r->line = from[i].line;
		if (strcmp(from[i].words[0], "call") == 0)
			expand_call(r, &from[i]);
		else if (strcmp(from[i].words[0], "hangup") == 0)
			expand_hangup(r, &from[i]);
		else if (s->n_steps < STEPS_MAX)
			s->steps[s->n_steps++] = from[i];
	}
	for (int i = 0; i < s->n_steps; i++) {
		r->line = s->steps[i].line;
		if (strcmp(s->steps[i].words[0], "repeat") == 0 && depth < NESTING_MAX) {
			open[depth++] = i;
		} else if (strcmp(s->steps[i].words[0], "done") == 0) {
			if (depth == 0) {
				fail(r, "done without repeat");
				return;
			}
			s->steps[i].match = open[--depth];
			s->steps[open[depth]].match = i;
		}
	}
	if (depth != 0)
		fail(r, "repeat without done");
}

// Header lines stand before the first step. Returns false if this is none.
static bool read_header(struct reader *r, const char *line)
{
	struct script *s = r->script;
	const char *value = strchr(line, ':');

	if (value == NULL || s->n_steps != 0)
		return false;
	value += 1 + strspn(value + 1, " ");
	if (strncmp(line, "proves:", 7) == 0) {
		s->proves = arena_strdup(r->arena, value);
	} else if (strncmp(line, "shows:", 6) == 0) {
		s->shows = arena_strdup(r->arena, value);
	} else if (strncmp(line, "peer:", 5) == 0) {
		if (s->n_peers == SCRIPT_PEERS_MAX)
			fail(r, "too many peers");
		else
			s->peers[s->n_peers++] = arena_strdup(r->arena, value);
	} else if (strncmp(line, "config:", 7) == 0) {
		r->in_config = true;
		conf_begin(s->conf);
	} else {
		return false;
	}
	return true;
}

// $here is the folder of the case: where files stand that its configuration imports.
static const char *with_folder(struct reader *r, const char *line)
{
	const char *at = strstr(line, "$here/");

	return at == NULL ? line
			  : arena_printf(r->arena, "%.*s%s%s", (int)(at - line), line, r->folder,
					 at + strlen("$here/"));
}

static void read_line(struct reader *r, char *line)
{
	struct script *s = r->script;
	size_t indent = strspn(line, " \t"), len = strlen(line);

	while (len > indent &&
	       (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
		line[--len] = '\0';
	if (line[indent] == '\0' || line[indent] == '#')
		return;
	if (indent == 0) {
		r->in_config = false;
		if (!read_header(r, line))
			add_step(r, line);
	} else if (r->in_config) {
		// below `config:` the text is YAML; its own indentation is kept
		if (conf_line(s->conf, with_folder(r, line)) != 0)
			fail(r, "not a line of YAML that conf.h reads");
	} else if (s->n_steps == 0) {
		fail(r, "an indented line before the first step");
	} else {
		struct step *step = &s->steps[s->n_steps - 1];

		if (step->n_details == 0)
			step->indent = (int)indent;
		add_detail(r, step,
			   line + (indent < (size_t)step->indent ? indent : (size_t)step->indent));
	}
}

static struct script *script_parse(struct arena *a, const char *name, const char *folder,
				   const char *text)
{
	struct script *s = arena_alloc(a, sizeof(*s));
	struct reader r = {.arena = a, .script = s, .folder = folder};

	s->name = arena_strdup(a, name);
	s->proves = s->shows = "";
	s->conf = conf_new(a);
	s->steps = arena_alloc(a, sizeof(*s->steps) * STEPS_MAX);
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		r.line++;
		read_line(&r, arena_strndup(a, text, n));
		text += n + (text[n] == '\n');
	}
	expand_macros(&r);
	if (s->error == NULL && (s->proves[0] == '\0' || s->shows[0] == '\0'))
		s->error = "the header lacks proves: or shows:";
	if (s->error == NULL && s->n_steps == 0)
		s->error = "there is no step";
	return s;
}

struct script *script_read(struct arena *a, const char *path)
{
	const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	const char *dot = strrchr(base, '.');
	char *name = arena_strndup(a, base, dot != NULL ? (size_t)(dot - base) : strlen(base));
	FILE *f = fopen(path, "r");
	char *text;
	long size;

	if (f == NULL) {
		struct script *s = script_parse(a, name, "", "");

		s->error = arena_printf(a, "%s: cannot be read (errno %d)", path, errno);
		return s;
	}
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	text = arena_alloc(a, (size_t)size + 1);
	text[fread(text, 1, (size_t)size, f)] = '\0';
	fclose(f);
	return script_parse(a, name, arena_strndup(a, path, (size_t)(base - path)), text);
}
