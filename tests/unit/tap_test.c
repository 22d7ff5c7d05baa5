// SPDX-License-Identifier: BSD-3-Clause
// b2bua/tap: which messages outside of known calls a trace takes, by trunk, number and Call-ID,
// from what a message says itself; one that cannot be read is of no number.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "b2bua/tap.h"

#define FOUND "<sip:2002@x>"

static const struct {
	const char *shows, *number, *from, *to;
	bool taken;
} numbers[] = {
	{"no number: all", "", "<sip:1@x>", "<sip:2@x>", true},
	{"the caller", "2002", "<sip:2002@x>;tag=1", "<sip:1@x>", true},
	{"the called", "2002", "<sip:1@x>", "\"Two\" <sip:2002@x>", true},
	{"its beginning", "20", "<sip:1@x>", "sip:2002@x", true},
	{"not its end", "02", "<sip:1@x>", "<sip:2002@x>", false},
	{"a plus that was not asked for", "2002", "<sip:+2002@x>", "<sip:1@x>", true},
	{"a plus that is not there", "+2002", "<sip:2002@x>", "<sip:1@x>", false},
	{"a plus and another number", "2002", "<sip:+3002@x>", "<sip:1@x>", false},
	{"no user", "2002", "<sip:x>", "<sip:2002.x>", false},
	{"a name is no number", "2002", "\"2002\" <sip:1@x>", "2002 <sip:1@x>", false},
	// after one that was taken: nothing of it is left to be found
	{"taken", "2002", FOUND, FOUND, true},
	{"no bracket at the end", "2002", "<sip:2002@x", "\"2002", false},
	{"taken", "2002", FOUND, FOUND, true},
	{"quotes that do not end", "2002", "\"x <sip:2002@x>", "\"", false},
	{"taken", "2002", FOUND, FOUND, true},
	{"no URI", "2002", "<2002>", "<sip:2002@>", false},
	{"elsewhere in the message", "10", "<sip:1@x>", "<sip:2@x>;tag=10", false},
	{"of the Via", "z9hG4bK1", "<sip:1@x>", "<sip:2@x>", false},
};

static const char *method = "OPTIONS";
static bool known;

static unsigned taps_of(const struct tap_filter *f, unsigned trunk, const char *from,
			const char *to)
{
	struct msg_about about = {.trunk = (uint16_t)trunk};
	char message[512];

	snprintf(message, sizeof(message),
		 "%s sip:v SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: %s\r\n"
		 "To: %s\r\nCall-ID: here@x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		 method, from, to);
	return tap_message(f, &about, slice_of_str(message), known);
}

static void by_number(void **)
{
	static struct tap_filter f = {.tracing = true, .trunk = TAP_ANY_TRUNK};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		snprintf(f.number, sizeof(f.number), "%s", numbers[i].number);
		if ((taps_of(&f, 3, numbers[i].from, numbers[i].to) == TAP_TRACE) !=
		    numbers[i].taken)
			fail_msg("%s", numbers[i].shows);
	}
}

static const struct {
	const char *shows;
	struct tap_filter f;
	unsigned taps;
} filters[] = {
	{"nothing runs", {.trunk = TAP_ANY_TRUNK}, 0},
	{"all", {.tracing = true, .trunk = TAP_ANY_TRUNK}, TAP_TRACE},
	{"its trunk", {.tracing = true, .trunk = 3}, TAP_TRACE},
	{"another trunk", {.tracing = true, .trunk = 2}, 0},
	{"marked calls only", {.tracing = true, .trunk = TAP_ANY_TRUNK, .marked = true}, 0},
	{"its Call-ID",
	 {.tracing = true,
	  .trunk = TAP_ANY_TRUNK,
	  .n_call_ids = 2,
	  .call_id_len = {1, 6},
	  .call_id = {"x", "here@x"}},
	 TAP_TRACE},
	{"another Call-ID",
	 {.tracing = true,
	  .trunk = TAP_ANY_TRUNK,
	  .n_call_ids = 1,
	  .call_id_len = {4},
	  .call_id = {"here"}},
	 0},
	{"its Call-ID, another number",
	 {.tracing = true,
	  .trunk = TAP_ANY_TRUNK,
	  .n_call_ids = 1,
	  .call_id_len = {6},
	  .call_id = {"here@x"},
	  .number = "9"},
	 0},
	{"what the trunk exports", {.trunks = true, .of_trunk = {[3] = TAP_HEP}}, TAP_HEP},
	{"what another one exports", {.trunks = true, .of_trunk = {[2] = TAP_HEP}}, 0},
};

static void by_filter(void **)
{
	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++)
		if (taps_of(&filters[i].f, 3, "<sip:1@x>", "<sip:2@x>") != filters[i].taps)
			fail_msg("%s", filters[i].shows);
}

// Of a known call the legs have the numbers; what they cannot have is read all the same: the
// INVITE's before rules, Call-IDs of a try before, and what no number restricts.
static void of_a_known_call(void **)
{
	static struct tap_filter f = {.tracing = true, .trunk = TAP_ANY_TRUNK, .number = "2002"};
	static const struct tap_filter all = {.tracing = true, .trunk = 3};

	known = true;
	assert_int_equal(taps_of(&f, 3, FOUND, FOUND), 0);
	assert_int_equal(taps_of(&all, 3, "<sip:1@x>", "<sip:2@x>"), TAP_TRACE);
	f.n_call_ids = 1;
	f.call_id_len[0] = 6;
	memcpy(f.call_id[0], "here@x", 6);
	assert_int_equal(taps_of(&f, 3, FOUND, "<sip:2@x>"), TAP_TRACE);
	f.n_call_ids = 0;
	method = "INVITE";
	assert_int_equal(taps_of(&f, 3, FOUND, "<sip:2@x>"), TAP_TRACE);
	method = "OPTIONS";
	known = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_number),
		cmocka_unit_test(by_filter),
		cmocka_unit_test(of_a_known_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
