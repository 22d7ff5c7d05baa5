// SPDX-License-Identifier: BSD-3-Clause
// Enumerations of SIP's words, expanded from sip.def.
#pragma once

#include "base/slice.h"

enum sip_method {
	SIP_METHOD_NONE, // a response, or nothing read yet
#define SIP_METHOD(id, token, service) SIP_##id,
#include "sip/sip.def"
	SIP_METHOD_OTHER, // a token that sip.def does not list
	SIP_METHOD_N
};

enum sip_header {
	SIP_H_OTHER, // a name that sip.def does not list
#define SIP_HEADER(id, name, compact, crossing) SIP_H_##id,
#include "sip/sip.def"
	SIP_H_N
};

enum sip_option {
#define SIP_OPTION(id, tag, side) SIP_OPT_##id,
#include "sip/sip.def"
	SIP_OPT_N
};

#define SIP_OPTION_BIT(id) (1u << SIP_OPT_##id)
#define SIP_METHOD_BIT(id) (1u << SIP_##id)

enum sip_crossing { SIP_OWN, SIP_HOP, SIP_CROSS, SIP_BODY, SIP_TIMER, SIP_TRANSLATE };
enum sip_option_side { SIP_SIDE_LOCAL, SIP_SIDE_CROSS };
enum sip_service { SIP_SERVICE_CALL, SIP_SERVICE_DIALOG, SIP_SERVICE_LOCAL, SIP_SERVICE_REFUSE };

// Canonical words; SLICE_NONE / "Unknown" for ids that have none.
struct slice sip_method_token(enum sip_method method);
struct slice sip_header_name(enum sip_header header);
struct slice sip_option_tag(enum sip_option option);
struct slice sip_reason_phrase(unsigned code);
enum sip_crossing sip_header_crossing(enum sip_header header);
enum sip_service sip_method_service(enum sip_method method);
enum sip_option_side sip_option_side(enum sip_option option);

// Methods are case-sensitive (RFC 3261 s7.1); header names and option tags are not.
enum sip_method sip_method_of(struct slice token);
enum sip_header sip_header_of(struct slice name);
int sip_option_of(struct slice tag); // enum sip_option, or -1 for one that is not listed
