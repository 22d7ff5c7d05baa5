// SPDX-License-Identifier: BSD-3-Clause
// Any sequence of operations on a timing wheel, six bytes each, against one deadline per id:
// nothing fires early or twice, everything due fires before the wheel stops being behind,
// wheel_next() is never too late, the invariants hold.
#include "fuzz.h"

#include <stdbool.h>

#include "timer/wheel.h"

#define TIMERS 16
#define BASE   TICK_S(7)

struct model {
	struct wheel *w;
	tick_t now;
	tick_t deadline[TIMERS]; // TICK_NEVER: not armed
};

// A span from a mantissa and a power of two: 0 us to 2^55 us.
static tick_t span(const uint8_t *op)
{
	return (tick_t)(op[2] | op[3] << 8) << op[4] % 40;
}

static tick_t fires_at(tick_t deadline)
{
	tick_t after = deadline > BASE ? deadline - BASE : 0;

	return BASE + (after + WHEEL_GRANULE_US - 1) / WHEEL_GRANULE_US * WHEEL_GRANULE_US;
}

static void poll(struct model *m, unsigned max)
{
	uint32_t due[TIMERS];
	unsigned n = wheel_poll(m->w, m->now, due, max);

	FUZZ_ASSERT(n <= max);
	for (unsigned i = 0; i < n; i++) {
		FUZZ_ASSERT(due[i] < TIMERS && m->deadline[due[i]] != TICK_NEVER);
		FUZZ_ASSERT(fires_at(m->deadline[due[i]]) <= m->now);
		m->deadline[due[i]] = TICK_NEVER;
	}
}

static void compare(const struct model *m)
{
	tick_t next = wheel_next(m->w);
	bool behind = wheel_behind(m->w);
	uint32_t used = 0;

	for (uint32_t id = 0; id < TIMERS; id++) {
		tick_t deadline = m->deadline[id];
		FUZZ_ASSERT(wheel_deadline(m->w, id) == deadline);
		if (deadline == TICK_NEVER)
			continue;
		used++;
		FUZZ_ASSERT(next <= m->now || next <= fires_at(deadline));
	}
	FUZZ_ASSERT(wheel_used(m->w) == used);
	FUZZ_ASSERT(behind ? next <= m->now : true);
	FUZZ_ASSERT(wheel_check(m->w) == 0);
}

static void poll_until_done(struct model *m)
{
	for (unsigned i = 0; i == 0 || wheel_behind(m->w); i++) {
		FUZZ_ASSERT(i < 1000);
		poll(m, TIMERS);
	}
	for (uint32_t id = 0; id < TIMERS; id++)
		FUZZ_ASSERT(m->deadline[id] == TICK_NEVER || fires_at(m->deadline[id]) > m->now);
}

static void arm(struct model *m, uint32_t id, tick_t deadline)
{
	// The wheel's own bounds, see wheel_arm().
	const tick_t last = BASE + (1ULL << 51) - 1;

	wheel_arm(m->w, id, deadline);
	m->deadline[id] = deadline < BASE ? BASE : deadline > last ? last : deadline;
}

static void step(struct model *m, const uint8_t *op)
{
	uint32_t id = op[1] % TIMERS;
	tick_t armed = m->deadline[id];

	switch (op[0] % 8) {
	case 0:
		wheel_cancel(m->w, id);
		m->deadline[id] = TICK_NEVER;
		break;
	case 1:
		arm(m, id, m->now + span(op));
		break;
	case 2:
		arm(m, id, m->now > span(op) ? m->now - span(op) : 0);
		break;
	case 3: // moves, either way
		if (armed != TICK_NEVER)
			arm(m, id,
			    op[5] & 1 || armed < span(op) ? armed + span(op) : armed - span(op));
		break;
	case 4:
		if (m->now + span(op) < 1ULL << 52)
			m->now += span(op);
		break;
	case 5:
		poll(m, op[1] % TIMERS);
		break;
	case 6:
		poll_until_done(m);
		break;
	case 7:
		if (wheel_next(m->w) != TICK_NEVER && wheel_next(m->w) > m->now)
			m->now = wheel_next(m->w);
		poll_until_done(m);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model m = {.now = BASE};
	void *mem = aligned_alloc(64, wheel_footprint(TIMERS));

	if (mem == NULL)
		return 0;
	m.w = wheel_init(mem, TIMERS, BASE);
	for (uint32_t id = 0; id < TIMERS; id++)
		m.deadline[id] = TICK_NEVER;
	for (size_t at = 0, n = 0; at + 6 <= size && n < 256; at += 6, n++) {
		step(&m, data + at);
		if (n % 64 == 63)
			compare(&m);
	}
	poll_until_done(&m);
	compare(&m);
	free(mem);
	return 0;
}
