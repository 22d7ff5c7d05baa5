// SPDX-License-Identifier: BSD-3-Clause
// Random peers around the engine and control for many virtual call-hours. What must hold:
//   a call whose peers both live and answer is never dropped;
//   a call whose peer is dead is gone by the deadline of that leg's session timer, and not before
//   there was reason to think so;
//   a call that nobody refuses is answered; of two answers one gets ACK and BYE;
//   never two INVITEs of verge in flight on a leg, CSeq rises, and all else that lint.c says;
//   nothing is left at the end.
// Usage: model [--hours N] [--seed S] [--episode E] [--trace] [--rules]   one line with the result;
// exit 1 on violations. --rules: random message rules are at work, and model_rules.c's laws hold.
// Each episode is a function of (seed, number): --seed S --episode E repeats one.
#include "model.h"

#include <getopt.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "b2bua/call.h"
#include "conf.h"
#include "hash.h"

#define EPISODE	       TICK_S(86400)
#define DRAIN	       TICK_S(140)
#define FLIGHT	       TICK_S(5)  // a 2xx and its copies on their way to a peer
#define FLIGHT_LOSSY   TICK_S(33) // the same where three of ten packets are lost
#define LAST_ACK       TICK_S(33) // a BYE that waits for an ACK which will never come
#define UNHEARD	       4	  // packets without an answer before verge may give somebody up
#define LOSS_WINDOW    TICK_S(40) // a transaction, and what followed from it
#define FORGET_AFTER   TICK_S(80)
#define VIOLATIONS_MAX 20
#define HOUR_US	       3600000000ull

// Short intervals make many messages: such episodes take less virtual time.
static const struct {
	uint32_t length_s;
	uint32_t intervals[4]; // of the profiles
} kinds[MODEL_KINDS] = {
	[MODEL_SHORT] = {3 * 3600, {90, 120, 300, 600}},
	[MODEL_MEDIUM] = {16 * 3600, {600, 1200, 1800, 1800}},
	[MODEL_LONG] = {7 * 86400, {7200, 28800, 86400, 86400}},
};

