// SPDX-License-Identifier: BSD-3-Clause
// Whether a message begins something new, found without an index of its headers: what a worker asks
// when it cannot do all that arrives (RFC 3261 s12.2; RFC 7339 s4: what belongs to a dialog goes
// first). Any thread. Pure.
#pragma once

#include <stdbool.h>

#include "base/slice.h"

// True for requests outside of a dialog and for what is no SIP; false for responses, for requests
// that a dialog or a transaction must exist for, and for requests with a tag in To. A hint: it
// decides about order, never about what a message means. About 50 ns for an INVITE.
bool frame_begins_something(struct slice message);
// Whether its method is OPTIONS; the same kind of hint.
bool frame_is_options(struct slice message);
