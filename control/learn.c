// SPDX-License-Identifier: BSD-3-Clause
// What events teach about trunks (trunk_facts.h), and what follows: quarantine of session timers,
// methods left out, Min-SE offered at once. Each change is one log line with its evidence. Nothing
// is learned from strangers: events exist only for dialogs with peers of a trunk.
#include <errno.h>

#include "b2bua/engine.h"
#include "control/core.h"

// A Min-SE that a trunk asked for is offered at once for so long; then one call asks anew.
#define MIN_SE_KEPT TICK_S(86400)

// So many BYEs on the same boundary raise a hint, and every tenth as many again.
#define BOUNDARY_HINT 3

struct teller {
	struct control *c;
	struct control_trunk *trunk;
};

static void quarantine(struct control *c, struct control_trunk *trunk, bool on,
		       const struct facts_change *change)
{
	trunk->facts.quarantined = on;
	trunk->facts.quarantined_since = c->now;
	trunk->stats.quarantines += on;
	core_log(c, CONTROL_WARNING, "trunk", "%s trunk=\"%s\" because=%s evidence=%s",
		 on ? "quarantine" : "quarantine_over", core_trunk_name(c, trunk->id),
		 trunk_facts_word(change->fact), change->evidence);
}

static void changed(void *ctx, const struct facts_change *change)
{
	struct teller *teller = ctx;
	struct control *c = teller->c;
	struct control_trunk *trunk = teller->trunk;
	const struct fact *facts = trunk->facts.all.facts;
	bool unusable = facts[FACT_REFRESH].state == FACT_UNSUPPORTED ||
			facts[FACT_PEER_REFRESH].state == FACT_UNSUPPORTED;
	bool doubtful = facts[FACT_REFRESH].state == FACT_PARTIAL ||
			facts[FACT_PEER_REFRESH].state == FACT_PARTIAL;

	core_log(c, change->to == FACT_UNSUPPORTED ? CONTROL_WARNING : CONTROL_INFO, "trunk",
		 "fact trunk=\"%s\" fact=%s from=%s to=%s good=%u bad=%u of=%u agent=%016llx "
		 "evidence=%s",
		 core_trunk_name(c, trunk->id), trunk_facts_word(change->fact),
		 trunk_facts_state_word(change->from), trunk_facts_state_word(change->to),
		 change->good, change->bad, change->of, (unsigned long long)change->agent,
		 change->evidence);
	if (change->agent != 0)
		return;
	// out of quarantine only when nothing speaks against it any more
	if (unusable != trunk->facts.quarantined && !(trunk->facts.quarantined && doubtful))
		quarantine(c, trunk, unusable, change);
	learn_publish(c, trunk);
}

static struct facts_judge judge_of(const struct control *c, struct teller *teller)
{
	const struct config_timer *timer = core_timer_config(c, teller->trunk->id);

	return (struct facts_judge){
		.n = timer->learn,
		.m = timer->learn_of,
		.changed = changed,
		.ctx = teller,
	};
}

static void observe(struct control *c, unsigned id, const struct facts_observation *o)
{
	struct teller teller = {c, core_trunk(c, id)};
	struct facts_judge judge;

	if (teller.trunk == NULL)
		return;
	judge = judge_of(c, &teller);
	trunk_facts_observe(&teller.trunk->facts, &judge, o, c->now);
}

void learn_life(struct control *c, unsigned id)
{
	struct teller teller = {c, core_trunk(c, id)};
	struct facts_judge judge;

	if (teller.trunk == NULL)
		return;
	judge = judge_of(c, &teller);
	trunk_facts_life(&teller.trunk->facts, &judge, c->now);
}

void learn_outage(struct control *c, unsigned id)
{
	struct control_trunk *trunk = core_trunk(c, id);

	if (trunk == NULL)
		return;
	trunk->facts.unanswered_pings++;
	trunk_facts_outage(&trunk->facts, c->now);
}

