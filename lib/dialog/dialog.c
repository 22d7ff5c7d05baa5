// SPDX-License-Identifier: BSD-3-Clause
// Route sets and targets. Pure.
#include "dialog/dialog.h"

#include <errno.h>

#include "sip/build.h"
#include "sip/name_addr.h"

int dialog_put_routes(struct outbuf *o, const struct sip_msg *msg, bool reverse)
{
	struct sip_values values = sip_param_values(msg, SIP_H_RECORD_ROUTE);
	struct slice route[DIALOG_ROUTES_MAX];
	struct sip_name_addr na;
	struct slice value;
	unsigned n = 0;

	while (sip_param_values_next(&values, &value)) {
		if (n == DIALOG_ROUTES_MAX)
			return -E2BIG;
		if (sip_name_addr_parse(&na, value) != 0)
			return -EBADMSG;
		route[n++] = value;
	}
	for (unsigned i = 0; i < n; i++)
		sip_build_header(o, SIP_H_ROUTE, route[reverse ? n - 1 - i : i]);
	return 0;
}

struct dialog_route dialog_route(struct slice target, struct slice routes)
{
	struct dialog_route r = {.request_uri = target, .lines = routes, .hop = target};
	static const struct slice name = SLICE_LIT("Route: ");
	struct sip_name_addr na;
	struct sip_uri uri;
	int64_t end = slice_find(routes, '\n');

	if (end < 0)
		return r;
	if (sip_name_addr_parse(
		    &na, slice_trim(slice_of(routes.p + name.len, (size_t)end - name.len))) != 0)
		return r;
	r.hop = na.uri;
	if (sip_uri_parse(&uri, na.uri) != 0 || sip_uri_has_param(&uri, SLICE_LIT("lr")))
		return r;
	r.request_uri = na.uri;
	r.lines = slice_from(routes, (uint32_t)end + 1);
	r.last = target;
	return r;
}
