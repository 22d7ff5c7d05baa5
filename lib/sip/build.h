// SPDX-License-Identifier: BSD-3-Clause
// Writing messages of our own: start lines, headers, body, and the head of a response to a request
// (RFC 3261 s7, s8.2.6; Via of responses: s18.2.1 and RFC 3581).
// Any thread; pure. All writers append to an outbuf, whose `full` tells in the end whether all of
// it fitted. Values from the wire are written on one line: CR and LF of a fold become spaces, so no
// value can add a line.
#pragma once

#include "base/outbuf.h"
#include "base/sip_buf.h"
#include "sip/message.h"
#include "sip/numbers.h"
#include "sip/via.h"

void sip_build_request_line(struct outbuf *o, enum sip_method method, struct slice uri);
// For methods that sip.def does not list.
void sip_build_request_line_token(struct outbuf *o, struct slice method, struct slice uri);
// reason empty: the phrase of sip.def.
void sip_build_status_line(struct outbuf *o, unsigned code, struct slice reason);

// "Name: value", the canonical name. id must not be SIP_H_OTHER.
void sip_build_header(struct outbuf *o, enum sip_header id, struct slice value);
void sip_build_header_u32(struct outbuf *o, enum sip_header id, uint32_t value);
void sip_build_header_named(struct outbuf *o, struct slice name, struct slice value);
// All fields with this id, in order, names canonical; nothing if there is none.
void sip_build_copy(struct outbuf *o, const struct sip_msg *m, enum sip_header id);
// One field; the name as the sender wrote it where sip.def does not list it.
void sip_build_copy_field(struct outbuf *o, const struct sip_msg *m, const struct sip_field *f);

// Our Via: sent-by is the flow's local address, ;rport asks for symmetric answers (RFC 3581 s3).
void sip_build_via(struct outbuf *o, const struct flow *flow, struct slice branch);
// The same up to the branch, which follows with the end of the line.
void sip_build_via_start(struct outbuf *o, const struct flow *flow);
// name_addr: display name and <URI> as text; tag empty: none.
void sip_build_name_addr(struct outbuf *o, enum sip_header id, struct slice name_addr,
			 struct slice tag);
// Contact: <sip:user@local address of the flow>; user empty: no user part.
void sip_build_contact(struct outbuf *o, struct slice user, const struct flow *flow);
void sip_build_cseq(struct outbuf *o, uint32_t number, struct slice method_token);
// refresher NONE or OTHER: no parameter.
void sip_build_session_expires(struct outbuf *o, uint32_t seconds, enum sip_refresher refresher);
// Supported, Require: the tags of SIP_OPTION_BIT bits; nothing if there is none.
void sip_build_options(struct outbuf *o, enum sip_header id, uint32_t bits);
// Allow: the methods of SIP_METHOD_BIT bits; nothing if there is none.
void sip_build_methods(struct outbuf *o, enum sip_header id, uint32_t bits);
// Unsupported: what a request's Require (or Proxy-Require) lists and sip.def does not.
void sip_build_unsupported(struct outbuf *o, const struct sip_msg *m, enum sip_header id);
// Reason: protocol;cause=N;text="..."; text empty: none.
void sip_build_reason(struct outbuf *o, struct slice protocol, uint32_t cause, struct slice text);

// "192.0.2.1" or "2001:db8::1"; host_port puts IPv6 into brackets and always writes the port.
void sip_build_ip(struct outbuf *o, const uint8_t ip[16], uint8_t family);
void sip_build_host_port(struct outbuf *o, const uint8_t ip[16], uint8_t family, uint16_t port);
// "text" in quotes, with escapes where a quoted string needs them; text is not escaped yet.
void sip_build_quoted(struct outbuf *o, struct slice text);
// A value on one line: CR and LF become spaces.
void sip_build_value(struct outbuf *o, struct slice value);

// End of the message: Content-Type (if there is a body), Content-Length, blank line, body.
void sip_build_body(struct outbuf *o, struct slice content_type, struct slice body);
// The same with the body of another message and all headers that describe it.
void sip_build_body_of(struct outbuf *o, const struct sip_msg *m);

// Head of a response to the request m that came by flow (peer = its sender): status line, all Vias
// (the topmost with received and rport as s18.2.1 and RFC 3581 s4 say; what the sender itself wrote
// there is replaced), From, To, Call-ID, CSeq, and Timestamp in a 100. to_tag is added where To has
// none and code is not 100. Further headers and sip_build_body() follow. Record-Route, where a
// dialog begins, is sip_build_copy()'s.
// The lines between status line and Timestamp, and where they stand; *lines is zero if To has a tag
// already. via: the topmost one of m where it has been read, or NULL.
void sip_build_reply_lines(struct outbuf *o, const struct sip_msg *m, const struct sip_via *via,
			   const struct flow *flow, struct slice to_tag,
			   struct sip_reply_lines *lines);
// The same lines copied from a response before, whose lines are not zero; the tag may be another.
void sip_build_reply_again(struct outbuf *o, const struct sip_buf *before, struct slice to_tag,
			   struct sip_reply_lines *lines);
void sip_build_reply_head(struct outbuf *o, const struct sip_msg *m, const struct flow *flow,
			  unsigned code, struct slice reason, struct slice to_tag);

// Where that response goes: to the source address, and to the source port if rport was asked for,
// else to the port of sent-by or 5060. maddr is not followed: a request could aim our answers at
// anybody.
struct flow sip_build_reply_flow(const struct sip_msg *m, const struct flow *flow);
