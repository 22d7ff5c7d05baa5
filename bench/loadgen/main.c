// SPDX-License-Identifier: BSD-3-Clause
// The generator: one thread that sends, receives and reads orders. It is told what to do by lines
// on its standard input and answers on its standard output:
//   set KNOB VALUE ...    knobs of counts.def
//   zero                  counts and delays begin anew
//   report                one JSON line: counts, delays in ns, refreshes by 100 ms
//   quit
//   loadgen_engine --access DEVICE --core DEVICE [--cpu N] [--calls N] [--loop]
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "calls.h"

#define MBUFS	       16384
#define START_S	       20 // until verge's stations are known
#define LINE_BYTES     1024
#define RECEIVE_BURSTS 32 // of a side in a round: what arrives goes before what is begun

static const struct {
	const char *name;
	size_t at;
} knobs[] = {
#define KNOB(name, start, unit, help) {#name, offsetof(struct knobs, name)},
#include "counts.def"
};

static void set_knob(const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++)
		if (strcmp(knobs[i].name, name) == 0) {
			*(uint64_t *)(void *)((char *)&gen.knobs + knobs[i].at) =
				strtoull(value, NULL, 10);
			calls_pace_anew();
			return;
		}
	fprintf(stderr, "no knob %s\n", name);
}

static void zero(void)
{
	memset(&gen.counts, 0, sizeof(gen.counts));
	memset(&gen.delays, 0, sizeof(gen.delays));
	memset(gen.spread, 0, sizeof(gen.spread));
	memset(&wire_counts, 0, sizeof(wire_counts));
	gen.spread_start_ms = gen.now_ms;
	gen.start_tk = gen.now_tk;
}

static void print_delay(const char *name, const struct hist *h)
{
	printf(",\"%s_ns\":{\"n\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p99\":%" PRIu64
	       ",\"p999\":%" PRIu64 ",\"max\":%" PRIu64 "}",
	       name, h->n, hist_quantile(h, 0.5), hist_quantile(h, 0.99), hist_quantile(h, 0.999),
	       h->max);
}

static void print_spread(void)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < SPREAD_BINS; i++)
		last = gen.spread[i] != 0 ? i + 1 : last;
	printf(",\"spread\":[");
	for (uint32_t i = 0; i < last; i++)
		printf("%s%u", i != 0 ? "," : "", gen.spread[i]);
	printf("]");
}

static void report(void)
{
	printf("{\"ms\":%" PRIu64 ",\"used\":%u,\"up\":%u,\"turn\":%u,\"calls_left\":%" PRIu64
	       ",\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"wire_full\":%" PRIu64
	       ",\"no_buffer\":%" PRIu64,
	       (gen.now_tk - gen.start_tk) / gen.tk_per_ms, gen.used, gen.up, gen.turn,
	       gen.knobs.calls, wire_counts.sent, wire_counts.received, wire_counts.full,
	       wire_counts.no_buffer);
#define COUNT(name, help) printf(",\"" #name "\":%" PRIu64, gen.counts.name);
#include "counts.def"
#define DELAY(name, help) print_delay(#name, &gen.delays.name);
#include "counts.def"
	print_spread();
	printf("}\n");
	fflush(stdout);
}

// False: the end.
static bool obey(char *line)
{
	char *rest = NULL, *word = strtok_r(line, " \n", &rest), *value;

	if (word == NULL)
		return true;
	if (strcmp(word, "quit") == 0)
		return false;
	if (strcmp(word, "report") == 0)
		report();
	else if (strcmp(word, "zero") == 0)
		zero();
	else if (strcmp(word, "set") == 0)
		while ((word = strtok_r(NULL, " \n", &rest)) != NULL &&
		       (value = strtok_r(NULL, " \n", &rest)) != NULL)
			set_knob(word, value);
	return true;
}

// Orders that have arrived; false: the end, asked for or of the input.
static bool read_orders(void)
{
	static char line[LINE_BYTES];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, line + len, sizeof(line) - 1 - len);
	char *end;

	if (n == 0 || (n < 0 && errno != EAGAIN) || len == sizeof(line) - 1)
		return false;
	if (n < 0)
		return true;
	len += (size_t)n;
	line[len] = 0;
	while ((end = strchr(line, '\n')) != NULL) {
		size_t used = (size_t)(end + 1 - line);

		*end = 0;
		if (!obey(line))
			return false;
		memmove(line, line + used, len - used + 1);
		len -= used;
	}
	return true;
}

static void clock_tick(void)
{
	static uint64_t first;

	gen.now_tk = rte_rdtsc();
	if (first == 0)
		first = gen.now_tk;
	gen.now_ms = (uint32_t)((gen.now_tk - first) / gen.tk_per_ms) + 1;
}

static void receive_all(void)
{
	struct wire_datagram d[WIRE_BURST];

	for (unsigned side = 0; side < WIRE_SIDES; side++)
		for (unsigned burst = 0; burst < RECEIVE_BURSTS; burst++) {
			unsigned n = wire_receive(side, d);

			for (unsigned i = 0; i < n; i++)
				calls_datagram(side, &d[i]);
			if (n < WIRE_BURST)
				break;
		}
}

static bool get_ready(void)
{
	uint64_t end = rte_rdtsc() + START_S * gen.tk_per_ms * 1000;

	while (!wire_ready()) {
		clock_tick();
		receive_all();
		if (gen.now_tk > end) {
			fprintf(stderr, "nobody answers at 10.91.0.1 and 10.92.0.1\n");
			return false;
		}
	}
	return true;
}

static void run(void)
{
	uint32_t asked_ms = 0;

	for (bool more = true; more;) {
		clock_tick();
		receive_all();
		calls_timers();
		calls_pace();
		flood_pace();
		wire_flush();
		if (gen.now_ms != asked_ms)
			more = read_orders();
		asked_ms = gen.now_ms;
	}
}

int main(int argc, char **argv)
{
	const char *device[WIRE_SIDES] = {NULL, NULL};
	unsigned cpu = 0;
	uint32_t calls = 100000;
	bool looped = false;
	int flags;

	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (strcmp(argv[i], "--access") == 0 && more)
			device[WIRE_ACCESS] = argv[++i];
		else if (strcmp(argv[i], "--core") == 0 && more)
			device[WIRE_CORE] = argv[++i];
		else if (strcmp(argv[i], "--cpu") == 0 && more)
			cpu = (unsigned)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--calls") == 0 && more)
			calls = (uint32_t)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--loop") == 0)
			looped = true;
	}
	if (device[0] == NULL || device[1] == NULL || calls == 0 || calls > 1u << 26) {
		fprintf(stderr, "usage: loadgen_engine --access DEVICE --core DEVICE "
				"[--cpu N] [--calls N] [--loop]\n");
		return 2;
	}
	if (wire_open(device, cpu, MBUFS, looped) != 0 || calls_init(calls) != 0)
		return 1;
	gen.tk_per_ms = rte_get_tsc_hz() / 1000;
	flood_init();
	flags = fcntl(STDIN_FILENO, F_GETFL);
	if (flags < 0 || fcntl(STDIN_FILENO, F_SETFL, flags | O_NONBLOCK) != 0 || !get_ready())
		return 1;
	clock_tick();
	zero();
	printf("{\"ready\":true}\n");
	fflush(stdout);
	run();
	wire_close();
	return 0;
}
