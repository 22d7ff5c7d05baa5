// SPDX-License-Identifier: BSD-3-Clause
// When things happen: workers and control as if each had a CPU of its own and peers had the rest.
// One thread runs their rounds in turn; each has a clock that moves by the CPU time which its
// rounds take (rig.h), and whose clock is behind has the next turn. So delays are those of the
// code, and the host's other guests, peers' work and a shared CPU are left out; CPU time that a
// host takes unseen is not.
//   timing_bench [--calls RATE] [--workers 1-4] [--held CALLS] [--refreshes RATE]
//                [--seconds S] [--once]
// Calls begin at random instants (Poisson), RATE a second over all workers, and as many end.
// Told are delays of messages from peer to peer. With --refreshes the held calls are set up so
// that verge's refreshes (both legs of each) become due at that rate; told are how late they left
// and what they cost control: the control core, its log, its CDRs (to /dev/null) and its round over
// all calls. Prints one JSON line.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../loadgen/histogram.h"
#include "control/cdr_file.h"
#include "control/log.h"
#include "control/watch.h"
#include "rig.h"

#define SE_S	    1800
#define NS(us)	    ((uint64_t)(us)*1000)
#define IDLE_NS	    2000     // a poll in vain, at least
#define LOOK_NS	    NS(1000) // control's sleep between looks at its rings (loop.c)
#define SLOTS	    32768
#define RING_ROOM   900
#define FILL	    16	  // calls set up at once
#define FILL_RATE   10000 // a second
#define CALLS_UP    4096  // of those that begin and end, besides the held ones
#define SETTLE_NS   (2 * 1000000000ull)
#define EVENTS_MAX  4096 // of a worker, before the next one gets its turn (inbox.c)
#define RECORDS_MAX 256

// --- messages that peers have sent and that have not arrived yet, by worker and time

struct due {
	uint64_t at_ns;
	uint32_t slot;
};

static struct peers_message slots[SLOTS];
static uint32_t slots_free[SLOTS], n_free;
static struct due heaps[RIG_WORKERS][SLOTS + 1];
static uint32_t n_due[RIG_WORKERS];

static void due_put(struct due *h, uint32_t *n, struct due d)
{
	uint32_t i = ++*n;

	for (; i > 1 && h[i / 2].at_ns > d.at_ns; i /= 2)
		h[i] = h[i / 2];
	h[i] = d;
}

static struct due due_take(struct due *h, uint32_t *n)
{
	struct due first = h[1], last = h[(*n)--];
	uint32_t i = 1, child;

	for (; (child = 2 * i) <= *n; i = child) {
		child += child < *n && h[child + 1].at_ns < h[child].at_ns;
		if (h[child].at_ns >= last.at_ns)
			break;
		h[i] = h[child];
	}
	h[i] = last;
	return first;
}

static void take_from_peers(uint64_t at_ns)
{
	const struct peers_message *p;

	for (; (p = peers_next()) != NULL; peers_take()) {
		uint32_t slot;

		if (n_free == 0) {
			fprintf(stderr, "more messages under way than there is room for: lower the "
					"rates\n");
			exit(1);
		}
		slot = slots_free[--n_free];
		slots[slot] = *p;
		due_put(heaps[rig_queue(p)], &n_due[rig_queue(p)], (struct due){at_ns, slot});
	}
}

static void deliver(unsigned id, uint64_t now_ns)
{
	struct due *h = heaps[id];

	while (n_due[id] != 0 && h[1].at_ns <= now_ns &&
	       rig_waiting(id, slots[h[1].slot].port) < RING_ROOM) {
		struct due d = due_take(h, &n_due[id]);

		rig_send(&slots[d.slot]);
		slots_free[n_free++] = d.slot;
	}
}

// --- who has a clock

struct actor {
	uint64_t now_ns, busy_ns, longest_ns;
};

static struct actor actors[RIG_WORKERS], control_actor;
static double next_call_ns = (double)INFINITY, calls_per_ns;
static uint64_t first_to_end, calls_begun;
static struct hist setup_delay, in_call_delay;

static void on_delay(enum peers_kind kind, uint64_t ns)
{
	hist_add(kind == PEERS_SETUP ? &setup_delay : &in_call_delay, ns);
}

static double exponential(void)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005u + 1442695040888963407u; // Knuth, MMIX
	return -log(((double)(state >> 11) + 1) / 9007199254740993.0);
}

