// SPDX-License-Identifier: BSD-3-Clause
// Workers of the data plane over ports in memory (rig.h): frames with SIP messages in, all stages,
// frames out. The workers' rounds are run by this program's threads, so that only they are timed,
// by CPU time of the thread; what peers do is not. Time of the protocol is virtual: CALL_US a call.
//   pipeline_bench [--mode calls|refresh|dialog] [--held CALLS] [--count N] [--warm N]
//                  [--workers 1|2] [--soak SECONDS] [--trace NUMBER] [--once]
// calls: 7 messages in a call; refresh: a caller's UPDATE, answered here; dialog: INFO and its 200.
// What is timed is the steady state: --warm of the same came before, by default so many that their
// transactions have begun to end. Prints one JSON line. Of the stages, times are by the TSC in
// rounds that nobody interrupted. Two workers run at the same time, each on a CPU of its own; half
// of what arrives at one belongs to the other.
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_pause.h>

#include "b2bua/call.h"
#include "b2bua/tap.h"
#include "dataplane/pipeline.h"
#include "rig.h"
#include "sip/token.h"

#define CALL_US 1000 // so that what calls leave behind for 32 s fits TRANSACTIONS
// At that pace the timers of held calls would run seventy times as often, beside each call, as at
// 70,000 calls/s. There, 10 M legs that are refreshed in 900 s make 0.08 a leg of each new call: so
// one call in twelve has an interval that ends during a run, the others one that does not.
#define SE_S	     1800
#define SE_LONG_S    86400
#define SE_ONE_IN    12
#define STAGES_MAX   16
#define TRANSACTIONS 320000
#define FIRST_CPU    1 // of the first worker, as the rig's configuration says

enum mode { MODE_CALLS, MODE_REFRESH, MODE_DIALOG };

static const char *const mode_names[] = {"calls", "refresh", "dialog"};

// What a worker's rounds took.
struct tally {
	alignas(64) uint64_t busy_ns, clean_messages, clean_tsc;
	uint64_t stage_tsc[STAGES_MAX], round_tsc[STAGES_MAX];
};

static struct tally tally[RIG_WORKERS];
static uint64_t messages;

// --- stages with a clock around them

static struct link_stage timed_link[STAGES_MAX];
static struct sip_stage timed_sip[STAGES_MAX];

#define TIMED(n)                                                      \
	static void timed_link_##n(struct worker *w, struct burst *b) \
	{                                                             \
		uint64_t t = rte_rdtsc();                             \
		pipeline_verge.link[n].run(w, b);                     \
		tally[w->id].round_tsc[n] += rte_rdtsc() - t;         \
	}
#define TIMED_SIP(n)                                                     \
	static void timed_sip_##n(struct worker *w, struct sip_burst *b) \
	{                                                                \
		uint64_t t = rte_rdtsc(), *sum = tally[w->id].round_tsc; \
		pipeline_verge.sip[n].run(w, b);                         \
		sum[pipeline_verge.n_link + (n)] += rte_rdtsc() - t;     \
	}
TIMED(0)
TIMED(1)
TIMED(2)
TIMED(3)
TIMED(4)
TIMED(5)
TIMED_SIP(0)
TIMED_SIP(1)

static struct pipeline timed = {.link = timed_link, .sip = timed_sip};

static void time_stages(void)
{
	static void (*const link[])(struct worker *, struct burst *) = {
		timed_link_0, timed_link_1, timed_link_2, timed_link_3, timed_link_4, timed_link_5};
	static void (*const sip[])(struct worker *, struct sip_burst *) = {timed_sip_0,
									   timed_sip_1};

	if (pipeline_verge.n_link != RTE_DIM(link) || pipeline_verge.n_sip != RTE_DIM(sip))
		abort(); // a stage more: give it a clock above
	for (unsigned i = 0; i < RTE_DIM(link); i++)
		timed_link[i] = (struct link_stage){pipeline_verge.link[i].name, link[i]};
	for (unsigned i = 0; i < RTE_DIM(sip); i++)
		timed_sip[i] = (struct sip_stage){pipeline_verge.sip[i].name, sip[i]};
	timed.n_link = RTE_DIM(link);
	timed.n_sip = RTE_DIM(sip);
	for (unsigned i = 0; i < rig.workers; i++)
		rig_worker(i)->pipeline = &timed;
}

