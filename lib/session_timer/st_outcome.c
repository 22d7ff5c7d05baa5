// SPDX-License-Identifier: BSD-3-Clause
// After an attempt to refresh a session: what next? (RFC 4028 s10; INTEROP P6, P8, P13-P16)
// Pure; control. Whatever the answers, the number of attempts is bounded: each rung fails once,
// repeats, challenges and raises are counted, and back-off after crossings grows.
#include "session_timer/outcome.h"
#include "session_timer/st_leg.h"

#define ST_GLARE_FREE 4 // crossings before the back-off grows
#define ST_UPDATES    (1u << ST_METHOD_UPDATE | 1u << ST_METHOD_UPDATE_SDP)
#define ST_LAST_US    TICK_S(1) // nothing is sent later than this before the deadline

enum st_meaning {
	ST_MEANS_OTHER,
	ST_MEANS_MET,
	ST_MEANS_BUSY,
	ST_MEANS_METHOD,
	ST_MEANS_CONTENT,
	ST_MEANS_GONE,
	ST_MEANS_LOST,
	ST_MEANS_ASKED,
	ST_MEANS_RAISE,
};

// One attempt being judged.
struct st_case {
	const struct st_policy *policy;
	const struct st_leg *leg;
	struct st_refresh *refresh;
	const struct st_result *result;
	tick_t now;
	tick_t deadline;
};

static enum st_meaning st_meaning_of(unsigned code)
{
	switch (code) {
#define ST_OUTCOME(code, meaning) \
	case code:                \
		return ST_MEANS_##meaning;
#include "session_timer/outcome.def"
	}
	return ST_MEANS_OTHER;
}

static bool st_may_update(const struct st_policy *policy, const struct st_leg *leg)
{
	if (policy->method == ST_CHOOSE_INVITE)
		return false;
	if ((leg->peer_allow & SIP_METHOD_BIT(UPDATE)) != 0)
		return true; // UP-01
	return policy->method == ST_CHOOSE_UPDATE && (leg->flags & ST_LEG_PEER_ALLOW) == 0;
}

enum st_method st_first_method(const struct st_policy *policy, const struct st_leg *leg,
			       bool has_sdp)
{
	if (!st_may_update(policy, leg))
		return ST_METHOD_INVITE;
	if (!policy->no_update || policy->no_invite || policy->method == ST_CHOOSE_UPDATE ||
	    !has_sdp)
		return ST_METHOD_UPDATE;
	return ST_METHOD_INVITE;
}

static bool st_can_use(const struct st_case *c, enum st_method method)
{
	if ((c->refresh->failed >> method & 1) != 0)
		return false;
	switch (method) {
	case ST_METHOD_UPDATE:
		return st_may_update(c->policy, c->leg) && !c->policy->no_update;
	case ST_METHOD_UPDATE_SDP:
		return st_may_update(c->policy, c->leg) && !c->policy->no_update &&
		       c->result->has_sdp;
	case ST_METHOD_INVITE:
		return !c->policy->no_invite &&
		       (c->policy->method != ST_CHOOSE_UPDATE || !st_may_update(c->policy, c->leg));
	case ST_METHOD_N:
		break;
	}
	return false;
}

// The next rung below the one that failed, or any other that is left; ST_METHOD_N if none is.
static enum st_method st_next_rung(const struct st_case *c)
{
	for (unsigned m = c->result->method + 1u; m < ST_METHOD_N; m++)
		if (st_can_use(c, (enum st_method)m))
			return (enum st_method)m;
	for (unsigned m = 0; m < ST_METHOD_N; m++)
		if (m != c->result->method && st_can_use(c, (enum st_method)m))
			return (enum st_method)m;
	return ST_METHOD_N;
}

static struct st_next_step st_over(enum st_what what, enum st_why why)
{
	return (struct st_next_step){.at = TICK_NEVER,
				     .what = (uint8_t)what,
				     .method = ST_METHOD_N,
				     .why = (uint8_t)why};
}

// Send at an instant, which must leave time for an answer; else the expiry decides.
static struct st_next_step st_send(const struct st_case *c, enum st_method method, tick_t at,
				   enum st_why why)
{
	if (c->now + ST_LAST_US >= c->deadline || at + ST_LAST_US >= c->deadline)
		return st_over(ST_WAIT, why);
	return (struct st_next_step){
		.at = at, .what = ST_SEND, .method = (uint8_t)method, .why = ST_WHY_NONE};
}

