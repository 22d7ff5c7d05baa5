// SPDX-License-Identifier: BSD-3-Clause
// What a call costs in the engine: real messages through index, classification and call logic in
// bursts of 32, no packets. Full calls (INVITE, 100, 180, 200, ACK, BYE, 200: 7 messages in) with
// --held calls up all the while. Prints one JSON line: ns per message of each stage and per call.
// The peers' own work is not timed.
//   bench_engine [--held N] [--calls N] [--once]
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "b2bua/engine.h"
#include "config/config_load.h"

#define BURST	  32
#define BUF_BYTES 2048
#define USERS	  40

enum stage { STAGE_INDEX, STAGE_CLASSIFY, STAGE_PREFETCH, STAGE_CALL, STAGE_TIMERS, STAGE_N };

static const char *const stage_names[] = {"index", "classify", "prefetch", "call", "timers"};

static const char config_text[] = "ports:\n"
				  "  access: { device: net_null0, addresses: [10.91.0.1/16] }\n"
				  "  core: { device: net_null1, addresses: [10.92.0.1/16] }\n"
				  "trunks:\n"
				  "  a: { port: access, peers: [10.91.1.2:5060] }\n"
				  "  b: { port: core, peers: [10.92.1.2:5060] }\n"
				  "routes:\n"
				  "  - { from: a, to: [b] }\n";

static const char sdp[] =
	"v=0\r\no=- 20518 0 IN IP4 10.91.1.2\r\ns=-\r\nc=IN IP4 10.91.1.2\r\nt=0 0\r\n"
	"m=audio 49170 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
	"a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n"
	"a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

// --- memory for the engine

struct buf {
	struct sip_buf b;
	struct buf *next;
	uint8_t bytes[BUF_BYTES];
};

static struct buf *buf_free_list;
static uint64_t stage_ns[STAGE_N], messages, calls_done;
static struct engine *engine;
static tick_t now = 1000000;

static struct sip_buf *bench_buf_get(void *, uint32_t size)
{
	struct buf *b = buf_free_list;

	if (size > BUF_BYTES)
		abort();
	if (b != NULL)
		buf_free_list = b->next;
	else
		b = malloc(sizeof(*b));
	if (b == NULL)
		abort();
	b->b = (struct sip_buf){.data = b->bytes, .cap = BUF_BYTES, .refs = 1};
	return &b->b;
}

static void bench_buf_put(void *, struct sip_buf *sb)
{
	struct buf *b = (struct buf *)(void *)sb;

	b->next = buf_free_list;
	buf_free_list = b;
}

static void *bench_text_alloc(void *, uint32_t size)
{
	return malloc(size);
}

static void bench_text_retire(void *, void *text, uint32_t)
{
	free(text);
}

static uint64_t bench_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); // what others take of a shared CPU is not ours
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// --- the peers

static struct rx burst[BURST];
static unsigned n_burst;
static struct classify_db *db;
static struct classify_scratch *scratch;

#define QUEUE 4096

struct pending {
	uint8_t port;
	uint32_t len;
	char text[BUF_BYTES];
};

static struct pending *queue; // messages of peers that are under way, a ring
static uint64_t queue_head, queue_tail;

static struct pending *queue_new(uint8_t port)
{
	struct pending *p = &queue[queue_tail++ % QUEUE];

	if (queue_tail - queue_head > QUEUE)
		abort();
	p->port = port;
	return p;
}

// The value of a header line in a message of verge, with its CRLF.
static struct slice line_of(const struct sip_buf *b, const char *name)
{
	const char *at = memmem(b->data, b->len, name, strlen(name));
	const char *end =
		at != NULL ? memchr(at, '\n', (size_t)((const char *)b->data + b->len - at)) : NULL;

	if (at == NULL || end == NULL)
		abort();
	return slice_of(at, (size_t)(end + 1 - at));
}

static void answer(const struct sip_buf *request, const char *status, const char *extra,
		   const char *body)
{
	struct pending *p = queue_new(1);
	struct slice to = line_of(request, "To: ");
	bool tagged = memmem(to.p, to.len, ";tag=", 5) != NULL;

	p->len = (uint32_t)snprintf(
		p->text, sizeof(p->text),
		"SIP/2.0 %s\r\n%.*s%.*s%.*s%s%.*s%.*s%sContent-Length: %zu\r\n\r\n%s", status,
		SLICE_ARG(line_of(request, "Via: ")), SLICE_ARG(line_of(request, "From: ")),
		(int)(to.len - 2), (const char *)to.p,
		tagged || status[0] == '1' ? (status[1] == '0' ? "\r\n" : ";tag=callee\r\n")
					   : ";tag=callee\r\n",
		SLICE_ARG(line_of(request, "Call-ID: ")), SLICE_ARG(line_of(request, "CSeq: ")),
		extra, strlen(body), body);
	if (tagged) { // no second tag
		char *second = memmem(p->text, p->len, ";tag=callee", 11);

		if (second != NULL) {
			memmove(second, second + 11, (size_t)(p->text + p->len - second - 11));
			p->len -= 11;
		}
	}
}

