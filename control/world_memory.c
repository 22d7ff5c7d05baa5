// SPDX-License-Identifier: BSD-3-Clause
// Message buffers and leg text on the heap, watched.
// One thread of the caller.
#include "control/world_memory.h"

#include <stdlib.h>
#include <string.h>

#define ROOM   2048 // least room of a buffer, as in an mbuf
#define GUARD  0x5afe5afe5afe5afeull
#define POISON 0xa5

// A block that is out.
struct world_memory_out {
	struct world_memory_out *next, **at;
	void *base; // what malloc() gave
};

struct world_memory_text {
	struct world_memory_out out;
	struct world_memory_text *next;
	uint64_t size;
	uint8_t bytes[]; // then the guard
};

struct buf {
	struct sip_buf sip;
	struct world_memory_out out;
	uint64_t size;
	uint8_t bytes[]; // then the guard
};

static void put_guard(uint8_t *at)
{
	uint64_t guard = GUARD;

	memcpy(at, &guard, sizeof(guard));
}

static bool guard_broken(const uint8_t *at)
{
	uint64_t guard = GUARD;

	return memcmp(at, &guard, sizeof(guard)) != 0;
}

static void report(struct world_memory *m, const char *what)
{
	if (m->error == NULL)
		m->error = what;
}

static void go_out(struct world_memory *m, struct world_memory_out *out, void *base)
{
	out->base = base;
	out->next = m->out;
	out->at = &m->out;
	if (m->out != NULL)
		m->out->at = &out->next;
	m->out = out;
}

static void come_back(struct world_memory_out *out)
{
	*out->at = out->next;
	if (out->next != NULL)
		out->next->at = out->at;
}

void world_memory_free(struct world_memory *m)
{
	struct world_memory_out *out = m->out, *next;

	for (m->out = NULL; out != NULL; out = next) {
		next = out->next;
		free(out->base);
	}
	world_memory_grace(m);
}

struct sip_buf *world_memory_buf_get(void *ctx, uint32_t size)
{
	struct world_memory *m = ctx;
	uint64_t room = size > ROOM ? size : ROOM;
	struct buf *b;

	if (m->no_bufs)
		return NULL;
	b = malloc(sizeof(*b) + room + sizeof(uint64_t));
	if (b == NULL)
		abort();
	memset(b->bytes, POISON, room);
	put_guard(b->bytes + room);
	b->size = room;
	b->sip = (struct sip_buf){.data = b->bytes, .cap = (uint32_t)room, .refs = 1};
	go_out(m, &b->out, b);
	if (++m->bufs > m->bufs_peak)
		m->bufs_peak = m->bufs;
	return &b->sip;
}

static void buf_put(void *ctx, struct sip_buf *sip)
{
	struct world_memory *m = ctx;
	struct buf *b = (struct buf *)(void *)sip;

	if (sip->refs != 0)
		report(m, "a message buffer was given back while it had references");
	if (guard_broken(b->bytes + b->size))
		report(m, "a message buffer was written past its end");
	m->bufs--;
	come_back(&b->out);
	free(b);
}

void world_memory_buf_release(struct world_memory *m, struct sip_buf *buf)
{
	if (buf->refs == 0) {
		report(m, "a message buffer without references was sent");
		return;
	}
	if (--buf->refs == 0)
		buf_put(m, buf);
}

static void *text_alloc(void *ctx, uint32_t size)
{
	struct world_memory *m = ctx;
	struct world_memory_text *t;

	if (m->no_text)
		return NULL;
	t = malloc(sizeof(*t) + size + sizeof(uint64_t));
	if (t == NULL)
		abort();
	memset(t->bytes, POISON, size);
	put_guard(t->bytes + size);
	t->size = size;
	go_out(m, &t->out, t);
	m->texts++;
	m->text_bytes += size;
	// cppcheck-suppress memleak ; the bytes lead back to t, which their release frees
	return t->bytes;
}

static void text_retire(void *ctx, void *text, uint32_t size)
{
	struct world_memory *m = ctx;
	struct world_memory_text *t =
		(struct world_memory_text *)(void *)((uint8_t *)text -
						     offsetof(struct world_memory_text, bytes));

	if (t->size != size)
		report(m, "a text was retired with another size than it was allocated with");
	if (guard_broken(t->bytes + t->size))
		report(m, "a text was written past its end");
	memset(t->bytes, POISON, t->size);
	come_back(&t->out);
	m->texts--;
	m->text_bytes -= t->size;
	t->next = m->retired;
	m->retired = t;
}

void world_memory_grace(struct world_memory *m)
{
	while (m->retired != NULL) {
		struct world_memory_text *t = m->retired;

		for (uint64_t i = 0; i < t->size; i++)
			if (t->bytes[i] != POISON)
				report(m, "a text was written after it was retired");
		m->retired = t->next;
		free(t);
	}
}

const struct engine_ops world_memory_ops = {
	.buf_get = world_memory_buf_get,
	.buf_put = buf_put,
	.text_alloc = text_alloc,
	.text_retire = text_retire,
};
