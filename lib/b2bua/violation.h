// SPDX-License-Identifier: BSD-3-Clause
// Departures of peers from the RFCs: counted, and a sample kept for the trunk's report.
// Thread: the owning worker.
#pragma once

#include "b2bua/core.h"

// By the message that is being handled.
void violation_note(struct engine *e, uint16_t trunk, enum violation v);
// By a message that could not be read.
void violation_note_unread(struct engine *e, const struct rx *rx, uint16_t trunk);
// A request of ours was not answered; it is counted by its caller.
void violation_note_unanswered(struct engine *e, const struct txn *t);
// What a 2xx to INVITE or UPDATE says of session timers, against what was offered.
void violation_read_2xx(struct engine *e, const struct leg *leg, const struct st_headers *offered,
			const struct st_seen *seen, const struct sip_msg *answer);
