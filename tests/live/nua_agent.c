// SPDX-License-Identifier: BSD-3-Clause
// A SIP user agent made of another stack (Sofia-SIP NUA), a peer of verge in tests/live: caller or
// callee with a session timer of its own (RFC 4028), no media. Prints one JSON object per event and
// leaves when its calls have ended. One thread, Sofia's event loop.
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CALLS_MAX 64

struct agent;
struct call;
#define NUA_MAGIC_T	struct agent
#define NUA_HMAGIC_T	struct call
#define SU_ROOT_MAGIC_T struct agent
#define SU_TIMER_ARG_T	struct call
#include <sofia-sip/nua.h>
#include <sofia-sip/nua_tag.h>
#include <sofia-sip/sip_extra.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/soa_tag.h>
#include <sofia-sip/su_wait.h>

enum action { ACTION_ANSWER, ACTION_HOLD, ACTION_RESUME, ACTION_BYE, ACTION_N };

struct call {
	struct agent *agent;
	nua_handle_t *nh;
	su_timer_t *timers[ACTION_N];
	unsigned number;
	bool ready; // the dialog is confirmed
	bool ended;
};

struct agent {
	su_root_t *root;
	nua_t *nua;
	su_timer_t *deadline;
	struct call calls[CALLS_MAX];
	unsigned n_calls; // begun
	unsigned n_ended;
	unsigned n_failed; // ended without having been ready
	struct timespec began;
	// what the command line says
	bool is_caller;
	bool update;
	const char *url, *to, *from;
	unsigned wanted, se_s, min_se_s, duration_s, hold_s, resume_s, timeout_s, ring_ms;
	enum nua_session_refresher refresher;
};

// One codec: Sofia's next offer leaves out those that were not answered, which changes the media.
static const char sdp[] = "v=0\r\n"
			  "o=- 1 1 IN IP4 127.0.0.1\r\n"
			  "s=-\r\n"
			  "c=IN IP4 127.0.0.1\r\n"
			  "t=0 0\r\n"
			  "m=audio 5004 RTP/AVP 0\r\n"
			  "a=rtpmap:0 PCMU/8000\r\n";

static double seconds_since(const struct timespec *began)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - began->tv_sec) + (double)(now.tv_nsec - began->tv_nsec) / 1e9;
}

