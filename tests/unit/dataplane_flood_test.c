// SPDX-License-Identifier: BSD-3-Clause
// A worker under a flood of what is of no call: it reads what limits.options and limits.malformed
// let pass and drops the rest before it is read, while what belongs to calls goes by. Over ports in
// memory, on a clock that stands still.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/config_load.h"
#include "rig.h"

#define LIMIT  100 // what keys.def has, of both
#define BURSTS 16
#define FLOOD  (BURSTS * BURST) // bursts that are full, so that messages are sorted
#define ROUNDS 64

static unsigned answers[700]; // by status

void peers_receive(enum peers_port, unsigned, struct slice message)
{
	unsigned status;

	assert_true(message.len > 12 && memcmp(message.p, "SIP/2.0 ", 8) == 0);
	status = (unsigned)(message.p[8] - '0') * 100 + (unsigned)(message.p[9] - '0') * 10 +
		 (unsigned)(message.p[10] - '0');
	assert_in_range(status, 100, 699);
	answers[status]++;
}

static void send(const char *method, const char *to)
{
	static unsigned n;
	struct peers_message m = {.port = PEERS_ACCESS};

	n++;
	m.len = (uint32_t)snprintf(m.text, sizeof(m.text),
				   "%s sip:10.91.0.1 SIP/2.0\r\n"
				   "Via: SIP/2.0/UDP 10.91.1.2:5060;branch=z9hG4bK-%u\r\n"
				   "From: <sip:a@10.91.1.2>;tag=f%u\r\n%s"
				   "Call-ID: flood-%u\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n",
				   method, n, n, to, n, method);
	rig_send(&m);
}

static uint64_t verdict(enum verdict v)
{
	return rig_worker(0)->verdicts[v];
}

static void poll_until_idle(void)
{
	unsigned rounds = 0;

	while (worker_poll(rig_worker(0)))
		assert_in_range(++rounds, 1, ROUNDS);
	(void)rig_receive();
}

// The next second, with counters at their start.
static void begin(void)
{
	struct worker *w = rig_worker(0);

	w->now += TICK_S(1);
	poll_until_idle();
	memset(answers, 0, sizeof(answers));
	memset(w->verdicts, 0, sizeof(w->verdicts));
	w->stats->messages = 0;
}

static void flood(const char *method, const char *to, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		send(method, to);
}

static void options(void **)
{
	const struct worker_stats *s = rig_worker(0)->stats;

	begin();
	flood("OPTIONS", "To: <sip:10.91.0.1>\r\n", FLOOD);
	send("BYE", "To: <sip:10.91.0.1>;tag=x\r\n");
	send("OPTIONS", "To: <sip:10.91.0.1>;tag=x\r\n");
	assert_true(worker_poll(rig_worker(0)));
	(void)rig_receive();
	assert_int_equal(answers[481], 2); // in the first round, from behind all others
	poll_until_idle();
	assert_int_equal(answers[200], LIMIT);
	assert_int_equal(verdict(VERDICT_DROP_OPTIONS_LIMIT), FLOOD - LIMIT);
	assert_in_range(s->messages, LIMIT + 2, LIMIT + 2 + BURST); // the others were not read

	flood("OPTIONS", "To: <sip:10.91.0.1>\r\n", FLOOD);
	poll_until_idle();
	assert_int_equal(answers[200], LIMIT);
	assert_int_equal(verdict(VERDICT_DROP_OPTIONS_LIMIT), 2 * FLOOD - LIMIT);
	assert_in_range(s->messages, LIMIT + 2, LIMIT + 2 + BURST);

	begin();
	send("OPTIONS", "To: <sip:10.91.0.1>\r\n");
	poll_until_idle();
	assert_int_equal(answers[200], 1);
}

static void malformed(void **)
{
	const struct worker_stats *s = rig_worker(0)->stats;

	begin();
	flood("INVITE", "To: \"a<<\r\n", FLOOD / 2);
	flood("INVITE", "", FLOOD / 2);
	send("BYE", "To: <sip:10.91.0.1>;tag=x\r\n");
	assert_true(worker_poll(rig_worker(0)));
	(void)rig_receive();
	assert_int_equal(answers[481], 1);
	poll_until_idle();
	assert_int_equal(answers[400], LIMIT);
	assert_int_equal(verdict(VERDICT_DROP_MALFORMED_LIMIT), FLOOD - LIMIT);

	begin();
	flood("INVITE", "", FLOOD);
	poll_until_idle();
	assert_int_equal(verdict(VERDICT_DROP_MALFORMED), LIMIT); // no To, no answer
	assert_int_equal(verdict(VERDICT_DROP_MALFORMED_LIMIT), FLOOD - LIMIT);
	assert_in_range(s->messages, LIMIT, LIMIT + BURST);

	begin();
	send("INVITE", "To: \"a<<\r\n");
	poll_until_idle();
	assert_int_equal(answers[400], 1);
}

static int start(void **)
{
	struct rig_params params = {
		.calls = 100, .transactions = 1000, .leg_text = 1024, .workers = 1, .more = ""};

	rig_start(&params);
	send("OPTIONS", "To: <sip:10.91.0.1>\r\n");
	poll_until_idle();
	poll_until_idle(); // the answer waited for that of ARP
	return answers[200] == 1 ? 0 : -1;
}

static int stop(void **)
{
	dataplane_stop(rig.dp);
	config_free(rig.config);
	free(rig.live);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(malformed),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
