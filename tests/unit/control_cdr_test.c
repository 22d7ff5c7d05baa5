// SPDX-License-Identifier: BSD-3-Clause
// control/cdr: every field of the manual, read back by an independent parser; hostile text; every
// cause.
#include "control_rig.h"

#include <jansson.h>
#include <time.h>

#include "control/cdr.h"

static const char *const fields[] = {"call_id", "ingress", "egress",	 "start",    "ringing",
				     "answer",	"end",	   "duration_s", "setup_ms", "code",
				     "reason",	"release", "legs",	 "rtt_ms",   "warnings"};
static const char *const release_fields[] = {"by", "cause", "subcause", "sentence", "suspect"};
static const char *const leg_fields[] = {"se_s",
					 "refresher",
					 "negotiated_by",
					 "refresh_method",
					 "session_timer_refreshes",
					 "last_refresh_ok",
					 "last_proof_of_life",
					 "attempts",
					 "billable_until"};
static const char *const side_fields[] = {"trunk", "call_id", "from", "to", "source"};

static void put_text(struct call_record *r, enum call_text which, const char *text, size_t len)
{
	size_t at = 0;

	for (unsigned i = 0; i < which; i++)
		at += r->text_len[i];
	memcpy(r->text + at, text, len);
	r->text_len[which] = (uint16_t)len;
}

// A call of 2699 s whose refresh on the egress leg met silence.
static struct call_record record_of(tick_t start)
{
	struct call_record r = {.call = 7,
				.gen = 1,
				.cause = CAUSE_REFRESH_FAILURE,
				.by = BY_VERGE,
				.side = SIDE_B,
				.method = SIP_INVITE,
				.code = 200};

	r.start_tk = start;
	r.ringing_tk = start + TICK_MS(100);
	r.answer_tk = start + TICK_MS(2500);
	r.end_tk = r.answer_tk + TICK_S(2699);
	for (unsigned side = 0; side < 2; side++) {
		r.legs[side].trunk = (uint16_t)side;
		r.legs[side].timer.se_s = 2700;
		r.legs[side].timer.role = side == SIDE_A ? ST_ROLE_REMOTE : ST_ROLE_LOCAL;
		r.legs[side].last_proof_tk = start + TICK_S(1000);
		r.legs[side].negotiated_by = ST_BY_PEER_2XX;
		r.legs[side].flow =
			(struct flow){.family = 4, .peer_udp = 5060, .peer_ip = {10, 1, 0, 2}};
	}
	r.legs[SIDE_B].refreshes_failed = 2;
	r.legs[SIDE_B].refresh_method = REFRESH_INVITE;
	r.legs[SIDE_B].rtt_us = 12345;
	r.legs[SIDE_A].refreshes_received = 1;
	r.legs[SIDE_A].last_refresh_ok_tk = start + TICK_S(1350);
	put_text(&r, TEXT_INGRESS_CALL_ID, "a@x", 3);
	put_text(&r, TEXT_EGRESS_CALL_ID, "b@y", 3);
	put_text(&r, TEXT_FROM, "+123", 4);
	put_text(&r, TEXT_TO, "+456", 4);
	return r;
}

