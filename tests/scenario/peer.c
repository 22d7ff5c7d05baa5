// SPDX-License-Identifier: BSD-3-Clause
// The user agents around verge: what arrives and what it does to their dialogs (RFC 3261 s12).
// One thread of a test program.
#include "peer.h"

#include <stdio.h>
#include <string.h>

struct dialog *peer_dialog(struct peer *p, const char *label)
{
	for (struct dialog *d = p->dialogs; d != NULL; d = d->next)
		if (d->label != NULL && strcmp(d->label, label) == 0)
			return d;
	return NULL;
}

struct dialog *peer_dialog_of(struct peer *p, const char *call_id)
{
	for (struct dialog *d = p->dialogs; d != NULL; d = d->next)
		if (strcmp(d->call_id, call_id) == 0)
			return d;
	return NULL;
}

struct dialog *peer_dialog_new(struct arena *a, struct peer *p, const char *label)
{
	struct dialog *d = arena_alloc(a, sizeof(*d));
	char ip[64];

	snprintf(ip, sizeof(ip), "%.*s", (int)strcspn(p->via, "]"), p->via + (p->via[0] == '['));
	if (p->via[0] != '[')
		ip[strcspn(ip, ":")] = '\0';
	p->serial++;
	d->peer = p;
	d->label = label;
	d->call_id = arena_printf(a, "%s-call-%u@%s", p->name, p->serial, ip);
	d->tag = arena_printf(a, "%s-tag-%u", p->name, p->serial);
	d->peer_tag = "";
	d->sdp = (struct sdp){.dir = "sendrecv",
			      .codecs = "0 8 101",
			      .ip = arena_strdup(a, ip),
			      .extra = "",
			      .port = 40000 + 2 * (long)p->serial,
			      .version = 1,
			      .id = 1000 + (long)p->serial};
	d->refresh_tk = d->expiry_tk = TICK_NEVER;
	d->next = p->dialogs;
	p->dialogs = d;
	return d;
}

struct sent *peer_sent(struct dialog *d, const char *method)
{
	for (struct sent *s = d->sent; s != NULL; s = s->next)
		if (method == NULL || strcmp(s->method, method) == 0)
			return s;
	return NULL;
}

struct got *peer_got(struct dialog *d, const char *method)
{
	for (struct got *g = d->got; g != NULL; g = g->next) {
		if (strcmp(g->w->method, "ACK") == 0)
			continue;
		if (method != NULL ? strcmp(g->w->method, method) == 0 : g->final == 0)
			return g;
	}
	return NULL;
}

void peer_take(struct peer *p, struct arrival *arrival)
{
	struct arrival **at = &p->inbox;

	while (*at != arrival)
		at = &(*at)->next;
	*at = arrival->next;
}

void peer_count(struct peer *p, const char *what)
{
	for (int i = 0; i < p->n_counts; i++) {
		if (strcmp(p->count[i].what, what) == 0) {
			p->count[i].n++;
			return;
		}
	}
	if (p->n_counts == PEER_COUNTS_MAX)
		return;
	p->count[p->n_counts].what = what;
	p->count[p->n_counts++].n = 1;
}

unsigned peer_counted(const struct peer *p, const char *what)
{
	for (int i = 0; i < p->n_counts; i++)
		if (strcmp(p->count[i].what, what) == 0)
			return p->count[i].n;
	return 0;
}

static const char *without_tag(struct arena *a, const char *value)
{
	const char *tag = strstr(value, ";tag=");

	return tag != NULL ? arena_strndup(a, value, (size_t)(tag - value)) : value;
}

static void learn_target(struct arena *a, struct dialog *d, const struct wire *w)
{
	const char *contact = wire_get(w, "Contact");

	if (contact != NULL)
		d->target = wire_uri(a, contact);
}

static void take_sdp(struct dialog *d, const struct wire *w)
{
	const char *type = wire_get(w, "Content-Type");

	if (w->body_len == 0 || type == NULL || strncmp(type, "application/sdp", 15) != 0)
		return;
	d->sdp_got = w->body;
}

