// SPDX-License-Identifier: BSD-3-Clause
// Replaces, Target-Dialog and Refer-To translated between the legs. Thread: the owning worker.
#include "b2bua/transfer.h"

#include "sip/build.h"
#include "sip/dialog_id.h"

// The leg whose dialog has this Call-ID and these tags, as its peer writes them: our tag and its
// own.
static uint32_t transfer_find(struct engine *e, struct slice call_id, struct slice our_tag,
			      struct slice peer_tag)
{
	uint64_t token;
	uint32_t id;
	const struct leg_text *text;

	if (!token_read(our_tag, e->p.key, TOKEN_TAG, &token))
		return POOL_NONE;
	id = (uint32_t)token;
	if (id >= 2 * e->p.calls || (e->calls[id / 2].gen & 0xffff) != (uint16_t)(token >> 32) ||
	    e->calls[id / 2].state != CALL_UP)
		return POOL_NONE;
	text = leg_text_of(&e->legs[id]);
	if (text == NULL || !slice_eq(leg_text_part(text, LEG_TEXT_CALL_ID), call_id) ||
	    (peer_tag.len != 0 && !slice_eq(leg_text_part(text, LEG_TEXT_REMOTE_TAG), peer_tag)))
		return POOL_NONE;
	return id;
}

// Names of the other leg's dialog of the same call, as its peer knows it.
static const struct leg_text *transfer_other(struct engine *e, uint32_t leg)
{
	return leg_text_of(&e->legs[leg ^ 1]);
}

// Value of a Replaces for the other side; false: not a dialog of ours.
static bool transfer_put_replaces(struct engine *e, struct outbuf *o, struct slice value)
{
	struct sip_replaces r;
	const struct leg_text *text;
	uint32_t leg;

	if (sip_replaces_parse(&r, value) != 0)
		return false;
	// The one who will read it finds its dialog by to-tag = its own tag (RFC 3891 s3). What
	// names our leg here is written by a peer of that leg or by a party that got it from there:
	// either tag may be ours.
	leg = transfer_find(e, r.call_id, r.from_tag, r.to_tag);
	if (leg == POOL_NONE)
		leg = transfer_find(e, r.call_id, r.to_tag, r.from_tag);
	text = leg != POOL_NONE ? transfer_other(e, leg) : NULL;
	if (text == NULL)
		return false;
	outbuf_put_slice(o, leg_text_part(text, LEG_TEXT_CALL_ID));
	outbuf_put_lit(o, ";to-tag=");
	outbuf_put_slice(o, leg_text_part(text, LEG_TEXT_REMOTE_TAG));
	outbuf_put_lit(o, ";from-tag=");
	outbuf_put_slice(o, leg_text_part(text, LEG_TEXT_LOCAL_TAG));
	if (r.early_only)
		outbuf_put_lit(o, ";early-only");
	return true;
}

// local-tag is the sender's, remote-tag ours, of the dialog between the two (RFC 4538 s7).
static bool transfer_put_target_dialog(struct engine *e, struct outbuf *o, struct slice value)
{
	struct sip_target_dialog d;
	const struct leg_text *text;
	uint32_t leg;

	if (sip_target_dialog_parse(&d, value) != 0)
		return false;
	leg = transfer_find(e, d.call_id, d.remote_tag, d.local_tag);
	text = leg != POOL_NONE ? transfer_other(e, leg) : NULL;
	if (text == NULL)
		return false;
	outbuf_put_slice(o, leg_text_part(text, LEG_TEXT_CALL_ID));
	outbuf_put_lit(o, ";local-tag=");
	outbuf_put_slice(o, leg_text_part(text, LEG_TEXT_LOCAL_TAG));
	outbuf_put_lit(o, ";remote-tag=");
	outbuf_put_slice(o, leg_text_part(text, LEG_TEXT_REMOTE_TAG));
	return true;
}

// Refer-To: <sip:b@host?Replaces=escaped>: the inner Replaces is translated, all else stays.
static bool transfer_put_refer_to(struct engine *e, struct outbuf *o, struct slice value)
{
	struct sip_name_addr na;
	struct sip_uri uri;
	struct slice escaped;
	uint8_t plain_room[512], made_room[512];
	struct outbuf plain = outbuf_of(plain_room, sizeof(plain_room));
	struct outbuf made = outbuf_of(made_room, sizeof(made_room));
	uint32_t before, after;

	if (sip_name_addr_parse(&na, value) != 0 || sip_uri_parse(&uri, na.uri) != 0 ||
	    !sip_uri_header(&uri, SLICE_LIT("Replaces"), &escaped) ||
	    !sip_uri_unescape(&plain, escaped) || plain.full ||
	    !transfer_put_replaces(e, &made, outbuf_slice(&plain)) || made.full)
		return false;
	before = (uint32_t)(escaped.p - value.p);
	after = before + escaped.len;
	outbuf_put_slice(o, slice_first(value, before));
	sip_uri_escape(o, outbuf_slice(&made));
	outbuf_put_slice(o, slice_from(value, after));
	return true;
}

void transfer_translate(struct engine *e, struct outbuf *o, const struct txn *,
			const struct sip_msg *from, const struct sip_field *f)
{
	struct slice value = sip_msg_field_value(from, f);
	uint32_t at = o->len;
	bool done = false;

	outbuf_put_slice(o, sip_header_name((enum sip_header)f->id));
	outbuf_put_lit(o, ": ");
	if (f->id == SIP_H_REPLACES)
		done = transfer_put_replaces(e, o, value);
	else if (f->id == SIP_H_TARGET_DIALOG)
		done = transfer_put_target_dialog(e, o, value);
	else if (f->id == SIP_H_REFER_TO)
		done = transfer_put_refer_to(e, o, value);
	if (done) {
		outbuf_put_lit(o, "\r\n");
		return;
	}
	o->len = at;
	sip_build_copy_field(o, from, f);
}
