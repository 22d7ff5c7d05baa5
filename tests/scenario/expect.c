// SPDX-License-Identifier: BSD-3-Clause
// The lines below an expected message (README.md, section "What verge sends").
// One thread of a test program.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "run.h"

struct expectation {
	struct run *r;
	const struct arrival *arrival;
	const struct wire *w;
	const char *line;
};

static bool any_field(const struct wire *w, const char *name, const char *text, bool exact)
{
	const char *value;

	for (int i = 0; (value = wire_nth(w, name, i)) != NULL; i++)
		if (exact ? strcmp(value, text) == 0 : strstr(value, text) != NULL)
			return true;
	return false;
}

static const char *shown(struct expectation *e, const char *name)
{
	const char *value = wire_get(e->w, name);

	return value != NULL ? arena_printf(&e->r->arena, "it says \"%s: %s\"", name, value)
			     : arena_printf(&e->r->arena, "it has no %s", name);
}

static const char *differs(struct expectation *e, const char *seen)
{
	return arena_printf(&e->r->arena, "expected \"%s\", but %s", e->line, seen);
}

// c= lines and everything from the first m= on: what the other side's media are.
static const char *media_of(struct arena *a, const char *sdp)
{
	const char *out = "";

	while (sdp != NULL && *sdp != '\0') {
		size_t n = strcspn(sdp, "\n");
		bool session = strncmp(sdp, "v=", 2) == 0 || strncmp(sdp, "o=", 2) == 0 ||
			       strncmp(sdp, "s=", 2) == 0 || strncmp(sdp, "t=", 2) == 0;

		if (!session)
			out = arena_printf(a, "%s%.*s\n", out, (int)n, sdp);
		sdp += n + (sdp[n] == '\n');
	}
	return out;
}

// sess-id and sess-version of the o= line.
static bool origin(const char *sdp, long long *id, long long *version)
{
	const char *o = sdp != NULL ? strstr(sdp, "o=") : NULL;
	char *end;

	if (o == NULL)
		return false;
	o += strcspn(o, " ");
	*id = strtoll(o, &end, 10);
	*version = strtoll(end, &end, 10);
	return true;
}

static const char *check_version(struct expectation *e, const char *rule)
{
	long long id, version, id_before, before, by = *rule == '+' ? wire_number(rule + 1) : 0;

	if (!origin(e->w->body, &id, &version) ||
	    !origin(e->arrival->sdp_before, &id_before, &before))
		return differs(e, "there is no body now or none before");
	if (id != id_before)
		return differs(e, "the session id changed");
	if (strcmp(rule, "rises") == 0 ? version <= before : version != before + by)
		return differs(e, arena_printf(&e->r->arena, "the version went from %lld to %lld",
					       before, version));
	return NULL;
}

static const char *check_sdp(struct expectation *e, const char *rule)
{
	const char *body = e->w->body, *type = wire_get(e->w, "Content-Type"), *label;
	bool has = e->w->body_len != 0 && type != NULL && strcasecmp(type, "application/sdp") == 0;
	struct dialog *d;
	struct peer *p;

	if (strcmp(rule, "none") == 0)
		return has ? differs(e, "there is one") : NULL;
	if (!has)
		return differs(e, "there is no SDP");
	if (*rule == '\0')
		return NULL;
	if (*rule == '~')
		return strstr(body, rule + 2) != NULL ? NULL : differs(e, body);
	if (strncmp(rule, "!~", 2) == 0)
		return strstr(body, rule + 3) == NULL ? NULL : differs(e, body);
	if (strcmp(rule, "same") == 0)
		return e->arrival->sdp_before != NULL && strcmp(body, e->arrival->sdp_before) == 0
			       ? NULL
			       : differs(e, arena_printf(&e->r->arena,
							 "it is\n%swhere before it was\n%s", body,
							 e->arrival->sdp_before));
	if (strncmp(rule, "version ", 8) == 0)
		return check_version(e, rule + 8);
	if (strncmp(rule, "media ", 6) != 0)
		return differs(e, "this is no rule about SDP");
	p = run_subject(e->r, rule + 6, &label);
	d = p != NULL ? peer_dialog(p, label) : NULL;
	if (d == NULL || d->sdp_sent == NULL)
		return differs(e, "that peer has sent none");
	return strcmp(media_of(&e->r->arena, body), media_of(&e->r->arena, d->sdp_sent)) == 0
		       ? NULL
		       : differs(e, arena_printf(&e->r->arena, "it is\n%s", body));
}

static const char *check_number(struct expectation *e, const char *name, const char *op, long want)
{
	const char *value = wire_get(e->w, name);
	long is = value != NULL ? wire_number(value) : -1;
	bool holds = strcmp(op, ">=") == 0   ? is >= want
		     : strcmp(op, "<=") == 0 ? is <= want
		     : strcmp(op, "<") == 0  ? is < want
					     : is > want;

	return value != NULL && holds ? NULL : differs(e, shown(e, name));
}

