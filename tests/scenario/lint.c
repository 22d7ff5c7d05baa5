// SPDX-License-Identifier: BSD-3-Clause
// What must hold for each message that verge sends.
// One thread of a test program. Each rule names the requirement that it stands for.
#include "lint.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SE_FLOOR	   90
#define TRANSACTION_TICKS  TICK_S(33)
#define LEAN_REQUEST_BYTES 1300

static bool is(const struct wire *w, const char *method)
{
	return strcmp(w->method, method) == 0;
}

static bool is_invite_or_update(const struct wire *w)
{
	return is(w, "INVITE") || is(w, "UPDATE");
}

static bool lists(const struct wire *w, const char *header, const char *tag)
{
	const char *value;

	for (int i = 0; (value = wire_nth(w, header, i)) != NULL; i++)
		if (wire_lists(value, tag))
			return true;
	return false;
}

static const char *lint_flow(const struct peer *to, const struct flow *flow)
{
	if (flow->port != to->flow.port || flow->local_udp != to->flow.local_udp ||
	    memcmp(flow->local_ip, to->flow.local_ip, sizeof(flow->local_ip)) != 0)
		return "it does not leave from the address that the peer sends to (RP-01)";
	return NULL;
}

static const char *lint_request(const struct lint *l, const struct peer *to, const struct wire *w)
{
	const char *via = wire_get(w, "Via"), *forwards = wire_get(w, "Max-Forwards");

	if (strncmp(w->branch, "z9hG4bK", 7) != 0)
		return "its branch lacks the magic cookie (DL-14)";
	if (wire_nth(w, "Via", 1) != NULL || strchr(via, ',') != NULL)
		return "it has more than one Via (BU-03)";
	if (wire_param(l->arena, via, "rport") == NULL)
		return "its Via does not ask for rport (RP-01)";
	if (forwards == NULL || wire_number(forwards) < 0 || wire_number(forwards) > 255)
		return "Max-Forwards is missing or no number (BU-03)";
	if (w->from_tag[0] == '\0')
		return "From has no tag (DL-02)";
	if (!is(w, "ACK") && !lists(w, "Supported", "timer") && !(l->allowed & LINT_TIMER_TAG))
		return "Supported does not list timer (ST-11)";
	if (is_invite_or_update(w) && wire_get(w, "Contact") == NULL)
		return "a target refresh without Contact (DL-02)";
	if (is(w, "INVITE") && !lists(w, "Allow", "UPDATE") && !(l->allowed & LINT_UPDATE))
		return "Allow does not list UPDATE (UP-06)";
	if (is(w, "UPDATE") && w->body_len == 0 && w->len > LEAN_REQUEST_BYTES)
		return "an UPDATE without body that does not fit one packet (DL-15)";
	(void)to;
	return NULL;
}

// Session-Expires and Min-SE only where they belong, never below 90.
static const char *lint_timer(const struct wire *w)
{
	const char *se = wire_get(w, "Session-Expires"), *min_se = wire_get(w, "Min-SE");
	bool may_se = is_invite_or_update(w) && (w->request || w->status / 100 == 2);
	bool may_min = is_invite_or_update(w) && (w->request || w->status == 422);

	if (se != NULL && !may_se)
		return "Session-Expires outside INVITE, UPDATE and their 2xx (ST-04)";
	if (min_se != NULL && !may_min)
		return "Min-SE outside INVITE, UPDATE and 422 (ST-07)";
	if (wire_nth(w, "Session-Expires", 1) != NULL || wire_nth(w, "Min-SE", 1) != NULL)
		return "Session-Expires or Min-SE twice";
	if (se != NULL && wire_number(se) < SE_FLOOR)
		return "Session-Expires below 90 (ST-03)";
	if (min_se != NULL && wire_number(min_se) < SE_FLOOR)
		return "Min-SE below 90 (ST-06, ST-10)";
	if (!w->request && w->status == 422 && min_se == NULL)
		return "422 without Min-SE (ST-09)";
	if (se != NULL && min_se != NULL && wire_number(se) < wire_number(min_se))
		return "Session-Expires below Min-SE (ST-16)";
	return NULL;
}

