// SPDX-License-Identifier: BSD-3-Clause
// Messages of a leg, composed from its text and from what crosses (RFC 3261 s8.1.1, s12.2.1.1; RFC
// 7092). Thread: the owning worker. What does not fit in a buffer is not sent: NULL, counted.
#include "b2bua/compose.h"
#include "b2bua/manipulate.h"
#include "b2bua/transfer.h"
#include "b2bua/txn.h"
#include "dialog/dialog.h"
#include "sdp/sdp.h"

// Room beside bodies, crossing headers and routes for all that verge writes itself.
#define COMPOSE_BASE 640

#define CROSSING (1u << SIP_CROSS | 1u << SIP_TRANSLATE)

// Keeps session ids of o= lines apart from what else is made of a leg's token.
#define SESSION_ID_KEY 0x6f3d73657373696fu

void compose_own_uri(struct outbuf *o, const struct flow *flow)
{
	outbuf_put_lit(o, "sip:");
	sip_build_host_port(o, flow->local_ip, flow->family, flow->local_udp);
}

#define ALLOW_CALL(token)	       token
#define ALLOW_DIALOG(token)	       ", " token
#define ALLOW_LOCAL(token)	       ", " token
#define ALLOW_REFUSE(token)	       ""
#define SIP_METHOD(id, token, service) ALLOW_##service(token)
static const char allow_line[] = "Allow: "
#include "sip/sip.def"
				 "\r\n";

struct slice compose_allow_line(void)
{
	return slice_of(allow_line, sizeof(allow_line) - 1);
}

// --- what we say of ourselves

#define OWN_ADDRESS_MAX 48 // [IPv6]:port

static_assert(sizeof(((struct compose_own *)0)->contact) >=
		      OWN_ADDRESS_MAX + sizeof("Contact: <sip:>\r\n") + sizeof(allow_line),
	      "Contact and Allow fit");

static void own_write(struct compose_own *own, const struct flow *flow)
{
	struct outbuf via = outbuf_of(own->via, sizeof(own->via));
	struct outbuf contact = outbuf_of(own->contact, sizeof(own->contact));

	own->family = flow->family;
	own->udp = flow->local_udp;
	memcpy(own->ip, flow->local_ip, sizeof(own->ip));
	sip_build_via_start(&via, flow);
	own->via_len = (uint8_t)via.len;
	sip_build_contact(&contact, SLICE_NONE, flow);
	outbuf_put_slice(&contact, compose_allow_line());
	own->contact_len = (uint16_t)contact.len;
}

// The lines for the address that a flow leaves from: composed when it changes in its slot.
static const struct compose_own *compose_own(struct engine *e, const struct flow *flow)
{
	struct compose_own *own = &e->own[(2u * flow->port + (flow->family == 6)) % COMPOSE_OWN];

	if (own->family != flow->family || own->udp != flow->local_udp ||
	    memcmp(own->ip, flow->local_ip, sizeof(own->ip)) != 0)
		own_write(own, flow);
	return own;
}

// --- bodies

// What we send on a leg is what the other leg's peer sent, under our own origin line.
static struct slice compose_stored(const struct engine *e, const struct txn *t, struct slice *type)
{
	const struct leg_text *other = leg_text_of(&e->legs[2 * t->call + (t->side ^ 1)]);

	if (other == NULL)
		return SLICE_NONE;
	*type = leg_text_part(other, LEG_TEXT_SDP_TYPE);
	return leg_text_part(other, LEG_TEXT_SDP);
}

// The leg owns its origin line: unchanged content keeps its version, any other takes the next one
// (RFC 3264 s8; INTEROP P10).
static void compose_sdp(struct engine *e, struct outbuf *o, const struct txn *t, struct slice body)
{
	struct leg *leg = engine_leg(e, t->call, t->side);
	struct sdp_own_line own;
	uint64_t hash = sdp_hash_find(body, &own);
	struct siphash_key key = {e->p.key.k0 ^ SESSION_ID_KEY, e->p.key.k1};
	struct sdp_origin origin;

	if (hash != leg->o_hash || (leg->flags & LEG_O_BUMP) != 0)
		leg->o_version++;
	leg->flags &= (uint16_t)~LEG_O_BUMP;
	leg->o_hash = hash;
	origin = (struct sdp_origin){
		.session_id = siphash_one(key, leg_token(e, t->call, t->side, 0)) >> 16,
		.version = leg->o_version,
		.family = leg->flow.family,
		.ip = leg->flow.local_ip,
	};
	sdp_rewrite_found(o, body, own, &origin);
}

