// SPDX-License-Identifier: BSD-3-Clause
// Captures as `verge replay` takes them: frames of any link type to datagrams, to messages, to
// legs, through the engine. Whatever the bytes, a datagram lies inside of what was given or
// decoded, every frame is a message or counted as left out, and the replay ends with a whole
// engine. Input: a byte that chooses the link type, then frames with two bytes of length each.
#include "fuzz.h"

#include <string.h>

#include "config/config_load.h"
#include "control/replay/play.h"

#define FRAMES_MAX 64

static const char yaml[] =
	"system: { workers: [1], capacity: { calls: 16 } }\n"
	"ports: { a: { device: net_null0, addresses: [10.91.0.1/24, 'fd91::1/64'] },\n"
	"         b: { device: net_null1, addresses: [10.92.0.1/24, 'fd92::1/64'] } }\n"
	"profiles: { default: { options_ping: 0 } }\n"
	"trunks: { A: { port: a, peers: [10.91.0.2:5060] }, B: { port: b, peers: [10.92.0.2:5060] "
	"} }\n"
	"routes: [{ from: A, to: [B] }, { from: B, to: [A] }]\n"
	"cdr: { file: '' }\nmetrics: { listen: '' }\n";

static struct config *load(void)
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	int rc = config_load_text(&config, slice_of_str(yaml), "fuzz", NULL, NULL, &errors);

	config_errors_free(&errors);
	FUZZ_ASSERT(rc == 0);
	return config;
}

static uint64_t skipped(const struct capture *c)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SKIP_N; i++)
		sum += c->skipped[i];
	return sum;
}

static void replay(struct capture *c)
{
	struct roles *roles = region_alloc(&c->region, sizeof(*roles));
	const struct play_options options = {.until_us = 1000000};
	struct played played;
	uint64_t legs = 0;

	roles->capture = c;
	roles->config = load();
	roles_find(roles);
	for (uint32_t i = 0; i < roles->n; i++)
		legs += roles->leg[i]->n;
	FUZZ_ASSERT(legs + roles->skipped[SKIP_ELSEWHERE] + roles->skipped[SKIP_NO_TRUNK] == c->n);
	FUZZ_ASSERT(play(&played, roles, (struct config *)(uintptr_t)roles->config, &options) == 0);
	FUZZ_ASSERT(played.error[0] == '\0');
	for (uint32_t i = 0; i < played.n; i++) {
		uint32_t n;
		struct both *b = telling_align(&played.call[i]->was, &played.call[i]->is, &n);
		uint32_t was = 0, is = 0;

		for (uint32_t k = 0; k < n; k++) {
			was += b[k].was != NULL;
			is += b[k].is != NULL;
		}
		FUZZ_ASSERT(was == played.call[i]->was.n && is == played.call[i]->is.n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int types[] = {1, 113, 276, 101, 0, 228, 229, 12, 108, 7};
	struct decoder *d = decoder_new();
	struct capture c = {0};
	size_t at = 1;
	int type;

	FUZZ_ASSERT(d != NULL);
	if (size == 0) {
		decoder_free(d);
		return 0;
	}
	type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	for (unsigned n = 0; n < FRAMES_MAX && at + 2 <= size; n++) {
		uint32_t len = (uint32_t)data[at] << 8 | data[at + 1];
		uint32_t have = len < size - at - 2 ? len : (uint32_t)(size - at - 2);
		uint8_t *frame = malloc(have + 1u); // its end is the end of what may be read

		memcpy(frame, data + at + 2, have);
		capture_frame(&c, d, type, &(struct frame_bytes){frame, have, len},
			      1700000000000000u + n * 100000u);
		free(frame);
		at += 2 + (size_t)have;
	}
	FUZZ_ASSERT(c.frames == c.n + skipped(&c));
	for (uint32_t i = 0; i < c.n; i++)
		FUZZ_ASSERT(c.list[i].at.len <= 65535 &&
			    (c.list[i].at.family == 4 || c.list[i].at.family == 6));
	capture_sort(&c);
	if (c.n != 0)
		replay(&c);
	decoder_free(d);
	capture_free(&c);
	return 0;
}