// --- rounds

// A worker's rounds until it has nothing to do.
#define ROUNDS_MAX 8

static void poll_worker(unsigned id)
{
	struct worker *w = rig_worker(id);
	struct tally *y = &tally[id];
	uint64_t scale = rte_get_tsc_hz() / 1000000, took, tsc, ns, received;

	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		received = w->stats->messages;
		memset(y->round_tsc, 0, sizeof(y->round_tsc));
		ns = rig_cpu_ns();
		tsc = rte_rdtsc();
		(void)worker_poll(w);
		tsc = rte_rdtsc() - tsc;
		took = rig_cpu_ns() - ns;
		if (!w->gave_work)
			return;
		y->busy_ns += took;
		if (tsc * 1000 / scale >= took + took / 8)
			continue; // somebody else ran meanwhile
		y->clean_messages += w->stats->messages - received;
		y->clean_tsc += tsc;
		for (unsigned s = 0; s < STAGES_MAX; s++)
			y->stage_tsc[s] += y->round_tsc[s];
	}
}

// The second worker's thread: a turn for each that the first one begins.
static _Atomic uint64_t turns_begun, turns_done; // W: first, second
static _Atomic bool no_more;			 // W: first

static void wait_for(const _Atomic uint64_t *turns, uint64_t n)
{
	// acquire: pairs with the release of who counts; what was done in the turn is seen.
	while (atomic_load_explicit(turns, memory_order_acquire) < n &&
	       !atomic_load_explicit(&no_more, memory_order_relaxed)) // relaxed: only ends the wait
		rte_pause();
}

static int second(void *)
{
	// relaxed: see wait_for()
	for (uint64_t turn = 1; !atomic_load_explicit(&no_more, memory_order_relaxed); turn++) {
		wait_for(&turns_begun, turn);
		rig_carry_in(1);
		poll_worker(1);
		rig_carry_out(1);
		// release: pairs with the acquire in wait_for()
		atomic_store_explicit(&turns_done, turn, memory_order_release);
	}
	return 0;
}

static void poll_all(void)
{
	static uint64_t turn;

	if (rig.workers == 2) {
		turn++;
		// release: pairs with the acquire in wait_for()
		atomic_store_explicit(&turns_begun, turn, memory_order_release);
	}
	poll_worker(0);
	if (rig.workers == 2)
		wait_for(&turns_done, turn);
}

static uint64_t timers_before; // fired before what is measured
static uint64_t copies;	       // of messages, for a trace

static void count_copies(void)
{
	static uint8_t bytes[DATAPLANE_TAP_ROOM];
	struct tap_head head;

	for (unsigned i = 0; i < rig.workers; i++)
		while (dataplane_taps(rig.dp, i, &head, bytes) != 0)
			copies += (head.taps & TAP_TRACE) != 0;
}

// A trace that workers look at each message for, as `vergectl trace start --number` makes it.
static void start_trace(const char *number)
{
	static struct tap_filter filter = {.tracing = true, .trunk = TAP_ANY_TRUNK};

	snprintf(filter.number, sizeof(filter.number), "%s", number);
	// relaxed: workers have no turn now, and no other snapshot comes
	atomic_store_explicit(&rig.dp->tap, &filter, memory_order_relaxed);
	for (unsigned i = 0; i < rig.workers; i++)
		rig_worker(i)->tap_filter = &filter;
}

// One round: at most a burst of messages on each port of each worker.
static void run_round(void)
{
	unsigned sent = 0;
	const struct peers_message *p;

	while ((p = peers_next()) != NULL && rig_waiting(rig_queue(p), p->port) < BURST) {
		sent++;
		rig_send(p);
		peers_take();
	}
	poll_all();
	messages += sent;
	for (unsigned i = 0; i < rig.workers; i++)
		rig_worker(i)->now += (tick_t)sent * CALL_US / 7 + 1;
	(void)rig_receive();
	rig_drain();
	count_copies();
}

