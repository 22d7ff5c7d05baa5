// SPDX-License-Identifier: BSD-3-Clause
// A CDR as a line of CSV (RFC 4180): the columns of cdr_columns.def in their order, which never
// changes. Pure, any thread.
#pragma once

#include <jansson.h>

#include "base/outbuf.h"

#define CDR_CSV_MAX_BYTES 32768

// The names of the columns, without line end.
void cdr_csv_put_header(struct outbuf *o);
// A CDR as cdr_put() writes it, parsed. What is not there is an empty field. Without line end.
void cdr_csv_put(struct outbuf *o, const json_t *cdr);
// The same from its text. False: it is no JSON object; nothing was put.
bool cdr_csv_convert(struct outbuf *o, struct slice json);