static bool st_time_for_probe(const struct st_case *c)
{
	return c->now + ST_PROBE_US < c->deadline;
}

// What a late retry goes by: re-INVITE if it has not been tried, since it is the last one.
static enum st_method st_last_rung(const struct st_case *c)
{
	if (c->result->method != ST_METHOD_INVITE && st_can_use(c, ST_METHOD_INVITE))
		return ST_METHOD_INVITE;
	return st_next_rung(c);
}

// Once more at 3/4 of the interval, or half-way to the deadline if that comes first or has passed.
static struct st_next_step st_later(const struct st_case *c, enum st_why why)
{
	tick_t at = c->leg->last_ok_tk + TICK_S(c->leg->se_s) / 4 * 3;
	enum st_method other;

	if (c->refresh->late_retry || c->now >= c->deadline)
		return st_over(ST_WAIT, why);
	c->refresh->late_retry = true;
	if (at <= c->now || at + ST_PROBE_US > c->deadline)
		at = c->now + (c->deadline - c->now) / 2;
	other = st_last_rung(c);
	return st_send(c, other != ST_METHOD_N ? other : (enum st_method)c->result->method, at,
		       why);
}

static struct st_next_step st_when_met(const struct st_case *c)
{
	struct st_refresh *r = c->refresh;
	struct st_next_step step;
	tick_t wait = st_glare_backoff(c->result->call_id_owner, c->result->random);
	enum st_method method = (enum st_method)c->result->method;

	if (c->result->has_retry_after)
		wait = TICK_S(c->result->retry_after_s); // 500 of UP-03, s14.2
	if (r->glares != UINT8_MAX)
		r->glares++;
	if (r->glares > ST_GLARE_FREE) { // ST-73
		unsigned more = r->glares - ST_GLARE_FREE;

		wait <<= more < 5 ? more : 5;
		if (st_can_use(c, ST_METHOD_UPDATE))
			method = ST_METHOD_UPDATE; // crosses nothing
	}
	if (c->now + wait + ST_LAST_US >= c->deadline && c->deadline > c->now)
		wait = (c->deadline - c->now) / 2;
	step = st_send(c, method, c->now + wait, ST_WHY_GLARE);
	step.glare = true;
	return step;
}

static struct st_next_step st_when_busy(const struct st_case *c)
{
	struct st_refresh *r = c->refresh;
	const struct st_result *res = c->result;
	enum st_method next;
	tick_t at;

	// UAS with another request open: RFC 3311 s5.2, RFC 3261 s14.2 give at most 10 s
	if (res->code == 500 && res->has_retry_after && res->retry_after_s <= 10)
		return st_when_met(c);
	if (res->has_retry_after && r->repeats < ST_MAX_REPEATS) {
		r->repeats++;
		at = c->now + TICK_S(res->retry_after_s);
		if (at + ST_PROBE_US < c->deadline)
			return st_send(c, (enum st_method)res->method, at, ST_WHY_REFUSED);
		return st_later(c, ST_WHY_REFUSED); // it asks for more time than there is
	}
	next = st_next_rung(c);
	if (res->code == 500 && !r->late_retry && res->method != ST_METHOD_INVITE &&
	    next != ST_METHOD_N) {
		r->failed |= (uint8_t)(1u << res->method);
		return st_send(c, next, c->now, ST_WHY_REFUSED);
	}
	return st_later(c, ST_WHY_REFUSED);
}

// The method, or this form of it, is of no use: the next one at once.
static struct st_next_step st_when_unusable(const struct st_case *c, bool all_updates)
{
	struct st_refresh *r = c->refresh;
	struct st_next_step step;
	enum st_method next;

	r->failed |= (uint8_t)(1u << c->result->method);
	if (all_updates && c->result->method != ST_METHOD_INVITE)
		r->failed |= ST_UPDATES;
	next = st_next_rung(c);
	step = next != ST_METHOD_N ? st_send(c, next, c->now, ST_WHY_REFUSED)
				   : st_later(c, ST_WHY_REFUSED);
	step.no_update = all_updates ? c->result->method != ST_METHOD_INVITE
				     : c->result->method == ST_METHOD_UPDATE;
	return step;
}