void model_fail(struct model *m, const char *format, ...)
{
	va_list args;

	if (m->error[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(m->error, sizeof(m->error), format, args);
	va_end(args);
}

struct model_call *model_call_of(struct model *m, const struct dialog *d)
{
	for (unsigned i = 0; i < MODEL_CALLS_MAX; i++)
		if (m->call[i].used && (m->call[i].side[0] == d || m->call[i].side[1] == d))
			return &m->call[i];
	return NULL;
}

unsigned model_side(const struct model *m, const struct peer *p)
{
	return p == m->net.peer[1];
}

static void trace(struct model *m, const struct peer *p, const char *arrow, const uint8_t *bytes,
		  uint32_t len, bool lost)
{
	const char *why;
	struct wire *w = m->trace != NULL ? wire_parse(&m->arena, bytes, len, &why) : NULL;
	const char *se = w != NULL ? wire_get(w, "Session-Expires") : NULL;

	if (w == NULL)
		return;
	fprintf(m->trace, "%12.3f  %s %s %d %s (CSeq %u, %s%s%s%s)%s\n",
		(double)m->net.world.now / 1e6, p->name, arrow, w->status, w->method, w->cseq,
		w->call_id, se != NULL ? ", SE " : "", se != NULL ? se : "",
		w->body_len != 0 ? ", body" : "", lost ? " LOST" : "");
}

// Enough was lost in this call just now for a transaction to have failed. It happens at 2.5 % too,
// once in a million refreshes, where an interval of 90 s leaves time for four copies only. Under
// heavy loss a 2xx may come so late that its receiver refreshes too late: then the whole interval
// counts.
static bool lost_enough(const struct model *m, const struct model_call *call)
{
	tick_t window = LOSS_WINDOW;
	unsigned n = 0;

	for (unsigned side = 0; side < 2 && m->lossy; side++)
		if (call->side[side] != NULL && TICK_S(call->side[side]->se_s) > window)
			window = TICK_S(call->side[side]->se_s);
	for (unsigned i = 0; i < MODEL_LOSSES && i < call->n_lost; i++)
		n += call->lost_at[i] + window >= m->net.world.now;
	return n >= UNHEARD;
}

static tick_t flight_of(const struct model *m)
{
	return m->lossy ? FLIGHT_LOSSY : FLIGHT;
}

// A side is dead, and verge had the means to see it: it asked in vain, or waited for a refresh
// until the deadline of what it may take for the interval.
static bool seen_dead(const struct model *m, const struct model_call *call, unsigned side)
{
	const struct dialog *d = call->side[side];
	tick_t margin;

	if (!m->dead[side] || d == NULL)
		return false;
	if (call->unheard[side] >= UNHEARD)
		return true;
	margin = d->se_s / 3 < 32 ? TICK_S(d->se_s) / 3 : TICK_S(32);
	return d->se_s != 0 && m->net.world.now + margin + flight_of(m) >= d->expiry_tk;
}

// BYE of verge to a peer: why?
static void judge_bye(struct model *m, struct peer *to, const struct wire *w)
{
	unsigned side = model_side(m, to);
	struct dialog *d = peer_dialog_of(to, w->call_id);
	struct model_call *call = d != NULL ? model_call_of(m, d) : NULL;
	const char *reason = wire_get(w, "Reason");

	if (call == NULL)
		return;
	if (model_judge_surplus(m, call, d, w))
		return;
	if (seen_dead(m, call, 0) || seen_dead(m, call, 1)) {
		m->drops_justified++;
		return;
	}
	if ((call->cancelled && !call->answered) || call->bye[side ^ 1] || lost_enough(m, call))
		return;
	model_fail(
		m,
		"a call whose peers live was ended: BYE to %s, %s, %.3f s after the answer (%s)%s",
		to->name, w->call_id, (double)(m->net.world.now - call->answered_at) / 1e6,
		reason != NULL ? reason : "no Reason",
		m->dead[0] || m->dead[1] ? ": verge could not know yet that one is dead" : "");
}

static void note_loss(struct model *m, struct peer *p, const uint8_t *bytes, uint32_t len)
{
	const char *why;
	struct wire *w = wire_parse(&m->arena, bytes, len, &why);
	struct dialog *d = w != NULL ? peer_dialog_of(p, w->call_id) : NULL;
	struct model_call *call = d != NULL ? model_call_of(m, d) : NULL;

	if (call != NULL)
		call->lost_at[call->n_lost++ % MODEL_LOSSES] = m->net.world.now;
}

static void note_unheard(struct model *m, struct peer *to, const struct wire *w)
{
	struct dialog *d = peer_dialog_of(to, w->call_id);
	struct model_call *call = d != NULL ? model_call_of(m, d) : NULL;

	if (call != NULL && m->dead[model_side(m, to)])
		call->unheard[model_side(m, to)]++;
}

static void on_leaving(void *ctx, struct peer *to, const struct flow *flow, const uint8_t *bytes,
		       uint32_t len, bool lost)
{
	struct model *m = ctx;
	const char *why;
	struct wire *w = wire_parse(&m->arena, bytes, len, &why);

	if (w == NULL || to == NULL) {
		model_fail(m, "verge sent %s: %.*s", w == NULL ? why : "to nobody", (int)len,
			   (const char *)bytes);
		return;
	}
	trace(m, to, "<", bytes, len, lost);
	if (lost)
		note_loss(m, to, bytes, len);
	note_unheard(m, to, w);
	why = m->draining ? NULL : lint_message(&m->lint, to, flow, w, m->net.world.now);
	if (why == NULL && m->rules)
		why = model_rules_judge(m, to, bytes, len, w);
	if (why != NULL)
		model_fail(m, "%s %d to %s: %s\n%.*s", w->method, w->status, to->name, why,
			   (int)len, (const char *)bytes);
	if (w->request && strcmp(w->method, "BYE") == 0)
		judge_bye(m, to, w);
}

static void on_arrived(void *ctx, struct peer *at, struct arrival *arrival, const char *why)
{
	(void)why; // on_leaving() has looked at it
	if (arrival != NULL)
		model_agent_arrived(ctx, at, arrival);
}

static void on_sending(void *ctx, struct peer *from, const uint8_t *bytes, uint32_t len, bool lost)
{
	if (lost)
		note_loss(ctx, from, bytes, len);
	trace(ctx, from, ">", bytes, len, lost);
}

static void on_sent(void *ctx, const struct flow *flow, const uint8_t *bytes, uint32_t len)
{
	network_sent(&((struct model *)ctx)->net, flow, bytes, len);
}

static void on_log(void *ctx, const char *area, const char *line)
{
	struct model *m = ctx;

	if (m->trace != NULL)
		fprintf(m->trace, "%12.3f      . %s: %s\n", (double)m->net.world.now / 1e6, area,
			line);
}

static void on_cdr(void *ctx, const char *json)
{
	on_log(ctx, "cdr", json);
}

static tick_t on_next(void *ctx)
{
	return model_agent_next(ctx);
}

static void on_run(void *ctx, tick_t now)
{
	model_agent_run(ctx, now);
}

static bool on_stop(void *ctx)
{
	const struct model *m = ctx;

	return m->error[0] != '\0' || m->net.world.error[0] != '\0';
}

static void remove_dialog(struct dialog *d)
{
	struct dialog **at = d != NULL ? &d->peer->dialogs : NULL;

	while (at != NULL && *at != NULL && *at != d)
		at = &(*at)->next;
	if (at != NULL && *at != NULL)
		*at = d->next;
}

// What verge still has of a call, as a peer names it: a state of enum call_state (0 = nothing).
static unsigned verge_has(struct model *m, const struct dialog *d)
{
	const struct world *w = &m->net.world;
	struct call_view view;

	for (unsigned i = 0; d != NULL && i < w->workers; i++) {
		uint32_t call = engine_find(w->engine[i], slice_of_str(d->call_id));

		if (call != UINT32_MAX && engine_view(w->engine[i], call, &view) == 0)
			return view.state;
	}
	return 0;
}

static void begin_calls(struct model *m)
{
	tick_t now = m->net.world.now;

	for (unsigned i = 0; i < MODEL_CALLS_MAX; i++) {
		struct model_call *call = &m->call[i];
		tick_t lasts =
			TICK_S(network_random(&m->net, 4) == 0 ? network_random(&m->net, 300)
							       : network_random(&m->net, 86400));

		if (call->used || network_random(&m->net, 4) == 0)
			continue;
		*call = (struct model_call){
			.used = true,
			.id = ++m->next_id,
			.started = now,
			.hangup_at = now + TICK_S(16) + lasts,
			.cancel_at = network_random(&m->net, 10) == 0
					     ? now + TICK_MS(network_random(&m->net, 15000))
					     : TICK_NEVER,
			.next_action = now + TICK_S(10) + TICK_S(network_random(&m->net, 600))};
		model_agent_call(m, call);
	}
}

// Give back the calls that are over on all sides; count their time.
static void end_calls(struct model *m, bool all)
{
	tick_t now = m->net.world.now;

	for (unsigned i = 0; i < MODEL_CALLS_MAX; i++) {
		struct model_call *call = &m->call[i];
		bool over =
			call->used && !verge_has(m, call->side[0]) && !verge_has(m, call->side[1]);

		if (!call->used || (!all && (!over || now < call->started + FORGET_AFTER)))
			continue;
		if (!call->ended && call->answered) {
			m->hours_us += now - call->answered_at;
			call->ended = true;
			call->started = now; // stay until the last copy of a BYE is over
			if (!all)
				continue;
		}
		remove_dialog(call->side[0]);
		remove_dialog(call->side[1]);
		call->used = false;
	}
}

// The side of a call has died at m->dies_at: the session that it agreed to last ends in time.
static void watch_dead_leg(struct model *m, struct model_call *call, unsigned side)
{
	const struct dialog *d = call->side[side];
	tick_t margin, deadline;
	unsigned state;

	if (!call->used || !call->answered || d == NULL || d->se_s == 0)
		return;
	margin = d->se_s / 3 < 32 ? TICK_S(d->se_s) / 3 : TICK_S(32);
	deadline = m->dies_at[side] + TICK_S(d->se_s) - margin + flight_of(m);
	if (m->net.world.now < deadline)
		return;
	state = verge_has(m, d);
	if (state != 0 && (state != CALL_ENDING || m->net.world.now >= deadline + LAST_ACK))
		model_fail(m, "%s is dead for longer than its %u s, and %s still stands",
			   d->peer->name, d->se_s, d->call_id);
}

static void watch_the_dead(struct model *m)
{
	tick_t now = m->net.world.now;

	for (unsigned side = 0; side < 2; side++) {
		if (!m->dead[side] && now >= m->dies_at[side]) {
			m->dead[side] = true;
			m->dies_at[side] = now; // looked at only now and then: this is the instant
			m->net.peer[side]->silent = true;
		}
		for (unsigned i = 0; m->dead[side] && i < MODEL_CALLS_MAX; i++)
			watch_dead_leg(m, &m->call[i], side);
	}
}

static const char *random_config(struct model *m)
{
	static const char *const refreshers[] = {"auto", "auto", "local", "remote", "uac", "uas"};
	static const char *const methods[] = {"auto", "auto", "auto", "invite"};
	struct conf *c = conf_new(&m->arena);

	if (network_random(&m->net, 2) == 0)
		conf_line(c, "system.workers: [1, 2, 3]");
	for (unsigned i = 0; i < 2; i++) {
		char p = "ab"[i];

		conf_line(c, arena_printf(&m->arena, "profiles.%c.session_timer.interval: %u", p,
					  kinds[m->kind].intervals[network_random(&m->net, 4)]));
		conf_line(c, arena_printf(&m->arena, "profiles.%c.session_timer.refresher: %s", p,
					  refreshers[network_random(&m->net, 6)]));
		conf_line(c, arena_printf(&m->arena, "profiles.%c.session_timer.method: %s", p,
					  methods[network_random(&m->net, 4)]));
		conf_line(c, arena_printf(&m->arena, "profiles.%c.session_timer.jitter: 0.0%u", p,
					  (unsigned)network_random(&m->net, 6)));
		conf_line(c, arena_printf(&m->arena,
					  "trunks.%c.credentials: { username: u, password: p }",
					  "AB"[i]));
	}
	if (m->rules)
		model_rules_choose(m, c);
	return conf_text(c);
}

static void setup(struct model *m, uint64_t seed)
{
	static const enum model_kind shares[] = {MODEL_SHORT, MODEL_MEDIUM, MODEL_MEDIUM,
						 MODEL_LONG,  MODEL_LONG,   MODEL_LONG};
	const struct world_hooks hooks = {m, on_sent, NULL, NULL, on_log, on_cdr};
	const struct world_params params = {.hooks = &hooks, .hash = &hash_functions, .seed = seed};

	m->net.arena = &m->arena;
	m->net.rng = seed;
	m->kind = shares[network_random(&m->net, 6)];
	m->net.ctx = m;
	m->net.leaving = on_leaving;
	m->net.arrived = on_arrived;
	m->net.sending = on_sending;
	m->net.automatic_next = on_next;
	m->net.automatic_run = on_run;
	m->net.stop = on_stop;
	m->lint = (struct lint){&m->arena, m->net.peer, &m->net.n_peers, LINT_INTERVAL};
	if (m->rules)
		m->lint.allowed |= LINT_TIMER_TAG | LINT_UPDATE | LINT_EDITED;
	if (world_init(&m->net.world, random_config(m), &params) != 0) {
		model_fail(m, "%s", m->net.world.error);
		return;
	}
	network_peer(&m->net, "A", "10.91.0.2:5060", "access");
	network_peer(&m->net, "B", "10.92.0.2:5060", "core");
	m->lossy = network_random(&m->net, 10) == 0;
	for (unsigned i = 0; i < 2; i++) {
		struct peer *p = m->net.peer[i];

		model_agent_choose(m, &m->traits[i]);
		p->automatic = AUTO_TRANSPORT;
		p->lose_pm = m->lossy ? 300 : network_random(&m->net, 3) == 0 ? 25 : 0;
		p->copy_pm = network_random(&m->net, 3) == 0 ? 100 : 0;
		p->delay_min = TICK_MS(network_random(&m->net, 40));
		p->delay_max = p->delay_min + TICK_MS(network_random(&m->net, 200));
		m->dies_at[i] =
			network_random(&m->net, 5) == 0
				? m->net.world.now +
					  TICK_S(network_random(&m->net, kinds[m->kind].length_s))
				: TICK_NEVER;
	}
}

static void look_for_leaks(struct model *m)
{
	const struct order end = {.type = ORDER_END_ALL, .end = {.cause = CAUSE_SHUTDOWN}};
	struct world *w = &m->net.world;
	struct engine_usage u = {.calls = 1};

	m->dead[0] = m->dead[1] = m->draining = true;
	m->net.peer[0]->silent = m->net.peer[1]->silent = true;
	for (unsigned i = 0; i < 100 && u.calls != 0; i++) {
		for (unsigned k = 0; k < w->workers; k++)
			engine_order(w->engine[k], &end, w->now);
		world_settle(w);
		world_usage(w, &u);
	}
	network_run(&m->net, w->now + DRAIN);
	world_usage(w, &u);
	if (u.calls + u.transactions + u.forks + u.timers + u.bufs + w->memory.bufs +
		    w->memory.texts !=
	    0)
		model_fail(m,
			   "left at the end: %u calls, %u transactions, %u forks, %u timers, %u "
			   "buffer "
			   "references, %lu texts",
			   u.calls, u.transactions, u.forks, u.timers, u.bufs,
			   (unsigned long)w->memory.texts);
}

static void episode(struct model *m, uint64_t seed)
{
	struct world *w = &m->net.world;
	tick_t end;

	setup(m, seed);
	if (m->error[0] != '\0')
		return;
	end = w->now + TICK_S(kinds[m->kind].length_s);
	while (w->now < end && !on_stop(m)) {
		if (!m->dead[0] && !m->dead[1])
			begin_calls(m);
		network_run(&m->net,
			    w->now + TICK_S(30 +
					    network_random(&m->net, kinds[m->kind].length_s / 60)));
		watch_the_dead(m);
		end_calls(m, false);
		if (world_check(w) != NULL)
			model_fail(m, "%s", w->error);
	}
	end_calls(m, true);
	if (m->error[0] == '\0')
		look_for_leaks(m);
	if (m->error[0] == '\0' && world_check(w) != NULL)
		model_fail(m, "%s", w->error);
}

struct totals {
	uint64_t hours, seed, episode; // wanted
	bool one, trace, rules;
	uint64_t hours_us, calls, refreshes, ended, episodes, violations;
};

static void run_episode(struct totals *t, uint64_t number)
{
	static struct model m;

	memset(&m, 0, sizeof(m));
	m.trace = t->trace ? stdout : NULL;
	m.rules = t->rules;
	episode(&m, t->seed * 1000003 + number);
	t->hours_us += m.hours_us;
	t->calls += m.calls;
	t->refreshes += m.refreshes;
	t->ended += m.drops_justified;
	t->episodes++;
	if (m.error[0] != '\0') {
		t->violations++;
		printf("violation:%s --seed %lu --episode %lu: %s\n", t->rules ? " --rules" : "",
		       (unsigned long)t->seed, (unsigned long)number, m.error);
		fflush(stdout);
	}
	if (world_config(&m.net.world) != NULL)
		world_free(&m.net.world);
	arena_free(&m.arena);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"hours", 1, NULL, 'h'},   {"seed", 1, NULL, 's'},
						{"episode", 1, NULL, 'e'}, {"trace", 0, NULL, 't'},
						{"rules", 0, NULL, 'r'},   {0}};
	struct totals t = {.hours = 10000, .seed = 1};
	struct timespec from, to;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			t.hours = strtoull(optarg, NULL, 0);
		else if (option == 's')
			t.seed = strtoull(optarg, NULL, 0);
		else if (option == 'e') {
			t.episode = strtoull(optarg, NULL, 0);
			t.one = true;
		} else if (option == 't')
			t.trace = true;
		else if (option == 'r')
			t.rules = true;
		else
			return 2;
	}
	// an episode's memory serves the next one
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mallopt(M_MMAP_THRESHOLD, 1 << 28);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (uint64_t i = t.episode; i == t.episode || (!t.one && t.hours_us / HOUR_US < t.hours);
	     i++) {
		run_episode(&t, i);
		if (t.violations >= VIOLATIONS_MAX)
			break;
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%lu call-hours, %lu calls, %lu refreshes answered, %lu ended with a dead peer, %lu "
	       "episodes, %lu violations, %ld s\n",
	       (unsigned long)(t.hours_us / HOUR_US), (unsigned long)t.calls,
	       (unsigned long)t.refreshes, (unsigned long)t.ended, (unsigned long)t.episodes,
	       (unsigned long)t.violations, (long)(to.tv_sec - from.tv_sec));
	return t.violations != 0;
}
