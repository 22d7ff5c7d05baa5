// SPDX-License-Identifier: BSD-3-Clause
// The shell of control that tests of cli, metrics and vergectl share.
#include "served.h"

#include "base/pool.h"
#include "session_timer/session_timer.h"

struct served served;

static const char served_yaml[] =
	"ports:\n"
	"  access: { device: x, addresses: [10.91.0.1/24] }\n"
	"  core: { device: y, addresses: [10.92.0.1/24] }\n"
	"trunks:\n"
	"  \"8068\": { port: access, peers: [10.91.0.2:5060, 10.91.0.3:5060], limits: { calls: 50 "
	"} }\n"
	"  core1: { port: core, peers: [10.92.0.2:5060], session_timer: { on_expiry: warn }, "
	"rules: { "
	"out: [fix] } }\n"
	"  quiet: { port: core, peers: [10.92.0.3:5060], session_timer: { mode: observe } }\n"
	"rules:\n"
	"  fix:\n"
	"    - { name: no-update, when: { method: [INVITE], header: { name: Allow, contains: "
	"UPDATE } },\n"
	"        do: [ { hide_update: true }, { tag: fixed } ] }\n"
	"    - { name: broken, when: { kind: request }, do: [ { substitute: { header: From, match: "
	"\"<.*\", with: \"\" } } ] }\n"
	"routes: [ { to: core1 } ]\n"
	"cdr: { file: /nowhere/cdr.jsonl }\n";

static tick_t served_now(void *)
{
	return served.now;
}

static uint64_t served_unix(void *, tick_t tick)
{
	return 1700000000000000u + tick;
}

static const struct trunk_stats *served_trunk(void *, unsigned worker, unsigned trunk)
{
	return trunk < 8 ? &served.trunks[worker][trunk] : NULL;
}

static uint32_t served_calls_max(void *, unsigned)
{
	return SERVED_CALLS;
}

static int served_call(void *, unsigned worker, uint32_t index, struct call_view *view)
{
	if (index >= SERVED_CALLS || served.calls[worker][index].start_tk == 0)
		return -ENOENT;
	*view = served.calls[worker][index];
	return 0;
}

static uint32_t served_find(void *, unsigned worker, struct slice id)
{
	for (uint32_t i = 0; i < SERVED_CALLS; i++)
		for (unsigned side = 0; side < 2; side++) {
			const struct leg_view *leg = &served.calls[worker][i].legs[side];

			if (served.calls[worker][i].start_tk != 0 &&
			    slice_eq(id, slice_of(leg->call_id, leg->call_id_len)))
				return i;
		}
	return POOL_NONE;
}

static const char *served_trouble(void *)
{
	return served.trouble;
}

static int served_reload(void *, struct config_errors *errors)
{
	served.reloads++;
	if (served.reload_rc == -EINVAL) {
		struct config *c;

		return config_load_text(&c,
					SLICE_LIT("ports: { a: { device: x, addresses: "
						  "[10.0.0.1/24] } }\nlog: { lvel: info }\n"),
					"bad.yaml", NULL, NULL, errors);
	}
	return served.reload_rc;
}

static void served_publish(void *, struct config *c)
{
	served.published++;
	control_configure(served.view.core, c, served.now);
	config_free(served.config);
	served.config = c;
}

static int served_level(void *, const char *level)
{
	if (strcmp(level, "info") != 0 && strcmp(level, "debug") != 0)
		return -EINVAL;
	snprintf(served.level, sizeof(served.level), "%s", level);
	return 0;
}

static void served_order(void *, unsigned, const struct order *order)
{
	served.last_order = *order;
	served.orders++;
}

static void served_log(void *, enum control_level, const char *, const char *)
{
}

static void served_cdr(void *, const char *)
{
}

static void served_text(char *field, uint16_t *len, const char *text)
{
	*len = (uint16_t)strlen(text);
	memcpy(field, text, *len);
}

void served_put_call(unsigned worker, uint32_t index, const char *a_id, const char *b_id)
{
	struct call_view *c = &served.calls[worker][index];
	const char *ids[2] = {a_id, b_id};

	memset(c, 0, sizeof(*c));
	c->call = index;
	c->gen = 3;
	c->start_tk = served.now - TICK_S(510);
	c->ringing_tk = served.now - TICK_S(505);
	c->answer_tk = served.now - TICK_S(500);
	for (unsigned side = 0; side < 2; side++) {
		struct leg_view *leg = &c->legs[side];

		leg->trunk = (uint16_t)side;
		leg->timer.se_s = 1800;
		leg->timer.peer_timer = true;
		leg->timer.role = side == 0 ? ST_ROLE_REMOTE : ST_ROLE_LOCAL;
		leg->negotiated_by = side == 0 ? ST_BY_CHOICE : ST_BY_PEER_2XX;
		leg->expiry_tk = c->answer_tk + TICK_S(1800);
		leg->refresh_tk = c->answer_tk + TICK_S(850);
		leg->last_proof_tk = c->answer_tk;
		leg->refreshes_sent = (uint16_t)side;
		leg->flow = (struct flow){.family = 4,
					  .peer_udp = 5060,
					  .local_udp = 5060,
					  .peer_ip = {10, (uint8_t)(91 + side), 0, 2}};
		served_text(leg->call_id, &leg->call_id_len, ids[side]);
		served_text(leg->remote, &leg->remote_len, "<sip:a\xff\"b@x>");
	}
}

void served_start(void)
{
	struct config_errors errors = {0};
	struct control_params params = {0};

	memset(&served, 0, sizeof(served));
	served.now = TICK_S(1000000);
	if (config_load_text(&served.config, slice_of_str(served_yaml), "served.yaml", NULL, NULL,
			     &errors) != 0) {
		config_errors_print(&errors, stderr);
		abort();
	}
	params.config = served.config;
	params.callbacks = (struct control_callbacks){
		.send_order = served_order, .log = served_log, .cdr = served_cdr};
	params.live = served.live;
	params.workers = 2;
	for (unsigned i = 0; i < 2; i++) {
		served.worker_list[i] = &served.workers[i];
		served.verdict_list[i] = served.verdicts[i];
		served.cpus[i] = (uint16_t)(i + 1);
	}
	served.view = (struct control_view){
		.core = control_new(&params, served.now),
		.n_workers = 2,
		.worker_stats = served.worker_list,
		.verdicts = served.verdict_list,
		.worker_cpus = served.cpus,
		.now = served_now,
		.unix_us = served_unix,
		.started_tk = served.now - TICK_S(3600),
		.live = served.live,
		.trunk_stats = served_trunk,
		.calls_max = served_calls_max,
		.call = served_call,
		.find = served_find,
		.trouble = served_trouble,
		.reload = served_reload,
		.publish = served_publish,
		.log_level = served_level,
	};
	if (served.view.core == NULL)
		abort();
	control_set_wall(served.view.core, served.now, served_unix(NULL, served.now));
	served_put_call(1, 7, "a@client", "b-leg");
}

void served_stop(void)
{
	control_free(served.view.core);
	config_free(served.config);
}
