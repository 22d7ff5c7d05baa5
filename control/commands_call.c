// SPDX-License-Identifier: BSD-3-Clause
// Commands about calls: the list, one call, ending one. Thread: control.
#include <stdlib.h>

#include "base/pool.h"
#include "control/commands.h"
#include "control/why.h"
#include "session_timer/session_timer.h"

#define LIMIT_STANDARD 100
#define LIMIT_MOST     100000

static const char *state_word(const struct call_view *c)
{
	return c->answer_tk != 0 ? "answered" : c->ringing_tk != 0 ? "ringing" : "setup";
}

static const char *refresher_word(const struct msg_timer *t)
{
	return t->role == ST_ROLE_LOCAL ? "local" : t->role == ST_ROLE_REMOTE ? "remote" : "none";
}

// Seconds from now until a tick; 0 if it is past or never comes.
static uint64_t seconds_until(const struct control_view *v, tick_t at)
{
	tick_t now = v->now(v->ctx);

	return at != TICK_NEVER && at > now ? (at - now) / TICK_S(1) : 0;
}

static void put_leg_short(struct commands_job *j, const char *key, const struct leg_view *leg)
{
	struct outbuf *o = &j->out;

	jsonout_open(o, key, '{');
	jsonout_str(o, "trunk", commands_trunk_name(j->view, leg->trunk));
	jsonout_string(o, "call_id", slice_of(leg->call_id, leg->call_id_len));
	jsonout_u64(o, "se_s", leg->timer.se_s);
	jsonout_str(o, "refresher", refresher_word(&leg->timer));
	if (leg->timer.se_s != 0)
		jsonout_u64(o, "expires_in_s", seconds_until(j->view, leg->expiry_tk));
	jsonout_close(o, '}');
}

static uint64_t duration_s(const struct control_view *v, const struct call_view *c)
{
	tick_t from = c->answer_tk != 0 ? c->answer_tk : c->start_tk, now = v->now(v->ctx);

	return now > from ? (now - from) / TICK_S(1) : 0;
}

// What `calls` was asked for.
struct wanted {
	int trunk; // -1: any
	uint64_t over_s, at_risk_s;
	struct slice number; // start of the user, empty: any
	const char *state;   // NULL: any
};

// The user of the URI in From or To: after the last "<" there is, or from the start.
static struct slice user_of(struct slice text)
{
	int64_t angle = slice_find(text, '<'), colon;

	if (angle >= 0)
		text = slice_from(text, (uint32_t)angle + 1);
	colon = slice_find(text, ':');
	return colon >= 0 ? slice_from(text, (uint32_t)colon + 1) : text;
}

static bool has_number(const struct call_view *c, struct slice number)
{
	for (unsigned i = 0; i < 4; i++) {
		const struct leg_view *leg = &c->legs[i / 2];
		struct slice text = i % 2 == 0 ? slice_of(leg->local, leg->local_len)
					       : slice_of(leg->remote, leg->remote_len);

		if (slice_starts_with(user_of(text), number))
			return true;
	}
	return false;
}

static bool is_at_risk(const struct control_view *v, const struct call_view *c, uint64_t left_s)
{
	tick_t now = v->now(v->ctx), deadline;

	for (unsigned side = SIDE_A; c->answer_tk != 0 && side <= SIDE_B; side++)
		if (control_is_overdue(v->core, &c->legs[side], now, &deadline) &&
		    deadline <= now + TICK_S(left_s))
			return true;
	return false;
}

static bool is_wanted(const struct control_view *v, const struct call_view *c,
		      const struct wanted *w)
{
	if (w->trunk >= 0 && c->legs[SIDE_A].trunk != w->trunk && c->legs[SIDE_B].trunk != w->trunk)
		return false;
	if (w->state != NULL && strcmp(w->state, state_word(c)) != 0)
		return false;
	if (w->over_s != 0 && (c->answer_tk == 0 || duration_s(v, c) <= w->over_s))
		return false;
	if (w->number.len != 0 && !has_number(c, w->number))
		return false;
	return w->at_risk_s == 0 || is_at_risk(v, c, w->at_risk_s);
}

