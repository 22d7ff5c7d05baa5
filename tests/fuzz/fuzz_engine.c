// SPDX-License-Identifier: BSD-3-Clause
// The whole engine and the control core in virtual time, driven by bytes: what the peers send
// (whole messages, mutated ones, raw bytes, copies), how much time passes, orders, memory running
// out. After each step the invariants hold; at the end, once everybody has gone silent, nothing is
// left.
#include "fuzz.h"

#include <string.h>

#include "scenario/automatic.h"
#include "scenario/conf.h"
#include "scenario/draft.h"
#include "scenario/hash.h"

#define STEPS_MAX      400
#define DIALOGS	       4
#define SENDS_PER_STEP 20000 // retransmissions of hours; far below what a loop would make
#define DRAIN	       TICK_S(400)
#define QUOTE_MAX      1200u // of a message of ours in an ICMP error

struct fuzz {
	const uint8_t *at, *end;
	struct arena arena;
	struct network net;
	struct dialog *dialog[2][DIALOGS]; // by peer; NULL = none yet
	struct text last[2];		   // what each peer sent last
	struct text sent;		   // what verge sent last
	unsigned sends;
};

static uint8_t next(struct fuzz *f)
{
	return f->at < f->end ? *f->at++ : 0;
}

static const char *next_text(struct fuzz *f)
{
	size_t len = next(f) % 48, left = (size_t)(f->end - f->at);
	char *text = arena_strndup(&f->arena, (const char *)f->at, len < left ? len : left);

	f->at += len < left ? len : left;
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\n' && c != text)
			*c = ' '; // raw messages may break lines, headers keep to theirs
	return text;
}

static void on_leaving(void *ctx, struct peer *to, const struct flow *flow, const uint8_t *bytes,
		       uint32_t len, bool lost)
{
	struct fuzz *f = ctx;

	(void)to;
	(void)lost;
	FUZZ_ASSERT(++f->sends < SENDS_PER_STEP);
	FUZZ_ASSERT(len != 0 && len <= 65535 && (flow->family == 4 || flow->family == 6));
	if (len == 4)
		FUZZ_ASSERT(memcmp(bytes, "\r\n\r\n", 4) == 0);
	else
		FUZZ_ASSERT(memmem(bytes, len, "SIP/2.0", 7) != NULL &&
			    memmem(bytes, len, "\r\n\r\n", 4) != NULL);
	f->sent.len = len < QUOTE_MAX ? len : QUOTE_MAX;
	f->sent.bytes = (const uint8_t *)arena_strndup(&f->arena, (const char *)bytes, f->sent.len);
}

static void on_arrived(void *ctx, struct peer *at, struct arrival *arrival, const char *why)
{
	struct fuzz *f = ctx;
	unsigned side = at == f->net.peer[1];

	(void)why;
	if (arrival == NULL)
		return;
	for (unsigned i = 0; i < DIALOGS && arrival->dialog->label == NULL; i++) {
		if (f->dialog[side][i] == NULL) {
			f->dialog[side][i] = arrival->dialog;
			arrival->dialog->label = "";
		}
	}
	if (!automatic_take(&f->net, at, arrival))
		peer_take(at, arrival);
}

static void on_sending(void *ctx, struct peer *from, const uint8_t *bytes, uint32_t len, bool lost)
{
	(void)ctx;
	(void)from;
	(void)bytes;
	(void)len;
	(void)lost;
}

static void on_sent(void *ctx, const struct flow *flow, const uint8_t *bytes, uint32_t len)
{
	network_sent(&((struct fuzz *)ctx)->net, flow, bytes, len);
}

static void on_cdr(void *ctx, const char *json)
{
	(void)ctx;
	FUZZ_ASSERT(json[0] == '{');
}

static tick_t on_automatic_next(void *ctx)
{
	return automatic_next(&((struct fuzz *)ctx)->net);
}

static void on_automatic_run(void *ctx, tick_t now)
{
	automatic_run(&((struct fuzz *)ctx)->net, now);
}

