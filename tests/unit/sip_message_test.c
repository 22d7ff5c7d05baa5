// SPDX-License-Identifier: BSD-3-Clause
// The header index (RFC 3261 s7): every case by the chosen scanner, by SSE4.2 and by plain C, the
// input ending at a guard page.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "sip/message.h"

typedef int parse_fn(struct sip_msg *m, struct slice bytes);

static parse_fn *const parsers[] = {sip_msg_parse, sip_msg_parse_sse, sip_msg_parse_scalar};

#define N(a)  (sizeof(a) / sizeof((a)[0]))
#define FROM  "From: <sip:a@a.example>;tag=1\r\n"
#define HEADS "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n" FROM

static void assert_slice(struct slice s, const char *want)
{
	if (s.len != strlen(want) || memcmp(s.p, want, s.len) != 0)
		fail_msg("\"" SLICE_FMT "\" is not \"%s\"", SLICE_ARG(s), want);
}

static void errors(void **)
{
	static const struct {
		const char *shows, *in;
		int rc, n_fields;
	} rows[] = {
		{"request", "OPTIONS sip:a SIP/2.0\r\n" HEADS "\r\n", 0, 2},
		{"no fields at all", "OPTIONS sip:a SIP/2.0\r\n\r\n", 0, 0},
		{"lone LF", "OPTIONS sip:a SIP/2.0\nA: 1\nB: 2\n\n", 0, 2},
		{"leading CRLFs", "\r\n\r\n\nOPTIONS sip:a SIP/2.0\r\nA: 1\r\n\r\n", 0, 1},
		{"lower case version", "OPTIONS sip:a sip/2.0\r\n\r\n", 0, 0},
		{"status line", "SIP/2.0 200 OK\r\nA: 1\r\n\r\n", 0, 1},
		{"no reason phrase", "SIP/2.0 200 \r\n\r\n", 0, 0},
		{"no space behind the code", "SIP/2.0 200\r\n\r\n", 0, 0},
		{"unknown method", "NEWMETHOD sip:a SIP/2.0\r\n\r\n", 0, 0},
		{"nothing", "", -ENOMSG, 0},
		{"keep-alive", "\r\n\r\n", -ENOMSG, 0},
		{"no line end", "OPTIONS sip:a SIP/2.0", -EBADMSG, 0},
		{"no blank line", "OPTIONS sip:a SIP/2.0\r\nA: 1\r\n", -EBADMSG, 1},
		{"cut in a field", "OPTIONS sip:a SIP/2.0\r\nA: 1\r\nB", -EBADMSG, 1},
		{"no URI", "OPTIONS SIP/2.0\r\n\r\n", -EBADMSG, 0},
		{"no version", "OPTIONS sip:a\r\n\r\n", -EBADMSG, 0},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", -EBADMSG, 0},
		{"version 7", "OPTIONS sip:a SIP/7.0\r\nA: 1\r\n\r\n", -EPROTONOSUPPORT, 1},
		{"response of version 3", "SIP/3.0 200 OK\r\n\r\n", -EBADMSG, 0},
		{"status of two digits", "SIP/2.0 20 OK\r\n\r\n", -EBADMSG, 0},
		{"status of four digits", "SIP/2.0 2000 OK\r\n\r\n", -EBADMSG, 0},
		{"status 099", "SIP/2.0 099 OK\r\n\r\n", -EBADMSG, 0},
		{"status 700", "SIP/2.0 700 OK\r\n\r\n", -EBADMSG, 0},
		{"method no token", "OPT(IONS sip:a SIP/2.0\r\n\r\n", -EBADMSG, 0},
		{"line without colon", "OPTIONS sip:a SIP/2.0\r\nfoo\r\nA: 1\r\n\r\n", -EBADMSG, 1},
		{"fold of a bad line", "OPTIONS sip:a SIP/2.0\r\nfoo\r\n b: c\r\nA: 1\r\n\r\n",
		 -EBADMSG, 1},
		{"fold first", "OPTIONS sip:a SIP/2.0\r\n A: 1\r\n\r\n", -EBADMSG, 0},
		{"no name", "OPTIONS sip:a SIP/2.0\r\n: 1\r\n\r\n", -EBADMSG, 0},
		{"space in a name", "OPTIONS sip:a SIP/2.0\r\nA B: 1\r\n\r\n", -EBADMSG, 0},
		{"CR in a value", "OPTIONS sip:a SIP/2.0\r\nA: 1\rB: 2\r\n\r\n", -EBADMSG, 0},
		{"CR CR LF", "OPTIONS sip:a SIP/2.0\r\nA: 1\r\r\nB: 2\r\n\r\n", -EBADMSG, 0},
		{"CR in the start line", "OPTIONS sip:a\rb SIP/2.0\r\n\r\n", -EBADMSG, 0},
		{"CR at the end", "OPTIONS sip:a SIP/2.0\r\nA: 1\r\n\r", -EBADMSG, 1},
		{"CR in the body", "OPTIONS sip:a SIP/2.0\r\nA: 1\r\n\r\n\r\r", 0, 1},
		{"body too short", "OPTIONS sip:a SIP/2.0\r\nl: 5\r\n\r\nabcd", -ENODATA, 1},
		{"body to the byte", "OPTIONS sip:a SIP/2.0\r\nl: 4\r\n\r\nabcd", 0, 1},
		{"length over 2^32", "OPTIONS sip:a SIP/2.0\r\nl: 4294967300\r\n\r\nabcd", -ENODATA,
		 1},
		{"length negative", "OPTIONS sip:a SIP/2.0\r\nl: -4\r\n\r\nabcd", -EBADMSG, 1},
		{"length empty", "OPTIONS sip:a SIP/2.0\r\nl:\r\n\r\nabcd", -EBADMSG, 1},
		{"equal lengths", "OPTIONS sip:a SIP/2.0\r\nl: 4\r\nl:04\r\n\r\nabcd", 0, 2},
		{"two lengths", "OPTIONS sip:a SIP/2.0\r\nl: 4\r\nl: 3\r\n\r\nabcd", -EBADMSG, 2},
	};
	struct sip_msg m;

	for (size_t i = 0; i < N(rows); i++)
		for (size_t k = 0; k < N(parsers); k++) {
			int rc = parsers[k](&m, guard_str(0, rows[i].in));

			if (rc != rows[i].rc || m.n_fields != rows[i].n_fields)
				fail_msg("%s (parser %zu): rc %d, %d fields", rows[i].shows, k, rc,
					 m.n_fields);
		}
}

