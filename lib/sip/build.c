// SPDX-License-Identifier: BSD-3-Clause
// Writing messages of our own. Pure.
#include "sip/build.h"

#include <arpa/inet.h>

#include "sip/list.h"
#include "sip/name_addr.h"

// "Name: " of each header that sip.def lists, long enough to be copied in two wide moves.
#define NAME_ROOM 32
static const struct {
	uint8_t len;
	char text[NAME_ROOM];
} names[SIP_H_N] = {
#define SIP_HEADER(id, name, compact, crossing) [SIP_H_##id] = {sizeof(name ": ") - 1, name ": "},
#include "sip/sip.def"
};

static void put_crlf(struct outbuf *o)
{
	outbuf_put_lit(o, "\r\n");
}

static void put_name(struct outbuf *o, enum sip_header id)
{
	if (o->cap - o->len < NAME_ROOM) {
		outbuf_put(o, names[id].text, names[id].len);
		return;
	}
	memcpy(o->p + o->len, names[id].text, NAME_ROOM);
	o->len += names[id].len;
}

// Copies of 16 and of 8 bytes in which CR and LF become spaces.
typedef uint8_t wide __attribute__((vector_size(16)));
typedef uint8_t half __attribute__((vector_size(8)));

static void copy_wide(uint8_t *to, const uint8_t *from)
{
	wide x, end;

	memcpy(&x, from, sizeof(x));
	end = (wide)((x == '\r') | (x == '\n'));
	x = (x & ~end) | (end & ' ');
	memcpy(to, &x, sizeof(x));
}

static void copy_half(uint8_t *to, const uint8_t *from)
{
	half x, end;

	memcpy(&x, from, sizeof(x));
	end = (half)((x == '\r') | (x == '\n'));
	x = (x & ~end) | (end & ' ');
	memcpy(to, &x, sizeof(x));
}

// The last moves overlap the ones before.
static void copy_line(uint8_t *to, const uint8_t *from, uint32_t n)
{
	uint32_t at = 0;

	if (n >= sizeof(wide)) {
		for (; at + sizeof(wide) < n; at += (uint32_t)sizeof(wide))
			copy_wide(to + at, from + at);
		copy_wide(to + n - sizeof(wide), from + n - sizeof(wide));
	} else if (n >= sizeof(half)) {
		copy_half(to, from);
		copy_half(to + n - sizeof(half), from + n - sizeof(half));
	} else {
		for (; at < n; at++)
			to[at] = from[at] == '\r' || from[at] == '\n' ? ' ' : from[at];
	}
}

void sip_build_value(struct outbuf *o, struct slice value)
{
	if (value.len > o->cap - o->len) {
		o->full = true;
		return;
	}
	copy_line(o->p + o->len, value.p, value.len);
	o->len += value.len;
}

void sip_build_request_line_token(struct outbuf *o, struct slice method, struct slice uri)
{
	outbuf_put_slice(o, method);
	outbuf_put_char(o, ' ');
	sip_build_value(o, uri);
	outbuf_put_lit(o, " SIP/2.0\r\n");
}

void sip_build_request_line(struct outbuf *o, enum sip_method method, struct slice uri)
{
	sip_build_request_line_token(o, sip_method_token(method), uri);
}

void sip_build_status_line(struct outbuf *o, unsigned code, struct slice reason)
{
	outbuf_put_lit(o, "SIP/2.0 ");
	outbuf_put_u64(o, code);
	outbuf_put_char(o, ' ');
	sip_build_value(o, reason.len != 0 ? reason : sip_reason_phrase(code));
	put_crlf(o);
}

void sip_build_header(struct outbuf *o, enum sip_header id, struct slice value)
{
	put_name(o, id);
	sip_build_value(o, value);
	put_crlf(o);
}

void sip_build_header_u32(struct outbuf *o, enum sip_header id, uint32_t value)
{
	put_name(o, id);
	outbuf_put_u64(o, value);
	put_crlf(o);
}

void sip_build_header_named(struct outbuf *o, struct slice name, struct slice value)
{
	outbuf_put_slice(o, name);
	outbuf_put_lit(o, ": ");
	sip_build_value(o, value);
	put_crlf(o);
}

void sip_build_copy_field(struct outbuf *o, const struct sip_msg *m, const struct sip_field *f)
{
	struct slice name =
		f->id != SIP_H_OTHER ? sip_header_name(f->id) : sip_msg_field_name(m, f);

	sip_build_header_named(o, name, sip_msg_field_value(m, f));
}