// Header lines by the bits of two bytes; some values are the fuzzer's own.
static void choose_lines(struct fuzz *f, struct change *change)
{
	static const char *const lines[] = {
		"Supported: timer, 100rel",
		"Allow: *",
		"Session-Expires: 90;refresher=uac",
		"Session-Expires: 1800;refresher=uas",
		"Session-Expires: 120",
		"Min-SE: 300",
		"Require: timer",
		"Require: 100rel\r\nRSeq: 1",
		"no sdp",
		"sdp dir=inactive",
		"sdp again",
		"Retry-After: 1",
		"Min-SE: 4000",
		"WWW-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\"",
	};
	const char **chosen = arena_alloc(&f->arena, sizeof(*chosen) * 20);
	unsigned bits = next(f) | (unsigned)next(f) << 8;

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (bits >> i & 1)
			chosen[change->n_details++] = lines[i];
	if (bits >> 14 & 1)
		chosen[change->n_details++] =
			arena_printf(&f->arena, "Session-Expires: %s", next_text(f));
	if (bits >> 15 & 1)
		chosen[change->n_details++] =
			arena_printf(&f->arena, "X-%s: %s", "Y", next_text(f));
	change->details = chosen;
}

static struct text make_request(struct fuzz *f, unsigned side)
{
	static const char *const methods[] = {"INVITE",	 "ACK",	     "BYE",   "CANCEL", "UPDATE",
					      "PRACK",	 "INFO",     "REFER", "NOTIFY", "OPTIONS",
					      "MESSAGE", "REGISTER", "ODD"};
	struct change change = {0};
	unsigned k = next(f);
	struct dialog **d = &f->dialog[side][k % DIALOGS];
	struct peer *p = f->net.peer[side];

	if (*d == NULL || (k & 0x80))
		*d = peer_dialog_new(&f->arena, p, "");
	k = next(f);
	choose_lines(f, &change);
	return draft_request(&f->arena, *d, methods[k % (sizeof(methods) / sizeof(methods[0]))],
			     f->net.world.now, &change);
}

static struct text make_response(struct fuzz *f, unsigned side)
{
	static const uint16_t codes[] = {100, 180, 183, 200, 202, 302, 401, 404, 407, 408,
					 420, 422, 481, 486, 487, 488, 491, 500, 503, 603};
	struct change change = {0};
	struct dialog *d = f->dialog[side][next(f) % DIALOGS];
	unsigned code = codes[next(f) % (sizeof(codes) / sizeof(codes[0]))], which = next(f);
	struct got *g = d != NULL ? peer_got(d, which & 1 ? "INVITE" : NULL) : NULL;

	if (g == NULL)
		return (struct text){0};
	change.reliable = (which & 2) != 0;
	change.tag = which & 4 ? "fork" : NULL;
	choose_lines(f, &change);
	return draft_response(&f->arena, d, g, (int)code, &change);
}

// Flip, cut, repeat: a copy of the message that is a little wrong.
static struct text mutate(struct fuzz *f, struct text text)
{
	uint8_t *copy;
	unsigned n = next(f) % 8;

	if (text.bytes == NULL)
		return text;
	copy = (uint8_t *)arena_strndup(&f->arena, (const char *)text.bytes, text.len);
	while (n-- > 0 && text.len > 1) {
		uint32_t at = (next(f) | (uint32_t)next(f) << 8) % text.len;
		uint8_t how = next(f);

		if (how < 128)
			copy[at] = next(f);
		else if (how < 160)
			text.len = at + 1;
		else
			memmove(copy + at / 2, copy + at, text.len - at);
	}
	text.bytes = copy;
	return text;
}

static void send_as(struct fuzz *f, unsigned side, struct text text)
{
	if (text.bytes == NULL || text.len == 0)
		return;
	f->last[side] = text;
	network_send(&f->net, f->net.peer[side], text.bytes, text.len, NULL);
}

static void send_raw(struct fuzz *f, unsigned side)
{
	uint32_t len = next(f), left = (uint32_t)(f->end - f->at);
	struct text text = {.bytes = f->at, .len = len < left ? len : left};

	f->at += text.len;
	send_as(f, side, text);
}

static void give_order(struct fuzz *f)
{
	struct world *w = &f->net.world;
	struct order order = {.type = next(f) % ORDER_N, .side = next(f) % 3, .call = next(f) % 20};
	struct call_view view;

	order.trunk = next(f) % 3;
	if (engine_view(w->engine[0], order.call % engine_calls_max(w->engine[0]), &view) == 0)
		order.gen = view.gen;
	if (order.type == ORDER_REFRESH) {
		order.refresh.planned_tk = w->now;
		order.refresh.method = next(f) % (REFRESH_METHOD_N + 1);
	} else if (order.type == ORDER_END_ALL) {
		return; // no call would be let in any more
	} else if (order.type == ORDER_END_CALL) {
		order.end.cause = next(f) % CAUSE_N;
		order.end.code = 408;
	} else if (order.type == ORDER_PING) {
		order.ping.peer = next(f) % 3;
	}
	engine_order(w->engine[0], &order, w->now);
	world_settle(w);
}

