// SPDX-License-Identifier: BSD-3-Clause
// Rules of other systems: whatever the file, what comes of it are rules that load, that print, and
// that read as the same again. Input: a byte that chooses the format, then the file.
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_import.h"
#include "config/config_rules_print.h"

#define TEXT_MAX (1u << 20)

static char text[TEXT_MAX], first[TEXT_MAX], second[TEXT_MAX];

static struct config *load(struct slice rules)
{
	static const char frame[] = "ports: { p: { device: x, addresses: [192.0.2.1/24] } }\n"
				    "trunks: { t: { port: p, peers: [192.0.2.2] } }\n"
				    "routes: [ { to: [t] } ]\n";
	struct outbuf o = outbuf_of(text, sizeof(text));
	struct config_errors errors = {0};
	struct config *c;

	outbuf_put_str(&o, frame);
	outbuf_put_slice(&o, rules);
	FUZZ_ASSERT(!o.full);
	if (config_load_text(&c, outbuf_slice(&o), "import", NULL, NULL, &errors) != 0)
		config_errors_print(&errors, stderr);
	FUZZ_ASSERT(c != NULL);
	config_errors_free(&errors);
	return c;
}

static struct slice print(const struct config *c, char *to)
{
	struct outbuf o = outbuf_of(to, TEXT_MAX);

	FUZZ_ASSERT(config_rules_print(&o, c) == 0);
	return outbuf_slice(&o);
}

// The list below a set's name, each line pushed in.
static struct slice as_set(const struct config_import *import)
{
	struct outbuf o = outbuf_of(first, sizeof(first));

	outbuf_put_lit(&o, "rules:\n  s:\n");
	for (struct slice rest = outbuf_slice(&import->yaml); rest.len != 0;) {
		int64_t end = slice_find(rest, '\n');

		FUZZ_ASSERT(end >= 0);
		outbuf_put_lit(&o, "    ");
		outbuf_put_slice(&o, slice_first(rest, (uint32_t)end + 1));
		rest = slice_from(rest, (uint32_t)end + 1);
	}
	FUZZ_ASSERT(!o.full);
	return outbuf_slice(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_import *import;
	struct config *c, *again;
	struct slice one, two;

	// what is read is bounded elsewhere; more of the same only takes time
	if (size == 0 || size > 2048)
		return 0;
	FUZZ_ASSERT(config_import_convert(&import, data[0] % 2 != 0 ? "sip_profiles" : "smc",
					  slice_of(data + 1, size - 1), "file") == 0);
	for (uint32_t i = 0; i < import->n_rules; i++)
		FUZZ_ASSERT(import->rules[i].line != 0);
	if (import->n_rules != 0) {
		c = load(as_set(import));
		FUZZ_ASSERT(c->rules.sets[0].n_rules == import->n_rules);
		one = print(c, first);
		again = load(one);
		two = print(again, second);
		FUZZ_ASSERT(slice_eq(one, two));
		config_free(again);
		config_free(c);
	}
	config_import_free(import);
	return 0;
}