// One field in every spelling: id and value.
static void spellings(void **)
{
	static const struct {
		const char *line;
		enum sip_header id;
		const char *value;
	} rows[] = {
		{"Call-ID: x@y", SIP_H_CALL_ID, "x@y"},
		{"call-id:x@y", SIP_H_CALL_ID, "x@y"},
		{"CALL-ID : x@y  ", SIP_H_CALL_ID, "x@y"},
		{"i:x", SIP_H_CALL_ID, "x"},
		{"I\t:\tx\t", SIP_H_CALL_ID, "x"},
		{"Session-Expires:\r\n 1800", SIP_H_SESSION_EXPIRES, "1800"},
		{"x:\r\n\t \r\n 1800", SIP_H_SESSION_EXPIRES, "1800"},
		{"X: 1800;\r\n refresher=uac \r\n \t", SIP_H_SESSION_EXPIRES,
		 "1800;\r\n refresher=uac"},
		{"P-Asserted-Identity: a", SIP_H_P_ASSERTED_IDENTITY, "a"},
		{"P-Asserted-Identitz: a", SIP_H_OTHER, "a"},
		{"Proxy-Authenticate: a", SIP_H_PROXY_AUTHENTICATE, "a"},
		{"Viaa: a", SIP_H_OTHER, "a"},
		{"Vi: a", SIP_H_OTHER, "a"},
		{"z: a", SIP_H_OTHER, "a"},
		{"Subject:", SIP_H_SUBJECT, ""},
		{"Subject:   ", SIP_H_SUBJECT, ""},
		{"X-A-header-whose-name-is-longer-than-all-that-we-know: 1:2", SIP_H_OTHER, "1:2"},
		{"Via: SIP/2.0/UDP [::1]:5060", SIP_H_VIA, "SIP/2.0/UDP [::1]:5060"},
	};
	struct sip_msg m;
	char text[256];

	for (size_t i = 0; i < N(rows); i++)
		for (unsigned last = 0; last < 2; last++)
			for (size_t k = 0; k < N(parsers); k++) {
				int n = snprintf(text, sizeof(text),
						 "BYE sip:a SIP/2.0\r\n%s\r\n%s\r\n", rows[i].line,
						 last ? "" : "Y: 2\r\nz: 3\r\n");

				assert_int_equal(
					parsers[k](&m, guard_copy(0, slice_of(text, (size_t)n))),
					0);
				assert_int_equal(m.field[0].id, rows[i].id);
				assert_slice(sip_msg_field_value(&m, &m.field[0]), rows[i].value);
				assert_int_equal(m.n_fields, last ? 1 : 3);
			}
}

