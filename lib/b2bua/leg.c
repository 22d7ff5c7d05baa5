// SPDX-License-Identifier: BSD-3-Clause
// One leg: its session timer settings and gauges, where its peer is reached (RFC 4028; RFC 3261
// s12.2.1.1). Thread: the owning worker.
#include "b2bua/core.h"
#include "b2bua/manipulate.h"
#include "b2bua/setup.h"
#include "b2bua/violation.h"
#include "config/config_policy.h"
#include "dialog/dialog.h"

const struct config *leg_config(const struct engine *e, const struct leg *leg)
{
	return config_kept_of(&e->kept, leg->kept, leg->trunk);
}

const struct config_profile *leg_profile(const struct engine *e, const struct leg *leg)
{
	const struct config *c = leg_config(e, leg);

	return &c->profiles[c->trunks[leg->trunk].profile];
}

// What rules have said of the leg has the last word.
static void leg_read_rules(const struct leg *leg, struct st_policy *policy)
{
	policy->no_update |= (leg->flags & LEG_NO_UPDATE) != 0;
	if ((leg->flags & LEG_LOCAL) != 0)
		policy->prefer = ST_PREFER_LOCAL;
	if ((leg->flags & LEG_REMOTE) != 0)
		policy->prefer = ST_PREFER_REMOTE;
	if ((leg->flags & LEG_NO_TIMER) == 0)
		return;
	policy->mode = ST_MODE_OFF;
	policy->unasked = ST_UNASKED_IGNORE;
}

void leg_read_policy(const struct engine *e, const struct leg *leg, struct st_policy *policy)
{
	const struct config_timer *t = &leg_config(e, leg)->trunks[leg->trunk].timer;
	const struct trunk_live *live = &e->p.live[leg->trunk];
	// relaxed: each word stands alone and may be late
	uint32_t flags = atomic_load_explicit(&live->flags, memory_order_relaxed);

	config_policy(policy, t);
	policy->learned_min_se_s = atomic_load_explicit(&live->min_se_s, memory_order_relaxed);
	policy->no_update = (flags & TRUNK_LIVE_NO_UPDATE) != 0;
	policy->no_invite = (flags & TRUNK_LIVE_NO_INVITE) != 0;
	if ((flags & TRUNK_LIVE_OBSERVE) != 0 && policy->mode > ST_MODE_OBSERVE &&
	    (leg->flags & LEG_PROBE) == 0)
		policy->mode = ST_MODE_OBSERVE;
	if ((leg->flags & (LEG_NO_TIMER | LEG_NO_UPDATE | LEG_LOCAL | LEG_REMOTE)) != 0)
		leg_read_rules(leg, policy);
}

uint32_t leg_jitter(const struct engine *e, uint32_t call, unsigned side)
{
	uint64_t x = leg_token(e, call, side, 0) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(x >> 32) ^ (uint32_t)x;
}

static unsigned leg_other_has_timer(const struct engine *e, uint32_t call, unsigned side)
{
	return e->legs[2 * call + (side ^ 1)].st.se_s != 0 ? ST_OTHER_TIMER : 0;
}

struct st_headers leg_answer_timer(struct engine *e, uint32_t call, unsigned side,
				   const struct st_seen *seen, unsigned flags)
{
	struct leg *leg = engine_leg(e, call, side);
	uint8_t flips = leg->st.flips;
	struct st_policy policy;
	struct st_headers headers;

	leg_read_policy(e, leg, &policy);
	if (seen->bad)
		violation_note(e, leg->trunk, VIOLATION_TIMER_HEADERS);
	headers = st_answer(&policy, &leg->st, seen, flags | leg_other_has_timer(e, call, side),
			    e->now, leg_jitter(e, call, side));
	if (leg->st.flips != flips)
		violation_note(e, leg->trunk, VIOLATION_ROLE_FLIP);
	if ((leg->flags & LEG_DISARMED) != 0)
		st_stop(&leg->st);
	leg_count_timer(e, leg, (flags & ST_INITIAL) != 0);
	return headers;
}

