// SPDX-License-Identifier: BSD-3-Clause
// Messages that peers send (RFC 3261 s8.1.1, s8.2.6, s9.1, s12.2, s17.1.1.3; RFC 3262).
// One thread of a test program.
#include "draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIELDS_MAX 60

// A message being put together.
struct draft {
	struct arena *a;
	struct dialog *d;
	const char *start;
	struct {
		const char *name, *value;
		bool own; // written by the case: stays beside others of its name
	} field[FIELDS_MAX];
	int n;
	const char *raw;  // lines that go in as they are written
	const char *type; // of the body
	const char *body;
	bool no_sdp;
	const char *error;
};

const char *draft_reason(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} rows[] = {
		{100, "Trying"},
		{180, "Ringing"},
		{183, "Session Progress"},
		{200, "OK"},
		{202, "Accepted"},
		{302, "Moved Temporarily"},
		{401, "Unauthorized"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{407, "Proxy Authentication Required"},
		{408, "Request Timeout"},
		{420, "Bad Extension"},
		{422, "Session Interval Too Small"},
		{480, "Temporarily Unavailable"},
		{481, "Call/Transaction Does Not Exist"},
		{486, "Busy Here"},
		{487, "Request Terminated"},
		{488, "Not Acceptable Here"},
		{491, "Request Pending"},
		{500, "Server Internal Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{603, "Decline"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].status == status)
			return rows[i].phrase;
	return "Reason";
}

static void put(struct draft *m, const char *name, const char *value)
{
	if (m->n == FIELDS_MAX) {
		m->error = "too many header fields";
		return;
	}
	m->field[m->n].name = name;
	m->field[m->n].own = false;
	m->field[m->n++].value = value;
}

static void drop(struct draft *m, const char *name, bool also_own)
{
	int n = 0;

	for (int i = 0; i < m->n; i++)
		if (strcasecmp(wire_long_name(m->field[i].name), wire_long_name(name)) != 0 ||
		    (m->field[i].own && !also_own))
			m->field[n++] = m->field[i];
	m->n = n;
}

// Text that grows without being copied each time.
struct growing {
	char *at, *end;
};

static void grow(struct growing *g, const char *s)
{
	size_t n = strlen(s);

	if ((size_t)(g->end - g->at) > n) {
		memcpy(g->at, s, n);
		g->at += n;
	}
}

static size_t draft_size(const struct draft *m)
{
	size_t size = strlen(m->start) + 64;

	for (int i = 0; i < m->n; i++)
		size += strlen(m->field[i].name) + strlen(m->field[i].value) + 4;
	size += m->raw != NULL ? strlen(m->raw) : 0;
	return size + (m->body != NULL ? strlen(m->body) : 0);
}

static struct text finish(struct draft *m)
{
	size_t body_len = m->body != NULL ? strlen(m->body) : 0, size;
	bool has_length = false;
	struct growing g;
	char *out;

	if (m->body != NULL)
		put(m, "Content-Type", m->type);
	if (m->error != NULL)
		return (struct text){.error = m->error};
	size = draft_size(m);
	out = arena_alloc(m->a, size);
	g = (struct growing){out, out + size};
	grow(&g, m->start);
	grow(&g, "\r\n");
	for (int i = 0; i < m->n; i++) {
		if (strcasecmp(wire_long_name(m->field[i].name), "Content-Length") == 0)
			has_length = true;
		grow(&g, m->field[i].name);
		grow(&g, ": ");
		grow(&g, m->field[i].value);
		grow(&g, "\r\n");
	}
	if (m->raw != NULL)
		grow(&g, m->raw);
	if (!has_length)
		grow(&g, arena_printf(m->a, "Content-Length: %zu\r\n", body_len));
	grow(&g, "\r\n");
	if (m->body != NULL)
		grow(&g, m->body);
	return (struct text){(const uint8_t *)out, (uint32_t)(g.at - out), NULL};
}

// One word of a sdp line. Returns whether it changes the session.
static bool sdp_word(struct arena *a, struct sdp *s, const char *word, bool *version_given)
{
	const char *value = strchr(word, '=') != NULL ? strchr(word, '=') + 1 : "";
	struct sdp before = *s;

	if (strncmp(word, "dir=", 4) == 0)
		s->dir = value;
	else if (strncmp(word, "port=", 5) == 0)
		s->port = atol(value);
	else if (strncmp(word, "ip=", 3) == 0)
		s->ip = value;
	else if (strncmp(word, "id=", 3) == 0)
		s->id = atol(value);
	else if (strncmp(word, "extra=", 6) == 0)
		s->extra = arena_printf(a, "%s\r\n", value);
	else if (strcmp(word, "video") == 0)
		s->video = true;
	else if (strcmp(word, "t38") == 0)
		s->t38 = true;
	else if (strcmp(word, "audio") == 0)
		s->t38 = s->video = false;
	if (strncmp(word, "codecs=", 7) == 0) {
		char *codecs = arena_strdup(a, value);

		for (char *c = codecs; *c != '\0'; c++)
			*c = *c == ',' ? ' ' : *c;
		s->codecs = codecs;
	}
	if (strncmp(word, "v=", 2) == 0) {
		s->version = atol(value);
		*version_given = true;
	}
	return strcmp(before.dir, s->dir) != 0 || before.port != s->port ||
	       strcmp(before.ip, s->ip) != 0 || strcmp(before.codecs, s->codecs) != 0 ||
	       strcmp(before.extra, s->extra) != 0 || before.video != s->video ||
	       before.t38 != s->t38;
}

static const char *sdp_text(struct arena *a, const struct sdp *s)
{
	const char *family = strchr(s->ip, ':') != NULL ? "IP6" : "IP4";
	const char *out =
		arena_printf(a, "v=0\r\no=user %ld %ld IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n",
			     s->id, s->version, family, s->ip, family, s->ip);

	if (s->t38)
		return arena_printf(a, "%sm=image %ld udptl t38\r\na=T38FaxVersion:0\r\n%s", out,
				    s->port, s->extra);
	out = arena_printf(a, "%sm=audio %ld RTP/AVP %s\r\n", out, s->port, s->codecs);
	if (strstr(s->codecs, "101") != NULL)
		out = arena_printf(a, "%sa=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n",
				   out);
	out = arena_printf(a, "%sa=%s\r\n%s", out, s->dir, s->extra);
	if (s->video)
		out = arena_printf(a, "%sm=video %ld RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n", out,
				   s->port + 2);
	return out;
}

const char *draft_sdp(struct arena *a, struct dialog *d, const char *words)
{
	bool changed = false, version_given = false;

	while (*words != '\0') {
		size_t len;

		words += strspn(words, " ");
		len = strcspn(words, " ");
		if (len != 0 && sdp_word(a, &d->sdp, arena_strndup(a, words, len), &version_given))
			changed = true;
		words += len;
	}
	if (changed && !version_given && d->sdp_sent != NULL)
		d->sdp.version++;
	return sdp_text(a, &d->sdp);
}

static const char *unescape(struct arena *a, const char *s, uint32_t *len)
{
	char *out = arena_alloc(a, strlen(s) + 3), *to = out;

	for (; *s != '\0'; s++) {
		if (*s != '\\' || s[1] == '\0') {
			*to++ = *s;
			continue;
		}
		s++;
		if (*s == 'x' && s[1] != '\0' && s[2] != '\0') {
			char hex[3] = {s[1], s[2], '\0'};

			*to++ = (char)strtol(hex, NULL, 16);
			s += 2;
		} else {
			*to++ = *s == 'r'   ? '\r'
				: *s == 'n' ? '\n'
				: *s == 't' ? '\t'
				: *s == '0' ? '\0'
					    : *s;
		}
	}
	*len = (uint32_t)(to - out);
	return out;
}

struct text draft_raw(struct arena *a, const char *const *lines, int n)
{
	uint32_t total = 0, at = 0, len;
	char *out;

	for (int i = 0; i < n; i++)
		total += (uint32_t)strlen(lines[i]) + 2;
	out = arena_alloc(a, total + 1);
	for (int i = 0; i < n; i++) {
		const char *line = lines[i] + (lines[i][0] == '|');
		size_t written = strlen(line += line[0] == ' ');
		bool open = written != 0 && line[written - 1] == '\\' &&
			    (written == 1 || line[written - 2] != '\\');
		const char *bytes =
			unescape(a, open ? arena_strndup(a, line, written - 1) : line, &len);

		memcpy(out + at, bytes, len);
		at += len;
		if (!open) {
			memcpy(out + at, "\r\n", 2);
			at += 2;
		}
	}
	return (struct text){(const uint8_t *)out, at, NULL};
}

#define ALLOW_ALL "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, REFER, NOTIFY, MESSAGE, OPTIONS"

static void apply_header(struct draft *m, const char *line)
{
	size_t len = strcspn(line, ": \t");
	const char *name = arena_strndup(m->a, line, len), *value = line + len;

	value += strspn(value, " \t");
	if (*value != ':') {
		m->error = arena_printf(m->a, "not a header, body or option: %s", line);
		return;
	}
	value++;
	value += strspn(value, " \t");
	if (strcasecmp(name, "Allow") == 0 && strcmp(value, "*") == 0)
		value = ALLOW_ALL;
	drop(m, name, false);
	put(m, name, value);
	m->field[m->n - 1].own = true;
}

// Lines below a step: -Header, "| raw line", sdp words, no sdp, body TYPE, Header: value.
static void apply(struct draft *m, const struct change *change)
{
	bool in_body = false;

	for (int i = 0; i < change->n_details && m->error == NULL; i++) {
		const char *line = change->details[i];

		if (line[0] == '|') {
			struct text raw = draft_raw(m->a, &line, 1);
			const char **to = in_body ? &m->body : &m->raw;

			*to = arena_printf(m->a, "%s%.*s", *to != NULL ? *to : "", (int)raw.len,
					   (const char *)raw.bytes);
		} else if (line[0] == '-') {
			drop(m, line + 1, true);
		} else if (strncmp(line, "sdp", 3) == 0 && (line[3] == ' ' || line[3] == '\0')) {
			m->body = strcmp(line, "sdp again") == 0 && m->d->sdp_sent != NULL
					  ? m->d->sdp_sent
					  : draft_sdp(m->a, m->d, line + 3);
			m->type = "application/sdp";
		} else if (strcmp(line, "no sdp") == 0) {
			m->no_sdp = true;
			m->body = NULL;
		} else if (strncmp(line, "body ", 5) == 0) {
			m->type = line + 5;
			m->body = "";
			in_body = true;
		} else {
			apply_header(m, line);
		}
	}
	if (m->body != NULL && m->type != NULL && strcmp(m->type, "application/sdp") == 0)
		m->d->sdp_sent = m->body;
}

static void default_sdp(struct draft *m, bool wanted)
{
	if (!wanted)
		return;
	m->body = draft_sdp(m->a, m->d, "");
	m->type = "application/sdp";
}

static const char *with_tag(struct arena *a, const char *value, const char *tag)
{
	return tag != NULL && tag[0] != '\0' ? arena_printf(a, "%s;tag=%s", value, tag) : value;
}

static void put_contact(struct draft *m)
{
	put(m, "Contact", arena_printf(m->a, "<sip:%s@%s>", m->d->peer->user, m->d->peer->host));
}

static bool has_contact(const char *method)
{
	return strcmp(method, "INVITE") == 0 || strcmp(method, "UPDATE") == 0 ||
	       strcmp(method, "REFER") == 0 || strcmp(method, "SUBSCRIBE") == 0;
}

// RAck of the newest reliable provisional response.
static const char *rack(struct draft *m)
{
	struct sent *invite = peer_sent(m->d, "INVITE");
	const char *rseq =
		invite != NULL && invite->reply != NULL ? wire_get(invite->reply, "RSeq") : NULL;

	return rseq != NULL ? arena_printf(m->a, "%s %u INVITE", rseq, invite->cseq) : "0 0 INVITE";
}

static bool is_ack_or_cancel(const char *method)
{
	return strcmp(method, "ACK") == 0 || strcmp(method, "CANCEL") == 0;
}

static const char *default_uri(struct arena *a, struct dialog *d)
{
	if (d->target != NULL)
		return d->target;
	return arena_printf(a, "sip:%s@%s",
			    strcmp(d->peer->name, "B") == 0 ? "+4930000001" : "+15551234567",
			    d->peer->verge);
}

static void begin_dialog(struct arena *a, struct dialog *d, const char *uri)
{
	if (d->local != NULL)
		return;
	d->local = arena_printf(a, "<sip:%s@%s>", d->peer->user, d->peer->host);
	d->remote = arena_printf(a, "<%s>", uri);
	d->cseq = 100;
}

static void request_fields(struct draft *m, struct sent *s, struct sent *invite)
{
	struct dialog *d = m->d;
	const char *to_tag = d->peer_tag;

	put(m, "Via",
	    arena_printf(m->a, "SIP/2.0/UDP %s;branch=%s;rport", d->peer->via, s->branch));
	put(m, "Max-Forwards", "70");
	put(m, "From", with_tag(m->a, d->local, d->tag));
	if (strcmp(s->method, "CANCEL") == 0)
		to_tag = "";
	if (strcmp(s->method, "ACK") == 0 && invite->reply != NULL)
		to_tag = invite->reply->to_tag;
	put(m, "To", with_tag(m->a, d->remote, to_tag));
	put(m, "Call-ID", d->call_id);
	put(m, "CSeq", arena_printf(m->a, "%u %s", s->cseq, s->method));
	if (has_contact(s->method))
		put_contact(m);
	if (strcmp(s->method, "PRACK") == 0)
		put(m, "RAck", rack(m));
}

// CSeq of what the case wrote may differ from what we counted.
static void record(struct dialog *d, struct sent *s, struct text text, const struct draft *m)
{
	for (int i = 0; i < m->n; i++) {
		if (strcasecmp(m->field[i].name, "CSeq") == 0)
			s->cseq = (uint32_t)wire_number(m->field[i].value);
		if (strcasecmp(m->field[i].name, "Call-ID") == 0)
			d->call_id = m->field[i].value;
		if (strcasecmp(m->field[i].name, "Via") == 0)
			s->branch = wire_param(m->a, m->field[i].value, "branch");
	}
	s->bytes = text.bytes;
	s->len = text.len;
	if (s->cseq > d->cseq && !is_ack_or_cancel(s->method))
		d->cseq = s->cseq;
	s->next = d->sent;
	d->sent = s;
}

struct text draft_request(struct arena *a, struct dialog *d, const char *method, tick_t now,
			  const struct change *change)
{
	struct sent *s = arena_alloc(a, sizeof(*s)), *invite = peer_sent(d, "INVITE");
	struct draft m = {.a = a, .d = d};
	struct text text;
	bool follows = is_ack_or_cancel(method);

	while (follows && change->cseq != 0 && invite != NULL &&
	       (invite->cseq != change->cseq || strcmp(invite->method, "INVITE") != 0))
		invite = invite->next;
	if (follows && invite == NULL)
		return (struct text){.error = "there is no INVITE to follow"};
	s->method = arena_strdup(a, method);
	s->at = now;
	s->uri = change->uri != NULL ? change->uri : default_uri(a, d);
	begin_dialog(a, d, s->uri);
	s->cseq = follows ? invite->cseq : d->cseq + 1;
	// ACK for 2xx is a transaction of its own; ACK for others and CANCEL belong to the INVITE
	if (follows && (method[0] == 'C' || invite->final == 0 || invite->final >= 300)) {
		s->branch = invite->branch;
		s->uri = change->uri != NULL ? change->uri : invite->uri;
	} else {
		s->branch = arena_printf(a, "z9hG4bK-%s-%u", d->peer->name, ++d->peer->serial);
	}
	m.start = arena_printf(a, "%s %s SIP/2.0", method, s->uri);
	request_fields(&m, s, invite);
	default_sdp(&m, strcmp(method, "INVITE") == 0);
	apply(&m, change);
	s->offer = m.body != NULL && !follows;
	text = finish(&m);
	if (text.bytes == NULL)
		return text;
	if (strcmp(method, "ACK") == 0) {
		invite->ack = text.bytes;
		invite->ack_len = text.len;
	}
	if (strcmp(method, "BYE") == 0)
		d->ended = true;
	record(d, s, text, &m);
	return text;
}

static void use_tag(struct dialog *d, const char *tag, int status)
{
	for (int i = 0; i < d->n_used_tags; i++)
		if (strcmp(d->used_tags[i], tag) == 0)
			return;
	if (d->n_used_tags < PEER_TAGS_MAX)
		d->used_tags[d->n_used_tags++] = tag;
	if (!d->established && (status / 100 == 2 || d->n_used_tags == 1))
		d->tag = tag;
}

static void response_fields(struct draft *m, const struct wire *w, int status, const char *tag)
{
	for (int i = 0; i < w->n_fields; i++)
		if (strcasecmp(w->field[i].name, "Via") == 0 ||
		    strcasecmp(w->field[i].name, "Record-Route") == 0)
			put(m, w->field[i].name, w->field[i].value);
	put(m, "From", wire_get(w, "From"));
	put(m, "To",
	    w->to_tag[0] == '\0' && status > 100 ? with_tag(m->a, wire_get(w, "To"), tag)
						 : wire_get(w, "To"));
	put(m, "Call-ID", w->call_id);
	put(m, "CSeq", wire_get(w, "CSeq"));
	if (has_contact(w->method) && status > 100 && status < 300)
		put_contact(m);
}

struct text draft_response(struct arena *a, struct dialog *d, struct got *got, int status,
			   const struct change *change)
{
	const struct wire *w = got->w;
	struct draft m = {.a = a, .d = d};
	const char *tag = change->tag != NULL ? change->tag : d->tag;
	bool offer = w->body_len != 0 && wire_get(w, "Content-Type") != NULL &&
		     strncmp(wire_get(w, "Content-Type"), "application/sdp", 15) == 0;
	struct text text;

	m.start = arena_printf(a, "SIP/2.0 %d %s", status,
			       change->reason != NULL ? change->reason : draft_reason(status));
	if (status > 100 && w->to_tag[0] == '\0')
		use_tag(d, tag, status);
	response_fields(&m, w, status, tag);
	if (change->reliable) {
		put(&m, "Require", "100rel");
		put(&m, "RSeq", arena_printf(a, "%u", ++d->rseq));
	}
	default_sdp(&m, status / 100 == 2 && (strcmp(w->method, "INVITE") == 0 || offer));
	apply(&m, change);
	text = finish(&m);
	if (text.bytes == NULL)
		return text;
	if (status >= 200) {
		got->final = got->final != 0 ? got->final : status;
		if (strcmp(w->method, "INVITE") == 0 && status < 300)
			d->established = true;
	}
	got->reply = text.bytes;
	got->reply_len = text.len;
	return text;
}