static void start_lines(void **)
{
	struct sip_msg m;

	for (size_t k = 0; k < N(parsers); k++) {
		assert_int_equal(
			parsers[k](&m, guard_str(0, "INVITE  sip:a b@c  SIP/2.0 \r\n\r\n")), 0);
		assert_true(sip_msg_is_request(&m));
		assert_int_equal(m.method, SIP_INVITE);
		assert_slice(m.uri, "sip:a b@c");
		assert_int_equal(
			parsers[k](&m, guard_str(0, "SIP/2.0 486 Busy  Here\r\nl: 1\r\n\r\nabc")),
			0);
		assert_int_equal(m.status, 486);
		assert_int_equal(m.method, SIP_METHOD_NONE);
		assert_slice(m.reason, "Busy  Here");
		assert_slice(m.body, "a");
		assert_ptr_equal(sip_msg_end(&m), m.body.p + 1);
		assert_int_equal(parsers[k](&m, guard_str(0, "invite sip:a SIP/2.0\r\n\r\n")), 0);
		assert_int_equal(m.method, SIP_METHOD_OTHER);
	}
}

static void same_id_is_chained(void **)
{
	static const char in[] =
		"BYE sip:a SIP/2.0\r\nVia: 1\r\nX: 9\r\nfoo: a\r\nv: 2\r\nbar: b\r\n"
		"VIA: 3\r\n\r\n";
	struct sip_msg m;
	char seen[8];
	size_t n = 0;

	assert_int_equal(sip_msg_parse(&m, guard_str(0, in)), 0);
	for (const struct sip_field *f = sip_msg_first(&m, SIP_H_VIA);
	     f != NULL && n < sizeof(seen); f = sip_msg_next(&m, f))
		seen[n++] = (char)sip_msg_field_value(&m, f).p[0];
	for (const struct sip_field *f = sip_msg_first(&m, SIP_H_OTHER);
	     f != NULL && n < sizeof(seen); f = sip_msg_next(&m, f))
		seen[n++] = (char)sip_msg_field_value(&m, f).p[0];
	assert_int_equal(n, 5);
	assert_memory_equal(seen, "123ab", 5);
	assert_slice(sip_msg_field_line(&m, &m.field[1]), "X: 9\r\n");
	assert_null(sip_msg_value(&m, SIP_H_FROM).p);
}

static void repeated_fields(void **)
{
	static const struct {
		const char *in;
		bool repeats;
	} rows[] = {
		{"BYE sip:a SIP/2.0\r\nCall-ID: 1\r\nVia: 1\r\nVia: 2\r\nX: 1\r\nX: 2\r\n\r\n",
		 false},
		{"BYE sip:a SIP/2.0\r\nCall-ID: 1\r\ni: 1\r\n\r\n", true},
		{"BYE sip:a SIP/2.0\r\nFrom: 1\r\nCSeq: 1\r\nTo: 1\r\nf: 1\r\n\r\n", true},
		{"BYE sip:a SIP/2.0\r\nMax-Forwards: 1\r\nMAX-FORWARDS: 1\r\n\r\n", true},
	};
	struct sip_msg m;

	for (size_t i = 0; i < N(rows); i++) {
		assert_int_equal(sip_msg_parse(&m, guard_str(0, rows[i].in)), 0);
		assert_int_equal(sip_msg_repeats(&m), rows[i].repeats);
	}
}

static void limits(void **)
{
	static char text[SIP_MSG_MAX_BYTES + 2];
	struct sip_msg m;

	for (size_t k = 0; k < N(parsers); k++)
		for (int fields = SIP_MSG_MAX_FIELDS; fields <= SIP_MSG_MAX_FIELDS + 1; fields++) {
			size_t n = (size_t)snprintf(text, sizeof(text), "BYE sip:a SIP/2.0\r\n");
			int rc;

			for (int i = 0; i < fields; i++)
				n += (size_t)snprintf(text + n, sizeof(text) - n, "A: %d\r\n", i);
			n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n");
			rc = parsers[k](&m, guard_copy(0, slice_of(text, n)));
			assert_int_equal(rc, fields > SIP_MSG_MAX_FIELDS ? -E2BIG : 0);
			assert_int_equal(m.n_fields, SIP_MSG_MAX_FIELDS);
		}
	memset(text, 'a', sizeof(text));
	memcpy(text, "BYE sip:a SIP/2.0\r\nA: ", 22);
	memcpy(text + SIP_MSG_MAX_BYTES - 4, "\r\n\r\n", 4);
	for (size_t k = 0; k < N(parsers); k++) {
		assert_int_equal(parsers[k](&m, guard_copy(0, slice_of(text, SIP_MSG_MAX_BYTES))),
				 0);
		assert_int_equal(m.field[0].len, SIP_MSG_MAX_BYTES - 26);
		assert_int_equal(
			parsers[k](&m, guard_copy(0, slice_of(text, SIP_MSG_MAX_BYTES + 1))),
			-EMSGSIZE);
	}
	memset(text + 19, 'n', 300);
	text[19 + 256] = ':';
	for (size_t k = 0; k < N(parsers); k++)
		assert_int_equal(parsers[k](&m, guard_copy(0, slice_of(text, SIP_MSG_MAX_BYTES))),
				 -EBADMSG);
}