void sip_build_copy(struct outbuf *o, const struct sip_msg *m, enum sip_header id)
{
	for (const struct sip_field *f = sip_msg_first(m, id); f != NULL; f = sip_msg_next(m, f))
		sip_build_copy_field(o, m, f);
}

void sip_build_ip(struct outbuf *o, const uint8_t ip[16], uint8_t family)
{
	char text[INET6_ADDRSTRLEN];

	if (family == 6) {
		if (inet_ntop(AF_INET6, ip, text, sizeof(text)) != NULL)
			outbuf_put_str(o, text);
		return;
	}
	outbuf_put_ip4(o, ip);
}

void sip_build_host_port(struct outbuf *o, const uint8_t ip[16], uint8_t family, uint16_t port)
{
	if (family == 6)
		outbuf_put_char(o, '[');
	sip_build_ip(o, ip, family);
	if (family == 6)
		outbuf_put_char(o, ']');
	outbuf_put_char(o, ':');
	outbuf_put_u64(o, port);
}

void sip_build_via_start(struct outbuf *o, const struct flow *flow)
{
	outbuf_put_lit(o, "Via: SIP/2.0/UDP ");
	sip_build_host_port(o, flow->local_ip, flow->family, flow->local_udp);
	outbuf_put_lit(o, ";rport;branch=");
}

void sip_build_via(struct outbuf *o, const struct flow *flow, struct slice branch)
{
	sip_build_via_start(o, flow);
	outbuf_put_slice(o, branch);
	put_crlf(o);
}

void sip_build_name_addr(struct outbuf *o, enum sip_header id, struct slice name_addr,
			 struct slice tag)
{
	put_name(o, id);
	sip_build_value(o, name_addr);
	if (tag.len != 0) {
		outbuf_put_lit(o, ";tag=");
		outbuf_put_slice(o, tag);
	}
	put_crlf(o);
}

void sip_build_contact(struct outbuf *o, struct slice user, const struct flow *flow)
{
	outbuf_put_lit(o, "Contact: <sip:");
	if (user.len != 0) {
		sip_build_value(o, user);
		outbuf_put_char(o, '@');
	}
	sip_build_host_port(o, flow->local_ip, flow->family, flow->local_udp);
	outbuf_put_lit(o, ">\r\n");
}

void sip_build_cseq(struct outbuf *o, uint32_t number, struct slice method_token)
{
	put_name(o, SIP_H_CSEQ);
	outbuf_put_u64(o, number);
	outbuf_put_char(o, ' ');
	outbuf_put_slice(o, method_token);
	put_crlf(o);
}

void sip_build_session_expires(struct outbuf *o, uint32_t seconds, enum sip_refresher refresher)
{
	put_name(o, SIP_H_SESSION_EXPIRES);
	outbuf_put_u64(o, seconds);
	if (refresher == SIP_REFRESHER_UAC)
		outbuf_put_lit(o, ";refresher=uac");
	else if (refresher == SIP_REFRESHER_UAS)
		outbuf_put_lit(o, ";refresher=uas");
	put_crlf(o);
}

// One more word of a comma-separated header, whose name comes before the first.
static void put_item(struct outbuf *o, enum sip_header id, struct slice word, bool *any)
{
	if (*any)
		outbuf_put_lit(o, ", ");
	else
		put_name(o, id);
	outbuf_put_slice(o, word);
	*any = true;
}

void sip_build_options(struct outbuf *o, enum sip_header id, uint32_t bits)
{
	bool any = false;

	for (; bits != 0; bits &= bits - 1)
		put_item(o, id, sip_option_tag((enum sip_option)__builtin_ctz(bits)), &any);
	if (any)
		put_crlf(o);
}

void sip_build_methods(struct outbuf *o, enum sip_header id, uint32_t bits)
{
	bool any = false;

	for (unsigned i = SIP_METHOD_NONE + 1; i < SIP_METHOD_OTHER; i++)
		if ((bits >> i & 1) != 0)
			put_item(o, id, sip_method_token(i), &any);
	if (any)
		put_crlf(o);
}

