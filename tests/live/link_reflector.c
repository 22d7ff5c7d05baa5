// SPDX-License-Identifier: BSD-3-Clause
// The link stages with a reflector behind them: every datagram on the SIP port goes back where it
// came from, byte by byte. For tests of the link and for measuring what packets cost without SIP.
// Usage: link_reflector CONFIG. Prints "ready", ends at SIGTERM with its verdicts on stdout.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "config/config_load.h"
#include "dataplane/compose.h"
#include "dataplane/dataplane_private.h"
#include "dataplane/pipeline.h"

static sig_atomic_t stopped;

static void on_signal(int)
{
	stopped = 1;
}

static void stage_reflect(struct worker *w, struct sip_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		const struct sip_buf *in = b->rx[i].buf;
		struct sip_buf *out = mbuf_sip_get(&w->pools, in->len);

		b->verdict[i] = VERDICT_DROP_NO_MBUF;
		if (out == NULL)
			continue;
		memcpy(out->data, in->data, in->len);
		out->len = in->len;
		compose_message(w, out, &b->rx[i].flow);
		b->verdict[i] = VERDICT_SIP_HANDLED;
	}
}

static struct config *load(const char *path)
{
	struct config_errors errors = {0};
	struct config *c = NULL;

	if (config_load(&c, path, NULL, NULL, &errors) != 0)
		config_errors_print(&errors, stderr);
	config_errors_free(&errors);
	return c;
}

static void print_verdicts(const struct dataplane *dp)
{
	static const char *const names[] = {
#define VERDICT(id, class, help) #id,
#include "stat/verdict.def"
	};

	struct dataplane_gauges gauges;
	uint64_t handed_over = 0;
	unsigned summed = 0;

	for (unsigned v = 0; v < VERDICT_N; v++) {
		uint64_t n = 0;

		for (unsigned w = 0; w < dp->n_workers; w++)
			n += stat_read(&dp->workers[w].verdicts[v]);
		if (n != 0)
			printf("%s %llu\n", names[v], (unsigned long long)n);
	}
	for (unsigned w = 0; w < dp->n_workers; w++)
		handed_over += stat_read(&dp->workers[w].stats->handed_over);
	printf("handed_over %llu\n", (unsigned long long)handed_over);
	for (unsigned p = 0; p < dp->devices.n_ports; p++)
		summed += dp->devices.port[p].device->udp_sum_tx;
	printf("ports_with_udp_checksum %u\n", summed);
	dataplane_gauges(dp, &gauges);
	printf("mbufs_in_use %u\n", gauges.mbufs_small + gauges.mbufs_large);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const struct sip_stage reflect[] = {{"reflect", stage_reflect}};
	struct pipeline pipeline = pipeline_link;
	const struct timespec nap = {.tv_nsec = 20000000};
	struct sigaction action = {.sa_handler = on_signal};
	char text[1024] = "";
	struct outbuf why = outbuf_of(text, sizeof(text) - 1);
	struct dataplane_params params = {.why = &why};
	struct dataplane *dp;
	struct config *config;
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: link_reflector CONFIG\n");
		return 2;
	}
	config = load(argv[1]);
	if (config == NULL)
		return 1;
	params.config = config;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	pipeline.sip = reflect;
	pipeline.n_sip = 1;
	rc = dataplane_start_stages(&dp, &params, &pipeline);
	if (rc != 0) {
		fprintf(stderr, "link_reflector: %s (%d)\n", text, rc);
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	while (stopped == 0) {
		dataplane_poll(dp); // whether links are up
		nanosleep(&nap, NULL);
	}
	print_verdicts(dp);
	dataplane_stop(dp);
	config_free(config);
	return 0;
}
