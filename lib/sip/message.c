// SPDX-License-Identifier: BSD-3-Clause
// The index of a message's header fields (RFC 3261 s7, s18.3, s25).
// Any thread; pure. One body of code, compiled three times around three ways to find line ends,
// colons and names: AVX2, SSE4.2 and plain C. It is always_inline so that each copy is compiled for
// its CPU.
#include "sip/message.h"

#include <assert.h>
#include <errno.h>

#include "sip/chars.h"
#include "sip/numbers.h"
#include "sip/words.h"

#if defined(__x86_64__) && defined(__SSE4_2__)
#include <immintrin.h>
#define HAVE_SIMD 1
#else
#define HAVE_SIMD 0
#endif

#define INLINE	static inline __attribute__((always_inline))
#define NO_LINE UINT32_MAX
#define BLOCK	64

struct indexing;

// Where the scan for line ends stands.
struct lines {
	const uint8_t *base;
	uint32_t len;
	uint32_t at;	// offset of the first byte that no mask covers
	uint32_t block; // offset that bit 0 of the masks stands for
	uint64_t lf;	// line ends not yet given out
	uint64_t bad;	// bytes that follow a CR and are no LF
	uint64_t carry; // 1 if the byte before `at` is a CR
};

struct scanner {
	// Offset of the next LF at or after `from`, which never goes back. NO_LINE if there is none
	// or a CR without LF stands before it.
	uint32_t (*next_line)(struct lines *l, uint32_t from);
	// Offset of the first colon in [start, end), or end.
	uint32_t (*colon)(const struct lines *l, uint32_t start, uint32_t end);
	// Header of a name of at least two bytes at offset `name`.
	enum sip_header (*header)(const struct lines *l, uint32_t name, uint32_t len);
	// Take the line [start, eol] as a header field if it is written as nearly all are. False:
	// to be looked at in full.
	bool (*usual)(struct indexing *x, const struct lines *l, uint32_t start, uint32_t eol);
	bool is_full; // of start lines too
};

// What has been indexed besides the message itself.
struct indexing {
	struct sip_msg *m;
	int rc;		       // first error
	uint8_t last[SIP_H_N]; // last field with an id; good if the message has one
};

static uint32_t scalar_next_line(struct lines *l, uint32_t from)
{
	for (uint32_t i = from; i < l->len; i++) {
		if (l->base[i] == '\n')
			return i;
		if (l->base[i] == '\r' && (i + 1 == l->len || l->base[i + 1] != '\n'))
			return NO_LINE;
	}
	return NO_LINE;
}

INLINE uint32_t scalar_colon(const struct lines *l, uint32_t start, uint32_t end)
{
	while (start < end && l->base[start] != ':')
		start++;
	return start;
}

static enum sip_header scalar_header(const struct lines *l, uint32_t name, uint32_t len)
{
	return sip_header_of(slice_of(l->base + name, len));
}

INLINE bool scalar_usual(struct indexing *, const struct lines *, uint32_t, uint32_t)
{
	return false;
}

// Into the chain of the fields with its id.
INLINE void link_field(struct indexing *x, uint32_t id)
{
	struct sip_msg *m = x->m;

	if (m->first[id] == SIP_FIELD_NONE)
		m->first[id] = m->n_fields;
	else
		m->field[x->last[id]].next = m->n_fields;
	x->last[id] = m->n_fields;
}

#if HAVE_SIMD
typedef void masks_fn(const uint8_t *p, uint64_t *lf, uint64_t *cr);

INLINE void sse_masks(const uint8_t *p, uint64_t *lf, uint64_t *cr)
{
	const __m128i n = _mm_set1_epi8('\n'), r = _mm_set1_epi8('\r');

	*lf = 0;
	*cr = 0;
	for (unsigned i = 0; i < BLOCK; i += 16) {
		__m128i v = _mm_loadu_si128((const __m128i_u *)(const void *)(p + i));

		*lf |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, n)) << i;
		*cr |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, r)) << i;
	}
}

__attribute__((target("avx2,bmi,bmi2"))) INLINE void avx2_masks(const uint8_t *p, uint64_t *lf,
								uint64_t *cr)
{
	const __m256i n = _mm256_set1_epi8('\n'), r = _mm256_set1_epi8('\r');
	__m256i a = _mm256_loadu_si256((const __m256i_u *)(const void *)p);
	__m256i b = _mm256_loadu_si256((const __m256i_u *)(const void *)(p + 32));

	*lf = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, n)) |
	      (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, n)) << 32;
	*cr = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, r)) |
	      (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, r)) << 32;
}

