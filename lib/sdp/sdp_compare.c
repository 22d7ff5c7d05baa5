// SPDX-License-Identifier: BSD-3-Clause
// Do two session descriptions mean the same? (RFC 3264 s8, FEATURES part 3 idea 12)
// Pure; any thread. Sets of lines are compared as sums of hashes: order does not matter,
// multiplicity does, and the cost is linear whatever a peer sends.
#include "base/siphash.h"
#include "sdp/sdp.h"
#include "sdp/sdp_line.h"

// Fixed: a peer that looked for collisions would only hide a change of its own media from the other
// leg.
static const struct siphash_key sdp_key = {0x7665726765207364, 0x7020636f6d706172};

// One section, or the session level, as sums of line hashes by what they are about.
struct sdp_sums {
	uint64_t codecs, bandwidth, attributes, timing;
};

// What RFC 3551 says a payload type is when no rtpmap does.
static bool sdp_rtpmap_is_static(struct slice type, struct slice encoding)
{
	static const struct {
		struct slice type, encoding;
	} rows[] = {
		{SLICE_LIT("0"), SLICE_LIT("PCMU/8000")},
		{SLICE_LIT("3"), SLICE_LIT("GSM/8000")},
		{SLICE_LIT("4"), SLICE_LIT("G723/8000")},
		{SLICE_LIT("8"), SLICE_LIT("PCMA/8000")},
		{SLICE_LIT("9"), SLICE_LIT("G722/8000")},
		{SLICE_LIT("13"), SLICE_LIT("CN/8000")},
		{SLICE_LIT("15"), SLICE_LIT("G728/8000")},
		{SLICE_LIT("18"), SLICE_LIT("G729/8000")},
		{SLICE_LIT("31"), SLICE_LIT("H261/90000")},
		{SLICE_LIT("34"), SLICE_LIT("H263/90000")},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (slice_eq(type, rows[i].type) && slice_eq_nocase(encoding, rows[i].encoding))
			return true;
	return false;
}

// Of "type encoding/rate[/1]": 0 if it says nothing new. Encoding names are compared without case
// (RFC 8866 s6.6), one channel is what none means.
static uint64_t sdp_rtpmap_hash(struct slice value)
{
	struct slice rest = value;
	struct slice type = sdp_word_next(&rest), encoding = slice_trim(rest);
	uint8_t lower[64];

	if (encoding.len > 2 && encoding.p[encoding.len - 2] == '/' &&
	    encoding.p[encoding.len - 1] == '1')
		encoding.len -= 2;
	if (sdp_rtpmap_is_static(type, encoding))
		return 0;
	if (encoding.len > sizeof(lower))
		return siphash(sdp_key, value);
	for (uint32_t i = 0; i < encoding.len; i++)
		lower[i] = slice_lower(encoding.p[i]);
	return siphash_pair(sdp_key, siphash(sdp_key, type),
			    siphash(sdp_key, slice_of(lower, encoding.len)));
}

static bool sdp_is_direction(struct slice attribute)
{
	return slice_eq_nocase(attribute, SLICE_LIT("sendrecv")) ||
	       slice_eq_nocase(attribute, SLICE_LIT("sendonly")) ||
	       slice_eq_nocase(attribute, SLICE_LIT("recvonly")) ||
	       slice_eq_nocase(attribute, SLICE_LIT("inactive"));
}

static void sdp_sum_attribute(struct sdp_sums *sums, struct slice value)
{
	static const struct slice rtpmap = SLICE_LIT("rtpmap:"), fmtp = SLICE_LIT("fmtp:");

	if (sdp_is_direction(value))
		return;
	if (slice_starts_with(value, rtpmap))
		sums->codecs += sdp_rtpmap_hash(slice_from(value, rtpmap.len));
	else if (slice_starts_with(value, fmtp))
		sums->codecs += siphash(sdp_key, value);
	else
		sums->attributes += siphash(sdp_key, value);
}

static struct sdp_sums sdp_sum(struct slice section)
{
	struct sdp_sums sums = {0};
	struct slice rest = section;
	struct sdp_line line;

	while (sdp_line_next(&rest, &line)) {
		uint64_t hash = line.type > 1 ? siphash(sdp_key, slice_trim(line.all)) : 0;

		switch (line.type) {
		case 0: // empty
		case 'v':
		case 'o':
		case 's':
		case 'i':
		case 'u':
		case 'e':
		case 'p':
		case 'c':
		case 'm': // compared by themselves
			break;
		case 't':
		case 'r':
		case 'z':
			sums.timing += hash;
			break;
		case 'b':
			sums.bandwidth += hash;
			break;
		case 'a':
			sdp_sum_attribute(&sums, line.value);
			break;
		default:
			sums.attributes += hash;
			break;
		}
	}
	return sums;
}

static enum sdp_diff sdp_sums_differ(struct slice a, struct slice b)
{
	struct sdp_sums x = sdp_sum(a), y = sdp_sum(b);

	if (x.codecs != y.codecs)
		return SDP_DIFF_CODECS;
	if (x.bandwidth != y.bandwidth)
		return SDP_DIFF_BANDWIDTH;
	if (x.attributes != y.attributes)
		return SDP_DIFF_ATTRIBUTE;
	return x.timing != y.timing ? SDP_DIFF_TIMING : SDP_DIFF_NONE;
}

// Word by word, so that blanks do not count.
static bool sdp_words_equal(struct slice a, struct slice b)
{
	for (;;) {
		struct slice x = sdp_word_next(&a), y = sdp_word_next(&b);

		if (!slice_eq_nocase(x, y))
			return false;
		if (x.len == 0)
			return true;
	}
}

static enum sdp_diff sdp_media_differ(const struct sdp_media *a, const struct sdp_media *b)
{
	if (!slice_eq_nocase(a->kind, b->kind) || !slice_eq_nocase(a->proto, b->proto))
		return SDP_DIFF_MEDIA_KIND;
	if (a->disabled && b->disabled)
		return SDP_DIFF_NONE;
	if (!slice_eq(a->port, b->port))
		return SDP_DIFF_PORT;
	if (!sdp_words_equal(a->connection, b->connection))
		return SDP_DIFF_CONNECTION;
	if (!sdp_words_equal(a->formats, b->formats))
		return SDP_DIFF_CODECS;
	if (a->direction != b->direction)
		return SDP_DIFF_DIRECTION;
	return sdp_sums_differ(a->section, b->section);
}

// The next line, but for the first o= of the session level.
static bool sdp_next_beside_origin(struct slice *rest, struct sdp_line *line, bool *passed)
{
	if (!sdp_line_next(rest, line))
		return false;
	if (line->type == 'o' && !*passed) {
		*passed = true;
		return sdp_line_next(rest, line);
	}
	*passed |= line->type == 'm';
	return true;
}

// The lines but for the origin are the same bytes.
static bool sdp_equal_beside_origin(struct slice a, struct slice b)
{
	struct sdp_line x, y;
	bool passed_x = false, passed_y = false;

	for (;;) {
		bool more_x = sdp_next_beside_origin(&a, &x, &passed_x);
		bool more_y = sdp_next_beside_origin(&b, &y, &passed_y);

		if (!more_x || !more_y)
			return more_x == more_y;
		if (!slice_eq(x.all, y.all))
			return false;
	}
}

static enum sdp_diff sdp_origin_differs(const struct sdp *a, const struct sdp *b)
{
	struct sdp_origin_read x, y;

	if (sdp_origin_parse(&x, a->origin) != 0 || sdp_origin_parse(&y, b->origin) != 0)
		return SDP_DIFF_ORIGIN;
	return slice_eq(x.username, y.username) && slice_eq(x.session_id, y.session_id) &&
			       slice_eq(x.net_type, y.net_type) &&
			       slice_eq(x.addr_type, y.addr_type) && slice_eq(x.address, y.address)
		       ? SDP_DIFF_VERSION
		       : SDP_DIFF_ORIGIN;
}

enum sdp_diff sdp_compare(struct slice a, struct slice b)
{
	struct sdp x, y;

	if (slice_eq(a, b))
		return SDP_DIFF_NONE;
	if (sdp_parse(&x, a) != 0 || sdp_parse(&y, b) != 0)
		return SDP_DIFF_UNREADABLE;
	if (sdp_equal_beside_origin(a, b))
		return sdp_origin_differs(&x, &y);
	if (x.n_media != y.n_media)
		return SDP_DIFF_MEDIA_COUNT;
	for (unsigned i = 0; i < x.n_media; i++) {
		enum sdp_diff diff = sdp_media_differ(&x.media[i], &y.media[i]);

		if (diff != SDP_DIFF_NONE)
			return diff;
	}
	if (x.n_media == 0 && !sdp_words_equal(x.connection, y.connection))
		return SDP_DIFF_CONNECTION;
	enum sdp_diff diff = sdp_sums_differ(x.session, y.session);

	return diff != SDP_DIFF_NONE ? diff : SDP_DIFF_LAYOUT;
}

const char *sdp_diff_text(enum sdp_diff diff)
{
	static const char *const texts[SDP_DIFF_N] = {
		[SDP_DIFF_NONE] = "nothing differs",
		[SDP_DIFF_VERSION] = "only o= version differs",
		[SDP_DIFF_ORIGIN] = "only o= differs",
		[SDP_DIFF_LAYOUT] = "only the order or wording of lines differs",
		[SDP_DIFF_MEDIA_COUNT] = "number of media differs",
		[SDP_DIFF_MEDIA_KIND] = "media or protocol differs",
		[SDP_DIFF_PORT] = "port differs",
		[SDP_DIFF_CONNECTION] = "connection address differs",
		[SDP_DIFF_CODECS] = "codecs differ",
		[SDP_DIFF_DIRECTION] = "direction differs",
		[SDP_DIFF_BANDWIDTH] = "bandwidth differs",
		[SDP_DIFF_ATTRIBUTE] = "an attribute differs",
		[SDP_DIFF_TIMING] = "timing differs",
		[SDP_DIFF_UNREADABLE] = "not readable as SDP",
	};

	return diff < SDP_DIFF_N ? texts[diff] : "?";
}
