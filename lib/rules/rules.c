// SPDX-License-Identifier: BSD-3-Clause
// One message and the rules of its trunk: candidates, conditions, actions, one after the other.
// Worker (or control for a test); allocates nothing, takes no lock.
#include "rules/rules.h"

#include "rules/program.h"
#include "stat/stat.h"

const struct classify_db *rules_patterns(const struct rules_program *p)
{
	return p->db;
}

struct classify_scratch *rules_scratch(const struct rules_program *p, uint32_t user)
{
	return p->users[user]->scratch;
}

uint32_t rules_users(const struct rules_program *p)
{
	return p->n_users;
}

static const struct chain *chain_of(const struct rules_program *p, uint16_t trunk,
				    enum rule_direction direction)
{
	uint16_t number;

	if (p == NULL || trunk >= p->book->n_trunks)
		return NULL;
	number = p->of_trunk[trunk][direction];
	return number != 0 ? &p->chains[number - 1] : NULL;
}

bool rules_any(const struct rules_program *p, uint16_t trunk, enum rule_direction direction)
{
	return chain_of(p, trunk, direction) != NULL;
}

// --- candidates

static void take_guard(struct run *r, uint32_t guard)
{
	const struct rules_program *p = r->p;
	const struct chain *c = r->chain;

	for (uint32_t i = p->by_guard[guard]; i < p->by_guard[guard + 1]; i++) {
		uint16_t place = c->place[p->guarded[i]];

		if (place != PROGRAM_NO_PLACE)
			r->user->candidates[place / 64] |= 1ull << place % 64;
	}
}

static bool has_head(const struct sip_msg *m, const struct rule_header *h)
{
	if (h->id == CLASSIFY_REQUEST_URI)
		return sip_msg_is_request(m);
	if (h->id != SIP_H_OTHER)
		return sip_msg_has(m, (enum sip_header)h->id);
	for (const struct sip_field *f = sip_msg_first(m, SIP_H_OTHER); f != NULL;
	     f = sip_msg_next(m, f))
		if (slice_eq_nocase(sip_msg_field_name(m, f), h->name))
			return true;
	return false;
}

static void all_candidates(struct run *r)
{
	memset(r->user->candidates, 0xff, r->chain->words * sizeof(r->user->candidates[0]));
	if (r->chain->n % 64 != 0)
		r->user->candidates[r->chain->words - 1] = (1ull << r->chain->n % 64) - 1;
}

static void find_candidates(struct run *r)
{
	const struct chain *c = r->chain;
	const struct sip_msg *m = r->facts->msg;

	if (r->class->hits_all) {
		all_candidates(r);
		return;
	}
	memcpy(r->user->candidates, c->always + (size_t)program_bucket(m) * c->words,
	       c->words * sizeof(r->user->candidates[0]));
	for (unsigned i = 0; i < r->class->n_hits; i++)
		if (r->class->hits[i] < r->p->n_atoms)
			take_guard(r, r->class->hits[i]);
	for (uint32_t h = 0; h < r->p->n_heads; h++) {
		uint32_t guard = r->p->n_atoms + h;

		if (r->p->by_guard[guard] != r->p->by_guard[guard + 1] &&
		    has_head(m, &r->p->heads[h]))
			take_guard(r, guard);
	}
}

// Rules behind `place` that look at what has just been changed.
static void add_candidates(struct run *r, uint32_t place, uint64_t heads, bool all)
{
	const struct chain *c = r->chain;

	for (uint32_t i = place + 1; i < c->n; i++)
		if (all || (r->p->code[c->rules[i]].heads & heads) != 0)
			r->user->candidates[i / 64] |= 1ull << i % 64;
}

// --- one rule

