// SPDX-License-Identifier: BSD-3-Clause
// Which messages somebody wants a copy of. See tap.h.
#include "b2bua/tap.h"

#include "b2bua/core.h"

// Whether text has these bytes anywhere; len above 0. What is not there needs no reading, and most
// messages are of calls that nobody looks for. memmem() takes four times as long for texts so
// short.
static bool tap_has(struct slice text, const char *want, size_t len)
{
	const uint8_t *p = text.p, *end = text.p + text.len;

	while (p != NULL && (size_t)(end - p) >= len) {
		p = memchr(p, (uint8_t)want[0], (size_t)(end - p) - len + 1);
		if (p != NULL && memcmp(p, want, len) == 0)
			return true;
		p = p != NULL ? p + 1 : NULL;
	}
	return false;
}

// Whether the user of a name-addr or URI begins with the number, written with or without its plus.
static bool tap_number_is(const struct tap_filter *f, struct slice value)
{
	struct slice want = slice_of_str(f->number);
	struct sip_name_addr party;
	struct sip_uri uri;

	if (!tap_has(value, f->number, want.len) || sip_name_addr_parse(&party, value) != 0 ||
	    sip_uri_parse(&uri, party.uri) != 0)
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

// Whether a leg is still what it was when the message came: another trunk may have been tried
// since.
static bool tap_leg_of(const struct msg_about *about, const struct leg *a, const struct leg *b)
{
	const struct leg *leg = about->side == SIDE_B ? b : a;

	return leg_text_of(leg) != NULL && leg->trunk == about->trunk;
}

unsigned engine_tap(const struct engine *e, const struct tap_filter *f,
		    const struct msg_about *about, bool *known)
{
	const struct call *c = about->call < e->p.calls ? &e->calls[about->call] : NULL;
	const struct leg *a, *b;
	unsigned taps = 0;

	*known = false;
	if (c == NULL || c->gen != about->gen)
		return 0;
	a = &e->legs[2 * about->call];
	b = a + 1;
	*known = tap_leg_of(about, a, b);
	if (f->trunks)
		taps = f->of_trunk[a->trunk] | f->of_trunk[b->trunk];
	if (c->traced)
		taps |= TAP_HEP;
	if (f->tracing && tap_traces_call(f, c, a, b))
		taps |= TAP_TRACE;
	return taps;
}

// Whether a message may be wanted, by its bytes alone.
static bool tap_may_be(const struct tap_filter *f, struct slice message)
{
	bool found = f->n_call_ids == 0;

	for (unsigned i = 0; i < f->n_call_ids && !found; i++)
		found = tap_has(message, f->call_id[i], f->call_id_len[i]);
	return found && (f->number[0] == '\0' || tap_has(message, f->number, strlen(f->number)));
}

static bool tap_traces_message(const struct tap_filter *f, const struct msg_about *about,
			       struct slice message, bool known)
{
	struct sip_msg m;

	if (f->marked || (f->trunk != TAP_ANY_TRUNK && f->trunk != about->trunk))
		return false;
	if (f->n_call_ids == 0 && f->number[0] == '\0')
		return true;
	if (known && f->n_call_ids == 0 && !slice_starts_with(message, SLICE_LIT("INVITE ")))
		return false; // the legs have its numbers, and engine_tap() looked at them
	if (!tap_may_be(f, message))
		return false;
	(void)sip_msg_parse(&m, message); // what could be read is there after an error too
	if (f->n_call_ids != 0 && !tap_call_id_is(f, sip_msg_value(&m, SIP_H_CALL_ID)))
		return false;
	return f->number[0] == '\0' || tap_number_is(f, sip_msg_value(&m, SIP_H_FROM)) ||
	       tap_number_is(f, sip_msg_value(&m, SIP_H_TO));
}

unsigned tap_message(const struct tap_filter *f, const struct msg_about *about,
		     struct slice message, bool known)
{
	unsigned taps =
		f->trunks && about->trunk < CONFIG_MAX_TRUNKS ? f->of_trunk[about->trunk] : 0;

	if (f->tracing && tap_traces_message(f, about, message, known))
		taps |= TAP_TRACE;
	return taps;
}

void engine_mark_traced(struct engine *e, uint32_t call)
{
	engine_hold(e, call)->traced = true;
}
