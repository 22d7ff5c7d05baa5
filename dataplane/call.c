// SPDX-License-Identifier: BSD-3-Clause
// Messages to the call logic. See call.h.
#include "dataplane/call.h"

#include "dataplane/outbox.h"

void stage_call(struct worker *w, struct sip_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (b->error[i] == 0)
			engine_prefetch_record(w->engine, &b->rx[i]);
	for (uint32_t i = 0; i < b->n; i++)
		if (b->error[i] == 0)
			engine_prefetch_text(w->engine, &b->rx[i]);
	for (uint32_t i = 0; i < b->n; i++) {
		outbox_reserve(w);
		b->verdict[i] = b->error[i] == 0 ? engine_message(w->engine, &b->rx[i], w->now)
						 : engine_unparsable(w->engine, &b->rx[i],
								     b->error[i], w->now);
	}
	outbox_flush(w);
}
