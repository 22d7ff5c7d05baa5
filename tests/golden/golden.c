// SPDX-License-Identifier: BSD-3-Clause
// Directories of golden files. See golden.h.
#include "golden.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *golden_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (f == NULL)
		return NULL;
	if (getdelim(&text, &size, 0, f) < 0) {
		free(text);
		text = calloc(1, 1);
	}
	fclose(f);
	return text;
}

bool golden_same(const char *path, const char *name, const char *got, bool write)
{
	char *want;
	bool same;

	if (write) {
		FILE *f = fopen(path, "we");

		return f != NULL && fputs(got, f) >= 0 && fclose(f) == 0;
	}
	want = golden_read(path);
	same = want != NULL && strcmp(got, want) == 0;
	if (!same)
		printf("FAIL %s\n--- expected\n%s--- got\n%s", name, want != NULL ? want : "", got);
	free(want);
	return same;
}

int golden_each(struct golden_sum *sum, const char *dir, const char *ending,
		bool (*check)(const char *dir, const char *name, bool write), bool write)
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, alphasort), found = 0;

	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		size_t len = strlen(name), end = strlen(ending);

		if (len > end && strcmp(name + len - end, ending) == 0) {
			*(check(dir, name, write) ? &sum->passed : &sum->failed) += 1;
			found++;
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return found;
}

int golden_end(const struct golden_sum *sum)
{
	printf("%u passed, %u failed\n", sum->passed, sum->failed);
	return sum->failed != 0 || sum->passed == 0;
}
