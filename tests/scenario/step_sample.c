// SPDX-License-Identifier: BSD-3-Clause
// The step `sample TRUNK KIND`: the message that control keeps to show how a trunk's peer departs
// from an RFC (KIND of lib/stat/violation.def), as the trunk's report shows it.
// One thread of a test program.
#include <string.h>

#include "run.h"

static const struct control_sample *find(struct run *r, const struct step *s)
{
	static const char *const kinds[] = {
#define VIOLATION(id, row, rfc, what) [VIOLATION_##id] = #id,
#include "stat/violation.def"
	};
	int trunk = config_trunk_find(world_config(&r->net.world), s->words[1]);

	for (unsigned v = 0; trunk >= 0 && v < VIOLATION_N; v++)
		if (strcmp(kinds[v], s->words[2]) == 0)
			return control_sample_of(r->net.world.control, (unsigned)trunk,
						 (enum violation)v);
	run_fail(r, "sample TRUNK KIND");
	return NULL;
}

bool step_sample(struct run *r, const struct step *s)
{
	const struct control_sample *sample;
	struct slice bytes;

	if (strcmp(s->words[0], "sample") != 0)
		return false;
	sample = s->n_words == 3 ? find(r, s) : NULL;
	if (sample == NULL) {
		run_fail(r, "there is no sample");
		return true;
	}
	bytes = slice_of(sample->bytes, sample->len);
	run_note(r, "     . %.*s", (int)bytes.len, (const char *)bytes.p);
	for (int i = 0; i < s->n_details; i++) {
		const char *what = s->details[i];
		bool absent = what[0] == '!';

		what += absent;
		if (strncmp(what, "says ", 5) != 0)
			run_fail(r, "\"%s\": says TEXT or !says TEXT", what);
		else if ((memmem(bytes.p, bytes.len, what + 5, strlen(what + 5)) != NULL) == absent)
			run_fail(r, "%s: \"%s\"\n%.*s", absent ? "it is said" : "it is not said",
				 what + 5, (int)bytes.len, (const char *)bytes.p);
	}
	return true;
}
