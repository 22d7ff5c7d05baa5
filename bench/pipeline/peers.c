// SPDX-License-Identifier: BSD-3-Clause
// Callers and callees. See peers.h. Source of the messages: RFC 3261 s24, RFC 4028.
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>

#define QUEUE	  512 // messages under way: more would push the worker out of its caches
#define USERS	  40
#define TAG_BYTES 32
#define RECENT	  65536 // calls whose messages may be under way

struct recent {
	uint64_t call, request_ns;
	uint64_t answer_ns; // 0: the callee has not answered, verge does
};

struct caller {
	char tag[TAG_BYTES]; // verge's, in To
	uint32_t cseq;
	uint32_t interval; // its Session-Expires
};

static struct caller *callers;
static struct peers_message *queue;
static uint64_t head, tail, next_call, answered, ended, refreshed, refused, now_ns;
static uint32_t calls_max, interval = 1800;
static struct recent recent[RECENT];
static void (*on_delay)(enum peers_kind kind, uint64_t ns);

static const char sdp[] =
	"v=0\r\no=- 20518 0 IN IP4 10.91.1.2\r\ns=-\r\nc=IN IP4 10.91.1.2\r\nb=AS:84\r\nt=0 0\r\n"
	"m=audio 49170 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
	"a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\n"
	"a=fmtp:101 0-15\r\na=rtcp:49171 IN IP4 10.91.1.2\r\na=ptime:20\r\na=sendrecv\r\n";

void peers_interval(uint32_t seconds)
{
	interval = seconds;
}

void peers_init(uint32_t max_calls)
{
	calls_max = max_calls;
	callers = calloc(max_calls, sizeof(*callers));
	queue = calloc(QUEUE, sizeof(*queue));
	if (callers == NULL || queue == NULL)
		abort();
}

void peers_clock(uint64_t now)
{
	now_ns = now;
}

void peers_on_delay(void (*delay)(enum peers_kind kind, uint64_t ns))
{
	on_delay = delay;
}

static void tell_delay(uint64_t call, bool request, enum peers_kind kind)
{
	const struct recent *r = &recent[call % RECENT];
	uint64_t since = request || r->answer_ns == 0 ? r->request_ns : r->answer_ns;

	// clocks of two workers are not quite the same
	if (on_delay != NULL && r->call == call)
		on_delay(kind, now_ns > since ? now_ns - since : 0);
}

static struct peers_message *queue_new(enum peers_port port, unsigned trunk)
{
	struct peers_message *m = &queue[tail++ % QUEUE];

	if (tail - head > QUEUE)
		abort();
	m->port = (uint8_t)port;
	m->trunk = (uint8_t)trunk;
	return m;
}

static void queue_done(struct peers_message *m, int len)
{
	if (len < 0 || len >= (int)sizeof(m->text))
		abort();
	m->len = (uint32_t)len;
}

// A header line of verge's with its CRLF.
static struct slice line_of(struct slice m, const char *name)
{
	const char *at = memmem(m.p, m.len, name, strlen(name));
	const char *end =
		at != NULL ? memchr(at, '\n', (size_t)((const char *)m.p + m.len - at)) : NULL;

	if (end == NULL)
		abort();
	return slice_of(at, (size_t)(end + 1 - at));
}