static void learn_min_se(struct control *c, unsigned id, uint32_t min_se_s)
{
	struct control_trunk *trunk = core_trunk(c, id);
	const struct config_timer *timer = core_timer_config(c, id);
	struct trunk_facts *facts;

	if (trunk == NULL || timer->learn == 0 || min_se_s <= ST_FLOOR_S ||
	    min_se_s > timer->max_interval_s)
		return;
	facts = &trunk->facts;
	facts->min_se_calls++;
	if (facts->min_se_s >= min_se_s)
		return;
	core_log(c, CONTROL_INFO, "trunk", "min_se trunk=\"%s\" from=%u to=%u",
		 core_trunk_name(c, id), facts->min_se_s, min_se_s);
	facts->min_se_s = min_se_s;
	facts->min_se_tk = c->now;
	learn_publish(c, trunk);
}

static void forget_min_se(struct control *c, struct control_trunk *trunk)
{
	if (trunk->facts.min_se_s == 0 || trunk->facts.min_se_tk + MIN_SE_KEPT > c->now)
		return;
	trunk->facts.min_se_s = 0;
	learn_publish(c, trunk);
}

void learn_answered(struct control *c, unsigned worker, const struct event *event)
{
	for (unsigned side = SIDE_A; side <= SIDE_B; side++) {
		unsigned id = event->answered.trunk[side];
		const struct msg_timer *timer = &event->answered.timer[side];
		struct control_trunk *trunk = core_trunk(c, id);
		struct facts_observation o = {
			.fact = FACT_TIMER,
			.call = core_call_key(worker, event->call, event->gen),
			.agent = event->answered.agent[side],
			.good = timer->se_s != 0 || timer->peer_timer,
			.code = 200,
		};

		if (trunk == NULL)
			continue;
		learn_life(c, id);
		trunk->facts.unasked += timer->unasked;
		if (core_timer_config(c, id)->mode != CONFIG_TIMER_MODE_OFF)
			observe(c, id, &o);
		forget_min_se(c, trunk);
		// as UAC only a 422 can have raised it by now: the next call starts with it (P6)
		if (side == SIDE_B)
			learn_min_se(c, id, timer->min_se_s);
	}
}

static struct facts_observation about(const struct control_leg *leg, enum fact_id fact, bool good,
				      unsigned code)
{
	return (struct facts_observation){
		.fact = fact,
		.call = core_call_key(leg->worker, leg->call, leg->gen),
		.agent = leg->agent,
		.good = good,
		.code = (uint16_t)code,
		.since = leg->planned_tk,
	};
}

void learn_success(struct control *c, const struct control_leg *leg, const struct event *event)
{
	bool invite = event->refresh_done.method == REFRESH_INVITE;
	unsigned other_bits =
		invite ? 1U << REFRESH_UPDATE | 1U << REFRESH_UPDATE_SDP : 1U << REFRESH_INVITE;
	unsigned code = event->refresh_done.code;
	struct facts_observation o = about(leg, invite ? FACT_INVITE : FACT_UPDATE, true, code);

	// The other method failed in this very refresh while the peer was alive: by silence, or,
	// for a re-INVITE, by refusal (of UPDATE learn_no_update() tells refusals).
	if ((leg->silent & other_bits) != 0) {
		struct facts_observation bad =
			about(leg, invite ? FACT_UPDATE : FACT_INVITE, false, 0);

		observe(c, leg->trunk, &bad);
	} else if (!invite && (leg->st.failed & other_bits) != 0) {
		struct facts_observation bad = about(leg, FACT_INVITE, false, leg->last_code);

		observe(c, leg->trunk, &bad);
	}
	core_trunk(c, leg->trunk)->stats.probes += core_trunk(c, leg->trunk)->facts.quarantined;
	// UPDATE with SDP after UPDATE without failed says nothing good about the latter
	if (event->refresh_done.method != REFRESH_UPDATE_SDP)
		observe(c, leg->trunk, &o);
	o = about(leg, FACT_REFRESH, true, code);
	observe(c, leg->trunk, &o);
	if (event->refresh_done.timer.min_se_s > leg->peer.min_se_s)
		learn_min_se(c, leg->trunk, event->refresh_done.timer.min_se_s);
}

void learn_no_update(struct control *c, const struct control_leg *leg, unsigned code)
{
	struct facts_observation o = about(leg, FACT_UPDATE, false, code);

	// silence is told by learn_success(), when the peer has proven to be alive
	if (code != 0)
		observe(c, leg->trunk, &o);
}

