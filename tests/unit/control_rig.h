// SPDX-License-Identifier: BSD-3-Clause
// A control core on a clock that the test advances, with what it says kept for inspection.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config_load.h"
#include "control/control.h"
#include "control/trunk_facts.h"
#include "session_timer/session_timer.h"

#define RIG_ORDERS 4096

struct rig {
	struct control *control;
	struct config *config;
	struct trunk_live *live;
	tick_t now;
	uint32_t n_orders, n_logs, n_cdrs;
	struct {
		unsigned worker;
		tick_t at;
		struct order order;
	} orders[RIG_ORDERS];
	char log[65536]; // all lines, one after the other
	char cdr[16384];
};

static inline void rig_order(void *ctx, unsigned worker, const struct order *order)
{
	struct rig *rig = ctx;

	assert_true(rig->n_orders < RIG_ORDERS);
	rig->orders[rig->n_orders].worker = worker;
	rig->orders[rig->n_orders].at = rig->now;
	rig->orders[rig->n_orders++].order = *order;
}

static inline void rig_log(void *ctx, enum control_level level, const char *area, const char *line)
{
	struct rig *rig = ctx;
	size_t len = strlen(rig->log);

	(void)level;
	rig->n_logs++;
	snprintf(rig->log + len, sizeof(rig->log) - len, "%s: %s\n", area, line);
}

static inline void rig_cdr(void *ctx, const char *json)
{
	struct rig *rig = ctx;

	rig->n_cdrs++;
	snprintf(rig->cdr, sizeof(rig->cdr), "%s", json);
}

// timer: further keys of session_timer, as "on_expiry: warn, budget: 5"; profile: further keys of
// the profile.
static inline struct config *rig_config(const struct rig *rig, const char *timer,
					const char *profile)
{
	struct config_errors errors = {0};
	struct config *config;
	char text[4096];
	int rc;

	snprintf(text, sizeof(text),
		 "ports:\n"
		 "  p: { device: net_ring0, addresses: [10.0.0.1/8] }\n"
		 "profiles:\n"
		 "  default: { session_timer: { %s }, %s }\n"
		 "trunks:\n"
		 "  in: { port: p, peers: [10.1.0.1:5060] }\n"
		 "  out: { port: p, peers: [10.2.0.1:5060, 10.2.0.2:5060] }\n"
		 "routes:\n"
		 "  - { from: in, to: [out] }\n",
		 timer, profile);
	rc = config_load_text(&config, slice_of_str(text), "rig", rig->config, NULL, &errors);
	if (rc != 0) {
		config_errors_print(&errors, stderr);
		fail_msg("configuration: %d", rc);
	}
	config_errors_free(&errors);
	return config;
}

static inline struct rig *rig_new(const char *timer, const char *profile)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct control_params params = {.workers = 2, .seed = 1};

	assert_non_null(rig);
	rig->now = TICK_S(1000);
	rig->config = rig_config(rig, timer, profile);
	rig->live = aligned_alloc(64, CONFIG_MAX_TRUNKS * sizeof(*rig->live));
	assert_non_null(rig->live);
	memset(rig->live, 0, CONFIG_MAX_TRUNKS * sizeof(*rig->live));
	params.config = rig->config;
	params.live = rig->live;
	params.callbacks = (struct control_callbacks){
		.ctx = rig, .send_order = rig_order, .log = rig_log, .cdr = rig_cdr};
	rig->control = control_new(&params, rig->now);
	assert_non_null(rig->control);
	control_set_wall(rig->control, rig->now, 1763704185123456);
	rig->now += TICK_S(120); // the storm guard is over
	return rig;
}

static inline void rig_free(struct rig *rig)
{
	control_free(rig->control);
	config_free(rig->config);
	free(rig->live);
	free(rig);
}

// Let time pass as the loop does.
static inline void rig_run(struct rig *rig, tick_t until)
{
	while (control_next(rig->control) <= until) {
		if (control_next(rig->control) > rig->now)
			rig->now = control_next(rig->control);
		control_poll(rig->control, rig->now);
	}
	rig->now = until;
	control_poll(rig->control, rig->now);
}

// The last order; of type ORDER_N if there was none.
static inline const struct order *rig_last(const struct rig *rig)
{
	static const struct order none = {.type = ORDER_N};

	return rig->n_orders != 0 ? &rig->orders[rig->n_orders - 1].order : &none;
}

enum { RIG_IN = 0, RIG_OUT = 1 }; // trunk ids
// Time between refresh point and deadline of a leg with SE 1800 that is refreshed at half.
#define RIG_LEFT (TICK_S(900) - TICK_S(32))

static inline struct event rig_due(const struct rig *rig, uint32_t call)
{
	struct event event = {.type = EVENT_REFRESH_DUE,
			      .side = SIDE_B,
			      .trunk = RIG_OUT,
			      .call = call,
			      .gen = 1,
			      .at = rig->now};

	event.refresh_due.planned_tk = rig->now;
	event.refresh_due.expiry_tk = rig->now + RIG_LEFT;
	event.refresh_due.timer =
		(struct msg_timer){.se_s = 1800,
				   .peer_allow = SIP_METHOD_BIT(INVITE) | SIP_METHOD_BIT(UPDATE),
				   .role = ST_ROLE_LOCAL,
				   .peer_timer = true};
	event.refresh_due.first_method = REFRESH_UPDATE;
	event.refresh_due.has_sdp = true;
	event.refresh_due.call_id_owner = true;
	return event;
}

// The answer to the refresh that `due` asked for, as it came after rtt.
static inline struct event rig_done(const struct rig *rig, const struct event *due, unsigned method,
				    unsigned code, tick_t rtt)
{
	struct event event = *due;

	memset((char *)&event + offsetof(struct event, refresh_done), 0,
	       sizeof(event) - offsetof(struct event, refresh_done));
	event.type = EVENT_REFRESH_DONE;
	event.at = rig->now;
	event.refresh_done.planned_tk = due->refresh_due.planned_tk;
	event.refresh_done.sent_tk = rig->now - rtt;
	event.refresh_done.expiry_tk = due->refresh_due.expiry_tk;
	event.refresh_done.rtt_us = code != 0 ? (uint32_t)rtt : 0;
	event.refresh_done.code = (uint16_t)code;
	event.refresh_done.method = (uint8_t)method;
	event.refresh_done.timer = due->refresh_due.timer;
	return event;
}

static inline void rig_event(struct rig *rig, const struct event *event)
{
	control_event(rig->control, 0, event, rig->now);
	rig_run(rig, rig->now);
}

static inline bool rig_logged(const struct rig *rig, const char *text)
{
	return strstr(rig->log, text) != NULL;
}