// Load the next block's masks. Reads inside the message only: the last, short block is read
// together with bytes before it, or copied where the whole message is shorter than a block.
INLINE void lines_load(struct lines *l, masks_fn *masks)
{
	uint32_t left = l->len - l->at;
	uint64_t lf, cr;

	if (left >= BLOCK) {
		masks(l->base + l->at, &lf, &cr);
		left = BLOCK;
	} else if (l->len >= BLOCK) {
		masks(l->base + l->len - BLOCK, &lf, &cr);
		lf >>= BLOCK - left;
		cr >>= BLOCK - left;
	} else {
		uint8_t copy[BLOCK] = {0};

		memcpy(copy, l->base + l->at, left);
		masks(copy, &lf, &cr);
	}
	l->block = l->at;
	l->lf = lf;
	l->bad = (cr << 1 | l->carry) & ~lf;
	l->carry = cr >> 63;
	l->at += left;
}

INLINE uint32_t simd_next_line(struct lines *l, masks_fn *masks)
{
	while (l->lf == 0) {
		if (l->bad != 0 || l->at == l->len)
			return NO_LINE;
		lines_load(l, masks);
	}
	if (l->bad != 0 && (l->bad & (l->lf ^ (l->lf - 1))) != 0)
		return NO_LINE;

	uint32_t at = l->block + (uint32_t)__builtin_ctzll(l->lf);

	l->lf &= l->lf - 1;
	return at;
}

INLINE uint32_t sse_next_line(struct lines *l, uint32_t)
{
	return simd_next_line(l, sse_masks);
}

__attribute__((target("avx2,bmi,bmi2"))) INLINE uint32_t avx2_next_line(struct lines *l, uint32_t)
{
	return simd_next_line(l, avx2_masks);
}

INLINE uint32_t sse_colon(const struct lines *l, uint32_t start, uint32_t end)
{
	if (l->len - start < 16)
		return scalar_colon(l, start, end);

	__m128i v = _mm_loadu_si128((const __m128i_u *)(const void *)(l->base + start));
	uint32_t mask = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(':')));

	if (mask == 0)
		return scalar_colon(l, end - start < 16 ? end : start + 16, end);
	mask = start + (uint32_t)__builtin_ctz(mask);
	return mask < end ? mask : end;
}

// The 32 bytes from the name on are compared at once where the message has that many.
INLINE enum sip_header simd_header(const struct lines *l, uint32_t name, uint32_t len)
{
	const uint8_t *p = l->base + name;
	uint32_t slot;

	if (l->len - name < WORDS_NAME_MAX)
		return scalar_header(l, name, len);
	if (len > WORDS_NAME_MAX)
		return SIP_H_OTHER;
	__m128i lo = _mm_loadu_si128((const __m128i_u *)(const void *)p);
	__m128i hi = _mm_loadu_si128((const __m128i_u *)(const void *)(p + 16));

	slot = words_header_slot(p, len);
	for (; words.header[slot] != 0; slot = (slot + 1) % WORDS_HEADER_SLOTS) {
		const struct words_name *n = &words.name[words.header[slot]];
		const __m128i_u *lower = (const __m128i_u *)(const void *)n->lower;
		const __m128i_u *fold = (const __m128i_u *)(const void *)n->fold;
		__m128i a = _mm_xor_si128(_mm_or_si128(lo, _mm_loadu_si128(fold)),
					  _mm_loadu_si128(lower));
		__m128i b = _mm_xor_si128(_mm_or_si128(hi, _mm_loadu_si128(fold + 1)),
					  _mm_loadu_si128(lower + 1));
		__m128i differs = _mm_or_si128(a, b);

		if (words.len[words.header[slot]] == len && _mm_testz_si128(differs, differs))
			return words.header[slot];
	}
	return SIP_H_OTHER;
}

// Header of a name of at most 15 bytes that v begins with; OTHER: perhaps another's place in the
// table. `| 0x20` takes a CR for a hyphen, but no line has one.
INLINE uint32_t simd_usual_header(__m128i v, const uint8_t *p, uint32_t len)
{
	uint32_t id, same;
	__m128i name;

	if (len == 1)
		return sip_header_of(slice_of(p, 1));
	id = words.header[words_header_slot(p, len)];
	name = _mm_loadu_si128((const __m128i_u *)(const void *)words.name[id].lower);
	v = _mm_or_si128(v, _mm_set1_epi8(0x20));
	same = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, name));
	return words.len[id] == len && (uint32_t)__builtin_ctz(~same) >= len ? id : SIP_H_OTHER;
}

