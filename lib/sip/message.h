// SPDX-License-Identifier: BSD-3-Clause
// A SIP message as an index of its header fields (RFC 3261 s7, s25).
// Pure: copies no byte and keeps no state. Everything in a sip_msg points into the message and dies
// with it. Values are read later, one by one, by the small parsers of this folder.
#pragma once

#include "sip/sip.h"

#define SIP_MSG_MAX_BYTES  65535
#define SIP_MSG_MAX_FIELDS 128
#define SIP_FIELD_NONE	   0xff

struct sip_field {
	uint16_t name;	  // offset of the name in the message
	uint16_t value;	  // offset of the first byte of the value, white space skipped
	uint16_t len;	  // bytes of the value, white space at the end cut; folds are still inside
	uint8_t name_len; // bytes of the name as written
	uint8_t id;	  // enum sip_header
	uint8_t next;	  // index of the next field with the same id, or SIP_FIELD_NONE; for
			  // SIP_H_OTHER too (then the names differ)
};

struct sip_msg {
	const uint8_t *base;	   // the message
	uint32_t len;		   // bytes that belong to it, body included
	struct slice method_token; // requests: as written
	struct slice uri;	   // requests: Request-URI
	struct slice reason;	   // responses: reason phrase
	uint16_t status;	   // responses: 100-699; 0 = request
	uint8_t method; // enum sip_method of the start line; SIP_METHOD_NONE in responses
	uint8_t n_fields;
	struct slice body;	// Content-Length bytes, or all that is left (s18.3)
	uint8_t first[SIP_H_N]; // index of the first field with this id, or SIP_FIELD_NONE
	struct sip_field field[SIP_MSG_MAX_FIELDS];
};

// Index a message: start line, header fields, body. CRLF or a lone LF ends a line; folded lines,
// white space before the colon and leading CRLFs are accepted. A CR that no LF follows is refused:
// copied to another hop, it could be read there as the end of a line. In:     bytes - a datagram;
// must stay while *m is used. Out:    *m. After an error too it is safe to read and holds what
// could be indexed (lines that are no
//         header fields are left out), so that a 400, 505 or 513 can be answered.
// Errors: -ENOMSG nothing but line ends (a keep-alive),
//         -EBADMSG not SIP, or a broken header line, no blank line, a bad or contradictory
//         Content-Length, -EPROTONOSUPPORT a request with a version other than SIP/2.0, -EMSGSIZE
//         more than SIP_MSG_MAX_BYTES, -E2BIG more than SIP_MSG_MAX_FIELDS fields, -ENODATA the
//         body is shorter than Content-Length says. The first that is found.
// Cost:   about 20 ns a header line; the scanner is chosen once at start by the CPU.
int sip_msg_parse(struct sip_msg *m, struct slice bytes);

// The same by the scalar scanner, and by the SSE4.2 one; tests compare them.
int sip_msg_parse_scalar(struct sip_msg *m, struct slice bytes);
int sip_msg_parse_sse(struct sip_msg *m, struct slice bytes);

// One past the last byte that belongs to the message.
static inline const uint8_t *sip_msg_end(const struct sip_msg *m)
{
	return m->base + m->len;
}

// All bytes of the message, without CRLFs before it and bytes after it.
static inline struct slice sip_msg_all(const struct sip_msg *m)
{
	return slice_of(m->base, m->len);
}

static inline bool sip_msg_is_request(const struct sip_msg *m)
{
	return m->status == 0;
}

static inline bool sip_msg_has(const struct sip_msg *m, enum sip_header id)
{
	return m->first[id] != SIP_FIELD_NONE;
}

static inline struct slice sip_msg_field_value(const struct sip_msg *m, const struct sip_field *f)
{
	return slice_of(m->base + f->value, f->len);
}

static inline struct slice sip_msg_field_name(const struct sip_msg *m, const struct sip_field *f)
{
	return slice_of(m->base + f->name, f->name_len);
}

// Value of the first field with this id; SLICE_NONE if there is none (an empty value has p !=
// NULL).
static inline struct slice sip_msg_value(const struct sip_msg *m, enum sip_header id)
{
	return sip_msg_has(m, id) ? sip_msg_field_value(m, &m->field[m->first[id]]) : SLICE_NONE;
}

// Fields with one id in the order of the message: NULL is the end.
//   for (f = sip_msg_first(m, SIP_H_ROUTE); f != NULL; f = sip_msg_next(m, f))
static inline const struct sip_field *sip_msg_first(const struct sip_msg *m, enum sip_header id)
{
	return m->first[id] != SIP_FIELD_NONE ? &m->field[m->first[id]] : NULL;
}

static inline const struct sip_field *sip_msg_next(const struct sip_msg *m,
						   const struct sip_field *f)
{
	return f->next != SIP_FIELD_NONE ? &m->field[f->next] : NULL;
}

// The whole field with its line end, from the name on.
static inline struct slice sip_msg_field_line(const struct sip_msg *m, const struct sip_field *f)
{
	uint32_t end = f->value + f->len;

	while (end < m->len && m->base[end] != '\n')
		end++;
	return slice_of(m->base + f->name, (end < m->len ? end + 1 : end) - f->name);
}

// A field that a message must not have twice stands there twice: Call-ID, From, To, CSeq,
// Max-Forwards. Two readers could take two different ones, so such a request is refused (400).
static inline bool sip_msg_repeats(const struct sip_msg *m)
{
	static const uint8_t once[] = {SIP_H_CALL_ID, SIP_H_FROM, SIP_H_TO, SIP_H_CSEQ,
				       SIP_H_MAX_FORWARDS};

	for (size_t i = 0; i < sizeof(once); i++)
		if (m->first[once[i]] != SIP_FIELD_NONE &&
		    m->field[m->first[once[i]]].next != SIP_FIELD_NONE)
			return true;
	return false;
}