static char (*tags)[32]; // To tag of each held call
static uint64_t next_call, oldest_call;
static uint32_t held_max;

static void request(const char *method, uint64_t call, unsigned cseq, const char *tag,
		    const char *extra, const char *body)
{
	struct pending *p = queue_new(0);

	p->len = (uint32_t)snprintf(
		p->text, sizeof(p->text),
		"%s sip:+1555%07u@10.91.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
		"10.91.1.2:5060;branch=z9hG4bK%s%lu\r\n"
		"Max-Forwards: 70\r\nFrom: \"user %u\" <sip:user%u@10.91.1.2>;tag=caller%lu\r\n"
		"To: <sip:+1555%07u@10.91.0.1>%s%s\r\nCall-ID: %lu-bench@10.91.1.2\r\nCSeq: %u "
		"%s\r\n"
		"%sContent-Length: %zu\r\n\r\n%s",
		method, (unsigned)(call % USERS), method, (unsigned long)call,
		(unsigned)(call % USERS), (unsigned)(call % USERS), (unsigned long)call,
		(unsigned)(call % USERS), tag[0] != '\0' ? ";tag=" : "", tag, (unsigned long)call,
		cseq, method, extra, strlen(body), body);
}

static void begin_call(void)
{
	request("INVITE", next_call++, 1, "",
		"Contact: <sip:user@10.91.1.2:5060>\r\nAllow: INVITE, ACK, BYE, CANCEL, "
		"UPDATE\r\nSupported: timer\r\n"
		"Session-Expires: 1800\r\nUser-Agent: bench\r\nContent-Type: application/sdp\r\n",
		sdp);
}

static const char bye_extra[] = "";

// What the peers do about a message of verge.
static void react(const struct send *s)
{
	const struct sip_buf *b = s->buf;
	const char *text = (const char *)b->data;

	if (s->flow.peer_ip[1] == 92) { // callee
		if (memcmp(text, "INVITE", 6) == 0) {
			answer(b, "100 Trying", "", "");
			answer(b, "180 Ringing", "Contact: <sip:callee@10.92.1.2:5060>\r\n", "");
			answer(b, "200 OK",
			       "Contact: <sip:callee@10.92.1.2:5060>\r\nSupported: "
			       "timer\r\nRequire: timer\r\n"
			       "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\nSession-Expires: "
			       "1800;refresher=uac\r\n"
			       "Content-Type: application/sdp\r\n",
			       sdp);
		} else if (memcmp(text, "BYE", 3) == 0) {
			answer(b, "200 OK", "", "");
			calls_done++;
		}
		return;
	}
	if (memcmp(text, "SIP/2.0 200", 11) == 0 &&
	    memmem(text, b->len, " INVITE\r\n", 9) != NULL) {
		struct slice to = line_of(b, "To: ");
		const char *tag = memmem(to.p, to.len, ";tag=", 5);
		uint64_t call = strtoull((const char *)line_of(b, "Call-ID: ").p + 9, NULL, 10);

		snprintf(tags[call % held_max], 32, "%.28s", tag + 5);
		request("ACK", call, 1, tags[call % held_max], "", "");
	}
}

// --- the worker's part

static void drain(void)
{
	struct outbox *o = engine_outbox(engine);

	for (uint32_t i = 0; i < o->n_sends; i++) {
		react(&o->sends[i]);
		if (--o->sends[i].buf->refs == 0)
			bench_buf_put(NULL, o->sends[i].buf);
	}
	o->n_sends = o->n_events = o->n_records = 0;
}

static void receive(void)
{
	for (n_burst = 0; n_burst < BURST && queue_head != queue_tail; n_burst++) {
		const struct pending *p = &queue[queue_head++ % QUEUE];
		struct rx *rx = &burst[n_burst];
		static const uint8_t ip[2][2][4] = {{{10, 91, 0, 1}, {10, 91, 1, 2}},
						    {{10, 92, 0, 1}, {10, 92, 1, 2}}};

		rx->buf = bench_buf_get(NULL, p->len);
		memcpy(rx->buf->data, p->text, p->len);
		rx->buf->len = p->len;
		rx->flow = (struct flow){
			.port = p->port, .family = 4, .local_udp = 5060, .peer_udp = 5060};
		memcpy(rx->flow.local_ip, ip[p->port][0], 4);
		memcpy(rx->flow.peer_ip, ip[p->port][1], 4);
	}
}