static_assert(offsetof(struct sip_field, name) == 0 && offsetof(struct sip_field, value) == 2 &&
		      offsetof(struct sip_field, len) == 4 &&
		      offsetof(struct sip_field, name_len) == 6 &&
		      offsetof(struct sip_field, id) == 7 && offsetof(struct sip_field, next) == 8,
	      "a field is written as one word and a byte");

// "Name: value" CRLF: a name that sip.def lists, one blank, none at the end of the value.
INLINE bool simd_usual(struct indexing *x, const struct lines *l, uint32_t start, uint32_t eol)
{
	const uint8_t *p = l->base + start;
	struct sip_msg *m = x->m;
	uint32_t name_len, value, end = eol - 1, colon, id;
	uint64_t field;
	__m128i v;

	if (l->len - start < 16 || m->n_fields == SIP_MSG_MAX_FIELDS)
		return false;
	v = _mm_loadu_si128((const __m128i_u *)(const void *)p);
	colon = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(':')));
	if ((colon & 0xfffe) == 0 || (colon & 1) != 0)
		return false;
	name_len = (uint32_t)__builtin_ctz(colon);
	value = start + name_len + 2;
	if (value >= end || l->base[end] != '\r' || l->base[end - 1] <= ' ' ||
	    l->base[value - 1] != ' ' || l->base[value] <= ' ')
		return false;
	id = simd_usual_header(v, p, name_len);
	if (id == SIP_H_OTHER)
		return false;
	link_field(x, id);
	field = start | (uint64_t)value << 16 | (uint64_t)(end - value) << 32 |
		(uint64_t)name_len << 48 | (uint64_t)id << 56;
	memcpy(&m->field[m->n_fields], &field, sizeof(field));
	m->field[m->n_fields++].next = SIP_FIELD_NONE;
	return true;
}
#endif

INLINE void indexing_fail(struct indexing *x, int rc)
{
	if (x->rc == 0)
		x->rc = rc;
}

// A line that begins with white space belongs to the field before it.
static void fold_line(struct indexing *x, uint32_t start, uint32_t end)
{
	const uint8_t *base = x->m->base;
	struct sip_field *f = &x->m->field[x->m->n_fields - 1];

	while (end > start && slice_is_lws(base[end - 1]))
		end--;
	if (end == start)
		return;
	if (f->len == 0) {
		while (slice_is_lws(base[start]))
			start++;
		f->value = (uint16_t)start;
	}
	f->len = (uint16_t)(end - f->value);
}

INLINE void add_field(struct indexing *x, const struct scanner *s, const struct lines *l,
		      uint32_t start, uint32_t colon, uint32_t end)
{
	struct sip_msg *m = x->m;
	const uint8_t *base = l->base;
	uint32_t value = colon + 1, name_len;
	enum sip_header id;

	while (colon > start && (base[colon - 1] == ' ' || base[colon - 1] == '\t'))
		colon--;
	name_len = colon - start;
	if (name_len == 0 || name_len > UINT8_MAX) {
		indexing_fail(x, -EBADMSG);
		return;
	}
	while (value < end && (base[value] == ' ' || base[value] == '\t'))
		value++;
	while (end > value && (base[end - 1] == ' ' || base[end - 1] == '\t'))
		end--;
	id = name_len > 1 ? s->header(l, start, name_len) : scalar_header(l, start, 1);
	if (id == SIP_H_OTHER && !sip_chars_all_token(slice_of(base + start, name_len))) {
		indexing_fail(x, -EBADMSG);
		return;
	}
	link_field(x, id);
	m->field[m->n_fields++] = (struct sip_field){
		.name = (uint16_t)start,
		.value = (uint16_t)value,
		.len = (uint16_t)(end - value),
		.name_len = (uint8_t)name_len,
		.id = (uint8_t)id,
		.next = SIP_FIELD_NONE,
	};
}

// Header lines up to the blank line. Returns the offset of the body, or NO_LINE.
INLINE uint32_t index_fields(struct indexing *x, const struct scanner *s, struct lines *l,
			     uint32_t start)
{
	const uint8_t *base = l->base;
	bool bad_line = true; // the line before was no header field: folds go with it

	for (;;) {
		uint32_t eol = s->next_line(l, start);
		uint32_t end = eol, colon;

		if (eol == NO_LINE)
			return NO_LINE;
		if (s->usual(x, l, start, eol)) {
			bad_line = false;
			start = eol + 1;
			continue;
		}
		if (end > start && base[end - 1] == '\r')
			end--;
		if (end == start)
			return eol + 1;
		if (base[start] == ' ' || base[start] == '\t') {
			if (bad_line)
				indexing_fail(x, -EBADMSG);
			else
				fold_line(x, start, end);
		} else if (x->m->n_fields == SIP_MSG_MAX_FIELDS) {
			indexing_fail(x, -E2BIG);
			bad_line = true;
		} else if ((colon = s->colon(l, start, end)) == end) {
			indexing_fail(x, -EBADMSG);
			bad_line = true;
		} else {
			uint8_t before = x->m->n_fields;

			add_field(x, s, l, start, colon, end);
			bad_line = x->m->n_fields == before;
		}
		start = eol + 1;
	}
}

