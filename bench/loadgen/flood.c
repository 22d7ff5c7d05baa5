// SPDX-License-Identifier: BSD-3-Clause
// Messages outside of calls: what nobody waits for, what nobody can read, what nobody should send.
#include "calls.h"

#define MALFORMED      16
#define MALFORMED_ROOM 900
#define EVERY_HOST     250

enum kind { FLOOD_OPTIONS, FLOOD_INVITE, FLOOD_MALFORMED, FLOOD_UNKNOWN };

static struct malformed {
	uint32_t len;
	char text[MALFORMED_ROOM];
} malformed[MALFORMED];
static struct pace pace;
static uint64_t seed = 88172645463325252u;

static uint64_t random_u64(void) // xorshift64
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

// A request of nobody's: its token is beyond every slot.
static char *put_stranger(char *p, char letter, uint8_t host)
{
	struct request r = {
		.letter = letter,
		.side = 'a',
		.host = host,
		.token = {0xf0000000u | (uint32_t)random_u64(), (uint16_t)random_u64()},
		.cseq = 1,
		.se_s = 1800,
	};

	return put_request(p, &r);
}

// Cut a line out, from its name to its CRLF.
static void drop_line(struct malformed *m, const char *name)
{
	char *at = memmem(m->text, m->len, name, strlen(name));
	char *end = at != NULL ? memchr(at, '\n', (size_t)(m->text + m->len - at)) : NULL;

	if (end == NULL)
		return;
	memmove(at, end + 1, (size_t)(m->text + m->len - end - 1));
	m->len -= (uint32_t)(end + 1 - at);
}

static void change(struct malformed *m, const char *what, const char *into)
{
	char *at = memmem(m->text, m->len, what, strlen(what));

	if (at != NULL)
		memcpy(at, into, strlen(into)); // as long as what
}

static void break_it(struct malformed *m, unsigned how)
{
	static const char *const lines[] = {"Via:", "From:", "To:", "Call-ID:", "CSeq:"};

	if (how < 5) {
		drop_line(m, lines[how]);
	} else if (how < 8) {
		m->len = m->len / 4 * (how - 4); // in the middle of something
	} else if (how == 8) {
		change(m, "SIP/2.0\r", "SIP/7.0\r");
	} else if (how == 9) {
		change(m, " SIP/2.0", "\0SIP/2.0");
	} else if (how == 10) {
		change(m, "CSeq: 1 I", "CSeq: x I");
	} else if (how == 11) {
		change(m, "Content-Length: ", "Content-Length:-");
	} else if (how == 12) {
		change(m, ";branch=z9hG4bK", ";;;;\"\"\"\"=====bK");
	} else if (how == 13) {
		change(m, "From: \"load\"", "From: \"load<<");
	} else {
		for (uint32_t i = 0; i < m->len; i++)
			m->text[i] = (char)random_u64();
	}
}

void flood_init(void)
{
	for (unsigned i = 0; i < MALFORMED; i++) {
		struct malformed *m = &malformed[i];
		char room[WIRE_ROOM];
		uint32_t len = (uint32_t)(put_stranger(room, LETTER_INVITE, 2) - room);

		m->len = len < MALFORMED_ROOM ? len : MALFORMED_ROOM;
		memcpy(m->text, room, m->len);
		break_it(m, i);
	}
}

static void send_one(enum kind kind)
{
	struct wire_from from = {1, (uint8_t)(2 + random_u64() % 20)};
	char *start = wire_begin(WIRE_ACCESS), *end = start;
	const struct malformed *m;

	if (start == NULL)
		return;
	switch (kind) {
	case FLOOD_OPTIONS:
		end = put_stranger(start, LETTER_OPTIONS, from.host);
		break;
	case FLOOD_INVITE:
		end = put_stranger(start, LETTER_INVITE, from.host);
		break;
	case FLOOD_MALFORMED:
		m = &malformed[random_u64() % MALFORMED];
		end = put_bytes(start, m->text, m->len);
		break;
	case FLOOD_UNKNOWN:
		from = (struct wire_from){7, (uint8_t)(random_u64() % EVERY_HOST)};
		end = put_stranger(start, LETTER_INVITE, from.host);
		break;
	}
	gen.counts.flood++;
	wire_send(WIRE_ACCESS, from, (uint32_t)(end - start));
}

void flood_pace(void)
{
	uint64_t behind = 0;

	for (unsigned n = pace_due(&pace, gen.knobs.flood_rate, &behind); n != 0; n--)
		send_one((enum kind)(gen.knobs.flood_kind & 3));
}