static void put_json_string(const char *s)
{
	putchar('"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			printf("\\u%04x", (unsigned)(unsigned char)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

// One line. sip is the message of the event, NULL if there is none; its timer, CSeq and Reason are
// told as far as they are there.
static void tell(const struct call *call, const char *event, int status, const sip_t *sip)
{
	printf("{\"t\":%.3f,\"call\":%u,\"event\":\"%s\"", seconds_since(&call->agent->began),
	       call->number, event);
	if (status != 0)
		printf(",\"status\":%d", status);
	if (sip != NULL && sip->sip_cseq != NULL)
		printf(",\"method\":\"%s\",\"cseq\":%u", sip->sip_cseq->cs_method_name,
		       (unsigned)sip->sip_cseq->cs_seq);
	if (sip != NULL && sip->sip_session_expires != NULL) {
		printf(",\"se\":%lu", (unsigned long)sip->sip_session_expires->x_delta);
		if (sip->sip_session_expires->x_refresher != NULL) {
			printf(",\"refresher\":");
			put_json_string(sip->sip_session_expires->x_refresher);
		}
	}
	if (sip != NULL)
		printf(",\"sdp\":%s", sip->sip_payload != NULL ? "true" : "false");
	if (sip != NULL && sip->sip_call_id != NULL) {
		printf(",\"call_id\":");
		put_json_string(sip->sip_call_id->i_id);
	}
	if (sip != NULL && sip->sip_reason != NULL) {
		printf(",\"reason\":");
		put_json_string(sip->sip_reason->re_text != NULL ? sip->sip_reason->re_text : "");
		printf(",\"reason_cause\":");
		put_json_string(sip->sip_reason->re_cause != NULL ? sip->sip_reason->re_cause : "");
	}
	printf("}\n");
	fflush(stdout);
}

static void agent_leave_if_done(struct agent *agent)
{
	if (agent->n_ended >= agent->wanted)
		nua_shutdown(agent->nua);
}

static void call_ended(struct call *call)
{
	struct agent *agent = call->agent;

	if (call->ended)
		return;
	call->ended = true;
	for (unsigned i = 0; i < ACTION_N; i++)
		su_timer_reset(call->timers[i]);
	agent->n_ended++;
	agent->n_failed += !call->ready;
	agent_leave_if_done(agent);
}

static void on_answer(su_root_magic_t *, su_timer_t *, struct call *call)
{
	tell(call, "answer", 200, NULL);
	nua_respond(call->nh, SIP_200_OK, SOATAG_USER_SDP_STR(sdp), TAG_END());
}

static void on_hold(su_root_magic_t *, su_timer_t *, struct call *call)
{
	tell(call, "hold", 0, NULL);
	nua_invite(call->nh, SOATAG_HOLD("*"), TAG_END());
}

static void on_resume(su_root_magic_t *, su_timer_t *, struct call *call)
{
	tell(call, "resume", 0, NULL);
	nua_invite(call->nh, SOATAG_HOLD(""), TAG_END());
}

static void on_bye(su_root_magic_t *, su_timer_t *, struct call *call)
{
	tell(call, "hang_up", 0, NULL);
	nua_bye(call->nh, TAG_END());
}

static void on_deadline(su_root_magic_t *, su_timer_t *, struct call *call)
{
	tell(call, "timeout", 0, NULL);
	nua_shutdown(call->agent->nua);
}

static void call_open(struct agent *agent, nua_handle_t *nh)
{
	struct call *call = &agent->calls[agent->n_calls];

	call->agent = agent;
	call->number = agent->n_calls++;
	call->nh = nh;
	for (unsigned i = 0; i < ACTION_N; i++)
		call->timers[i] = su_timer_create(su_root_task(agent->root), 0);
	nua_handle_bind(nh, call);
}

// The dialog is confirmed: what the command line asked for begins to count.
static void call_ready(struct call *call)
{
	const struct agent *agent = call->agent;

	if (call->ready)
		return;
	call->ready = true;
	if (agent->hold_s != 0)
		su_timer_set_interval(call->timers[ACTION_HOLD], on_hold, call,
				      agent->hold_s * 1000);
	if (agent->resume_s != 0)
		su_timer_set_interval(call->timers[ACTION_RESUME], on_resume, call,
				      agent->resume_s * 1000);
	if (agent->duration_s != 0)
		su_timer_set_interval(call->timers[ACTION_BYE], on_bye, call,
				      agent->duration_s * 1000);
}

static void incoming_invite(struct agent *agent, struct call *call, nua_handle_t *nh,
			    const sip_t *sip)
{
	if (call != NULL) {
		tell(call, "reinvite_received", 0, sip);
		return; // answered by the stack
	}
	if (agent->is_caller || agent->n_calls >= agent->wanted) {
		nua_respond(nh, SIP_486_BUSY_HERE, TAG_END());
		nua_handle_destroy(nh);
		return;
	}
	call_open(agent, nh);
	call = &agent->calls[agent->n_calls - 1];
	tell(call, "invite_received", 0, sip);
	nua_respond(nh, SIP_180_RINGING, TAG_END());
	su_timer_set_interval(call->timers[ACTION_ANSWER], on_answer, call, agent->ring_ms);
}

static void state_changed(struct call *call, tagi_t *tags)
{
	int state = nua_callstate_init;

	tl_gets(tags, NUTAG_CALLSTATE_REF(state), TAG_END());
	printf("{\"t\":%.3f,\"call\":%u,\"event\":\"state\",\"state\":\"%s\"}\n",
	       seconds_since(&call->agent->began), call->number,
	       nua_callstate_name((enum nua_callstate)state));
	fflush(stdout);
	if (state == nua_callstate_ready)
		call_ready(call);
	else if (state == nua_callstate_terminated)
		call_ended(call);
}

// Sofia's callback. NOLINTNEXTLINE(readability-function-size): its signature has nine parameters.
static void on_event(nua_event_t event, int status, char const *, nua_t *, struct agent *agent,
		     nua_handle_t *nh, struct call *call, sip_t const *sip, tagi_t tags[])
{
	if (event == nua_r_shutdown) {
		if (status >= 200)
			su_root_break(agent->root);
		return;
	}
	if (event == nua_i_invite) {
		incoming_invite(agent, call, nh, sip);
		return;
	}
	if (call == NULL)
		return;
	if (event == nua_i_state)
		state_changed(call, tags);
	else if (event == nua_i_update)
		tell(call, "update_received", 0, sip);
	else if (event == nua_i_bye)
		tell(call, "bye_received", 0, sip);
	else if (event == nua_i_cancel)
		tell(call, "cancel_received", 0, sip);
	else if (event == nua_r_invite)
		tell(call, call->ready ? "reinvite_answered" : "invite_answered", status, sip);
	else if (event == nua_r_update)
		tell(call, "update_answered", status, sip);
	else if (event == nua_r_bye)
		tell(call, "bye_answered", status, sip);
	else if (event == nua_i_error)
		tell(call, "error", status, sip);
}

static void agent_call(struct agent *agent)
{
	nua_handle_t *nh = nua_handle(agent->nua, NULL, SIPTAG_FROM_STR(agent->from),
				      SIPTAG_TO_STR(agent->to), TAG_END());

	if (nh == NULL) {
		fprintf(stderr, "nua_agent: no handle\n");
		exit(2); // NOLINT(concurrency-mt-unsafe): one thread
	}
	call_open(agent, nh);
	nua_invite(nh, SOATAG_USER_SDP_STR(sdp), TAG_END());
}

static void usage(void)
{
	fprintf(stderr,
		"usage: nua_agent uac|uas --url sip:ADDRESS:PORT [--to URI] [--from URI]\n"
		"  [--se S] [--min-se S] [--refresher local|remote|any|none]\n"
		"  [--method update|invite] [--calls N] [--ring MS] [--hold S] [--resume S]\n"
		"  [--duration S] [--timeout S]\n"
		"--se 0: no session timer. --duration 0: the other side hangs up.\n"
		"Exit status: 0 all calls were answered, 1 not all, 2 usage.\n");
	exit(2); // NOLINT(concurrency-mt-unsafe): one thread
}

static unsigned number(const char *text, unsigned most)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || end == text || n > most)
		usage();
	return (unsigned)n;
}

