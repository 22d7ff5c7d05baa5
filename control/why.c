// SPDX-License-Identifier: BSD-3-Clause
// The timer story of a call. It says what the code will do, so it asks the same functions that do
// it.
#include "control/why.h"

#include <stdio.h>

#include "b2bua/engine.h"
#include "control/core.h"
#include "control/jsonout.h"

struct story {
	const struct why *why;
	const struct control *c;
	const struct leg_view *leg;
	const struct control_leg *known; // what control remembers; may be NULL
	unsigned side;
	bool observed;
	tick_t deadline_tk; // when the leg is given up
};

static void put_duration(struct outbuf *o, tick_t us)
{
	uint64_t s = (us + TICK_MS(500)) / TICK_S(1);

	if (us < TICK_S(10)) {
		outbuf_put_u64(o, us / TICK_S(1));
		outbuf_put_char(o, '.');
		outbuf_put_u64(o, us / TICK_MS(100) % 10);
		outbuf_put_lit(o, " s");
		return;
	}
	if (s >= 3600) {
		outbuf_put_u64(o, s / 3600);
		outbuf_put_lit(o, " h ");
	}
	if (s >= 60) {
		outbuf_put_u64(o, s / 60 % 60);
		outbuf_put_lit(o, " min ");
	}
	outbuf_put_u64(o, s % 60);
	outbuf_put_lit(o, " s");
}

// "at 2026-11-21T06:20:00.000Z, in 4 min 50 s" or "..., 3 s ago"
static void put_when(struct outbuf *o, const struct story *s, tick_t at)
{
	char text[CDR_TIME_BYTES];
	tick_t now = s->why->now;

	cdr_time(text, s->c->wall_us + (at - s->c->wall_tk));
	outbuf_put_lit(o, "at ");
	outbuf_put_str(o, text);
	outbuf_put_lit(o, ", ");
	if (at > now) {
		outbuf_put_lit(o, "in ");
		put_duration(o, at - now);
	} else {
		put_duration(o, now - at);
		outbuf_put_lit(o, " ago");
	}
}

static void put_count(struct outbuf *o, unsigned n, const char *what)
{
	outbuf_put_u64(o, n);
	outbuf_put_char(o, ' ');
	outbuf_put_str(o, what);
}

static void put_negotiated(struct outbuf *o, const struct story *s)
{
	const struct msg_timer *t = &s->leg->timer;

	outbuf_put_lit(o, "  ");
	outbuf_put_str(o, st_by_sentence(s->leg->negotiated_by < ST_BY_N
						 ? (enum st_by)s->leg->negotiated_by
						 : ST_BY_NONE));
	outbuf_put_lit(o, "\n");
	if (t->se_s == 0) {
		outbuf_put_lit(
			o, "  No session timer runs on this leg: nothing here ends the call.\n");
		return;
	}
	outbuf_put_lit(o, "  The session interval is ");
	outbuf_put_u64(o, t->se_s);
	outbuf_put_str(o, t->role == ST_ROLE_LOCAL ? " s and verge refreshes"
						   : " s and the peer refreshes");
	if (t->min_se_s != 0) {
		outbuf_put_lit(o, "; the largest Min-SE seen is ");
		outbuf_put_u64(o, t->min_se_s);
		outbuf_put_lit(o, " s");
	}
	outbuf_put_lit(o, ".\n");
	if (t->unasked)
		outbuf_put_lit(
			o, "  The peer imposed the timer although verge had not asked for it.\n");
	if (t->role_flipped)
		outbuf_put_lit(o, "  The peer refreshes although verge is the refresher (it reads "
				  "uac/uas per "
				  "dialog); verge only watches the expiry.\n");
}

static void put_past(struct outbuf *o, const struct story *s)
{
	const struct leg_view *leg = s->leg;

	outbuf_put_lit(o, "  So far: ");
	put_count(o, leg->refreshes_sent, "refreshes by verge answered, ");
	put_count(o, leg->refreshes_received, "by the peer, ");
	put_count(o, leg->refreshes_failed, "failed.");
	if (leg->last_refresh_ok_tk != 0 && leg->timer.se_s != 0) {
		outbuf_put_lit(o, " The session was last confirmed ");
		put_when(o, s, leg->last_refresh_ok_tk);
		outbuf_put_lit(o, ".");
	}
	if (leg->last_proof_tk != 0) {
		outbuf_put_lit(o, " The peer was last heard ");
		put_when(o, s, leg->last_proof_tk);
		outbuf_put_lit(o, ".");
	}
	outbuf_put_lit(o, "\n");
}

static void put_attempts(struct outbuf *o, const struct story *s)
{
	struct control_attempts attempts;

	control_attempts(s->c, s->why->worker, s->why->view->call, s->why->view->gen, s->side,
			 &attempts);
	if (attempts.total > attempts.n) {
		outbuf_put_lit(o, "  Attempts that failed: ");
		outbuf_put_u64(o, attempts.total);
		outbuf_put_lit(o, "; the last ones:\n");
	}
	for (unsigned i = 0; i < attempts.n; i++) {
		const struct control_attempt *a = &attempts.list[i];

		outbuf_put_lit(o, "  A refresh by ");
		outbuf_put_str(o, refresh_method_word((enum refresh_method)a->method));
		outbuf_put_lit(o, " sent ");
		put_when(o, s, a->at);
		if (a->code != 0) {
			outbuf_put_lit(o, " was answered ");
			outbuf_put_u64(o, a->code);
			outbuf_put_lit(o, ".\n");
		} else {
			outbuf_put_lit(o, " was not answered.\n");
		}
	}
}