static bool is_under_way(void)
{
	for (unsigned i = 0; i < rig.workers; i++)
		if (rig_waiting(i, 0) != 0 || rig_waiting(i, 1) != 0 ||
		    rte_ring_count(rig_worker(i)->handoff) != 0)
			return true;
	return peers_waiting() != 0;
}

#define STALL_MS 10000 // without a call that begins

// Ends the program, and says so, when nothing has begun for STALL_MS.
static void see_progress(uint64_t begun)
{
	static uint64_t seen, since_ms;
	uint64_t now = rig_wall_ms();

	if (begun != seen || since_ms == 0) {
		seen = begun;
		since_ms = now;
	} else if (now - since_ms > STALL_MS) {
		fprintf(stderr, "nothing begins any more: %u requests wait for an answer\n",
			peers_waiting());
		exit(1);
	}
}

static void run(enum mode mode, uint64_t n, uint32_t held, bool hold)
{
	static uint64_t oldest, at, begun;

	for (uint64_t i = 0; i < n || is_under_way(); see_progress(begun)) {
		for (; i < n && peers_waiting() < 2 * BURST * rig.workers; i++, begun++) {
			if (mode == MODE_CALLS || hold) {
				peers_interval(begun % SE_ONE_IN == 0 ? SE_S : SE_LONG_S);
				(void)peers_invite();
			}
			if (mode == MODE_CALLS && !hold)
				peers_bye(oldest++);
			else if (mode == MODE_REFRESH && !hold)
				peers_update(at++ * 7919 % held);
			else if (mode == MODE_DIALOG && !hold)
				peers_info(at++ * 7919 % held);
		}
		run_round();
	}
}

// --- report

static struct engine_usage usage_of_all(void)
{
	struct engine_usage all = {0};

	for (unsigned i = 0; i < rig.workers; i++) {
		struct engine_usage u;

		engine_usage(rig_worker(i)->engine, &u);
		all.calls += u.calls;
		all.transactions += u.transactions;
		all.bufs += u.bufs;
		all.text_bytes += u.text_bytes;
	}
	return all;
}

// The same traffic for so many seconds: what is held and what the system gave, at the start and at
// the end, in rounds that end with the same calls up.
static int soak(enum mode mode, uint32_t held, uint64_t seconds)
{
	uint64_t end = rig_wall_ms() + 1000 * seconds, rounds = 0, resident;
	struct engine_usage first = usage_of_all(), last;

	resident = rig_resident();
	for (; rig_wall_ms() < end; rounds++)
		run(mode, 50000, held, false);
	last = usage_of_all();
	printf("{\"bench\":\"pipeline_soak\",\"mode\":\"%s\",\"held_calls\":%u,\"rounds\":%" PRIu64
	       ",\"messages\":%" PRIu64 ",\"calls\":[%u,%u],\"transactions\":[%u,%u]"
	       ",\"buffers\":[%u,%u],\"text_kib\":[%" PRIu64 ",%" PRIu64 "]"
	       ",\"resident_kib\":[%" PRIu64 ",%" PRIu64 "]}\n",
	       mode_names[mode], held, rounds, messages, first.calls, last.calls,
	       first.transactions, last.transactions, first.bufs, last.bufs, first.text_bytes >> 10,
	       last.text_bytes >> 10, resident >> 10, rig_resident() >> 10);
	return peers_refused() == 0 && first.calls == last.calls ? 0 : 1;
}

static uint64_t timers_fired(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < rig.workers; i++)
		n += rig_worker(i)->stats->timers_fired;
	return n;
}

static struct tally tally_of_all(void)
{
	struct tally all = {0};

	for (unsigned i = 0; i < rig.workers; i++) {
		all.busy_ns += tally[i].busy_ns;
		all.clean_messages += tally[i].clean_messages;
		all.clean_tsc += tally[i].clean_tsc;
		for (unsigned s = 0; s < STAGES_MAX; s++)
			all.stage_tsc[s] += tally[i].stage_tsc[s];
	}
	return all;
}