// Refreshes of this call have worked before: its peer died or the way to it broke. That says
// nothing about what the trunk can do, however many calls it happens to at once (an endpoint behind
// a proxy is gone).
static bool had_worked(const struct control *c, unsigned worker, const struct event *event,
		       bool local)
{
	struct call_view view;
	const struct leg_view *leg = &view.legs[event->side];

	if (c->cb.view == NULL ||
	    c->cb.view(c->cb.ctx, worker, event->call, event->gen, &view) != 0)
		return false;
	return (local ? leg->refreshes_sent : leg->refreshes_received) != 0;
}

void learn_failed(struct control *c, unsigned worker, const struct event *event,
		  const struct control_leg *leg, unsigned code)
{
	bool local =
		event->type == EVENT_REFRESH_DONE || event->expired.timer.role == ST_ROLE_LOCAL;
	struct control_trunk *trunk = core_trunk(c, event->trunk);
	struct facts_observation o = {
		.fact = local ? FACT_REFRESH : FACT_PEER_REFRESH,
		.call = core_call_key(worker, event->call, event->gen),
		.agent = leg != NULL				? leg->agent
			 : event->type == EVENT_SESSION_EXPIRED ? event->expired.agent
								: 0,
		.code = (uint16_t)code,
		.since = leg != NULL && local ? leg->planned_tk : c->now,
	};

	// an expiry without any attempt says nothing about the peer
	if (trunk == NULL || (local && (leg == NULL || !leg->was_sent)))
		return;
	if (had_worked(c, worker, event, local))
		return;
	trunk->stats.probes += trunk->facts.quarantined;
	observe(c, event->trunk, &o);
}

void learn_peer(struct control *c, unsigned worker, const struct event *event)
{
	const struct msg_timer *timer = &event->peer_refreshed.timer;
	unsigned code = event->peer_refreshed.code;
	struct facts_observation o = {
		.fact = FACT_PEER_REFRESH,
		.call = core_call_key(worker, event->call, event->gen),
		.agent = event->peer_refreshed.agent,
		.good = true,
		.code = (uint16_t)code,
	};

	if (event->peer_refreshed.method == SIP_METHOD_NONE)
		return; // a request that crossed: it says nothing of the peer's own timer
	learn_life(c, event->trunk);
	if (code < 200 || code >= 300)
		return;
	if (timer->role == ST_ROLE_REMOTE)
		observe(c, event->trunk, &o);
	o.fact = FACT_ROLE;
	o.good = !timer->role_flipped;
	observe(c, event->trunk, &o);
}

static const char *boundary_hint(enum st_boundary boundary)
{
	switch (boundary) {
	case ST_BOUNDARY_HALF:
		return "the peer takes half the interval as its deadline: set "
		       "session_timer.refresh_at to 0.33";
	case ST_BOUNDARY_TWO_THIRDS:
		return "the peer gives up after two thirds of the interval: set "
		       "session_timer.refresh_at to 0.33";
	case ST_BOUNDARY_MARGIN:
	case ST_BOUNDARY_FULL:
		return "the peer's own timer ran out: it does not count the refreshes, or they do "
		       "not reach "
		       "it; try session_timer.method invite, or refresher remote";
	case ST_BOUNDARY_NONE:
	case ST_BOUNDARY_N:
		break;
	}
	return "";
}

void learn_record(struct control *c, const struct call_record *record)
{
	enum st_boundary boundary = (enum st_boundary)record->boundary;
	unsigned id;
	struct control_trunk *trunk;

	if (record->side > SIDE_B)
		return;
	id = record->legs[record->side].trunk;
	trunk = core_trunk(c, id);
	if (trunk == NULL || boundary == ST_BOUNDARY_NONE || boundary >= ST_BOUNDARY_N)
		return;
	trunk->facts.boundary[boundary]++;
	if (trunk->facts.boundary[boundary] == BOUNDARY_HINT ||
	    trunk->facts.boundary[boundary] % (10ull * BOUNDARY_HINT) == 0)
		core_log(c, CONTROL_WARNING, "trunk",
			 "hint trunk=\"%s\" boundary=%s hits=%llu text=\"%s\"",
			 core_trunk_name(c, id), st_boundary_word(boundary),
			 (unsigned long long)trunk->facts.boundary[boundary],
			 boundary_hint(boundary));
}

