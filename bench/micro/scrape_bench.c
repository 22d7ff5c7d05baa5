// SPDX-License-Identifier: BSD-3-Clause
// What a scrape costs control: /metrics of many trunks, each counter of which has a value, copied
// and written in the pieces that the HTTP listener asks for. Between two pieces control does its
// other work, so the longest piece is what a refresh may wait. Usage: bench_scrape [--n TRUNKS]
// [--runs RUNS] [--once]
#include "bench_set.h"
#include "control/metrics.h"

#define WORKERS 2
#define PIECE	65536

static struct {
	struct control_view view;
	struct config *config;
	struct worker_stats workers[WORKERS];
	const struct worker_stats *worker_list[WORKERS];
	uint64_t verdicts[WORKERS][256];
	const uint64_t *verdict_list[WORKERS];
	struct trunk_live live[CONFIG_MAX_TRUNKS];
	struct trunk_stats *trunks[WORKERS];
} shell;

static tick_t now(void *ctx)
{
	return ctx == NULL ? TICK_S(1000) : 0;
}

static uint64_t unix_us(void *, tick_t tick)
{
	return tick;
}

static const struct trunk_stats *trunk_stats(void *, unsigned worker, unsigned trunk)
{
	return &shell.trunks[worker][trunk];
}

static void send_order(void *, unsigned, const struct order *)
{
}

static void put_log(void *, enum control_level, const char *, const char *)
{
}

static char *yaml_of(unsigned n)
{
	size_t size = 400 + (size_t)n * 80, len = 0;
	char *text = malloc(size);

	if (text == NULL)
		return NULL;
	len += (size_t)snprintf(text, size,
				"ports: { a: { device: x, addresses: [10.0.0.1/8] } }\ntrunks:\n");
	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, size - len,
					"  trunk-%04u: { port: a, peers: [10.1.%u.%u:5060] }\n", i,
					i / 250, i % 250 + 1);
	snprintf(text + len, size - len, "routes: [ { to: trunk-0000 } ]\n");
	return text;
}

static int make_shell(unsigned n)
{
	struct config_errors errors = {0};
	char *yaml = yaml_of(n);
	struct control_params params = {.callbacks = {.send_order = send_order, .log = put_log},
					.live = shell.live,
					.workers = WORKERS};

	if (yaml == NULL || config_load_text(&shell.config, slice_of_str(yaml), "bench.yaml", NULL,
					     NULL, &errors) != 0) {
		config_errors_print(&errors, stderr);
		free(yaml);
		return -1;
	}
	free(yaml);
	params.config = shell.config;
	for (unsigned w = 0; w < WORKERS; w++) {
		shell.worker_list[w] = &shell.workers[w];
		shell.verdict_list[w] = shell.verdicts[w];
		shell.trunks[w] = calloc(n, sizeof(struct trunk_stats));
		for (size_t i = 0; shell.trunks[w] != NULL && i < (size_t)n * TRUNK_STATS_N; i++)
			shell.trunks[w]->value[i] = 1000000 + i * 7919;
	}
	shell.view = (struct control_view){.core = control_new(&params, TICK_S(1)),
					   .n_workers = WORKERS,
					   .worker_stats = shell.worker_list,
					   .verdicts = shell.verdict_list,
					   .now = now,
					   .unix_us = unix_us,
					   .live = shell.live,
					   .trunk_stats = trunk_stats};
	return shell.view.core != NULL && shell.trunks[0] != NULL && shell.trunks[1] != NULL ? 0
											     : -1;
}

struct figures {
	struct bench_series copy, all, longest, bytes;
};

static int scrape(struct figures *f, const struct history *history)
{
	static char piece[PIECE];
	uint64_t start = bench_ns(), from, took, longest = 0, bytes = 0;
	struct body *b = metrics_body_new(&shell.view, history, false);
	ssize_t n;

	if (b == NULL)
		return -1;
	from = bench_ns();
	bench_add(&f->copy, (double)(from - start) / 1000);
	while ((n = body_take(b, piece, sizeof(piece))) > 0) {
		took = bench_ns() - from;
		longest = took > longest ? took : longest;
		bytes += (uint64_t)n;
		from = bench_ns();
	}
	body_free(b);
	bench_add(&f->all, (double)(bench_ns() - start) / 1000);
	bench_add(&f->longest, (double)longest / 1000);
	bench_add(&f->bytes, (double)bytes);
	return n == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	static struct history history;
	static struct figures f;
	bool once = argc > 1 && strcmp(argv[1], "--once") == 0;
	unsigned n = (unsigned)bench_option(argc, argv, "--n", once ? 50 : 1000);
	unsigned runs = (unsigned)bench_option(argc, argv, "--runs", once ? 1 : 9);

	if (n == 0 || n > CONFIG_MAX_TRUNKS || make_shell(n) != 0)
		return 1;
	f = (struct figures){{.bench = "scrape_copy", .of = "verge", .n = n, .unit = "us"},
			     {.bench = "scrape_all", .of = "verge", .n = n, .unit = "us"},
			     {.bench = "scrape_longest_piece", .of = "verge", .n = n, .unit = "us"},
			     {.bench = "scrape_bytes", .of = "verge", .n = n, .unit = "bytes"}};
	for (unsigned run = 0; run < runs && run < BENCH_RUNS_MAX; run++)
		if (scrape(&f, &history) != 0)
			return 1;
	bench_print(&f.copy);
	bench_print(&f.all);
	bench_print(&f.longest);
	bench_print(&f.bytes);
	control_free(shell.view.core);
	config_free(shell.config);
	free(shell.trunks[0]);
	free(shell.trunks[1]);
	return 0;
}
