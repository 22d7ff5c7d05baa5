// SPDX-License-Identifier: BSD-3-Clause
// Messages that show where a trunk's peer departs from an RFC: the newest of each kind (control.h).
// Thread: control. Bounded: one a kind and trunk, SAMPLES_MAX in all; a trunk that comes later has
// its departures counted without samples.
#include <stdlib.h>

#include "control/core.h"
#include "control/hide_numbers.h"

#define SAMPLES_MAX 4096 // some 10 MiB
#define SAMPLE_ROOM 4096 // hashes make a message longer: what does not fit is no sample

static void keep(struct control *c, struct control_sample **slot, const struct tap_head *head,
		 struct slice bytes)
{
	struct control_sample *s;

	if (*slot == NULL && c->n_samples == SAMPLES_MAX)
		return;
	s = realloc(*slot, sizeof(*s) + bytes.len);
	if (s == NULL)
		return;
	c->n_samples += *slot == NULL;
	*slot = s;
	s->at = head->at;
	s->out = head->out;
	s->cut = head->cut;
	s->len = bytes.len;
	memcpy(s->bytes, bytes.p, bytes.len);
}

void control_sample(struct control *c, const struct tap_head *head, const uint8_t *bytes)
{
	struct control_trunk *trunk = core_trunk(c, head->about.trunk);
	struct slice message = slice_of(bytes, head->len);
	uint8_t room[SAMPLE_ROOM];
	struct outbuf o = outbuf_of(room, sizeof(room));
	enum config_report_samples how;

	if (trunk == NULL || head->shows == 0)
		return;
	how = c->config->trunks[head->about.trunk].report_samples;
	if (how == CONFIG_REPORT_SAMPLES_HASHED) {
		hide_numbers(&o, &c->sample_key, message);
		message = outbuf_slice(&o);
	}
	for (unsigned v = 0; v < VIOLATION_N; v++)
		if (how != CONFIG_REPORT_SAMPLES_NONE && !o.full && (head->shows >> v & 1) != 0)
			keep(c, &trunk->samples[v], head, message);
}

const struct control_sample *control_sample_of(const struct control *c, unsigned trunk,
					       enum violation v)
{
	const struct control_trunk *t = core_trunk(c, trunk);

	return t != NULL ? t->samples[v] : NULL;
}

void samples_forget(struct control *c, struct control_trunk *trunk)
{
	for (unsigned v = 0; v < VIOLATION_N; v++) {
		c->n_samples -= trunk->samples[v] != NULL;
		free(trunk->samples[v]);
		trunk->samples[v] = NULL;
	}
}
