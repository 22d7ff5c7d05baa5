// SPDX-License-Identifier: BSD-3-Clause
// Recorded messages made to fit the replay. See rewrite.h.
#include "control/replay/rewrite.h"

#include "sip/build.h"
#include "sip/name_addr.h"

// From or To with verge's tag in the place of the recorded SBC's.
static void put_party(struct outbuf *o, const struct sip_msg *m, const struct sip_field *f,
		      const struct rewrite *w)
{
	struct slice value = sip_msg_field_value(m, f), tag;

	outbuf_put_slice(o, sip_msg_field_name(m, f));
	outbuf_put_lit(o, ": ");
	if (w->n_is != 0 && sip_name_addr_value_tag(value, &tag) == 0 && tag.len != 0) {
		for (uint32_t i = 0; i < w->n_was; i++) {
			uint32_t at = (uint32_t)(tag.p - value.p);

			if (!slice_eq(tag, w->was[i]))
				continue;
			outbuf_put_slice(o, slice_first(value, at));
			outbuf_put_slice(o, w->is[i < w->n_is ? i : w->n_is - 1]);
			value = slice_from(value, at + tag.len);
			break;
		}
	}
	outbuf_put_slice(o, value);
	outbuf_put_lit(o, "\r\n");
}

static void put_end(struct outbuf *o, struct slice body)
{
	outbuf_put_lit(o, "Content-Length: ");
	outbuf_put_u64(o, body.len);
	outbuf_put_lit(o, "\r\n\r\n");
	outbuf_put_slice(o, body);
}

void rewrite_request(struct outbuf *o, const struct sip_msg *m, const struct rewrite *w)
{
	sip_build_request_line_token(o, m->method_token, w->uri.len != 0 ? w->uri : m->uri);
	for (unsigned i = 0; i < m->n_fields; i++) {
		const struct sip_field *f = &m->field[i];

		switch (f->id) {
		case SIP_H_CALL_ID:
			sip_build_header(o, SIP_H_CALL_ID, w->call_id);
			break;
		case SIP_H_FROM:
		case SIP_H_TO:
			put_party(o, m, f, w);
			break;
		case SIP_H_RACK:
			sip_build_header(o, SIP_H_RACK,
					 w->rack.len != 0 ? w->rack : sip_msg_field_value(m, f));
			break;
		case SIP_H_CONTENT_LENGTH:
			break;
		default:
			sip_build_copy_field(o, m, f);
			break;
		}
	}
	put_end(o, m->body);
}

// Via, From, To, Call-ID and CSeq of an answer; tag: of To where the request has none.
static void put_answer_head(struct outbuf *o, const struct sip_msg *request, struct slice tag)
{
	struct slice to = sip_msg_value(request, SIP_H_TO), have = SLICE_NONE;

	sip_build_copy(o, request, SIP_H_VIA);
	sip_build_copy(o, request, SIP_H_FROM);
	outbuf_put_lit(o, "To: ");
	outbuf_put_slice(o, to);
	if ((sip_name_addr_value_tag(to, &have) != 0 || have.len == 0) && tag.len != 0) {
		outbuf_put_lit(o, ";tag=");
		outbuf_put_slice(o, tag);
	}
	outbuf_put_lit(o, "\r\n");
	sip_build_copy(o, request, SIP_H_CALL_ID);
	sip_build_copy(o, request, SIP_H_CSEQ);
}

void rewrite_response(struct outbuf *o, const struct sip_msg *m, const struct sip_msg *request)
{
	struct slice tag = SLICE_NONE;

	(void)sip_name_addr_value_tag(sip_msg_value(m, SIP_H_TO), &tag);
	sip_build_status_line(o, m->status, m->reason);
	put_answer_head(o, request, tag);
	for (unsigned i = 0; i < m->n_fields; i++) {
		switch (m->field[i].id) {
		case SIP_H_VIA:
		case SIP_H_FROM:
		case SIP_H_TO:
		case SIP_H_CALL_ID:
		case SIP_H_CSEQ:
		case SIP_H_CONTENT_LENGTH:
			break;
		default:
			sip_build_copy_field(o, m, &m->field[i]);
			break;
		}
	}
	put_end(o, m->body);
}

void rewrite_ack(struct outbuf *o, const struct sip_msg *invite, const struct sip_msg *answer)
{
	bool good = answer->status < 300;
	struct sip_name_addr contact;
	struct sip_cseq cseq;
	struct sip_via via;

	if (sip_cseq_of(answer, &cseq) != 0 || sip_via_top(invite, &via) != 0) {
		o->full = true;
		return;
	}
	sip_build_request_line(o, SIP_ACK,
			       good && sip_name_addr_of(answer, SIP_H_CONTACT, &contact) == 0
				       ? contact.uri
				       : invite->uri);
	outbuf_put_lit(o, "Via: ");
	if (good && via.branch.len != 0) {
		uint32_t end = (uint32_t)(via.branch.p - via.all.p) + via.branch.len;

		outbuf_put_slice(o, slice_first(via.all, end));
		outbuf_put_lit(o, "-ack");
		outbuf_put_slice(o, slice_from(via.all, end));
	} else {
		outbuf_put_slice(o, via.all);
	}
	outbuf_put_lit(o, "\r\nMax-Forwards: 70\r\n");
	sip_build_copy(o, answer, SIP_H_FROM);
	sip_build_copy(o, answer, SIP_H_TO);
	sip_build_copy(o, answer, SIP_H_CALL_ID);
	sip_build_cseq(o, cseq.number, SLICE_LIT("ACK"));
	put_end(o, SLICE_NONE);
}

void rewrite_answer(struct outbuf *o, const struct sip_msg *request, const struct assumed *a)
{
	struct sip_session_expires se;

	sip_build_status_line(o, a->code, sip_reason_phrase(a->code));
	put_answer_head(o, request, a->tag);
	if (a->contact.len != 0)
		sip_build_header(o, SIP_H_CONTACT, a->contact);
	if (a->timer && a->code < 300 && sip_session_expires_of(request, &se) == 0) {
		sip_build_session_expires(o, se.seconds,
					  se.refresher == SIP_REFRESHER_UAS ? SIP_REFRESHER_UAS
									    : SIP_REFRESHER_UAC);
		outbuf_put_lit(o, "Supported: timer\r\nRequire: timer\r\n");
	}
	if (a->sdp.len != 0)
		outbuf_put_lit(o, "Content-Type: application/sdp\r\n");
	put_end(o, a->sdp);
}