static void put_refresh(struct outbuf *o, const struct story *s)
{
	const struct control_leg *known = s->known;

	outbuf_put_lit(o, "  Next: ");
	if (known != NULL && known->stage == LEG_IN_FLIGHT) {
		outbuf_put_lit(o, "the answer to the refresh by ");
		outbuf_put_str(o, refresh_method_word((enum refresh_method)known->method));
		outbuf_put_lit(o, " that was sent ");
		put_when(o, s, known->sent_tk);
	} else if (known != NULL && known->stage == LEG_PACED) {
		outbuf_put_lit(o, "a refresh by ");
		outbuf_put_str(o, refresh_method_word((enum refresh_method)known->method));
		outbuf_put_lit(o, " waits for the trunk's budget (");
		outbuf_put_u64(o, core_trunk(s->c, known->trunk)->pace.n);
		outbuf_put_lit(o, " legs wait)");
	} else if (known != NULL && known->stage == LEG_WAITING) {
		outbuf_put_lit(o, "verge tries again by ");
		outbuf_put_str(o, refresh_method_word((enum refresh_method)known->method));
		outbuf_put_char(o, ' ');
		put_when(o, s, known->timer.node.key);
	} else if (known != NULL && known->is_due) {
		outbuf_put_lit(o, "verge has nothing left to try and waits for the expiry");
	} else {
		outbuf_put_lit(o, "verge sends a refresh by ");
		outbuf_put_str(o, refresh_method_word(refresh_expected(
					  s->c, core_leg_timer(s->c, s->leg->kept, s->leg->trunk),
					  s->leg, known)));
		outbuf_put_char(o, ' ');
		put_when(o, s, s->leg->refresh_tk);
	}
	outbuf_put_lit(o, ".\n");
}

static const char *kept_because(const struct story *s)
{
	const struct config_timer *timer = core_leg_timer(s->c, s->leg->kept, s->leg->trunk);
	const struct trunk_facts *facts = control_facts(s->c, s->leg->trunk);
	bool local = s->leg->timer.role == ST_ROLE_LOCAL;

	if (timer->mode == CONFIG_TIMER_MODE_OBSERVE)
		return "the profile's mode is observe";
	if (s->observed && facts != NULL && facts->override != CONTROL_OVERRIDE_NONE)
		return "an operator switched the trunk to observe";
	if (s->observed)
		return "the trunk's timers are in quarantine";
	if (timer->on_expiry == CONFIG_ON_FAILURE_WARN)
		return "on_expiry is warn";
	if (local && timer->on_refresh_failure == CONFIG_ON_FAILURE_WARN)
		return "on_refresh_failure is warn";
	return NULL;
}

static void put_fate(struct outbuf *o, const struct story *s)
{
	const char *kept = kept_because(s);

	outbuf_put_str(o, s->leg->timer.role == ST_ROLE_LOCAL ? "  If no refresh succeeds: "
							      : "  If the peer does not refresh: ");
	if (kept == NULL) {
		outbuf_put_lit(o, "both legs get BYE ");
		put_when(o, s, s->deadline_tk);
		outbuf_put_lit(o, ".\n");
		return;
	}
	outbuf_put_lit(o, "the timer is switched off ");
	put_when(o, s, s->deadline_tk);
	outbuf_put_lit(o, ", and the call goes on because ");
	outbuf_put_str(o, kept);
	outbuf_put_lit(o, ".\n");
}

void why_put_leg(struct outbuf *o, const struct why *why, unsigned side)
{
	const struct leg_view *leg = &why->view->legs[side];
	struct story s = {.why = why, .c = why->control, .leg = leg, .side = side};
	struct st_policy policy = refresh_policy(why->control, leg->kept, leg->trunk);
	struct st_leg st = {
		.expiry_tk = leg->expiry_tk, .se_s = leg->timer.se_s, .role = leg->timer.role};

	s.known = core_leg(why->control, why->worker, why->view->call, why->view->gen, side);
	s.observed = learn_is_observed(why->control, leg->kept, leg->trunk, leg->agent);
	s.deadline_tk = st_deadline(&policy, &st);
	outbuf_put_str(o, side == SIDE_A ? "Ingress leg, trunk " : "Egress leg, trunk ");
	jsonout_put_string(o, slice_of_str(core_trunk_name(why->control, leg->trunk)));
	outbuf_put_lit(o, ", Call-ID ");
	jsonout_put_string(o, slice_of(leg->call_id, leg->call_id_len));
	outbuf_put_lit(o, ":\n");
	if (why->view->answer_tk == 0) {
		outbuf_put_lit(o, "  The call is not answered yet: no session timer can run.\n");
		return;
	}
	put_negotiated(o, &s);
	put_past(o, &s);
	put_attempts(o, &s);
	if (leg->timer.se_s == 0)
		return;
	if (leg->timer.role == ST_ROLE_LOCAL) {
		put_refresh(o, &s);
	} else {
		outbuf_put_lit(
			o, "  Next: the peer is expected to refresh around half of the interval, ");
		put_when(o, &s, leg->expiry_tk - TICK_S(leg->timer.se_s) / 2);
		outbuf_put_lit(o, ".\n");
	}
	put_fate(o, &s);
}

void why_put(struct outbuf *o, const struct why *why)
{
	for (unsigned side = SIDE_A; side <= SIDE_B; side++)
		why_put_leg(o, why, side);
}
