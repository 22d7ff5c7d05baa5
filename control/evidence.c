// SPDX-License-Identifier: BSD-3-Clause
// The last messages of dropped calls. See evidence.h.
#include "control/evidence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/hide_numbers.h"
#include "control/trace.h"

#define CALLS  16384 // remembered at once
#define LINGER TICK_S(1)
#define HOUR   TICK_S(3600)

struct kept {
	struct tap_head head;
	uint8_t bytes[];
};

struct call {
	uint64_t key; // worker, call, gen; 0 = free
	struct kept *leg[2][EVIDENCE_MESSAGES];
	uint32_t n[2]; // messages seen
	uint64_t bytes;
	tick_t due; // when it is written; 0 = it has not ended
	bool dropped;
	uint32_t newer, older; // by last message; CALLS = none
	uint32_t next;	       // of the same bucket, or of the free ones
};

struct evidence {
	struct siphash_key key;
	struct call *calls; // [CALLS]
	uint32_t bucket[CALLS];
	uint32_t free, newest, oldest;
	uint32_t ended[CALLS]; // ring: what waits for its time
	uint32_t ended_at, n_ended;
	tick_t hour_tk;
	uint32_t files_this_hour;
	struct evidence_stats stats;
	uint8_t room[16384];
};

struct evidence *evidence_new(const struct siphash_key *key)
{
	struct evidence *e = calloc(1, sizeof(*e));

	if (e != NULL)
		e->calls = calloc(CALLS, sizeof(*e->calls));
	if (e == NULL || e->calls == NULL) {
		free(e);
		return NULL;
	}
	e->key = *key;
	e->newest = e->oldest = CALLS;
	for (uint32_t i = 0; i < CALLS; i++) {
		e->bucket[i] = CALLS;
		e->calls[i].next = i + 1;
	}
	return e;
}

static uint64_t key_of(unsigned worker, uint32_t call, uint32_t gen)
{
	return (uint64_t)worker << 58 ^ (uint64_t)call << 32 ^ gen ^ 1ull << 57;
}

static uint32_t *bucket_of(struct evidence *e, uint64_t key)
{
	return &e->bucket[(key * 0x9e3779b97f4a7c15u >> 40) % CALLS];
}

static struct call *find(struct evidence *e, uint64_t key)
{
	uint32_t i = *bucket_of(e, key);

	while (i != CALLS && e->calls[i].key != key)
		i = e->calls[i].next;
	return i != CALLS ? &e->calls[i] : NULL;
}

static void unlink_age(struct evidence *e, struct call *c)
{
	*(c->newer != CALLS ? &e->calls[c->newer].older : &e->newest) = c->older;
	*(c->older != CALLS ? &e->calls[c->older].newer : &e->oldest) = c->newer;
}

static void make_newest(struct evidence *e, struct call *c)
{
	uint32_t i = (uint32_t)(c - e->calls);

	c->newer = CALLS;
	c->older = e->newest;
	*(e->newest != CALLS ? &e->calls[e->newest].newer : &e->oldest) = i;
	e->newest = i;
}

static void forget(struct evidence *e, struct call *c)
{
	uint32_t i = (uint32_t)(c - e->calls), *at = bucket_of(e, c->key);

	while (*at != i)
		at = &e->calls[*at].next;
	*at = c->next;
	unlink_age(e, c);
	for (unsigned side = 0; side < 2; side++)
		for (unsigned k = 0; k < EVIDENCE_MESSAGES; k++)
			free(c->leg[side][k]);
	e->stats.bytes -= c->bytes;
	e->stats.calls--;
	memset(c, 0, sizeof(*c));
	c->next = e->free;
	e->free = i;
}

void evidence_free(struct evidence *e)
{
	while (e != NULL && e->newest != CALLS)
		forget(e, &e->calls[e->newest]);
	if (e != NULL)
		free(e->calls);
	free(e);
}

static struct call *add(struct evidence *e, uint64_t key)
{
	struct call *c;
	uint32_t *at;

	if (e->free == CALLS) {
		e->stats.forgotten++;
		forget(e, &e->calls[e->oldest]);
	}
	c = &e->calls[e->free];
	e->free = c->next;
	at = bucket_of(e, key);
	c->key = key;
	c->next = *at;
	*at = (uint32_t)(c - e->calls);
	make_newest(e, c);
	e->stats.calls++;
	return c;
}