static bool read_wanted(struct commands_job *j, struct wanted *w)
{
	const char *number = commands_text(j, "number", false);

	w->over_s = commands_number(j, "over", 0, UINT32_MAX);
	w->at_risk_s = commands_number(j, "at_risk", 0, UINT32_MAX);
	w->trunk = json_object_get(j->request, "trunk") != NULL ? commands_trunk(j) : -1;
	w->number = number != NULL ? slice_of_str(number) : SLICE_NONE;
	w->state = commands_text(j, "state", false);
	if (w->state != NULL && strcmp(w->state, "setup") != 0 &&
	    strcmp(w->state, "ringing") != 0 && strcmp(w->state, "answered") != 0)
		commands_refuse(j, "state is \"%.60s\"; it must be setup, ringing or answered",
				w->state);
	return j->error[0] == 0;
}

static void put_call(struct commands_job *j, unsigned worker, const struct call_view *c)
{
	jsonout_open(&j->out, NULL, '{');
	jsonout_u64(&j->out, "worker", worker);
	jsonout_str(&j->out, "state", state_word(c));
	commands_put_time(j, "start", c->start_tk);
	jsonout_u64(&j->out, "duration_s", duration_s(j->view, c));
	jsonout_string(&j->out, "from",
		       slice_of(c->legs[SIDE_A].remote, c->legs[SIDE_A].remote_len));
	jsonout_string(&j->out, "to", slice_of(c->legs[SIDE_A].local, c->legs[SIDE_A].local_len));
	put_leg_short(j, "ingress", &c->legs[SIDE_A]);
	put_leg_short(j, "egress", &c->legs[SIDE_B]);
	jsonout_close(&j->out, '}');
}

// j->at: worker << 32 | index of the next record; j->more: calls that were found.
bool commands_run_calls(struct commands_job *j)
{
	const struct control_view *v = j->view;
	uint64_t limit = commands_number(j, "limit", LIMIT_STANDARD, LIMIT_MOST);
	unsigned worker = (unsigned)(j->at >> 32), written = 0;
	uint32_t index = (uint32_t)j->at;
	struct wanted wanted;

	if (!read_wanted(j, &wanted))
		return true;
	if (j->at == 0)
		jsonout_open(&j->out, "calls", '[');
	for (unsigned looked = 0;
	     looked < COMMANDS_STEP && written < 16 && worker < v->n_workers && j->more < limit;
	     looked++, index++) {
		struct call_view c;

		if (index >= v->calls_max(v->ctx, worker)) {
			worker++;
			index = UINT32_MAX; // 0 after ++
			continue;
		}
		if (v->call(v->ctx, worker, index, &c) != 0 || !is_wanted(v, &c, &wanted))
			continue;
		put_call(j, worker, &c);
		written++;
		j->more++;
	}
	j->at = (uint64_t)worker << 32 | index;
	if (worker < v->n_workers && j->more < limit)
		return false;
	jsonout_close(&j->out, ']');
	jsonout_bool(&j->out, "complete", worker >= v->n_workers);
	return true;
}

static void put_attempts(struct commands_job *j, unsigned worker, const struct call_view *c,
			 unsigned side)
{
	struct control_attempts attempts;
	struct outbuf *o = &j->out;

	control_attempts(j->view->core, worker, c->call, c->gen, side, &attempts);
	jsonout_u64(o, "attempts_total", attempts.total);
	jsonout_open(o, "attempts", '[');
	for (unsigned i = 0; i < attempts.n; i++) {
		const struct control_attempt *a = &attempts.list[i];

		jsonout_open(o, NULL, '{');
		commands_put_time(j, "at", a->at);
		jsonout_str(o, "method", commands_method_word(a->method));
		jsonout_u64(o, "code", a->code);
		jsonout_u64(o, "ms", a->ms);
		jsonout_close(o, '}');
	}
	jsonout_close(o, ']');
}

static void put_timer(struct commands_job *j, const struct leg_view *leg)
{
	const struct msg_timer *t = &leg->timer;
	struct outbuf *o = &j->out;

	jsonout_u64(o, "se_s", t->se_s);
	jsonout_u64(o, "min_se_s", t->min_se_s);
	jsonout_str(o, "refresher", refresher_word(t));
	jsonout_str(o, "negotiated_by", st_by_word((enum st_by)leg->negotiated_by));
	jsonout_bool(o, "peer_timer", t->peer_timer);
	jsonout_bool(o, "unasked", t->unasked);
	jsonout_bool(o, "role_flipped", t->role_flipped);
	jsonout_bool(o, "refresh_pending", leg->refresh_pending);
	commands_put_time(j, "refresh_at", t->role == ST_ROLE_LOCAL ? leg->refresh_tk : 0);
	commands_put_time(j, "expires_at", t->se_s != 0 ? leg->expiry_tk : 0);
	if (t->se_s != 0)
		jsonout_u64(o, "expires_in_s", seconds_until(j->view, leg->expiry_tk));
	commands_put_time(j, "last_refresh_ok",
			  t->se_s != 0 || leg->refreshes_sent != 0 || leg->refreshes_received != 0
				  ? leg->last_refresh_ok_tk
				  : 0);
	commands_put_time(j, "last_proof_of_life", leg->last_proof_tk);
	jsonout_u64(o, "refreshes_sent", leg->refreshes_sent);
	jsonout_u64(o, "refreshes_received", leg->refreshes_received);
	jsonout_u64(o, "refreshes_failed", leg->refreshes_failed);
	jsonout_u64(o, "holds", leg->holds);
}

