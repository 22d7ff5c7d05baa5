// SPDX-License-Identifier: BSD-3-Clause
// The file that CDRs are appended to: one line each, rotated by time and size. A disk that is full,
// gone or slow to come back never stops a call: lines wait in memory (bounded), are retried every
// second, and what no longer fits is counted. Lines are gathered for config.flush, which is what a
// crash loses at most. Thread: control. Writing goes to the kernel's cache; forcing it to the disk
// is left to short-lived threads of its own, so that control does not wait for a slow disk. Only
// regular files: a pipe or terminal would make it wait for its reader. A write to a file system
// that hangs (NFS without its server) cannot be bounded from here and does stop control, not the
// workers: calls are set up and answered, but verge's own refreshes and BYEs wait, and systemd's
// watchdog ends verge in the end. A thread would only move the wait into its queue, and the file's
// order with it: CDRs belong on a local disk, and are shipped from there. The same holds for traces
// and evidence.
#pragma once

#include <stddef.h>

#include "config/config.h"
#include "control/control.h"

#define CDR_FILE_BACKLOG (16u << 20) // bytes of lines that wait for the disk at most

struct cdr_file;

struct cdr_file_stats {
	uint64_t lines, bytes; // written
	uint64_t lost;	       // lines for which there was no room any more
	uint64_t errors;       // failed attempts to open, write, rename or force to the disk
	uint64_t rotations;
	uint32_t backlog_bytes;
};

// log: told of errors and recoveries. NULL when out of memory.
struct cdr_file *cdr_file_new(void (*log)(void *ctx, enum control_level level, const char *area,
					  const char *line),
			      void *ctx);
// Writes what it can, then closes.
void cdr_file_free(struct cdr_file *f, uint64_t unix_us);

// Path, rotation and sync anew, and open the file again by its name (after logrotate moved it).
// file "" writes nothing. Opening is tried at the next poll at the latest.
void cdr_file_configure(struct cdr_file *f, const struct config_cdr *config, uint64_t unix_us);

// Append a line, given without line end. Costs a copy.
void cdr_file_put(struct cdr_file *f, const char *line, size_t len);

// Write what waits, rotate, force to disk. now: for retries; unix_us: for rotation and names.
void cdr_file_poll(struct cdr_file *f, tick_t now, uint64_t unix_us);
// When cdr_file_poll() has work although nothing was put; TICK_NEVER: never.
tick_t cdr_file_next(const struct cdr_file *f, tick_t now, uint64_t unix_us);

void cdr_file_stats(const struct cdr_file *f, struct cdr_file_stats *stats);
