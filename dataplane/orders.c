// SPDX-License-Identifier: BSD-3-Clause
// Orders of control. See orders.h.
#include "dataplane/orders.h"

#include "dataplane/outbox.h"

void orders_run(struct worker *w)
{
	struct order order[BURST];
	uint32_t n = channel_get(&w->orders, order, BURST);

	if (n == 0)
		return;
	w->gave_work = true;
	for (uint32_t i = 0; i < n; i++)
		engine_prefetch_order(w->engine, &order[i], false);
	for (uint32_t i = 0; i < n; i++)
		engine_prefetch_order(w->engine, &order[i], true);
	for (uint32_t i = 0; i < n; i++) {
		outbox_reserve(w);
		engine_order(w->engine, &order[i], w->now);
	}
	outbox_flush(w);
}
