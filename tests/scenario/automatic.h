// SPDX-License-Identifier: BSD-3-Clause
// What a peer does by itself when a case says `auto`: a plain user agent with RFC 4028.
// One thread of a test program. Used by cases, the model test and the fuzzer.
#pragma once

#include "network.h"

// Handle what arrived as far as the peer's `automatic` bits say. True: taken out of the inbox.
bool automatic_take(struct network *n, struct peer *p, struct arrival *arrival);

// When a peer has something to do by itself (refresh, retransmission), and doing it.
tick_t automatic_next(struct network *n);
void automatic_run(struct network *n, tick_t now);

// Send a request in a dialog as the peer's own; lines as draft.h takes them.
struct sent *automatic_request(struct network *n, struct dialog *d, const char *method,
			       const char *const *lines, int n_lines);

// What a 2xx that this peer sent or got means for the dialog's timer.
void automatic_learn(struct network *n, struct dialog *d, const struct wire *w, bool got_it);