static void begin_calls(uint64_t now_ns)
{
	while (next_call_ns <= (double)now_ns) {
		uint64_t at = (uint64_t)next_call_ns, newest;

		peers_clock(at);
		newest = peers_invite();
		calls_begun++;
		if (newest >= first_to_end + CALLS_UP)
			peers_bye(newest - CALLS_UP);
		take_from_peers(at);
		next_call_ns += exponential() / calls_per_ns;
	}
}

static void account(struct actor *a, uint64_t took_ns)
{
	a->busy_ns += took_ns;
	a->now_ns += took_ns;
	a->longest_ns = took_ns > a->longest_ns ? took_ns : a->longest_ns;
}

static void worker_turn(unsigned id)
{
	struct actor *a = &actors[id];
	struct worker *w = rig_worker(id);
	uint64_t t;

	begin_calls(a->now_ns);
	deliver(id, a->now_ns);
	w->now = a->now_ns / 1000;
	t = rig_cpu_ns();
	(void)worker_poll(w);
	t = rig_cpu_ns() - t;
	if (!w->gave_work) {
		a->now_ns += t > IDLE_NS ? t : IDLE_NS;
		return;
	}
	account(a, t);
	peers_clock(a->now_ns);
	(void)rig_receive();
	take_from_peers(a->now_ns);
}

// --- control

static struct control *control;
static struct log *log_of_control;
static struct cdr_file *cdr;
static struct watch watch;
static struct hist late_us;
static uint64_t refreshes_ordered, refreshes_done, refreshes_failed;
static uint64_t events_ns, records_ns, watch_ns;

static void on_order(void *, unsigned worker, const struct order *order)
{
	refreshes_ordered += order->type == ORDER_REFRESH;
	dataplane_order(rig.dp, worker, order);
}

static void on_log(void *, enum control_level level, const char *area, const char *line)
{
	log_put(log_of_control, level, area, line);
}

static bool on_wants(void *, enum control_level level, const char *area)
{
	return log_wants(log_of_control, level, area);
}

static void on_cdr(void *, const char *json)
{
	cdr_file_put(cdr, json, strlen(json));
}

static int on_view(void *, unsigned worker, uint32_t call, uint32_t gen, struct call_view *view)
{
	int rc = dataplane_call(rig.dp, worker, call, view);

	return rc == 0 && view->gen != gen ? -1 : rc;
}

static void note_event(const struct event *event)
{
	if (event->type != EVENT_REFRESH_DONE)
		return;
	if (event->refresh_done.code / 100 == 2)
		refreshes_done++;
	else
		refreshes_failed++;
	hist_add(&late_us, event->refresh_done.sent_tk > event->refresh_done.planned_tk
				   ? event->refresh_done.sent_tk - event->refresh_done.planned_tk
				   : 0);
}

static void take_events(unsigned worker, tick_t now)
{
	struct event events[64];
	unsigned taken = 0, n;

	do {
		n = dataplane_events(rig.dp, worker, events, RTE_DIM(events));
		for (unsigned i = 0; i < n; i++) {
			control_event(control, worker, &events[i], now);
			note_event(&events[i]);
		}
		taken += n;
	} while (n == RTE_DIM(events) && taken < EVENTS_MAX);
}

static void take_records(unsigned worker, tick_t now)
{
	struct call_record records[4];
	unsigned taken = 0, n;

	do {
		n = dataplane_records(rig.dp, worker, records, RTE_DIM(records));
		for (unsigned i = 0; i < n; i++)
			control_record(control, worker, &records[i], now);
		taken += n;
	} while (n == RTE_DIM(records) && taken < RECORDS_MAX);
}

static uint64_t lap(uint64_t *sum, uint64_t since)
{
	uint64_t now = rig_cpu_ns();

	*sum += now - since;
	return now;
}

// As loop.c does it.
static void control_turn(void)
{
	struct actor *a = &control_actor;
	tick_t now = a->now_ns / 1000;
	uint64_t start = rig_cpu_ns(), t = start;

	for (unsigned i = 0; i < rig.workers; i++)
		take_events(i, now);
	t = lap(&events_ns, t);
	for (unsigned i = 0; i < rig.workers; i++)
		take_records(i, now);
	cdr_file_poll(cdr, now, now);
	t = lap(&records_ns, t);
	control_poll(control, now);
	dataplane_poll(rig.dp);
	t = lap(&events_ns, t);
	watch_poll(&watch, rig.dp, control, now);
	t = lap(&watch_ns, t);
	account(a, t - start);
	a->now_ns += LOOK_NS;
}

