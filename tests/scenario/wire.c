// SPDX-License-Identifier: BSD-3-Clause
// SIP as the peers of the scenarios read it (RFC 3261 s7, s20, s25).
// One thread of a test program. Strict where verge has to be right: CRLF everywhere, Content-Length
// exact, no byte behind the body.
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	char letter;
	const char *name;
} compact_names[] = {
	{'v', "Via"},	       {'f', "From"},	     {'t', "To"},
	{'i', "Call-ID"},      {'m', "Contact"},     {'l', "Content-Length"},
	{'c', "Content-Type"}, {'k', "Supported"},   {'x', "Session-Expires"},
	{'r', "Refer-To"},     {'b', "Referred-By"}, {'o', "Event"},
	{'u', "Allow-Events"}, {'s', "Subject"},     {'e', "Content-Encoding"},
};

const char *wire_long_name(const char *name)
{
	if (name[0] == '\0' || name[1] != '\0')
		return name;
	for (size_t i = 0; i < sizeof(compact_names) / sizeof(compact_names[0]); i++)
		if (strncasecmp(name, &compact_names[i].letter, 1) == 0)
			return compact_names[i].name;
	return name;
}

const char *wire_nth(const struct wire *w, const char *name, int n)
{
	for (int i = 0; i < w->n_fields; i++)
		if (strcasecmp(w->field[i].name, name) == 0 && n-- == 0)
			return w->field[i].value;
	return NULL;
}

const char *wire_get(const struct wire *w, const char *name)
{
	return wire_nth(w, name, 0);
}

// The end of what is in "" or <> or one character: parameters are looked for outside only.
static const char *skip_quoted(const char *s)
{
	char end = *s == '"' ? '"' : *s == '<' ? '>' : '\0';

	if (end == '\0')
		return s + 1;
	for (s++; *s != '\0' && *s != end; s++)
		if (end == '"' && *s == '\\' && s[1] != '\0')
			s++;
	return *s != '\0' ? s + 1 : s;
}

const char *wire_param(struct arena *a, const char *value, const char *name)
{
	size_t len = strlen(name);

	for (const char *s = value; *s != '\0' && *s != ','; s = skip_quoted(s)) {
		const char *p = s + 1, *end;

		if (*s != ';')
			continue;
		p += strspn(p, " \t");
		if (strncasecmp(p, name, len) != 0)
			continue;
		p += len;
		p += strspn(p, " \t");
		if (*p == ';' || *p == '\0' || *p == ',')
			return "";
		if (*p != '=')
			continue;
		p++;
		p += strspn(p, " \t");
		end = p;
		while (*end != '\0' && *end != ';' && *end != ',' && *end != ' ')
			end = skip_quoted(end);
		return arena_strndup(a, p, (size_t)(end - p));
	}
	return NULL;
}

const char *wire_uri(struct arena *a, const char *value)
{
	const char *s = value, *end;

	while (*s != '\0' && *s != '<')
		s = *s == '"' ? skip_quoted(s) : s + 1;
	if (*s == '<') {
		end = strchr(s, '>');
		return end != NULL ? arena_strndup(a, s + 1, (size_t)(end - s - 1)) : "";
	}
	return arena_strndup(a, value, strcspn(value, "; ,\t"));
}

bool wire_lists(const char *value, const char *token)
{
	size_t len = strlen(token);

	while (value != NULL && *value != '\0') {
		size_t n;

		value += strspn(value, " \t,");
		n = strcspn(value, " \t,;");
		if (n == len && strncasecmp(value, token, len) == 0)
			return true;
		value += strcspn(value, ",");
	}
	return false;
}

long wire_number(const char *value)
{
	char *end;
	long v = strtol(value, &end, 10);

	return end != value ? v : -1;
}