void leg_take_timer(struct engine *e, uint32_t call, unsigned side,
		    const struct st_headers *offered, const struct sip_msg *answer)
{
	struct leg *leg = engine_leg(e, call, side);
	bool first = (leg->st.flags & ST_LEG_ESTABLISHED) == 0;
	const struct st_seen *seen = leg_seen(e, answer);
	struct st_policy policy;

	leg_read_policy(e, leg, &policy);
	violation_read_2xx(e, leg, offered, seen, answer);
	st_accept(&policy, &leg->st, offered, seen, e->now, leg_jitter(e, call, side));
	if (first && (leg->st.flags & ST_LEG_UNASKED) != 0)
		violation_note(e, leg->trunk, VIOLATION_UNASKED);
	if ((leg->flags & LEG_DISARMED) != 0)
		st_stop(&leg->st);
	leg_count_timer(e, leg, first);
}

struct st_headers leg_offer_timer(struct engine *e, uint32_t call, unsigned side, unsigned flags)
{
	const struct leg *leg = engine_leg(e, call, side);
	struct st_policy policy;

	leg_read_policy(e, leg, &policy);
	return st_offer(&policy, &leg->st, flags | leg_other_has_timer(e, call, side));
}

void leg_count_timer(struct engine *e, struct leg *leg, bool answered)
{
	struct trunk_stats *ts = &e->p.trunk_stats[leg->trunk];
	uint64_t *gauge[] = {NULL, &ts->timer_legs_local, &ts->timer_legs_remote};

	if (leg->negotiated != leg->st.role) {
		if (gauge[leg->negotiated] != NULL)
			stat_sub(gauge[leg->negotiated], 1);
		leg->negotiated = leg->st.role;
		if (gauge[leg->negotiated] != NULL)
			stat_add(gauge[leg->negotiated], 1);
	}
	if (answered)
		stat_add(
			&ts->value[leg->st.role == ST_ROLE_LOCAL    ? TRUNK_STAT_negotiated_local
				   : leg->st.role == ST_ROLE_REMOTE ? TRUNK_STAT_negotiated_remote
								    : TRUNK_STAT_negotiated_absent],
			1);
}

tick_t leg_ring_timeout(const struct engine *e, const struct leg *leg)
{
	return TICK_S(leg_profile(e, leg)->ring_timeout_s);
}

void leg_stop_timer(struct engine *e, struct leg *leg)
{
	st_stop(&leg->st);
	leg_count_timer(e, leg, false);
}

void leg_learn(struct engine *e, struct leg *leg, const struct sip_msg *msg)
{
	st_learn(&leg->st, leg_seen(e, msg));
}

// Classification has read its lists.
static bool leg_is_handled(const struct engine *e, const struct sip_msg *msg)
{
	return e->rx != NULL && msg == &e->rx->msg;
}

uint32_t leg_supported(const struct engine *e, const struct sip_msg *msg)
{
	return leg_is_handled(e, msg) ? e->rx->class.supported
				      : sip_list_options(msg, SIP_H_SUPPORTED).bits;
}

uint32_t leg_required(const struct engine *e, const struct sip_msg *msg)
{
	return leg_is_handled(e, msg) ? e->rx->class.required
				      : sip_list_options(msg, SIP_H_REQUIRE).bits;
}

const struct st_seen *leg_seen(struct engine *e, const struct sip_msg *msg)
{
	if (leg_is_handled(e, msg) && e->has_seen)
		return &e->seen;
	e->has_seen = leg_is_handled(e, msg);
	if (!e->has_seen) {
		st_read(&e->seen, msg);
		return &e->seen;
	}
	st_read_listed(&e->seen, msg, e->rx->class.supported, e->rx->class.required,
		       e->rx->class.allow);
	return &e->seen;
}

