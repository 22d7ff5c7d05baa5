// SPDX-License-Identifier: BSD-3-Clause
// SIP as the peers of the scenarios read it.
// Written apart from lib/sip on purpose: a peer that shared verge's parser would share its
// mistakes. One thread. Strings live in the case's arena.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"

struct wire_field {
	const char *name;  // long form, as verge would write it
	const char *value; // unfolded, trimmed
	bool compact;	   // it was written in its short form
};

struct wire {
	const uint8_t *bytes;
	uint32_t len;
	bool request;
	int status;	    // responses
	const char *method; // of the request, or of the CSeq of a response
	const char *uri;    // requests
	const char *reason; // responses
	uint32_t cseq;
	const char *call_id;
	const char *branch;	       // of the topmost Via
	const char *from_tag, *to_tag; // "" = none
	struct wire_field *field;
	int n_fields, max_fields;
	const char *body; // NUL behind it
	uint32_t body_len;
};

// NULL when the bytes are not a SIP message that a strict peer would take; *why then says what is
// wrong.
struct wire *wire_parse(struct arena *a, const uint8_t *bytes, uint32_t len, const char **why);

// Value of the n-th field (from 0) with this long name, case ignored; NULL if there is none.
const char *wire_nth(const struct wire *w, const char *name, int n);
const char *wire_get(const struct wire *w, const char *name);

// Parameter of a header value outside <>; "" for one without value, NULL if it is not there.
const char *wire_param(struct arena *a, const char *value, const char *name);
// The URI of a name-addr or addr-spec.
const char *wire_uri(struct arena *a, const char *value);
// Whether a comma-separated list has this token, case ignored.
bool wire_lists(const char *value, const char *token);
// The long form of a header name; name itself if it has none.
const char *wire_long_name(const char *name);
// Number at the start of a header value; -1 if there is none.
long wire_number(const char *value);
