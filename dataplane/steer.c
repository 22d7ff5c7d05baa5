// SPDX-License-Identifier: BSD-3-Clause
// Messages to their owners. See steer.h.
#include "dataplane/steer.h"

#include "dataplane/admit.h"
#include "dataplane/handoff.h"
#include "dataplane/pipeline.h"
#include "frame/begins.h"
#include "frame/call_id.h"
#include "sip/token.h"

static unsigned owner_of(const struct worker *w, struct rte_mbuf *m)
{
	const struct sip_buf *buf = &mbuf_priv(m)->buf;
	struct slice call_id = call_id_find(slice_of(buf->data, buf->len));

	// What has no Call-ID is no worker's: it is refused right here.
	return call_id.len != 0 ? (unsigned)(token_owner_hash(call_id) % w->n_workers) : w->id;
}

static void hand_over(struct worker *w, unsigned owner, struct rte_mbuf *m)
{
	const struct sip_buf *buf = &mbuf_priv(m)->buf;

	if (w->engine == NULL || !handoff_filling(w, owner) ||
	    !frame_begins_something(slice_of(buf->data, buf->len)))
		handoff_put(w, owner, m);
	else if (!admit_refuse(w, m, VERDICT_DROP_HANDOFF_FULL))
		stat_add(&w->stats->drops_handoff_ring, 1);
}

void stage_steer(struct worker *w, struct burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct packet *p = &b->pkt[i];
		unsigned owner = w->id;

		if (p->verdict != VERDICT_NONE)
			continue;
		if (w->n_workers > 1)
			owner = owner_of(w, p->m);
		if (owner == w->id)
			pipeline_take(w, p->m);
		else
			hand_over(w, owner, p->m);
		p->m = NULL;
	}
	if (w->n_workers > 1)
		handoff_flush(w);
}