// The body stands at body_at: put Content-Length and the blank line before it.
static void compose_length_before(struct outbuf *o, uint32_t body_at)
{
	uint8_t line[32];
	struct outbuf head = outbuf_of(line, sizeof(line));
	uint32_t len = o->len - body_at;

	sip_build_header_u32(&head, SIP_H_CONTENT_LENGTH, len);
	outbuf_put_lit(&head, "\r\n");
	outbuf_put(o, line, head.len); // makes sure that there is room
	if (o->full)
		return;
	memmove(o->p + body_at + head.len, o->p + body_at, len);
	memcpy(o->p + body_at, line, head.len);
}

static void compose_body(struct engine *e, struct outbuf *o, const struct txn *t,
			 const struct compose *c)
{
	struct slice type = SLICE_NONE, body = SLICE_NONE;
	uint32_t body_at;

	if (c->body == COMPOSE_CROSS_BODY && c->from != NULL) {
		body = c->from->body;
		type = sip_msg_value(c->from, SIP_H_CONTENT_TYPE);
	} else if (c->body == COMPOSE_STORED_BODY) {
		body = compose_stored(e, t, &type);
	}
	if (body.len == 0) {
		outbuf_put_lit(o, "Content-Length: 0\r\n\r\n");
		return;
	}
	if (c->body == COMPOSE_CROSS_BODY)
		compose_crossing(e, o, t, c->from, 1u << SIP_BODY);
	else
		sip_build_header(o, SIP_H_CONTENT_TYPE,
				 type.len != 0 ? type : SLICE_LIT("application/sdp"));
	body_at = o->len;
	if (text_is_sdp(type))
		compose_sdp(e, o, t, body);
	else
		outbuf_put_slice(o, body);
	compose_length_before(o, body_at);
}

// --- headers

static_assert(SIP_H_N <= 64, "a bit for each header");

// The headers of one kind, a bit each; those that are not listed cross.
#define IS_KIND(kind, id, crossing) | (uint64_t)(SIP_##crossing == SIP_##kind) << SIP_H_##id
static const uint64_t compose_kinds[] = {[SIP_CROSS] = 1u << SIP_H_OTHER
#define SIP_HEADER(id, name, compact, crossing) IS_KIND(CROSS, id, crossing)
#include "sip/sip.def"
					 ,
					 [SIP_BODY] = 0
#define SIP_HEADER(id, name, compact, crossing) IS_KIND(BODY, id, crossing)
#include "sip/sip.def"
					 ,
					 [SIP_TRANSLATE] = 0
#define SIP_HEADER(id, name, compact, crossing) IS_KIND(TRANSLATE, id, crossing)
#include "sip/sip.def"
};

void compose_crossing(struct engine *e, struct outbuf *o, const struct txn *t,
		      const struct sip_msg *from, unsigned kinds)
{
	uint64_t wanted = 0;

	for (; kinds != 0; kinds &= kinds - 1)
		wanted |= compose_kinds[__builtin_ctz(kinds)];
	for (unsigned i = 0; i < from->n_fields; i++) {
		const struct sip_field *f = &from->field[i];

		if ((wanted >> f->id & 1) == 0)
			continue;
		if ((compose_kinds[SIP_TRANSLATE] >> f->id & 1) != 0)
			transfer_translate(e, o, t, from, f);
		else
			sip_build_copy_field(o, from, f);
	}
}