static uint64_t heads_changed(const struct run *r)
{
	const struct draft *d = &r->user->draft;
	uint64_t heads = 0;

	for (uint32_t i = 0; i < d->n; i++) {
		const struct draft_field *f = &d->field[i];
		struct rule_header h = {f->name, f->id};
		uint8_t head;

		if (f->flags == 0 && f->origin != DRAFT_NEW)
			continue;
		head = program_head(r->p, &h);
		heads |= head != PROGRAM_NO_HEAD ? 1ull << head : 0;
		// its old name is gone; that of a field of ours was told when it came
		if ((f->flags & DRAFT_NAME) == 0 || f->origin == DRAFT_NEW)
			continue;
		h.name = sip_msg_field_name(d->msg, &d->msg->field[f->origin]);
		h.id = d->msg->field[f->origin].id;
		head = program_head(r->p, &h);
		heads |= head != PROGRAM_NO_HEAD ? 1ull << head : 0;
	}
	if (d->uri_changed)
		for (uint32_t i = 0; i < r->p->n_heads; i++)
			heads |= (uint64_t)(r->p->heads[i].id == CLASSIFY_REQUEST_URI) << i;
	return heads;
}

static void save(struct draft *to, const struct draft *from)
{
	memcpy(to, from, offsetof(struct draft, field));
	memcpy(to->field, from->field, from->n * sizeof(from->field[0]));
}

static bool is_changed(const struct draft *d)
{
	if (d->uri_changed || d->status_changed)
		return true;
	for (uint32_t i = 0; i < d->n; i++)
		if (d->field[i].flags != 0 || d->field[i].origin == DRAFT_NEW)
			return true;
	return false;
}

static bool draft_same(const struct draft *a, const struct draft *b)
{
	if (a->n != b->n || a->code != b->code || !slice_eq(a->uri, b->uri) ||
	    !slice_eq(a->reason, b->reason))
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (a->field[i].flags != b->field[i].flags ||
		    a->field[i].name.p != b->field[i].name.p ||
		    a->field[i].value.p != b->field[i].value.p ||
		    a->field[i].value.len != b->field[i].value.len)
			return false;
	return true;
}

static bool result_same(const struct rules_result *a, const struct rules_result *b)
{
	return a->verdict == b->verdict && a->strip_timer == b->strip_timer &&
	       a->disarm == b->disarm && a->hide_update == b->hide_update && a->trace == b->trace &&
	       a->refresher == b->refresher && a->labels == b->labels;
}

// Its actions, all or none. Returns whether anything is different now; *why: it was refused.
static bool apply_rule(struct run *r, const struct code *code, const char **why)
{
	struct user *u = r->user;
	struct rules_result before = u->result;

	*why = NULL;
	save(&u->saved, &u->draft);
	if (u->set != code->set) // variables are a set's own
		u->variables.n = 0;
	u->set = code->set;
	variables_copy(&u->saved_variables, &u->variables);
	for (uint32_t i = 0; i < code->rule->n_actions && *why == NULL; i++)
		if (!action_do(r, code, i))
			*why = "an action cannot be done";
	if (*why == NULL)
		*why = legal_fault(r);
	if (*why != NULL) {
		save(&u->draft, &u->saved);
		variables_copy(&u->variables, &u->saved_variables);
		u->result = before;
		return false;
	}
	return !draft_same(&u->draft, &u->saved) || !result_same(&before, &u->result);
}

static void tell(struct run *r, const struct rules_watch *watch, const struct code *code,
		 const struct rules_step *seen)
{
	struct rules_step step = *seen;

	if (watch == NULL)
		return;
	step.rule = code->rule;
	step.set = &r->p->book->sets[code->set];
	step.result = &r->user->result;
	watch->step(watch->ctx, &step);
}

static void run_rule(struct run *r, uint32_t place, const struct rules_watch *watch)
{
	uint32_t number = r->chain->rules[place];
	const struct code *code = &r->p->code[number];
	struct rules_counts *counts = &code->tally->of[r->user->number].counts;
	struct rules_step step = {0};
	uint16_t status = r->user->draft.code;

	r->gave_up = 0;
	stat_add(&counts->evaluated, 1);
	step.matched = eval_rule(r, code);
	if (step.matched) {
		stat_add(&counts->matched, 1);
		step.changed = apply_rule(r, code, &step.refused);
		stat_add(&counts->changed, step.changed);
		stat_add(&counts->refused, step.refused != NULL);
	}
	stat_add(&counts->gave_up, r->gave_up);
	if (step.changed) {
		r->user->last = number;
		r->user->dirty |= heads_changed(r);
		add_candidates(r, place, r->user->dirty, status != r->user->draft.code);
	}
	tell(r, watch, code, &step);
}