void evidence_put(struct evidence *e, const struct config *c, unsigned worker,
		  const struct tap_head *head, const uint8_t *bytes)
{
	uint64_t key = key_of(worker, head->about.call, head->about.gen);
	size_t size = sizeof(struct kept) + head->len;
	struct kept *kept, **slot;
	struct call *call;

	if (head->about.call == UINT32_MAX || head->about.side > 1)
		return;
	call = find(e, key);
	// Transactions outlive their call: what they still say must not make another one of it.
	if (call == NULL && (head->len < 7 || memcmp(bytes, "INVITE ", 7) != 0))
		return;
	kept = malloc(size);
	if (kept == NULL)
		return;
	kept->head = *head;
	memcpy(kept->bytes, bytes, head->len);
	if (call == NULL)
		call = add(e, key);
	slot = &call->leg[head->about.side][call->n[head->about.side]++ % EVIDENCE_MESSAGES];
	if (*slot != NULL) {
		call->bytes -= sizeof(struct kept) + (*slot)->head.len;
		e->stats.bytes -= sizeof(struct kept) + (*slot)->head.len;
		free(*slot);
	}
	*slot = kept;
	call->bytes += size;
	e->stats.bytes += size;
	unlink_age(e, call);
	make_newest(e, call);
	while (e->stats.bytes > (uint64_t)c->evidence.memory_mib << 20 && e->oldest != e->newest) {
		e->stats.forgotten++;
		forget(e, &e->calls[e->oldest]);
	}
}

void evidence_end(struct evidence *e, unsigned worker, const struct call_record *record, tick_t now)
{
	struct call *c = find(e, key_of(worker, record->call, record->gen));

	if (c == NULL || c->due != 0 || e->n_ended == CALLS)
		return;
	c->due = now + LINGER;
	c->dropped = cause_class((enum cause)record->cause) == CAUSE_CLASS_DROP;
	e->ended[(e->ended_at + e->n_ended++) % CALLS] = (uint32_t)(c - e->calls);
}

static struct kept *next_message(const struct call *c, uint32_t at[2])
{
	struct kept *best = NULL;
	unsigned from = 0;

	for (unsigned side = 0; side < 2; side++) {
		struct kept *k =
			at[side] < c->n[side] ? c->leg[side][at[side] % EVIDENCE_MESSAGES] : NULL;

		if (k != NULL && (best == NULL || k->head.at < best->head.at)) {
			best = k;
			from = side;
		}
	}
	if (best != NULL)
		at[from]++;
	return best;
}

// The file of a call; 0 or -errno.
static int write_file(struct evidence *e, const struct config *c, const struct call *call,
		      uint64_t to_unix, const char *path)
{
	uint32_t at[2];
	struct trace trace;
	struct kept *k;
	int rc;

	trace_init(&trace);
	rc = trace_open(&trace, c, path, UINT64_MAX);
	if (rc != 0)
		return rc;
	for (unsigned side = 0; side < 2; side++)
		at[side] =
			call->n[side] > EVIDENCE_MESSAGES ? call->n[side] - EVIDENCE_MESSAGES : 0;
	while ((k = next_message(call, at)) != NULL) {
		struct outbuf o = outbuf_of(e->room, sizeof(e->room));
		struct tap_head head = k->head;

		hide_numbers(&o, &e->key, slice_of(k->bytes, k->head.len));
		if (o.full) // hashes made it too long
			continue;
		head.len = (uint16_t)o.len;
		(void)trace_put(&trace, c, &head, e->room, to_unix + head.at);
	}
	trace_close(&trace);
	return trace.reason[0] != '\0' ? -ENOSPC : 0;
}

static void dump(struct evidence *e, const struct config *c, const struct call *call,
		 uint64_t to_unix, char path[300], char why[128])
{
	const char *dir = c->evidence.dir[0] != '\0' ? c->evidence.dir : c->system.run_dir;
	time_t seconds = (time_t)((to_unix + call->due - LINGER) / 1000000);
	struct tm tm;
	char stamp[32], name[300];
	int rc;

	if (e->files_this_hour >= c->evidence.files) {
		e->stats.suppressed++;
		return;
	}
	e->files_this_hour++;
	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(name, sizeof(name), "%.200s/evidence-%s-%016llx.pcapng", dir, stamp,
		 (unsigned long long)siphash(e->key, slice_of(&call->key, sizeof(call->key))));
	rc = write_file(e, c, call, to_unix, name);
	if (rc == 0) {
		e->stats.files++;
		snprintf(path, 300, "%s", name);
	} else {
		e->stats.failed++;
		snprintf(why, 128, "%s", strerrordesc_np(-rc));
	}
}

void evidence_poll(struct evidence *e, const struct config *c, tick_t now, uint64_t to_unix,
		   char path[300], char why[128])
{
	path[0] = why[0] = '\0';
	if (now - e->hour_tk > HOUR) {
		e->hour_tk = now;
		e->files_this_hour = 0;
	}
	// One file a call: control has more to do.
	while (e->n_ended != 0 && path[0] == '\0' && why[0] == '\0') {
		struct call *call = &e->calls[e->ended[e->ended_at]];

		if (call->due != 0 && call->due > now)
			return;
		if (call->due != 0 && call->dropped)
			dump(e, c, call, to_unix, path, why);
		if (call->due != 0) // else it was forgotten meanwhile
			forget(e, call);
		e->ended_at = (e->ended_at + 1) % CALLS;
		e->n_ended--;
	}
}

void evidence_stats(const struct evidence *e, struct evidence_stats *stats)
{
	*stats = e->stats;
}