static json_t *parse(const struct rig *rig)
{
	json_error_t error;
	json_t *cdr = json_loads(rig->cdr, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

	if (cdr == NULL)
		fail_msg("%s at %d in %s", error.text, error.position, rig->cdr);
	return cdr;
}

static const char *text(json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL ? value : "(null)";
}

static void has(json_t *object, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (json_object_get(object, names[i]) == NULL)
			fail_msg("no %s", names[i]);
}
#define HAS(object, names) has(object, names, sizeof(names) / sizeof(*(names)))

static void all_fields(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	struct call_record r = record_of(TICK_S(1000));
	struct event due, done;
	json_t *cdr, *leg, *attempt;

	(void)state;
	due = rig_due(rig, 7);
	rig_event(rig, &due);
	rig->now += TICK_S(32);
	done = rig_done(rig, &due, REFRESH_UPDATE, 0, TICK_S(32));
	rig_event(rig, &done);
	rig->now += TICK_MS(20);
	done = rig_done(rig, &due, REFRESH_INVITE, 503, TICK_MS(20));
	rig_event(rig, &done);
	control_record(rig->control, 0, &r, rig->now);
	assert_int_equal(rig->n_cdrs, 1);
	assert_null(strchr(rig->cdr, '\n'));
	cdr = parse(rig);
	HAS(cdr, fields);
	HAS(json_object_get(cdr, "release"), release_fields);
	HAS(json_object_get(cdr, "ingress"), side_fields);
	HAS(json_object_get(cdr, "egress"), side_fields);
	assert_int_equal(json_array_size(json_object_get(cdr, "legs")), 2);
	HAS(json_array_get(json_object_get(cdr, "legs"), 0), leg_fields);
	assert_string_equal(text(cdr, "call_id"), "a@x");
	assert_string_equal(text(json_object_get(cdr, "egress"), "call_id"), "b@y");
	assert_string_equal(text(json_object_get(cdr, "egress"), "trunk"), "out");
	assert_string_equal(text(json_object_get(cdr, "ingress"), "source"), "10.1.0.2:5060");
	assert_string_equal(text(cdr, "start"), "2025-11-21T05:49:45.123Z");
	assert_string_equal(text(cdr, "answer"), "2025-11-21T05:49:47.623Z");
	assert_true(json_real_value(json_object_get(cdr, "duration_s")) == 2699.0);
	assert_int_equal(json_integer_value(json_object_get(cdr, "setup_ms")), 2500);
	assert_true(json_real_value(json_object_get(cdr, "rtt_ms")) == 12.345);
	assert_string_equal(text(cdr, "reason"), "OK");
	assert_string_equal(text(json_object_get(cdr, "release"), "cause"), "refresh_failure");
	assert_string_equal(text(json_object_get(cdr, "release"), "by"), "verge");
	assert_string_equal(text(json_object_get(cdr, "release"), "subcause"), "silence");
	assert_string_equal(
		text(json_object_get(cdr, "release"), "sentence"),
		"Refresh Failure: the egress peer did not answer the session refresh (INVITE).");
	leg = json_array_get(json_object_get(cdr, "legs"), 1);
	assert_string_equal(text(leg, "refresher"), "local");
	assert_string_equal(text(leg, "refresh_method"), "INVITE");
	// silent peer: billed until it last gave a sign of life; the other one until the end
	assert_string_equal(text(leg, "billable_until"), text(leg, "last_proof_of_life"));
	assert_int_equal(json_array_size(json_object_get(leg, "attempts")), 2);
	attempt = json_array_get(json_object_get(leg, "attempts"), 0);
	assert_string_equal(text(attempt, "method"), "UPDATE");
	assert_true(json_is_null(json_object_get(attempt, "code")));
	assert_int_equal(json_integer_value(json_object_get(attempt, "ms")), 32000);
	attempt = json_array_get(json_object_get(leg, "attempts"), 1);
	assert_int_equal(json_integer_value(json_object_get(attempt, "code")), 503);
	leg = json_array_get(json_object_get(cdr, "legs"), 0);
	assert_string_equal(text(leg, "billable_until"), text(cdr, "end"));
	assert_string_equal(text(leg, "last_refresh_ok"), "2025-11-21T06:12:15.123Z");
	json_decref(cdr);
	// the leg is forgotten: the next call of this index has no attempts; without a timer there
	// was no refresh either
	r.legs[SIDE_A].timer.se_s = 0;
	r.legs[SIDE_A].refreshes_received = 0;
	control_record(rig->control, 0, &r, rig->now);
	cdr = parse(rig);
	leg = json_array_get(json_object_get(cdr, "legs"), 1);
	assert_int_equal(json_array_size(json_object_get(leg, "attempts")), 0);
	leg = json_array_get(json_object_get(cdr, "legs"), 0);
	assert_true(json_is_null(json_object_get(leg, "last_refresh_ok")));
	json_decref(cdr);
	rig_free(rig);
}

// The sentence names the answer that ended the refresh, not that to the call's INVITE.
static void refusals_are_named(void **state)
{
	static const struct {
		unsigned cause, code;
		const char *says;
	} rows[] = {
		{CAUSE_REFRESH_REJECTED, 403, "(INVITE, 403)"},
		{CAUSE_REFRESH_DIALOG_GONE, 481, "(INVITE, 481)"},
		{CAUSE_BUSY, 486, "was busy (486)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rig *rig = rig_new("method: invite", "options_ping: 0");
		struct call_record r = record_of(TICK_S(1000));
		struct event due = rig_due(rig, 7), done;
		json_t *cdr;

		if (rows[i].cause == CAUSE_BUSY)
			r.code = (uint16_t)rows[i].code;
		rig_event(rig, &due);
		done = rig_done(rig, &due, REFRESH_INVITE, rows[i].code, 0);
		rig_event(rig, &done);
		r.cause = (uint8_t)rows[i].cause;
		control_record(rig->control, 0, &r, rig->now);
		cdr = parse(rig);
		if (strstr(text(json_object_get(cdr, "release"), "sentence"), rows[i].says) == NULL)
			fail_msg("%s", text(json_object_get(cdr, "release"), "sentence"));
		json_decref(cdr);
		rig_free(rig);
	}
}

// Each cause, from calls that never got anywhere to answered ones: valid JSON, no blank left in the
// sentence.
static void every_cause(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");

	(void)state;
	assert_in_range(CAUSE_N, 38, 60);
	for (unsigned cause = 0; cause < CAUSE_N; cause++) {
		for (unsigned full = 0; full < 2; full++) {
			struct call_record r = {0};
			const char *sentence;
			json_t *cdr;

			r.start_tk = r.end_tk = rig->now;
			r.legs[SIDE_B].trunk = CONFIG_NONE;
			if (full)
				r = record_of(TICK_S(1000));
			r.cause = (uint8_t)cause;
			r.boundary =
				cause == CAUSE_PEER_BYE_ON_TIMER_BOUNDARY ? ST_BOUNDARY_HALF : 0;
			control_record(rig->control, 0, &r, rig->now);
			cdr = parse(rig);
			HAS(cdr, fields);
			sentence = text(json_object_get(cdr, "release"), "sentence");
			if (strpbrk(sentence, "{}") != NULL || strlen(sentence) < 10 ||
			    sentence[strlen(sentence) - 1] != '.')
				fail_msg("%s: %s", cause_word((enum cause)cause), sentence);
			if (cause == CAUSE_PEER_BYE_ON_TIMER_BOUNDARY)
				assert_string_equal(
					text(json_object_get(cdr, "release"), "suspect"),
					"timer_deadline(SE/2)");
			if (!full)
				assert_true(json_is_null(
					json_object_get(json_object_get(cdr, "egress"), "trunk")));
			json_decref(cdr);
		}
	}
	assert_non_null(strstr(cause_sentence(CAUSE_REFRESH_FAILURE), "Refresh Failure"));
	for (unsigned i = 0; i < CAUSE_N; i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(cause_word((enum cause)i),
						cause_word((enum cause)j));
	rig_free(rig);
}

static void hostile_text(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	uint32_t seed = 17;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct call_record r = record_of(TICK_S(1000));
		static const char worst[] = "\"}\n\\u0000\r\0\x1b[2J\xff\xfe\xed\xa0\x80";
		size_t left = sizeof(r.text);
		json_t *cdr;

		memset(r.text_len, 0, sizeof(r.text_len));
		for (size_t i = 0; i < sizeof(r.text); i++) {
			seed = seed * 1664525 + 1013904223;
			r.text[i] = round % 2 != 0 ? worst[i % sizeof(worst)] : (char)(seed >> 24);
		}
		for (unsigned i = 0; i < CALL_TEXT_N; i++) {
			seed = seed * 1664525 + 1013904223;
			r.text_len[i] = (uint16_t)((seed >> 8) % (left + 1));
			left -= r.text_len[i];
		}
		if (round % 100 == 0) // lengths that lie: cut, not followed
			r.text_len[round / 100 % CALL_TEXT_N] = 60000;
		control_record(rig->control, 0, &r, rig->now);
		assert_null(strpbrk(rig->cdr, "\r\n\x1b"));
		cdr = parse(rig);
		HAS(cdr, fields);
		json_decref(cdr);
	}
	rig_free(rig);
}

static void longest_fits(void **state)
{
	struct rig *rig = rig_new("", "options_ping: 0");
	struct call_record r = record_of(TICK_S(1000));

	(void)state;
	for (unsigned side = 0; side < 2; side++)
		for (unsigned i = 0; i < 20; i++) {
			struct event due = rig_due(rig, 7), done;

			due.side = (uint8_t)side;
			rig_event(rig, &due);
			done = rig_done(rig, &due, REFRESH_UPDATE_SDP, 503, TICK_S(32));
			rig_event(rig, &done);
		}
	memset(r.text, 1, sizeof(r.text));
	memset(r.text_len, 0, sizeof(r.text_len));
	r.text_len[TEXT_INGRESS_CALL_ID] = sizeof(r.text);
	control_record(rig->control, 0, &r, rig->now);
	assert_int_equal(rig->n_cdrs, 1);
	assert_true(strlen(rig->cdr) > 2 * 768 * 6);
	json_decref(parse(rig));
	rig_free(rig);
}

static void wall_clock(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{951782399999999, "2000-02-28T23:59:59.999Z"},
		{951782400000000, "2000-02-29T00:00:00.000Z"},
		{4102444800001000, "2100-01-01T00:00:00.001Z"},
	};
	char out[CDR_TIME_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cdr_time(out, rows[i].us);
		assert_string_equal(out, rows[i].text);
	}
	for (time_t t = 0; t < 13569465600; t += 86400 * 13 + 43199) { // up to the year 2400
		char text[CDR_TIME_BYTES];
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.007Z", &tm);
		cdr_time(out, (uint64_t)t * 1000000 + 7999);
		assert_string_equal(out, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_fields),	cmocka_unit_test(refusals_are_named),
		cmocka_unit_test(every_cause),	cmocka_unit_test(hostile_text),
		cmocka_unit_test(longest_fits), cmocka_unit_test(wall_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
