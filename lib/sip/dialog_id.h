// SPDX-License-Identifier: BSD-3-Clause
// Headers that name a dialog or say why one ends: Replaces (RFC 3891), Target-Dialog (RFC 4538),
// Reason (RFC 3326, 6432, 9366). Any thread; pure. Results point into the message and die with it.
#pragma once

#include "sip/param.h"

struct sip_replaces {
	struct slice call_id, to_tag, from_tag;
	bool early_only;
	struct slice params; // all of them, the tags among them
};

struct sip_target_dialog {
	struct slice call_id, local_tag, remote_tag;
	struct slice params;
};

struct sip_reason {
	struct slice protocol; // "SIP", "Q.850" ...
	uint32_t cause;
	bool has_cause;
	struct slice text; // between the quotes, escapes as written; p == NULL: none
	struct slice params;
};

// Errors: -EBADMSG malformed, a tag missing or given twice; *r is then untouched. A message has one
// Replaces.
int sip_replaces_parse(struct sip_replaces *r, struct slice value);
// A missing tag is p == NULL (RFC 4538 s7 wants both; who matches decides). Errors: -EBADMSG.
int sip_target_dialog_parse(struct sip_target_dialog *t, struct slice value);
// One value of a Reason header; several follow each other with commas: sip_param_values().
// A cause that is no number or too large is no cause. Errors: -EBADMSG.
int sip_reason_parse(struct sip_reason *r, struct slice value);
// First Reason with this protocol (case ignored). Errors: -ENOENT none.
int sip_reason_of(const struct sip_msg *m, struct slice protocol, struct sip_reason *r);
