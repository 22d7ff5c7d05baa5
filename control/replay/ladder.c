// SPDX-License-Identifier: BSD-3-Clause
// The ladder of a call as text and as SVG. See telling.h.
#include <string.h>

#include "control/replay/telling.h"

#define CELL 46 // columns between two lines of the text

static char mark_of(const struct both *b)
{
	if (b->was == NULL)
		return '+';
	if (b->is == NULL)
		return '-';
	return telling_same(b) ? ' ' : '~';
}

// What a row says: its label, timers, and where they differ what they were.
static void say(char *text, size_t size, const struct both *b)
{
	const struct row *r = both_row(b);

	snprintf(text, size, "%s%s%s%s",
		 r->lane > 1 ? (const char *[]){"[2] ", "[3] ", "[4] "}[r->lane - 2] : "", r->label,
		 r->detail[0] != '\0' ? " " : "", r->detail);
	if (b->was != NULL && b->is != NULL && strcmp(b->was->detail, b->is->detail) != 0)
		snprintf(text + strlen(text), size - strlen(text), " (was %s)",
			 b->was->detail[0] != '\0' ? b->was->detail : "none");
	if (b->is != NULL && b->is->assumed)
		snprintf(text + strlen(text), size - strlen(text), " ?");
}

// An arrow of CELL columns with the words in it, longer where they are.
static void put_arrow(FILE *to, const char *words, bool right)
{
	int room = CELL - 4 - (int)strlen(words);

	fputs(right ? "-" : "<-", to);
	fprintf(to, " %s ", words);
	for (int i = 0; i < room - 1; i++)
		fputc('-', to);
	if (right)
		fputs(room > 0 ? "->" : ">", to);
	else if (room > 0)
		fputc('-', to);
}

void telling_text(FILE *to, const struct telling *t, const struct both *b, uint32_t n)
{
	fprintf(to, "  %12s   %-*s %-*s %s\n", "s", CELL - 6,
		t->lane[0] != NULL ? t->lane[0] : "caller", CELL - 1, "     verge",
		t->lane[1] != NULL ? t->lane[1] : "");
	for (uint32_t i = 0; i < n; i++) {
		const struct row *r = both_row(&b[i]);
		char words[256];

		say(words, sizeof(words), &b[i]);
		fprintf(to, "%c %12.3f   |", mark_of(&b[i]), (double)r->us / 1e6);
		if (r->lane == 0) {
			put_arrow(to, words, !r->out);
			fputs("|\n", to);
		} else {
			fprintf(to, "%*s|", CELL, "");
			put_arrow(to, words, r->out);
			fputs("|\n", to);
		}
	}
}

static void put_escaped(FILE *to, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '<')
			fputs("&lt;", to);
		else if (c == '>')
			fputs("&gt;", to);
		else if (c == '&')
			fputs("&amp;", to);
		else
			fputc(c < 32 || c > 126 ? '?' : c, to);
	}
}

static void put_words(FILE *to, int x, int y, const char *anchor, const char *text)
{
	fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">", x, y, anchor);
	put_escaped(to, text);
	fputs("</text>\n", to);
}

static const char *colour_of(const struct both *b)
{
	switch (mark_of(b)) {
	case '+':
		return "#0a7d32";
	case '-':
		return "#b3261e";
	case '~':
		return "#9a6700";
	default:
		return "#222";
	}
}

static void put_svg_row(FILE *to, const struct both *b, const struct row *r, int y)
{
	const char *colour = colour_of(b);
	int left = r->lane == 0 ? 120 : 460, right = left + 340;
	bool rightward = (r->lane == 0) != r->out;
	char words[256], at[32];

	say(words, sizeof(words), b);
	snprintf(at, sizeof(at), "%c %.3f", mark_of(b), (double)r->us / 1e6);
	fprintf(to, "<g fill=\"%s\" stroke=\"none\">", colour);
	put_words(to, 105, y + 4, "end", at);
	put_words(to, (left + right) / 2, y - 4, "middle", words);
	fprintf(to, "<path stroke=\"%s\"%s d=\"M%d %dH%d\" marker-end=\"url(#a)\"/></g>\n", colour,
		b->is == NULL || r->assumed ? " stroke-dasharray=\"5 3\"" : "",
		rightward ? left : right, y, rightward ? right - 2 : left + 2);
}

void telling_svg(FILE *to, const struct telling *t, const struct both *b, uint32_t n,
		 const char *title)
{
	int height = 80 + 26 * (int)n;
	static const int lines[] = {120, 460, 800};

	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"920\" height=\"%d\" "
		"font-family=\"monospace\" font-size=\"11\">\n"
		"<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
		"markerWidth=\"8\" "
		"markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		height);
	put_words(to, 10, 16, "start", title);
	put_words(to, lines[0], 40, "middle", t->lane[0] != NULL ? t->lane[0] : "caller");
	put_words(to, lines[1], 40, "middle", "verge");
	put_words(to, lines[2], 40, "middle", t->lane[1] != NULL ? t->lane[1] : "callee");
	for (int i = 0; i < 3; i++)
		fprintf(to, "<path stroke=\"#888\" d=\"M%d 48V%d\"/>\n", lines[i], height - 10);
	for (uint32_t i = 0; i < n; i++)
		put_svg_row(to, &b[i], both_row(&b[i]), 74 + 26 * (int)i);
	fputs("</svg>\n", to);
}
