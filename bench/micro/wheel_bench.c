// SPDX-License-Identifier: BSD-3-Clause
// The timing wheel beside a plain cascading wheel and DPDK's rte_timer: arm, cancel, move, expiry,
// the longest single poll, and the steady state of sessions that refresh. Usage: wheel_bench [--n
// TIMERS] [--runs RUNS] [--rte-n TIMERS, 0 = without DPDK]
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_timer.h>

#include "base/prefetch.h"
#include "bench_set.h"
#include "cascade.h"
#include "timer/wheel.h"

#define BASE	 TICK_S(1000)
#define NEAREST	 TICK_S(90) // deadlines are uniform in 90 to 1800 s
#define FARTHEST TICK_S(1800)
#define DUE_MAX	 64
#define REFRESH	 TICK_S(900)

struct set {
	uint32_t n;
	unsigned runs;
	uint32_t *order;    // ids in random order
	uint32_t *after_ms; // [n] from BASE, read in sequence
	size_t wheel_size;
	void *wheel_mem;
};

static struct bench_series series(const struct set *s, const char *bench, const char *of,
				  const char *unit)
{
	return (struct bench_series){.bench = bench, .of = of, .n = s->n, .unit = unit};
}

static tick_t deadline_of(const struct set *s, uint32_t i)
{
	return BASE + TICK_MS(s->after_ms[i]);
}

static double per(uint64_t ns, uint64_t n)
{
	return n != 0 ? (double)ns / (double)n : 0;
}

// Bursts: the lines of 32 timers are fetched, then the 32 timers handled.
#define FOR_BURSTS(first, n) \
	for (uint32_t first = 0; first + BENCH_BURST <= (n); first += BENCH_BURST)

static void prefetch_burst(const struct wheel *w, const uint32_t *ids)
{
	for (unsigned i = 0; i < BENCH_BURST; i++)
		wheel_prefetch(w, ids[i]);
}

static uint64_t wheel_arm_all(struct set *s, struct wheel *w, tick_t later)
{
	uint64_t start = bench_ns();

	FOR_BURSTS(at, s->n)
	{
		prefetch_burst(w, s->order + at);
		for (uint32_t i = at; i < at + BENCH_BURST; i++)
			wheel_arm(w, s->order[i], deadline_of(s, i) + later);
	}
	return bench_ns() - start;
}

static uint64_t wheel_cancel_all(struct set *s, struct wheel *w)
{
	uint64_t start = bench_ns();

	FOR_BURSTS(at, s->n)
	{
		prefetch_burst(w, s->order + at);
		for (uint32_t i = at; i < at + BENCH_BURST; i++)
			wheel_cancel(w, s->order[i]);
	}
	return bench_ns() - start;
}

// Moves that leave their slot: to an earlier instant, still among the others.
static uint64_t wheel_move_earlier(struct set *s, struct wheel *w)
{
	uint64_t start = bench_ns();

	FOR_BURSTS(at, s->n)
	{
		prefetch_burst(w, s->order + at);
		for (uint32_t i = at; i < at + BENCH_BURST; i++)
			wheel_arm(w, s->order[i], BASE + TICK_MS(s->after_ms[i] / 2));
	}
	return bench_ns() - start;
}

static void bench_operations(struct set *s)
{
	struct bench_series arm = series(s, "wheel_arm_burst", "verge", "ns");
	struct bench_series cancel = series(s, "wheel_cancel_burst", "verge", "ns");
	struct bench_series later = series(s, "wheel_rearm_later_burst", "verge", "ns");
	struct bench_series earlier = series(s, "wheel_rearm_earlier_burst", "verge", "ns");
	struct bench_series bytes = series(s, "wheel_bytes_per_timer", "verge", "bytes");

	for (unsigned run = 0; run < s->runs; run++) {
		struct wheel *w = wheel_init(s->wheel_mem, s->n, BASE);
		bench_add(&arm, per(wheel_arm_all(s, w, 0), s->n));
		bench_add(&later, per(wheel_arm_all(s, w, TICK_S(60)), s->n));
		bench_add(&earlier, per(wheel_move_earlier(s, w), s->n));
		bench_add(&cancel, per(wheel_cancel_all(s, w), s->n));
	}
	bench_add(&bytes, (double)s->wheel_size / s->n);
	bench_print(&arm);
	bench_print(&cancel);
	bench_print(&later);
	bench_print(&earlier);
	bench_print(&bytes);
}

