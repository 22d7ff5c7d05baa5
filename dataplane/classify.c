// SPDX-License-Identifier: BSD-3-Clause
// The index of a message's headers and its class. See classify.h.
#include "dataplane/classify.h"

#include <errno.h>

#include <rte_prefetch.h>

#include "b2bua/budget.h"
#include "classify/classify.h"

#define LINES_AHEAD 4 // of the next message, while this one is indexed

static void prefetch(const struct sip_buf *buf)
{
	for (unsigned i = 0; i < LINES_AHEAD; i++)
		rte_prefetch0(buf->data + (size_t)i * 64);
}

// What cannot be read, and whose source has had as many answers as it may in this second,
// goes no further: a flood of it is neither scanned nor looked up.
static bool is_spent(struct worker *w, const struct rx *rx, int error)
{
	const struct sip_msg *m = &rx->msg;

	if (error == -ENOMSG || (error == 0 && sip_msg_has(m, SIP_H_VIA) &&
				 sip_msg_has(m, SIP_H_FROM) && sip_msg_has(m, SIP_H_TO) &&
				 sip_msg_has(m, SIP_H_CALL_ID) && sip_msg_has(m, SIP_H_CSEQ)))
		return false;
	return budget_spent(w->engine, &rx->flow, BUDGET_MALFORMED, w->now);
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
		if (is_spent(w, rx, b->error[i])) {
			b->error[i] = -EDQUOT;
			b->verdict[i] = VERDICT_DROP_MALFORMED_LIMIT;
		}
		if (b->error[i] == 0)
			classify_message(w->patterns, w->scratch, &rx->msg, &rx->class);
	}
}
