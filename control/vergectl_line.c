// SPDX-License-Identifier: BSD-3-Clause
// Rows of commands.def as grammar: lower-case words stand for themselves, others are values; "a|b"
// is one of them; "[--option VALUE]" and "[--flag]" may stand anywhere, "--option VALUE" must. A
// last word "VALUE..." stands for one or more.
#include "control/vergectl_line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 20
#define TOKEN_MAX 80

static const struct row {
	const char *id, *arguments, *help;
} rows[] = {
#define COMMAND(id, arguments, help) {#id, arguments, help},
#include "control/commands.def"
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

// Options whose value is a number; all others are text.
static const char *const numbers[] = {"--over", "--limit", "--at-risk"};

struct words {
	const char *list[WORDS_MAX];
	unsigned n;
	int options[64]; // argv indices
	unsigned n_options;
	bool help;
};

static int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("vergectl: ", stderr);
	// NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() above
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return -1;
}

// The length of what stands at p: a word, or an option with its value.
static size_t token_length(const char *p)
{
	size_t len = strcspn(p, " ");

	if (*p == '[')
		return strcspn(p, "]") + 1;
	return *p == '-' ? len + 1 + strcspn(p + len + 1, " ") : len;
}

static bool repeats(const char *token, size_t len)
{
	return len > 3 && strncmp(token + len - 3, "...", 3) == 0;
}

// The i-th word of a row that is no option; false: there are not so many.
static bool token_of(const struct row *row, unsigned i, char token[TOKEN_MAX])
{
	const char *p = row->arguments;

	while (*p != 0) {
		size_t len = token_length(p);

		if (*p != '[' && *p != '-' && (i-- == 0 || repeats(p, len))) {
			snprintf(token, TOKEN_MAX, "%.*s", (int)len, p);
			return true;
		}
		p += len + (p[len] == ' ');
	}
	return false;
}

static bool is_literal(const char *token)
{
	return token[strcspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ|")] == 0;
}

// Whether a row has the words given as its first ones; *whole: it has no more.
static bool row_begins(const struct row *row, const struct words *w, bool *whole)
{
	char token[TOKEN_MAX];

	for (unsigned i = 0; i < w->n; i++)
		if (!token_of(row, i, token) ||
		    (is_literal(token) && strcmp(token, w->list[i]) != 0))
			return false;
	*whole = !token_of(row, w->n, token) ||
		 (w->n != 0 && repeats(token, strlen(token)) && token_of(row, w->n - 1, token) &&
		  repeats(token, strlen(token)));
	return true;
}

static void print_row(const struct row *row, FILE *to)
{
	enum { COLUMN = 44 };
	const char *help = row->help;
	size_t len = strlen(row->arguments), left = 100 - COLUMN - 2;

	fprintf(to, "  %s", row->arguments);
	fprintf(to, len <= COLUMN - 2 ? "%*s" : "\n%*s  ",
		len <= COLUMN - 2 ? (int)(COLUMN - len) : COLUMN, "");
	while (strlen(help) > left) { // at a space
		size_t cut = left;

		while (cut > 1 && help[cut] != ' ')
			cut--;
		fprintf(to, "%.*s\n%*s", (int)cut, help, COLUMN + 2, "");
		help += cut + (help[cut] == ' ');
	}
	fprintf(to, "%s\n", help);
}

// The rows that begin with the words given; all if none does.
static void usage(const struct words *w, FILE *to)
{
	struct words first = *w;
	unsigned n = 0;
	bool whole;

	for (first.n = w->n < 2 ? w->n : 2; first.n != 0 && n == 0; first.n -= n == 0)
		for (size_t i = 0; i < ROWS; i++)
			n += row_begins(&rows[i], &first, &whole);
	fputs("usage: vergectl [-s SOCKET] [--json] COMMAND\n", to);
	for (size_t i = 0; i < ROWS; i++)
		if (n == 0 || row_begins(&rows[i], &first, &whole))
			print_row(&rows[i], to);
	if (n == 0)
		fputs("  help [COMMAND]                              this text, or the part of it "
		      "about a "
		      "command\n"
		      "SOCKET is $VERGE_SOCKET or " VERGECTL_SOCKET
		      " if it is not given. --json prints "
		      "the answer as it came.\n"
		      "Exit status: 0 done, 1 refused, 2 usage, 3 verge is not running.\n",
		      to);
}

// Where an option stands in a row, behind its name; NULL: the row does not have it.
static const char *option_of(const struct row *row, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = strstr(row->arguments, name); p != NULL; p = strstr(p + 1, name))
		if (strchr(" [|", p[-1]) != NULL && strchr(" ]|", p[len]) != NULL)
			return p + len;
	return NULL;
}

