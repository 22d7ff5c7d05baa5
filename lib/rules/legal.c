// SPDX-License-Identifier: BSD-3-Clause
// Whether what a rule leaves is a message that may go on (RFC 3261 s7, s8.1.1; RFC 4028). Worker.
#include "rules/program.h"

#include "sip/name_addr.h"
#include "sip/numbers.h"
#include "sip/uri.h"

#define LEAST_S 90 // RFC 4028 s4: the least interval there is

// The value that a header of the message had, one line; p NULL: none.
static struct slice was(const struct draft *d, const struct draft_field *f)
{
	return f->origin != DRAFT_NEW ? sip_msg_field_value(d->msg, &d->msg->field[f->origin])
				      : SLICE_NONE;
}

static bool is_changed(const struct draft_field *f)
{
	return f->flags != 0 || f->origin == DRAFT_NEW;
}

static const char *check_sizes(const struct draft *d)
{
	uint32_t bytes = d->msg->len + d->uri.len - d->msg->uri.len + d->reason.len, fields = 0;
	uint32_t edits = d->uri_changed + d->status_changed;

	if (d->full || d->text.full)
		return "there is no room for what it makes";
	for (uint32_t i = 0; i < d->n; i++) {
		const struct draft_field *f = &d->field[i];

		fields += (f->flags & DRAFT_GONE) == 0;
		if (!is_changed(f) || (f->flags & DRAFT_GONE) != 0) {
			edits += is_changed(f);
			continue;
		}
		edits += 2;
		bytes += f->name.len + f->value.len;
		if (f->origin == DRAFT_NEW)
			bytes += 4;
		else
			bytes -= sip_msg_field_name(d->msg, &d->msg->field[f->origin]).len +
				 was(d, f).len;
		if (f->name.len + f->value.len > RULES_VALUE_MAX)
			return "a header would be longer than 8 KiB";
	}
	if (bytes > RULES_MESSAGE_MAX)
		return "the message would be too long";
	if (fields > SIP_MSG_MAX_FIELDS)
		return "the message would have too many headers";
	return edits > SIP_EDIT_MAX ? "too many changes in one message" : NULL;
}

// The fields that identify and route stand as they stood; From and To may change but for their tag.
static const char *check_party(const struct draft *d, const struct draft_field *f)
{
	struct sip_name_addr now, then;
	struct slice tag_now, tag_then;
	struct sip_uri uri;

	if (sip_name_addr_parse(&now, f->value) != 0 || sip_uri_parse(&uri, now.uri) != 0)
		return "From or To would be malformed";
	if (sip_name_addr_parse(&then, was(d, f)) != 0 || sip_name_addr_tag(&now, &tag_now) != 0 ||
	    sip_name_addr_tag(&then, &tag_then) != 0 || !slice_eq(tag_now, tag_then))
		return "the tag of From or To would change";
	return NULL;
}

static bool same_address(struct slice a, struct slice b)
{
	struct sip_name_addr na, nb;
	struct sip_uri ua, ub;
	struct slice first_a, first_b;

	return sip_param_next_value(&a, &first_a) && sip_param_next_value(&b, &first_b) &&
	       sip_name_addr_parse(&na, first_a) == 0 && sip_name_addr_parse(&nb, first_b) == 0 &&
	       sip_uri_parse(&ua, na.uri) == 0 && sip_uri_parse(&ub, nb.uri) == 0 &&
	       slice_eq_nocase(ua.host, ub.host) && ua.port == ub.port && ua.scheme == ub.scheme;
}

static const char *check_contact(const struct run *r, const struct draft_field *f)
{
	struct slice rest = f->value, value;
	struct sip_name_addr na;
	struct sip_uri uri;
	unsigned n = 0;

	while (sip_param_next_value(&rest, &value)) {
		n++;
		if (sip_name_addr_parse(&na, value) != 0 ||
		    (!na.is_star && sip_uri_parse(&uri, na.uri) != 0))
			return "Contact would be malformed";
	}
	if (n == 0)
		return "Contact would be empty";
	if (r->facts->direction == RULE_OUT && !same_address(f->value, was(&r->user->draft, f)))
		return "Contact would not be verge's address any more";
	return NULL;
}

// A timer header that a rule has changed or added. They belong to INVITE and UPDATE (s3, s5).
static const char *check_timer(const struct run *r, const struct draft_field *f)
{
	bool is_request = sip_msg_is_request(r->facts->msg), se = f->id == SIP_H_SESSION_EXPIRES;
	unsigned method = is_request ? r->facts->msg->method : r->facts->method; // of an ACK: ACK
	unsigned code = r->user->draft.code;
	struct sip_session_expires interval;
	uint32_t seconds;

	if ((f->flags & DRAFT_GONE) != 0)
		return NULL;
	if (method != SIP_INVITE && method != SIP_UPDATE)
		return "Session-Expires and Min-SE belong to INVITE and UPDATE";
	if (!is_request && (se ? code / 100 != 2 : code != 422))
		return "Session-Expires belongs to a 2xx, Min-SE to a 422";
	if (se && sip_session_expires_parse(&interval, f->value) != 0)
		return "Session-Expires would be malformed";
	if (!se && sip_min_se_parse(&seconds, f->value) != 0)
		return "Min-SE would be malformed";
	return (se ? interval.seconds : seconds) < LEAST_S ? "Session-Expires or Min-SE below 90 s"
							   : NULL;
}