static void assert_same(const struct sip_msg *a, const struct sip_msg *b)
{
	assert_int_equal(a->len, b->len);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->method, b->method);
	assert_int_equal(a->n_fields, b->n_fields);
	assert_ptr_equal(a->uri.p, b->uri.p);
	assert_ptr_equal(a->body.p, b->body.p);
	assert_int_equal(a->body.len, b->body.len);
	assert_memory_equal(a->first, b->first, sizeof(a->first));
	for (unsigned i = 0; i < a->n_fields; i++) {
		const struct sip_field *x = &a->field[i], *y = &b->field[i];

		assert_true(x->name == y->name && x->value == y->value && x->len == y->len &&
			    x->name_len == y->name_len && x->id == y->id && x->next == y->next);
	}
}

// Line ends, CRs, colons and folds at every position relative to the scanners' blocks.
static void scanners_agree(void **)
{
	static const char pieces[][8] = {"\r\n",    "\n",    ":",     "\r",   " ",	  "a",
					 "Via:",    "\r\n ", "To: x", "l: 3", "\r\n\r\n", "x",
					 "0123456", "From",  "\t",    ","};
	struct sip_msg a, b;
	uint64_t x = 0x9e3779b97f4a7c15u;

	for (unsigned round = 0; round < 40000; round++) {
		uint8_t text[512];
		size_t n = 0;

		if (round % 8 != 0) {
			memcpy(text, "BYE sip:a SIP/2.0\r\n", 19);
			n = 19;
		}
		for (unsigned i = 0; i < round % 50; i++) {
			const char *piece;

			x = x * 6364136223846793005u + 1442695040888963407u;
			piece = pieces[(x >> 40) % N(pieces)];
			memcpy(text + n, piece, strlen(piece));
			n += strlen(piece);
		}
		struct slice in = guard_copy(0, slice_of(text, n));
		int rc = sip_msg_parse_scalar(&a, in);

		assert_int_equal(sip_msg_parse(&b, in), rc);
		assert_same(&a, &b);
		assert_int_equal(sip_msg_parse_sse(&b, in), rc);
		assert_same(&a, &b);
	}
}

static void words(void **)
{
	for (enum sip_header id = SIP_H_OTHER + 1; id < SIP_H_N; id++) {
		struct slice name = sip_header_name(id);
		uint8_t other[64];

		assert_int_equal(sip_header_of(name), id);
		for (uint32_t i = 0; i < name.len; i++)
			other[i] = slice_lower(name.p[i]);
		assert_int_equal(sip_header_of(slice_of(other, name.len)), id);
		other[name.len] = 'x';
		assert_int_equal(sip_header_of(slice_of(other, name.len + 1)), SIP_H_OTHER);
		// '-' with bit 5 cleared is CR: folding case must not make them equal
		other[2] = '\r';
		assert_true(name.len == 2 ||
			    sip_header_of(slice_of(other, name.len)) == SIP_H_OTHER);
	}
	for (enum sip_method id = SIP_METHOD_NONE + 1; id < SIP_METHOD_OTHER; id++)
		assert_int_equal(sip_method_of(sip_method_token(id)), id);
	assert_int_equal(sip_method_of(SLICE_LIT("INVITEX")), SIP_METHOD_OTHER);
	assert_int_equal(sip_method_of(SLICE_NONE), SIP_METHOD_OTHER);
	for (int id = 0; id < SIP_OPT_N; id++)
		assert_int_equal(sip_option_of(sip_option_tag((enum sip_option)id)), id);
	assert_int_equal(sip_option_of(SLICE_LIT("TIMER")), SIP_OPT_TIMER);
	assert_int_equal(sip_option_of(SLICE_LIT("time")), -1);
	assert_slice(sip_reason_phrase(481), "Call/Transaction Does Not Exist");
	assert_slice(sip_reason_phrase(299), "Unknown");
	assert_int_equal(sip_header_crossing(SIP_H_MIN_SE), SIP_TIMER);
	assert_int_equal(sip_method_service(SIP_REGISTER), SIP_SERVICE_REFUSE);
	assert_int_equal(sip_option_side(SIP_OPT_TIMER), SIP_SIDE_LOCAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors),	  cmocka_unit_test(spellings),
		cmocka_unit_test(start_lines),	  cmocka_unit_test(same_id_is_chained),
		cmocka_unit_test(limits),	  cmocka_unit_test(repeated_fields),
		cmocka_unit_test(scanners_agree), cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