// Silence, 408 or 481: fatal, but for a UPDATE that a re-INVITE has not yet confirmed.
static struct st_next_step st_when_gone(const struct st_case *c, enum st_why why)
{
	c->refresh->failed |= (uint8_t)(1u << c->result->method);
	if (c->result->method == ST_METHOD_INVITE || !st_can_use(c, ST_METHOD_INVITE) ||
	    !st_time_for_probe(c))
		return st_over(ST_END, why);
	return st_send(c, ST_METHOD_INVITE, c->now, why);
}

static struct st_next_step st_when_lost(const struct st_case *c)
{
	enum st_method other;

	if (c->policy->failure_policy != ST_FAILURE_RFC5057)
		return st_later(c, ST_WHY_REFUSED);
	c->refresh->failed |= c->result->method == ST_METHOD_INVITE
				      ? (uint8_t)(1u << ST_METHOD_INVITE)
				      : (uint8_t)ST_UPDATES;
	other = st_next_rung(c);
	if (other == ST_METHOD_N || !st_time_for_probe(c))
		return st_over(ST_END, ST_WHY_GONE);
	return st_send(c, other, c->now, ST_WHY_GONE);
}

static struct st_next_step st_when_asked(const struct st_case *c)
{
	if (!c->result->can_auth || c->refresh->challenges >= ST_MAX_CHALLENGES)
		return st_later(c, ST_WHY_AUTH);
	c->refresh->challenges++;
	return st_send(c, (enum st_method)c->result->method, c->now, ST_WHY_AUTH);
}

static struct st_next_step st_when_too_small(const struct st_case *c)
{
	if (!c->result->can_raise || c->refresh->raises >= ST_MAX_RAISES)
		return st_later(c, ST_WHY_INTERVAL);
	c->refresh->raises++;
	return st_send(c, (enum st_method)c->result->method, c->now, ST_WHY_INTERVAL);
}

static struct st_next_step st_judge(const struct st_case *c)
{
	unsigned code = c->result->code;

	if (code == 0)
		return st_when_gone(c, ST_WHY_SILENT);
	switch (st_meaning_of(code)) {
	case ST_MEANS_MET:
		return st_when_met(c);
	case ST_MEANS_BUSY:
		return st_when_busy(c);
	case ST_MEANS_METHOD:
		return st_when_unusable(c, true);
	case ST_MEANS_CONTENT:
		return st_when_unusable(c, false);
	case ST_MEANS_GONE:
		return st_when_gone(c, code == 408 ? ST_WHY_SILENT : ST_WHY_GONE);
	case ST_MEANS_LOST:
		return st_when_lost(c);
	case ST_MEANS_ASKED:
		return st_when_asked(c);
	case ST_MEANS_RAISE:
		return st_when_too_small(c);
	case ST_MEANS_OTHER:
		break;
	}
	return st_later(c, ST_WHY_REFUSED);
}

struct st_next_step st_outcome(const struct st_policy *policy, const struct st_leg *leg,
			       struct st_refresh *refresh, const struct st_result *result,
			       tick_t now)
{
	struct st_result r = *result;
	const struct st_case c = {
		.policy = policy,
		.leg = leg,
		.refresh = refresh,
		.result = &r,
		.now = now,
		.deadline = st_deadline(policy, leg),
	};

	if (r.method >= ST_METHOD_N)
		r.method = ST_METHOD_INVITE;
	if (r.code >= 200 && r.code < 300)
		return st_over(ST_DONE, ST_WHY_NONE);
	// The peer refreshed meanwhile: it is there, and the session has its time again (P13). That
	// it does not know the dialog is another matter.
	if (r.crossed && r.code != 481 && r.code != 408)
		return st_over(ST_DONE, ST_WHY_NONE);
	if (leg->se_s == 0)
		return st_over(ST_DONE,
			       ST_WHY_NONE); // the timer went meanwhile: nothing to refresh
	return st_judge(&c);
}

tick_t st_glare_backoff(bool call_id_owner, uint32_t random)
{
	return call_id_owner ? TICK_MS(10) * (210 + random % 191) : TICK_MS(10) * (random % 201);
}

const char *st_why_word(enum st_why why)
{
	static const char *const words[] = {
		[ST_WHY_NONE] = "none",	  [ST_WHY_SILENT] = "silent",
		[ST_WHY_GONE] = "gone",	  [ST_WHY_REFUSED] = "refused",
		[ST_WHY_AUTH] = "auth",	  [ST_WHY_INTERVAL] = "interval",
		[ST_WHY_GLARE] = "glare",
	};

	return why <= ST_WHY_GLARE ? words[why] : "?";
}
