// SPDX-License-Identifier: BSD-3-Clause
// Evidence windows: one word a call, the newest learn_of of them decide.
#include "control/trunk_facts.h"

#include <string.h>

#include "base/outbuf.h"

// A ping that failed speaks for the time that it was retransmitted and for the wait until the next.
#define OUTAGE TICK_S(64)

const char *trunk_facts_word(enum fact_id fact)
{
	static const char *const words[] = {
#define FACT(id, word, help) [FACT_##id] = word,
		FACTS(FACT)
#undef FACT
	};

	return fact < FACT_N ? words[fact] : "unknown";
}

const char *trunk_facts_help(enum fact_id fact)
{
	static const char *const helps[] = {
#define FACT(id, word, help) [FACT_##id] = help,
		FACTS(FACT)
#undef FACT
	};

	return fact < FACT_N ? helps[fact] : "";
}

const char *trunk_facts_state_word(enum fact_state state)
{
	static const char *const words[] = {
		[FACT_UNKNOWN] = "unknown",
		[FACT_SUPPORTED] = "supported",
		[FACT_PARTIAL] = "partial",
		[FACT_UNSUPPORTED] = "unsupported",
	};

	return words[state];
}

// "Never from one" holds whatever the configuration says.
static unsigned judge_n(const struct facts_judge *judge)
{
	return judge->n == 1 ? 2 : judge->n > FACT_CALLS_MAX ? FACT_CALLS_MAX : judge->n;
}

static unsigned judge_m(const struct facts_judge *judge)
{
	unsigned m = judge->m > judge_n(judge) ? judge->m : judge_n(judge);

	return m < 2 ? 2 : m > FACT_CALLS_MAX ? FACT_CALLS_MAX : m;
}

// The i-th newest entry.
static struct fact_call *entry(struct fact *fact, unsigned i)
{
	return &fact->calls[(fact->newest + FACT_CALLS_MAX - i) % FACT_CALLS_MAX];
}

static const struct fact_call *entry_read(const struct fact *fact, unsigned i)
{
	return &fact->calls[(fact->newest + FACT_CALLS_MAX - i) % FACT_CALLS_MAX];
}

static void put_evidence(const struct fact *fact, unsigned m, struct facts_change *change)
{
	struct outbuf o = outbuf_of(change->evidence, sizeof(change->evidence) - 1);

	for (unsigned i = 0; i < m; i++) {
		const struct fact_call *e = entry_read(fact, i);

		if (e->call == 0)
			continue;
		if (o.len != 0)
			outbuf_put_char(&o, ',');
		outbuf_put_str(&o, e->good ? "good:" : "bad:");
		if (e->code != 0)
			outbuf_put_u64(&o, e->code);
		else
			outbuf_put_str(&o, "silence");
	}
	change->evidence[o.len] = '\0';
}

// Count the window and conclude. What is not yet proven keeps the state that was. Of the calls that
// no sign of life has followed yet one counts: the others of the window have shown that the trunk
// was alive, and waiting for the next call would let that one be dropped.
static void conclude(struct facts_row *row, enum fact_id id, const struct facts_judge *judge,
		     tick_t now)
{
	struct fact *fact = &row->facts[id];
	unsigned n = judge_n(judge), m = judge_m(judge);
	struct facts_change change = {.fact = id, .agent = row->agent, .of = m};
	enum fact_state to = (enum fact_state)fact->state;
	bool pending = false;

	if (n == 0)
		return;
	for (unsigned i = 0; i < m; i++) {
		const struct fact_call *e = entry_read(fact, i);

		change.good += e->call != 0 && e->good;
		change.bad += e->call != 0 && !e->good && !e->pending;
		pending |= e->call != 0 && e->pending;
	}
	change.bad += pending;
	if (change.bad >= n)
		to = FACT_UNSUPPORTED;
	else if (change.good >= n)
		to = FACT_SUPPORTED;
	else if (change.good != 0 && change.bad != 0 && change.good + change.bad >= n)
		to = FACT_PARTIAL;
	if (to == fact->state)
		return;
	change.from = (enum fact_state)fact->state;
	change.to = to;
	fact->state = (uint8_t)to;
	fact->since = now;
	put_evidence(fact, m, &change);
	judge->changed(judge->ctx, &change);
}

static struct fact_call *find(struct fact *fact, uint64_t call)
{
	for (unsigned i = 0; i < FACT_CALLS_MAX; i++)
		if (fact->calls[i].call == call)
			return &fact->calls[i];
	return NULL;
}