// Option tags that a message of ours lists: timer where the leg's profile has timers (RFC 4028
// s7.1), and what the other leg's peer can do, when its message crosses.
static uint32_t compose_options(const struct engine *e, const struct leg *leg,
				const struct sip_msg *from)
{
	uint32_t options = from != NULL ? leg_supported(e, from) : leg->options;
	struct st_policy policy;

	leg_read_policy(e, leg, &policy);
	options &= ~SIP_OPTION_BIT(TIMER);
	if (leg_profile(e, leg)->reliable == CONFIG_RELIABLE_OFF)
		options &= ~SIP_OPTION_BIT(REL100);
	if (st_plain(&policy, &leg->st).supported)
		options |= SIP_OPTION_BIT(TIMER);
	return options;
}

static enum sip_refresher compose_refresher(const struct st_headers *t)
{
	return t->refresher == ST_REFRESHER_UAC	  ? SIP_REFRESHER_UAC
	       : t->refresher == ST_REFRESHER_UAS ? SIP_REFRESHER_UAS
						  : SIP_REFRESHER_NONE;
}

// Contact, Supported, Require, Allow and the session timer: what goes into INVITE, UPDATE and their
// answers.
static void compose_abilities(struct engine *e, struct outbuf *o, struct leg *leg,
			      const struct compose *c)
{
	uint32_t require = c->require;

	if (c->contact) {
		const struct compose_own *own = compose_own(e, &leg->flow);

		outbuf_put(o, own->contact, own->contact_len);
	}
	if (c->supported) {
		leg->options = compose_options(e, leg, c->from);
		sip_build_options(o, SIP_H_SUPPORTED, leg->options);
	}
	if (c->timer != NULL) {
		if (c->timer->se_s != 0)
			sip_build_session_expires(o, c->timer->se_s, compose_refresher(c->timer));
		if (c->timer->min_se_s != 0)
			sip_build_header_u32(o, SIP_H_MIN_SE, c->timer->min_se_s);
		if (c->timer->require)
			require |= SIP_OPTION_BIT(TIMER);
	}
	sip_build_options(o, SIP_H_REQUIRE, require);
	outbuf_put_slice(o, c->lines);
}

// From, To, Call-ID and CSeq of a request on this leg.
static void compose_dialog(struct outbuf *o, const struct leg_text *text, uint32_t cseq,
			   struct slice method)
{
	sip_build_name_addr(o, SIP_H_FROM, leg_text_part(text, LEG_TEXT_LOCAL),
			    leg_text_part(text, LEG_TEXT_LOCAL_TAG));
	sip_build_name_addr(o, SIP_H_TO, leg_text_part(text, LEG_TEXT_REMOTE),
			    leg_text_part(text, LEG_TEXT_REMOTE_TAG));
	sip_build_header(o, SIP_H_CALL_ID, leg_text_part(text, LEG_TEXT_CALL_ID));
	sip_build_cseq(o, cseq, method);
}

// --- whole messages

static uint32_t compose_size(const struct engine *e, const struct txn *t, const struct compose *c)
{
	const struct leg_text *other = leg_text_of(&e->legs[2 * t->call + (t->side ^ 1)]);
	uint32_t size = COMPOSE_BASE + c->lines.len;

	if (c->from != NULL)
		size += c->from->len;
	if (c->body == COMPOSE_STORED_BODY && other != NULL)
		size += leg_text_part(other, LEG_TEXT_SDP).len;
	return size;
}

static uint32_t head_bytes(const struct sip_msg *m)
{
	return m->len - m->body.len;
}

// Of a text block without the body, which only COMPOSE_STORED_BODY asks for, of the other leg.
static uint32_t text_bytes(const struct leg_text *text)
{
	return text->size - leg_text_part(text, LEG_TEXT_SDP).len;
}

static struct sip_buf *compose_done(struct engine *e, struct sip_buf *b, const struct outbuf *o)
{
	if (o->full) {
		stat_add(&e->p.stats->no_buffer, 1);
		buf_put(e, b);
		return NULL;
	}
	b->len = o->len;
	return b;
}

