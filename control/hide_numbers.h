// SPDX-License-Identifier: BSD-3-Clause
// Messages without the people in them: for evidence and for samples that are shown to others.
// Pure; any thread.
#pragma once

#include "base/outbuf.h"
#include "base/siphash.h"

// The bytes of a message with each user of a URI as "h" and ten digits of its hash, quoted display
// names empty, and credentials left out. o is full when there is no room.
void hide_numbers(struct outbuf *o, const struct siphash_key *key, struct slice message);
