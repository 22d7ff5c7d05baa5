// SPDX-License-Identifier: BSD-3-Clause
// Route sets and targets of dialogs (RFC 3261 s12.1, s12.2.1.1, s16.12.1.1).
// Any thread; pure.
#pragma once

#include "base/outbuf.h"
#include "sip/message.h"

#define DIALOG_ROUTES_MAX 24 // Record-Route values of one message

// Append the route set that a message's Record-Route gives as "Route: ...\r\n" lines, in the order
// of requests: reverse = true for the UAC (from a response), false for the UAS (from a request).
// Returns 0; -E2BIG more than DIALOG_ROUTES_MAX values; -EBADMSG one that is no name-addr.
int dialog_put_routes(struct outbuf *o, const struct sip_msg *msg, bool reverse);

// How a request in the dialog is addressed.
struct dialog_route {
	struct slice request_uri;
	struct slice lines; // Route lines to copy
	struct slice last;  // URI of one more Route line at the end; empty = none
	struct slice hop;   // URI of the next hop
};

// target: remote target URI; routes: lines as dialog_put_routes() made them. A strict router (no
// ;lr) in front becomes the Request-URI and the target goes last.
struct dialog_route dialog_route(struct slice target, struct slice routes);
