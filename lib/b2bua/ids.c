// SPDX-License-Identifier: BSD-3-Clause
// The values of a message that routing it needs, read once a message: Via, tags, Call-ID, CSeq (RFC
// 3261 s8.1.1). Any thread; pure.
#include "b2bua/engine.h"
#include "sip/name_addr.h"

// Keeps keys of merged requests apart from those of transactions.
#define MERGE_KEY 0xc2b2ae3d27d4eb4fu

// Headers that each message has exactly once.
static bool ids_are_single(const struct sip_msg *m)
{
	static const uint8_t once[] = {SIP_H_CALL_ID, SIP_H_FROM, SIP_H_TO, SIP_H_CSEQ,
				       SIP_H_MAX_FORWARDS};

	for (size_t i = 0; i < sizeof(once); i++)
		if (sip_msg_has(m, once[i]) && m->field[m->first[once[i]]].next != SIP_FIELD_NONE)
			return false;
	return true;
}

void rx_read_ids(struct rx *rx)
{
	const struct sip_msg *m = &rx->msg;
	struct rx_ids *ids = &rx->ids;

	rx->has_ids = true;
	rx->has_token = false;
	ids->from_tag = ids->to_tag = SLICE_NONE;
	ids->cseq = (struct sip_cseq){0};
	ids->call_id = sip_msg_value(m, SIP_H_CALL_ID);
	ids->has_via = sip_via_top(m, &ids->via) == 0;
	ids->complete =
		ids->call_id.len != 0 && ids_are_single(m) && sip_cseq_of(m, &ids->cseq) == 0 &&
		sip_name_addr_value_tag(sip_msg_value(m, SIP_H_FROM), &ids->from_tag) == 0 &&
		sip_name_addr_value_tag(sip_msg_value(m, SIP_H_TO), &ids->to_tag) == 0;
}

void rx_read_key(struct rx *rx, struct siphash_key key)
{
	const struct rx_ids *ids = &rx->ids;
	uint64_t branch = siphash(key, ids->via.branch), sender;

	rx->has_key = true;
	rx->key = branch | 1;
	if (!ids->complete)
		return; // for the tag of a refusal
	if (rx->msg.method == SIP_INVITE && ids->to_tag.len == 0) {
		rx->call_id_hash = siphash(key, ids->call_id);
		// What a request keeps whatever way it takes (s8.2.2.2).
		rx->merge = (rx->call_id_hash * 3 ^ siphash(key, ids->from_tag) ^
			     (uint64_t)ids->cseq.number << 20 ^ MERGE_KEY) |
			    1;
	}
	sender = siphash(key, ids->via.host) ^ ids->via.port;
	if (sip_via_is_rfc3261(&ids->via)) {
		rx->key = sender * 3 ^ branch;
		return;
	}
	sender ^= siphash(key, ids->call_id) * 5 ^ siphash(key, ids->from_tag) * 7;
	rx->key = sender ^ (uint64_t)ids->cseq.number << 20 ^ branch;
}
