// SPDX-License-Identifier: BSD-3-Clause
// Session descriptions: slices stay inside, comparing is reflexive and symmetric, a body with our
// origin line means what it meant before and has the same hash, rewriting twice changes nothing
// more. Input: two bodies, the first as long as the first two bytes say.
#include "fuzz.h"

#include <string.h>

#include "sdp/sdp.h"

static void inside(struct slice all, struct slice s)
{
	FUZZ_ASSERT(s.len == 0 || (s.p >= all.p && s.p + s.len <= all.p + all.len));
}

static void parsed(struct slice body)
{
	struct sdp sdp;
	uint32_t bytes;

	if (sdp_parse(&sdp, body) != 0)
		return;
	FUZZ_ASSERT(sdp.n_media <= SDP_MAX_MEDIA);
	inside(body, sdp.session);
	inside(body, sdp.origin);
	bytes = sdp.session.len;
	for (unsigned i = 0; i < sdp.n_media; i++) {
		inside(body, sdp.media[i].section);
		inside(body, sdp.media[i].formats);
		inside(body, sdp.media[i].connection);
		FUZZ_ASSERT(sdp.media[i].proto.len != 0);
		bytes += sdp.media[i].section.len;
	}
	FUZZ_ASSERT(bytes == body.len); // each byte belongs to one section
	(void)sdp_is_hold(&sdp);
}

static struct slice rewritten(struct slice body, uint8_t *mem, size_t size, uint64_t version)
{
	static const uint8_t ip[16] = {192, 0, 2, 1};
	const struct sdp_origin origin = {
		.session_id = 1, .version = version, .family = 4, .ip = ip};
	struct outbuf o = outbuf_of(mem, size);

	sdp_rewrite_origin(&o, body, &origin);
	FUZZ_ASSERT(!o.full);
	return outbuf_slice(&o);
}

// The same with the place of o= known.
static struct slice found(struct slice body, uint8_t *mem, size_t size)
{
	static const uint8_t ip[16] = {192, 0, 2, 1};
	const struct sdp_origin origin = {.session_id = 1, .version = 5, .family = 4, .ip = ip};
	struct outbuf o = outbuf_of(mem, size);
	struct sdp_own_line own;

	FUZZ_ASSERT(sdp_hash_find(body, &own) == sdp_hash(body));
	FUZZ_ASSERT(own.at <= own.end && own.end <= body.len);
	sdp_rewrite_found(&o, body, own, &origin);
	FUZZ_ASSERT(!o.full);
	return outbuf_slice(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t once[66000], twice[66000];
	struct slice a, b, ours, again;
	size_t cut;
	struct sdp sdp;

	if (size < 2 || size > 65000)
		return 0;
	cut = (size_t)data[0] << 8 | data[1];
	if (cut > size - 2)
		cut = size - 2;
	a = slice_of(data + 2, cut);
	b = slice_of(data + 2 + cut, size - 2 - cut);
	parsed(a);
	parsed(b);
	FUZZ_ASSERT(sdp_compare(a, a) == SDP_DIFF_NONE);
	FUZZ_ASSERT(sdp_compare(a, b) == sdp_compare(b, a));
	FUZZ_ASSERT(sdp_hash(a) != 0);
	FUZZ_ASSERT(slice_eq(found(a, twice, sizeof(twice)), rewritten(a, once, sizeof(once), 5)));
	ours = rewritten(a, once, sizeof(once), 5);
	if (sdp_parse(&sdp, a) == 0 && sdp_parse(&sdp, ours) == 0) {
		FUZZ_ASSERT(sdp_same(a, ours));
		again = rewritten(ours, twice, sizeof(twice), 6);
		FUZZ_ASSERT(sdp_compare(ours, again) == SDP_DIFF_VERSION);
		FUZZ_ASSERT(sdp_hash(ours) == sdp_hash(again));
		again = rewritten(ours, twice, sizeof(twice), 5);
		FUZZ_ASSERT(slice_eq(ours, again));
	}
	return 0;
}