static uint64_t lap(enum stage stage, uint64_t since)
{
	uint64_t at = bench_ns();

	stage_ns[stage] += at - since;
	return at;
}

static void run_burst(void)
{
	uint64_t t = bench_ns();
	unsigned done;

	for (unsigned i = 0; i < n_burst; i++)
		if (sip_msg_parse(&burst[i].msg, slice_of(burst[i].buf->data, burst[i].buf->len)) !=
		    0)
			abort();
	t = lap(STAGE_INDEX, t);
	for (unsigned i = 0; i < n_burst; i++)
		classify_message(db, scratch, &burst[i].msg, &burst[i].class);
	t = lap(STAGE_CLASSIFY, t);
	for (unsigned i = 0; i < n_burst; i++)
		engine_prefetch_record(engine, &burst[i]);
	for (unsigned i = 0; i < n_burst; i++)
		engine_prefetch_text(engine, &burst[i]);
	for (unsigned i = 0; i < n_burst; i++)
		engine_prefetch_rest(engine, &burst[i]);
	t = lap(STAGE_PREFETCH, t);
	for (unsigned i = 0; i < n_burst; i++) {
		(void)engine_message(engine, &burst[i], now);
		if (--burst[i].buf->refs == 0)
			bench_buf_put(NULL, burst[i].buf);
		if (engine_outbox_full(engine)) {
			t = lap(STAGE_CALL, t);
			drain();
			t = bench_ns();
		}
	}
	t = lap(STAGE_CALL, t);
	drain();
	do {
		t = bench_ns();
		done = engine_expire(engine, now, 64);
		lap(STAGE_TIMERS, t);
		drain();
	} while (done == 64);
	messages += n_burst;
}

static void run_calls(uint64_t n, bool hold)
{
	uint64_t end = next_call + n;

	while (next_call < end || queue_head != queue_tail) {
		while (next_call < end && queue_tail - queue_head < BURST) {
			begin_call();
			if (!hold) {
				request("BYE", oldest_call, 2, tags[oldest_call % held_max],
					bye_extra, "");
				oldest_call++;
			}
		}
		receive();
		run_burst();
		now += 200 * (tick_t)n_burst /
		       7; // 5,000 messages a millisecond of virtual time would outrun timers
	}
}

static void *huge(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	(void)madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

static void prepare(uint32_t held)
{
	static const struct engine_ops ops = {bench_buf_get, bench_buf_put, bench_text_alloc,
					      bench_text_retire, NULL};
	struct engine_params params = {
		.calls = held + 4096, .transactions = 1u << 20, .key = {1, 2}, .ops = &ops};
	static struct config_errors errors;
	struct config *config;

	if (config_load_text(&config, slice_of_str(config_text), "bench", NULL, NULL, &errors) != 0)
		abort();
	if (classify_db_compile(&db, NULL, NULL) != 0 || classify_scratch_make(&scratch, db) != 0)
		abort();
	params.live = huge(sizeof(struct trunk_live) * CONFIG_MAX_TRUNKS);
	params.trunk_stats = huge(sizeof(struct trunk_stats) * CONFIG_MAX_TRUNKS);
	params.stats = huge(sizeof(struct worker_stats));
	engine = engine_init(huge(engine_footprint(&params)), &params, now);
	engine_configure(engine, config);
	held_max = held + 4096;
	tags = huge((size_t)held_max * sizeof(*tags));
	queue = huge(QUEUE * sizeof(*queue));
}

int main(int argc, char **argv)
{
	uint32_t held = 10000;
	uint64_t calls = 200000, total = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--held") == 0 && i + 1 < argc)
			held = (uint32_t)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--calls") == 0 && i + 1 < argc)
			calls = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--once") == 0)
			held = calls = 100;
	}
	prepare(held);
	run_calls(held, true);
	memset(stage_ns, 0, sizeof(stage_ns));
	messages = calls_done = 0;
	run_calls(calls, false);
	printf("{\"bench\":\"engine_call\",\"held\":%u,\"calls\":%lu", held,
	       (unsigned long)calls_done);
	for (int s = 0; s < STAGE_N; s++) {
		printf(",\"%s_ns\":%.1f", stage_names[s], (double)stage_ns[s] / (double)messages);
		total += stage_ns[s];
	}
	printf(",\"message_ns\":%.1f,\"call_us\":%.3f}\n", (double)total / (double)messages,
	       (double)total / (double)calls_done / 1000);
	return calls_done == calls ? 0 : 1;
}
