// SPDX-License-Identifier: BSD-3-Clause
// The timing wheel against a model that keeps one deadline per id and looks at all of them: what
// fires is due, what is due fires, wheel_next() and wheel_behind() agree, the invariants hold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "timer/wheel.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct wheel *wheel_new(uint32_t timers, tick_t now)
{
	void *mem = aligned_alloc(64, wheel_footprint(timers));

	assert_non_null(mem);
	return wheel_init(mem, timers, now);
}

// First instant at which a timer may fire.
static tick_t fires_at(tick_t base, tick_t deadline)
{
	if (deadline <= base)
		return base;
	return base +
	       (deadline - base + WHEEL_GRANULE_US - 1) / WHEEL_GRANULE_US * WHEEL_GRANULE_US;
}

static void wheel_fires_in_its_granule(void **)
{
	static const struct {
		const char *shows;
		tick_t base, deadline;
	} rows[] = {
		{"passed", 5000, 4999},
		{"now", 5000, 5000},
		{"one microsecond", 0, 1},
		{"a granule", 0, WHEEL_GRANULE_US},
		{"a granule and one", 0, WHEEL_GRANULE_US + 1},
		{"T1", 123456789, 123456789 + TICK_MS(500)},
		{"end of level 0", 7, 7 + 4096 * WHEEL_GRANULE_US - 1},
		{"after level 0", 7, 7 + 4096 * WHEEL_GRANULE_US + 1},
		{"timer B", 99, 99 + TICK_S(32)},
		{"90 s", 1, 1 + TICK_S(90)},
		{"1800 s", 1, 1 + TICK_S(1800)},
		{"end of level 1", 0, TICK_S(4294)},
		{"a day", 1, TICK_S(86400)},
		{"30 days", 1, TICK_S(86400 * 30)},
		{"20 years: beyond the horizon", 1, TICK_S(86400ULL * 365 * 20)},
		{"2^31 - 1 s", 3, 3 + TICK_S(INT32_MAX)},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wheel *w = wheel_new(3, rows[i].base);
		tick_t at = fires_at(rows[i].base, rows[i].deadline);
		tick_t now = rows[i].base;
		uint32_t due[4];
		unsigned steps = 0;

		wheel_arm(w, 1, rows[i].deadline);
		assert_int_equal(wheel_deadline(w, 1),
				 rows[i].deadline > now ? rows[i].deadline : now);
		while (wheel_next(w) < at) {
			tick_t next = wheel_next(w);
			assert_int_equal(wheel_poll(w, next - 1, due, 4), 0);
			assert_int_equal(wheel_next(w), next); // there was no work before it
			now = next;
			assert_int_equal(wheel_poll(w, now, due, 4), 0);
			assert_int_equal(wheel_check(w), 0);
			assert_in_range(steps++, 0, 64);
		}
		assert_true(wheel_next(w) <= (at > now ? at : now));
		if (at > now)
			assert_int_equal(wheel_poll(w, at - 1, due, 4), 0);
		assert_int_equal(wheel_poll(w, at, due, 4), 1);
		assert_int_equal(due[0], 1);
		assert_false(wheel_armed(w, 1));
		assert_int_equal(wheel_deadline(w, 1), TICK_NEVER);
		assert_int_equal(wheel_next(w), TICK_NEVER);
		assert_int_equal(wheel_check(w), 0);
		free(w);
	}
}

// The whole way in one step: nothing is lost, nothing walked, and the last deadline is kept.
static void wheel_jumps_over_gaps(void **)
{
	static const tick_t gaps[] = {TICK_MS(1),
				      TICK_S(3),
				      TICK_S(5),
				      TICK_S(600),
				      TICK_S(7200),
				      TICK_S(86400 * 40),
				      TICK_S(86400ULL * 365 * 19)};

	for (size_t i = 0; i < COUNT(gaps); i++) {
		struct wheel *w = wheel_new(1000, 11);
		tick_t end = 11 + gaps[i] + WHEEL_GRANULE_US;
		uint32_t due[64];
		unsigned fired = 0, polls = 0;

		for (uint32_t id = 0; id < 1000; id++)
			wheel_arm(w, id, 11 + gaps[i] / 1000 * id);
		do {
			fired += wheel_poll(w, end, due, 64);
			assert_int_equal(wheel_check(w), 0);
			assert_in_range(polls++, 0, 64);
		} while (wheel_behind(w));
		assert_int_equal(fired, 1000);
		assert_int_equal(wheel_used(w), 0);
		free(w);
	}
}

