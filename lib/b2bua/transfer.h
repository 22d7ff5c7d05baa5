// SPDX-License-Identifier: BSD-3-Clause
// Headers that name a dialog, while they cross: what a peer calls a dialog with us, the other leg's
// peer knows by other names (RFC 3891, RFC 3515, RFC 4538). Thread: the owning worker.
#pragma once

#include "b2bua/inbound.h"

// Append the header field f of `from` as the peer of transaction t's leg has to see it: Replaces,
// Target-Dialog, and Replaces inside Refer-To. A dialog that is none of ours is left as it is.
void transfer_translate(struct engine *e, struct outbuf *o, const struct txn *t,
			const struct sip_msg *from, const struct sip_field *f);