#define POLLS_KEPT (8U << 20)

// Time of single polls. The runs repeat exactly the same polls, so what one of them really takes is
// the least of its times, and the longest poll is the longest of these: what the host adds now and
// then (a timer interrupt of a virtual machine takes 15 to 30 us) falls on another poll each time.
struct polls {
	uint64_t ns, worst_ns;
	uint32_t polls, fired;
	uint32_t *least_ns; // [POLLS_KEPT] over all runs; NULL = not kept
};

static void polls_add(struct polls *p, uint64_t ns)
{
	if (ns > p->worst_ns)
		p->worst_ns = ns;
	p->ns += ns;
	if (p->least_ns != NULL && p->polls < POLLS_KEPT) {
		uint32_t *least = &p->least_ns[p->polls];
		if (*least == 0 || ns < *least)
			*least = (uint32_t)ns;
	}
	p->polls++;
}

static uint32_t *polls_memory(void)
{
	return bench_memory(POLLS_KEPT * sizeof(uint32_t));
}

// The longest poll in us; gives the memory back.
static double polls_longest(uint32_t *least_ns)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < POLLS_KEPT; i++) {
		if (least_ns[i] > longest)
			longest = least_ns[i];
	}
	bench_release(least_ns, POLLS_KEPT * sizeof(uint32_t));
	return longest / 1000.0;
}

// The same clock readings with nothing between them: what the host adds to a worst case.
static void bench_noise(struct set *s, uint32_t polls)
{
	struct bench_series worst = series(s, "wheel_longest_poll_timed", "no poll at all", "us");

	for (unsigned run = 0; run < s->runs; run++) {
		struct polls p = {0};
		while (p.polls < polls) {
			uint64_t start = bench_ns();
			polls_add(&p, bench_ns() - start);
		}
		bench_add(&worst, (double)p.worst_ns / 1000);
	}
	bench_print(&worst);
}

// Poll until nothing more is due at now. Single polls are timed only where asked for, since reading
// the clock costs more than an idle poll.
static void poll_until_done(struct wheel *w, tick_t now, struct polls *p)
{
	uint32_t due[DUE_MAX];

	do {
		uint64_t start = bench_ns();
		p->fired += wheel_poll(w, now, due, DUE_MAX);
		polls_add(p, bench_ns() - start);
	} while (wheel_behind(w));
}

// Every timer fires, at the end the wheel idles; polls each millisecond.
static void expire_all(struct set *s, struct bench_series *expiry, struct bench_series *idle)
{
	struct wheel *w = wheel_init(s->wheel_mem, s->n, BASE);
	uint32_t due[DUE_MAX], fired = 0;

	wheel_arm_all(s, w, 0);
	uint64_t start = bench_ns();
	for (tick_t now = BASE; wheel_used(w) != 0; now += 1000) {
		do
			fired += wheel_poll(w, now, due, DUE_MAX);
		while (wheel_behind(w));
	}
	bench_add(expiry, per(bench_ns() - start, fired));
	start = bench_ns();
	for (uint64_t i = 0; i < 1000000; i++)
		wheel_poll(w, BASE + FARTHEST + i * 20, due, DUE_MAX);
	bench_add(idle, per(bench_ns() - start, 1000000));
}

