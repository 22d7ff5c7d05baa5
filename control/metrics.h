// SPDX-License-Identifier: BSD-3-Clause
// The HTTP endpoint: /metrics for Prometheus and /healthz for a supervisor (libmicrohttpd).
// Thread: control; no thread of its own. Never waits: the text of thousands of trunks is made piece
// by piece as the client takes it. At most 16 connections, 4 from one address; idle ones are cut
// off after 15 s.
#pragma once

#include "base/tick.h"
#include "config/config.h"

struct control_view;
struct metrics;

// listen.ip.family 0: no endpoint; *out is then NULL and the result 0.
// Errors: -EADDRINUSE, -EADDRNOTAVAIL, other -errno; *out is then NULL.
int metrics_new(struct metrics **out, const struct config_endpoint *listen,
		const struct control_view *view);
void metrics_free(struct metrics *m); // NULL is fine

// One descriptor for poll(POLLIN).
int metrics_fd(const struct metrics *m);
void metrics_poll(struct metrics *m, tick_t now);
// When metrics_poll() is due even if nothing is readable; TICK_NEVER if never.
tick_t metrics_next(const struct metrics *m, tick_t now);