static bool refreshes_target(const char *method)
{
	return strcmp(method, "INVITE") == 0 || strcmp(method, "UPDATE") == 0 ||
	       strcmp(method, "SUBSCRIBE") == 0 || strcmp(method, "NOTIFY") == 0 ||
	       strcmp(method, "REFER") == 0;
}

// It belongs to another dialog of a forked INVITE than the one that lives on.
static bool is_other_fork(const struct dialog *d, const struct wire *w)
{
	if (!d->established || strcmp(w->to_tag, d->tag) == 0)
		return false;
	for (int i = 0; i < d->n_used_tags; i++)
		if (strcmp(w->to_tag, d->used_tags[i]) == 0)
			return true;
	return false;
}

static bool receive_request(struct arena *a, struct dialog *d, const struct wire *w, tick_t now)
{
	struct got *g;

	for (g = d->got; g != NULL; g = g->next)
		if (g->w->len == w->len && memcmp(g->w->bytes, w->bytes, w->len) == 0)
			return true;
	g = arena_alloc(a, sizeof(*g));
	g->w = w;
	g->at = now;
	g->next = d->got;
	d->got = g;
	if (d->peer_tag[0] == '\0' && d->local == NULL) {
		d->peer_tag = w->from_tag;
		d->local = without_tag(a, wire_get(w, "To"));
		d->remote = without_tag(a, wire_get(w, "From"));
		d->cseq = 500;
	}
	if (refreshes_target(w->method))
		learn_target(a, d, w);
	if (is_other_fork(d, w))
		return false;
	if (strcmp(w->method, "ACK") == 0) {
		for (struct got *i = d->got; i != NULL; i = i->next)
			if (strcmp(i->w->method, "INVITE") == 0 && i->w->cseq == w->cseq)
				i->acked = true;
	}
	if (strcmp(w->method, "BYE") == 0)
		d->ended = true;
	take_sdp(d, w);
	return false;
}

static bool receive_response(struct arena *a, struct dialog *d, const struct wire *w)
{
	struct sent *s = d->sent;
	bool again;

	while (s != NULL && (s->cseq != w->cseq || strcmp(s->method, w->method) != 0))
		s = s->next;
	if (s == NULL)
		return false;
	again = s->reply != NULL && s->reply->len == w->len &&
		memcmp(s->reply->bytes, w->bytes, w->len) == 0;
	s->reply = w;
	if (w->status >= 200 && s->final == 0)
		s->final = w->status;
	if (strcmp(w->method, "INVITE") == 0 && w->status > 100 && w->status < 300) {
		if (!d->established)
			d->peer_tag = w->to_tag;
		learn_target(a, d, w);
		if (w->status >= 200)
			d->established = true;
	}
	if (strcmp(w->method, "UPDATE") == 0 && w->status / 100 == 2)
		learn_target(a, d, w);
	// a call that failed leaves no dialog: the next INVITE begins anew (s8.1.3.5)
	if (strcmp(w->method, "INVITE") == 0 && w->status >= 300 && !d->established) {
		d->peer_tag = "";
		d->target = NULL;
	}
	if (!again)
		take_sdp(d, w);
	return again;
}

struct arrival *peer_receive(struct arena *a, struct peer *p, const uint8_t *bytes, uint32_t len,
			     tick_t now, const char **why)
{
	struct wire *w = wire_parse(a, bytes, len, why);
	struct arrival *arrival, **at = &p->inbox;

	if (w == NULL)
		return NULL;
	arrival = arena_alloc(a, sizeof(*arrival));
	arrival->w = w;
	arrival->at = now;
	arrival->dialog = peer_dialog_of(p, w->call_id);
	if (arrival->dialog == NULL) {
		arrival->dialog = peer_dialog_new(a, p, NULL);
		arrival->dialog->call_id = w->call_id;
	}
	arrival->sdp_before = arrival->dialog->sdp_got;
	arrival->again = w->request ? receive_request(a, arrival->dialog, w, now)
				    : receive_response(a, arrival->dialog, w);
	peer_count(p, w->request ? w->method : arena_printf(a, "%d", w->status));
	while (*at != NULL)
		at = &(*at)->next;
	*at = arrival;
	return arrival;
}
