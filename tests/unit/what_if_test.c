// SPDX-License-Identifier: BSD-3-Clause
// `vergectl what-if`: legs that are written down, what other settings make of them, and what is
// refused. 100 calls each, so that rates can be read.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/commands.h"
#include "control/trunk_facts.h"
#include "served.h"
#include "session_timer/session_timer.h"

#define CALLS 100

static int start(void **)
{
	served_start();
	return 0;
}

static int stop(void **)
{
	served_stop();
	return 0;
}

// What is different about the legs of a row.
struct legs {
	struct msg_timer a, b; // se_s 1: as served_put_call() has it
	uint8_t by_a, by_b;
	bool ringing;
};
#define AS_IS             \
	{                 \
		.se_s = 1 \
	}
#define TIMER(se, r, ...)                                                          \
	{                                                                          \
		.se_s = (se), .role = ST_ROLE_##r, .peer_timer = true, __VA_ARGS__ \
	}
#define HAS_UPDATE .peer_allow = SIP_METHOD_BIT(INVITE) | SIP_METHOD_BIT(UPDATE)

static void set(struct leg_view *leg, const struct msg_timer *timer, uint8_t by)
{
	if (timer->se_s == 1)
		return;
	leg->timer = *timer;
	leg->negotiated_by = by;
}

static void hold_calls(const struct legs *legs)
{
	memset(served.calls, 0, sizeof(served.calls));
	for (uint32_t i = 0; i < CALLS; i++) {
		struct call_view *c = &served.calls[i % 2][i];

		served_put_call(i % 2, i, "a", "b");
		set(&c->legs[SIDE_A], &legs->a, legs->by_a);
		set(&c->legs[SIDE_B], &legs->b, legs->by_b);
		if (legs->ringing)
			c->answer_tk = 0;
	}
}

static char reply[65536];

// Returns the steps that it took.
static unsigned ask(const char *trunk, const char *changes)
{
	char line[400];
	int n = snprintf(line, sizeof(line), "{\"command\":\"what_if\",\"trunk\":\"%s\",%s}", trunk,
			 changes);
	struct commands_job *j;
	unsigned steps = 1;

	assert_in_range(n, 1, sizeof(line) - 1);
	j = commands_new(&served.view, slice_of(line, (uint32_t)n));
	assert_non_null(j);
	while (!commands_step(j))
		assert_true(++steps < 1000);
	assert_in_range(j->out.len, 1, sizeof(reply) - 1);
	memcpy(reply, j->out.p, j->out.len);
	reply[j->out.len] = 0;
	commands_free(j);
	return steps;
}

#define CHANGE(text)		   "\"changes\":[" text "]"
#define FIGURE_IS(word, now, then) "\"figure\":\"" word "\",\"now\":" now ",\"then\":" then ","
#define RISK_IS(word, legs)	   "\"risk\":\"" word "\",\"legs\":" legs ","

struct row {
	const char *shows, *trunk, *changes;
	struct legs legs;
	const char *has[6], *lacks;
};

static void hold(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		hold_calls(&rows[i].legs);
		ask(rows[i].trunk, rows[i].changes);
		for (unsigned k = 0; k < 6 && rows[i].has[k] != NULL; k++)
			if (strstr(reply, rows[i].has[k]) == NULL)
				fail_msg("%s: no %s in %s", rows[i].shows, rows[i].has[k], reply);
		if (rows[i].lacks != NULL && strstr(reply, rows[i].lacks) != NULL)
			fail_msg("%s: %s in %s", rows[i].shows, rows[i].lacks, reply);
	}
}

