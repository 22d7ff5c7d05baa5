// SPDX-License-Identifier: BSD-3-Clause
// Values that name somebody: From, To, Contact, Route, Record-Route, Refer-To, P-Asserted-Identity
// ... (RFC 3261 s20.10, s25.1: name-addr, addr-spec, and parameters of the header behind them). Any
// thread; pure. Results point into the message and die with it.
#pragma once

#include "sip/param.h"
#include "sip/uri.h"

struct sip_name_addr {
	struct slice display; // without quotes, escapes as written; p == NULL: none
	struct slice uri;     // without <>, not yet parsed; empty for "*"
	struct slice params;  // of the header, for sip_param_next(); empty if there are none
	bool is_quoted;	      // display stood in quotes
	bool has_brackets;    // <uri>; without them all parameters belong to the header (s20)
	bool is_star;	      // Contact: *
};

// One value, no comma at its end. Errors: -EBADMSG; *na is then untouched.
int sip_name_addr_parse(struct sip_name_addr *na, struct slice value);

// The next of all values of a header: 1 and *na, 0 at the end, -EBADMSG the value is malformed (the
// iterator has moved past it).
//   for (v = sip_param_values(m, SIP_H_ROUTE); (rc = sip_name_addr_next(&v, &na)) == 1;)
int sip_name_addr_next(struct sip_values *v, struct sip_name_addr *na);

// First value of a header. From, To, Refer-To and Referred-By have one field and one value: two
// fields are -EBADMSG, a comma does not end the value. Errors: -ENOENT no such field, -EBADMSG.
int sip_name_addr_of(const struct sip_msg *m, enum sip_header id, struct sip_name_addr *na);

// The tag parameter of a From or To: p == NULL if there is none. Errors: -EBADMSG the parameters
// before it are malformed, or the tag is empty.
int sip_name_addr_tag(const struct sip_name_addr *na, struct slice *tag);
// The same from the value of a From or To; what is common is read without parsing all of it.
// Errors: -EBADMSG.
int sip_name_addr_value_tag(struct slice value, struct slice *tag);

// First value of a header, its URI parsed as well. Errors: as sip_name_addr_of().
int sip_name_addr_uri_of(const struct sip_msg *m, enum sip_header id, struct sip_name_addr *na,
			 struct sip_uri *uri);
