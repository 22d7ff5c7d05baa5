// SPDX-License-Identifier: BSD-3-Clause
// From workers to the control core: events first, since refreshes wait for them; records after.
#include "control/loop.h"

#define EVENTS_AT_ONCE	64
#define RECORDS_AT_ONCE 4
// Taken from one worker before the next one gets its turn and timers run.
#define EVENTS_A_TURN  4096
#define RECORDS_A_TURN 256

static unsigned take_events(struct loop *l, unsigned worker, tick_t now)
{
	struct event events[EVENTS_AT_ONCE];
	unsigned taken = 0, n;

	do {
		n = dataplane_events(l->dp, worker, events, EVENTS_AT_ONCE);
		for (unsigned i = 0; i < n; i++)
			control_event(l->control, worker, &events[i], now);
		taken += n;
	} while (n == EVENTS_AT_ONCE && taken < EVENTS_A_TURN);
	return taken;
}

static void take_record(struct loop *l, unsigned worker, const struct call_record *record,
			tick_t now)
{
	control_record(l->control, worker, record, now);
	taps_end(l, worker, record, now);
}

static unsigned take_records(struct loop *l, unsigned worker, tick_t now)
{
	struct call_record records[RECORDS_AT_ONCE];
	unsigned taken = 0, n;

	do {
		n = dataplane_records(l->dp, worker, records, RECORDS_AT_ONCE);
		for (unsigned i = 0; i < n; i++)
			take_record(l, worker, &records[i], now);
		taken += n;
	} while (n == RECORDS_AT_ONCE && taken < RECORDS_A_TURN);
	return taken;
}

unsigned inbox_drain(struct loop *l, tick_t now)
{
	unsigned taken = 0;

	for (unsigned worker = 0; worker < l->n_workers; worker++)
		taken += take_events(l, worker, now);
	for (unsigned worker = 0; worker < l->n_workers; worker++)
		taken += take_records(l, worker, now);
	return taken;
}