static void send_request(const char *method, uint64_t call, const char *extra, const char *body)
{
	struct caller *c = &callers[call % calls_max];
	unsigned trunk = (unsigned)(call % PEERS_TRUNKS), user = (unsigned)(call % USERS);
	struct peers_message *m = queue_new(PEERS_ACCESS, trunk);
	bool is_ack = strcmp(method, "ACK") == 0;

	if (!is_ack)
		c->cseq++;
	recent[call % RECENT] = (struct recent){call, now_ns, 0};
	queue_done(m,
		   snprintf(m->text, sizeof(m->text),
			    "%s sip:+1555%07u@10.91.0.1 SIP/2.0\r\n"
			    "Via: SIP/2.0/UDP 10.91.1.%u:5060;branch=z9hG4bK%s%u.%lu\r\n"
			    "Max-Forwards: 70\r\n"
			    "From: \"%lu\" <sip:user%u@10.91.1.%u>;tag=caller%lu\r\n"
			    "To: <sip:+1555%07u@10.91.0.1>%s%s\r\n"
			    "Call-ID: %lu-bench@10.91.1.2\r\nCSeq: %u %s\r\n"
			    "%sContent-Length: %zu\r\n\r\n%s",
			    method, user, trunk + 2, method, (unsigned)c->cseq, (unsigned long)call,
			    (unsigned long)call, user, trunk + 2, (unsigned long)call, user,
			    c->tag[0] != 0 ? ";tag=" : "", c->tag, (unsigned long)call,
			    is_ack ? 1 : c->cseq, method, extra, strlen(body), body));
}

uint64_t peers_invite(void)
{
	struct caller *c = &callers[next_call % calls_max];
	char extra[256];

	*c = (struct caller){.interval = interval};
	snprintf(extra, sizeof(extra),
		 "Contact: <sip:user@10.91.1.2:5060>\r\n"
		 "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\nSupported: timer\r\n"
		 "Session-Expires: %u\r\nUser-Agent: bench\r\n"
		 "Content-Type: application/sdp\r\n",
		 interval);
	send_request("INVITE", next_call, extra, sdp);
	return next_call++;
}

void peers_bye(uint64_t call)
{
	send_request("BYE", call, "", "");
}

void peers_update(uint64_t call)
{
	send_request("UPDATE", call,
		     "Contact: <sip:user@10.91.1.2:5060>\r\nSupported: timer\r\n"
		     "Session-Expires: 1800;refresher=uac\r\n",
		     "");
}

void peers_info(uint64_t call)
{
	send_request("INFO", call, "Content-Type: application/dtmf-relay\r\n",
		     "Signal=5\r\nDuration=160\r\n");
}

// A response of a peer to a request of verge's.
static void answer(enum peers_port port, unsigned trunk, struct slice request, const char *status,
		   const char *extra, const char *body)
{
	struct peers_message *m = queue_new(port, trunk);
	struct slice to = line_of(request, "To: ");
	bool tagged = memmem(to.p, to.len, ";tag=", 5) != NULL || memcmp(status, "100", 3) == 0;

	queue_done(m, snprintf(m->text, sizeof(m->text),
			       "SIP/2.0 %s\r\n%.*s%.*s%.*s%s\r\n%.*s%.*s%sContent-Length: "
			       "%zu\r\n\r\n%s",
			       status, SLICE_ARG(line_of(request, "Via: ")),
			       SLICE_ARG(line_of(request, "From: ")), (int)(to.len - 2),
			       (const char *)to.p, tagged ? "" : ";tag=callee",
			       SLICE_ARG(line_of(request, "Call-ID: ")),
			       SLICE_ARG(line_of(request, "CSeq: ")), extra, strlen(body), body));
}

// The call of verge's request to a callee: callers write its number as their name.
static uint64_t call_of(struct slice request)
{
	struct slice from = line_of(request, "From: ");
	const char *quote = memchr(from.p, '"', from.len);

	if (quote == NULL)
		abort();
	return strtoull(quote + 1, NULL, 10);
}

static void answer_refresh(enum peers_port port, unsigned trunk, struct slice m)
{
	char extra[192];
	struct slice asked = line_of(m, "Session-Expires: ");

	snprintf(extra, sizeof(extra),
		 "Contact: <sip:peer@10.9%u.1.2:5060>\r\nSupported: timer\r\nRequire: timer\r\n"
		 "%.*s",
		 port == PEERS_ACCESS ? 1U : 2U, SLICE_ARG(asked));
	answer(port, trunk, m, "200 OK", extra, "");
	refreshed++;
}

