// SPDX-License-Identifier: BSD-3-Clause
// The index of a message's headers and its class. See classify.h.
#include "dataplane/classify.h"

#include <rte_prefetch.h>

#include "classify/classify.h"

#define LINES_AHEAD 4 // of the next message, while this one is indexed

static void prefetch(const struct sip_buf *buf)
{
	for (unsigned i = 0; i < LINES_AHEAD; i++)
		rte_prefetch0(buf->data + (size_t)i * 64);
}

void stage_classify(struct worker *w, struct sip_burst *b)
{
	prefetch(b->rx[0].buf);
	for (uint32_t i = 0; i < b->n; i++) {
		struct rx *rx = &b->rx[i];

		if (i + 1 < b->n)
			prefetch(b->rx[i + 1].buf);
		if (b->error[i] != 0) // not a message
			continue;
		b->error[i] = sip_msg_parse(&rx->msg, slice_of(rx->buf->data, rx->buf->len));
		if (b->error[i] == 0)
			classify_message(w->patterns, w->scratch, &rx->msg, &rx->class);
	}
}
