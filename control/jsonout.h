// SPDX-License-Identifier: BSD-3-Clause
// JSON (RFC 8259) written into an outbuf: members of objects in the order given, any bytes as
// strings. A writer appends freely and checks outbuf.full once at the end.
#pragma once

#include "base/outbuf.h"

// Bytes of a string as a JSON string. Control characters, quote and backslash are escaped; UTF-8
// passes; a byte that is not part of valid UTF-8 is read as Latin-1 (\u0080-\u00ff), so nothing is
// lost and the line is valid whatever a peer sent.
void jsonout_put_string(struct outbuf *o, struct slice text);

// Separators come by themselves: a comma goes before a value unless it is the first in its object
// or array. key NULL: an element of an array.
void jsonout_string(struct outbuf *o, const char *key, struct slice text);
void jsonout_str(struct outbuf *o, const char *key, const char *text); // NULL is null
void jsonout_u64(struct outbuf *o, const char *key, uint64_t value);
void jsonout_bool(struct outbuf *o, const char *key, bool value);
void jsonout_null(struct outbuf *o, const char *key);
// value / 1000 with three decimals
void jsonout_milli(struct outbuf *o, const char *key, uint64_t value);
void jsonout_open(struct outbuf *o, const char *key, char bracket); // '{' or '['
void jsonout_close(struct outbuf *o, char bracket);		    // '}' or ']'

// Length of the UTF-8 sequence (RFC 3629) at the start of s: 1-4, or 0 if it is none.
unsigned jsonout_utf8_len(struct slice s);
