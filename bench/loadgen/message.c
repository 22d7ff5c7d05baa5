// SPDX-License-Identifier: BSD-3-Clause
// Messages written and read. See message.h.
#include "message.h"

static const char hex[] = "0123456789abcdef";

// --- reading

static bool starts(struct text t, const char *word, size_t n)
{
	return t.len >= n && memcmp(t.p, word, n) == 0;
}

#define STARTS(t, lit) starts((t), (lit), sizeof(lit) - 1)

static char method_letter(struct text t)
{
	if (STARTS(t, "INVITE"))
		return LETTER_INVITE;
	if (STARTS(t, "ACK"))
		return LETTER_ACK;
	if (STARTS(t, "BYE"))
		return LETTER_BYE;
	if (STARTS(t, "UPDATE"))
		return LETTER_UPDATE;
	if (STARTS(t, "INFO"))
		return LETTER_INFO;
	if (STARTS(t, "OPTIONS"))
		return LETTER_OPTIONS;
	return STARTS(t, "CANCEL") ? LETTER_CANCEL : LETTER_NONE;
}

static uint32_t number(const char **p, const char *end)
{
	uint32_t v = 0;

	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++)
		v = v * 10 + (uint32_t)(**p - '0');
	return v;
}

static void read_cseq(struct message *m, struct text line)
{
	const char *p = line.p + sizeof("CSeq: ") - 1, *end = line.p + line.len;

	m->cseq_line = line;
	m->cseq = number(&p, end);
	if (m->status != 0 && p < end)
		m->letter = method_letter((struct text){p + 1, (uint32_t)(end - p - 1)});
}

static void read_turn(struct message *m, struct text line)
{
	const char *p = line.p + sizeof("X-Turn: ") - 1;

	m->turn = number(&p, line.p + line.len);
}

static void read_line(struct message *m, struct text line)
{
	switch (line.p[0]) {
	case 'V':
		if (m->via.p == NULL && STARTS(line, "Via: "))
			m->via = line;
		return;
	case 'F':
		if (STARTS(line, "From: "))
			m->from = line;
		return;
	case 'T':
		if (STARTS(line, "To: "))
			m->to = line;
		return;
	case 'C':
		if (STARTS(line, "CSeq: "))
			read_cseq(m, line);
		else if (STARTS(line, "Call-ID: "))
			m->call_id = line;
		else if (STARTS(line, "Contact: "))
			m->contact = line;
		return;
	case 'S':
		if (STARTS(line, "Session-Expires: "))
			m->session_expires = line;
		return;
	case 'X':
		if (STARTS(line, "X-Turn: "))
			read_turn(m, line);
		return;
	default:
		return;
	}
}

static bool read_start(struct message *m, struct text line)
{
	const char *p = line.p + sizeof("SIP/2.0 ") - 1, *at, *colon;

	if (STARTS(line, "SIP/2.0 ")) {
		m->status = (uint16_t)number(&p, line.p + line.len);
		return m->status >= 100;
	}
	m->letter = method_letter(line);
	colon = memchr(line.p, ':', line.len);
	at = colon != NULL ? memchr(colon, '@', (size_t)(line.p + line.len - colon)) : NULL;
	if (at != NULL)
		m->user = (struct text){colon + 1, (uint32_t)(at - colon - 1)};
	return m->letter != LETTER_NONE;
}

bool message_read(struct message *m, const char *p, uint32_t len)
{
	const char *end = p + len;
	bool first = true;

	*m = (struct message){0};
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		struct text line;

		if (lf == NULL || lf == p || lf[-1] != '\r')
			return false;
		line = (struct text){p, (uint32_t)(lf - p - 1)};
		p = lf + 1;
		if (line.len == 0)
			break;
		if (first && !read_start(m, line))
			return false;
		if (!first)
			read_line(m, line);
		first = false;
	}
	return m->via.p != NULL && m->from.p != NULL && m->to.p != NULL && m->call_id.p != NULL &&
	       m->cseq_line.p != NULL;
}

struct text message_tag(struct text line)
{
	static const char before[] = ";tag=";
	const char *tag = memmem(line.p, line.len, before, sizeof(before) - 1), *end;