static bool read_start_line(struct wire *w, struct arena *a, char *line)
{
	char *sp = strchr(line, ' '), *sp2 = sp != NULL ? strchr(sp + 1, ' ') : NULL;

	if (sp == NULL)
		return false;
	*sp++ = '\0';
	if (strcmp(line, "SIP/2.0") == 0) {
		w->status = (int)wire_number(sp);
		w->reason = sp2 != NULL ? sp2 + 1 : "";
		return w->status >= 100 && w->status <= 699 && sp2 == sp + 3;
	}
	if (sp2 == NULL || strcmp(sp2 + 1, "SIP/2.0") != 0)
		return false;
	*sp2 = '\0';
	w->request = true;
	w->method = arena_strdup(a, line);
	w->uri = arena_strdup(a, sp);
	return true;
}

static bool add_field(struct wire *w, char *line)
{
	char *colon = strchr(line, ':'), *name_end, *value, *value_end;

	if (colon == NULL || colon == line || w->n_fields == w->max_fields)
		return false;
	name_end = colon;
	while (name_end > line && (name_end[-1] == ' ' || name_end[-1] == '\t'))
		name_end--;
	*name_end = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	value_end = value + strlen(value);
	while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
		value_end--;
	*value_end = '\0';
	w->field[w->n_fields++] =
		(struct wire_field){wire_long_name(line), value, wire_long_name(line) != line};
	return true;
}

static const char *read_known(struct wire *w, struct arena *a)
{
	const char *cseq = wire_get(w, "CSeq"), *via = wire_get(w, "Via"),
		   *from = wire_get(w, "From"), *to = wire_get(w, "To"), *method;
	long number;

	w->call_id = wire_get(w, "Call-ID");
	if (cseq == NULL || via == NULL || from == NULL || to == NULL || w->call_id == NULL)
		return "one of Via, From, To, Call-ID, CSeq is missing";
	number = wire_number(cseq);
	method = strchr(cseq, ' ');
	if (number < 0 || method == NULL)
		return "CSeq is malformed";
	w->cseq = (uint32_t)number;
	method += strspn(method, " \t");
	if (w->request && strcmp(w->method, method) != 0)
		return "CSeq names another method";
	w->method = method;
	w->branch = wire_param(a, via, "branch");
	if (w->branch == NULL)
		return "Via has no branch";
	w->from_tag = wire_param(a, from, "tag");
	w->to_tag = wire_param(a, to, "tag");
	w->from_tag = w->from_tag != NULL ? w->from_tag : "";
	w->to_tag = w->to_tag != NULL ? w->to_tag : "";
	return NULL;
}

// One line of the head, ended by CRLF; NULL at the end or when it is not.
static char *next_line(char **at)
{
	char *line = *at, *end = strstr(line, "\r\n");

	if (end == NULL)
		return NULL;
	*end = '\0';
	*at = end + 2;
	return line;
}

struct wire *wire_parse(struct arena *a, const uint8_t *bytes, uint32_t len, const char **why)
{
	struct wire *w = arena_alloc(a, sizeof(*w));
	char *text = arena_strndup(a, (const char *)bytes, len), *at = text, *line;
	const char *length;

	w->bytes = (const uint8_t *)arena_strndup(a, text, len);
	w->len = len;
	for (const char *at_line = text; (at_line = strstr(at_line, "\r\n")) != NULL; at_line += 2)
		w->max_fields++;
	w->field = arena_alloc(a, sizeof(*w->field) * (size_t)(w->max_fields + 1));
	*why = "the start line is malformed";
	line = next_line(&at);
	if (line == NULL || !read_start_line(w, a, line))
		return NULL;
	*why = "a header line is malformed";
	while ((line = next_line(&at)) != NULL && *line != '\0')
		if (!add_field(w, line))
			return NULL;
	*why = "no blank line ends the header";
	if (line == NULL)
		return NULL;
	w->body = at;
	w->body_len = len - (uint32_t)(at - text);
	length = wire_get(w, "Content-Length");
	*why = "Content-Length is missing or not the length of the body";
	if (length == NULL || wire_number(length) != (long)w->body_len)
		return NULL;
	*why = read_known(w, a);
	return *why == NULL ? w : NULL;
}
