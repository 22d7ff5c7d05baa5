// SPDX-License-Identifier: BSD-3-Clause
// One case: the world set up, the steps carried out, the end looked at.
// One thread of a test program.
#include "run.h"
#include "scrape.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "draft.h"
#include "hash.h"

#define DRAIN_TICKS TICK_S(70) // 64*T1 twice and a bit: the last transaction is over
#define REPEATS_MAX 2000000
#define SECOND	    1000000.0

void run_fail(struct run *r, const char *format, ...)
{
	va_list args;
	char text[4096];

	if (r->error != NULL)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r->error = arena_strdup(&r->arena, text);
}

void run_note(struct run *r, const char *format, ...)
{
	va_list args;

	fprintf(r->ladder, "%12.3f  ", (double)(int64_t)(r->net.world.now - r->mark) / SECOND);
	va_start(args, format);
	vfprintf(r->ladder, format, args);
	va_end(args);
	fputc('\n', r->ladder);
}

// "INVITE sip:x", "200 to INVITE" with what matters about timers.
static void note_message(struct run *r, const char *name, const char *arrow, const struct wire *w,
			 const char *remark)
{
	const char *se = wire_get(w, "Session-Expires"), *min_se = wire_get(w, "Min-SE");
	char head[200];

	if (w->request)
		snprintf(head, sizeof(head), "%s %s", w->method, w->uri);
	else
		snprintf(head, sizeof(head), "%d %s to %s", w->status, w->reason, w->method);
	run_note(r, "%-4s %s %s  (CSeq %u, %s%s%s%s%s%s)%s", name, arrow, head, w->cseq, w->call_id,
		 se != NULL ? ", SE " : "", se != NULL ? se : "", min_se != NULL ? ", Min-SE " : "",
		 min_se != NULL ? min_se : "", w->body_len != 0 ? ", body" : "", remark);
}

static void on_leaving(void *ctx, struct peer *to, const struct flow *flow, const uint8_t *bytes,
		       uint32_t len, bool lost)
{
	struct run *r = ctx;
	const char *why = NULL;
	struct wire *w = wire_parse(&r->arena, bytes, len, &why);

	if (w == NULL) {
		// an empty datagram of CRLFs keeps bindings open and is no message
		if (len == 4 && memcmp(bytes, "\r\n\r\n", 4) == 0 && to != NULL) {
			run_note(r, "%-4s < CRLF CRLF", to->name);
			peer_count(to, "CRLF");
			return;
		}
		run_note(r, "verge sends %u bytes that are not SIP:\n%.*s", len, (int)len,
			 (const char *)bytes);
		run_fail(r, "verge sent something that is not SIP: %s", why);
		return;
	}
	note_message(r, to != NULL ? to->name : "?", "<", w, lost ? "  LOST" : "");
	if (to == NULL) {
		char ip[INET6_ADDRSTRLEN];

		inet_ntop(flow->family == 6 ? AF_INET6 : AF_INET, flow->peer_ip, ip, sizeof(ip));
		run_fail(r, "verge sent to %s:%u on port %u, where no peer is", ip, flow->peer_udp,
			 flow->port);
		return;
	}
	why = lint_message(&r->lint, to, flow, w, r->net.world.now);
	if (why != NULL)
		run_fail(r, "%s to %s: %s\n%.*s",
			 w->request ? w->method : arena_printf(&r->arena, "%d", w->status),
			 to->name, why, (int)len, (const char *)bytes);
}

static void on_arrived(void *ctx, struct peer *at, struct arrival *arrival, const char *why)
{
	struct run *r = ctx;

	(void)why; // on_leaving() has said it
	if (arrival == NULL)
		return;
	if (!automatic_take(&r->net, at, arrival) && arrival->again && r->allow_copies)
		peer_take(at, arrival);
}

static void on_sending(void *ctx, struct peer *from, const uint8_t *bytes, uint32_t len, bool lost)
{
	struct run *r = ctx;
	const char *why;
	struct wire *w = wire_parse(&r->arena, bytes, len, &why);

	if (w != NULL)
		note_message(r, from->name, ">", w, lost ? "  LOST" : "");
	else
		run_note(r, "%-4s > %u bytes: %.60s", from->name, len, (const char *)bytes);
}

static void on_event(void *ctx, const struct event *event)
{
	static const char *const names[] = {
#define EVENT(id, help) #id,
#include "msg/msg.def"
	};

	run_note(ctx, "     . event %s, call %u side %u", names[event->type % EVENT_N], event->call,
		 event->side);
}

static void on_order(void *ctx, const struct order *order)
{
	static const char *const names[] = {
#define ORDER(id, help) #id,
#include "msg/msg.def"
	};

	run_note(ctx, "     . order %s, call %u side %u", names[order->type % ORDER_N], order->call,
		 order->side);
}

static void on_log(void *ctx, const char *area, const char *line)
{
	run_note(ctx, "     . log %s: %s", area, line);
}

