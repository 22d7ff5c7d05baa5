// SPDX-License-Identifier: BSD-3-Clause
// Which messages somebody wants a copy of. See tap.h.
#include "b2bua/tap.h"

#include "b2bua/core.h"

// Whether the user of a name-addr or URI begins with the number, written with or without its plus.
static bool tap_number_is(const struct tap_filter *f, struct slice value)
{
	struct slice want = slice_of_str(f->number);
	struct sip_name_addr party;
	struct sip_uri uri;

	if (sip_name_addr_parse(&party, value) != 0 || sip_uri_parse(&uri, party.uri) != 0)
		return false;
	if (slice_starts_with(uri.user, want))
		return true;
	return uri.user.len != 0 && uri.user.p[0] == '+' &&
	       slice_starts_with(slice_skip(uri.user, 1), want);
}

static bool tap_call_id_is(const struct tap_filter *f, struct slice call_id)
{
	for (unsigned i = 0; i < f->n_call_ids; i++)
		if (slice_eq(call_id, slice_of(f->call_id[i], f->call_id_len[i])))
			return true;
	return false;
}

static bool tap_leg_number(const struct tap_filter *f, const struct leg *leg)
{
	const struct leg_text *t = leg_text_of(leg);

	return t != NULL && (tap_number_is(f, leg_text_part(t, LEG_TEXT_LOCAL)) ||
			     tap_number_is(f, leg_text_part(t, LEG_TEXT_REMOTE)) ||
			     tap_number_is(f, leg_text_part(t, LEG_TEXT_TARGET)));
}

static bool tap_leg_call_id(const struct tap_filter *f, const struct leg *leg)
{
	const struct leg_text *t = leg_text_of(leg);

	return t != NULL && tap_call_id_is(f, leg_text_part(t, LEG_TEXT_CALL_ID));
}

static bool tap_traces_call(const struct tap_filter *f, const struct call *c, const struct leg *a,
			    const struct leg *b)
{
	if (f->marked && !c->traced)
		return false;
	if (f->trunk != TAP_ANY_TRUNK && a->trunk != f->trunk && b->trunk != f->trunk)
		return false;
	if (f->n_call_ids != 0 && !tap_leg_call_id(f, a) && !tap_leg_call_id(f, b))
		return false;
	return f->number[0] == '\0' || tap_leg_number(f, a) || tap_leg_number(f, b);
}

unsigned engine_tap(const struct engine *e, const struct tap_filter *f,
		    const struct msg_about *about)
{
	const struct call *c = about->call < e->p.calls ? &e->calls[about->call] : NULL;
	const struct leg *a, *b;
	unsigned taps = 0;

	if (c == NULL || c->gen != about->gen)
		return 0;
	a = &e->legs[2 * about->call];
	b = a + 1;
	if (f->trunks)
		taps = f->of_trunk[a->trunk] | f->of_trunk[b->trunk];
	if (c->traced)
		taps |= TAP_HEP;
	if (f->tracing && tap_traces_call(f, c, a, b))
		taps |= TAP_TRACE;
	return taps;
}

static bool tap_traces_message(const struct tap_filter *f, const struct msg_about *about,
			       struct slice message)
{
	struct sip_msg m;

	if (f->marked || (f->trunk != TAP_ANY_TRUNK && f->trunk != about->trunk))
		return false;
	if (f->n_call_ids == 0 && f->number[0] == '\0')
		return true;
	(void)sip_msg_parse(&m, message); // what could be read is there after an error too
	if (f->n_call_ids != 0 && !tap_call_id_is(f, sip_msg_value(&m, SIP_H_CALL_ID)))
		return false;
	return f->number[0] == '\0' || tap_number_is(f, sip_msg_value(&m, SIP_H_FROM)) ||
	       tap_number_is(f, sip_msg_value(&m, SIP_H_TO));
}

unsigned tap_message(const struct tap_filter *f, const struct msg_about *about,
		     struct slice message)
{
	unsigned taps =
		f->trunks && about->trunk < CONFIG_MAX_TRUNKS ? f->of_trunk[about->trunk] : 0;

	if (f->tracing && tap_traces_message(f, about, message))
		taps |= TAP_TRACE;
	return taps;
}

void engine_mark_traced(struct engine *e, uint32_t call)
{
	engine_hold(e, call)->traced = true;
}