// core1: verge is the caller. Refreshes at half of the interval, 5 % jitter: 855 s at 1800 s, 285 s
// at 600 s on average.
static const struct row callee_rows[] = {
	{"a third of the interval: three times the load, a dead peer noticed in a third",
	 "core1",
	 CHANGE("\"se=600\""),
	 {.a = AS_IS, .b = TIMER(1800, LOCAL, HAS_UPDATE), .by_b = ST_BY_PEER_2XX},
	 {"\"legs\":100,\"legs_at_risk\":0,", FIGURE_IS("verge_refreshes", "100", "100"),
	  FIGURE_IS("sent_per_s", "0.117", "0.351"), FIGURE_IS("messages_per_s", "0.234", "0.702"),
	  FIGURE_IS("dead_peer_s", "1768", "568"), "\"risks\":[]"},
	 NULL},
	{"the whole name of a key; no change changes nothing",
	 "core1",
	 CHANGE("\"session_timer.interval=1800\""),
	 {.a = AS_IS, .b = TIMER(1800, LOCAL, HAS_UPDATE), .by_b = ST_BY_PEER_2XX},
	 {FIGURE_IS("sent_per_s", "0.117", "0.117"), FIGURE_IS("dead_peer_s", "1768", "1768")},
	 NULL},
	{"by re-INVITE only: three messages, and a risk",
	 "core1",
	 CHANGE("\"se=600\""),
	 {.a = AS_IS, .b = TIMER(1800, LOCAL), .by_b = ST_BY_PEER_2XX},
	 {"\"legs_at_risk\":100,", FIGURE_IS("messages_per_s", "0.351", "1.052"),
	  RISK_IS("invite_only", "100")},
	 NULL},
	{"method=invite makes it so",
	 "core1",
	 CHANGE("\"method=invite\""),
	 {.a = AS_IS, .b = TIMER(1800, LOCAL, HAS_UPDATE), .by_b = ST_BY_PEER_2XX},
	 {FIGURE_IS("messages_per_s", "0.234", "0.351"), RISK_IS("invite_only", "100")},
	 NULL},
	{"a Min-SE above: the leg stays at it, after a 422",
	 "core1",
	 CHANGE("\"se=600\""),
	 {.a = AS_IS,
	  .b = TIMER(1800, LOCAL, HAS_UPDATE, .min_se_s = 1200),
	  .by_b = ST_BY_PEER_2XX},
	 {FIGURE_IS("sent_per_s", "0.117", "0.175"), FIGURE_IS("dead_peer_s", "1768", "1168"),
	  RISK_IS("min_se", "100")},
	 NULL},
	{"a Min-SE above max_interval: no timer, nothing ends the leg",
	 "core1",
	 CHANGE("\"se=600\",\"max_interval=900\""),
	 {.a = AS_IS,
	  .b = TIMER(1800, LOCAL, HAS_UPDATE, .min_se_s = 1200),
	  .by_b = ST_BY_PEER_2XX},
	 {FIGURE_IS("no_timer", "0", "100"), FIGURE_IS("dead_peer_s", "1768", "null"),
	  RISK_IS("min_se", "100"), RISK_IS("timer_lost", "100")},
	 NULL},
	{"the peer lowered the interval: it does so again",
	 "core1",
	 CHANGE("\"se=3600\""),
	 {.a = AS_IS, .b = TIMER(600, LOCAL, HAS_UPDATE), .by_b = ST_BY_PEER_2XX},
	 {FIGURE_IS("sent_per_s", "0.351", "0.351")},
	 NULL},
	{"the peer takes what it is asked: a longer one, too",
	 "core1",
	 CHANGE("\"se=3600\""),
	 {.a = AS_IS, .b = TIMER(1800, LOCAL, HAS_UPDATE), .by_b = ST_BY_PEER_2XX},
	 {FIGURE_IS("sent_per_s", "0.117", "0.058"), FIGURE_IS("dead_peer_s", "1768", "3568")},
	 NULL},
	{"refresher=remote: the peer confirms, and decides",
	 "core1",
	 CHANGE("\"se=600\",\"refresher=remote\""),
	 {.a = AS_IS, .b = TIMER(1800, LOCAL, HAS_UPDATE), .by_b = ST_BY_PEER_2XX},
	 {FIGURE_IS("verge_refreshes", "100", "0"), FIGURE_IS("peer_refreshes", "0", "100"),
	  FIGURE_IS("sent_per_s", "0.117", "0.000"), FIGURE_IS("answered_per_s", "0.000", "0.333"),
	  RISK_IS("peer_decides", "100")},
	 NULL},
	{"refresher=local takes it back",
	 "core1",
	 CHANGE("\"refresher=local\""),
	 {.a = AS_IS, .b = TIMER(1800, REMOTE, HAS_UPDATE), .by_b = ST_BY_PEER_2XX},
	 {FIGURE_IS("verge_refreshes", "0", "100"), FIGURE_IS("answered_per_s", "0.111", "0.000")},
	 NULL},
	{"a peer that refreshes out of turn is answered, whoever the refresher is",
	 "core1",
	 CHANGE("\"se=600\""),
	 {.a = AS_IS,
	  .b = TIMER(1800, LOCAL, HAS_UPDATE, .role_flipped = true),
	  .by_b = ST_BY_PEER_2XX},
	 {FIGURE_IS("verge_refreshes", "100", "100"), FIGURE_IS("sent_per_s", "0.000", "0.000"),
	  FIGURE_IS("answered_per_s", "0.111", "0.333")},
	 NULL},
	{"a callee without timers gets none by a shorter interval",
	 "core1",
	 CHANGE("\"se=600\""),
	 {.a = AS_IS, .b = {.se_s = 0}, .by_b = ST_BY_PEER_SILENT},
	 {FIGURE_IS("no_timer", "100", "100"), FIGURE_IS("dead_peer_s", "null", "null"),
	  "\"risks\":[]"},
	 NULL},
	{"but where they are required verge refreshes by itself",
	 "core1",
	 CHANGE("\"mode=required\""),
	 {.a = AS_IS, .b = {.se_s = 0}, .by_b = ST_BY_PEER_SILENT},
	 {FIGURE_IS("verge_refreshes", "0", "100"), FIGURE_IS("no_timer", "100", "0")},
	 NULL},
	{"mode=off: no timer on any",
	 "core1",
	 CHANGE("\"mode=off\""),
	 {.a = AS_IS, .b = TIMER(1800, LOCAL, HAS_UPDATE), .by_b = ST_BY_PEER_2XX},
	 {FIGURE_IS("no_timer", "0", "100"), FIGURE_IS("budget_at_limit_per_s", "112", "0"),
	  RISK_IS("timer_lost", "100")},
	 RISK_IS("min_se", "100")},
	{"a budget that is too small for the legs there are",
	 "core1",
	 CHANGE("\"se=90\",\"budget=1\""),
	 {.a = AS_IS, .b = TIMER(1800, LOCAL, HAS_UPDATE), .by_b = ST_BY_PEER_2XX},
	 {"\"budget_suffices_now\":true,\"budget_suffices\":false,\"check\":\"session_timer.budget "
	  "1 refreshes/s cannot keep 100000 calls",
	  FIGURE_IS("budget_per_s", "0", "1"), FIGURE_IS("budget_needed_per_s", "1", "3"),
	  FIGURE_IS("budget_at_limit_per_s", "112", "2223")},
	 NULL},
	{"enough for these, not for limits.calls: --check refuses it",
	 "core1",
	 CHANGE("\"budget=10\",\"se=90\""),
	 {.a = AS_IS, .b = TIMER(1800, LOCAL, HAS_UPDATE), .by_b = ST_BY_PEER_2XX},
	 {"\"budget_suffices\":true,\"check\":\"session_timer.budget 10", "it needs 2223"},
	 NULL},
	{"no session before the answer",
	 "core1",
	 CHANGE("\"se=600\""),
	 {.a = AS_IS, .b = AS_IS, .ringing = true},
	 {"\"legs\":0,\"legs_at_risk\":0,", FIGURE_IS("dead_peer_s", "null", "null")},
	 NULL},
	{"legs of another trunk do not count",
	 "quiet",
	 CHANGE("\"se=600\""),
	 {.a = AS_IS, .b = AS_IS},
	 {"\"trunk\":\"quiet\",\"timers\":\"observed\"", "\"legs\":0,"},
	 NULL},
};

