// SPDX-License-Identifier: BSD-3-Clause
// Header values and their parameters (RFC 3261 s7.3.1, s25.1: generic-param, COMMA, SEMI, EQUAL).
// Any thread; pure. Results point into the message and die with it.
#pragma once

#include "base/outbuf.h"
#include "sip/message.h"

struct sip_param {
	struct slice name;
	struct slice value; // p == NULL: the parameter has none; quotes are cut off
	bool is_quoted;	    // the value stood in quotes and may hold escapes (sip_param_unquote())
};

// Take the next ";name[=value]" off *rest. White space, also folds, may stand around ; and =.
// Empty parameters (";;", ";" at the end) are passed over.
// Returns 1 and *p, 0 at the end, -EBADMSG where something else stands (*rest is then undefined).
int sip_param_next(struct slice *rest, struct sip_param *p);

// First parameter with this name, case ignored. Returns 1 and *p, 0 if there is none before the
// end, -EBADMSG if what stands before it is malformed.
int sip_param_find(struct slice params, struct slice name, struct sip_param *p);

// Its value; SLICE_NONE if it is missing, has no value, or the text is malformed.
struct slice sip_param_value(struct slice params, struct slice name);

// Take a quoted string off *rest, which begins with the opening quote. *text is what stands between
// the quotes. False if the closing quote is missing; *rest is then untouched.
bool sip_param_quoted(struct slice *rest, struct slice *text);

// Append text to o without the backslashes of its escapes.
void sip_param_unquote(struct outbuf *o, struct slice text);

// Take the next comma-separated value off *rest: commas in quotes and in <> do not count, empty
// values are passed over, white space around is cut. False at the end.
bool sip_param_next_value(struct slice *rest, struct slice *value);

// All comma-separated values of all fields with one id, in order (s7.3.1: equal to one field).
struct sip_values {
	const struct sip_msg *m;
	const struct sip_field *f; // field that rest belongs to, NULL at the end
	struct slice rest;
};

struct sip_values sip_param_values(const struct sip_msg *m, enum sip_header id);
bool sip_param_values_next(struct sip_values *v, struct slice *value);
