// SPDX-License-Identifier: BSD-3-Clause
// Our own o= line in a body that we pass on (RFC 8866 s5.2, RFC 3264 s8; INTEROP P10), and the hash
// that says whether its version has to change. Pure; any thread.
#include <arpa/inet.h>

#include "sdp/sdp.h"
#include "sdp/sdp_line.h"

// Offset of the next line "o=" from `at` on, which is where a line begins; body.len if there is
// none.
static uint32_t sdp_next_origin(struct slice body, uint32_t at)
{
	for (uint32_t i = at; i < body.len; i++) {
		const uint8_t *o = memchr(body.p + i, 'o', body.len - i);

		if (o == NULL)
			break;
		i = (uint32_t)(o - body.p);
		if (i + 1 < body.len && o[1] == '=' && (i == at || o[-1] == '\n' || o[-1] == '\r'))
			return i;
	}
	return body.len;
}

// Offset of the line after the one that `at` lies in. CRLF, LF and CR end a line.
static uint32_t sdp_line_end(struct slice body, uint32_t at)
{
	while (at < body.len && body.p[at] != '\r' && body.p[at] != '\n')
		at++;
	if (at < body.len && body.p[at] == '\r')
		at++;
	if (at < body.len && body.p[at] == '\n')
		at++;
	return at;
}

// 64 bits of a word, mixed by the fold of a full product.
static uint64_t sdp_mix(uint64_t hash, uint64_t word)
{
	unsigned __int128 product =
		(unsigned __int128)(hash ^ 0x9e3779b97f4a7c15u) * (word ^ 0xd1b54a32d192ed03u);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Not keyed: whoever makes two bodies collide gets one version number for both, in his own call.
static uint64_t sdp_mix_run(uint64_t hash, struct slice run)
{
	uint64_t word;

	hash = sdp_mix(hash, run.len);
	for (; run.len >= sizeof(word); run = slice_skip(run, sizeof(word))) {
		memcpy(&word, run.p, sizeof(word));
		hash = sdp_mix(hash, word);
	}
	word = 0;
	if (run.len != 0)
		memcpy(&word, run.p, run.len);
	return sdp_mix(hash, word);
}

uint64_t sdp_hash(struct slice body)
{
	uint64_t hash = 0x76657267652d6f3d;
	uint32_t at = 0, o;

	do { // runs of lines between o= lines
		o = sdp_next_origin(body, at);
		hash = sdp_mix_run(hash, slice_of(body.p + at, o - at));
		at = sdp_line_end(body, o);
	} while (o < body.len);
	return hash != 0 ? hash : 1;
}

static void sdp_put_origin(struct outbuf *o, const struct sdp_origin *origin)
{
	char text[INET6_ADDRSTRLEN];

	outbuf_put_lit(o, "o=- ");
	outbuf_put_u64(o, origin->session_id);
	outbuf_put_char(o, ' ');
	outbuf_put_u64(o, origin->version);
	if (origin->family != 6) {
		outbuf_put_lit(o, " IN IP4 ");
		outbuf_put_ip4(o, origin->ip);
		return;
	}
	outbuf_put_lit(o, " IN IP6 ");
	if (inet_ntop(AF_INET6, origin->ip, text, sizeof(text)) != NULL)
		outbuf_put_str(o, text);
}

// Whether a body begins with v=, and whether its session level has an o= line.
static bool sdp_has_origin(struct slice body, bool *is_sdp)
{
	struct slice rest = body;
	struct sdp_line line;

	*is_sdp = sdp_line_next(&rest, &line) && line.type == 'v';
	while (*is_sdp && sdp_line_next(&rest, &line) && line.type != 'm')
		if (line.type == 'o')
			return true;
	return false;
}

// A body as nearly all are: v= first, then o=. Copied in runs between o= lines, of which the first
// is replaced and the others are left out. False: nothing was written.
static bool sdp_rewrite_usual(struct outbuf *o, struct slice body, const struct sdp_origin *origin)
{
	uint32_t at, end, trimmed;

	if (body.len < 2 || body.p[0] != 'v' || body.p[1] != '=')
		return false;
	at = sdp_line_end(body, 0);
	if (body.len - at < 2 || body.p[at] != 'o' || body.p[at + 1] != '=')
		return false;
	outbuf_put(o, body.p, at);
	sdp_put_origin(o, origin);
	end = trimmed = sdp_line_end(body, at);
	while (slice_is_lws(body.p[trimmed - 1]))
		trimmed--;
	outbuf_put(o, body.p + trimmed, end - trimmed); // its own line end
	while (end < body.len) {
		at = sdp_next_origin(body, end);
		outbuf_put(o, body.p + end, at - end);
		end = sdp_line_end(body, at);
	}
	return true;
}

void sdp_rewrite_origin(struct outbuf *o, struct slice body, const struct sdp_origin *origin)
{
	bool is_sdp, has_origin, done = false;
	struct slice rest = body;
	struct sdp_line line;

	if (sdp_rewrite_usual(o, body, origin))
		return;
	has_origin = sdp_has_origin(body, &is_sdp);
	if (!is_sdp) {
		outbuf_put_slice(o, body);
		return;
	}
	while (sdp_line_next(&rest, &line)) {
		if (line.type == 'o') {
			uint32_t end = line.all.len;

			if (done)
				continue;
			done = true;
			sdp_put_origin(o, origin);
			while (end != 0 && slice_is_lws(line.all.p[end - 1]))
				end--;
			outbuf_put_slice(o, slice_from(line.all, end)); // its own line end
			continue;
		}
		outbuf_put_slice(o, line.all);
		if (!has_origin && !done) { // after v=
			done = true;
			if (line.all.p[line.all.len - 1] != '\n' &&
			    line.all.p[line.all.len - 1] != '\r')
				outbuf_put_lit(o, "\r\n");
			sdp_put_origin(o, origin);
			outbuf_put_lit(o, "\r\n");
		}
	}
}