void sip_build_unsupported(struct outbuf *o, const struct sip_msg *m, enum sip_header id)
{
	struct sip_values v = sip_param_values(m, id);
	struct slice tag;
	bool any = false;

	while (sip_list_next_unknown(&v, &tag))
		put_item(o, SIP_H_UNSUPPORTED, tag, &any);
	if (any)
		put_crlf(o);
}

void sip_build_quoted(struct outbuf *o, struct slice text)
{
	outbuf_put_char(o, '"');
	for (uint32_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];

		if (c == '"' || c == '\\')
			outbuf_put_char(o, '\\');
		outbuf_put_char(o, (char)(c < ' ' || c == 0x7f ? ' ' : c));
	}
	outbuf_put_char(o, '"');
}

void sip_build_reason(struct outbuf *o, struct slice protocol, uint32_t cause, struct slice text)
{
	put_name(o, SIP_H_REASON);
	outbuf_put_slice(o, protocol);
	outbuf_put_lit(o, ";cause=");
	outbuf_put_u64(o, cause);
	if (text.len != 0) {
		outbuf_put_lit(o, ";text=");
		sip_build_quoted(o, text);
	}
	put_crlf(o);
}

static void put_length_and_body(struct outbuf *o, struct slice body)
{
	sip_build_header_u32(o, SIP_H_CONTENT_LENGTH, body.len);
	put_crlf(o);
	outbuf_put_slice(o, body);
}

void sip_build_body(struct outbuf *o, struct slice content_type, struct slice body)
{
	if (body.len != 0)
		sip_build_header(o, SIP_H_CONTENT_TYPE, content_type);
	put_length_and_body(o, body);
}

void sip_build_body_of(struct outbuf *o, const struct sip_msg *m)
{
	if (m->body.len != 0)
		for (unsigned i = 0; i < m->n_fields; i++)
			if (sip_header_crossing(m->field[i].id) == SIP_BODY)
				sip_build_copy_field(o, m, &m->field[i]);
	put_length_and_body(o, m->body);
}

// sent-by names the address that the request came from (s18.2.1): in the same letters, or read.
static bool is_sent_by_source(const struct sip_via *via, const struct flow *flow)
{
	uint8_t ip[16], family, text[16];
	struct outbuf o = outbuf_of(text, sizeof(text));

	if (flow->family == 4) {
		outbuf_put_ip4(&o, flow->peer_ip);
		if (slice_eq(outbuf_slice(&o), via->host))
			return true;
	}
	return sip_uri_ip(via->host, via->host_kind, ip, &family) == 0 && family == flow->family &&
	       memcmp(ip, flow->peer_ip, family == 6 ? 16 : 4) == 0;
}

// What others wrote there of received and rport is left out.
static void put_via_without(struct outbuf *o, const struct sip_via *via)
{
	struct slice head = slice_of(via->all.p, (size_t)(via->params.p - via->all.p));
	struct slice rest = via->params;
	struct sip_param p;

	sip_build_value(o, via->params.len != 0 ? slice_trim(head) : via->all);
	while (sip_param_next(&rest, &p) == 1) {
		if (slice_eq_nocase(p.name, SLICE_LIT("received")) ||
		    slice_eq_nocase(p.name, SLICE_LIT("rport")))
			continue;
		outbuf_put_char(o, ';');
		sip_build_value(o, slice_trim(slice_of(p.name.p, (size_t)(rest.p - p.name.p))));
	}
}

static void put_top_via(struct outbuf *o, const struct sip_via *via, const struct flow *flow)
{
	if (via->has_rport || via->received.p != NULL)
		put_via_without(o, via);
	else
		sip_build_value(o, via->all);
	if (via->has_rport || !is_sent_by_source(via, flow)) {
		outbuf_put_lit(o, ";received=");
		sip_build_ip(o, flow->peer_ip, flow->family);
	}
	if (via->has_rport) {
		outbuf_put_lit(o, ";rport=");
		outbuf_put_u64(o, flow->peer_udp);
	}
}

// Whether the topmost Via can be read; *rest is what stands in its field behind it.
static bool read_top_via(struct slice *rest, const struct sip_via **via, struct sip_via *room)
{
	struct slice value;

	if (*via != NULL && (*via)->all.p == rest->p && (*via)->all.len <= rest->len) {
		*rest = slice_skip_lws(slice_skip(*rest, (*via)->all.len)); // it was read before
		if (rest->len != 0)
			*rest = slice_skip(*rest, 1); // the comma
		return true;
	}
	*via = room;
	return sip_param_next_value(rest, &value) && sip_via_parse(room, value) == 0;
}

