// SPDX-License-Identifier: BSD-3-Clause
// A round over all calls. See watch.h.
#include "control/watch.h"

#include "dataplane/dataplane.h"

// All calls of a worker are looked at once in some ten seconds, a few at a time; at 16 million in a
// minute.
#define WATCH_EVERY   TICK_MS(4)
#define WATCH_ROUND   2500
#define WATCH_AT_ONCE 512

void watch_poll(struct watch *w, struct dataplane *dp, struct control *control, tick_t now)
{
	uint32_t max = dataplane_calls_max(dp, w->worker), n = max / WATCH_ROUND + 32;
	struct call_view view;

	if (now < w->due_tk)
		return;
	w->due_tk = now + WATCH_EVERY;
	for (n = n < WATCH_AT_ONCE ? n : WATCH_AT_ONCE; n != 0 && w->at < max; n--)
		if (dataplane_call(dp, w->worker, w->at++, &view) == 0)
			control_watch(control, &view, now);
	if (w->at < max)
		return;
	w->at = 0;
	w->worker = (w->worker + 1) % dataplane_workers(dp);
	if (w->worker == 0)
		control_watched(control);
}
