// SPDX-License-Identifier: BSD-3-Clause
// Configuration files and what the loader says about them: NAME.yaml must give exactly NAME.out,
// conf/verge.yaml must be what is printed, and it and conf/examples must load without a word.
// Usage: golden_config DIRECTORY CONF [--write]   (--write: make NAME.out from what comes now, to
// be read and committed)
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_load.h"
#include "golden.h"

// What the files are checked against, so that results do not depend on this machine.
static const struct config_machine machine = {8, (uint64_t)4 << 30};

// What config_load() says about a file, under its base name.
static char *findings(const char *dir, const char *name, bool *loaded)
{
	struct config_errors errors = {0};
	struct config *c;
	char path[1024], *text = NULL;
	size_t size = 0;
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	*loaded = config_load(&c, path, NULL, &machine, &errors) == 0;
	config_free(c);
	snprintf(errors.file, sizeof(errors.file), "%s", name);
	out = open_memstream(&text, &size);
	if (out == NULL)
		exit(2);
	if (*loaded != (errors.errors == 0))
		fprintf(out, "loaded %d with %u errors\n", *loaded, errors.errors);
	config_errors_print(&errors, out);
	fclose(out);
	config_errors_free(&errors);
	return text;
}

static bool check_case(const char *dir, const char *name, bool write)
{
	char path[1024], *got;
	bool loaded, good;

	got = findings(dir, name, &loaded);
	snprintf(path, sizeof(path), "%s/%.*s.out", dir, (int)strlen(name) - 5, name);
	good = golden_same(path, name, got, write);
	free(got);
	return good;
}

static bool check_silent(const char *dir, const char *name, bool)
{
	bool loaded, good;
	char *got = findings(dir, name, &loaded);

	good = loaded && got[0] == 0;
	if (!good)
		printf("FAIL %s/%s: it must load without a word\n%s", dir, name, got);
	free(got);
	return good;
}

static bool check_printed(const char *conf)
{
	struct outbuf out = outbuf_of(malloc(65536), 65536);
	char path[1024], *file;
	bool good;

	snprintf(path, sizeof(path), "%s/verge.yaml", conf);
	file = golden_read(path);
	good = out.p != NULL && file != NULL && config_print(&out) == 0 &&
	       slice_eq(outbuf_slice(&out), slice_of_str(file));
	if (!good)
		printf("FAIL %s is not what verge --print-config prints\n", path);
	free(file);
	free(out.p);
	return good;
}

int main(int argc, char **argv)
{
	bool write = argc == 4 && strcmp(argv[3], "--write") == 0;
	struct golden_sum sum = {0};
	char examples[1024];
	int n;

	if (argc != 3 && !write) {
		fprintf(stderr, "usage: %s DIRECTORY CONF [--write]\n", argv[0]);
		return 2;
	}
	n = golden_each(&sum, argv[1], ".yaml", check_case, write);
	if (n < 40) {
		printf("FAIL only %d cases in %s\n", n, argv[1]);
		sum.failed++;
	}
	*(check_printed(argv[2]) ? &sum.passed : &sum.failed) += 1;
	*(check_silent(argv[2], "verge.yaml", false) ? &sum.passed : &sum.failed) += 1;
	snprintf(examples, sizeof(examples), "%s/examples", argv[2]);
	n = golden_each(&sum, examples, ".yaml", check_silent, false);
	if (n < 4) {
		printf("FAIL only %d examples in %s\n", n, examples);
		sum.failed++;
	}
	return golden_end(&sum);
}
