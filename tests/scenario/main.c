// SPDX-License-Identifier: BSD-3-Clause
// Runs cases in virtual time: scenario [-v] [-s SEED] [-m FILE] FILE|FOLDER ...
// -m: all cases are run, and each sample of /metrics that none of them moves fails unless FILE says
// why. One line a case, "ok NAME" or "FAIL NAME" with the step, the reason and the ladder; exit 1
// if one failed.
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"
#include "scrape.h"

#define FILES_MAX 2000

struct totals {
	unsigned passed, failed;
	bool verbose, brief;
	const char *unmoved;
	uint64_t seed;
};

static void run_file(struct totals *t, const char *path)
{
	static struct run r;
	struct arena arena = {0};
	struct script *script = script_read(&arena, path);
	int rc = run_case(&r, script, t->seed);

	if (rc == 0) {
		t->passed++;
		printf("ok   %s\n", script->name);
	} else {
		t->failed++;
		printf("FAIL %s\n", script->name);
		if (r.step != NULL)
			printf("  %s:%d: %s\n", path, r.step->line, r.step->text);
		printf("  %s\n", r.error);
	}
	if (t->verbose || (rc != 0 && !t->brief))
		printf("  what happened:\n%s\n", r.ladder_text != NULL ? r.ladder_text : "");
	run_free(&r);
	arena_free(&arena);
	fflush(stdout);
}

static int is_case(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot != NULL && strcmp(dot, ".scn") == 0;
}

static void run_path(struct totals *t, const char *path)
{
	struct dirent **entries;
	struct stat st;
	int n;

	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		run_file(t, path);
		return;
	}
	n = scandir(path, &entries, is_case, alphasort);
	for (int i = 0; i < n; i++) {
		char file[4096];

		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		run_file(t, file);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	struct totals t = {.seed = 1};
	int option;

	while ((option = getopt(argc, argv, "vbs:m:")) != -1) {
		if (option == 'v')
			t.verbose = true;
		else if (option == 'b')
			t.brief = true;
		else if (option == 'm')
			t.unmoved = optarg;
		else if (option == 's')
			t.seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	for (int i = optind; i < argc; i++)
		run_path(&t, argv[i]);
	if (t.unmoved != NULL)
		t.failed += scrape_report(t.unmoved);
	printf("%u passed, %u failed\n", t.passed, t.failed);
	return t.failed != 0 || t.passed == 0;
}