static bool has_value(const char *name)
{
	for (size_t i = 0; i < ROWS; i++) {
		const char *p = option_of(&rows[i], name);

		if (p != NULL)
			return *p == ' ';
	}
	return false;
}

// Words and options apart. False after saying what is wrong.
static bool sort_words(struct vergectl_line *line, struct words *w, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			line->json = true;
		} else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			w->help = true;
		} else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc) {
			line->socket = argv[++i];
		} else if (argv[i][0] == '-' && argv[i][1] != 0) {
			if (w->n_options == sizeof(w->options) / sizeof(w->options[0]))
				return complain("too many options") == 0;
			w->options[w->n_options++] = i;
			if (has_value(argv[i]) && ++i == argc)
				return complain("%s needs a value", argv[i - 1]) == 0;
		} else if (w->n == WORDS_MAX) {
			return complain("too many words") == 0;
		} else {
			w->list[w->n++] = argv[i];
		}
	}
	if (w->n != 0 && strcmp(w->list[0], "help") == 0) {
		w->help = true;
		memmove(w->list, w->list + 1, --w->n * sizeof(w->list[0]));
	}
	return true;
}

// Whether a value is one of "a|b|c"; alternatives with capitals stand for anything, A=B for what
// has a "=".
static bool is_one_of(const char *alternatives, size_t len, const char *value)
{
	const char *end = alternatives + len;

	for (const char *p = alternatives; p < end;) {
		size_t n = strcspn(p, "|] ");

		if (strcspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") < n &&
		    (memchr(p, '=', n) == NULL || strchr(value, '=') != NULL))
			return true;
		if (strlen(value) == n && strncmp(p, value, n) == 0)
			return true;
		p += n + 1;
	}
	return false;
}

// Text from the command line may be anything: what is not UTF-8 is no request.
static int put_text(json_t *request, const char *key, const char *text)
{
	if (json_object_set_new(request, key, json_string(text)) == 0)
		return 0;
	return complain("\"%s\" is not UTF-8", text);
}

static int put_number(json_t *request, const char *key, const char *text)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno != 0 || *end != 0 || end == text || v < 0)
		return complain("\"%s\" is no whole number", text);
	return json_object_set_new(request, key, json_integer(v));
}

// verge has its own working directory: it gets a file from / on.
static int put_file(json_t *request, const char *file)
{
	char path[4096];
	char *here = file[0] == '/' ? NULL : getcwd(NULL, 0);

	snprintf(path, sizeof(path), "%s%s%s", here != NULL ? here : "", here != NULL ? "/" : "",
		 file);
	free(here);
	return put_text(request, "file", path);
}

// The message goes with the request: verge need not be able to read the file.
static int put_message(json_t *request, const char *file)
{
	static char text[8192];
	FILE *f = fopen(file, "rb");
	size_t n = f != NULL ? fread(text, 1, sizeof(text), f) : 0;

	if (f != NULL)
		fclose(f);
	if (n == 0 || n == sizeof(text))
		return complain("%s is empty, too long, or cannot be read", file);
	return json_object_set_new(request, "message", json_stringn(text, n));
}

static int put_assignment(json_t *request, const char *text)
{
	const char *value = strchr(text, '=');
	char key[TOKEN_MAX];

	if (value == NULL || (size_t)(value - text) >= sizeof(key))
		return complain("\"%s\" is not KEY=VALUE", text);
	snprintf(key, sizeof(key), "%.*s", (int)(value - text), text);
	return put_text(request, "key", key) != 0 || put_text(request, "value", value + 1) != 0 ? -1
												: 0;
}

static int put_change(json_t *request, const char *text)
{
	json_t *list = json_object_get(request, "changes"), *change = json_string(text);

	if (change == NULL)
		return complain("\"%s\" is not UTF-8", text);
	if (list == NULL) {
		list = json_array();
		json_object_set_new(request, "changes", list);
	}
	return json_array_append_new(list, change);
}