// 8068: the peer is the caller.
static const struct row caller_rows[] = {
	{"who asked for no more than it got goes along with less; verge's choice stays",
	 "8068",
	 CHANGE("\"se=600\""),
	 {.a = TIMER(1800, REMOTE), .by_a = ST_BY_CHOICE, .b = AS_IS},
	 {FIGURE_IS("peer_refreshes", "100", "100"), FIGURE_IS("answered_per_s", "0.111", "0.333"),
	  FIGURE_IS("messages_per_s", "0.333", "1.000"), RISK_IS("peer_decides", "100")},
	 NULL},
	{"verge's choice changes where the caller named nobody",
	 "8068",
	 CHANGE("\"refresher=local\""),
	 {.a = TIMER(1800, REMOTE, HAS_UPDATE), .by_a = ST_BY_CHOICE, .b = AS_IS},
	 {FIGURE_IS("verge_refreshes", "0", "100")},
	 NULL},
	{"a caller that named itself decides",
	 "8068",
	 CHANGE("\"refresher=local\""),
	 {.a = TIMER(1800, REMOTE, HAS_UPDATE), .by_a = ST_BY_REQUEST, .b = AS_IS},
	 {FIGURE_IS("peer_refreshes", "100", "100"), RISK_IS("peer_decides", "100")},
	 NULL},
	{"one that asked for less than verge would accept does so again",
	 "8068",
	 CHANGE("\"se=3600\""),
	 {.a = TIMER(600, REMOTE), .by_a = ST_BY_REQUEST, .b = AS_IS},
	 {FIGURE_IS("answered_per_s", "0.333", "0.333")},
	 NULL},
	{"below the new min_interval: 422, then it has to ask for more",
	 "8068",
	 CHANGE("\"min_se=1200\""),
	 {.a = TIMER(600, REMOTE), .by_a = ST_BY_REQUEST, .b = AS_IS},
	 {FIGURE_IS("answered_per_s", "0.333", "0.167"), RISK_IS("own_min_se", "100")},
	 NULL},
	{"a timer that verge began by itself follows the interval",
	 "8068",
	 CHANGE("\"se=600\""),
	 {.a = {.se_s = 1800, .role = ST_ROLE_LOCAL, HAS_UPDATE},
	  .by_a = ST_BY_INSERTED,
	  .b = AS_IS},
	 {FIGURE_IS("sent_per_s", "0.117", "0.351"), "\"risks\":[]"},
	 NULL},
	{"and is not there without insert, where the other leg has none",
	 "8068",
	 CHANGE("\"insert=false\""),
	 {.a = {.se_s = 1800, .role = ST_ROLE_LOCAL, HAS_UPDATE},
	  .by_a = ST_BY_INSERTED,
	  .b = {.se_s = 0}},
	 {FIGURE_IS("no_timer", "0", "100"), RISK_IS("timer_lost", "100")},
	 NULL},
	{"a caller without timers is refused where they are required",
	 "8068",
	 CHANGE("\"mode=required\""),
	 {.a = {.se_s = 1800, .role = ST_ROLE_LOCAL, HAS_UPDATE},
	  .by_a = ST_BY_INSERTED,
	  .b = AS_IS},
	 {FIGURE_IS("refused", "0", "100"), FIGURE_IS("verge_refreshes", "100", "0"),
	  RISK_IS("refused", "100")},
	 NULL},
	{"room is limits.calls",
	 "8068",
	 CHANGE("\"se=100\""),
	 {.a = AS_IS, .b = AS_IS},
	 {FIGURE_IS("budget_at_limit_per_s", "1", "1")},
	 NULL},
};

