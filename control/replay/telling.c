// SPDX-License-Identifier: BSD-3-Clause
// What happened in a call. See telling.h.
#include "control/replay/telling.h"

#include <stdlib.h>
#include <string.h>

#include "sip/numbers.h"

#define BLOCK_ROWS 1000 // rows that are compared with each other at once

// "SE 90 uas", "Min-SE 1800"; "" where it says nothing of session timers.
static const char *detail_of(struct region *r, const struct sip_msg *m)
{
	static const char *const refresher[] = {"", " uac", " uas", " ?"};
	struct sip_session_expires se;
	uint32_t min_se;
	char text[64] = "";
	size_t n = 0;

	if (sip_session_expires_of(m, &se) == 0)
		n = (size_t)snprintf(text, sizeof(text), "SE %u%s", se.seconds,
				     refresher[se.refresher]);
	if (sip_min_se_of(m, &min_se) == 0)
		snprintf(text + n, sizeof(text) - n, "%sMin-SE %u", n != 0 ? " " : "", min_se);
	return text[0] != '\0' ? region_copy(r, text, strlen(text) + 1) : "";
}

void telling_add(struct telling *t, const struct row *where, const struct sip_msg *m)
{
	struct sip_cseq cseq = {.method = SIP_METHOD_NONE};
	struct row *row;
	struct slice method;

	(void)sip_cseq_of(m, &cseq);
	method = sip_msg_is_request(m) ? m->method_token : cseq.method_token;
	t->row = region_grow(t->region, t->row, t->n, sizeof(*t->row));
	row = &t->row[t->n++];
	*row = *where;
	row->status = m->status;
	row->method = sip_msg_is_request(m) ? m->method : cseq.method;
	row->sdp = m->body.len != 0;
	row->detail = detail_of(t->region, m);
	if (method.len > 20)
		method.len = 20;
	if (m->status == 0)
		row->label = region_printf(t->region, "%.*s%s", SLICE_ARG(method),
					   row->sdp ? " (body)" : "");
	else
		row->label = region_printf(t->region, "%u %.*s (%.*s)%s", m->status,
					   m->reason.len < 24 ? (int)m->reason.len : 24,
					   m->reason.len != 0 ? (const char *)m->reason.p : "",
					   SLICE_ARG(method), row->sdp ? " (body)" : "");
}

static void say_end(char *text, size_t size, const char *sbc, const struct row *answer,
		    const struct row *bye)
{
	const char *who = bye->out ? sbc : bye->lane == 0 ? "the caller" : "the callee";

	snprintf(text, size, "%s ended it after %.1f s", who, (double)(bye->us - answer->us) / 1e6);
}

bool telling_outcome(const struct telling *t, const char *sbc, char *text, size_t size)
{
	const struct row *answer = NULL, *refusal = NULL;

	for (uint32_t i = 0; i < t->n; i++) {
		const struct row *r = &t->row[i];

		if (r->lane == 0 && r->out && r->method == SIP_INVITE && r->status >= 200) {
			if (r->status < 300)
				answer = answer != NULL ? answer : r;
			else if (answer == NULL)
				refusal = r;
		}
		if (r->status == 0 && r->method == SIP_BYE && answer != NULL) {
			say_end(text, size, sbc, answer, r);
			return r->out;
		}
	}
	if (answer != NULL)
		snprintf(text, size, "it is up at the end");
	else if (refusal != NULL)
		snprintf(text, size, "it failed: %s", refusal->label);
	else
		snprintf(text, size, "it has no answer at the end");
	return false;
}

unsigned telling_refreshes(const struct telling *t)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < t->n; i++)
		n += t->row[i].out && t->row[i].status == 0 && t->row[i].in_dialog &&
		     (t->row[i].method == SIP_UPDATE || t->row[i].method == SIP_INVITE) &&
		     strncmp(t->row[i].detail, "SE ", 3) == 0;
	return n;
}

static bool same_kind(const struct row *a, const struct row *b)
{
	return a->out == b->out && a->method == b->method && a->status == b->status;
}

