// SPDX-License-Identifier: BSD-3-Clause
// Immutable blocks of leg text. Pure; memory is the caller's.
#include "dialog/leg_text.h"

uint32_t leg_text_size(const struct leg_text_parts *parts)
{
	uint32_t bytes = 0;

	for (int i = 0; i < LEG_TEXT_N; i++) {
		if (parts->part[i].len > UINT16_MAX - bytes)
			return 0;
		bytes += parts->part[i].len;
	}
	return (uint32_t)sizeof(struct leg_text) + bytes;
}

struct leg_text *leg_text_build(void *mem, const struct leg_text_parts *parts)
{
	struct leg_text *t = mem;
	uint32_t at = 0;

	for (int i = 0; i < LEG_TEXT_N; i++) {
		if (parts->part[i].len != 0)
			memcpy(t->bytes + at, parts->part[i].p, parts->part[i].len);
		at += parts->part[i].len;
		t->end[i] = (uint16_t)at;
	}
	t->size = (uint32_t)sizeof(struct leg_text) + at;
	t->refs = 1;
	return t;
}

void leg_text_read(const struct leg_text *t, struct leg_text_parts *parts)
{
	for (int i = 0; i < LEG_TEXT_N; i++)
		parts->part[i] = leg_text_part(t, (enum leg_text_part)i);
}
