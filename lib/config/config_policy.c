// SPDX-License-Identifier: BSD-3-Clause
// From keys to lib/session_timer, and the preview of what would be negotiated. Pure.
// The preview runs the very functions that calls run: it cannot say what does not happen.
#include "config/config_policy.h"

#include <errno.h>
#include <stdio.h>

#include "config/config_schema.h"
#include "session_timer/outcome.h"
#include "session_timer/rehearse.h"

// config_policy() copies these numbers.
static_assert((int)CONFIG_TIMER_MODE_REQUIRED == (int)ST_MODE_REQUIRED &&
		      (int)CONFIG_TIMER_MODE_OBSERVE == (int)ST_MODE_OBSERVE,
	      "modes are the same list");
static_assert((int)CONFIG_REFRESHER_UAS == (int)ST_PREFER_UAS &&
		      (int)CONFIG_REFRESHER_REMOTE == (int)ST_PREFER_REMOTE,
	      "refreshers are the same list");
static_assert((int)CONFIG_REFRESH_METHOD_INVITE == (int)ST_CHOOSE_INVITE,
	      "methods are the same list");
static_assert((int)CONFIG_UNASKED_IGNORE == (int)ST_UNASKED_IGNORE, "choices are the same list");
static_assert((int)CONFIG_FAILURE_POLICY_RFC5057 == (int)ST_FAILURE_RFC5057,
	      "policies are the same list");

#define START TICK_S(1000000) // any instant that is not 0

void config_policy(struct st_policy *policy, const struct config_timer *t)
{
	*policy = (struct st_policy){
		.interval_s = t->interval_s,
		.min_interval_s = t->min_interval_s,
		.max_interval_s = t->max_interval_s,
		.refresh_at_pm = (uint16_t)t->refresh_at_pm,
		.jitter_pm = (uint16_t)t->jitter_pm,
		.expiry_margin_s = (uint16_t)t->expiry_margin_s,
		.max_422 = (uint8_t)t->max_422,
		.mode = (uint8_t)t->mode,
		.prefer = (uint8_t)t->refresher,
		.method = (uint8_t)t->method,
		.unasked = (uint8_t)t->unasked,
		.failure_policy = (uint8_t)t->failure_policy,
		.insert = t->insert,
		.midcall_activation = t->midcall_activation,
	};
}

uint64_t config_policy_refreshes(uint64_t legs, const struct config_timer *t, uint32_t interval_s)
{
	uint64_t period_ms = (uint64_t)interval_s * t->refresh_at_pm;

	return (legs * 1000 + period_ms - 1) / period_ms;
}

#define UPDATE_TOO (SIP_METHOD_BIT(INVITE) | SIP_METHOD_BIT(UPDATE))

// A peer that calls verge.
static const struct asking {
	const char *shows;
	struct st_seen seen;
} asking[] = {
	{"no timer support", {0}},
	{"no timer support, yet SE 1800", {.se_s = 1800, .has_se = true}},
	{"timer, asks for nothing", {.supported = true}},
	{"timer, SE 1800", {.se_s = 1800, .has_se = true, .supported = true}},
	{"timer, SE 1800, has UPDATE",
	 {.se_s = 1800, .has_se = true, .supported = true, .has_allow = true, .allow = UPDATE_TOO}},
	{"timer, SE 1800;refresher=uac",
	 {.se_s = 1800, .has_se = true, .supported = true, .refresher = ST_REFRESHER_UAC}},
	{"timer, SE 1800;refresher=uas",
	 {.se_s = 1800, .has_se = true, .supported = true, .refresher = ST_REFRESHER_UAS}},
	{"timer, SE 90", {.se_s = 90, .has_se = true, .supported = true}},
	{"timer, SE 3600, Min-SE 3600",
	 {.se_s = 3600, .min_se_s = 3600, .has_se = true, .supported = true}},
	{"timer required", {.se_s = 1800, .has_se = true, .supported = true, .required = true}},
};

