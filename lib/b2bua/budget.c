// SPDX-License-Identifier: BSD-3-Clause
// What each source may ask for. See budget.h. An address is found by its hash in a table of one
// size, so that no flood makes it grow, and the hash is keyed, so that nobody can choose whose
// place he shares.
#include "b2bua/core.h"

uint16_t budget_place(const struct engine *e, const struct flow *flow)
{
	uint64_t ip = 0;

	// Of IPv6 the net: whoever has one address of it has them all.
	memcpy(&ip, flow->peer_ip, flow->family == 4 ? 4 : 8);
	return (uint16_t)(siphash_pair(e->p.key, ip, flow->family) % BUDGET_PLACES);
}

static uint32_t budget_limit(const struct engine *e, uint16_t trunk, enum budget_kind kind)
{
	const struct config_limits *l = &e->config->trunks[trunk].limits;
	uint32_t most = kind == BUDGET_OPTIONS ? l->options : l->malformed;

	return most != 0 ? most : UINT32_MAX;
}

static struct budget *budget_now(struct engine *e, uint16_t place, tick_t now)
{
	struct budget *b = &e->budgets[place];
	uint32_t second = (uint32_t)(now / TICK_S(1));

	if (b->second != second)
		*b = (struct budget){.second = second};
	return b;
}

static bool budget_is_spent(struct engine *e, const struct budget *b, uint16_t trunk,
			    enum budget_kind kind)
{
	if (b->n[kind] < budget_limit(e, trunk, kind))
		return false;
	stat_add(&e->p.trunk_stats[trunk].value[TRUNK_STAT_limited_options + kind], 1);
	return true;
}

bool budget_take(struct engine *e, const struct flow *flow, enum budget_kind kind)
{
	uint16_t place;
	int trunk = leg_source_of(e, flow, &place);
	struct budget *b;

	if (trunk < 0)
		return false;
	b = budget_now(e, place, e->now);
	if (budget_is_spent(e, b, (uint16_t)trunk, kind))
		return false;
	b->n[kind]++;
	return true;
}

bool budget_spent(struct engine *e, const struct flow *flow, enum budget_kind kind, tick_t now)
{
	uint16_t place;
	int trunk = leg_source_of(e, flow, &place);

	return trunk >= 0 && budget_is_spent(e, budget_now(e, place, now), (uint16_t)trunk, kind);
}
