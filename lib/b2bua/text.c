// SPDX-License-Identifier: BSD-3-Clause
// The next text block of a leg, from the one before and from what a message says (RFC 3261 s12.1,
// s12.2; RFC 6141). Thread: the owning worker.
#include "b2bua/core.h"
#include "dialog/dialog.h"

#define TEXT_ROUTES_ROOM 4096

bool text_is_sdp(struct slice content_type)
{
	static const struct slice sdp = SLICE_LIT("application/sdp");

	if (content_type.len == 0)
		return true;
	return slice_eq_nocase(slice_first(content_type, sdp.len), sdp) &&
	       (content_type.len == sdp.len || content_type.p[sdp.len] == ';' ||
		slice_is_lws(content_type.p[sdp.len]));
}

void text_set_body(struct leg_text_parts *parts, const struct sip_msg *msg)
{
	struct slice type = sip_msg_value(msg, SIP_H_CONTENT_TYPE);

	if (msg->body.len == 0)
		return;
	parts->part[LEG_TEXT_SDP] = msg->body;
	parts->part[LEG_TEXT_SDP_TYPE] = text_is_sdp(type) ? SLICE_NONE : type;
}

static bool text_set_target(struct leg_text_parts *parts, const struct sip_msg *msg)
{
	struct sip_name_addr contact;
	struct sip_uri uri;

	if (sip_name_addr_of(msg, SIP_H_CONTACT, &contact) != 0)
		return false;
	if (slice_eq(contact.uri, parts->part[LEG_TEXT_TARGET]))
		return true;
	if (sip_uri_parse(&uri, contact.uri) != 0)
		return false;
	parts->part[LEG_TEXT_TARGET] = contact.uri;
	return true;
}

struct leg_text *text_of_response(struct engine *e, const struct leg_text *base,
				  const struct sip_msg *msg, struct slice remote_tag)
{
	struct leg_text_parts parts;
	uint8_t room[TEXT_ROUTES_ROOM];
	struct outbuf o = outbuf_of(room, sizeof(room));

	leg_text_read(base, &parts);
	parts.part[LEG_TEXT_REMOTE_TAG] = remote_tag;
	(void)text_set_target(&parts, msg);
	if (dialog_put_routes(&o, msg, true) == 0 && !o.full)
		parts.part[LEG_TEXT_ROUTES] = outbuf_slice(&o);
	text_set_body(&parts, msg);
	return text_new(e, &parts);
}

struct leg_text *text_of_target(struct engine *e, const struct leg_text *base,
				const struct sip_msg *msg)
{
	struct leg_text_parts parts;
	struct slice before = leg_text_part(base, LEG_TEXT_TARGET);

	leg_text_read(base, &parts);
	if (!text_set_target(&parts, msg) || slice_eq(before, parts.part[LEG_TEXT_TARGET]))
		return NULL; // nothing new
	return text_new(e, &parts);
}

struct leg_text *text_of_change(struct engine *e, const struct leg_text *base,
				const struct sip_msg *msg)
{
	struct leg_text_parts parts;

	leg_text_read(base, &parts);
	(void)text_set_target(&parts, msg);
	text_set_body(&parts, msg);
	return text_new(e, &parts);
}

struct leg_text *text_of_body(struct engine *e, const struct leg_text *base,
			      const struct sip_msg *msg)
{
	struct leg_text_parts parts;

	leg_text_read(base, &parts);
	text_set_body(&parts, msg);
	return text_new(e, &parts);
}