static void open_control(void)
{
	struct control_params params = {.config = rig.config,
					.callbacks = {.send_order = on_order,
						      .log = on_log,
						      .wants = on_wants,
						      .cdr = on_cdr,
						      .view = on_view},
					.live = rig.live,
					.workers = rig.workers,
					.seed = 1};

	log_of_control = log_new(NULL);
	cdr = cdr_file_new(on_log, NULL);
	control = control_new(&params, control_actor.now_ns / 1000);
	if (log_of_control == NULL || cdr == NULL || control == NULL)
		abort();
	(void)log_set_level(log_of_control, "warning");
	cdr_file_configure(cdr, &rig.config->cdr, 0);
}

// --- what happens

static void run_until(uint64_t end_ns)
{
	for (;;) {
		struct actor *a = &control_actor;
		unsigned at = rig.workers;

		for (unsigned i = 0; i < rig.workers; i++)
			if (actors[i].now_ns < a->now_ns) {
				a = &actors[i];
				at = i;
			}
		if (a->now_ns >= end_ns)
			return;
		if (at == rig.workers)
			control_turn();
		else
			worker_turn(at);
	}
}

static void set_clocks(uint64_t now_ns)
{
	for (unsigned i = 0; i < rig.workers; i++)
		actors[i].now_ns = now_ns;
	control_actor.now_ns = now_ns;
}

// Everything that is under way at this instant, however long it takes.
static void settle(uint64_t now_ns)
{
	bool work = true;

	for (unsigned turn = 0; work && turn < 1000; turn++) {
		work = false;
		set_clocks(now_ns);
		for (unsigned i = 0; i < rig.workers; i++) {
			worker_turn(i);
			work |= rig_worker(i)->gave_work || n_due[i] != 0;
		}
		// what the turn took does not count
		for (unsigned i = 0; i < rig.workers; i++)
			for (uint32_t d = 1; d <= n_due[i]; d++)
				heaps[i][d].at_ns = now_ns;
	}
	control_turn();
	set_clocks(now_ns);
}

// Set up the held calls so slowly that their transactions find room, window after window. The
// session interval of each window is shorter than the one before's, so that the refreshes of all
// fall into one window, SE_S / 2 after the first one began.
static uint64_t fill(uint64_t now_ns, uint32_t held, double window_ns)
{
	double at = (double)now_ns;

	for (uint32_t i = 0; i < held; at += 1e9 / FILL_RATE * FILL) {
		uint32_t n = i < PEERS_TRUNKS ? 1 : FILL; // neighbours have to be found
		double windows = floor((at - (double)now_ns) / window_ns);

		peers_interval((uint32_t)(SE_S - 2 * windows * window_ns / 1e9));
		peers_clock((uint64_t)at);
		for (; n != 0 && i < held; n--, i++)
			(void)peers_invite();
		take_from_peers((uint64_t)at);
		settle((uint64_t)at);
	}
	peers_interval(SE_S);
	return (uint64_t)at;
}

// Time goes by without traffic.
static void pass(uint64_t from_ns, uint64_t to_ns)
{
	for (; from_ns + NS(100000) < to_ns; from_ns += NS(100000))
		settle(from_ns);
	set_clocks(to_ns);
}

// --- report

static void put_hist(const char *name, const struct hist *h, double unit)
{
	printf(",\"%s\":{\"n\":%" PRIu64 ",\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}",
	       name, h->n, (double)hist_quantile(h, 0.5) / unit,
	       (double)hist_quantile(h, 0.99) / unit, (double)hist_quantile(h, 0.999) / unit,
	       (double)h->max / unit);
}

struct options {
	double calls, refreshes, seconds;
	uint32_t held;
	unsigned workers;
};

static void report(const struct options *o, double seconds)
{
	double refreshes = (double)(refreshes_done + refreshes_failed);
	double ns = seconds * 1e9;
	uint64_t resident = rig_resident();

	printf("{\"bench\":\"timing\",\"workers\":%u,\"held_calls\":%u,\"seconds\":%.2f"
	       ",\"calls_per_s\":%.0f,\"workers_busy\":[",
	       rig.workers, o->held, seconds, (double)calls_begun / seconds);
	for (unsigned i = 0; i < rig.workers; i++)
		printf("%s%.3f", i != 0 ? "," : "", (double)actors[i].busy_ns / ns);
	printf("],\"longest_round_us\":%.0f", (double)actors[0].longest_ns / 1000);
	put_hist("setup_delay_us", &setup_delay, 1000);
	put_hist("in_call_delay_us", &in_call_delay, 1000);
	printf(",\"control_busy\":%.3f,\"control_events\":%.3f,\"control_records\":%.3f"
	       ",\"control_watch\":%.3f",
	       (double)control_actor.busy_ns / ns, (double)events_ns / ns, (double)records_ns / ns,
	       (double)watch_ns / ns);
	if (refreshes != 0) {
		printf(",\"refreshes_per_s\":%.0f,\"failed\":%" PRIu64
		       ",\"control_us_each\":%.3f,\"control_refreshes_per_s\":%.0f",
		       refreshes / seconds, refreshes_failed, (double)events_ns / refreshes / 1000,
		       1e9 * refreshes / (double)events_ns);
		put_hist("late_ms", &late_us, 1000);
	}
	printf(",\"refused\":%" PRIu64 ",\"hugepages\":%s,\"resident_mib\":%" PRIu64
	       ",\"bytes_per_leg_in_all\":%.0f}\n",
	       peers_refused(), rig.dp->hugepages ? "true" : "false", resident >> 20,
	       (double)resident / (2.0 * o->held));
}

