// SPDX-License-Identifier: BSD-3-Clause
// Hash functions for engine_ops.hash in tests. Any thread.
#pragma once

#include "sip/digest.h"

extern const struct sip_digest_hash hash_functions;