static void callees(void **)
{
	hold(callee_rows, sizeof(callee_rows) / sizeof(callee_rows[0]));
}

static void callers(void **)
{
	hold(caller_rows, sizeof(caller_rows) / sizeof(caller_rows[0]));
}

// What was learned about a trunk puts the legs at risk that rely on it, and no others.
static void learned(void **)
{
	static const struct {
		const char *shows;
		enum fact_id fact;
		enum fact_state state;
		uint8_t role;
		const char *risk; // NULL: none
	} rows[] = {
		{"refreshes work", FACT_REFRESH, FACT_SUPPORTED, ST_ROLE_LOCAL, NULL},
		{"refreshes fail", FACT_REFRESH, FACT_UNSUPPORTED, ST_ROLE_LOCAL,
		 RISK_IS("refresh_fails", "100")},
		{"some fail", FACT_REFRESH, FACT_PARTIAL, ST_ROLE_LOCAL,
		 RISK_IS("refresh_fails", "100")},
		{"UPDATE fails at times", FACT_UPDATE, FACT_PARTIAL, ST_ROLE_LOCAL,
		 RISK_IS("method_fails", "100")},
		{"UPDATE does not work: re-INVITE", FACT_UPDATE, FACT_UNSUPPORTED, ST_ROLE_LOCAL,
		 RISK_IS("invite_only", "100")},
		{"re-INVITE is not needed", FACT_INVITE, FACT_UNSUPPORTED, ST_ROLE_LOCAL, NULL},
		{"peers do not refresh, but verge does", FACT_PEER_REFRESH, FACT_UNSUPPORTED,
		 ST_ROLE_LOCAL, NULL},
		{"peers do not refresh", FACT_PEER_REFRESH, FACT_UNSUPPORTED, ST_ROLE_REMOTE,
		 RISK_IS("peer_refresh_fails", "100")},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct legs legs = {
			.a = AS_IS, .b = TIMER(1800, LOCAL, HAS_UPDATE), .by_b = ST_BY_PEER_2XX};
		union {
			const struct trunk_facts *read;
			struct trunk_facts *write; // what was learned is control's
		} facts = {control_facts(served.view.core, 1)};
		struct fact *f = &facts.write->all.facts[rows[i].fact];

		legs.b.role = rows[i].role;
		hold_calls(&legs);
		f->state = (uint8_t)rows[i].state;
		ask("core1", CHANGE("\"se=600\""));
		if (rows[i].risk != NULL ? strstr(reply, rows[i].risk) == NULL
					 : strstr(reply, "\"risks\":[]") == NULL)
			fail_msg("%s: %s", rows[i].shows, reply);
		f->state = FACT_UNKNOWN;
	}
}