static void row_observe(struct facts_row *row, const struct facts_judge *judge,
			const struct facts_observation *o, bool pending, tick_t now)
{
	struct fact *fact = &row->facts[o->fact];
	struct fact_call *e = find(fact, o->call);

	row->seen_tk = now;
	if (o->good)
		fact->last_good_tk = now;
	if (e != NULL && e->good)
		return;
	if (e == NULL) {
		fact->newest = (uint8_t)((fact->newest + 1) % FACT_CALLS_MAX);
		e = entry(fact, 0);
	} else if (o->good) {
		fact->bad--;
	}
	if (e->call != o->call || o->good) {
		fact->good += o->good;
		fact->bad += !o->good;
	}
	*e = (struct fact_call){o->call, now, o->code, o->good, pending};
	conclude(row, o->fact, judge, now);
}

static struct facts_row *agent_row(struct trunk_facts *f, uint64_t agent)
{
	struct facts_row *oldest = &f->agents[0];

	for (unsigned i = 0; i < FACT_AGENTS_MAX; i++) {
		if (f->agents[i].agent == agent)
			return &f->agents[i];
		if (f->agents[i].seen_tk < oldest->seen_tk)
			oldest = &f->agents[i];
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->agent = agent;
	return oldest;
}

void trunk_facts_observe(struct trunk_facts *f, const struct facts_judge *judge,
			 const struct facts_observation *o, tick_t now)
{
	bool pending = !o->good && o->code == 0 && f->life_tk <= o->since;

	if (!o->good && o->code == 0 && f->outage_tk != 0 && f->outage_tk + OUTAGE >= o->since)
		return;
	f->pending |= pending;
	row_observe(&f->all, judge, o, pending, now);
	if (o->agent != 0)
		row_observe(agent_row(f, o->agent), judge, o, pending, now);
}

static void row_life(struct facts_row *row, const struct facts_judge *judge, tick_t now)
{
	for (unsigned id = 0; id < FACT_N; id++) {
		struct fact *fact = &row->facts[id];
		bool any = false;

		for (unsigned i = 0; i < FACT_CALLS_MAX; i++) {
			any |= fact->calls[i].pending;
			fact->calls[i].pending = false;
		}
		if (any)
			conclude(row, (enum fact_id)id, judge, now);
	}
}

void trunk_facts_life(struct trunk_facts *f, const struct facts_judge *judge, tick_t now)
{
	f->life_tk = now;
	if (!f->pending)
		return;
	f->pending = false;
	row_life(&f->all, judge, now);
	for (unsigned i = 0; i < FACT_AGENTS_MAX; i++)
		if (f->agents[i].agent != 0)
			row_life(&f->agents[i], judge, now);
}

static void row_outage(struct facts_row *row)
{
	for (unsigned id = 0; id < FACT_N; id++) {
		struct fact *fact = &row->facts[id];

		for (unsigned i = 0; i < FACT_CALLS_MAX; i++) {
			fact->bad -= fact->calls[i].pending;
			if (fact->calls[i].pending)
				fact->calls[i] = (struct fact_call){0};
		}
	}
}

void trunk_facts_outage(struct trunk_facts *f, tick_t now)
{
	f->outage_tk = now;
	if (!f->pending)
		return;
	f->pending = false;
	row_outage(&f->all);
	for (unsigned i = 0; i < FACT_AGENTS_MAX; i++)
		row_outage(&f->agents[i]);
}

static const struct facts_row *find_agent(const struct trunk_facts *f, uint64_t agent)
{
	for (unsigned i = 0; i < FACT_AGENTS_MAX && agent != 0; i++)
		if (f->agents[i].agent == agent)
			return &f->agents[i];
	return NULL;
}

enum fact_state trunk_facts_agent(const struct trunk_facts *f, uint64_t agent, enum fact_id fact)
{
	const struct facts_row *row = agent != 0 ? find_agent(f, agent) : NULL;

	return row != NULL ? (enum fact_state)row->facts[fact].state : FACT_UNKNOWN;
}

enum fact_state trunk_facts_state(const struct trunk_facts *f, uint64_t agent, enum fact_id fact)
{
	enum fact_state own = trunk_facts_agent(f, agent, fact);

	return own != FACT_UNKNOWN ? own : (enum fact_state)f->all.facts[fact].state;
}

int trunk_facts_last(const struct trunk_facts *f, uint64_t agent, enum fact_id fact)
{
	const struct facts_row *row = agent != 0 ? find_agent(f, agent) : &f->all;
	const struct fact_call *e;

	if (row == NULL)
		return 0;
	e = entry_read(&row->facts[fact], 0);
	if (e->call == 0 || e->pending) // silence may yet turn out to be an outage
		return 0;
	return e->good ? 1 : -1;
}

void trunk_facts_reset(struct trunk_facts *f)
{
	uint8_t override = f->override;
	uint64_t resets = f->resets;

	memset(f, 0, sizeof(*f));
	f->override = override;
	f->resets = resets + 1;
}
