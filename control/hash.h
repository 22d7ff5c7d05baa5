// SPDX-License-Identifier: BSD-3-Clause
// Hash functions for digest authentication, from Nettle. Any thread; pure.
#pragma once

#include "sip/digest.h"

extern const struct sip_digest_hash hash_nettle;
