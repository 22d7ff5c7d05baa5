// SPDX-License-Identifier: BSD-3-Clause
// Forces files to the disk by short-lived threads, so that control does not wait for it. What
// cannot be forced is counted: nothing repairs it, but the operator hears of it. Thread: control.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// What fd has. *busy is 1 until that is done, and must live as long. False: a thread runs already,
// or none could be started; try again.
bool cdr_sync_start(int fd, _Atomic int *busy);
// The same, and close fd, which is finished. False: not started, fd is still the caller's.
bool cdr_sync_close(int fd);
// Wait for it.
void cdr_sync_now(int fd);

// How often the disk has refused since the program began; *error: the newest errno, 0 if never.
uint64_t cdr_sync_errors(int *error);
