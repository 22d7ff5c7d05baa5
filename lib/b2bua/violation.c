// SPDX-License-Identifier: BSD-3-Clause
// What a peer does against the RFCs is counted by trunk, and one message that shows it is kept for
// the trunk's report: the bytes as they were on the wire. Thread: the owning worker. A copy is made
// at most once a minute for each kind on each trunk, so that a peer that does it in each message
// costs a counter and no more.
#include "b2bua/violation.h"

#define SAMPLE_EVERY TICK_S(60)

static bool violation_is_due(struct engine *e, uint16_t trunk, enum violation v)
{
	tick_t *last = &e->sample.last_tk[(trunk * (unsigned)VIOLATION_N + v) % SAMPLE_SLOTS];

	if ((e->sample.taken && !e->sampled) || (*last != 0 && e->now - *last < SAMPLE_EVERY))
		return false;
	*last = e->now;
	return true;
}

static void violation_keep(struct engine *e, const struct sip_buf *b, const struct tap_head *head)
{
	struct sample *s = &e->sample;
	uint32_t len = b->len < SAMPLE_BYTES ? b->len : SAMPLE_BYTES;

	s->taken = true;
	s->head = *head;
	s->head.at = e->now;
	s->head.taps = TAP_SAMPLE;
	s->head.len = (uint16_t)len;
	s->head.cut = len < b->len;
	memcpy(s->bytes, b->data, len);
}

static void violation_note_rx(struct engine *e, const struct rx *rx, uint16_t trunk,
			      enum violation v)
{
	struct tap_head head = {.about = rx->about, .flow = rx->flow};

	static_assert(VIOLATION_N <= 15, "tap_head.shows has a bit for each");
	stat_add(&e->p.trunk_stats[trunk].value[violation_rows[v].counter], 1);
	if (!violation_is_due(e, trunk, v))
		return;
	head.about.trunk = trunk;
	if (!e->sampled) // before rules: what the peer has sent
		violation_keep(e, e->arrived != NULL ? e->arrived : rx->buf, &head);
	e->sampled = true;
	e->sample.head.shows |= (uint16_t)(1u << v) & 0x7fff;
}

void violation_note(struct engine *e, uint16_t trunk, enum violation v)
{
	if (e->rx != NULL)
		violation_note_rx(e, e->rx, trunk, v);
}

void violation_note_unread(struct engine *e, const struct rx *rx, uint16_t trunk)
{
	violation_note_rx(e, rx, trunk, VIOLATION_MALFORMED);
}

void violation_note_unanswered(struct engine *e, const struct txn *t)
{
	struct tap_head head = {.about = txn_about(t),
				.flow = t->flow,
				.out = 1,
				.shows = 1u << VIOLATION_UNANSWERED};

	e->sampled = false;
	if (t->sent != NULL && violation_is_due(e, t->trunk, VIOLATION_UNANSWERED))
		violation_keep(e, t->sent, &head);
}

void violation_read_2xx(struct engine *e, const struct leg *leg, const struct st_headers *offered,
			const struct st_seen *seen, const struct sip_msg *answer)
{
	if (seen->bad)
		violation_note(e, leg->trunk, VIOLATION_TIMER_HEADERS);
	if (!sip_msg_has(answer, SIP_H_CONTACT))
		violation_note(e, leg->trunk, VIOLATION_NO_CONTACT);
	if (!seen->has_se)
		return;
	if (seen->refresher == ST_REFRESHER_NONE)
		violation_note(e, leg->trunk, VIOLATION_NO_REFRESHER);
	if (seen->refresher == ST_REFRESHER_UAC && !seen->required)
		violation_note(e, leg->trunk, VIOLATION_NO_REQUIRE);
	if (offered->se_s == 0)
		return;
	if (seen->se_s > offered->se_s)
		violation_note(e, leg->trunk, VIOLATION_SE_RAISED);
	if (offered->refresher != ST_REFRESHER_NONE && seen->refresher != ST_REFRESHER_NONE &&
	    seen->refresher != offered->refresher)
		violation_note(e, leg->trunk, VIOLATION_REFRESHER_CHANGED);
}

const struct tap_head *engine_sample(struct engine *e, const uint8_t **bytes)
{
	if (!e->sample.taken)
		return NULL;
	e->sample.taken = false;
	*bytes = e->sample.bytes;
	return &e->sample.head;
}
