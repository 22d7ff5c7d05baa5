// SPDX-License-Identifier: BSD-3-Clause
// Snapshots that calls still go by. A call keeps the snapshot that it began with, its profiles and
// rules, until it ends; a reload takes a place beside it (CONFIG_KEPT of them). Only where the
// profile of a trunk says `apply_to: all` in the snapshot of now, its calls go by that one. A place
// that is taken from calls hands them over to the new snapshot: ids of trunks and profiles stay.
// Pure; each thread that needs it has its own.
#pragma once

#include "config/config.h"

struct config_kept {
	const struct config *now;
	const struct config *at[CONFIG_KEPT]; // by config.kept; NULL: not used yet
};

static inline void config_kept_put(struct config_kept *k, const struct config *c)
{
	k->now = c;
	k->at[c->kept] = c;
}

// The snapshot that a leg on a trunk goes by. kept: place of the one that its call began with.
static inline const struct config *config_kept_of(const struct config_kept *k, unsigned kept,
						  uint16_t trunk)
{
	const struct config *own = k->at[kept % CONFIG_KEPT], *now = k->now;

	if (own == now || own == NULL || trunk >= own->n_trunks)
		return now;
	if (trunk < now->n_trunks && !now->trunks[trunk].gone &&
	    now->profiles[now->trunks[trunk].profile].apply_to == CONFIG_APPLY_TO_ALL)
		return now;
	return own;
}

// The place for the next snapshot: that of the present one if calls would not see a difference,
// else one that no call goes by, else that of the oldest.
// In:   calls - how many go by each place. Control; allocates and gives back.
unsigned config_kept_choose(const struct config_kept *k, const struct config *next,
			    const uint32_t calls[CONFIG_KEPT]);
