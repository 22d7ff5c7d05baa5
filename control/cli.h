// SPDX-License-Identifier: BSD-3-Clause
// The UNIX socket that vergectl speaks to: one line of JSON asks, one line of JSON answers.
//   {"command":"calls","trunk":"8068","limit":10}   ->   {"ok":true,"result":{...}}
//                                                        {"ok":false,"error":"no trunk is called
//                                                        8068"}
// Thread: control. Never waits: each step does a bounded piece of work, so that refreshes are not
// late because somebody lists a million calls. Clients that are slow, silent or talk junk are cut
// off.
#pragma once

#include "base/tick.h"

struct cli;
struct control_view;

#define CLI_CLIENTS	256   // at once; further ones are closed at once, the oldest idle first
#define CLI_REQUEST_MAX 16384 // bytes of a request line
#define CLI_REPLY_MAX	(64u << 20) // bytes of a reply
#define CLI_IDLE_S	300	    // without a request
#define CLI_SLOW_S	10	    // for a request line to be complete, or a reply to be taken

// Binds path with mode 0660, over what a dead process left there.
// Errors: -EADDRINUSE another verge answers there, other -errno; *out is then NULL.
int cli_new(struct cli **out, const char *path, const struct control_view *view);
void cli_free(struct cli *cli); // removes the socket; NULL is fine

// One descriptor for poll(POLLIN): readable when cli_poll() has work.
int cli_fd(const struct cli *cli);
// Accept, read, answer, cut off: a bounded piece of it.
void cli_poll(struct cli *cli, tick_t now);
// When cli_poll() is due even if nothing is readable (deadlines; `now` if an answer is half
// made); TICK_NEVER if never.
tick_t cli_next(const struct cli *cli, tick_t now);
