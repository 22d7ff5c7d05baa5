// SPDX-License-Identifier: BSD-3-Clause
// What the programs over golden files share: a directory of cases, each judged by its own check.
// One thread of a test program.
#pragma once

#include <stdbool.h>

struct golden_sum {
	unsigned passed, failed;
};

// The whole file, ended by a NUL, to be freed; NULL if there is none.
char *golden_read(const char *path);

// Whether what came is what the file says; name is for the message. write: the file says so now.
bool golden_same(const char *path, const char *name, const char *got, bool write);

// Judge each file whose name ends so, in the order of names. Returns how many there are.
int golden_each(struct golden_sum *sum, const char *dir, const char *ending,
		bool (*check)(const char *dir, const char *name, bool write), bool write);

// The last line, and the exit status of the program.
int golden_end(const struct golden_sum *sum);
