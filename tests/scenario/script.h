// SPDX-License-Identifier: BSD-3-Clause
// A case file: header, then steps (README.md has the language).
// One thread of a test program. Knows lines, words and indentation only; what a step means is
// step.c's.
#pragma once

#include <stdbool.h>

#include "arena.h"
#include "conf.h"

#define STEP_WORDS_MAX	 40
#define SCRIPT_PEERS_MAX 16

struct step {
	int line;	  // in the file; steps that `call` and `hangup` write have that line
	const char *text; // as written
	const char *words[STEP_WORDS_MAX];
	int n_words;
	const char **details; // the indented lines below it, without their indentation
	int n_details;
	int indent; // of the first of them; deeper lines keep the rest of theirs
	int match;  // of `repeat` and `done`: index of the other one
};

struct script {
	const char *name;   // file name without folder and .scn
	const char *proves; // ids, separated by spaces
	const char *shows;  // one sentence
	struct conf *conf;
	const char *peers[SCRIPT_PEERS_MAX]; // text of the peer: lines
	int n_peers;
	struct step *steps;
	int n_steps;
	const char *error; // NULL, or what is wrong with the file, with its line
};

// Read a case from a file. Never NULL; look at error.
struct script *script_read(struct arena *a, const char *path);

// Split at white space; "quoted words" stay one word, without the quotes. Returns the number of
// words.
int script_words(struct arena *a, const char *text, const char *words[STEP_WORDS_MAX]);