static void wheel_keeps_never(void **)
{
	struct wheel *w = wheel_new(2, TICK_S(50));
	uint32_t due[2];

	wheel_arm(w, 0, TICK_NEVER);
	for (tick_t year = 1; year < 71; year++) {
		tick_t now = TICK_S(50) + TICK_S(86400 * 365) * year;
		do
			assert_int_equal(wheel_poll(w, now, due, 2), 0);
		while (wheel_behind(w));
		assert_int_equal(wheel_check(w), 0);
	}
	wheel_arm(w, 1, 0);
	assert_int_equal(wheel_poll(w, 0, due, 2), 1); // a now that went back does no harm
	assert_int_equal(due[0], 1);
	wheel_cancel(w, 0);
	wheel_cancel(w, 0);
	assert_int_equal(wheel_next(w), TICK_NEVER);
	free(w);
}

// One poll a granule, as many timers as 10 M sessions bring per granule: each fires in its own.
static void wheel_spreads_in_time(void **)
{
	enum { timers = 120000 };
	struct wheel *w = wheel_new(timers, 0);
	tick_t *deadline = calloc(timers, sizeof(*deadline));
	uint32_t due[256];
	unsigned fired = 0;

	assert_non_null(deadline);
	srandom(4);
	for (uint32_t id = 0; id < timers; id++) {
		deadline[id] = TICK_S(30) + (tick_t)random() % TICK_S(4);
		wheel_arm(w, id, deadline[id]);
	}
	for (tick_t g = 0; wheel_used(w) != 0; g++) {
		unsigned n = wheel_poll(w, g * WHEEL_GRANULE_US, due, 256);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(fires_at(0, deadline[due[i]]), g * WHEEL_GRANULE_US);
		fired += n;
	}
	assert_int_equal(fired, timers);
	free(deadline);
	free(w);
}

// Everything falls due at once: polls stay bounded, arming and cancelling go on meanwhile.
static void wheel_carries_bursts_on(void **)
{
	enum { timers = 20000 };
	struct wheel *w = wheel_new(timers, 0);
	uint32_t due[WHEEL_POLL_WORK + 1];
	unsigned fired = 0, cancelled = 0;

	for (uint32_t id = 0; id < timers; id++)
		wheel_arm(w, id, TICK_S(100) + id % 3);
	for (uint32_t id = 0; wheel_used(w) != 0; id++) {
		unsigned n = wheel_poll(w, TICK_S(101), due, WHEEL_POLL_WORK + 1);
		assert_true(n <= WHEEL_POLL_WORK);
		fired += n;
		if (id < timers && wheel_armed(w, id)) {
			wheel_cancel(w, id);
			cancelled++;
		}
		assert_int_equal(wheel_behind(w), wheel_used(w) != 0);
	}
	assert_true(fired >= timers / 2);
	assert_int_equal(fired + cancelled, timers);
	assert_int_equal(wheel_check(w), 0);
	free(w);
}

struct model {
	struct wheel *w;
	tick_t base, now;
	tick_t *deadline; // TICK_NEVER: not armed
	uint32_t timers;
	uint64_t state;
};

static uint64_t model_random(struct model *m)
{
	m->state ^= m->state << 13;
	m->state ^= m->state >> 7;
	m->state ^= m->state << 17;
	return m->state;
}

// Spans from nothing to years, each order of magnitude as often as the others.
static tick_t model_span(struct model *m, unsigned bits)
{
	unsigned less = (unsigned)(model_random(m) % bits);

	return model_random(m) >> (64 - bits) >> less;
}