static void on_cdr(void *ctx, const char *json)
{
	struct run *r = ctx;

	run_note(r, "     . cdr %s", json);
	if (r->n_cdrs < RUN_CDRS_MAX)
		r->cdr[r->n_cdrs++] = arena_strdup(&r->arena, json);
}

static void on_sent(void *ctx, const struct flow *flow, const uint8_t *bytes, uint32_t len)
{
	struct run *r = ctx;

	network_sent(&r->net, flow, bytes, len);
}

static tick_t on_automatic_next(void *ctx)
{
	return automatic_next(&((struct run *)ctx)->net);
}

static void on_automatic_run(void *ctx, tick_t now)
{
	automatic_run(&((struct run *)ctx)->net, now);
}

// A step waits for a message at one peer; a failure stops everything.
static bool on_stop(void *ctx)
{
	struct run *r = ctx;

	if (r->error != NULL || r->net.world.error[0] != '\0')
		return true;
	if (r->wait_peer == NULL)
		return false;
	for (struct arrival *a = r->wait_peer->inbox; a != NULL; a = a->next)
		if (a->dialog->label == NULL || strcmp(a->dialog->label, r->wait_label) == 0)
			return true;
	return false;
}

void run_until(struct run *r, tick_t until)
{
	const char *why;

	network_run(&r->net, until);
	why = world_check(&r->net.world);
	if (why != NULL)
		run_fail(r, "%s", why);
}

struct peer *run_peer(struct run *r, const char *name)
{
	for (int i = 0; i < r->net.n_peers; i++)
		if (strcmp(r->net.peer[i]->name, name) == 0)
			return r->net.peer[i];
	run_fail(r, "there is no peer %s", name);
	return NULL;
}

struct peer *run_subject(struct run *r, const char *word, const char **label)
{
	const char *slash = strchr(word, '/');

	*label = slash != NULL ? arena_strdup(&r->arena, slash + 1) : "";
	return run_peer(r, slash != NULL ? arena_strndup(&r->arena, word, (size_t)(slash - word))
					 : word);
}

bool run_time(const char *text, tick_t *t)
{
	tick_t sum = 0;

	if (*text == '\0')
		return false;
	while (*text != '\0') {
		char *end;
		double value = strtod(text, &end), unit;

		if (end == text)
			return false;
		if (strncmp(end, "ms", 2) == 0) {
			unit = 1000;
			end++;
		} else if (*end == 's' || *end == 'm' || *end == 'h') {
			unit = *end == 's' ? SECOND : *end == 'm' ? 60 * SECOND : 3600 * SECOND;
		} else {
			return false;
		}
		sum += (tick_t)(value * unit + 0.5);
		text = end + 1;
	}
	*t = sum;
	return true;
}

void run_set_var(struct run *r, const char *name, const char *value)
{
	run_note(r, "     . $%s = %s", name, value);
	for (int i = 0; i < r->n_vars; i++) {
		if (strcmp(r->var[i].name, name) == 0) {
			r->var[i].value = value;
			return;
		}
	}
	if (r->n_vars == RUN_VARS_MAX) {
		run_fail(r, "too many variables");
		return;
	}
	r->var[r->n_vars].name = name;
	r->var[r->n_vars++].value = value;
}

// $NAME as saved, or $PEER[/label].callid .tag .peertag .target .cseq
static const char *lookup(struct run *r, const char *name)
{
	const char *dot = strchr(name, '.'), *label;
	struct dialog *d;
	struct peer *p;

	for (int i = 0; i < r->n_vars; i++)
		if (strcmp(r->var[i].name, name) == 0)
			return r->var[i].value;
	p = dot != NULL
		    ? run_subject(r, arena_strndup(&r->arena, name, (size_t)(dot - name)), &label)
		    : NULL;
	d = p != NULL ? peer_dialog(p, label) : NULL;
	if (d != NULL && strcmp(dot, ".callid") == 0)
		return d->call_id;
	if (d != NULL && strcmp(dot, ".tag") == 0)
		return d->tag;
	if (d != NULL && strcmp(dot, ".peertag") == 0)
		return d->peer_tag;
	if (d != NULL && strcmp(dot, ".target") == 0)
		return d->target;
	if (d != NULL && strcmp(dot, ".cseq") == 0)
		return arena_printf(&r->arena, "%u", d->cseq);
	run_fail(r, "there is no variable $%s", name);
	return "";
}

const char *run_substitute(struct run *r, const char *text)
{
	const char *dollar = strchr(text, '$');

	while (dollar != NULL) {
		size_t len =
			strspn(dollar + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "0123456789_/.");
		const char *name, *value;

		while (len != 0 && dollar[len] == '.')
			len--; // a full stop behind the name is no part of it
		name = arena_strndup(&r->arena, dollar + 1, len);
		value = lookup(r, name);
		text = arena_printf(&r->arena, "%.*s%s%s", (int)(dollar - text), text, value,
				    dollar + 1 + len);
		dollar = r->error == NULL ? strchr(text, '$') : NULL;
	}
	return text;
}

