// SPDX-License-Identifier: BSD-3-Clause
// Headers that are lists of tokens: Supported, Require, Proxy-Require, Unsupported, Allow.
// Any thread; pure. Several fields with one name are one list (RFC 3261 s7.3.1).
#pragma once

#include "sip/param.h"

struct sip_options {
	uint32_t bits;	  // SIP_OPTION_BIT of the tags that sip.def lists
	uint16_t unknown; // tags that it does not list
};

// All option tags of a header. What is no token counts as an unknown tag.
struct sip_options sip_list_options(const struct sip_msg *m, enum sip_header id);

// The next option tag that sip.def does not list, for Unsupported; false at the end. Elements that
// are no tokens are passed over: they cannot be named in a header.
//   for (v = sip_param_values(m, SIP_H_REQUIRE); sip_list_next_unknown(&v, &tag);)
bool sip_list_next_unknown(struct sip_values *v, struct slice *tag);

// SIP_METHOD_BIT of the methods in a header, normally SIP_H_ALLOW; others are passed over. Methods
// are compared with case, as they should be; 0 also if there is no such field (DL-17: nothing
// known).
uint32_t sip_list_methods(const struct sip_msg *m, enum sip_header id);

// The token stands in the list (case ignored).
bool sip_list_has(const struct sip_msg *m, enum sip_header id, struct slice token);