uint64_t leg_agent(const struct engine *e, const struct sip_msg *msg)
{
	struct slice agent =
		sip_msg_value(msg, sip_msg_is_request(msg) ? SIP_H_USER_AGENT : SIP_H_SERVER);

	if (agent.len == 0)
		agent = sip_msg_value(msg, SIP_H_USER_AGENT);
	return agent.len != 0 ? siphash(e->p.key, agent) | 1 : 0;
}

int leg_source_of(struct engine *e, const struct flow *flow, uint16_t *budget)
{
	struct known_source *known;
	uint64_t key;
	uint32_t ip;
	int trunk;

	if (flow->family != 4) {
		*budget = budget_place(e, flow);
		return config_trunk_by_source(e->config, flow->port, flow);
	}
	memcpy(&ip, flow->peer_ip, sizeof(ip));
	key = (uint64_t)1 << 63 | (uint64_t)flow->port << 48 | (uint64_t)flow->peer_udp << 32 | ip;
	known = &e->sources[key * 0x9e3779b97f4a7c15u >> (64 - KNOWN_SOURCES_BITS)];
	if (known->key != key) {
		trunk = config_trunk_by_source(e->config, flow->port, flow);
		if (trunk < 0)
			return trunk;
		*known = (struct known_source){key, (uint16_t)trunk, budget_place(e, flow)};
	}
	*budget = known->budget;
	return known->trunk;
}

int leg_trunk_of(struct engine *e, const struct flow *flow)
{
	uint16_t budget;

	if (flow->family != 4) // saves the hash
		return config_trunk_by_source(e->config, flow->port, flow);
	return leg_source_of(e, flow, &budget);
}

int engine_trunk_of(struct engine *e, const struct flow *flow)
{
	return leg_trunk_of(e, flow);
}

// Ask the trunk table whether an address belongs to the leg's trunk.
static bool leg_owns(struct engine *e, const struct leg *leg, const struct flow *to)
{
	return leg_trunk_of(e, to) == (int)leg->trunk;
}

void leg_aim(struct engine *e, struct leg *leg, const struct leg_text *text)
{
	const struct config_profile *profile = leg_profile(e, leg);
	struct dialog_route route = dialog_route(leg_text_part(text, LEG_TEXT_TARGET),
						 leg_text_part(text, LEG_TEXT_ROUTES));
	struct flow to = leg->flow;
	struct sip_uri uri;

	leg->flags |= LEG_SYMMETRIC;
	if (profile->symmetric == CONFIG_SYMMETRIC_ALWAYS || sip_uri_parse(&uri, route.hop) != 0)
		return;
	memset(to.peer_ip, 0, sizeof(to.peer_ip));
	if (sip_uri_host_ip(&uri, to.peer_ip, &to.family) != 0 || to.family != leg->flow.family)
		return; // a name: there is no DNS on the packet path
	to.peer_udp = uri.port != 0 ? uri.port : 5060;
	if (profile->symmetric == CONFIG_SYMMETRIC_AUTO && !leg_owns(e, leg, &to))
		return; // an address that is not the trunk's: behind NAT
	leg->flags &= (uint16_t)~LEG_SYMMETRIC;
	leg->flow = to;
}

void leg_aim_again(struct engine *e, struct leg *leg, const struct leg_text *before,
		   const struct leg_text *text)
{
	static const enum leg_text_part parts[] = {LEG_TEXT_TARGET, LEG_TEXT_ROUTES};

	for (unsigned i = 0; i < 2; i++)
		if (!slice_eq(leg_text_part(before, parts[i]), leg_text_part(text, parts[i]))) {
			leg_aim(e, leg, text);
			return;
		}
}

void leg_owe_ack(struct leg *leg, uint32_t cseq)
{
	leg->flags |= LEG_ACK_OWED;
	leg->owed_ack = cseq;
}

bool leg_txn_open(const struct engine *e, uint32_t txn)
{
	return txn != NO_TXN && e->txns[txn].code < 200;
}

bool leg_awaits_ack(const struct engine *e, const struct leg *leg)
{
	return leg->invite_in != NO_TXN && (e->txns[leg->invite_in].flags & TXN_2XX_TIMER) != 0;
}