	if (tag == NULL)
		return (struct text){line.p, 0};
	tag += sizeof(before) - 1;
	end = memchr(tag, ';', (size_t)(line.p + line.len - tag));
	if (end == NULL)
		end = line.p + line.len;
	return (struct text){tag, (uint32_t)(end - tag)};
}

struct text message_uri(struct text line)
{
	const char *open = line.p != NULL ? memchr(line.p, '<', line.len) : NULL, *close;

	if (open == NULL)
		return (struct text){0};
	close = memchr(open, '>', (size_t)(line.p + line.len - open));
	return close != NULL ? (struct text){open + 1, (uint32_t)(close - open - 1)}
			     : (struct text){0};
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool token_read(struct token *t, const char *p, uint32_t len)
{
	uint64_t v = 0;

	if (len < TOKEN_CHARS)
		return false;
	for (unsigned i = 0; i < TOKEN_CHARS; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	t->slot = (uint32_t)(v >> 16);
	t->gen = (uint16_t)v;
	return true;
}

bool branch_read(struct text via, char *letter, char *side, struct token *t, uint32_t *cseq)
{
	static const char before[] = ";branch=z9hG4bK";
	const char *p = memmem(via.p, via.len, before, sizeof(before) - 1), *end = via.p + via.len;

	if (p == NULL || end - p < (long)sizeof(before) + 2 + TOKEN_CHARS)
		return false;
	p += sizeof(before) - 1;
	*letter = p[0];
	*side = p[1];
	if (!token_read(t, p + 2, (uint32_t)(end - p - 2)))
		return false;
	p += 2 + TOKEN_CHARS;
	*cseq = number(&p, end);
	return *side == 'a' || *side == 'b';
}

// --- writing

char *put_number(char *p, uint32_t v)
{
	char digits[10];
	unsigned n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	while (n != 0)
		*p++ = digits[--n];
	return p;
}

char *put_token(char *p, struct token t)
{
	uint64_t v = (uint64_t)t.slot << 16 | t.gen;

	for (unsigned i = 0; i < TOKEN_CHARS; i++)
		p[i] = hex[v >> (4 * (TOKEN_CHARS - 1 - i)) & 15];
	return p + TOKEN_CHARS;
}

static char *put_host(char *p, char side, uint8_t host)
{
	p = side == 'a' ? PUT(p, "10.91.1.") : PUT(p, "10.92.1.");
	return put_number(p, host);
}

static struct text method_text(char letter)
{
#define METHOD(word) ((struct text){(word), sizeof(word) - 1})
	switch (letter) {
	case LETTER_ACK:
		return METHOD("ACK");
	case LETTER_BYE:
		return METHOD("BYE");
	case LETTER_UPDATE:
		return METHOD("UPDATE");
	case LETTER_INFO:
		return METHOD("INFO");
	case LETTER_OPTIONS:
		return METHOD("OPTIONS");
	default:
		return METHOD("INVITE");
	}
#undef METHOD
}

// 1: what a caller and a callee describe; the session never changes.
static char *put_body(char *p, char side, uint8_t host)
{
	static const char media[] =
		"\r\nt=0 0\r\nm=audio 49170 RTP/AVP 8 0 18 101\r\na=rtpmap:8 PCMA/8000\r\n"
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n"
		"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
		"a=sendrecv\r\n";
	char room[400], *at = PUT(room, "v=0\r\no=- 20518 0 IN IP4 ");

	at = PUT(put_host(at, side, host), "\r\ns=-\r\nc=IN IP4 ");
	at = PUT(put_host(at, side, host), media);
	p = PUT(p, "Content-Type: application/sdp\r\nContent-Length: ");
	p = PUT(put_number(p, (uint32_t)(at - room)), "\r\n\r\n");
	return put_bytes(p, room, (size_t)(at - room));
}

static char *put_contact(char *p, char side, uint8_t host, struct token t)
{
	p = put_token(PUT(p, "Contact: <sip:"), t);
	return PUT(put_host(PUT(p, "@"), side, host), ":5060>\r\n");
}

// The user that a call calls, and its caller: not the same for any two calls.
static char *put_names(char *p, const struct request *r)
{
	const char *tag = r->side == 'a' ? ";tag=c" : ";tag=s";

	p = put_token(PUT(p, "From: \"load\" <sip:+1555"), r->token);
	p = put_bytes(PUT(put_host(PUT(p, "@"), r->side, r->host), ">"), tag, 6);
	p = PUT(put_token(p, r->token), "\r\nTo: <sip:");
	p = put_token(p, r->token);
	p = r->side == 'a' ? PUT(p, "@10.91.0.1>") : PUT(p, "@10.92.0.1>");
	if (r->tag.len != 0)
		p = put_text(PUT(p, ";tag="), r->tag);
	p = PUT(p, "\r\nCall-ID: ");
	if (r->call_id.len != 0)
		return PUT(put_text(p, r->call_id), "\r\n");
	return PUT(put_host(PUT(put_token(p, r->token), "-load@"), r->side, r->host), "\r\n");
}

static char *put_timer(char *p, uint32_t se_s)
{
	p = PUT(p, "Supported: timer\r\n");
	if (se_s == 0)
		return p;
	p = put_number(PUT(p, "Session-Expires: "), se_s);
	return PUT(p, "\r\nMin-SE: 90\r\n");
}

char *put_request(char *p, const struct request *r)
{
	struct text method = method_text(r->letter);
	bool invite = r->letter == LETTER_INVITE || r->letter == LETTER_REINVITE;

	p = put_text(p, method);
	if (r->target.len != 0)
		p = put_text(PUT(p, " "), r->target);
	else
		p = PUT(put_token(PUT(p, " sip:"), r->token), "@10.91.0.1");
	p = PUT(put_host(PUT(p, " SIP/2.0\r\nVia: SIP/2.0/UDP "), r->side, r->host),
		":5060;branch=z9hG4bK");
	*p++ = r->same_branch ? LETTER_INVITE : r->letter;
	*p++ = r->side;
	p = put_number(put_token(p, r->token), r->cseq);
	p = put_names(PUT(p, "\r\nMax-Forwards: 70\r\n"), r);
	p = PUT(put_text(PUT(put_number(PUT(p, "CSeq: "), r->cseq), " "), method), "\r\n");
	if (invite || r->letter == LETTER_UPDATE) {
		p = put_contact(p, r->side, r->host, r->token);
		p = PUT(p, "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO\r\n"
			   "User-Agent: loadgen\r\n");
		p = put_timer(p, r->se_s);
	}
	if (invite)
		return put_body(p, r->side, r->host);
	return PUT(p, "Content-Length: 0\r\n\r\n");
}

static char *put_status(char *p, uint16_t status)
{
	switch (status) {
	case 100:
		return PUT(p, "SIP/2.0 100 Trying\r\n");
	case 180:
		return PUT(p, "SIP/2.0 180 Ringing\r\n");
	case 200:
		return PUT(p, "SIP/2.0 200 OK\r\n");
	case 481:
		return PUT(p, "SIP/2.0 481 Call/Transaction Does Not Exist\r\n");
	default:
		return PUT(p, "SIP/2.0 500 Server Internal Error\r\n");
	}
}

// The refresher that the request named, or the one who asked.
static char *put_session(char *p, struct text asked)
{
	p = PUT(p, "Require: timer\r\n");
	p = put_text(p, asked);
	return memmem(asked.p, asked.len, "refresher", 9) != NULL ? PUT(p, "\r\n")
								  : PUT(p, ";refresher=uac\r\n");
}

char *put_answer(char *p, const struct answer *a)
{
	const struct message *m = a->to;

	p = put_line(put_status(p, a->status), m->via);
	p = put_text(put_line(p, m->from), m->to);
	if (!a->tagged && a->status != 100)
		p = put_token(PUT(p, ";tag=s"), a->token);
	p = put_line(put_line(PUT(p, "\r\n"), m->call_id), m->cseq_line);
	if (a->status != 100)
		p = put_contact(p, a->side, a->host, a->token);
	if (a->session) {
		p = PUT(p, "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO\r\n"
			   "Supported: timer\r\n");
		if (m->session_expires.p != NULL)
			p = put_session(p, m->session_expires);
	}
	if (a->description)
		return put_body(p, a->side, a->host);
	return PUT(p, "Content-Length: 0\r\n\r\n");
}
