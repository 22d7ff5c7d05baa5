// SPDX-License-Identifier: BSD-3-Clause
// Session descriptions as slices (RFC 8866), origin lines, and hold (RFC 3264 s8.4).
// Pure; any thread.
#include "sdp/sdp.h"

#include <errno.h>

#include "sdp/sdp_line.h"

static bool sdp_direction_of(struct slice attribute, uint8_t *direction)
{
	static const struct slice words[] = {
		[SDP_SENDRECV] = SLICE_LIT("sendrecv"),
		[SDP_SENDONLY] = SLICE_LIT("sendonly"),
		[SDP_RECVONLY] = SLICE_LIT("recvonly"),
		[SDP_INACTIVE] = SLICE_LIT("inactive"),
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_eq_nocase(attribute, words[i])) {
			*direction = (uint8_t)i;
			return true;
		}
	return false;
}

static bool sdp_port_is_zero(struct slice port)
{
	uint32_t n = 0;

	while (n < port.len && port.p[n] == '0')
		n++;
	return n != 0 && (n == port.len || port.p[n] == '/');
}

static int sdp_add_media(struct sdp *sdp, const struct sdp_line *line)
{
	struct slice rest = line->value;
	struct sdp_media *m;

	if (sdp->n_media == SDP_MAX_MEDIA)
		return -E2BIG;
	m = &sdp->media[sdp->n_media++];
	*m = (struct sdp_media){
		.section = line->all,
		.kind = sdp_word_next(&rest),
		.port = sdp_word_next(&rest),
		.proto = sdp_word_next(&rest),
		.connection = sdp->connection,
		.direction = sdp->direction,
	};
	m->formats = slice_trim(rest);
	m->disabled = sdp_port_is_zero(m->port);
	return m->proto.len != 0 ? 0 : -EBADMSG;
}

static void sdp_take_line(struct sdp *sdp, const struct sdp_line *line)
{
	struct sdp_media *m = sdp->n_media != 0 ? &sdp->media[sdp->n_media - 1] : NULL;
	struct slice *part = m != NULL ? &m->section : &sdp->session;

	part->len += line->all.len;
	switch (line->type) {
	case 'o':
		if (m == NULL && sdp->origin.p == NULL)
			sdp->origin = line->value;
		break;
	case 'c':
		*(m != NULL ? &m->connection : &sdp->connection) = line->value;
		break;
	case 'a':
		sdp_direction_of(line->value, m != NULL ? &m->direction : &sdp->direction);
		break;
	}
}

int sdp_parse(struct sdp *sdp, struct slice body)
{
	struct slice rest = body;
	struct sdp_line line;
	unsigned lines = 0;

	sdp->all = body;
	sdp->session = slice_first(body, 0);
	sdp->origin = sdp->connection = SLICE_NONE;
	sdp->direction = SDP_SENDRECV;
	sdp->n_media = 0;
	while (sdp_line_next(&rest, &line)) {
		if (++lines > SDP_MAX_LINES)
			return -E2BIG;
		if (line.type == 1 || (lines == 1 && line.type != 'v'))
			return -EBADMSG;
		if (line.type == 'm') {
			int rc = sdp_add_media(sdp, &line);

			if (rc != 0)
				return rc;
			continue;
		}
		sdp_take_line(sdp, &line);
	}
	return lines != 0 ? 0 : -EBADMSG;
}

static uint64_t sdp_number(struct slice word)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < word.len; i++) {
		unsigned digit = (unsigned)word.p[i] - '0';

		if (digit > 9)
			return 0;
		if (n > (UINT64_MAX - digit) / 10)
			n = UINT64_MAX;
		else
			n = n * 10 + digit;
	}
	return n;
}

int sdp_origin_parse(struct sdp_origin_read *origin, struct slice value)
{
	struct slice rest = value;
	struct slice word[6];

	for (unsigned i = 0; i < 6; i++) {
		word[i] = sdp_word_next(&rest);
		if (word[i].len == 0)
			return -EBADMSG;
	}
	*origin = (struct sdp_origin_read){
		.username = word[0],
		.session_id = word[1],
		.version = word[2],
		.net_type = word[3],
		.addr_type = word[4],
		.address = word[5],
		.session_id_n = sdp_number(word[1]),
		.version_n = sdp_number(word[2]),
	};
	return 0;
}

// c=IN IP4 0.0.0.0 of RFC 2543, and its IPv6 twin
static bool sdp_address_is_none(struct slice connection)
{
	struct slice rest = connection, address;

	sdp_word_next(&rest);
	sdp_word_next(&rest);
	address = sdp_word_next(&rest);
	return slice_eq(address, SLICE_LIT("0.0.0.0")) || slice_eq(address, SLICE_LIT("::")) ||
	       slice_starts_with(address, SLICE_LIT("0.0.0.0/"));
}

bool sdp_is_hold(const struct sdp *sdp)
{
	bool any = false;

	for (unsigned i = 0; i < sdp->n_media; i++) {
		const struct sdp_media *m = &sdp->media[i];

		if (m->disabled)
			continue;
		any = true;
		if (m->direction != SDP_SENDONLY && m->direction != SDP_INACTIVE &&
		    !sdp_address_is_none(m->connection))
			return false;
	}
	return any;
}
