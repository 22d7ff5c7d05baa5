// SPDX-License-Identifier: BSD-3-Clause
// Our own o= line in a body that we pass on (RFC 8866 s5.2, RFC 3264 s8; INTEROP P10), and the hash
// that says whether its version has to change. Pure; any thread.
#include <arpa/inet.h>

#include "sdp/sdp.h"
#include "sdp/sdp_line.h"

static bool sdp_is_origin(struct slice body, uint32_t start, uint32_t at)
{
	return at + 1 < body.len && body.p[at] == 'o' && body.p[at + 1] == '=' &&
	       (at == start || body.p[at - 1] == '\n' || body.p[at - 1] == '\r');
}

typedef uint8_t wide __attribute__((vector_size(16)));

// Whether "o=" stands somewhere in 33 bytes.
static bool sdp_maybe_origin(const uint8_t *p)
{
	wide first[2], second[2], both;
	uint64_t found[2];

	memcpy(first, p, sizeof(first));
	memcpy(second, p + 1, sizeof(second));
	both = (wide)(((first[0] == 'o') & (second[0] == '=')) |
		      ((first[1] == 'o') & (second[1] == '=')));
	memcpy(found, &both, sizeof(found));
	return (found[0] | found[1]) != 0;
}

// Offset of the line after the one that `at` lies in. CRLF, LF and CR end a line.
static uint32_t sdp_line_end(struct slice body, uint32_t at)
{
	wide x, end;
	uint64_t found[2];

	for (; body.len - at >= sizeof(x); at += (uint32_t)sizeof(x)) {
		memcpy(&x, body.p + at, sizeof(x));
		end = (wide)((x == '\r') | (x == '\n'));
		memcpy(found, &end, sizeof(found));
		if ((found[0] | found[1]) == 0)
			continue;
		at += found[0] != 0 ? (uint32_t)__builtin_ctzll(found[0]) / 8
				    : 8 + (uint32_t)__builtin_ctzll(found[1]) / 8;
		break;
	}
	while (at < body.len && body.p[at] != '\r' && body.p[at] != '\n')
		at++;
	if (at < body.len && body.p[at] == '\r')
		at++;
	if (at < body.len && body.p[at] == '\n')
		at++;
	return at;
}

// Offset of the next line "o=" from `start` on, which is where a line begins; body.len if there is
// none.
static uint32_t sdp_next_origin(struct slice body, uint32_t start)
{
	uint32_t second = sdp_line_end(body, start);

	if (second < body.len && !sdp_is_origin(body, start, start) &&
	    sdp_is_origin(body, start, second))
		return second; // behind v=, where it nearly always is
	for (uint32_t at = start; at < body.len;) {
		uint32_t end = at + 32;

		if (end < body.len && !sdp_maybe_origin(body.p + at)) {
			at = end;
			continue;
		}
		for (; at < end && at < body.len; at++)
			if (sdp_is_origin(body, start, at))
				return at;
	}
	return body.len;
}

// Two words, mixed by the fold of a full product.
static uint64_t sdp_mix(uint64_t hash, uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)(hash ^ a) * (b ^ 0xd1b54a32d192ed03u);

	return (uint64_t)product ^ (uint64_t)(product >> 64) ^ hash;
}

// Not keyed: whoever makes two bodies collide gets one version number for both, in his own call.
static uint64_t sdp_mix_run(uint64_t hash, struct slice run)
{
	uint64_t word[2];

	hash = sdp_mix(hash, run.len, 0x9e3779b97f4a7c15u);
	for (; run.len >= sizeof(word); run = slice_skip(run, sizeof(word))) {
		memcpy(word, run.p, sizeof(word));
		hash = sdp_mix(hash, word[0], word[1]);
	}
	word[0] = word[1] = 0;
	if (run.len != 0)
		memcpy(word, run.p, run.len);
	return sdp_mix(hash, word[0], word[1]);
}

static bool sdp_begins_v(struct slice body)
{
	return body.len >= 2 && body.p[0] == 'v' && body.p[1] == '=';
}

uint64_t sdp_hash_find(struct slice body, struct sdp_own_line *own)
{
	uint64_t hash = 0x76657267652d6f3d;
	uint32_t at = 0, found = 0, o;

	*own = (struct sdp_own_line){0};
	do { // runs of lines between o= lines
		o = sdp_next_origin(body, at);
		hash = sdp_mix_run(hash, slice_of(body.p + at, o - at));
		at = sdp_line_end(body, o);
		if (o < body.len && found++ == 0)
			*own = (struct sdp_own_line){o, at};
	} while (o < body.len);
	if (found != 1 || !sdp_begins_v(body) || own->at != sdp_line_end(body, 0))
		*own = (struct sdp_own_line){0};
	return hash != 0 ? hash : 1;
}

uint64_t sdp_hash(struct slice body)
{
	struct sdp_own_line own;

	return sdp_hash_find(body, &own);
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

void sdp_rewrite_found(struct outbuf *o, struct slice body, struct sdp_own_line own,
		       const struct sdp_origin *origin)
{
	if (own.at == 0) {
		sdp_rewrite_origin(o, body, origin);
		return;
	}
	outbuf_put(o, body.p, own.at);
	sdp_put_origin(o, origin);
	while (slice_is_lws(body.p[own.end - 1]))
		own.end--;
	outbuf_put_slice(o, slice_skip(body, own.end)); // its own line end, and what follows
}

void sdp_rewrite_origin(struct outbuf *o, struct slice body, const struct sdp_origin *origin)
{
	bool is_sdp, has_origin, done = false;
	struct slice rest = body;
	struct sdp_line line;

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
