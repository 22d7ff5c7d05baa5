// SPDX-License-Identifier: BSD-3-Clause
// The command line of vergectl, read by the table of commands.def: what a row says is what is
// accepted, explained and completed.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define VERGECTL_SOCKET "/run/verge/verge.sock"

struct vergectl_line {
	const char *socket; // -s, NULL: not given
	const char *id;	    // of the command, NULL: help was asked for
	bool json;
	json_t *request; // {"command": id, members by words and options}; the caller's
};

// 0; 1 when help was asked for and printed; -1 after saying on stderr what is wrong.
int vergectl_read(struct vergectl_line *line, int argc, char **argv);
