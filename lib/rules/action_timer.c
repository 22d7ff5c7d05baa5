// SPDX-License-Identifier: BSD-3-Clause
// Typed actions on session timers (RFC 4028): the text of the message here, and in the result what
// the call logic has to know, so that text and state agree. Worker.
#include "rules/program.h"

#include "sip/numbers.h"
#include "sip/param.h"

#define LEAST_S 90 // RFC 4028 s4: the least interval there is

static const struct rule_header session_expires = {SLICE_LIT("Session-Expires"),
						   SIP_H_SESSION_EXPIRES};
static const struct rule_header min_se = {SLICE_LIT("Min-SE"), SIP_H_MIN_SE};

static void delete_all(struct draft *d, const struct rule_header *h)
{
	for (int i = draft_find(d, h, 0); i >= 0; i = draft_find(d, h, (uint32_t)i + 1))
		draft_delete(d, (uint32_t)i);
}

static bool strip(struct run *r)
{
	static const struct rule_header lists[] = {
		{SLICE_LIT("Supported"), SIP_H_SUPPORTED},
		{SLICE_LIT("Require"), SIP_H_REQUIRE},
		{SLICE_LIT("Proxy-Require"), SIP_H_PROXY_REQUIRE}};
	static const struct slice timer = SLICE_LIT("timer");
	struct draft *d = &r->user->draft;

	delete_all(d, &session_expires);
	delete_all(d, &min_se);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		(void)action_option(d, &lists[i], NULL, 0, &timer, 1);
	r->user->result.strip_timer = true;
	return true;
}

static bool expires(struct draft *d, const struct rule_action *a)
{
	int at = draft_find(d, &session_expires, 0), least = draft_find(d, &min_se, 0);
	uint64_t number, floor = LEAST_S, own;
	uint32_t digits;

	if (at < 0 || !eval_number(d->field[at].value, &number, &digits))
		return true;
	if (least >= 0 && eval_number(d->field[least].value, &own, &digits) && own > floor)
		floor = own; // it must not be below the message's own Min-SE (s5)
	number = action_change(a, number);
	return action_set_number(d, (uint32_t)at, number < floor ? floor : number);
}

// Who of us two is the UAC of this transaction?
static bool we_are_uac(const struct run *r)
{
	return (r->facts->direction == RULE_OUT) == sip_msg_is_request(r->facts->msg);
}

static bool refresher(struct run *r, const struct rule_action *a)
{
	struct draft *d = &r->user->draft;
	int at = draft_find(d, &session_expires, 0);
	bool uac = we_are_uac(r) == (a->refresher == RULE_LOCAL);
	struct sip_session_expires se;
	struct sip_param p;
	struct slice rest;
	uint32_t begin = draft_text_begin(d);

	r->user->result.refresher = (uint8_t)(1 + a->refresher);
	if (at < 0)
		return true;
	if (sip_session_expires_parse(&se, d->field[at].value) != 0)
		return false;
	outbuf_put_u64(&d->text, se.seconds);
	for (rest = se.params; sip_param_next(&rest, &p) == 1;) {
		if (slice_eq_nocase(p.name, SLICE_LIT("refresher")))
			continue;
		outbuf_put_char(&d->text, ';');
		outbuf_put_slice(&d->text, p.name);
		if (p.value.p == NULL || p.is_quoted)
			continue;
		outbuf_put_char(&d->text, '=');
		outbuf_put_slice(&d->text, p.value);
	}
	outbuf_put_str(&d->text, uac ? ";refresher=uac" : ";refresher=uas");
	draft_set_value(d, (uint32_t)at, draft_text_take(d, begin));
	return true;
}

static bool hide_update(struct run *r)
{
	static const struct rule_header allow = {SLICE_LIT("Allow"), SIP_H_ALLOW};
	static const struct slice update = SLICE_LIT("UPDATE");

	r->user->result.hide_update = true;
	return action_option(&r->user->draft, &allow, NULL, 0, &update, 1);
}

// Min-SE has a meaning in INVITE, UPDATE and 422 (s4, s5).
static bool takes_min_se(const struct run *r)
{
	const struct sip_msg *m = r->facts->msg;

	return sip_msg_is_request(m) ? m->method == SIP_INVITE || m->method == SIP_UPDATE
				     : r->user->draft.code == 422;
}

static bool change_min_se(struct run *r, const struct rule_action *a)
{
	struct draft *d = &r->user->draft;
	int at = draft_find(d, &min_se, 0);
	uint32_t begin = draft_text_begin(d), digits;
	uint64_t number;

	if (!takes_min_se(r))
		return true;
	if (at >= 0 && eval_number(d->field[at].value, &number, &digits))
		return action_set_number(d, (uint32_t)at, action_change(a, number));
	if (a->change != RULE_SET || at >= 0)
		return true;
	outbuf_put_u64(&d->text, a->number);
	draft_add(d, &min_se, draft_text_take(d, begin));
	return true;
}

bool action_timer(struct run *r, const struct rule_action *a)
{
	switch ((enum rule_action_kind)a->kind) {
	case RULE_DO_STRIP_TIMER:
		return strip(r);
	case RULE_DO_EXPIRES:
		return expires(&r->user->draft, a);
	case RULE_DO_REFRESHER:
		return refresher(r, a);
	case RULE_DO_HIDE_UPDATE:
		return hide_update(r);
	case RULE_DO_MIN_SE:
		return change_min_se(r, a);
	case RULE_DO_DISARM:
		r->user->result.disarm = true;
		return true;
	default:
		return false;
	}
}
