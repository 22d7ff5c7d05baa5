// SPDX-License-Identifier: BSD-3-Clause
// What holds Hyperscan's objects; only this folder includes this.
#pragma once

#include <hs/hs.h>

#include "classify/classify.h"

struct classify_target {
	uint16_t id;
	uint8_t slot;
};

struct classify_db {
	hs_database_t *hs;
	uint32_t n_headers;
	uint8_t slot[SIP_H_N + 1]; // of a header by id: index in headers, or CLASSIFY_NO_SLOT
	bool by_name;		   // one of them is SIP_H_OTHER
	struct classify_header headers[CLASSIFY_HEADERS];
	bool has_rules;			 // of the operator
	struct classify_target target[]; // by number of the operator's pattern
};

#define CLASSIFY_NO_SLOT 0xff

#define CLASSIFY_LISTS	   16 // power of two
#define CLASSIFY_LIST_TEXT 112

// A value of Allow that was read: peers write the same list again and again.
struct classify_list {
	uint32_t methods; // SIP_METHOD_BIT
	uint32_t len;	  // 0: free
	uint8_t text[CLASSIFY_LIST_TEXT];
};

struct classify_scratch {
	hs_scratch_t *hs;
	struct classify_list allow[CLASSIFY_LISTS]; // by length and last letters
};
