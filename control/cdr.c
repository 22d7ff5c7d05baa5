// SPDX-License-Identifier: BSD-3-Clause
// Call detail records as JSON.
#include "control/cdr.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "config/config.h"
#include "control/jsonout.h"
#include "rules/rules.h"
#include "session_timer/session_timer.h"
#include "sip/sip.h"

static const char *const leg_words[2] = {"ingress", "egress"};
static const char *const by_words[] = {
	[BY_VERGE] = "verge", [BY_INGRESS] = "ingress", [BY_EGRESS] = "egress"};
static const char *const method_words[] = {
	[REFRESH_UPDATE] = "UPDATE",
	[REFRESH_UPDATE_SDP] = "UPDATE+SDP",
	[REFRESH_INVITE] = "INVITE",
};

static void put_digits(char *at, unsigned digits, uint64_t value)
{
	while (digits-- != 0) {
		at[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

// The Gregorian calendar by eras of 400 years that begin on 1 March (Hinnant, "chrono-compatible
// low-level date algorithms"): ten times in a CDR, where gmtime_r() and strftime() took a third.
void cdr_time(char text[CDR_TIME_BYTES], uint64_t unix_us)
{
	uint64_t second = unix_us / 1000000 % 86400, day = unix_us / 1000000 / 86400 + 719468;
	uint64_t in_era = day % 146097;
	uint64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	uint64_t in_year = in_era - (365 * year + year / 4 - year / 100);
	uint64_t month = (5 * in_year + 2) / 153; // from March

	memcpy(text, "0000-00-00T00:00:00.000Z", sizeof("0000-00-00T00:00:00.000Z"));
	put_digits(text, 4, year + day / 146097 * 400 + (month >= 10));
	put_digits(text + 5, 2, month < 10 ? month + 3 : month - 9);
	put_digits(text + 8, 2, in_year - (153 * month + 2) / 5 + 1);
	put_digits(text + 11, 2, second / 3600);
	put_digits(text + 14, 2, second / 60 % 60);
	put_digits(text + 17, 2, second % 60);
	put_digits(text + 20, 3, unix_us / 1000 % 1000);
}

static void put_time(struct outbuf *o, const char *key, const struct cdr *cdr, tick_t at)
{
	char text[CDR_TIME_BYTES];

	if (at == 0 || at == TICK_NEVER) {
		jsonout_null(o, key);
		return;
	}
	cdr_time(text, cdr->wall_us + (at - cdr->wall_tk));
	jsonout_str(o, key, text);
}

static struct slice text_of(const struct call_record *r, enum call_text which)
{
	uint32_t from = 0, len = r->text_len[which];

	for (unsigned i = 0; i < which; i++)
		from += r->text_len[i];
	if (from > sizeof(r->text))
		return SLICE_NONE;
	if (len > sizeof(r->text) - from)
		len = (uint32_t)sizeof(r->text) - from;
	return slice_of(r->text + from, len);
}

static void put_text(struct outbuf *o, const char *key, const struct call_record *r,
		     enum call_text which)
{
	struct slice text = text_of(r, which);

	if (text.len == 0)
		jsonout_null(o, key);
	else
		jsonout_string(o, key, text);
}

static unsigned speaks_of(const struct call_record *r)
{
	return r->side == SIDE_B ? SIDE_B : SIDE_A;
}

// One word of a sentence: {leg}, {code}, {se}, {method}, {when}.
static void put_word(struct outbuf *o, const struct call_record *r, struct slice word)
{
	const struct leg_record *leg = &r->legs[speaks_of(r)];

	if (slice_eq(word, SLICE_LIT("leg")))
		outbuf_put_str(o, leg_words[speaks_of(r)]);
	else if (slice_eq(word, SLICE_LIT("code")) && r->why_code != 0)
		outbuf_put_u64(o, r->why_code);
	else if (slice_eq(word, SLICE_LIT("code")) && r->code >= 300) // 2xx: no refusal
		outbuf_put_u64(o, r->code);
	else if (slice_eq(word, SLICE_LIT("code")))
		outbuf_put_lit(o, "no answer");
	else if (slice_eq(word, SLICE_LIT("se")))
		outbuf_put_u64(o, leg->timer.se_s);
	else if (slice_eq(word, SLICE_LIT("method")) && sip_method_token(r->method).len != 0)
		outbuf_put_slice(o, sip_method_token(r->method));
	else if (slice_eq(word, SLICE_LIT("method")))
		outbuf_put_lit(o, "request");
	else if (slice_eq(word, SLICE_LIT("when")))
		outbuf_put_str(o, r->boundary < ST_BOUNDARY_N
					  ? st_boundary_word((enum st_boundary)r->boundary)
					  : "none");
}

void cdr_put_sentence(struct outbuf *o, const struct call_record *r)
{
	struct slice rest = slice_of_str(cause_sentence((enum cause)r->cause));

	while (rest.len != 0) {
		int64_t open = slice_find(rest, '{'), close = slice_find(rest, '}');

		if (open < 0 || close < open) {
			outbuf_put_slice(o, rest);
			return;
		}
		outbuf_put_slice(o, slice_first(rest, (uint32_t)open));
		put_word(o, r, slice_of(rest.p + open + 1, (size_t)(close - open - 1)));
		rest = slice_from(rest, (uint32_t)close + 1);
	}
}

static void put_side(struct outbuf *o, const struct cdr *cdr, unsigned side)
{
	const struct call_record *r = cdr->record;
	const struct flow *flow = &r->legs[side].flow;
	char ip[INET6_ADDRSTRLEN], source[INET6_ADDRSTRLEN + 16];
	bool known = (flow->family == 4 || flow->family == 6) &&
		     inet_ntop(flow->family == 6 ? AF_INET6 : AF_INET, flow->peer_ip, ip,
			       sizeof(ip)) != NULL;

	if (known)
		snprintf(source, sizeof(source), flow->family == 6 ? "[%s]:%u" : "%s:%u", ip,
			 flow->peer_udp);
	jsonout_open(o, leg_words[side], '{');
	jsonout_str(o, "trunk", cdr->legs[side].trunk);
	put_text(o, "call_id", r, side == SIDE_A ? TEXT_INGRESS_CALL_ID : TEXT_EGRESS_CALL_ID);
	// who called whom is one fact of the call: verge's From and To of the egress leg say the
	// same
	put_text(o, "from", r, TEXT_FROM);
	put_text(o, "to", r, TEXT_TO);
	jsonout_str(o, "source", known ? source : NULL);
	jsonout_close(o, '}');
}

// The peer named by the cause was gone before the call ended: it may be billed until it last gave a
// sign.
static bool ended_by_silence(enum cause cause)
{
	switch (cause) {
	case CAUSE_REFRESH_FAILURE:
	case CAUSE_REFRESH_DIALOG_GONE:
	case CAUSE_SESSION_EXPIRED:
	case CAUSE_SESSION_EXPIRED_LOCAL:
	case CAUSE_DIALOG_GONE:
	case CAUSE_PEER_TIMEOUT:
	case CAUSE_ACK_TIMEOUT:
	case CAUSE_ACK_TIMEOUT_MIDCALL:
		return true;
	default: // every other cause: both peers were there until the end
		return false;
	}
}

static void put_attempts(struct outbuf *o, const struct cdr *cdr, unsigned side)
{
	const struct cdr_leg *leg = &cdr->legs[side];

	jsonout_open(o, "attempts", '[');
	for (unsigned i = 0; i < leg->n_attempts; i++) {
		const struct control_attempt *a = &leg->attempts[i];

		jsonout_open(o, NULL, '{');
		put_time(o, "at", cdr, a->at);
		jsonout_str(o, "method",
			    a->method < REFRESH_METHOD_N ? method_words[a->method] : NULL);
		if (a->code != 0)
			jsonout_u64(o, "code", a->code);
		else
			jsonout_null(o, "code");
		jsonout_u64(o, "ms", a->ms);
		jsonout_close(o, '}');
	}
	jsonout_close(o, ']');
}

static void put_leg(struct outbuf *o, const struct cdr *cdr, unsigned side)
{
	const struct call_record *r = cdr->record;
	const struct leg_record *leg = &r->legs[side];
	bool sent = leg->refreshes_sent != 0 || leg->refreshes_failed != 0;
	// the answer of the call starts a timer as a refresh does; without one there is none
	bool timed =
		leg->timer.se_s != 0 || leg->refreshes_sent != 0 || leg->refreshes_received != 0;
	tick_t billable = r->answer_tk == 0 ? 0 : r->end_tk;

	if (billable != 0 && speaks_of(r) == side && leg->last_proof_tk != 0 &&
	    ended_by_silence((enum cause)r->cause))
		billable = leg->last_proof_tk > r->answer_tk ? leg->last_proof_tk : r->answer_tk;
	jsonout_open(o, NULL, '{');
	jsonout_str(o, "leg", leg_words[side]);
	jsonout_u64(o, "se_s", leg->timer.se_s);
	jsonout_str(o, "refresher",
		    leg->timer.role == ST_ROLE_LOCAL	? "local"
		    : leg->timer.role == ST_ROLE_REMOTE ? "remote"
							: NULL);
	jsonout_str(o, "negotiated_by",
		    leg->negotiated_by < ST_BY_N ? st_by_word((enum st_by)leg->negotiated_by)
						 : NULL);
	jsonout_str(o, "refresh_method",
		    sent && leg->refresh_method < REFRESH_METHOD_N
			    ? method_words[leg->refresh_method]
			    : NULL);
	jsonout_open(o, "session_timer_refreshes", '{');
	jsonout_u64(o, "sent", leg->refreshes_sent);
	jsonout_u64(o, "received", leg->refreshes_received);
	jsonout_u64(o, "failed", leg->refreshes_failed);
	jsonout_close(o, '}');
	put_time(o, "last_refresh_ok", cdr, timed ? leg->last_refresh_ok_tk : 0);
	put_time(o, "last_proof_of_life", cdr, leg->last_proof_tk);
	put_attempts(o, cdr, side);
	put_time(o, "billable_until", cdr, billable);
	jsonout_u64(o, "holds", leg->holds);
	jsonout_close(o, '}');
}

static void put_subcause(struct outbuf *o, const struct call_record *r)
{
	char code[16];

	if (r->boundary != ST_BOUNDARY_NONE && r->boundary < ST_BOUNDARY_N) {
		jsonout_str(o, "subcause", st_boundary_word((enum st_boundary)r->boundary));
	} else if (r->why_code != 0) {
		snprintf(code, sizeof(code), "sip_%u", r->why_code);
		jsonout_str(o, "subcause", code);
	} else if (ended_by_silence((enum cause)r->cause)) {
		jsonout_str(o, "subcause", "silence");
	} else {
		jsonout_null(o, "subcause");
	}
}

static void put_release(struct outbuf *o, const struct call_record *r)
{
	char text[512];
	struct outbuf sentence = outbuf_of(text, sizeof(text));
	bool suspect = r->boundary != ST_BOUNDARY_NONE && r->boundary < ST_BOUNDARY_N;

	cdr_put_sentence(&sentence, r);
	jsonout_open(o, "release", '{');
	jsonout_str(o, "by", by_words[r->by <= BY_EGRESS ? r->by : BY_VERGE]);
	jsonout_str(o, "cause", cause_word((enum cause)r->cause));
	put_subcause(o, r);
	jsonout_string(o, "sentence", outbuf_slice(&sentence));
	if (suspect) {
		snprintf(text, sizeof(text), "timer_deadline(%s)",
			 st_boundary_word((enum st_boundary)r->boundary));
		jsonout_str(o, "suspect", text);
	} else {
		jsonout_null(o, "suspect");
	}
	jsonout_close(o, '}');
}

static void put_warning(struct outbuf *o, unsigned side, const char *what)
{
	char text[64];

	snprintf(text, sizeof(text), "%s_%s", leg_words[side], what);
	jsonout_str(o, NULL, text);
}

static void put_warnings(struct outbuf *o, const struct cdr *cdr)
{
	const struct call_record *r = cdr->record;
	tick_t answered_for =
		r->answer_tk != 0 && r->end_tk > r->answer_tk ? r->end_tk - r->answer_tk : 0;

	jsonout_open(o, "warnings", '[');
	for (unsigned side = SIDE_A; side <= SIDE_B; side++) {
		const struct leg_record *leg = &r->legs[side];

		if (leg->timer.unasked)
			put_warning(o, side, "timer_unasked");
		if (leg->timer.role_flipped)
			put_warning(o, side, "role_flipped");
		if (leg->refreshes_failed != 0)
			put_warning(o, side, "refreshes_failed");
		if (cdr->legs[side].observed)
			put_warning(o, side, "timer_observed_only");
		if (leg->timer.se_s != 0 && answered_for > TICK_S(leg->timer.se_s) &&
		    leg->refreshes_sent == 0 && leg->refreshes_received == 0)
			put_warning(o, side, "no_refresh_in_an_interval");
	}
	jsonout_close(o, ']');
}

// What rules called the call.
static void put_tags(struct outbuf *o, const struct cdr *cdr)
{
	jsonout_open(o, "tags", '[');
	for (unsigned i = 0; cdr->rules != NULL && i < RULES_LABELS; i++)
		if ((cdr->record->labels >> i & 1) != 0)
			jsonout_string(o, NULL, rules_label(cdr->rules, i));
	jsonout_close(o, ']');
}

static void put_milestones(struct outbuf *o, const struct cdr *cdr)
{
	const struct call_record *r = cdr->record;
	bool answered = r->answer_tk != 0;

	put_time(o, "start", cdr, r->start_tk);
	put_time(o, "ringing", cdr, r->ringing_tk);
	put_time(o, "answer", cdr, r->answer_tk);
	put_time(o, "end", cdr, r->end_tk);
	jsonout_milli(o, "duration_s",
		      answered && r->end_tk > r->answer_tk ? (r->end_tk - r->answer_tk) / 1000 : 0);
	if (answered && r->answer_tk >= r->start_tk)
		jsonout_u64(o, "setup_ms", (r->answer_tk - r->start_tk) / 1000);
	else
		jsonout_null(o, "setup_ms");
}

static void put_code(struct outbuf *o, const struct call_record *r)
{
	struct slice reason = text_of(r, TEXT_REASON);

	if (r->code == 0)
		jsonout_null(o, "code");
	else
		jsonout_u64(o, "code", r->code);
	if (reason.len == 0 && r->code != 0)
		reason = sip_reason_phrase(r->code);
	if (reason.len == 0)
		jsonout_null(o, "reason");
	else
		jsonout_string(o, "reason", reason);
}

void cdr_put(struct outbuf *o, const struct cdr *cdr)
{
	const struct call_record *r = cdr->record;
	uint32_t rtt_us =
		r->legs[SIDE_B].rtt_us != 0 ? r->legs[SIDE_B].rtt_us : r->legs[SIDE_A].rtt_us;

	jsonout_open(o, NULL, '{');
	put_text(o, "call_id", r, TEXT_INGRESS_CALL_ID);
	put_side(o, cdr, SIDE_A);
	put_side(o, cdr, SIDE_B);
	put_milestones(o, cdr);
	put_code(o, r);
	put_release(o, r);
	jsonout_open(o, "legs", '[');
	put_leg(o, cdr, SIDE_A);
	put_leg(o, cdr, SIDE_B);
	jsonout_close(o, ']');
	if (rtt_us != 0)
		jsonout_milli(o, "rtt_ms", rtt_us);
	else
		jsonout_null(o, "rtt_ms");
	put_warnings(o, cdr);
	put_tags(o, cdr);
	jsonout_close(o, '}');
}
