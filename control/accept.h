// SPDX-License-Identifier: BSD-3-Clause
// Content negotiation of /metrics. Pure, any thread.
#pragma once

#include <stdbool.h>

#include "base/slice.h"

// Whether an Accept header prefers OpenMetrics 1.0 to the classic text (RFC 9110 s12.5.1): it names
// it, in a version that we speak, with a quality that is not 0 and not below that of text/plain.
// Any bytes; what cannot be read counts as not there.
bool accept_prefers_openmetrics(struct slice accept);
