// SPDX-License-Identifier: BSD-3-Clause
// What the call logic has produced leaves. See outbox.h.
#include "dataplane/outbox.h"

#include "dataplane/compose.h"
#include "dataplane/tap.h"

void outbox_flush(struct worker *w)
{
	struct outbox *o = engine_outbox(w->engine);

	for (uint32_t i = 0; w->tap_filter != NULL && i < o->n_sends; i++)
		tap_sent(w, &o->sends[i]);
	for (uint32_t i = 0; i < o->n_sends; i++)
		compose_message(w, o->sends[i].buf, &o->sends[i].flow);
	for (uint32_t i = 0; i < o->n_events; i++)
		o->events[i].worker = (uint8_t)w->id;
	for (uint32_t i = 0; i < o->n_records; i++)
		o->records[i].worker = (uint8_t)w->id;
	if (o->n_events != 0)
		channel_put(&w->events, o->events, o->n_events);
	if (o->n_records != 0)
		channel_put(&w->records, o->records, o->n_records);
	o->n_sends = o->n_events = o->n_records = 0;
	tap_sample(w);
}