// peer: NAME ADDRESS:PORT [NETWORK-PORT]
static void add_peer(struct run *r, const char *line)
{
	const char *words[STEP_WORDS_MAX];
	int n = script_words(&r->arena, line, words);

	if (n < 2 || network_peer(&r->net, words[0], words[1],
				  n > 2		       ? words[2]
				  : words[0][0] == 'A' ? "access"
						       : "core") == NULL)
		run_fail(r, "peer: %s: not NAME ADDRESS:PORT [NETWORK-PORT]", line);
}

static void setup(struct run *r, struct script *script, uint64_t seed)
{
	const struct world_hooks hooks = {r, on_sent, on_event, on_order, on_log, on_cdr};
	const struct world_params params = {.hooks = &hooks, .hash = &hash_functions, .seed = seed};
	const char *yaml = conf_text(script->conf);

	r->script = script;
	r->ladder = open_memstream(&r->ladder_text, &r->ladder_len);
	r->lint = (struct lint){&r->arena, r->net.peer, &r->net.n_peers, 0};
	r->net.arena = &r->arena;
	r->net.rng = seed;
	r->net.ctx = r;
	r->net.leaving = on_leaving;
	r->net.arrived = on_arrived;
	r->net.sending = on_sending;
	r->net.automatic_next = on_automatic_next;
	r->net.automatic_run = on_automatic_run;
	r->net.stop = on_stop;
	if (world_init(&r->net.world, yaml, &params) != 0) {
		run_fail(r, "%s\n%s", r->net.world.error, yaml);
		return;
	}
	r->mark = r->net.world.now;
	add_peer(r, "A 10.91.0.2:5060 access");
	add_peer(r, "B 10.92.0.2:5060 core");
	for (int i = 0; i < script->n_peers; i++)
		add_peer(r, script->peers[i]);
}

static void step(struct run *r, const struct step *s)
{
	r->step = s;
	if (strchr("><", s->n_words > 1 ? s->words[1][0] : ' ') == NULL)
		run_note(r, "---- %s", s->text);
	if (!step_message(r, s) && !step_control(r, s) && !step_check(r, s) && !step_why(r, s) &&
	    !step_sample(r, s))
		run_fail(r, "there is no such step");
	scrape_note(r);
}

static void steps(struct run *r)
{
	const struct script *script = r->script;
	unsigned left[64] = {0}, total = 0;

	for (int i = 0; i < script->n_steps && r->error == NULL; i++) {
		const struct step *s = &script->steps[i];
		unsigned *rounds = &left[s->match % 64];

		if (strcmp(s->words[0], "repeat") == 0) {
			left[i % 64] = s->n_words > 1 ? (unsigned)wire_number(s->words[1]) : 1;
		} else if (strcmp(s->words[0], "done") == 0) {
			if (*rounds > 1 && total++ < REPEATS_MAX) {
				--*rounds;
				i = s->match;
			}
		} else {
			step(r, s);
		}
	}
}

// Nothing may be left: no message that no step looked at, no call, no timer, no buffer.
static void finish(struct run *r)
{
	struct engine_usage u;

	for (int i = 0; i < r->net.n_peers && r->error == NULL; i++) {
		const struct arrival *a = r->net.peer[i]->inbox;

		if (a != NULL)
			run_fail(r, "%s got a message that no step expects: %s %d to %s",
				 r->net.peer[i]->name, a->w->request ? a->w->method : "a response",
				 a->w->status, a->w->method);
	}
	if (r->error != NULL || r->leaks_wanted)
		return;
	for (int i = 0; i < r->net.n_peers; i++)
		r->net.peer[i]->silent = true;
	run_note(r, "---- end of the steps: nothing may be left");
	run_until(r, r->net.world.now + DRAIN_TICKS);
	scrape_note(r);
	world_usage(&r->net.world, &u);
	if (r->error == NULL && u.calls + u.transactions + u.forks + u.timers + u.bufs +
						r->net.world.memory.bufs +
						r->net.world.memory.texts !=
					0)
		run_fail(r,
			 "left at the end: %u calls, %u transactions, %u forks, %u timers, %u "
			 "buffer "
			 "references, %lu buffers, %lu texts",
			 u.calls, u.transactions, u.forks, u.timers, u.bufs,
			 (unsigned long)r->net.world.memory.bufs,
			 (unsigned long)r->net.world.memory.texts);
}

int run_case(struct run *r, struct script *script, uint64_t seed)
{
	memset(r, 0, sizeof(*r));
	if (script->error != NULL) {
		r->ladder = open_memstream(&r->ladder_text, &r->ladder_len);
		run_fail(r, "%s", script->error);
		return -1;
	}
	setup(r, script, seed);
	if (r->error == NULL) {
		steps(r);
		if (r->error == NULL)
			r->step = NULL;
		finish(r);
	}
	fflush(r->ladder);
	return r->error == NULL ? 0 : -1;
}

void run_free(struct run *r)
{
	if (world_config(&r->net.world) != NULL)
		world_free(&r->net.world);
	if (r->ladder != NULL)
		fclose(r->ladder);
	free(r->ladder_text);
	arena_free(&r->arena);
}