// How even hashing spreads calls of one 5-tuple: the busiest of so many workers above the mean.
static double uneven(unsigned workers, uint32_t calls)
{
	uint32_t count[64] = {0}, most = 0;
	char id[64];

	for (uint32_t i = 0; i < calls; i++) {
		int len = snprintf(id, sizeof(id), "%u-bench@10.91.1.2", i);

		count[token_owner_hash(slice_of(id, (size_t)len)) % workers]++;
	}
	for (unsigned i = 0; i < workers; i++)
		most = count[i] > most ? count[i] : most;
	return (double)most * workers / calls - 1;
}

static void report_workers(void)
{
	uint64_t most = 0;

	printf(",\"workers\":%u,\"calls_of\":[", rig.workers);
	for (unsigned i = 0; i < rig.workers; i++) {
		struct engine_usage u;

		engine_usage(rig_worker(i)->engine, &u);
		printf("%s%u", i != 0 ? "," : "", u.calls);
		most = tally[i].busy_ns > most ? tally[i].busy_ns : most;
	}
	// all of them are done when the busiest one is
	printf("],\"messages_per_s_of_all\":%.0f,\"busiest_above_mean\":{",
	       1e9 * (double)messages / (double)most);
	for (unsigned n = 2; n <= 64; n *= 2)
		printf("%s\"%u\":%.4f", n != 2 ? "," : "", n, uneven(n, 1000000));
	printf("}");
}

static void report(enum mode mode, uint32_t held, uint64_t n, uint64_t before)
{
	double timers = (double)(timers_fired() - timers_before) / (double)n;
	struct tally all = tally_of_all();
	double ns_per_tsc = 1e9 / (double)rte_get_tsc_hz(), per = (double)all.clean_messages;
	double message_ns = (double)all.busy_ns / (double)messages, rest = (double)all.clean_tsc;
	uint64_t now = rig_resident();

	printf("{\"bench\":\"pipeline\",\"mode\":\"%s\",\"held_calls\":%u,\"count\":%" PRIu64
	       ",\"messages\":%" PRIu64 ",\"message_ns\":%.1f,\"messages_per_s\":%.0f"
	       ",\"each_us\":%.3f,\"each_per_s\":%.0f,\"each_timers\":%.2f",
	       mode_names[mode], held, n, messages, message_ns, 1e9 / message_ns,
	       (double)all.busy_ns / (double)n / 1000, 1e9 * (double)n / (double)all.busy_ns,
	       timers);
	for (unsigned i = 0; i < timed.n_link + timed.n_sip; i++) {
		printf(",\"%s_ns\":%.1f",
		       i < timed.n_link ? timed.link[i].name : timed.sip[i - timed.n_link].name,
		       (double)all.stage_tsc[i] * ns_per_tsc / per);
		rest -= (double)all.stage_tsc[i];
	}
	printf(",\"rx_timers_tx_ns\":%.1f,\"undisturbed\":%.3f", rest * ns_per_tsc / per,
	       per / (double)messages);
	printf(",\"traced\":%" PRIu64, copies);
	printf(",\"refused\":%" PRIu64 ",\"start_ms\":%" PRIu64, peers_refused(), rig.start_ms);
	report_workers();
	printf(",\"hugepages\":%s,\"resident_mib\":%" PRIu64 ",\"held_bytes_per_leg\":%.0f"
	       ",\"leg_record\":%zu,\"call_record_per_leg\":%zu,\"txn_record\":%zu}\n",
	       rig.dp->hugepages ? "true" : "false", now >> 20,
	       held != 0 ? (double)before / (2.0 * held) : 0.0, sizeof(struct leg),
	       sizeof(struct call) / 2, sizeof(struct txn));
}

// Transactions live for 32 s of virtual time. A call may be refreshed eight times at once (ST-78).
static uint64_t warm_up(enum mode mode, uint32_t held)
{
	uint64_t n = 40000000 / (CALL_US / 7);

	if (mode == MODE_CALLS)
		return n / 7;
	if (mode == MODE_DIALOG)
		return n / 2;
	return n < 3ull * held ? n : 3ull * held;
}

