// SPDX-License-Identifier: BSD-3-Clause
// Messages to the call logic. See call.h.
#include "dataplane/call.h"

#include <errno.h>

#include "dataplane/outbox.h"
#include "dataplane/tap.h"

static unsigned take(struct worker *w, struct rx *rx, int error)
{
	if (error == 0)
		return engine_message(w->engine, rx, w->now);
	if (error == -EHOSTUNREACH)
		return engine_unreachable(w->engine, slice_of(rx->buf->data, rx->buf->len), w->now);
	return engine_unparsable(w->engine, rx, error, w->now);
}

void stage_call(struct worker *w, struct sip_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (b->error[i] == 0)
			engine_prefetch_record(w->engine, &b->rx[i]);
	for (uint32_t i = 0; i < b->n; i++)
		if (b->error[i] == 0)
			engine_prefetch_text(w->engine, &b->rx[i]);
	for (uint32_t i = 0; i < b->n; i++)
		if (b->error[i] == 0)
			engine_prefetch_rest(w->engine, &b->rx[i]);
	for (uint32_t i = 0; i < b->n; i++) {
		if (b->verdict[i] != VERDICT_NONE)
			continue;
		outbox_reserve(w);
		b->verdict[i] = take(w, &b->rx[i], b->error[i]);
		if (w->tap_filter != NULL && b->error[i] != -EHOSTUNREACH) {
			tap_received(w, &b->rx[i], b->verdict[i]);
			outbox_flush(w); // so that copies are in order
		}
	}
	outbox_flush(w);
}

// The call logic's answer to one may be the next one: that is for the next round.
void call_undelivered(struct worker *w)
{
	uint32_t n = w->n_undelivered;
	struct rte_mbuf *m[BURST];

	memcpy(m, w->undelivered, n * sizeof(m[0]));
	w->n_undelivered = 0;
	w->gave_work = true;
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *ip = rte_pktmbuf_mtod(m[i], const uint8_t *);
		uint32_t headers =
			(ip[0] >> 4 == 4 ? FRAME_IP4_LEN : FRAME_IP6_LEN) + FRAME_UDP_LEN;

		outbox_reserve(w);
		if (m[i]->data_len > headers)
			(void)engine_unreachable(w->engine,
						 slice_of(ip + headers, m[i]->data_len - headers),
						 w->now);
	}
	outbox_flush(w);
	rte_pktmbuf_free_bulk(m, n);
}