// Longest common subsequence of two runs of rows (textbook), marked in match[]: index in b plus 1.
static void align_block(struct row *const *a, uint32_t n, struct row *const *b, uint32_t m,
			uint32_t *match, uint16_t *table)
{
	uint32_t w = m + 1;

	for (uint32_t i = n; i-- > 0;)
		for (uint32_t k = m; k-- > 0;)
			table[i * w + k] = same_kind(a[i], b[k])
						   ? (uint16_t)(table[(i + 1) * w + k + 1] + 1)
					   : table[(i + 1) * w + k] > table[i * w + k + 1]
						   ? table[(i + 1) * w + k]
						   : table[i * w + k + 1];
	for (uint32_t i = 0, k = 0; i < n && k < m;) {
		if (same_kind(a[i], b[k])) {
			match[i++] = ++k;
		} else if (table[(i + 1) * w + k] >= table[i * w + k + 1]) {
			i++;
		} else {
			k++;
		}
	}
}

static uint32_t rows_of_lane(const struct telling *t, unsigned lane, struct row **rows)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n; i++)
		if (t->row[i].lane == lane)
			rows[n++] = &t->row[i];
	return n;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint64_t time_of(const struct both *b)
{
	return both_row(b)->us;
}

// What only one of them has stands by its time between what both have.
static void order_gaps(struct both *b, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t k = i; k > 0; k--) {
			struct both one = b[k - 1], two = b[k];

			if (one.is != NULL || two.was != NULL || time_of(&two) >= time_of(&one))
				break;
			b[k - 1] = two;
			b[k] = one;
		}
}

// One lane: pairs in order, appended to out.
static uint32_t align_lane(struct row **a, uint32_t n, struct row **b, uint32_t m, struct both *out)
{
	size_t rows = least(n, BLOCK_ROWS) + 1, columns = least(m, BLOCK_ROWS) + 1;
	uint16_t *table = malloc(sizeof(*table) * rows * columns);
	uint32_t *match = malloc(sizeof(*match) * rows), made = 0;

	for (uint32_t at = 0; table != NULL && match != NULL && (at < n || at < m);
	     at += BLOCK_ROWS) {
		uint32_t na = at < n ? least(n - at, BLOCK_ROWS) : 0, k = 0;
		uint32_t nb = at < m ? least(m - at, BLOCK_ROWS) : 0;

		memset(table, 0, sizeof(*table) * (na + 1) * (nb + 1));
		memset(match, 0, sizeof(*match) * na);
		align_block(a + at, na, b + at, nb, match, table);
		for (uint32_t i = 0; i < na; i++) {
			while (match[i] != 0 && k + 1 < match[i])
				out[made++] = (struct both){NULL, b[at + k++]};
			out[made++] = (struct both){a[at + i], match[i] != 0 ? b[at + k++] : NULL};
		}
		while (k < nb)
			out[made++] = (struct both){NULL, b[at + k++]};
	}
	free(table);
	free(match);
	order_gaps(out, made);
	return made;
}

// Merge the lanes by time; within a lane the order stays.
static void merge(struct both *out, struct both *lane[], const uint32_t *n)
{
	uint32_t at[TELLING_LANES] = {0};

	for (;;) {
		int next = -1;

		for (int l = 0; l < TELLING_LANES; l++)
			if (at[l] < n[l] &&
			    (next < 0 || time_of(&lane[l][at[l]]) < time_of(&lane[next][at[next]])))
				next = l;
		if (next < 0)
			return;
		*out++ = lane[next][at[next]++];
	}
}

struct both *telling_align(const struct telling *was, const struct telling *is, uint32_t *n)
{
	struct region *r = is->region;
	size_t all = (size_t)was->n + is->n;
	struct both *lane[TELLING_LANES], *out = region_alloc(r, sizeof(*out) * (all + 1));
	struct row **a = region_alloc(r, sizeof(*a) * (was->n + 1));
	struct row **b = region_alloc(r, sizeof(*b) * (is->n + 1));
	uint32_t made[TELLING_LANES];

	*n = 0;
	for (unsigned l = 0; l < TELLING_LANES; l++) {
		uint32_t na = rows_of_lane(was, l, a), nb = rows_of_lane(is, l, b);

		lane[l] = region_alloc(r, sizeof(**lane) * (na + nb + 1));
		made[l] = align_lane(a, na, b, nb, lane[l]);
		*n += made[l];
	}
	merge(out, lane, made);
	return out;
}

bool telling_same(const struct both *b)
{
	return b->was != NULL && b->is != NULL && strcmp(b->was->detail, b->is->detail) == 0 &&
	       b->was->sdp == b->is->sdp;
}

unsigned telling_differences(const struct both *b, uint32_t n)
{
	unsigned found = 0;

	for (uint32_t i = 0; i < n; i++)
		found += !telling_same(&b[i]);
	return found;
}