static void compose_request_head(struct engine *e, struct outbuf *o, const struct txn *t,
				 const struct leg_text *text, const struct compose *c)
{
	struct slice method =
		c->method.len != 0 ? c->method : sip_method_token((enum sip_method)t->method);
	struct dialog_route route = dialog_route(leg_text_part(text, LEG_TEXT_TARGET),
						 leg_text_part(text, LEG_TEXT_ROUTES));
	const struct compose_own *own = compose_own(e, &t->flow);

	sip_build_request_line_token(o, method, route.request_uri);
	outbuf_put(o, own->via, own->via_len);
	if (c->own_branch)
		token_put_branch(o, e->p.key, (uint64_t)t->gen << 32 | UINT32_MAX);
	else
		txn_put_branch(e, o, t);
	outbuf_put_lit(o, "\r\n");
	outbuf_put_slice(o, route.lines);
	if (route.last.len != 0) {
		outbuf_put_lit(o, "Route: <");
		outbuf_put_slice(o, route.last);
		outbuf_put_lit(o, ">\r\n");
	}
	sip_build_header_u32(o, SIP_H_MAX_FORWARDS, c->max_forwards != 0 ? c->max_forwards : 70);
	compose_dialog(o, text, t->cseq, method);
}

struct sip_buf *compose_request(struct engine *e, struct txn *t, const struct leg_text *text,
				const struct compose *c)
{
	struct sip_buf *b =
		text != NULL ? buf_get(e, text_bytes(text) + compose_size(e, t, c)) : NULL;
	struct outbuf o;

	if (b == NULL)
		return NULL;
	o = outbuf_of(b->data, b->cap);
	compose_request_head(e, &o, t, text, c);
	compose_abilities(e, &o, engine_leg(e, t->call, t->side), c);
	if (c->from != NULL)
		compose_crossing(e, &o, t, c->from, CROSSING);
	compose_body(e, &o, t, c);
	return manipulate_request(e, t, compose_done(e, b, &o), c->timer != NULL);
}

const struct sip_msg *txn_request(struct engine *e, const struct txn *t)
{
	if (t->received == NULL)
		return NULL;
	if (e->rx != NULL && e->rx->buf == t->received)
		return &e->rx->msg;
	return sip_msg_parse(&e->scratch, slice_of(t->received->data, t->received->len)) == 0
		       ? &e->scratch
		       : NULL;
}

// The same as it was sent: what responses repeat are the sender's own words (RFC 3261 s8.2.6.2).
static const struct sip_msg *compose_as_sent(struct engine *e, const struct txn *t)
{
	const struct sip_buf *b = t->received != NULL ? t->as_sent : NULL;

	if (b == NULL)
		return txn_request(e, t);
	return sip_msg_parse(&e->scratch, slice_of(b->data, b->len)) == 0 ? &e->scratch : NULL;
}

// --- no buffer left

// An answer needs none: it takes the place of the request, which nobody reads after it. It is
// written into `spare` meanwhile, since it repeats what stands in the request. BYE and CANCEL are
// read on (their Reason goes into the call record); they are answered when they come again.
// What we would ask by ourselves waits for better times.
static struct outbuf compose_spare(struct engine *e)
{
	return outbuf_of(e->spare, sizeof(e->spare));
}

static struct sip_buf *compose_in_place(struct engine *e, struct sip_buf *request,
					const struct outbuf *o)
{
	if (o->full || o->len > request->cap)
		return NULL;
	memcpy(request->data, o->p, o->len);
	request->len = o->len;
	return buf_ref(e, request);
}

// Our tag of the dialog that a response belongs to, as text.
static struct slice compose_tag(struct engine *e, struct outbuf *room, const struct txn *t,
				uint8_t fork)
{
	const struct leg_text *text = leg_text_of(engine_leg(e, t->call, t->side));

	if (t->side == SIDE_A && fork == e->calls[t->call].fork_won && text != NULL)
		return leg_text_part(text, LEG_TEXT_LOCAL_TAG);
	leg_put_tag(e, room, t->call, t->side, fork);
	return outbuf_slice(room);
}

// The response that went before, if what all responses repeat can be copied from it.
static const struct sip_buf *compose_before(const struct txn *t)
{
	return t->received != NULL && t->sent != NULL && t->sent->lines.at != 0 ? t->sent : NULL;
}