static void bench_expiry(struct set *s)
{
	struct bench_series expiry = series(s, "wheel_expiry_all_polls", "verge", "ns");
	struct bench_series longest = series(s, "wheel_longest_poll_expiry", "verge", "us");
	struct bench_series timed = series(s, "wheel_longest_poll_timed", "verge", "us");
	struct bench_series idle = series(s, "wheel_poll_idle", "verge", "ns");
	uint32_t *least = polls_memory();
	uint32_t polls = 0;

	for (unsigned run = 0; run < s->runs; run++) {
		expire_all(s, &expiry, &idle);
		struct wheel *w = wheel_init(s->wheel_mem, s->n, BASE);
		struct polls p = {.least_ns = least};
		wheel_arm_all(s, w, 0);
		for (tick_t now = BASE; wheel_used(w) != 0; now += 1000)
			poll_until_done(w, now, &p);
		bench_add(&timed, (double)p.worst_ns / 1000);
		polls = p.polls;
	}
	bench_add(&longest, polls_longest(least));
	bench_print(&expiry);
	bench_print(&longest);
	bench_print(&timed);
	bench_noise(s, polls);
	bench_print(&idle);
}

// Nothing is polled for ten minutes; then as many timers as there are, up to 1 M, in one tick.
static void bench_gaps(struct set *s)
{
	struct bench_series gap = series(s, "wheel_longest_poll_after_600s_gap", "verge", "us");
	struct bench_series gap_each = series(s, "wheel_per_timer_after_600s_gap", "verge", "ns");
	struct bench_series same = series(s, "wheel_longest_poll_1M_same_tick", "verge", "us");
	uint32_t crowd = s->n < 1000000 ? s->n : 1000000;
	uint32_t *gap_least = polls_memory(), *same_least = polls_memory();

	for (unsigned run = 0; run < s->runs; run++) {
		struct wheel *w = wheel_init(s->wheel_mem, s->n, BASE);
		struct polls before = {0};
		struct polls p = {.least_ns = gap_least}, q = {.least_ns = same_least};
		wheel_arm_all(s, w, 0);
		poll_until_done(w, BASE + NEAREST, &before);
		poll_until_done(w, BASE + NEAREST + TICK_S(600), &p);
		bench_add(&gap_each, per(p.ns, p.fired));
		for (uint32_t i = 0; i < crowd; i++)
			wheel_arm(w, s->order[i], BASE + TICK_S(800));
		for (tick_t now = BASE + TICK_S(691); now < BASE + TICK_S(810); now += 1000)
			poll_until_done(w, now, &q);
	}
	bench_add(&gap, polls_longest(gap_least));
	bench_add(&same, polls_longest(same_least));
	bench_print(&gap);
	bench_print(&gap_each);
	bench_print(&same);
}

// Every session is moved to now + 1800 s each 900 s, in random order: all work of the wheel, polls
// each millisecond included, per refresh. 4000 s simulated.
static void bench_refresh(struct set *s)
{
	struct bench_series refresh = series(s, "wheel_refresh_amortised", "verge", "ns");
	uint32_t per_ms = s->n / 900000 + 1; // sessions refreshed per ms

	for (unsigned run = 0; run < s->runs; run++) {
		struct wheel *w = wheel_init(s->wheel_mem, s->n, BASE);
		uint64_t done = 0;
		uint32_t at = 0;
		uint32_t due[DUE_MAX], fired = 0;
		for (uint32_t i = 0; i < s->n; i++)
			wheel_arm(w, s->order[i], BASE + FARTHEST * i / s->n + TICK_S(5));
		uint64_t start = bench_ns();
		for (tick_t now = BASE; now < BASE + TICK_S(4000); now += 1000) {
			uint64_t until = (now - BASE) * s->n / REFRESH;
			for (uint32_t i = at; i < at + per_ms && i < s->n; i++)
				wheel_prefetch(w, s->order[i]);
			for (; done < until; done++) {
				uint32_t id = s->order[at];
				wheel_arm(w, id, now + FARTHEST + (id & 0xffff));
				at = at + 1 < s->n ? at + 1 : 0;
			}
			do
				fired += wheel_poll(w, now, due, DUE_MAX);
			while (wheel_behind(w));
		}
		bench_add(&refresh, per(bench_ns() - start, done));
		if (fired != 0)
			fprintf(stderr, "wheel_bench: %u sessions expired\n", fired);
	}
	bench_print(&refresh);
}

static uint32_t cascade_tick(tick_t at)
{
	return (uint32_t)(at / CASCADE_TICK_US);
}

