// SPDX-License-Identifier: BSD-3-Clause
// Rules of other systems and what comes of them: NAME.json (VSXi SMC) and NAME.txt (CUBE
// sip-profiles) must give exactly NAME.out, the rules and then the notes; what is written must
// load, and printed again it must be the same rules. Usage: golden_convert DIRECTORY [--write]
// (--write: make NAME.out from what comes now, to be read and committed)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_import.h"
#include "config/config_rules_print.h"
#include "golden.h"

#define TEXT_MAX (1u << 20)

static struct config *load(const char *name, const char *rules)
{
	char *text = malloc(TEXT_MAX + 512);
	struct config_errors errors = {0};
	struct config *c;

	snprintf(text, TEXT_MAX + 512,
		 "ports: { p: { device: x, addresses: [192.0.2.1/24] } }\n"
		 "trunks: { t: { port: p, peers: [192.0.2.2] } }\n"
		 "routes: [ { to: [t] } ]\n%s",
		 rules);
	if (config_load_text(&c, slice_of_str(text), name, NULL, NULL, &errors) != 0)
		config_errors_print(&errors, stdout);
	config_errors_free(&errors);
	free(text);
	return c;
}

static char *print(const struct config *c)
{
	char *text = malloc(TEXT_MAX);
	struct outbuf o = outbuf_of(text, TEXT_MAX - 1);

	if (config_rules_print(&o, c) != 0)
		exit(2);
	text[o.len] = 0;
	return text;
}

// What was converted is a set that loads; printed and read again it prints the same.
static bool reads_again(const char *name, const struct config_import *import)
{
	char *text, *first, *second = NULL;
	struct config *c, *again = NULL;
	size_t size;
	bool good;
	FILE *f = open_memstream(&text, &size);

	fputs("rules:\n  converted:\n", f);
	for (struct slice rest = outbuf_slice(&import->yaml); rest.len != 0;) {
		int64_t end = slice_find(rest, '\n');

		fprintf(f, "    " SLICE_FMT "\n", SLICE_ARG(slice_first(rest, (uint32_t)end)));
		rest = slice_from(rest, (uint32_t)end + 1);
	}
	fclose(f);
	c = load(name, text);
	first = c != NULL ? print(c) : NULL;
	if (first != NULL)
		again = load(name, first);
	if (again != NULL)
		second = print(again);
	good = second != NULL && strcmp(first, second) == 0;
	if (!good)
		printf("FAIL %s: does not read as the same rules again\n%s\n%s\n", name,
		       first != NULL ? first : text, second != NULL ? second : "");
	config_free(c);
	config_free(again);
	free(first);
	free(second);
	free(text);
	return good;
}

static bool check_case(const char *dir, const char *name, bool write)
{
	const char *dot = strrchr(name, '.');
	char path[1024], *in, *got = NULL;
	struct config_import *import;
	size_t size = 0;
	bool good = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	in = golden_read(path);
	if (in == NULL || config_import_convert(&import, dot[1] == 'j' ? "smc" : "sip_profiles",
						slice_of_str(in), name) != 0) {
		printf("FAIL %s cannot be converted\n", name);
		free(in);
		return false;
	}
	f = open_memstream(&got, &size);
	fwrite(import->yaml.p, 1, import->yaml.len, f);
	config_errors_print(&import->notes, f);
	fclose(f);
	snprintf(path, sizeof(path), "%s/%.*s.out", dir, (int)(dot - name), name);
	good = golden_same(path, name, got, write);
	if (import->n_rules != 0)
		good &= reads_again(name, import);
	config_import_free(import);
	free(got);
	free(in);
	return good;
}

int main(int argc, char **argv)
{
	bool write = argc == 3 && strcmp(argv[2], "--write") == 0;
	struct golden_sum sum = {0};

	if (argc != 2 && !write) {
		fputs("usage: golden_convert DIRECTORY [--write]\n", stderr);
		return 2;
	}
	(void)golden_each(&sum, argv[1], ".json", check_case, write);
	(void)golden_each(&sum, argv[1], ".txt", check_case, write);
	return golden_end(&sum);
}
