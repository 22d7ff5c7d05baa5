// SPDX-License-Identifier: BSD-3-Clause
// The HTTP listener of metrics.listen (libmicrohttpd): / is a page for people, /metrics for
// Prometheus, /healthz for a supervisor. Read-only. Thread: control; no thread of its own. Never
// waits: what is long is made piece by piece as the client takes it. Clients that are silent, slow,
// talk junk or do not read are cut off, the oldest idle ones first when all places are taken.
#pragma once

#include "base/tick.h"
#include "config/config.h"

struct control_view;
struct http;

#define HTTP_CLIENTS 256 // at once
#define HTTP_SPARE   32	 // places kept free by cutting off who is idle longest
#define HTTP_SLOW_S  60	 // without a request, for a request to be complete, for a reply to be taken

// listen.ip.family 0: no endpoint; *out is then NULL and the result 0.
// Errors: -EADDRINUSE, -EADDRNOTAVAIL, other -errno; *out is then NULL.
int http_new(struct http **out, const struct config_endpoint *listen,
	     const struct control_view *view);
void http_free(struct http *h); // NULL is fine

// One descriptor for poll(POLLIN).
int http_fd(const struct http *h);
void http_poll(struct http *h, tick_t now);
// When http_poll() is due even if nothing is readable.
tick_t http_next(const struct http *h, tick_t now);