// --- all of them

static void begin(struct run *r)
{
	struct user *u = r->user;

	draft_begin(&u->draft, r->facts->msg, u->text, sizeof(u->text));
	regex_scratch_reset(u->regex);
	memset(&u->result, 0, sizeof(u->result));
	u->result.code = r->facts->msg->status;
	u->variables.n = 0;
	u->dirty = 0;
	u->last = UINT32_MAX;
}

static void run_candidates(struct run *r, const struct rules_watch *watch)
{
	bool begun = false;

	for (uint32_t w = 0; w < r->chain->words; w++)
		while (r->user->candidates[w] != 0) {
			uint32_t bit = (uint32_t)__builtin_ctzll(r->user->candidates[w]);

			r->user->candidates[w] &= r->user->candidates[w] - 1;
			if (!begun)
				begin(r);
			begun = true;
			run_rule(r, w * 64 + bit, watch);
			if (r->user->result.verdict != RULES_PASS)
				return;
		}
	if (!begun)
		r->user->last = UINT32_MAX;
}

static bool finish(struct run *r, struct rules_result *result)
{
	struct user *u = r->user;

	if (u->last == UINT32_MAX)
		return false;
	u->result.changed = is_changed(&u->draft);
	if (u->result.verdict == RULES_PASS)
		u->result.code = u->draft.code;
	u->result.len = r->facts->msg->len;
	if (u->result.changed && draft_edits(&u->draft, &u->edits, &u->result.len) != 0) {
		rules_blame(r->p, u->number);
		return false; // text ran out: nothing of it, so that text and timers agree
	}
	u->result.edits = &u->edits;
	*result = u->result;
	return true;
}

bool rules_apply(struct rules_program *p, uint32_t user, const struct rules_facts *facts,
		 struct rules_result *result, const struct rules_watch *watch)
{
	struct run r = {.p = p,
			.user = p->users[user],
			.chain = chain_of(p, facts->trunk, (enum rule_direction)facts->direction),
			.facts = facts,
			.class = facts->class};

	if (r.chain == NULL)
		return false;
	if (r.class == NULL) {
		classify_rules_only(p->db, r.user->scratch, facts->msg, &r.user->class);
		r.class = &r.user->class;
	}
	find_candidates(&r);
	run_candidates(&r, watch);
	return finish(&r, result);
}

void rules_blame(struct rules_program *p, uint32_t user)
{
	struct user *u = p->users[user];

	if (u->last != UINT32_MAX)
		stat_add(&p->code[u->last].tally->of[user].counts.refused, 1);
}

// --- what control reads

uint32_t rules_count(const struct rules_program *p)
{
	return p->n_rules;
}

const struct rule *rules_at(const struct rules_program *p, uint32_t rule,
			    const struct rule_set **set)
{
	if (set != NULL)
		*set = &p->book->sets[p->code[rule].set];
	return p->code[rule].rule;
}

void rules_read(const struct rules_program *p, uint32_t rule, struct rules_counts *counts)
{
	memset(counts, 0, sizeof(*counts));
	for (uint32_t i = 0; i < p->n_users; i++) {
		const struct rules_counts *c = &p->code[rule].tally->of[i].counts;

		counts->evaluated += stat_read(&c->evaluated);
		counts->matched += stat_read(&c->matched);
		counts->changed += stat_read(&c->changed);
		counts->refused += stat_read(&c->refused);
		counts->gave_up += stat_read(&c->gave_up);
	}
}

struct slice rules_label(const struct rules_program *p, unsigned label)
{
	return label < p->n_labels ? slice_of(p->labels[label], p->label_len[label]) : SLICE_NONE;
}
