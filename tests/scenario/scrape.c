// SPDX-License-Identifier: BSD-3-Clause
// What Prometheus would see: the shell's own text (control/metrics.c), made from a world.
// One thread of a test program.
#include "scrape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/metrics.h"

#define KEYS_MAX    4000
#define KEY_MAX	    200
#define SCRAPES_MAX 300 // of one case: long loops show nothing new

static struct {
	char text[KEY_MAX];
	bool moved;
} keys[KEYS_MAX];
static unsigned n_keys;

// --- the view of a world

static tick_t view_now(void *ctx)
{
	return ((struct world *)ctx)->now;
}

static uint64_t view_unix(void *ctx, tick_t tick)
{
	(void)ctx;
	return tick;
}

static const struct trunk_stats *view_trunk(void *ctx, unsigned worker, unsigned trunk)
{
	return &((struct world *)ctx)->trunk_stats[worker][trunk];
}

static uint32_t view_calls_max(void *ctx, unsigned worker)
{
	return engine_calls_max(((struct world *)ctx)->engine[worker]);
}

static int view_call(void *ctx, unsigned worker, uint32_t index, struct call_view *view)
{
	return engine_view(((struct world *)ctx)->engine[worker], index, view);
}

static char *grown(char *text, size_t size)
{
	char *more = realloc(text, size);

	if (more == NULL)
		abort();
	return more;
}

// All of /metrics at this instant; malloc()ed.
static char *text_of(struct world *w)
{
	const struct worker_stats *stats[WORLD_WORKERS_MAX];
	static const uint64_t nothing[VERDICT_N];
	const uint64_t *verdicts[WORLD_WORKERS_MAX];
	static const uint16_t cpus[WORLD_WORKERS_MAX];
	static const struct history history;
	struct control_view view = {.ctx = w,
				    .core = w->control,
				    .n_workers = w->workers,
				    .worker_stats = stats,
				    .verdicts = verdicts,
				    .worker_cpus = cpus,
				    .now = view_now,
				    .unix_us = view_unix,
				    .live = w->live,
				    .trunk_stats = view_trunk,
				    .calls_max = view_calls_max,
				    .call = view_call};
	struct body *body;
	size_t len = 0, cap = 1 << 16;
	char *out = malloc(cap);
	ssize_t n;

	for (unsigned i = 0; i < w->workers; i++) {
		engine_gauges(w->engine[i]);
		stats[i] = w->worker_stats[i];
		verdicts[i] = i == 0 ? w->verdicts : nothing;
	}
	body = metrics_body_new(&view, &history, false);
	if (out == NULL || body == NULL)
		abort();
	while ((n = body_take(body, out + len, cap - len - 1)) > 0) {
		len += (size_t)n;
		if (cap - len < 4096)
			out = grown(out, cap *= 2);
	}
	body_free(body);
	out[len] = '\0';
	return out;
}

// --- what has moved

// The sample without the labels that say where: trunk and worker. False: not one that is judged.
static bool key_of(const char *line, size_t len, char *key)
{
	size_t n = 0;

	if (len == 0 || line[0] == '#' || len >= KEY_MAX)
		return false;
	for (size_t i = 0; i < len;) {
		bool where = n != 0 && (key[n - 1] == '{' || key[n - 1] == ',') &&
			     (strncmp(line + i, "trunk=\"", 7) == 0 ||
			      strncmp(line + i, "worker=\"", 8) == 0);

		if (!where) {
			key[n++] = line[i++];
			continue;
		}
		i = (size_t)(strchr(line + i, '"') - line) + 1;
		i = (size_t)(strchr(line + i, '"') - line) + 1;
		if (line[i] == ',')
			i++;
	}
	if (n > 1 && key[n - 2] == '{') // nothing is left in the braces
		n -= 2;
	else if (n > 1 && key[n - 2] == ',')
		key[--n - 1] = '}';
	key[n] = '\0';
	return strstr(key, "_bucket{") == NULL && strstr(key, "_sum") == NULL &&
	       strncmp(key, "verge_call_ends_total", 21) != 0; // map.py: each cause has a case
}

static void note(const char *key, bool moved)
{
	unsigned i = 0;

	while (i < n_keys && strcmp(keys[i].text, key) != 0)
		i++;
	if (i == KEYS_MAX)
		abort();
	if (i == n_keys)
		snprintf(keys[n_keys++].text, KEY_MAX, "%s", key);
	keys[i].moved |= moved;
}

// Rows that the text shows only once they are not 0.
static void note_sparse(void)
{
	static const char *const rows[] = {
#define SPARSE(metric, labels) "verge_" metric "{" labels "}",
#define COUNTER(metric, labels)
#define GAUGE(metric, labels)
#define TRUNK_STAT(field, kind, metric, labels, help) kind(metric, labels)
#include "stat/trunk_stats.def"
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		note(rows[i], false);
}

void scrape_note(struct run *r)
{
	char *text, key[KEY_MAX];

	if (n_keys == 0)
		note_sparse();
	if (r->n_scrapes++ >= SCRAPES_MAX)
		return;
	text = text_of(&r->net.world);
	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		const char *end = line + len;

		while (end > line && *end != ' ')
			end--;
		if (key_of(line, (size_t)(end - line), key))
			note(key, strtod(end, NULL) > 0);
		line += len + (line[len] == '\n');
	}
	free(text);
}

const char *scrape_value(struct run *r, const char *sample)
{
	char *text = text_of(&r->net.world);
	const char *found = NULL;
	size_t want = strlen(sample);

	for (const char *line = text; *line != '\0' && found == NULL;) {
		size_t len = strcspn(line, "\n");

		if (len > want && strncmp(line, sample, want) == 0 && line[want] == ' ')
			found = arena_strndup(&r->arena, line + want + 1, len - want - 1);
		line += len + (line[len] == '\n');
	}
	free(text);
	return found;
}

// --- the verdict

static bool matches(const char *pattern, size_t len, const char *key)
{
	if (len != 0 && pattern[len - 1] == '*')
		return strncmp(pattern, key, len - 1) == 0;
	return strlen(key) == len && strncmp(pattern, key, len) == 0;
}

// "SAMPLE: reason": the length of SAMPLE; 0 for another line.
static size_t excuse_len(const char *line)
{
	const char *colon = strstr(line, ": ");

	return line[0] != '#' && colon != NULL ? (size_t)(colon - line) : 0;
}

unsigned scrape_report(const char *unmoved_file)
{
	FILE *f = fopen(unmoved_file, "r");
	bool excused[KEYS_MAX] = {0};
	unsigned problems = 0;
	char line[512];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		size_t len = excuse_len(line);
		bool any = false;

		for (unsigned i = 0; len != 0 && i < n_keys; i++) {
			if (!matches(line, len, keys[i].text))
				continue;
			any |= !keys[i].moved;
			excused[i] = true;
		}
		if (len != 0 && !any) {
			problems++;
			printf("FAIL metrics: %.*s moves, or is none, and %s excuses it\n",
			       (int)len, line, unmoved_file);
		}
	}
	if (f != NULL)
		fclose(f);
	for (unsigned i = 0; i < n_keys; i++) {
		if (keys[i].moved || excused[i])
			continue;
		problems++;
		printf("FAIL metrics: no case moves %s\n", keys[i].text);
	}
	return problems;
}