// An interval below the Min-SE beside it, one of which a rule has changed, would be answered by
// 422.
static const char *check_floor(const struct draft *d)
{
	static const struct rule_header names[] = {{SLICE_NONE, SIP_H_SESSION_EXPIRES},
						   {SLICE_NONE, SIP_H_MIN_SE}};
	int at = draft_find(d, &names[0], 0), floor = draft_find(d, &names[1], 0);
	struct sip_session_expires se;
	uint32_t seconds;

	if (at < 0 || floor < 0 || !(is_changed(&d->field[at]) || is_changed(&d->field[floor])) ||
	    sip_session_expires_parse(&se, d->field[at].value) != 0 ||
	    sip_min_se_parse(&seconds, d->field[floor].value) != 0)
		return NULL;
	return se.seconds < seconds ? "Session-Expires would be below Min-SE" : NULL;
}

static const char *check_field(const struct run *r, const struct draft_field *f)
{
	if (rule_protected(f->id) != NULL)
		return "a header that must stay would change";
	switch (f->id) {
	case SIP_H_FROM:
	case SIP_H_TO:
		return (f->flags & (DRAFT_GONE | DRAFT_NAME)) != 0 || f->origin == DRAFT_NEW
			       ? "From or To would be gone or there twice"
			       : check_party(&r->user->draft, f);
	case SIP_H_CONTACT:
		return (f->flags & (DRAFT_GONE | DRAFT_NAME)) != 0 || f->origin == DRAFT_NEW
			       ? "Contact would be gone or new"
			       : check_contact(r, f);
	case SIP_H_SESSION_EXPIRES:
	case SIP_H_MIN_SE:
		return check_timer(r, f);
	case SIP_H_CONTENT_TYPE:
		return (f->flags & DRAFT_GONE) != 0 && r->facts->msg->body.len != 0
			       ? "a body without Content-Type"
			       : NULL;
	}
	return NULL;
}

// The one Session-Expires there is; false: none, or none that can be read.
static bool interval(const struct draft *d, bool before, struct sip_session_expires *se)
{
	static const struct rule_header h = {SLICE_NONE, SIP_H_SESSION_EXPIRES};
	int at;

	if (before)
		return sip_session_expires_of(d->msg, se) == 0;
	at = draft_find(d, &h, 0);
	return at >= 0 && sip_session_expires_parse(se, d->field[at].value) == 0;
}

// What the peer has decided in its 2xx it will do: if it refreshes, it does so by its own interval,
// and if it does not, somebody has to.
static const char *check_answer(const struct run *r)
{
	const struct draft *d = &r->user->draft;
	struct sip_session_expires then, now;

	if (r->facts->direction != RULE_IN || d->msg->status / 100 != 2 ||
	    !interval(d, false, &now))
		return NULL;
	if (!interval(d, true, &then))
		return now.refresher != SIP_REFRESHER_UAC
			       ? "nobody would refresh: the peer has not said that it does"
			       : NULL;
	if (then.refresher == SIP_REFRESHER_UAS && now.seconds < then.seconds)
		return "the peer refreshes by the longer interval that it wrote";
	if (then.refresher != SIP_REFRESHER_UAS && now.seconds > then.seconds)
		return "the peer ends the call by the shorter interval that it wrote";
	if (then.refresher != SIP_REFRESHER_UAS && now.refresher == SIP_REFRESHER_UAS)
		return "nobody would refresh: the peer has said that verge does";
	return then.refresher != SIP_REFRESHER_NONE && now.refresher == SIP_REFRESHER_NONE
		       ? "it would not be said who refreshes"
		       : NULL;
}

// Our 2xx names the refresher, and a peer that does not know timers cannot be it (RFC 4028 s9,
// table 2).
static const char *check_ours(const struct run *r)
{
	struct sip_session_expires now;

	if (r->facts->direction != RULE_OUT || r->facts->msg->status / 100 != 2 ||
	    !interval(&r->user->draft, false, &now))
		return NULL;
	if (now.refresher == SIP_REFRESHER_NONE)
		return "a 2xx has to say who refreshes";
	return !r->facts->peer_lacks_timer	    ? NULL
	       : now.refresher == SIP_REFRESHER_UAC ? "the peer does not know session timers and "
						      "would not refresh"
						    : NULL;
}

const char *legal_fault(const struct run *r)
{
	const struct draft *d = &r->user->draft;
	const char *why = check_sizes(d);
	struct sip_uri uri;

	for (uint32_t i = 0; i < d->n && why == NULL; i++)
		if (is_changed(&d->field[i]))
			why = check_field(r, &d->field[i]);
	if (why == NULL && d->uri_changed && sip_uri_parse(&uri, d->uri) != 0)
		why = "the Request-URI would be malformed";
	if (why == NULL &&
	    (draft_count(d, SIP_H_SESSION_EXPIRES) > 1 || draft_count(d, SIP_H_MIN_SE) > 1 ||
	     draft_count(d, SIP_H_CONTENT_TYPE) > 1))
		why = "a header that may stand once would be there twice";
	if (why == NULL)
		why = check_floor(d);
	if (why == NULL)
		why = check_answer(r);
	return why == NULL ? check_ours(r) : why;
}