static void answer_invite(unsigned trunk, struct slice m, uint64_t call)
{
	char extra[256];

	snprintf(extra, sizeof(extra),
		 "Contact: <sip:callee@10.92.1.2:5060>\r\nSupported: timer\r\n"
		 "Require: timer\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO\r\n"
		 "Session-Expires: %u;refresher=uac\r\n"
		 "Content-Type: application/sdp\r\n",
		 callers[call % calls_max].interval);
	answer(PEERS_CORE, trunk, m, "100 Trying", "", "");
	answer(PEERS_CORE, trunk, m, "180 Ringing", "Contact: <sip:callee@10.92.1.2:5060>\r\n", "");
	answer(PEERS_CORE, trunk, m, "200 OK", extra, sdp);
}

static void callee_receive(unsigned trunk, struct slice m)
{
	bool invite = slice_starts_with(m, SLICE_LIT("INVITE "));
	uint64_t call;

	if (slice_starts_with(m, SLICE_LIT("SIP/2.0 ")))
		return;
	if (slice_starts_with(m, SLICE_LIT("UPDATE "))) {
		answer_refresh(PEERS_CORE, trunk, m);
		return;
	}
	call = call_of(m);
	tell_delay(call, true, invite ? PEERS_SETUP : PEERS_IN_CALL);
	recent[call % RECENT].answer_ns = now_ns;
	if (invite) {
		answer_invite(trunk, m, call);
	} else if (slice_starts_with(m, SLICE_LIT("BYE "))) {
		answer(PEERS_CORE, trunk, m, "200 OK", "", "");
		ended++;
	} else if (slice_starts_with(m, SLICE_LIT("INFO "))) {
		answer(PEERS_CORE, trunk, m, "200 OK", "", "");
	}
}

static uint64_t own_call(struct slice m)
{
	static const char before[] = "Call-ID: ";

	return strtoull((const char *)line_of(m, before).p + sizeof(before) - 1, NULL, 10);
}

static void caller_receive(unsigned trunk, struct slice m)
{
	struct slice to;
	const char *tag;
	uint64_t call;

	if (slice_starts_with(m, SLICE_LIT("UPDATE "))) {
		answer_refresh(PEERS_ACCESS, trunk, m);
		return;
	}
	if (m.len < 12 || slice_starts_with(m, SLICE_LIT("SIP/2.0 100")))
		return;
	call = own_call(m);
	tell_delay(call, false, PEERS_IN_CALL);
	if (slice_starts_with(m, SLICE_LIT("SIP/2.0 1")))
		return;
	if (!slice_starts_with(m, SLICE_LIT("SIP/2.0 2"))) {
		if (refused++ == 0)
			fprintf(stderr, "refused: %.*s\n", (int)m.len, (const char *)m.p);
		return;
	}
	if (memmem(m.p, m.len, " INVITE\r\n", 9) == NULL) {
		answered++;
		return;
	}
	to = line_of(m, "To: ");
	tag = memmem(to.p, to.len, ";tag=", 5);
	if (tag == NULL)
		abort();
	snprintf(callers[call % calls_max].tag, TAG_BYTES, "%.28s", tag + 5);
	send_request("ACK", call, "", "");
}

void peers_receive(enum peers_port port, unsigned trunk, struct slice message)
{
	if (port == PEERS_CORE)
		callee_receive(trunk, message);
	else
		caller_receive(trunk, message);
}

const struct peers_message *peers_next(void)
{
	return head != tail ? &queue[head % QUEUE] : NULL;
}

void peers_take(void)
{
	head++;
}

uint32_t peers_waiting(void)
{
	return (uint32_t)(tail - head);
}

uint64_t peers_answered(void)
{
	return answered;
}

uint64_t peers_ended(void)
{
	return ended;
}

uint64_t peers_refreshed(void)
{
	return refreshed;
}

uint64_t peers_refused(void)
{
	return refused;
}
