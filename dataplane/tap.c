// SPDX-License-Identifier: BSD-3-Clause
// Copies of messages for control. See tap.h.
#include "dataplane/tap.h"

#include <errno.h>
#include <stdio.h>

#include <rte_malloc.h>
#include <rte_ring_elem.h>

#include "dataplane/dataplane_private.h"
#include "frame/call_id.h"

// The head takes one slot, the bytes as many as they need.
static uint32_t slots_of(uint32_t len)
{
	return 1 + (len + TAP_SLOT - 1) / TAP_SLOT;
}

int tap_make(struct worker *w)
{
	char name[32];

	snprintf(name, sizeof(name), "verge_taps%u", w->id);
	w->tap = rte_zmalloc("taps", sizeof(*w->tap), 64);
	if (w->tap == NULL)
		return -ENOMEM;
	w->tap->ring = rte_ring_create_elem(name, TAP_SLOT, TAP_RING, SOCKET_ID_ANY,
					    RING_F_SP_ENQ | RING_F_SC_DEQ);
	return w->tap->ring != NULL ? 0 : -ENOMEM;
}

void tap_free(struct worker *w)
{
	if (w->tap != NULL)
		rte_ring_free(w->tap->ring);
	rte_free(w->tap);
	w->tap = NULL;
}

void tap_take(struct worker *w)
{
	// acquire: pairs with the release in dataplane_tap(); the filter is complete.
	const struct tap_filter *f = atomic_load_explicit(&w->dp->tap, memory_order_acquire);

	if (f == w->tap_filter)
		return;
	w->tap_filter = f;
	if (w->tap != NULL)
		memset(w->tap->learned, 0, sizeof(w->tap->learned));
	// release: pairs with the acquire in dataplane_tap(); the old filter is not read again.
	atomic_store_explicit(&w->tap_in_use, f, memory_order_release);
}

// By the call if it is known, else by what is remembered of its Call-ID or by the message itself.
static unsigned wanted(struct worker *w, const struct msg_about *about, struct slice message)
{
	struct tap_state *t = w->tap;
	uint64_t hash = siphash(w->engine_params.key, call_id_find(message)) | 1;
	uint32_t at = (uint32_t)(hash >> 32) % TAP_LEARNED;
	bool known;
	unsigned taps = engine_tap(w->engine, w->tap_filter, about, &known);

	taps |= tap_message(w->tap_filter, about, message, known);
	if (t->learned[at] == hash)
		taps |= t->learned_taps[at];
	if (taps != 0) {
		t->learned[at] = hash;
		t->learned_taps[at] = (uint8_t)taps;
	}
	return taps;
}

static void enqueue(struct tap_state *t, const struct tap_head *head, const uint8_t *bytes)
{
	memcpy(t->room, head, sizeof(*head));
	memcpy(t->room + TAP_SLOT, bytes, head->len);
	if (rte_ring_enqueue_bulk_elem(t->ring, t->room, TAP_SLOT, slots_of(head->len), NULL) == 0)
		stat_add(&t->lost, 1);
}

static void put(struct worker *w, struct tap_head *head, const struct sip_buf *buf)
{
	struct tap_state *t = w->tap;
	struct slice message = slice_of(buf->data, buf->len);

	head->taps = (uint8_t)wanted(w, &head->about, message);
	if (head->taps == 0)
		return;
	if (buf->len > MBUF_LARGE_ROOM) {
		stat_add(&t->lost, 1);
		return;
	}
	head->at = w->now;
	head->len = (uint16_t)buf->len;
	enqueue(t, head, buf->data);
}

void tap_sample(struct worker *w)
{
	const uint8_t *bytes;
	const struct tap_head *head = engine_sample(w->engine, &bytes);

	if (head != NULL)
		enqueue(w->tap, head, bytes);
}

void tap_received(struct worker *w, const struct rx *rx, enum verdict verdict)
{
	struct tap_head head = {
		.about = rx->about, .flow = rx->flow, .verdict = (uint8_t)verdict & 0x7f};

	if (verdict != VERDICT_DROP_UNKNOWN_SOURCE)
		put(w, &head, rx->buf);
}

void tap_sent(struct worker *w, const struct send *send)
{
	struct tap_head head = {
		.about = send->about, .flow = send->flow, .verdict = send->again, .out = 1};

	put(w, &head, send->buf);
}

int dataplane_tap(struct dataplane *dp, const struct tap_filter *filter)
{
	// release: pairs with the acquire in tap_take(); publishes the filter's content.
	atomic_store_explicit(&dp->tap, filter, memory_order_release);
	return dataplane_wait_all(dp, filter, true);
}

uint32_t dataplane_taps(struct dataplane *dp, unsigned worker, struct tap_head *head,
			uint8_t *bytes)
{
	struct tap_state *t = dp->workers[worker].tap;
	uint8_t slot[TAP_SLOT];

	if (rte_ring_dequeue_bulk_elem(t->ring, slot, TAP_SLOT, 1, NULL) == 0)
		return 0;
	memcpy(head, slot, sizeof(*head));
	// The producer put all slots of a message at once.
	if (head->len != 0)
		(void)rte_ring_dequeue_bulk_elem(t->ring, bytes, TAP_SLOT, slots_of(head->len) - 1,
						 NULL);
	return 1;
}

uint64_t dataplane_taps_lost(const struct dataplane *dp, unsigned worker)
{
	return stat_read(&dp->workers[worker].tap->lost);
}