// Against the request that the response answers.
static const char *lint_answer(const struct lint *l, const struct wire *w, const struct sent *s)
{
	const char *why;
	struct wire *request = wire_parse(l->arena, s->bytes, s->len, &why);
	const char *se = wire_get(w, "Session-Expires"), *role, *asked, *floor;
	bool knows;

	if ((l->allowed & LINT_EDITED) != 0 || request == NULL || w->status / 100 != 2 ||
	    se == NULL)
		return NULL; // a request that we malformed on purpose is no measure
	knows = lists(request, "Supported", "timer") || lists(request, "Require", "timer");
	role = wire_param(l->arena, se, "refresher");
	if (role == NULL)
		return "a 2xx whose Session-Expires names no refresher (ST-61)";
	if (!knows && strcasecmp(role, "uas") != 0)
		return "refresher is not uas towards a peer without timer (ST-62)";
	if (!knows && lists(w, "Require", "timer"))
		return "Require: timer towards a peer without it (ST-65)";
	if (knows && !lists(w, "Require", "timer"))
		return "no Require: timer towards a peer that has it (ST-63, ST-64)";
	if (l->allowed & LINT_INTERVAL)
		return NULL;
	asked = wire_get(request, "Session-Expires");
	floor = wire_get(request, "Min-SE");
	if (asked != NULL && wire_number(asked) >= SE_FLOOR &&
	    wire_nth(request, "Session-Expires", 1) == NULL) {
		const char *named = wire_param(l->arena, asked, "refresher");

		if (knows && named != NULL && strcasecmp(named, role) != 0 &&
		    (strcasecmp(named, "uac") == 0 || strcasecmp(named, "uas") == 0))
			return "the refresher is not the one that the request named (ST-62)";
		if (knows && wire_number(se) > wire_number(asked) &&
		    (floor == NULL || wire_number(se) > wire_number(floor)))
			return "Session-Expires above the request's (ST-58)";
	}
	if (floor != NULL && wire_number(se) < wire_number(floor))
		return "Session-Expires below the request's Min-SE (ST-59)";
	return NULL;
}

static const char *lint_response(const struct lint *l, struct peer *to, const struct wire *w)
{
	struct dialog *d = peer_dialog_of(to, w->call_id);
	struct sent *s = d != NULL ? d->sent : NULL;

	if (w->status == 408 && !is(w, "INVITE"))
		return "408 to a request other than INVITE (NI-01)";
	if (w->status / 100 == 1 && w->status != 100 && !is(w, "INVITE"))
		return "a provisional response to a request other than INVITE (NI-02)";
	if (w->status > 100 && w->to_tag[0] == '\0')
		return "To has no tag (DL-01)";
	if (w->status == 405 && wire_get(w, "Allow") == NULL)
		return "405 without Allow";
	if (w->status == 420 && wire_get(w, "Unsupported") == NULL)
		return "420 without Unsupported (DL-16)";
	if (w->status / 100 == 2 && is(w, "INVITE") && wire_get(w, "Contact") == NULL)
		return "a 2xx to INVITE without Contact";
	if (w->status / 100 == 2 && is(w, "INVITE") && !lists(w, "Allow", "UPDATE") &&
	    !(l->allowed & LINT_UPDATE))
		return "Allow in the 2xx does not list UPDATE (UP-06)";
	while (s != NULL && (s->cseq != w->cseq || strcmp(s->method, w->method) != 0))
		s = s->next;
	if (s == NULL)
		return l->allowed & LINT_STRAY ? NULL
					       : "it answers a request that the peer did not send";
	if (strcmp(s->branch, w->branch) != 0 && !(l->allowed & LINT_STRAY))
		return "its Via is not the request's (DL-13)";
	return lint_answer(l, w, s);
}

// A request of verge, remembered when it was sent first: it may be lost on its way.
struct lint_sent {
	struct lint_sent *next;
	const char *branch, *method;
	const uint8_t *bytes;
	uint32_t len;
};

#define SENT_MAX 24

static void remember(const struct lint *l, struct dialog *d, const struct wire *w)
{
	struct lint_sent *s = arena_alloc(l->arena, sizeof(*s)), *last = s;

	*s = (struct lint_sent){d->lint_sent, w->branch, w->method, w->bytes, w->len};
	d->lint_sent = s;
	for (int i = 1; last != NULL && i < SENT_MAX; i++)
		last = last->next;
	if (last != NULL)
		last->next = NULL;
}

