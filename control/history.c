// SPDX-License-Identifier: BSD-3-Clause
// Sums over all trunks once a minute, loads of workers every five seconds.
#include "control/history.h"

#include <string.h>

#define LOAD_EVERY TICK_S(5)
#define MINUTE	   TICK_S(60)

static uint64_t trunk_row(const struct control_view *v, unsigned trunk, unsigned row)
{
	const struct control_trunk_stats *own = control_trunk_stats(v->core, trunk);
	uint64_t sum = own != NULL ? stat_read(&own->shared.value[row]) : 0;

	for (unsigned w = 0; w < v->n_workers; w++) {
		const struct trunk_stats *t = v->trunk_stats(v->ctx, w, trunk);

		sum += t != NULL ? stat_read(&t->value[row]) : 0;
	}
	return sum;
}

static void add_trunk(struct history_totals *t, const struct control_view *v, unsigned trunk)
{
	static const struct {
		uint16_t row;
		uint16_t field; // offset in struct history_totals
	} rows[] = {
#define ROW(stat, field) {TRUNK_STAT_##stat, offsetof(struct history_totals, field)}
		ROW(calls_in_answered, calls),
		ROW(refreshes_update_sent_ok, sent),
		ROW(refreshes_invite_sent_ok, sent),
		ROW(refreshes_update_received_ok, received),
		ROW(refreshes_invite_received_ok, received),
		ROW(refreshes_update_sent_failed, failed),
		ROW(refreshes_invite_sent_failed, failed),
		ROW(refreshes_update_received_failed, failed),
		ROW(refreshes_invite_received_failed, failed),
		ROW(expired_end, expired),
		ROW(expired_warn, expired),
#undef ROW
	};
	const struct control_trunk_stats *own = control_trunk_stats(v->core, trunk);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		*(uint64_t *)(void *)((char *)t + rows[i].field) +=
			trunk_row(v, trunk, rows[i].row);
	// each call has one ingress trunk: counted once
	for (unsigned i = 0; own != NULL && i < CAUSE_N; i++)
		t->causes[i] += own->causes[SIDE_A][i];
}

static void read_totals(struct history_totals *t, const struct control_view *v)
{
	unsigned n = control_config(v->core)->n_trunks;

	memset(t, 0, sizeof(*t));
	for (unsigned i = 0; i < n; i++)
		add_trunk(t, v, i);
}

static void subtract(struct history_totals *t, const struct history_totals *before)
{
	t->calls -= before->calls;
	t->sent -= before->sent;
	t->received -= before->received;
	t->failed -= before->failed;
	t->expired -= before->expired;
	for (unsigned i = 0; i < CAUSE_N; i++)
		t->causes[i] -= before->causes[i];
}

static void add(struct history_totals *t, const struct history_totals *other)
{
	t->calls += other->calls;
	t->sent += other->sent;
	t->received += other->received;
	t->failed += other->failed;
	t->expired += other->expired;
	for (unsigned i = 0; i < CAUSE_N; i++)
		t->causes[i] += other->causes[i];
}

static void sample_loads(struct history *h, const struct control_view *v)
{
	for (unsigned i = 0; i < v->n_workers && i < HISTORY_WORKERS; i++) {
		uint64_t busy = stat_read(&v->worker_stats[i]->busy_us);
		uint64_t idle = stat_read(&v->worker_stats[i]->idle_us);
		uint64_t b = busy - h->loads[i].busy_us, all = b + idle - h->loads[i].idle_us;

		h->loads[i].busy_pm = all != 0 ? (unsigned)(b * 1000 / all) : 0;
		h->loads[i].busy_us = busy;
		h->loads[i].idle_us = idle;
	}
}

void history_now(struct history *h, const struct control_view *v)
{
	struct history_totals *t = &h->minutes[h->newest];

	read_totals(t, v);
	subtract(t, &h->before);
}

void history_poll(struct history *h, const struct control_view *v, tick_t now)
{
	if (now >= h->load_tk) {
		sample_loads(h, v);
		h->load_tk = now + LOAD_EVERY;
	}
	if (h->minute_tk == 0) {
		h->minute_tk = now + MINUTE;
		h->n = 1;
		read_totals(&h->before, v);
		return;
	}
	if (now < h->minute_tk)
		return;
	history_now(h, v);
	add(&h->before, &h->minutes[h->newest]);
	// a machine that slept: the minutes are empty
	for (unsigned i = 0; i < HISTORY_MINUTES && now >= h->minute_tk; i++) {
		h->minute_tk += MINUTE;
		h->newest = (h->newest + 1) % HISTORY_MINUTES;
		h->n += h->n < HISTORY_MINUTES;
		memset(&h->minutes[h->newest], 0, sizeof(h->minutes[0]));
	}
	if (now >= h->minute_tk)
		h->minute_tk = now + MINUTE;
}

tick_t history_next(const struct history *h)
{
	return h->load_tk < h->minute_tk ? h->load_tk : h->minute_tk;
}

const struct history_totals *history_minute(const struct history *h, unsigned age)
{
	return age < h->n ? &h->minutes[(h->newest + HISTORY_MINUTES - age) % HISTORY_MINUTES]
			  : NULL;
}

void history_sum(const struct history *h, struct history_totals *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < h->n; i++)
		add(sum, history_minute(h, i));
}
