// SPDX-License-Identifier: BSD-3-Clause
// The messages of tests/golden/torture through every scanner and the parsers of values; expect.txt
// there says what must come of each (TT-01). Inputs end at a guard page.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "sip/name_addr.h"
#include "sip/numbers.h"
#include "sip/via.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *word(int rc)
{
	switch (rc) {
	case 0:
		return "ok";
	case -ENOENT:
		return "none";
	case -ERANGE:
		return "range";
	default:
		return "bad";
	}
}

static const char *rc_word(int rc)
{
	static const struct {
		int rc;
		const char *word;
	} words[] = {
		{0, "0"},
		{-EBADMSG, "EBADMSG"},
		{-ENODATA, "ENODATA"},
		{-EPROTONOSUPPORT, "EPROTONOSUPPORT"},
		{-ENOMSG, "ENOMSG"},
		{-E2BIG, "E2BIG"},
		{-EMSGSIZE, "EMSGSIZE"},
	};

	for (size_t i = 0; i < N(words); i++)
		if (words[i].rc == rc)
			return words[i].word;
	return "?";
}

static const char *name_word(const struct sip_msg *m, enum sip_header id)
{
	struct sip_name_addr na = {0};
	struct sip_uri uri;
	int rc = sip_name_addr_uri_of(m, id, &na, &uri);

	return na.is_star ? "star" : word(rc);
}

static void describe(char *to, size_t room, const struct sip_msg *m, int rc)
{
	struct sip_cseq cseq;
	struct sip_uri uri;
	struct sip_via via;
	char start[64] = "none";

	if (m->status != 0)
		(void)snprintf(start, sizeof(start), "%u", m->status);
	else if (m->method == SIP_METHOD_OTHER && m->uri.len != 0)
		(void)snprintf(start, sizeof(start), "OTHER");
	else if (m->uri.len != 0)
		(void)snprintf(start, sizeof(start), SLICE_FMT,
			       SLICE_ARG(sip_method_token(m->method)));
	(void)snprintf(to, room, "%s %s %u %s %s %s %s %s %s %u", rc_word(rc), start,
		       sip_via_count(m),
		       m->uri.len != 0 ? word(sip_uri_parse(&uri, m->uri)) : "none",
		       word(sip_via_top(m, &via)), name_word(m, SIP_H_FROM), name_word(m, SIP_H_TO),
		       word(sip_cseq_of(m, &cseq)), name_word(m, SIP_H_CONTACT), m->body.len);
}

static void check(const char *name, const char *want)
{
	static int (*const parsers[])(struct sip_msg *, struct slice) = {
		sip_msg_parse, sip_msg_parse_sse, sip_msg_parse_scalar};
	static uint8_t text[SIP_MSG_MAX_BYTES];
	char path[600], got[256];
	struct sip_msg m;
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "golden/torture/%s.sip", name);
	f = fopen(path, "rb");
	if (f == NULL) {
		fail_msg("%s: run the test in the folder tests", path);
		return;
	}
	n = fread(text, 1, sizeof(text), f);
	(void)fclose(f);
	for (size_t k = 0; k < N(parsers); k++) {
		int rc = parsers[k](&m, guard_copy(0, slice_of(text, n)));

		describe(got, sizeof(got), &m, rc);
		if (strcmp(got, want) != 0)
			fail_msg("%s (parser %zu): %s, not %s", name, k, got, want);
	}
}

static void messages(void **)
{
	FILE *f = fopen("golden/torture/expect.txt", "r");
	char line[512];
	int cases = 0;

	if (f == NULL) {
		fail_msg("golden/torture/expect.txt: run the test in the folder tests");
		return;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		char *space = strchr(line, ' '), *bar = strstr(line, " | ");

		if (line[0] == '#')
			continue;
		if (space == NULL || bar == NULL) {
			fail_msg("not a case: %s", line);
			break;
		}
		*space = 0;
		*bar = 0;
		check(line, space + 1);
		cases++;
	}
	(void)fclose(f);
	assert_true(cases >= 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(messages)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