static enum nua_session_refresher refresher_of(const char *word)
{
	static const struct {
		const char *word;
		enum nua_session_refresher refresher;
	} rows[] = {
		{"local", nua_local_refresher},
		{"remote", nua_remote_refresher},
		{"any", nua_any_refresher},
		{"none", nua_no_refresher},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].word, word) == 0)
			return rows[i].refresher;
	usage();
	return nua_no_refresher;
}

static void option(struct agent *agent, const char *name, const char *value)
{
	const struct {
		const char *name;
		unsigned *where;
		unsigned most;
	} numbers[] = {
		{"se", &agent->se_s, 86400},
		{"min-se", &agent->min_se_s, 86400},
		{"calls", &agent->wanted, CALLS_MAX},
		{"ring", &agent->ring_ms, 60000},
		{"hold", &agent->hold_s, 86400},
		{"resume", &agent->resume_s, 86400},
		{"duration", &agent->duration_s, 86400},
		{"timeout", &agent->timeout_s, 86400},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(numbers[i].name, name) == 0) {
			*numbers[i].where = number(value, numbers[i].most);
			return;
		}
	}
	if (strcmp(name, "url") == 0)
		agent->url = value;
	else if (strcmp(name, "to") == 0)
		agent->to = value;
	else if (strcmp(name, "from") == 0)
		agent->from = value;
	else if (strcmp(name, "refresher") == 0)
		agent->refresher = refresher_of(value);
	else if (strcmp(name, "method") == 0)
		agent->update = strcmp(value, "update") == 0;
	else
		usage();
}

static void arguments(struct agent *agent, int argc, char **argv)
{
	if (argc < 2 || (strcmp(argv[1], "uac") != 0 && strcmp(argv[1], "uas") != 0))
		usage();
	agent->is_caller = strcmp(argv[1], "uac") == 0;
	for (int i = 2; i < argc; i += 2) {
		if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc)
			usage();
		option(agent, argv[i] + 2, argv[i + 1]);
	}
	if (agent->url == NULL || agent->wanted == 0 || agent->timeout_s == 0 ||
	    (agent->is_caller && (agent->to == NULL || agent->from == NULL)))
		usage();
}

int main(int argc, char **argv)
{
	static struct agent agent = {
		.update = true,
		.wanted = 1,
		.se_s = 90,
		.min_se_s = 90,
		.ring_ms = 100,
		.timeout_s = 600,
		.refresher = nua_any_refresher,
	};

	arguments(&agent, argc, argv);
	clock_gettime(CLOCK_MONOTONIC, &agent.began);
	su_init();
	agent.root = su_root_create(&agent);
	// One thread: no clone of the root for the stack.
	su_root_threading(agent.root, 0);
	agent.nua = nua_create(agent.root, on_event, &agent, NUTAG_URL(agent.url),
			       NUTAG_SESSION_TIMER(agent.se_s), NUTAG_MIN_SE(agent.min_se_s),
			       NUTAG_SESSION_REFRESHER(agent.refresher),
			       NUTAG_UPDATE_REFRESH(agent.update), NUTAG_AUTOANSWER(0),
			       NUTAG_AUTOALERT(0), SOATAG_USER_SDP_STR(sdp), TAG_END());
	if (agent.nua == NULL) {
		fprintf(stderr, "nua_agent: cannot listen on %s\n", agent.url);
		return 2;
	}
	agent.deadline = su_timer_create(su_root_task(agent.root), 0);
	agent.calls[0].agent = &agent;
	su_timer_set_interval(agent.deadline, on_deadline, &agent.calls[0], agent.timeout_s * 1000);
	printf("{\"t\":0,\"event\":\"listening\"}\n");
	fflush(stdout);
	for (unsigned i = 0; agent.is_caller && i < agent.wanted; i++)
		agent_call(&agent);
	su_root_run(agent.root);
	su_timer_destroy(agent.deadline);
	nua_destroy(agent.nua);
	su_root_destroy(agent.root);
	su_deinit();
	return agent.n_failed != 0 || agent.n_ended < agent.wanted ? 1 : 0;
}