static void forget_what_was_before(void)
{
	memset(&setup_delay, 0, sizeof(setup_delay));
	memset(&in_call_delay, 0, sizeof(in_call_delay));
	memset(&late_us, 0, sizeof(late_us));
	events_ns = records_ns = watch_ns = 0;
	refreshes_ordered = refreshes_done = refreshes_failed = calls_begun = 0;
	control_actor.busy_ns = 0;
	for (unsigned i = 0; i < rig.workers; i++)
		actors[i].busy_ns = actors[i].longest_ns = 0;
}

static void start(const struct options *o)
{
	char more[512];
	struct rig_params params = {
		.calls = o->held + 65536, .leg_text = 1024, .workers = o->workers, .more = more};

	// A call leaves four transactions behind for 64 * T1, a refresh one for T4.
	params.transactions = (uint32_t)((o->calls > FILL_RATE ? o->calls : FILL_RATE) * 4 * 7 +
					 o->refreshes * 1.5) +
			      65536;
	snprintf(more, sizeof(more),
		 "timers: { t1: 100ms, t2: 1000ms, t4: 1000ms }\ncdr: { file: /dev/null }\n"
		 "profiles:\n  default:\n    options_ping: 0\n    session_timer: { interval: %d, "
		 "refresher: local, "
		 "jitter: 0 }\n",
		 SE_S);
	rig_start(&params);
	peers_init(o->held + 65536);
	for (n_free = 0; n_free < SLOTS; n_free++)
		slots_free[n_free] = n_free;
}

static void read_options(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--once") == 0)
			*o = (struct options){2000, 4000, 0.05, 400, o->workers};
		if (i + 1 == argc)
			continue;
		if (strcmp(argv[i], "--calls") == 0)
			o->calls = strtod(argv[++i], NULL);
		else if (strcmp(argv[i], "--refreshes") == 0)
			o->refreshes = strtod(argv[++i], NULL);
		else if (strcmp(argv[i], "--seconds") == 0)
			o->seconds = strtod(argv[++i], NULL);
		else if (strcmp(argv[i], "--held") == 0)
			o->held = (uint32_t)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--workers") == 0)
			o->workers = (unsigned)strtoul(argv[++i], NULL, 10);
	}
}

int main(int argc, char **argv)
{
	struct options o = {.seconds = 5, .held = 20000, .workers = 1};
	uint64_t now, begin;
	read_options(&o, argc, argv);
	if (o.workers == 0 || o.workers > RIG_WORKERS)
		o.workers = 1;
	start(&o);
	begin = now = rig_worker(0)->now * 1000;
	set_clocks(now);
	open_control();
	// whole seconds, so that intervals are
	now = fill(now, o.held, o.refreshes != 0 ? ceil(2 * o.held / o.refreshes) * 1e9 : 1e15);
	if (o.refreshes != 0) // the first of them becomes due
		pass(now, begin + SE_S * 500000000ull - SETTLE_NS);
	else
		pass(now, now + SETTLE_NS);
	now = actors[0].now_ns;
	peers_on_delay(on_delay);
	first_to_end = o.held;
	if (o.calls != 0) {
		calls_per_ns = o.calls / 1e9;
		next_call_ns = (double)now;
	}
	run_until(now + SETTLE_NS); // calls alone, until their end is as frequent as their begin
	forget_what_was_before();
	now += SETTLE_NS;
	run_until(now + (uint64_t)(o.seconds * 1e9));
	report(&o, o.seconds);
	if (peers_refused() == 0 && refreshes_failed == 0 &&
	    (o.refreshes == 0 || refreshes_done != 0))
		return 0;
	fprintf(stderr, "not all was answered as it should have been\n");
	return 1;
}