static int put_word(json_t *request, const char *token, const char *word)
{
	static const struct {
		const char *token, *key;
	} keys[] = {{"T", "trunk"}, {"CALL-ID", "call_id"}};

	if (is_literal(token))
		return 0;
	if (strcmp(token, "KEY=VALUE") == 0)
		return put_assignment(request, word);
	if (strcmp(token, "CHANGE...") == 0)
		return put_change(request, word);
	if (strncmp(token, "FILE", 4) == 0)
		return put_file(request, word);
	if (strcmp(token, "MESSAGE") == 0)
		return put_message(request, word);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(token, keys[i].token) == 0)
			return put_text(request, keys[i].key, word);
	if (!is_one_of(token, strlen(token), word))
		return complain("\"%s\" is none of %s", word, token);
	return put_text(request, "level", word);
}

static int put_option(json_t *request, const struct row *row, char **at)
{
	const char *p = option_of(row, at[0]);
	char key[TOKEN_MAX];

	if (p == NULL)
		return complain("%s is no option of \"%s\"", at[0], row->arguments);
	snprintf(key, sizeof(key), "%s", at[0] + strspn(at[0], "-"));
	for (char *c = key; *c != 0; c++)
		*c = (char)(*c == '-' ? '_' : *c);
	if (*p != ' ')
		return json_object_set_new(request, key, json_true());
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(at[0], numbers[i]) == 0)
			return put_number(request, key, at[1]);
	if (!is_one_of(p + 1, strcspn(p + 1, " ]"), at[1]))
		return complain("%s is \"%s\"; it must be %.*s", at[0], at[1],
				(int)strcspn(p + 1, " ]"), p + 1);
	return put_text(request, key, at[1]);
}

// Options without brackets are there.
static int has_needed(const struct row *row, const struct words *w, char **argv)
{
	for (const char *p = row->arguments; *p != 0; p += token_length(p), p += *p == ' ') {
		size_t len = strcspn(p, " ");
		bool given = false;

		if (*p != '-')
			continue;
		for (unsigned i = 0; i < w->n_options; i++)
			given |= strlen(argv[w->options[i]]) == len &&
				 strncmp(argv[w->options[i]], p, len) == 0;
		if (!given)
			return complain("%.*s is needed", (int)len, p);
	}
	return 0;
}

static int fill(struct vergectl_line *line, const struct row *row, const struct words *w,
		char **argv)
{
	char token[TOKEN_MAX];

	line->id = row->id;
	if (put_text(line->request, "command", row->id) != 0)
		return -1;
	for (unsigned i = 0; i < w->n; i++)
		if (!token_of(row, i, token) || put_word(line->request, token, w->list[i]) != 0)
			return -1;
	for (unsigned i = 0; i < w->n_options; i++)
		if (put_option(line->request, row, argv + w->options[i]) != 0)
			return -1;
	return has_needed(row, w, argv);
}

// No row has these words: too few, or others than there are.
static void complain_of(const struct words *w)
{
	bool whole, begins = false;
	char text[400];
	size_t at = 0;

	for (size_t i = 0; i < ROWS; i++)
		begins |= row_begins(&rows[i], w, &whole);
	text[0] = 0;
	for (unsigned i = 0; i < w->n && at < sizeof(text); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i != 0 ? " " : "",
				       w->list[i]);
	if (begins)
		complain("something is missing behind \"%s\"", text);
	else
		complain("there is no command \"%s\"", text);
}

int vergectl_read(struct vergectl_line *line, int argc, char **argv)
{
	struct words w = {0};
	const struct row *found = NULL;
	bool whole, ok = sort_words(line, &w, argc, argv);

	if (ok && w.help) {
		usage(&w, stdout);
		return 1;
	}
	for (size_t i = 0; ok && w.n != 0 && i < ROWS; i++)
		if (row_begins(&rows[i], &w, &whole) && whole)
			found = &rows[i];
	if (ok && found == NULL && w.n != 0)
		complain_of(&w);
	if (found != NULL && fill(line, found, &w, argv) == 0)
		return 0;
	usage(&w, stderr);
	return -1;
}