// Number of the CSeq against the request that verge sent before in this dialog.
static const char *check_cseq(struct expectation *e, const char *rule)
{
	uint32_t before = 0;

	for (struct got *g = e->arrival->dialog->got; g != NULL; g = g->next)
		if (g->w->cseq < e->w->cseq && g->w->cseq > before)
			before = g->w->cseq;
	if (*rule != '+')
		return wire_number(rule) == (long)e->w->cseq ? NULL : differs(e, shown(e, "CSeq"));
	return e->w->cseq == before + (uint32_t)wire_number(rule + 1)
		       ? NULL
		       : differs(e, shown(e, "CSeq"));
}

// save NAME Header [uri | PARAMETER]
static const char *save(struct expectation *e, const char *rest)
{
	const char *words[STEP_WORDS_MAX], *value;
	int n = script_words(&e->r->arena, rest, words);

	if (n < 2)
		return differs(e, "it names no variable and header");
	value = strcmp(words[1], "body") == 0 ? e->w->body : wire_get(e->w, words[1]);
	if (value != NULL && n > 2)
		value = strcmp(words[2], "uri") == 0 ? wire_uri(&e->r->arena, value)
						     : wire_param(&e->r->arena, value, words[2]);
	if (value == NULL)
		return differs(e, "there is none");
	run_set_var(e->r, words[0], value);
	return NULL;
}

// Start line and whole message: uri, reason, body, size, text.
static const char *check_special(struct expectation *e, const char *line, bool *taken)
{
	const struct wire *w = e->w;

	*taken = true;
	if (strncmp(line, "uri: ", 5) == 0)
		return w->uri != NULL && strcmp(w->uri, line + 5) == 0
			       ? NULL
			       : differs(e, arena_printf(&e->r->arena, "it is %s", w->uri));
	if (strncmp(line, "uri ~ ", 6) == 0)
		return w->uri != NULL && strstr(w->uri, line + 6) != NULL
			       ? NULL
			       : differs(e, arena_printf(&e->r->arena, "it is %s", w->uri));
	if (strncmp(line, "reason: ", 8) == 0)
		return strcmp(w->reason, line + 8) == 0 ? NULL : differs(e, w->reason);
	if (strncmp(line, "body ~ ", 7) == 0)
		return strstr(w->body, line + 7) != NULL ? NULL : differs(e, w->body);
	if (strcmp(line, "body none") == 0)
		return w->body_len == 0 ? NULL : differs(e, "there is one");
	if (strncmp(line, "size < ", 7) == 0)
		return w->len < (uint32_t)wire_number(line + 7)
			       ? NULL
			       : differs(e, arena_printf(&e->r->arena, "it has %u bytes", w->len));
	if (strncmp(line, "cseq ", 5) == 0)
		return check_cseq(e, line + 5);
	if (strncmp(line, "save ", 5) == 0)
		return save(e, line + 5);
	if (strncmp(line, "sdp", 3) == 0 && (line[3] == ' ' || line[3] == '\0'))
		return check_sdp(e, line[3] != '\0' ? line + 4 : "");
	*taken = false;
	return NULL;
}

static const char *check_line(struct expectation *e, const char *line)
{
	size_t len = strcspn(line, ": ~!<>=");
	const char *name = arena_strndup(&e->r->arena, line, len), *rest = line + len, *why;
	bool taken;

	why = check_special(e, line, &taken);
	if (taken)
		return why;
	if (line[0] == '!')
		return wire_get(e->w, line + 1) == NULL ? NULL : differs(e, shown(e, line + 1));
	rest += strspn(rest, " ");
	if (*rest == '\0')
		return wire_get(e->w, name) != NULL ? NULL : differs(e, shown(e, name));
	if (*rest == ':')
		return any_field(e->w, name, rest + 1 + strspn(rest + 1, " "), true)
			       ? NULL
			       : differs(e, shown(e, name));
	if (*rest == '~')
		return any_field(e->w, name, rest + 2, false) ? NULL : differs(e, shown(e, name));
	if (strncmp(rest, "!~", 2) == 0)
		return !any_field(e->w, name, rest + 3, false) ? NULL : differs(e, shown(e, name));
	if (*rest == '<' || *rest == '>') {
		size_t op = strcspn(rest, " 0123456789");

		return check_number(e, name, arena_strndup(&e->r->arena, rest, op),
				    wire_number(rest + op));
	}
	return differs(e, "this is no check");
}

const char *expect_message(struct run *r, const struct arrival *arrival, const struct step *s)
{
	for (int i = 0; i < s->n_details; i++) {
		struct expectation e = {r, arrival, arrival->w, run_substitute(r, s->details[i])};
		const char *why = check_line(&e, e.line);

		if (why != NULL)
			return why;
	}
	return NULL;
}
