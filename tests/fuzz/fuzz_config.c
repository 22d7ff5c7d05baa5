// SPDX-License-Identifier: BSD-3-Clause
// Configuration files: what loads has no errors and what does not says why; the same text as a
// reload keeps every id and changes nothing; each peer is found again as a source; look-ups and the
// preview take any snapshot. Input: the file.
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "config/config_load.h"
#include "config/config_policy.h"

static void changed(void *, const struct config_change *change)
{
	(void)fprintf(stderr, "%s: %s -> %s\n", change->path, change->from, change->to);
	abort();
}

static void peers_are_sources(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_trunks; i++)
		for (uint32_t j = 0; j < c->trunks[i].peers.n; j++) {
			const struct config_endpoint *e = &c->trunks[i].peers.list[j];
			struct flow f = {.family = e->ip.family, .peer_udp = e->udp};

			memcpy(f.peer_ip, e->ip.bytes, sizeof(f.peer_ip));
			FUZZ_ASSERT(config_trunk_by_source(c, (uint8_t)c->trunks[i].port, &f) ==
				    (int)i);
		}
}

static void routes_are_found(const struct config *c, struct slice any)
{
	const uint16_t *to;
	unsigned n;

	for (uint32_t i = 0; i < c->n_routes; i++) {
		const struct config_route *r = &c->routes[i];
		uint16_t from = r->from == CONFIG_NONE ? CONFIG_NONE - 1 : r->from;

		FUZZ_ASSERT(config_route(c, from, slice_of_str(r->prefix), &to, &n) == 0 && n != 0);
	}
	for (uint32_t i = 0; i <= c->n_trunks; i++)
		if (config_route(c, (uint16_t)i, any, &to, &n) == 0)
			FUZZ_ASSERT(n != 0 && to[n - 1] < c->n_trunks && !c->trunks[to[0]].gone);
}

static void reload(const struct config *c, struct slice text)
{
	struct config_errors errors = {0};
	struct config *again;

	FUZZ_ASSERT(config_load_text(&again, text, "again", c, NULL, &errors) == 0);
	FUZZ_ASSERT(again->n_trunks == c->n_trunks && again->version == c->version + 1);
	for (uint32_t i = 0; i < c->n_trunks; i++)
		FUZZ_ASSERT(strcmp(again->trunks[i].name, c->trunks[i].name) == 0 &&
			    !again->trunks[i].gone);
	FUZZ_ASSERT(config_compare(c, again, changed, NULL) == 0);
	config_free(again);
	config_errors_free(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t preview[1 << 16];
	struct outbuf out = outbuf_of(preview, sizeof(preview));
	struct config_errors errors = {0};
	struct slice text = slice_of(data, size);
	struct config *c;
	int rc;

	if (size > 100000)
		return 0;
	rc = config_load_text(&c, text, "fuzz", NULL, NULL, &errors);
	FUZZ_ASSERT((rc == 0) == (c != NULL) && (rc == 0) == (errors.errors == 0));
	FUZZ_ASSERT(errors.n <= CONFIG_MAX_ERRORS && errors.n <= errors.errors + errors.warnings);
	for (uint32_t i = 0; i < errors.n; i++)
		FUZZ_ASSERT(errors.list[i].text[0] != 0);
	config_errors_free(&errors);
	if (rc != 0)
		return 0;
	peers_are_sources(c);
	routes_are_found(c, text);
	rc = config_policy_preview(&out, c);
	FUZZ_ASSERT(rc == 0 || (rc == -ENOSPC && out.full));
	reload(c, text);
	config_free(c);
	return 0;
}