// The topmost Via of a message where routing it has read that; else NULL.
static const struct sip_via *compose_via(const struct engine *e, const struct sip_msg *request)
{
	return e->rx != NULL && request == &e->rx->msg && e->rx->ids.has_via ? &e->rx->ids.via
									     : NULL;
}

// What stands in each response to this request. request: NULL if compose_before() is not.
static void compose_reply_head(const struct engine *e, struct outbuf *o, const struct txn *t,
			       const struct sip_msg *request, struct slice to_tag,
			       struct sip_reply_lines *lines)
{
	const struct sip_buf *before = request == NULL ? compose_before(t) : NULL;

	if (before != NULL) {
		sip_build_reply_again(o, before, to_tag, lines);
		return;
	}
	sip_build_reply_lines(o, request, compose_via(e, request), &t->flow, to_tag, lines);
	if (sip_msg_has(request, SIP_H_RECORD_ROUTE)) // not in each
		*lines = (struct sip_reply_lines){0};
}

struct sip_buf *compose_response(struct engine *e, const struct txn *t, uint16_t code, uint8_t fork,
				 const struct compose *c)
{
	const struct sip_buf *before = compose_before(t);
	const struct sip_msg *request = before == NULL ? compose_as_sent(e, t) : NULL;
	struct leg *leg = engine_leg(e, t->call, t->side);
	struct sip_reply_lines lines;
	uint8_t room[TOKEN_LEN];
	struct outbuf tag = outbuf_of(room, sizeof(room)), o;
	uint32_t size = before != NULL ? before->lines.end : 0;
	struct sip_buf *b;

	if (before == NULL && request == NULL)
		return NULL;
	if (request != NULL)
		size = head_bytes(request);
	b = buf_get(e, size + compose_size(e, t, c));
	if (b == NULL && (code < 200 || t->method == SIP_BYE || t->method == SIP_CANCEL))
		return NULL;
	o = b != NULL ? outbuf_of(b->data, b->cap) : compose_spare(e);
	sip_build_status_line(&o, code, c->from != NULL ? c->from->reason : SLICE_NONE);
	compose_reply_head(e, &o, t, request,
			   code != 100 ? compose_tag(e, &tag, t, fork) : SLICE_NONE, &lines);
	if (code == 100 && request != NULL)
		sip_build_copy(&o, request, SIP_H_TIMESTAMP);
	if (c->contact && request != NULL)
		sip_build_copy(&o, request, SIP_H_RECORD_ROUTE);
	if (code == 405 && !c->contact) // RFC 3261 s21.4.6; a peer's own Allow does not cross
		outbuf_put_slice(&o, compose_allow_line());
	compose_abilities(e, &o, leg, c);
	if (c->from != NULL)
		compose_crossing(e, &o, t, c->from, CROSSING);
	compose_body(e, &o, t, c);
	if (b == NULL)
		return compose_in_place(e, t->received, &o);
	b->lines = lines;
	return manipulate_response(e, t, compose_done(e, b, &o), c->timer != NULL);
}

struct sip_buf *compose_plain(struct engine *e, const struct inbound *in, uint16_t code,
			      struct slice reason, struct slice lines)
{
	const struct sip_msg *request = inbound_as_sent(e, in);
	struct sip_buf *b = buf_get(e, head_bytes(request) + COMPOSE_BASE + lines.len);
	uint8_t room[TOKEN_LEN];
	struct outbuf tag = outbuf_of(room, sizeof(room));
	struct outbuf o;

	if (b == NULL && code < 300)
		return NULL;
	o = b != NULL ? outbuf_of(b->data, b->cap) : compose_spare(e);
	// The same for each retransmission, and no leg's (RFC 3261 s8.2.6.2, s8.2.7).
	token_put(&tag, e->p.key, TOKEN_TAG, in->key | UINT32_MAX);
	sip_build_reply_head(&o, request, &in->rx->flow, code, reason, outbuf_slice(&tag));
	outbuf_put_slice(&o, lines);
	outbuf_put_lit(&o, "Content-Length: 0\r\n\r\n");
	return b != NULL ? manipulate_plain(e, compose_done(e, b, &o), in->trunk)
			 : compose_in_place(e, in->rx->buf, &o);
}