bool commands_run_call(struct commands_job *j)
{
	struct outbuf *o = &j->out;
	struct call_view c;
	unsigned worker;

	if (!commands_find(j, &worker, &c))
		return true;
	jsonout_u64(o, "worker", worker);
	jsonout_u64(o, "index", c.call);
	jsonout_str(o, "state", state_word(&c));
	commands_put_time(j, "start", c.start_tk);
	commands_put_time(j, "ringing", c.ringing_tk);
	commands_put_time(j, "answer", c.answer_tk);
	jsonout_u64(o, "duration_s", duration_s(j->view, &c));
	jsonout_open(o, "legs", '[');
	for (unsigned side = SIDE_A; side <= SIDE_B; side++) {
		const struct leg_view *leg = &c.legs[side];

		jsonout_open(o, NULL, '{');
		jsonout_str(o, "leg", side == SIDE_A ? "ingress" : "egress");
		jsonout_str(o, "trunk", commands_trunk_name(j->view, leg->trunk));
		commands_put_endpoint(o, "peer", leg->flow.family, leg->flow.peer_ip,
				      leg->flow.peer_udp);
		commands_put_endpoint(o, "own", leg->flow.family, leg->flow.local_ip,
				      leg->flow.local_udp);
		jsonout_string(o, "call_id", slice_of(leg->call_id, leg->call_id_len));
		jsonout_string(o, "local", slice_of(leg->local, leg->local_len));
		jsonout_string(o, "remote", slice_of(leg->remote, leg->remote_len));
		jsonout_string(o, "target", slice_of(leg->target, leg->target_len));
		jsonout_u64(o, "local_cseq", leg->local_cseq);
		jsonout_u64(o, "remote_cseq", leg->remote_cseq);
		put_timer(j, leg);
		put_attempts(j, worker, &c, side);
		jsonout_close(o, '}');
	}
	jsonout_close(o, ']');
	return true;
}

bool commands_run_end(struct commands_job *j)
{
	struct call_view c;
	unsigned worker;

	if (!commands_find(j, &worker, &c))
		return true;
	control_end_call(j->view->core, worker, c.call, c.gen, CAUSE_ADMIN);
	jsonout_str(&j->out, "state", "ending");
	return true;
}

// Lines of text as elements of an array.
static void put_lines(struct outbuf *o, struct slice text)
{
	while (text.len != 0) {
		int64_t end = slice_find(text, '\n');
		uint32_t len = end >= 0 ? (uint32_t)end : text.len;

		jsonout_string(o, NULL, slice_trim(slice_first(text, len)));
		text = slice_from(text, len + 1);
	}
}

bool commands_run_why(struct commands_job *j)
{
	struct call_view c;
	struct why why = {.control = j->view->core, .view = &c, .now = j->view->now(j->view->ctx)};
	char *text;

	if (!commands_find(j, &why.worker, &c))
		return true;
	text = malloc(WHY_MAX_BYTES);
	if (text == NULL) {
		commands_refuse(j, "out of memory");
		return true;
	}
	jsonout_open(&j->out, "legs", '[');
	for (unsigned side = SIDE_A; side <= SIDE_B; side++) {
		struct outbuf story = outbuf_of(text, WHY_MAX_BYTES);

		why_put_leg(&story, &why, side);
		jsonout_open(&j->out, NULL, '{');
		jsonout_str(&j->out, "leg", side == SIDE_A ? "ingress" : "egress");
		jsonout_open(&j->out, "story", '[');
		put_lines(&j->out, outbuf_slice(&story));
		jsonout_close(&j->out, ']');
		jsonout_close(&j->out, '}');
	}
	jsonout_close(&j->out, ']');
	free(text);
	return true;
}