// A round looks at a bounded number of records, and nothing is published.
static void bounded(void **)
{
	struct legs legs = {.a = AS_IS, .b = AS_IS};
	unsigned published = served.published, orders = served.orders;

	hold_calls(&legs);
	assert_in_range(ask("core1", CHANGE("\"se=600\"")), 2 * SERVED_CALLS / COMMANDS_STEP,
			2 * SERVED_CALLS / COMMANDS_STEP + 2);
	assert_int_equal(served.published, published);
	assert_int_equal(served.orders, orders);
	assert_int_equal(control_config(served.view.core)->trunks[1].timer.interval_s, 1800);
}

static void refused(void **)
{
	static const struct {
		const char *shows, *trunk, *changes, *says;
	} rows[] = {
		{"no such trunk", "nobody", CHANGE("\"se=600\""), "no trunk is called"},
		{"no change", "core1", "\"changes\":[]", "array \\\"changes\\\" of 1 to 16"},
		{"changes missing", "core1", "\"x\":1", "array \\\"changes\\\" of 1 to 16"},
		{"not texts", "core1", "\"changes\":[600]", "must have texts only"},
		{"too many", "core1",
		 CHANGE("\"a=1\",\"a=1\",\"a=1\",\"a=1\",\"a=1\",\"a=1\",\"a=1\",\"a=1\",\"a=1\","
			"\"a=1\",\"a=1\",\"a=1\",\"a=1\",\"a=1\",\"a=1\",\"a=1\",\"a=1\""),
		 "of 1 to 16"},
		{"no value", "core1", CHANGE("\"se\""),
		 "\\\"se\\\" is no change; write se=SECONDS"},
		{"an empty value", "core1", CHANGE("\"se=\""), "is no change"},
		{"no number", "core1", CHANGE("\"se=soon\""), "soon"},
		{"below 90", "core1", CHANGE("\"se=30\""), "90"},
		{"no key", "core1", CHANGE("\"interva=600\""), "did you mean interval?"},
		{"a key of something else", "core1", CHANGE("\"limits.calls=5\""), "limits"},
		{"no choice", "core1", CHANGE("\"refresher=me\""), "refresher"},
		{"min_se above se", "core1", CHANGE("\"se=600\",\"min_se=900\""),
		 "min_interval 900 s is above interval 600 s"},
		// the budget of 112 is enough for all but the shortest interval: a warning comes
		// first
		{"a warning is not what is wrong", "core1",
		 CHANGE("\"budget=112\",\"refresher=me\""), "refresher"},
		{"a budget that is none", "core1", CHANGE("\"budget=lots\""), "lots"},
		{"a budget that is too small, and another fault", "core1",
		 CHANGE("\"budget=1\",\"se=600\",\"min_se=900\""), "min_interval 900 s"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(rows[i].trunk, rows[i].changes);
		if (strstr(reply, "{\"ok\":false") != reply || strstr(reply, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].shows, reply);
	}
}

// Whatever stands in a change: the answer is one line of JSON, and nothing has changed.
static void any_change(void **)
{
	static const char *const parts[] = {
		"se",	      "min_se",	     "session_timer.",
		"interval",   "refresher",   "budget",
		"refresh_at", "mode",	     "=",
		"=",	      "600",	     "local",
		"off",	      "0",	     "-1",
		"0.25",	      "99999999999", "{",
		"[",	      "~",	     "&a",
		"\\u0000",    "\\n",	     "\\\"",
		"a: b",	      "\xc3\xa4",    " ",
		"#",
	};
	struct legs legs = {.a = AS_IS, .b = AS_IS};
	uint32_t x = 2463534242u;
	unsigned good = 0;

	hold_calls(&legs);
	for (unsigned i = 0; i < 600; i++) {
		char changes[300];
		int at = snprintf(changes, sizeof(changes), "\"changes\":[\"%s",
				  i % 2 != 0 ? "se=" : "");
		json_t *json;

		for (unsigned n = 1 + i % 5, k = 0; k < n; k++) {
			x ^= x << 13;
			x ^= x >> 17;
			x ^= x << 5;
			at += snprintf(changes + at, sizeof(changes) - (size_t)at, "%s",
				       parts[x % (sizeof(parts) / sizeof(parts[0]))]);
		}
		snprintf(changes + at, sizeof(changes) - (size_t)at, "\"]");
		ask("core1", changes);
		json = json_loads(reply, 0, NULL);
		assert_non_null(json);
		assert_true(strchr(reply, '\n') == reply + strlen(reply) - 1);
		good += json_is_true(json_object_get(json, "ok"));
		json_decref(json);
	}
	assert_in_range(good, 1, 599);
	assert_int_equal(served.published, 0);
	assert_int_equal(control_config(served.view.core)->trunks[1].timer.interval_s, 1800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callees), cmocka_unit_test(callers), cmocka_unit_test(learned),
		cmocka_unit_test(bounded), cmocka_unit_test(refused), cmocka_unit_test(any_change),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
