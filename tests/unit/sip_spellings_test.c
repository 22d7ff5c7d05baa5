// SPDX-License-Identifier: BSD-3-Clause
// The corpus of spellings in tests/golden/spellings: one line is one case (INTEROP P25, ST-05,
// ST-06, ST-08). Each goes through every scanner, the message ending at a guard page.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "sip/list.h"
#include "sip/message.h"
#include "sip/numbers.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *where;
static int line_number;

// "\r\n\t\\" as the corpus writes them; every other byte is itself.
static size_t unescape(char *to, const char *from, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (from[i] == '\\' && i + 1 < n) {
			i++;
			to[len++] = (char)(from[i] == 'r'   ? '\r'
					   : from[i] == 'n' ? '\n'
					   : from[i] == 't' ? '\t'
							    : from[i]);
		} else {
			to[len++] = from[i];
		}
	}
	return len;
}

static void number_text(char *to, size_t room, int rc, const char *what, uint32_t n)
{
	if (rc == 0)
		(void)snprintf(to, room, "%s %u", what, n);
	else if (rc == -ERANGE)
		(void)snprintf(to, room, "%s range %u", what, n);
	else
		(void)snprintf(to, room, "%s %s", what, rc == -ENOENT ? "none" : "bad");
}

// The words of a set, sorted as the corpus line has them, so that text can be compared: each listed
// word is in the set and their number is that of the set's bits.
static bool same_set(const char *want, uint32_t bits, bool methods)
{
	uint32_t seen = 0;
	struct slice rest = slice_of_str(want), word;

	if (strcmp(want, "-") == 0)
		return bits == 0;
	while (sip_param_next_value(&rest, &word)) {
		int id = methods ? (int)sip_method_of(word) : sip_option_of(word);

		assert_true(id >= 0);
		seen |= 1u << id;
	}
	return seen == bits;
}

static bool matches(const struct sip_msg *m, const char *want)
{
	static const char *const refreshers[] = {"none", "uac", "uas", "other"};
	struct sip_session_expires se = {0};
	char got[128], set[256];
	uint32_t n = 0;
	int rc;

	if (sscanf(want, "supported %255s", set) == 1 || sscanf(want, "require %255s", set) == 1) {
		struct sip_options o =
			sip_list_options(m, want[0] == 's' ? SIP_H_SUPPORTED : SIP_H_REQUIRE);
		const char *unknown = strrchr(want, ' ');

		return same_set(set, o.bits, false) && unknown != NULL &&
		       o.unknown == strtoul(unknown, NULL, 10);
	}
	if (sscanf(want, "allow %255s", set) == 1)
		return same_set(set, sip_list_methods(m, SIP_H_ALLOW), true);
	if (strncmp(want, "min ", 4) == 0) {
		rc = sip_min_se_of(m, &n);
		number_text(got, sizeof(got), rc, "min", n);
		return strcmp(got, want) == 0;
	}
	rc = sip_session_expires_of(m, &se);
	number_text(got, sizeof(got), rc, "se", se.seconds);
	if (rc == 0 || rc == -ERANGE) {
		strncat(got, " ", sizeof(got) - strlen(got) - 1);
		strncat(got, refreshers[se.refresher], sizeof(got) - strlen(got) - 1);
	}
	return strcmp(got, want) == 0;
}

static void check(const char *field, size_t field_len, const char *want)
{
	static int (*const parsers[])(struct sip_msg *, struct slice) = {
		sip_msg_parse, sip_msg_parse_sse, sip_msg_parse_scalar};
	char text[2048] = "INVITE sip:a@b SIP/2.0\r\nCall-ID: 1\r\n";
	size_t n = strlen(text);
	struct sip_msg m;

	assert_true(field_len < sizeof(text) - n - 8);
	n += unescape(text + n, field, field_len);
	memcpy(text + n, "\r\n\r\n", 4);
	n += 4;
	for (size_t k = 0; k < N(parsers); k++) {
		if (parsers[k](&m, guard_copy(0, slice_of(text, n))) != 0)
			fail_msg("%s:%d: no message", where, line_number);
		if (!matches(&m, want))
			fail_msg("%s:%d: not \"%s\" (parser %zu)", where, line_number, want, k);
	}
}

static int run_file(const char *name)
{
	FILE *f = fopen(name, "r");
	char line[1024];
	int cases = 0;

	if (f == NULL)
		fail_msg("%s: run the test in the folder tests", name);
	where = name;
	line_number = 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		char *arrow = strstr(line, " -> ");

		line_number++;
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#')
			continue;
		if (arrow == NULL) {
			fail_msg("%s:%d: no arrow", name, line_number);
			break;
		}
		check(line, (size_t)(arrow - line), arrow + 4);
		cases++;
	}
	(void)fclose(f);
	return cases;
}

static void corpus(void **)
{
	static const char *const names[] = {"session-expires", "refresher", "min-se",
					    "supported",       "require",   "allow"};
	int cases = 0;
	char path[128];

	for (size_t i = 0; i < N(names); i++) {
		(void)snprintf(path, sizeof(path), "golden/spellings/%s.txt", names[i]);
		cases += run_file(path);
	}
	assert_true(cases >= 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(corpus)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
