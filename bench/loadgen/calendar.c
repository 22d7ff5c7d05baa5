// SPDX-License-Identifier: BSD-3-Clause
// When legs are looked at: a calendar of 1 ms slots for a minute ahead. A leg stays in the slot
// where it is when its time moves later, and is put on when that slot comes.
#include <errno.h>
#include <stdlib.h>

#include "calls.h"

#define SLOTS 65536u // ms ahead

static uint32_t *head; // [SLOTS], leg or NO_LEG
static uint32_t at_ms; // the slot that is being emptied

int calendar_init(void)
{
	head = malloc(SLOTS * sizeof(*head));
	if (head == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < SLOTS; i++)
		head[i] = NO_LEG;
	return 0;
}

static void unlink_leg(uint32_t id)
{
	struct leg *leg = &gen.legs[id];

	if (leg->prev != NO_LEG)
		gen.legs[leg->prev].next = leg->next;
	else
		head[leg->parked_ms % SLOTS] = leg->next;
	if (leg->next != NO_LEG)
		gen.legs[leg->next].prev = leg->prev;
	leg->parked_ms = NEVER;
}

static void park(uint32_t id, uint32_t ms)
{
	struct leg *leg = &gen.legs[id];
	uint32_t *slot;

	if (ms <= at_ms)
		ms = at_ms + 1;
	if (ms >= at_ms + SLOTS)
		ms = at_ms + SLOTS - 1;
	slot = &head[ms % SLOTS];
	leg->parked_ms = ms;
	leg->prev = NO_LEG;
	leg->next = *slot;
	if (*slot != NO_LEG)
		gen.legs[*slot].prev = id;
	*slot = id;
}

void calendar_arm(uint32_t id, uint32_t due_ms)
{
	struct leg *leg = &gen.legs[id];

	leg->due_ms = due_ms;
	if (due_ms == NEVER || (leg->parked_ms != NEVER && leg->parked_ms <= due_ms))
		return;
	if (leg->parked_ms != NEVER)
		unlink_leg(id);
	park(id, due_ms);
}

uint32_t calendar_next(void)
{
	while (at_ms < gen.now_ms) {
		uint32_t id = head[at_ms % SLOTS];
		struct leg *leg;

		if (id == NO_LEG) {
			at_ms++;
			continue;
		}
		leg = &gen.legs[id];
		unlink_leg(id);
		if (leg->due_ms <= gen.now_ms) {
			leg->due_ms = NEVER;
			return id;
		}
		if (leg->due_ms != NEVER)
			park(id, leg->due_ms);
	}
	return NO_LEG;
}
