// SPDX-License-Identifier: BSD-3-Clause
// The step `why`: what verge says about a leg's timer (vergectl why), and the instants that it
// announces, for the steps that see whether they come true.
// One thread of a test program.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/why.h"
#include "run.h"

static bool find(struct run *r, const char *subject, struct why *why, struct call_view *view,
		 unsigned *side)
{
	struct world *w = &r->net.world;
	const char *label;
	struct peer *p = run_subject(r, subject, &label);
	struct dialog *d = p != NULL ? peer_dialog(p, label) : NULL;

	*why = (struct why){.control = w->control, .view = view, .now = w->now};
	for (unsigned i = 0; d != NULL && i < w->workers; i++) {
		uint32_t call = engine_find(w->engine[i], slice_of_str(d->call_id));

		if (call == UINT32_MAX || engine_view(w->engine[i], call, view) != 0)
			continue;
		why->worker = i;
		for (*side = 0; *side < 2; ++*side)
			if (strcmp(view->legs[*side].call_id, d->call_id) == 0)
				return true;
	}
	return false;
}

// "at 2023-11-14T22:28:20.123Z" behind the start of a sentence, as a time since the mark.
static const char *instant(struct run *r, const char *story, const char *sentence)
{
	const char *from = strstr(story, sentence), *stamp;
	struct tm tm = {0};
	double seconds;
	int64_t us;

	stamp = from != NULL ? strstr(from, " at 2") : NULL;
	if (stamp == NULL || stamp > from + strcspn(from, "\n") ||
	    sscanf(stamp, " at %d-%d-%dT%d:%d:%lf", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &seconds) != 6) {
		run_fail(r, "\"%s\" announces no instant:\n%s", sentence, story);
		return "0s";
	}
	tm.tm_year -= 1900;
	tm.tm_mon--;
	us = (int64_t)timegm(&tm) * 1000000 + (int64_t)(seconds * 1e6 + 0.5);
	us += (int64_t)WORLD_START_TK - (int64_t)r->net.world.wall_us - (int64_t)r->mark;
	return arena_printf(&r->arena, "%.3fs", (double)us / 1e6);
}

static void line(struct run *r, const char *story, const char *what)
{
	bool absent = what[0] == '!';

	what += absent;
	if (strncmp(what, "says ", 5) == 0) {
		if ((strstr(story, what + 5) != NULL) == absent)
			run_fail(r, "%s: \"%s\"\n%s", absent ? "it is said" : "it is not said",
				 what + 5, story);
	} else if (strncmp(what, "next ", 5) == 0) {
		run_set_var(r, what + 5, instant(r, story, "Next:"));
	} else if (strncmp(what, "fate ", 5) == 0) {
		run_set_var(r, what + 5, instant(r, story, "If "));
	} else {
		run_fail(r, "\"%s\": says TEXT, !says TEXT, next NAME or fate NAME", what);
	}
}

bool step_why(struct run *r, const struct step *s)
{
	static char story[WHY_MAX_BYTES + 1];
	struct outbuf o = outbuf_of(story, WHY_MAX_BYTES);
	struct call_view view;
	struct why why;
	unsigned side;

	if (strcmp(s->words[0], "why") != 0)
		return false;
	if (s->n_words != 2 || !find(r, s->words[1], &why, &view, &side)) {
		run_fail(r, "the leg is not there");
		return true;
	}
	why_put_leg(&o, &why, side);
	story[o.len] = '\0';
	run_note(r, "     . %s", story);
	for (int i = 0; i < s->n_details && r->error == NULL; i++)
		line(r, story, s->details[i]);
	return true;
}