static uint64_t cascade_arm_all(struct set *s, struct cascade *c, tick_t later)
{
	uint64_t start = bench_ns();

	FOR_BURSTS(at, s->n)
	{
		for (uint32_t i = at; i < at + BENCH_BURST; i++)
			prefetch_line(&c->nodes[s->order[i]]);
		for (uint32_t i = at; i < at + BENCH_BURST; i++)
			cascade_arm(c, s->order[i], cascade_tick(TICK_MS(s->after_ms[i]) + later));
	}
	return bench_ns() - start;
}

static void cascade_expire_all(struct set *s, struct cascade *c, struct polls *p)
{
	while (p->fired < s->n / BENCH_BURST * BENCH_BURST) {
		uint64_t start = bench_ns();
		p->fired += cascade_step(c);
		polls_add(p, bench_ns() - start);
	}
}

static double cascade_refresh(struct set *s, struct cascade *c)
{
	uint64_t done = 0;
	uint32_t at = 0;

	for (uint32_t i = 0; i < s->n; i++)
		cascade_arm(c, s->order[i], cascade_tick(FARTHEST * i / s->n + TICK_S(5)));
	uint64_t start = bench_ns();
	for (tick_t now = 0; now < TICK_S(4000); now += CASCADE_TICK_US) {
		uint64_t until = now * s->n / REFRESH;
		for (uint32_t i = at; i < at + until - done && i < s->n; i++)
			prefetch_line(&c->nodes[s->order[i]]);
		for (; done < until; done++) {
			cascade_arm(c, s->order[at], cascade_tick(now + FARTHEST));
			at = at + 1 < s->n ? at + 1 : 0;
		}
		cascade_step(c);
	}
	return per(bench_ns() - start, done);
}

static void bench_cascade(struct set *s)
{
	struct bench_series arm = series(s, "wheel_arm_burst", "cascade4x256", "ns");
	struct bench_series rearm = series(s, "wheel_rearm_later_burst", "cascade4x256", "ns");
	struct bench_series cancel = series(s, "wheel_cancel_burst", "cascade4x256", "ns");
	struct bench_series expiry = series(s, "wheel_expiry_all_polls", "cascade4x256", "ns");
	struct bench_series worst = series(s, "wheel_longest_poll_expiry", "cascade4x256", "us");
	struct bench_series refresh = series(s, "wheel_refresh_amortised", "cascade4x256", "ns");
	size_t size = s->n * sizeof(struct cascade_node);
	uint32_t *least = polls_memory();
	struct cascade c;

	c.nodes = (struct cascade_node *)bench_memory(size);
	for (unsigned run = 0; run < s->runs; run++) {
		struct polls p = {.least_ns = least};
		cascade_init(&c, c.nodes, s->n);
		bench_add(&arm, per(cascade_arm_all(s, &c, 0), s->n));
		bench_add(&rearm, per(cascade_arm_all(s, &c, TICK_S(60)), s->n));
		uint64_t start = bench_ns();
		FOR_BURSTS(at, s->n)
		{
			for (uint32_t i = at; i < at + BENCH_BURST; i++)
				prefetch_line(&c.nodes[s->order[i]]);
			for (uint32_t i = at; i < at + BENCH_BURST; i++)
				cascade_cancel(&c, s->order[i]);
		}
		bench_add(&cancel, per(bench_ns() - start, s->n));
		cascade_arm_all(s, &c, 0);
		cascade_expire_all(s, &c, &p);
		bench_add(&expiry, per(p.ns, p.fired));
		cascade_init(&c, c.nodes, s->n);
		bench_add(&refresh, cascade_refresh(s, &c));
	}
	bench_add(&worst, polls_longest(least));
	bench_print(&arm);
	bench_print(&cancel);
	bench_print(&rearm);
	bench_print(&expiry);
	bench_print(&worst);
	bench_print(&refresh);
	bench_release(c.nodes, size);
}

static void rte_fired(struct rte_timer *, void *)
{
}