// An ICMP error quotes what verge sent last, whole, cut or a little wrong.
static void give_quote(struct fuzz *f)
{
	struct text quote = mutate(f, f->sent);

	if (quote.bytes != NULL)
		world_unreachable(&f->net.world, quote.bytes, quote.len);
}

static void pass_time(struct fuzz *f, unsigned kind)
{
	struct world *w = &f->net.world;
	tick_t until = w->now + (kind == 0   ? TICK_MS(next(f) * 4)
				 : kind == 1 ? TICK_S(next(f))
					     : TICK_S(next(f) * 30));
	tick_t due = world_next(w);

	if (kind == 3)
		until = due != TICK_NEVER ? due : w->now;
	f->sends = 0;
	network_run(&f->net, until);
}

static void step(struct fuzz *f)
{
	uint8_t op = next(f);
	unsigned side = op >> 7;

	switch (op % 16) {
	case 0:
	case 1:
		send_as(f, side, make_request(f, side));
		break;
	case 2:
	case 3:
		send_as(f, side, make_response(f, side));
		break;
	case 4:
		send_as(f, side, mutate(f, make_request(f, side)));
		break;
	case 5:
		send_as(f, side, mutate(f, make_response(f, side)));
		break;
	case 6:
		send_raw(f, side);
		break;
	case 7:
		send_as(f, side, f->last[side]);
		break;
	case 8:
	case 9:
	case 10:
	case 11:
		pass_time(f, op % 4);
		break;
	case 12:
		give_order(f);
		break;
	case 13:
		f->net.peer[side]->automatic = next(f);
		break;
	case 14:
		op = next(f);
		f->net.world.memory.no_bufs = op & 1;
		f->net.world.memory.no_text = (op & 6) == 2;
		break;
	default:
		op = next(f);
		f->net.peer[side]->silent = op & 1;
		if (op & 2)
			give_quote(f);
		break;
	}
	f->sends = 0;
	network_run(&f->net, f->net.world.now);
}

static void finish(struct fuzz *f)
{
	const struct order end = {.type = ORDER_END_ALL, .end = {.cause = CAUSE_SHUTDOWN}};
	struct world *w = &f->net.world;
	struct engine_usage u = {.calls = 1};

	w->memory.no_bufs = w->memory.no_text = false;
	f->net.peer[0]->silent = f->net.peer[1]->silent = true;
	f->net.peer[0]->automatic = f->net.peer[1]->automatic = 0;
	for (unsigned i = 0; i < 100 && u.calls != 0; i++) {
		engine_order(w->engine[0], &end, w->now);
		world_settle(w);
		world_usage(w, &u);
	}
	f->sends = 0;
	network_run(&f->net, w->now + DRAIN);
	FUZZ_ASSERT(world_check(w) == NULL);
	world_usage(w, &u);
	FUZZ_ASSERT(u.calls == 0 && u.transactions == 0 && u.forks == 0 && u.timers == 0);
	FUZZ_ASSERT(u.bufs == 0 && u.text_bytes == 0 && w->memory.bufs == 0 &&
		    w->memory.texts == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz f;
	const struct world_hooks hooks = {.ctx = &f, .sent = on_sent, .cdr = on_cdr};
	const struct world_params params = {.hooks = &hooks, .hash = &hash_functions, .seed = 1};
	struct conf *conf;

	memset(&f, 0, sizeof(f));
	f.at = data;
	f.end = data + size;
	f.net.arena = &f.arena;
	f.net.rng = 1;
	f.net.ctx = &f;
	f.net.leaving = on_leaving;
	f.net.arrived = on_arrived;
	f.net.sending = on_sending;
	f.net.automatic_next = on_automatic_next;
	f.net.automatic_run = on_automatic_run;
	conf = conf_new(&f.arena);
	FUZZ_ASSERT(conf_line(conf, "system.capacity.calls: 16") == 0);
	FUZZ_ASSERT(conf_line(conf, "trunks.B.credentials: { username: u, password: p }") == 0);
	FUZZ_ASSERT(world_init(&f.net.world, conf_text(conf), &params) == 0);
	FUZZ_ASSERT(network_peer(&f.net, "A", "10.91.0.2:5060", "access") != NULL);
	FUZZ_ASSERT(network_peer(&f.net, "B", "10.92.0.2:5060", "core") != NULL);
	for (unsigned i = 0; i < STEPS_MAX && f.at < f.end; i++) {
		step(&f);
		FUZZ_ASSERT(world_check(&f.net.world) == NULL);
	}
	finish(&f);
	world_free(&f.net.world);
	arena_free(&f.arena);
	return 0;
}
