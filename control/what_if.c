// SPDX-License-Identifier: BSD-3-Clause
// What other settings would make of the legs that are there. Pure but for what it counts.
#include "control/what_if.h"

#include "b2bua/engine.h"
#include "config/config_policy.h"
#include "control/core.h"
#include "session_timer/rehearse.h"

#define START	    TICK_S(1000000) // any instant that is not 0
#define MEAN_JITTER 0x80000000u
#define A_MILLION_S 1000000000000ull // ticks; a rate in millionths a second is it by the period

// The peer's refreshes come at half of the interval (RFC 4028 s7.2).
static const struct st_policy as_peers_do = {.refresh_at_pm = 500};

// A leg with what surrounds it.
struct looked_at {
	const struct control *c;
	const struct leg_view *leg;
	const struct control_leg *known;
	const struct config_timer *timer; // that its call began with
	struct st_policy now, then;
	unsigned side, flags; // flags: ST_OTHER_TIMER or 0
};

void what_if_begin(struct what_if *w, const struct control *c, const struct config_timer *timer,
		   unsigned trunk, uint64_t peer_updates, uint64_t peer_invites)
{
	uint64_t refreshes = peer_updates + peer_invites;
	uint32_t calls = c->config->trunks[trunk].limits.calls;

	*w = (struct what_if){.timer = *timer, .trunk = (uint16_t)trunk};
	w->limit = calls != 0 ? calls : c->config->system.capacity.calls;
	// UPDATE and its answer; re-INVITE, its answer, ACK. Not seen yet: the dearer one.
	w->peer_messages_pm =
		refreshes != 0 ? 2000 + (uint32_t)(peer_invites * 1000 / refreshes) : 3000;
}

static void count(struct what_if *w, struct what_if_load *load, const struct looked_at *l,
		  const struct st_policy *policy, const struct st_leg *leg)
{
	bool local = leg->role == ST_ROLE_LOCAL && (leg->flags & ST_LEG_BOTH) == 0;
	const struct config_timer *timer = load == &w->now ? l->timer : &w->timer;
	struct st_leg st = *leg;
	uint64_t dead, rate;

	if (leg->se_s == 0) {
		load->figure[WHAT_IF_NONE]++;
		return;
	}
	st.expiry_tk = START + TICK_S(leg->se_s);
	dead = (st_deadline(policy, &st) - START) / TICK_S(1);
	if (dead > load->figure[WHAT_IF_DEAD])
		load->figure[WHAT_IF_DEAD] = dead;
	load->figure[leg->role == ST_ROLE_LOCAL ? WHAT_IF_VERGE : WHAT_IF_PEER]++;
	st.flags &= (uint8_t)~ST_LEG_BOTH;
	rate = A_MILLION_S / (st_refresh_point(local ? policy : &as_peers_do, &st, START,
					       local ? MEAN_JITTER : 0) -
			      START);
	load->figure[local ? WHAT_IF_SENT : WHAT_IF_ANSWERED] += rate;
	if (!local)
		load->figure[WHAT_IF_MESSAGES] += rate * w->peer_messages_pm / 1000;
	else
		load->figure[WHAT_IF_MESSAGES] +=
			rate *
			(refresh_expected(l->c, timer, l->leg, l->known) == REFRESH_INVITE ? 3 : 2);
}

static struct st_leg leg_now(const struct leg_view *leg)
{
	return (struct st_leg){.se_s = leg->timer.se_s,
			       .role = leg->timer.role,
			       .flags = leg->timer.role_flipped ? ST_LEG_BOTH : 0};
}

// How the callee behaves: as it did under the settings of now.
static void rehearse_callee(struct st_rehearsal *r, const struct looked_at *l)
{
	const struct msg_timer *t = &l->leg->timer;
	const struct st_leg fresh = {.flags = ST_LEG_WE_INVITED};
	struct st_headers asked = st_offer(&l->now, &fresh, ST_INITIAL | l->flags);
	// a leg that was not asked shows by its option tag what it would have answered
	bool answers = asked.se_s == 0 && t->se_s == 0
			       ? t->peer_timer
			       : t->se_s != 0 && l->leg->negotiated_by != ST_BY_OWN;
	struct st_peer peer = {.code = t->min_se_s != 0 ? 422 : 200,
			       .echo = answers,
			       .confirms = t->peer_timer,
			       .seen = {.min_se_s = t->min_se_s, .supported = t->peer_timer}};

	if (t->se_s != 0 && t->se_s < asked.se_s)
		peer.most_s = t->se_s;
	if (l->leg->negotiated_by != ST_BY_PEER_UNNAMED)
		peer.seen.refresher =
			t->role == ST_ROLE_REMOTE ? ST_REFRESHER_UAS : ST_REFRESHER_UAC;
	st_rehearse_offer(r, &l->then, &peer, l->flags, START);
}

// What the caller asked for, as far as the leg still shows it.
static struct st_seen caller_seen(const struct looked_at *l)
{
	const struct msg_timer *t = &l->leg->timer;
	unsigned by = l->leg->negotiated_by;
	bool stays = l->now.prefer == l->then.prefer;
	struct st_seen seen = {.supported = t->peer_timer, .min_se_s = t->min_se_s};

	if (by == ST_BY_MIN_SE_TOO_LARGE) {
		seen.has_se = true;
		seen.se_s = t->min_se_s;
	}
	if (t->se_s == 0 || by == ST_BY_INSERTED || by == ST_BY_OWN)
		return seen;
	seen.has_se = true;
	seen.se_s = t->se_s;
	// verge had lowered it, or might have: then it goes along with more
	if (t->se_s >= l->now.interval_s && l->then.interval_s > t->se_s)
		seen.se_s = l->then.interval_s;
	// who named a refresher does so again, and so decides; others keep theirs where the
	// profile's choice is the same
	if (t->peer_timer && (by == ST_BY_REQUEST || stays))
		seen.refresher = t->role == ST_ROLE_REMOTE ? ST_REFRESHER_UAC : ST_REFRESHER_UAS;
	return seen;
}