static bool is_version(struct slice s, bool *is_2_0)
{
	*is_2_0 = slice_eq_nocase(s, SLICE_LIT("SIP/2.0"));
	return s.len > 4 && slice_eq_nocase(slice_first(s, 4), SLICE_LIT("SIP/"));
}

// "SIP/2.0 200 OK": one blank between the words. False: to be looked at in full.
static bool usual_status_line(struct sip_msg *m, struct slice line)
{
	uint32_t a, b, c;

	if (line.len < 13 || memcmp(line.p, "SIP/2.0 ", 8) != 0 || line.p[11] != ' ' ||
	    line.p[12] <= ' ' || line.p[line.len - 1] <= ' ')
		return false;
	a = line.p[8] - (uint32_t)'1';
	b = line.p[9] - (uint32_t)'0';
	c = line.p[10] - (uint32_t)'0';
	if (a > 5 || b > 9 || c > 9)
		return false;
	m->status = (uint16_t)((a + 1) * 100 + b * 10 + c);
	m->reason = slice_skip(line, 12);
	return true;
}

static int status_line(struct sip_msg *m, struct slice line)
{
	int64_t space = slice_find(line, ' ');
	struct slice rest;
	bool is_2_0;

	if (space < 0 || !is_version(slice_first(line, (uint32_t)space), &is_2_0) || !is_2_0)
		return -EBADMSG;
	rest = slice_trim(slice_from(line, (uint32_t)space));
	if (rest.len < 3 || (rest.len > 3 && rest.p[3] != ' ' && rest.p[3] != '\t'))
		return -EBADMSG;
	for (unsigned i = 0; i < 3; i++)
		if (rest.p[i] < '0' || rest.p[i] > '9')
			return -EBADMSG;
	m->status =
		(uint16_t)((rest.p[0] - '0') * 100 + (rest.p[1] - '0') * 10 + (rest.p[2] - '0'));
	if (m->status < 100 || m->status > 699) {
		m->status = 0;
		return -EBADMSG;
	}
	m->reason = slice_trim(slice_of(rest.p + 3, rest.len - 3));
	return 0;
}

// "METHOD uri SIP/2.0", the same.
static bool usual_request_line(struct sip_msg *m, struct slice line)
{
	static const struct slice version = SLICE_LIT(" SIP/2.0");
	int64_t space = slice_find(line, ' ');
	uint32_t end = line.len - version.len;
	enum sip_method method;

	if (line.len <= version.len || space <= 0 || space + 1 >= end ||
	    memcmp(line.p + end, version.p, version.len) != 0 || line.p[space + 1] <= ' ' ||
	    line.p[end - 1] <= ' ')
		return false;
	method = sip_method_of(slice_first(line, (uint32_t)space));
	if (method == SIP_METHOD_OTHER)
		return false;
	m->method_token = slice_first(line, (uint32_t)space);
	m->method = (uint8_t)method;
	m->uri = slice_of(line.p + space + 1, end - (uint32_t)space - 1);
	return true;
}

// The Request-URI may come out with white space inside: it is for the URI's parser to refuse it
// (400).
static int request_line(struct sip_msg *m, struct slice line)
{
	struct slice version;
	int64_t space;
	bool is_2_0;

	if (line.len == 0 || slice_is_lws(line.p[0]))
		return -EBADMSG;
	line = slice_trim(line);
	space = slice_find(line, ' ');
	if (space < 0)
		return -EBADMSG;
	m->method_token = slice_first(line, (uint32_t)space);
	m->method = (uint8_t)sip_method_of(m->method_token);
	if (m->method == SIP_METHOD_OTHER && !sip_chars_all_token(m->method_token))
		return -EBADMSG;

	const uint8_t *last = memrchr(line.p, ' ', line.len);

	version = slice_of(last + 1, (size_t)(line.p + line.len - last - 1));
	if (!is_version(version, &is_2_0))
		return -EBADMSG;
	m->uri = slice_trim(slice_of(line.p + space, (size_t)(last - line.p - space)));
	if (m->uri.len == 0)
		return -EBADMSG;
	return is_2_0 ? 0 : -EPROTONOSUPPORT;
}