// A peer that verge calls.
static const struct answering {
	const char *shows;
	struct st_peer peer;
} answering[] = {
	{"no timer support", {.code = 200}},
	{"no timer support (Require refused)", {.code = 420}},
	{"timer, refresher=uac",
	 {.code = 200,
	  .echo = true,
	  .seen = {.has_se = true,
		   .supported = true,
		   .required = true,
		   .refresher = ST_REFRESHER_UAC}}},
	{"timer, refresher=uac, has UPDATE",
	 {.code = 200,
	  .echo = true,
	  .seen = {.has_se = true,
		   .supported = true,
		   .required = true,
		   .refresher = ST_REFRESHER_UAC,
		   .has_allow = true,
		   .allow = UPDATE_TOO}}},
	{"timer, refresher=uas",
	 {.code = 200,
	  .echo = true,
	  .seen = {.has_se = true, .supported = true, .refresher = ST_REFRESHER_UAS}}},
	{"timer, nobody named",
	 {.code = 200, .echo = true, .seen = {.has_se = true, .supported = true}}},
	{"timer, lowers to SE 90",
	 {.code = 200,
	  .seen = {.se_s = 90, .has_se = true, .supported = true, .refresher = ST_REFRESHER_UAS}}},
	{"422, Min-SE 3600",
	 {.code = 422,
	  .echo = true,
	  .seen = {.min_se_s = 3600,
		   .has_se = true,
		   .supported = true,
		   .refresher = ST_REFRESHER_UAS}}},
	{"422, Min-SE 172800",
	 {.code = 422,
	  .echo = true,
	  .seen = {.min_se_s = 172800,
		   .has_se = true,
		   .supported = true,
		   .refresher = ST_REFRESHER_UAS}}},
};

// What became of one leg: "200", "422 Min-SE 600", "2 INVITEs, 200".
static void way(char text[40], const struct st_rehearsal *r)
{
	if (r->invites > 1)
		snprintf(text, 40, "%u INVITEs, %u", r->invites, r->code);
	else if (r->min_se_s != 0)
		snprintf(text, 40, "422 Min-SE %u", r->min_se_s);
	else
		snprintf(text, 40, "%u", r->code);
}

static const char *method_word(const struct st_policy *policy, const struct st_leg *leg)
{
	switch (st_first_method(policy, leg, true)) {
	case ST_METHOD_UPDATE:
	case ST_METHOD_UPDATE_SDP:
		return "UPDATE";
	case ST_METHOD_INVITE:
		return "re-INVITE";
	case ST_METHOD_N:
		break;
	}
	return "nothing it may send";
}

static unsigned after_s(tick_t at)
{
	return (unsigned)((at - START) / TICK_S(1));
}

// "1800 s, verge refreshes by UPDATE after 810 to 900 s, ends at 1768 s"
static void put_outcome(struct outbuf *out, const struct st_policy *policy,
			const struct st_rehearsal *r)
{
	const struct st_leg *leg = &r->leg;
	tick_t a, b;
	char text[200];

	if (!r->up) {
		outbuf_put_lit(out, "no call");
		return;
	}
	if (leg->se_s == 0) {
		outbuf_put_lit(out, "no timer");
		return;
	}
	a = st_refresh_point(policy, leg, START, 0);
	b = st_refresh_point(policy, leg, START, UINT32_MAX);
	if (leg->role == ST_ROLE_LOCAL)
		snprintf(text, sizeof(text), "%u s, verge refreshes by %s after %u to %u s",
			 leg->se_s, method_word(policy, leg), after_s(a < b ? a : b),
			 after_s(a < b ? b : a));
	else
		snprintf(text, sizeof(text), "%u s, the peer refreshes, else BYE at %u s",
			 leg->se_s, after_s(st_deadline(policy, leg)));
	outbuf_put_str(out, text);
	if (policy->mode == ST_MODE_OBSERVE)
		outbuf_put_lit(out, " (only observed)");
}

static void put_row(struct outbuf *out, const struct st_policy *policy, const char *shows,
		    const struct st_rehearsal *r)
{
	char text[120], how[40];

	way(how, r);
	snprintf(text, sizeof(text), "    %-36s %-18s ", shows, how);
	outbuf_put_str(out, text);
	put_outcome(out, policy, r);
	outbuf_put_char(out, '\n');
}