static void rehearse_caller(struct st_rehearsal *r, const struct looked_at *l, bool *refused_first)
{
	struct st_seen seen = caller_seen(l);

	st_rehearse_answer(r, &l->then, &seen, l->flags, START);
	*refused_first = r->min_se_s != 0;
	if (!*refused_first)
		return;
	// as RFC 4028 s7.3 has it: again, with what the 422 says
	seen.se_s = r->min_se_s;
	if (seen.min_se_s < r->min_se_s)
		seen.min_se_s = r->min_se_s;
	st_rehearse_answer(r, &l->then, &seen, l->flags, START);
}

static bool fails(const struct looked_at *l, enum fact_id fact)
{
	const struct control_trunk *trunk = core_trunk(l->c, l->leg->trunk);
	enum fact_state state = trunk != NULL
					? trunk_facts_state(&trunk->facts, l->leg->agent, fact)
					: FACT_UNKNOWN;

	return state == FACT_PARTIAL || state == FACT_UNSUPPORTED;
}

static void look_for_risks(struct what_if *w, const struct looked_at *l,
			   const struct st_rehearsal *r, bool risk[WHAT_IF_RISKS_N])
{
	const struct st_leg *leg = &r->leg;
	uint32_t min_se = l->leg->timer.min_se_s;

	if (l->then.learned_min_se_s > min_se && l->side == SIDE_B)
		min_se = l->then.learned_min_se_s;
	risk[WHAT_IF_RISK_MIN_SE] =
		w->timer.mode != CONFIG_TIMER_MODE_OFF && min_se > l->then.interval_s;
	risk[WHAT_IF_RISK_REFUSED] = !r->up;
	risk[WHAT_IF_RISK_LOST] = r->up && l->leg->timer.se_s != 0 && leg->se_s == 0;
	if (!r->up || leg->se_s == 0)
		return;
	if (leg->role == ST_ROLE_REMOTE) {
		risk[WHAT_IF_RISK_PEER_DECIDES] = true;
		risk[WHAT_IF_RISK_PEER_FAILS] = fails(l, FACT_PEER_REFRESH);
		return;
	}
	bool invite = refresh_expected(l->c, &w->timer, l->leg, l->known) == REFRESH_INVITE;

	risk[WHAT_IF_RISK_INVITE_ONLY] = invite;
	risk[WHAT_IF_RISK_METHOD] = fails(l, invite ? FACT_INVITE : FACT_UPDATE);
	risk[WHAT_IF_RISK_REFRESH] = fails(l, FACT_REFRESH);
}

static void look_at(struct what_if *w, const struct looked_at *l)
{
	bool risk[WHAT_IF_RISKS_N] = {false}, any = false;
	struct st_leg now = leg_now(l->leg);
	struct st_rehearsal r;

	w->legs++;
	count(w, &w->now, l, &l->now, &now);
	if (l->side == SIDE_A)
		rehearse_caller(&r, l, &risk[WHAT_IF_RISK_OWN_MIN]);
	else
		rehearse_callee(&r, l);
	if (l->leg->timer.role_flipped && r.leg.role == ST_ROLE_LOCAL)
		r.leg.flags |= ST_LEG_BOTH;
	if (r.up)
		count(w, &w->then, l, &l->then, &r.leg);
	else
		w->then.figure[WHAT_IF_REFUSED]++;
	look_for_risks(w, l, &r, risk);
	for (unsigned i = 0; i < WHAT_IF_RISKS_N; i++) {
		w->risk[i] += risk[i];
		any = any || risk[i];
	}
	w->at_risk += any;
}

void what_if_call(struct what_if *w, const struct control *c, unsigned worker,
		  const struct call_view *view)
{
	if (view->answer_tk == 0)
		return;
	for (unsigned side = SIDE_A; side <= SIDE_B; side++) {
		const struct leg_view *leg = &view->legs[side];
		struct looked_at l = {.c = c, .leg = leg, .side = side};

		if (leg->trunk != w->trunk)
			continue;
		l.known = core_leg(c, worker, view->call, view->gen, side);
		l.timer = core_leg_timer(c, leg->kept, leg->trunk);
		l.now = refresh_policy(c, leg->kept, leg->trunk);
		config_policy(&l.then, &w->timer);
		l.then.learned_min_se_s = l.now.learned_min_se_s;
		l.flags = view->legs[SIDE_A + SIDE_B - side].timer.se_s != 0 ? ST_OTHER_TIMER : 0;
		look_at(w, &l);
	}
}

static void put_budget(struct what_if_load *load, const struct what_if *w,
		       const struct config_timer *timer)
{
	load->figure[WHAT_IF_BUDGET] = timer->budget;
	load->figure[WHAT_IF_NEEDED] = (load->figure[WHAT_IF_SENT] + 999999) / 1000000;
	load->figure[WHAT_IF_AT_LIMIT] =
		timer->mode == CONFIG_TIMER_MODE_OFF
			? 0
			: config_policy_refreshes(w->limit, timer, timer->interval_s);
}

void what_if_end(struct what_if *w, const struct control *c)
{
	const struct config_timer *now = core_timer_config(c, w->trunk);

	put_budget(&w->now, w, now);
	put_budget(&w->then, w, &w->timer);
}

bool what_if_suffices(const struct what_if_load *load)
{
	return load->figure[WHAT_IF_BUDGET] == 0 ||
	       load->figure[WHAT_IF_BUDGET] >= load->figure[WHAT_IF_NEEDED];
}
