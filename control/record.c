// SPDX-License-Identifier: BSD-3-Clause
// The end of a call: its CDR, the trunks' counters, and what it taught; then it is forgotten.
#include "control/cdr.h"
#include "control/core.h"

static void count(struct control *c, const struct call_record *record)
{
	unsigned cause = record->cause < CAUSE_N ? record->cause : CAUSE_NONE;

	for (unsigned side = SIDE_A; side <= SIDE_B; side++) {
		struct control_trunk *trunk = core_trunk(c, record->legs[side].trunk);

		if (trunk != NULL)
			trunk->stats.causes[side][cause]++;
	}
	for (unsigned i = 0; i < 64; i++)
		c->stats.tagged[i] += record->labels >> i & 1;
}

// The answer that ended a refresh for good is control's knowledge, not the worker's.
static uint16_t why_code(const struct control *c, unsigned worker, const struct call_record *record)
{
	const struct control_leg *leg =
		core_leg(c, worker, record->call, record->gen, record->side);

	switch ((enum cause)record->cause) {
	case CAUSE_REFRESH_REJECTED:
	case CAUSE_REFRESH_DIALOG_GONE:
	case CAUSE_REFRESH_AUTH:
	case CAUSE_REFRESH_INTERVAL:
		return leg != NULL ? leg->last_code : record->why_code;
	default:
		return record->why_code;
	}
}

static void write_cdr(struct control *c, unsigned worker, const struct call_record *record)
{
	struct call_record told = *record;
	struct control_attempts attempts[2];
	struct outbuf o = outbuf_of(c->line, sizeof(c->line) - 1);
	struct cdr cdr = {.record = &told,
			  .rules = c->config->program,
			  .wall_tk = c->wall_tk,
			  .wall_us = c->wall_us};

	if (c->cb.cdr == NULL)
		return;
	told.why_code = why_code(c, worker, record);
	for (unsigned side = SIDE_A; side <= SIDE_B; side++) {
		unsigned trunk = record->legs[side].trunk;
		const struct control_leg *leg =
			core_leg(c, worker, record->call, record->gen, side);

		control_attempts(c, worker, record->call, record->gen, side, &attempts[side]);
		cdr.legs[side] = (struct cdr_leg){
			.trunk = core_trunk(c, trunk) != NULL ? core_trunk_name(c, trunk) : NULL,
			.attempts = attempts[side].list,
			.n_attempts = attempts[side].n,
			.observed =
				leg != NULL && learn_is_observed(c, leg->kept, trunk, leg->agent),
		};
	}
	cdr_put(&o, &cdr);
	if (o.full) {
		core_log(c, CONTROL_ERROR, "cdr", "too_long worker=%u call=%u", worker,
			 record->call);
		return;
	}
	c->line[o.len] = '\0';
	c->cb.cdr(c->cb.ctx, c->line);
}

void control_record(struct control *c, unsigned worker, const struct call_record *record,
		    tick_t now)
{
	c->now = now;
	c->stats.records++;
	count(c, record);
	write_cdr(c, worker, record);
	learn_record(c, record);
	for (unsigned side = SIDE_A; side <= SIDE_B; side++) {
		struct control_leg *leg = core_leg(c, worker, record->call, record->gen, side);

		if (leg != NULL)
			core_leg_free(c, leg);
	}
}