static void put_table(struct outbuf *out, const char *kind, const char *name,
		      const struct config_timer *t)
{
	struct st_policy policy;
	struct st_rehearsal r;
	char text[160];

	config_policy(&policy, t);
	snprintf(text, sizeof(text), "%s %s\n  called by a peer with            verge answers\n",
		 kind, name);
	outbuf_put_str(out, text);
	for (size_t i = 0; i < sizeof(asking) / sizeof(asking[0]); i++) {
		st_rehearse_answer(&r, &policy, &asking[i].seen, 0, START);
		put_row(out, &policy, asking[i].shows, &r);
	}
	outbuf_put_lit(out, "  calling a peer with              it answers\n");
	for (size_t i = 0; i < sizeof(answering) / sizeof(answering[0]); i++) {
		if (answering[i].peer.code == 420 && policy.mode != ST_MODE_REQUIRED)
			continue;
		st_rehearse_offer(&r, &policy, &answering[i].peer, 0, START);
		put_row(out, &policy, answering[i].shows, &r);
	}
}

static void put_pair(struct outbuf *out, const struct config_profile *from,
		     const struct config_profile *to)
{
	static const struct st_peer callee = {.code = 200,
					      .echo = true,
					      .seen = {.has_se = true,
						       .supported = true,
						       .refresher = ST_REFRESHER_UAC,
						       .has_allow = true,
						       .allow = UPDATE_TOO}};
	struct st_policy in, eg;
	struct st_rehearsal a, b;
	char how[40];

	config_policy(&in, &from->timer);
	config_policy(&eg, &to->timer);
	for (unsigned i = 0; i < 2; i++) {
		const struct asking *caller = &asking[i == 0 ? 4 : 0];
		unsigned other = caller->seen.has_se ? ST_OTHER_TIMER : 0;

		st_rehearse_answer(&a, &in, &caller->seen, 0, START);
		st_rehearse_offer(&b, &eg, &callee, other, START);
		outbuf_put_lit(out, "  ");
		outbuf_put_str(out, from->name);
		outbuf_put_lit(out, " -> ");
		outbuf_put_str(out, to->name);
		outbuf_put_str(out,
			       i == 0 ? ", both peers have timers\n" : ", the caller has none\n");
		outbuf_put_lit(out, "    ingress leg: ");
		way(how, &a);
		outbuf_put_str(out, how);
		outbuf_put_lit(out, ", ");
		put_outcome(out, &in, &a);
		outbuf_put_lit(out, "\n    egress leg:  ");
		way(how, &b);
		outbuf_put_str(out, a.up ? how : "not called");
		outbuf_put_str(out, a.up ? ", " : "");
		if (a.up)
			put_outcome(out, &eg, &b);
		outbuf_put_char(out, '\n');
	}
}

static bool is_used(const struct config *c, uint32_t profile)
{
	for (uint32_t i = 0; i < c->n_trunks; i++)
		if (!c->trunks[i].gone && c->trunks[i].profile == profile)
			return true;
	return false;
}

int config_policy_preview(struct outbuf *out, const struct config *c)
{
	for (uint32_t i = 0; i < c->n_profiles; i++)
		if (!c->profiles[i].gone && is_used(c, i))
			put_table(out, "profile", c->profiles[i].name, &c->profiles[i].timer);
	for (uint32_t i = 0; i < c->n_trunks; i++) {
		const struct config_trunk *t = &c->trunks[i];

		if (!t->gone && !config_schema_same(&config_schema_timer, &t->timer,
						    &c->profiles[t->profile].timer))
			put_table(out, "trunk", t->name, &t->timer);
	}
	outbuf_put_lit(out, "calls from a trunk of one profile to a trunk of another\n");
	for (uint32_t i = 0; i < c->n_profiles && !out->full; i++)
		for (uint32_t j = 0; j < c->n_profiles && is_used(c, i) && !out->full; j++)
			if (is_used(c, j))
				put_pair(out, &c->profiles[i], &c->profiles[j]);
	return out->full ? -ENOSPC : 0;
}