// Bytes behind the blank line; sets body and len (RFC 3261 s18.3, s20.14).
static int find_body(struct sip_msg *m, uint32_t body, uint32_t len)
{
	uint32_t left = len - body, want = left;
	const struct sip_field *f = sip_msg_first(m, SIP_H_CONTENT_LENGTH);
	int rc = 0;

	if (f != NULL) {
		rc = sip_content_length_parse(&want, sip_msg_field_value(m, f));
		if (rc == -ERANGE)
			rc = 0; // saturated: more than any datagram holds
		for (f = sip_msg_next(m, f); f != NULL && rc == 0; f = sip_msg_next(m, f)) {
			uint32_t again = 0;

			rc = sip_content_length_parse(&again, sip_msg_field_value(m, f));
			if (rc == -ERANGE)
				rc = 0;
			if (rc == 0 && again != want)
				rc = -EBADMSG;
		}
	}
	if (rc != 0)
		want = left;
	if (want > left) {
		rc = -ENODATA;
		want = left;
	}
	m->body = slice_of(m->base + body, want);
	m->len = body + want;
	return rc;
}

INLINE int parse_with(struct sip_msg *m, struct slice bytes, const struct scanner *s)
{
	struct indexing x = {.m = m};
	struct lines l;
	uint32_t eol, end, body;

	memset(m, 0, offsetof(struct sip_msg, first));
	memset(m->first, SIP_FIELD_NONE, sizeof(m->first));
	m->base = bytes.p;
	if (bytes.len > SIP_MSG_MAX_BYTES)
		return -EMSGSIZE;
	while (bytes.len != 0 && (bytes.p[0] == '\r' || bytes.p[0] == '\n'))
		bytes = slice_of(bytes.p + 1, bytes.len - 1);
	if (bytes.len == 0)
		return -ENOMSG;
	m->base = bytes.p;
	m->len = bytes.len;
	l = (struct lines){.base = bytes.p, .len = bytes.len};
	eol = s->next_line(&l, 0);
	if (eol == NO_LINE)
		return -EBADMSG;
	end = eol != 0 && bytes.p[eol - 1] == '\r' ? eol - 1 : eol;
	if (end >= 4 && slice_eq_nocase(slice_first(bytes, 4), SLICE_LIT("SIP/")))
		x.rc = s->is_full || !usual_status_line(m, slice_first(bytes, end))
			       ? status_line(m, slice_first(bytes, end))
			       : 0;
	else if (s->is_full || !usual_request_line(m, slice_first(bytes, end)))
		x.rc = request_line(m, slice_first(bytes, end));
	if (x.rc != 0 && x.rc != -EPROTONOSUPPORT)
		return x.rc;
	body = index_fields(&x, s, &l, eol + 1);
	if (body == NO_LINE)
		indexing_fail(&x, -EBADMSG);
	else
		indexing_fail(&x, find_body(m, body, bytes.len));
	return x.rc;
}

int sip_msg_parse_scalar(struct sip_msg *m, struct slice bytes)
{
	static const struct scanner scalar = {scalar_next_line, scalar_colon, scalar_header,
					      scalar_usual, true};

	return parse_with(m, bytes, &scalar);
}

#if HAVE_SIMD
int sip_msg_parse_sse(struct sip_msg *m, struct slice bytes)
{
	static const struct scanner sse = {sse_next_line, sse_colon, simd_header, simd_usual,
					   false};

	return parse_with(m, bytes, &sse);
}

__attribute__((target("avx2,bmi,bmi2"))) static int parse_avx2(struct sip_msg *m,
							       struct slice bytes)
{
	static const struct scanner avx2 = {avx2_next_line, sse_colon, simd_header, simd_usual,
					    false};

	return parse_with(m, bytes, &avx2);
}

// W: the constructor; R: everybody.
static int (*parse)(struct sip_msg *m, struct slice bytes) = sip_msg_parse_sse;

__attribute__((constructor)) static void parse_choose(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	    __builtin_cpu_supports("bmi2"))
		parse = parse_avx2;
}

int sip_msg_parse(struct sip_msg *m, struct slice bytes)
{
	return parse(m, bytes);
}
#else
int sip_msg_parse_sse(struct sip_msg *m, struct slice bytes)
{
	return sip_msg_parse_scalar(m, bytes);
}

int sip_msg_parse(struct sip_msg *m, struct slice bytes)
{
	return sip_msg_parse_scalar(m, bytes);
}
#endif
