// SPDX-License-Identifier: BSD-3-Clause
// The Call-ID of a message, found without an index of its headers: what a worker needs to know
// whose message it is (RFC 3261 s8.1.1.4). Any thread. Pure.
#pragma once

#include "base/slice.h"

// The value of the first Call-ID header, trimmed, folds still inside: the same bytes that
// sip_msg_parse() finds in a message that it accepts. SLICE_NONE if there is none. About 100 ns.
struct slice call_id_find(struct slice message);