static void bench_rte_timer(struct set *s)
{
	struct bench_series arm = series(s, "wheel_arm_burst", "rte_timer", "ns");
	struct bench_series rearm = series(s, "wheel_rearm_later_burst", "rte_timer", "ns");
	struct bench_series cancel = series(s, "wheel_cancel_burst", "rte_timer", "ns");
	struct bench_series bytes = series(s, "wheel_bytes_per_timer", "rte_timer", "bytes");
	struct rte_timer *timers = bench_memory(s->n * sizeof(*timers));
	uint32_t sample = s->n < 100000 ? s->n : 100000;
	unsigned lcore = rte_lcore_id();
	uint64_t ms = rte_get_timer_hz() / 1000;

	rte_timer_subsystem_init();
	uint64_t start = bench_ns();
	for (uint32_t i = 0; i < s->n; i++) {
		struct rte_timer *t = &timers[s->order[i]];
		rte_timer_init(t);
		rte_timer_reset(t, ms * (3600000 + s->after_ms[i]), SINGLE, lcore, rte_fired, NULL);
	}
	bench_add(&arm, per(bench_ns() - start, s->n));
	start = bench_ns();
	for (uint32_t i = 0; i < sample; i++)
		rte_timer_reset(&timers[s->order[i]], ms * (3660000 + s->after_ms[i]), SINGLE,
				lcore, rte_fired, NULL);
	bench_add(&rearm, per(bench_ns() - start, sample));
	start = bench_ns();
	for (uint32_t i = 0; i < sample; i++)
		rte_timer_stop(&timers[s->order[i]]);
	bench_add(&cancel, per(bench_ns() - start, sample));
	bench_add(&bytes, sizeof(*timers));
	bench_print(&arm);
	bench_print(&cancel);
	bench_print(&rearm);
	bench_print(&bytes);
	rte_timer_subsystem_finalize();
	bench_release(timers, s->n * sizeof(*timers));
}

static bool eal_start(void)
{
	char program[] = "bench", memory[] = "--no-huge", pci[] = "--no-pci", core[] = "-l0",
	     quiet[] = "--log-level=error", alone[] = "--no-shconf", mib[] = "-m64",
	     telemetry[] = "--no-telemetry";
	char *argv[] = {program, memory, pci, core, quiet, alone, mib, telemetry, NULL};

	if (rte_eal_init(8, argv) < 0)
		return false;
	(void)rmdir(rte_eal_get_runtime_dir()); // EAL leaves it, and here it stays empty
	return true;
}

static void set_make(struct set *s, uint32_t n, unsigned runs)
{
	n = n < BENCH_BURST ? BENCH_BURST : n;
	s->n = n;
	s->runs = runs;
	s->order = bench_order(n, 1);
	s->after_ms = bench_memory((size_t)n * sizeof(*s->after_ms));
	for (uint32_t i = 0; i < n; i++)
		s->after_ms[i] = (uint32_t)((NEAREST + bench_mix(i) % (FARTHEST - NEAREST)) / 1000);
	s->wheel_size = wheel_footprint(n);
	s->wheel_mem = bench_memory(s->wheel_size);
}

static void set_free(struct set *s)
{
	bench_release(s->order, (size_t)s->n * sizeof(*s->order));
	bench_release(s->after_ms, (size_t)s->n * sizeof(*s->after_ms));
	bench_release(s->wheel_mem, s->wheel_size);
}

int main(int argc, char **argv)
{
	uint32_t n = (uint32_t)bench_option(argc, argv, "--n", 200000);
	uint32_t rte_n = (uint32_t)bench_option(argc, argv, "--rte-n", n < 200000 ? n : 200000);
	unsigned runs = bench_runs(argc, argv);
	struct set s;

	set_make(&s, n, runs);
	bench_operations(&s);
	bench_expiry(&s);
	bench_gaps(&s);
	bench_refresh(&s);
	bench_cascade(&s);
	set_free(&s);
	if (rte_n == 0)
		return 0;
	if (!eal_start()) {
		fprintf(stderr, "wheel_bench: DPDK did not start: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	set_make(&s, rte_n, 1);
	bench_rte_timer(&s);
	set_free(&s);
	rte_eal_cleanup();
	return 0;
}
