// SPDX-License-Identifier: BSD-3-Clause
// Timers that are due. See expiry.h.
#include "dataplane/expiry.h"

#include "dataplane/outbox.h"

void expiry_run(struct worker *w)
{
	unsigned left = EXPIRY_BUDGET;

	// Each call stops when the outbox is full.
	while (left != 0 && engine_next(w->engine) <= w->now) {
		unsigned n = engine_expire(w->engine, w->now, left);

		outbox_flush(w);
		if (n == 0)
			break;
		w->gave_work = true;
		left -= n < left ? n : left;
	}
	if (left == 0)
		stat_add(&w->stats->expiry_cut, 1);
}
