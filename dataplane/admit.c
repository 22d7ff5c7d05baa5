// SPDX-License-Identifier: BSD-3-Clause
// Who goes first. See admit.h.
#include "dataplane/admit.h"

#include <errno.h>

#include <rte_malloc.h>

#include "b2bua/budget.h"
#include "config/config.h"
#include "dataplane/pipeline.h"
#include "frame/begins.h"

#define ADMIT_REFUSED 8 // answered with 503 in a round; a 503 costs about a sixth of a call

struct admit {
	bool sorting;
	uint32_t head, n, n_refused;
	struct rte_mbuf *waiting[ADMIT_WAITING];
	struct rte_mbuf *refused[ADMIT_REFUSED];
};

int admit_init(struct worker *w)
{
	w->admit = rte_zmalloc("admit", sizeof(*w->admit), 64);
	return w->admit != NULL ? 0 : -ENOMEM;
}

static struct rte_mbuf *take_first(struct admit *a)
{
	struct rte_mbuf *m = a->waiting[a->head];

	a->head = (a->head + 1) % ADMIT_WAITING;
	a->n--;
	return m;
}

void admit_free(struct worker *w)
{
	struct admit *a = w->admit;

	while (a != NULL && a->n != 0)
		mbuf_sip_unref(&mbuf_priv(take_first(a))->buf);
	while (a != NULL && a->n_refused != 0)
		mbuf_sip_unref(&mbuf_priv(a->refused[--a->n_refused])->buf);
	rte_free(a);
	w->admit = NULL;
}

void admit_sort(struct worker *w, bool full)
{
	w->admit->sorting = w->engine != NULL && (full || w->admit->n != 0);
}

static void drop(struct worker *w, struct rte_mbuf *m, enum verdict why)
{
	worker_count(w, why, 1);
	mbuf_sip_unref(&mbuf_priv(m)->buf);
}

static bool is_full(const struct admit *a)
{
	return a->n == ADMIT_WAITING && a->n_refused == ADMIT_REFUSED;
}

static bool is_spent_options(struct worker *w, const struct flow *flow, struct slice message)
{
	// Whether it is of a call takes longest to see, whether there is anything left is counted.
	return frame_is_options(message) && frame_begins_something(message) &&
	       budget_spent(w->engine, flow, BUDGET_OPTIONS, w->now);
}

enum verdict admit_look(struct worker *w, const struct flow *flow, struct slice message)
{
	if (!w->admit->sorting)
		return VERDICT_NONE;
	// Who may not call at all does not take the place of those who may.
	if (engine_trunk_of(w->engine, flow) < 0)
		return VERDICT_DROP_UNKNOWN_SOURCE;
	if (is_spent_options(w, flow, message))
		return VERDICT_DROP_OPTIONS_LIMIT;
	// Of several workers another one may be the owner, who has room.
	if (w->n_workers == 1 && is_full(w->admit) && frame_begins_something(message))
		return VERDICT_DROP_OVERLOAD;
	return VERDICT_NONE;
}

bool admit_defer(struct worker *w, struct rte_mbuf *m)
{
	const struct mbuf_priv *priv = mbuf_priv(m);
	struct admit *a = w->admit;

	if (!a->sorting || priv->undelivered != 0 ||
	    !frame_begins_something(slice_of(priv->buf.data, priv->buf.len)))
		return false;
	if (a->n < ADMIT_WAITING)
		a->waiting[(a->head + a->n++) % ADMIT_WAITING] = m;
	else
		(void)admit_refuse(w, m, VERDICT_DROP_OVERLOAD);
	return true;
}

bool admit_refuse(struct worker *w, struct rte_mbuf *m, enum verdict otherwise)
{
	struct admit *a = w->admit;

	if (a->n_refused < ADMIT_REFUSED) {
		a->refused[a->n_refused++] = m;
		return true;
	}
	drop(w, m, otherwise);
	return false;
}

static void run_waiting(struct worker *w)
{
	struct admit *a = w->admit;
	struct rte_mbuf *m[BURST];
	uint32_t n = 0;

	while (a->n != 0 && n < BURST) {
		const struct mbuf_priv *priv;

		m[n] = take_first(a);
		priv = mbuf_priv(m[n]);
		// Those in front of it may have spent what there was when it came.
		if (is_spent_options(w, &priv->flow, slice_of(priv->buf.data, priv->buf.len)))
			drop(w, m[n], VERDICT_DROP_OPTIONS_LIMIT);
		else
			n++;
	}
	pipeline_messages(w, m, n);
}

void admit_run(struct worker *w)
{
	struct admit *a = w->admit;

	if (a->n == 0 && a->n_refused == 0)
		return;
	w->gave_work = true;
	a->sorting = false;
	run_waiting(w);
	if (a->n_refused == 0)
		return;
	engine_refuse_new(w->engine, true);
	pipeline_messages(w, a->refused, a->n_refused);
	engine_refuse_new(w->engine, w->refusing);
	a->n_refused = 0;
}