// Behind one trunk may be agents that can and agents that cannot: what is concluded about an agent
// outweighs what the trunk as a whole has shown.
static bool agent_is_observed(const struct trunk_facts *f, uint64_t agent, bool trunk_is)
{
	static const enum fact_id ids[] = {FACT_REFRESH, FACT_PEER_REFRESH};
	bool proven = false;

	for (unsigned i = 0; i < 2; i++) {
		enum fact_state state = trunk_facts_agent(f, agent, ids[i]);

		if (state == FACT_UNSUPPORTED)
			return true;
		proven |= state == FACT_SUPPORTED;
	}
	return trunk_is && !proven;
}

bool learn_is_observed(const struct control *c, unsigned kept, unsigned id, uint64_t agent)
{
	const struct control_trunk *trunk = core_trunk(c, id);
	const struct config_timer *timer = core_leg_timer(c, kept, id);

	if (trunk == NULL)
		return false;
	if (trunk->facts.override != CONTROL_OVERRIDE_NONE)
		return trunk->facts.override == CONTROL_OVERRIDE_OBSERVE;
	if (timer->mode == CONFIG_TIMER_MODE_OBSERVE)
		return true;
	if (timer->learn == 0)
		return false;
	return agent_is_observed(&trunk->facts, agent, trunk->facts.quarantined);
}

void learn_publish(struct control *c, struct control_trunk *trunk)
{
	const struct config_timer *timer = core_timer_config(c, trunk->id);
	const struct fact *facts = trunk->facts.all.facts;
	struct trunk_live *live = &c->live[trunk->id];
	bool free_choice = timer->learn != 0 && timer->method == CONFIG_REFRESH_METHOD_AUTO;
	bool no_update = facts[FACT_UPDATE].state == FACT_UNSUPPORTED;
	bool no_invite = facts[FACT_INVITE].state == FACT_UNSUPPORTED &&
			 facts[FACT_UPDATE].state == FACT_SUPPORTED;
	uint32_t flags = 0;

	if (timer->mode != CONFIG_TIMER_MODE_OBSERVE &&
	    learn_is_observed(c, c->config->kept, trunk->id, 0))
		flags |= TRUNK_LIVE_OBSERVE;
	if (free_choice && no_update)
		flags |= TRUNK_LIVE_NO_UPDATE;
	if (free_choice && no_invite)
		flags |= TRUNK_LIVE_NO_INVITE;
	// relaxed: each word stands alone and may be late (trunk_live.h)
	atomic_store_explicit(&live->flags, flags, memory_order_relaxed);
	atomic_store_explicit(&live->min_se_s, timer->learn != 0 ? trunk->facts.min_se_s : 0,
			      memory_order_relaxed);
	atomic_store_explicit(
		&live->probe_one_in,
		trunk->facts.override == CONTROL_OVERRIDE_OBSERVE ? 0 : timer->probe_one_in,
		memory_order_relaxed);
}

int control_trunk_override(struct control *c, unsigned id, enum control_override override,
			   tick_t now)
{
	static const char *const words[] = {
		[CONTROL_OVERRIDE_NONE] = "none",
		[CONTROL_OVERRIDE_OBSERVE] = "observe",
		[CONTROL_OVERRIDE_NORMAL] = "normal",
	};
	struct control_trunk *trunk = core_trunk(c, id);

	if (trunk == NULL)
		return -ENOENT;
	c->now = now;
	trunk->facts.override = (uint8_t) override;
	core_log(c, CONTROL_INFO, "trunk", "override trunk=\"%s\" to=%s", core_trunk_name(c, id),
		 words[override]);
	learn_publish(c, trunk);
	return 0;
}

int control_trunk_reset(struct control *c, unsigned id, tick_t now)
{
	struct control_trunk *trunk = core_trunk(c, id);

	if (trunk == NULL)
		return -ENOENT;
	c->now = now;
	trunk_facts_reset(&trunk->facts);
	samples_forget(c, trunk);
	trunk->facts.override = CONTROL_OVERRIDE_NONE;
	core_log(c, CONTROL_INFO, "trunk", "reset trunk=\"%s\"", core_trunk_name(c, id));
	learn_publish(c, trunk);
	return 0;
}