static void model_poll(struct model *m)
{
	uint32_t due[100];
	unsigned max = (unsigned)(model_random(m) % 100);
	unsigned n = wheel_poll(m->w, m->now, due, max);

	assert_true(n <= max);
	for (unsigned i = 0; i < n; i++) {
		assert_true(due[i] < m->timers);
		assert_true(fires_at(m->base, m->deadline[due[i]]) <= m->now);
		assert_false(wheel_armed(m->w, due[i]));
		m->deadline[due[i]] = TICK_NEVER;
	}
}

static void model_compare(struct model *m)
{
	bool behind = wheel_behind(m->w);
	tick_t next = wheel_next(m->w);
	uint32_t used = 0;

	for (uint32_t id = 0; id < m->timers; id++) {
		tick_t deadline = m->deadline[id];
		assert_int_equal(wheel_deadline(m->w, id), deadline);
		if (deadline == TICK_NEVER)
			continue;
		used++;
		tick_t at = fires_at(m->base, deadline);
		if (at <= m->now)
			assert_true(behind);
		assert_true(next <= (at > m->now ? at : m->now));
	}
	assert_int_equal(wheel_used(m->w), used);
	assert_true(used != 0 || next == TICK_NEVER);
	assert_true(behind ? next <= m->now : next > m->now);
}

static void model_step(struct model *m)
{
	uint32_t id = (uint32_t)(model_random(m) % m->timers);

	switch (model_random(m) % 16) {
	case 0:
		wheel_cancel(m->w, id);
		m->deadline[id] = TICK_NEVER;
		break;
	case 1: // later or earlier than where it stands
		if (m->deadline[id] == TICK_NEVER)
			break;
		m->deadline[id] += model_span(m, 34);
		m->deadline[id] -= model_span(m, 34) % (m->deadline[id] + 1);
		if (m->deadline[id] < m->base)
			m->deadline[id] = m->base;
		wheel_arm(m->w, id, m->deadline[id]);
		break;
	case 2:
		m->now += model_span(m, model_random(m) % 64 == 0 ? 42 : 22);
		break;
	case 3:
		if (wheel_next(m->w) != TICK_NEVER && wheel_next(m->w) > m->now)
			m->now = wheel_next(m->w);
		break;
	case 4:
	case 5:
	case 6:
		model_poll(m);
		break;
	default:
		m->deadline[id] = m->now + model_span(m, id % 8 == 0 ? 50 : 32);
		wheel_arm(m->w, id, m->deadline[id]);
		break;
	}
}

static void model_run(uint64_t seed, uint32_t timers, unsigned steps, unsigned check_each)
{
	struct model m = {.timers = timers, .base = seed >> 16, .state = seed};

	m.now = m.base;
	m.w = wheel_new(timers, m.base);
	m.deadline = malloc(timers * sizeof(*m.deadline));
	assert_non_null(m.deadline);
	for (uint32_t id = 0; id < timers; id++)
		m.deadline[id] = TICK_NEVER;
	for (unsigned i = 0; i < steps; i++) {
		model_step(&m);
		if (m.now > m.base + TICK_S(86400ULL * 365 * 30))
			break;
		if (i % check_each != 0)
			continue;
		model_poll(&m);
		model_compare(&m);
		assert_int_equal(wheel_check(m.w), 0);
	}
	free(m.deadline);
	free(m.w);
}

static void wheel_equals_model(void **)
{
	for (uint64_t seed = 1; seed <= 12; seed++)
		model_run(seed * 0x9e3779b97f4a7c15, 40, 100000, 53);
	model_run(3, 5000, 2000000, 4099);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wheel_fires_in_its_granule),
		cmocka_unit_test(wheel_jumps_over_gaps),
		cmocka_unit_test(wheel_keeps_never),
		cmocka_unit_test(wheel_spreads_in_time),
		cmocka_unit_test(wheel_carries_bursts_on),
		cmocka_unit_test(wheel_equals_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
