// SPDX-License-Identifier: BSD-3-Clause
// URIs: sip, sips (RFC 3261 s19.1, s25.1) and tel (RFC 3966) as slices, others by their scheme.
// Any thread; pure. Results point into the text and die with it; escapes (%HH) are kept as written.
#pragma once

#include "base/outbuf.h"
#include "base/slice.h"

enum sip_uri_scheme { SIP_URI_SIP, SIP_URI_SIPS, SIP_URI_TEL, SIP_URI_OTHER };

enum sip_host_kind { SIP_HOST_NONE, SIP_HOST_NAME, SIP_HOST_IPV4, SIP_HOST_IPV6 };

struct sip_uri {
	uint8_t scheme;	   // enum sip_uri_scheme
	uint8_t host_kind; // enum sip_host_kind
	uint16_t port;	   // 0 = none written
	struct slice all;  // as written
	struct slice user; // p == NULL: none; tel: the number; other schemes: all behind the colon
	struct slice password; // p == NULL: none
	struct slice host;     // IPv6 references without brackets
	struct slice params;   // from the first semicolon on, empty if there is none
	struct slice headers;  // behind the question mark; p == NULL: none
};

// Parse a URI without <> and white space around.
// Errors: -EBADMSG; *uri is then untouched.
int sip_uri_parse(struct sip_uri *uri, struct slice text);

// host[:port] as it stands in a URI or a Via; takes it off *rest. IPv6 references lose their
// brackets; a name may end with a dot. White space around the colon is accepted (Via has it).
// Errors: -EBADMSG; *rest is then untouched.
int sip_uri_take_host(struct slice *rest, struct slice *host, uint8_t *host_kind, uint16_t *port);

// Value of a parameter: true if it is there; *value is empty with p != NULL for one without "=".
// Names are compared without case and with escapes resolved. The first one counts.
bool sip_uri_param(const struct sip_uri *uri, struct slice name, struct slice *value);

static inline bool sip_uri_has_param(const struct sip_uri *uri, struct slice name)
{
	struct slice value;

	return sip_uri_param(uri, name, &value);
}

// Value of a header in the URI (?name=value&...), as sip_uri_param().
bool sip_uri_header(const struct sip_uri *uri, struct slice name, struct slice *value);

// Address of a host that is an IP literal, network byte order; IPv4 in the first four bytes, the
// rest zero. *family is 4 or 6. Errors: -EINVAL it is a name or there is no host.
int sip_uri_host_ip(const struct sip_uri *uri, uint8_t ip[16], uint8_t *family);
// The same for a host from elsewhere (Via).
int sip_uri_ip(struct slice host, uint8_t host_kind, uint8_t ip[16], uint8_t *family);

// Equal by RFC 3261 s19.1.4; tel: RFC 3966 s4; other schemes: byte by byte. Cost: parameters x
// parameters.
bool sip_uri_equal(const struct sip_uri *a, const struct sip_uri *b);

// Append text with its escapes resolved. False if an escape is broken; what was written is then of
// no use.
bool sip_uri_unescape(struct outbuf *o, struct slice text);
// Append text so that it can be the value of a URI header or parameter: what is not unreserved as
// %HH.
void sip_uri_escape(struct outbuf *o, struct slice text);
