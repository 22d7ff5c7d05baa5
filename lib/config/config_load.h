// SPDX-License-Identifier: BSD-3-Clause
// Reading, checking, printing and comparing configurations.
// Control thread or a command. Everything here allocates with malloc and is never called on the
// packet path; a snapshot is one object that config_free() gives back as a whole. Nothing reads a
// clock, the machine or the network: what the machine has is an argument.
#pragma once

#include <stdio.h>

#include "base/outbuf.h"
#include "config/config.h"

#define CONFIG_MAX_FILE	  (16u << 20) // bytes of a file
#define CONFIG_MAX_ERRORS 64	      // findings that are kept; further ones are counted

struct config_error {
	uint32_t line, column; // from 1; 0 = about the file as a whole
	bool warning;
	char text[240]; // what is wrong; what would be right
};

// Findings in the order of lines. Zero it before the first use; config_errors_free() after the
// last.
struct config_errors {
	struct config_error *list;
	uint32_t n;	 // entries of list
	uint32_t errors; // all, also those not kept
	uint32_t warnings;
	char file[256]; // name for messages
};

// What numbers are checked against; a 0 is not checked.
struct config_machine {
	uint32_t cpus;	 // CPU ids are below it
	uint64_t memory; // bytes that verge may use
};

// One key of one trunk that differs from the file until restart or reload ("trunk T set K=V").
struct config_override {
	char trunk[64];
	char key[64];	 // dotted below the trunk: session_timer.mode
	char value[128]; // YAML text
};

// Read and check a file. YAML 1.1, hence JSON too.
// In:     previous - snapshot whose ids are kept for names it knows; NULL at start.
//         machine - may be NULL.
// Out:    *out - snapshot, to be freed with config_free(); NULL if there are errors.
//         *errors - all errors and warnings.
// Errors: -ENOENT, -EACCES, ... the file cannot be read; -EFBIG; -EINVAL findings; -ENOMEM.
int config_load(struct config **out, const char *path, const struct config *previous,
		const struct config_machine *machine, struct config_errors *errors);

// The same from memory; name is for messages. Overrides (may be NULL, 0) are put on top of the
// text.
int config_load_text(struct config **out, struct slice text, const char *name,
		     const struct config *previous, const struct config_machine *machine,
		     struct config_errors *errors);

// A new snapshot that differs from c by one key of one trunk. value NULL: as the file says again;
// key NULL too: all keys of the trunk. Overrides add up; the file is not read again. Errors:
// -ENOENT no such trunk, -EINVAL with *errors saying why, -ENOMEM.
int config_override(struct config **out, const struct config *c, const char *trunk, const char *key,
		    const char *value, struct config_errors *errors);
// The same with several at once, checked together; the last of a key counts.
int config_override_all(struct config **out, const struct config *c,
			const struct config_override *new, uint32_t n,
			struct config_errors *errors);
// How many overrides c carries, and the i-th.
uint32_t config_overrides(const struct config *c);
const struct config_override *config_override_at(const struct config *c, uint32_t i);

void config_free(struct config *c); // NULL is fine

void config_errors_free(struct config_errors *errors);
// Adds a finding; line and column 0: about the file as a whole.
__attribute__((format(printf, 5, 6))) void config_errors_add(struct config_errors *e, bool warning,
							     uint32_t line, uint32_t column,
							     const char *format, ...);
// One line each: "file:line: error: text".
void config_errors_print(const struct config_errors *errors, FILE *to);

// The complete file with every key, its default, unit, bounds and meaning (`verge --print-config`).
// It passes config_load(). Errors: -ENOSPC out is too small (64 KiB are enough), -ENOMEM.
int config_print(struct outbuf *out);

// Bytes that a worker's pools, tables and leg texts take by this configuration, over all workers.
uint64_t config_memory(const struct config *c);

// What differs between two snapshots, one call of each() per key; secrets are shown as "***". The
// texts live until each() returns.
// Out: how many of the changes need a restart, or -ENOMEM.
struct config_change {
	const char *path; // "trunks.8068.limits.calls"
	const char *from; // "" = was not there
	const char *to;	  // "" = is no more
	bool restart;
};
int config_compare(const struct config *from, const struct config *to,
		   void (*each)(void *arg, const struct config_change *change), void *arg);