// The first Via field, its first value rewritten; a Via that cannot be read goes back as it came.
static void put_vias(struct outbuf *o, const struct sip_msg *m, const struct sip_via *via,
		     const struct flow *flow)
{
	const struct sip_field *f = sip_msg_first(m, SIP_H_VIA);
	struct sip_via room;
	struct slice rest;

	if (f == NULL)
		return;
	rest = sip_msg_field_value(m, f);
	if (read_top_via(&rest, &via, &room)) {
		put_name(o, SIP_H_VIA);
		put_top_via(o, via, flow);
		rest = slice_trim(rest);
		if (rest.len != 0) {
			outbuf_put_lit(o, ", ");
			sip_build_value(o, rest);
		}
		put_crlf(o);
	} else {
		sip_build_copy_field(o, m, f);
	}
	for (f = sip_msg_next(m, f); f != NULL; f = sip_msg_next(m, f))
		sip_build_copy_field(o, m, f);
}

static void put_tag(struct outbuf *o, struct slice tag)
{
	if (tag.len == 0)
		return;
	outbuf_put_lit(o, ";tag=");
	outbuf_put_slice(o, tag);
}

// True: To can take a tag of ours; lines says where.
static bool put_to(struct outbuf *o, const struct sip_msg *m, struct slice to_tag,
		   struct sip_reply_lines *lines)
{
	const struct sip_field *f = sip_msg_first(m, SIP_H_TO);
	struct slice value, tag;
	bool free;

	if (f == NULL)
		return false;
	value = sip_msg_field_value(m, f);
	free = f->next == SIP_FIELD_NONE && sip_name_addr_value_tag(value, &tag) == 0 &&
	       tag.p == NULL;
	put_name(o, SIP_H_TO);
	sip_build_value(o, value);
	lines->tag = (uint16_t)o->len;
	put_tag(o, free ? to_tag : SLICE_NONE);
	lines->rest = (uint16_t)o->len;
	put_crlf(o);
	return free;
}

static void put_first(struct outbuf *o, const struct sip_msg *m, enum sip_header id)
{
	if (sip_msg_has(m, id))
		sip_build_header(o, id, sip_msg_value(m, id));
}

void sip_build_reply_lines(struct outbuf *o, const struct sip_msg *m, const struct sip_via *via,
			   const struct flow *flow, struct slice to_tag,
			   struct sip_reply_lines *lines)
{
	bool free;

	lines->at = (uint16_t)o->len;
	put_vias(o, m, via, flow);
	put_first(o, m, SIP_H_FROM);
	free = put_to(o, m, to_tag, lines);
	put_first(o, m, SIP_H_CALL_ID);
	put_first(o, m, SIP_H_CSEQ);
	lines->end = (uint16_t)o->len;
	if (!free || o->full || o->len > UINT16_MAX)
		*lines = (struct sip_reply_lines){0};
}

void sip_build_reply_again(struct outbuf *o, const struct sip_buf *before, struct slice to_tag,
			   struct sip_reply_lines *lines)
{
	const struct sip_reply_lines *b = &before->lines;

	lines->at = (uint16_t)o->len;
	outbuf_put(o, before->data + b->at, (size_t)(b->tag - b->at));
	lines->tag = (uint16_t)o->len;
	put_tag(o, to_tag);
	lines->rest = (uint16_t)o->len;
	outbuf_put(o, before->data + b->rest, (size_t)(b->end - b->rest));
	lines->end = (uint16_t)o->len;
}

void sip_build_reply_head(struct outbuf *o, const struct sip_msg *m, const struct flow *flow,
			  unsigned code, struct slice reason, struct slice to_tag)
{
	struct sip_reply_lines lines;

	sip_build_status_line(o, code, reason);
	sip_build_reply_lines(o, m, NULL, flow, code != 100 ? to_tag : SLICE_NONE, &lines);
	if (code == 100)
		put_first(o, m, SIP_H_TIMESTAMP);
}

struct flow sip_build_reply_flow(const struct sip_msg *m, const struct flow *flow)
{
	struct flow to = *flow;
	struct sip_via via;

	if (sip_via_top(m, &via) == 0 && !via.has_rport)
		to.peer_udp = via.port != 0 ? via.port : 5060;
	return to;
}