static void hold(uint32_t held)
{
	for (unsigned i = 0; i < PEERS_TRUNKS; i++) // one by one: neighbours have to be found
		run(MODE_CALLS, 1, held, true);
	run(MODE_CALLS, held - PEERS_TRUNKS, held, true);
}

// What a run claims has to have happened.
static int verify(uint64_t done, uint64_t n)
{
	if (peers_refused() == 0 && done >= n)
		return 0;
	fprintf(stderr, "%" PRIu64 " of %" PRIu64 " done\n", done, n);
	for (unsigned w = 0; w < rig.workers; w++)
		for (unsigned i = 0; i < VERDICT_N; i++)
			if (rig_worker(w)->verdicts[i] != 0)
				fprintf(stderr, "worker %u verdict %u: %" PRIu64 "\n", w, i,
					rig_worker(w)->verdicts[i]);
	return 1;
}

struct options {
	enum mode mode;
	uint32_t held;
	unsigned workers;
	uint64_t n, warm, soak_s;
	const char *number; // of a trace, or NULL
};

static void read_options(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--once") == 0)
			o->held = o->n = o->warm = 200;
		if (i + 1 == argc)
			continue;
		if (strcmp(argv[i], "--held") == 0)
			o->held = (uint32_t)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--count") == 0)
			o->n = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--workers") == 0)
			o->workers = argv[++i][0] == '2' ? 2 : 1;
		else if (strcmp(argv[i], "--soak") == 0)
			o->soak_s = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--trace") == 0)
			o->number = argv[++i];
		else if (strcmp(argv[i], "--warm") == 0)
			o->warm = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--mode") == 0)
			for (i++, o->mode = MODE_DIALOG; o->mode != MODE_CALLS; o->mode--)
				if (strcmp(argv[i], mode_names[o->mode]) == 0)
					break;
	}
}

static int measure(const struct options *o)
{
	uint64_t before = rig_resident(), done;

	hold(o->held);
	before = rig_resident() - before;
	run(o->mode, o->warm != UINT64_MAX ? o->warm : warm_up(o->mode, o->held), o->held, false);
	if (o->soak_s != 0)
		return soak(o->mode, o->held, o->soak_s);
	done = o->mode == MODE_CALLS ? peers_ended() : peers_answered();
	time_stages();
	if (o->number != NULL)
		start_trace(o->number);
	messages = 0;
	timers_before = timers_fired();
	memset(tally, 0, sizeof(tally));
	run(o->mode, o->n, o->held, false);
	report(o->mode, o->held, o->n, before);
	return verify((o->mode == MODE_CALLS ? peers_ended() : peers_answered()) - done, o->n);
}

int main(int argc, char **argv)
{
	char more[128];
	struct options o = {
		.mode = MODE_CALLS, .held = 10000, .workers = 1, .n = 100000, .warm = UINT64_MAX};
	struct rig_params params = {.transactions = TRANSACTIONS, .leg_text = 1024, .more = more};
	cpu_set_t own;
	int rc;

	read_options(&o, argc, argv);
	params.calls = o.held + 8192;
	params.workers = o.workers;
	snprintf(more, sizeof(more), "profiles: { default: { session_timer: { interval: %d } } }\n",
		 SE_LONG_S);
	rig_start(&params);
	peers_init(o.held + 8192);
	if (o.workers == 2) {
		rig_apart(1);
		// the second worker has control's CPU, where this thread would be in its way
		CPU_ZERO(&own);
		CPU_SET(FIRST_CPU, &own);
		if (sched_setaffinity(0, sizeof(own), &own) != 0 ||
		    rte_eal_remote_launch(second, NULL, rig_worker(1)->lcore) != 0)
			abort();
	}
	rc = measure(&o);
	atomic_store_explicit(&no_more, true, memory_order_relaxed); // relaxed: see wait_for()
	rte_eal_mp_wait_lcore();
	return rc;
}