static bool is_copy(const struct dialog *d, const struct wire *w, const char **why)
{
	for (const struct lint_sent *s = d->lint_sent; s != NULL; s = s->next) {
		if (strcmp(s->branch, w->branch) != 0 || strcmp(s->method, w->method) != 0)
			continue;
		if (s->len != w->len || memcmp(s->bytes, w->bytes, w->len) != 0)
			*why = "a retransmission that differs from the first one";
		return true;
	}
	return false;
}

// What a request of verge is beside those that it sent before in the dialog.
static const char *lint_order(const struct lint *l, struct peer *to, const struct wire *w,
			      tick_t now)
{
	struct dialog *d = peer_dialog_of(to, w->call_id);
	const char *why = NULL;

	if (d == NULL || is(w, "ACK") || is(w, "CANCEL") || is_copy(d, w, &why))
		return why;
	if (d->lint_to_tag != NULL && strcmp(d->lint_to_tag, w->to_tag) == 0 &&
	    w->cseq <= d->lint_cseq && !(l->allowed & LINT_CSEQ))
		return "CSeq does not rise in the dialog (DL-02, P21)";
	remember(l, d, w);
	d->lint_cseq = w->cseq;
	d->lint_to_tag = w->to_tag;
	for (struct got *g = d->got; g != NULL && is(w, "INVITE"); g = g->next)
		if (strcmp(g->w->method, "INVITE") == 0 && g->final == 0 &&
		    now - g->at < TRANSACTION_TICKS && strcmp(g->w->branch, w->branch) != 0 &&
		    !(l->allowed & LINT_INVITE))
			return "an INVITE while another one has no answer (DL-08)";
	if (w->to_tag[0] != '\0' && d->n_used_tags != 0) {
		bool known = strcmp(w->to_tag, d->tag) == 0;

		for (int i = 0; i < d->n_used_tags; i++)
			known = known || strcmp(w->to_tag, d->used_tags[i]) == 0;
		if (!known)
			return "its To tag is none that the peer gave (DL-01)";
	}
	return NULL;
}

// Fields whose content is the other side's by right.
static bool may_name_others(const char *name)
{
	static const char *const names[] = {"Refer-To",	 "Referred-By",	 "P-Asserted-Identity",
					    "Diversion", "History-Info", "Reason",
					    "Warning",	 "Call-Info",	 "Alert-Info",
					    "X-",	 "Subject",	 "Contact-Of"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncasecmp(name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static bool mentions(const char *text, const char *host)
{
	size_t n = strlen(host);

	for (const char *at = text; (at = strstr(at, host)) != NULL; at += n)
		if (at[n] < '0' || at[n] > '9')
			return true;
	return false;
}

// Nothing of one leg is seen on the other (RFC 7092): addresses and Call-IDs.
static const char *lint_leak(const struct lint *l, const struct peer *to, const struct wire *w)
{
	for (int p = 0; p < *l->n_peers; p++) {
		const struct peer *other = l->peers[p];
		char ip[64];

		if (other->flow.port == to->flow.port || (l->allowed & LINT_LEAK))
			continue;
		snprintf(ip, sizeof(ip), "%s", other->via);
		if (ip[0] != '[')
			ip[strcspn(ip, ":")] = '\0';
		for (int i = 0; i < w->n_fields; i++)
			if (!may_name_others(w->field[i].name) && mentions(w->field[i].value, ip))
				return arena_printf(
					l->arena,
					"%s shows the address of the other leg's peer (BU-03)",
					w->field[i].name);
	}
	return NULL;
}

const char *lint_message(const struct lint *l, struct peer *to, const struct flow *flow,
			 const struct wire *w, tick_t now)
{
	const char *why = lint_flow(to, flow);

	if (why == NULL)
		why = lint_timer(w);
	if (why == NULL)
		why = w->request ? lint_request(l, to, w) : lint_response(l, to, w);
	if (why == NULL && w->request)
		why = lint_order(l, to, w, now);
	if (why == NULL)
		why = lint_leak(l, to, w);
	if (why == NULL && w->body_len != 0 && wire_get(w, "Content-Type") == NULL)
		why = "a body without Content-Type";
	return why;
}
