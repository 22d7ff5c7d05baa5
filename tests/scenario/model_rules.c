// SPDX-License-Identifier: BSD-3-Clause
// Random message rules on the trunks of the model, and what must hold beside its other laws: each
// message that leaves can be read, is within the limits, and the timer that a leg counts is the one
// that verge's 2xx says. One thread of a test program.
#include <string.h>
#include <strings.h>

#include "config/config_load.h"
#include "model.h"
#include "rules/rules.h"
#include "session_timer/session_timer.h"
#include "sip/numbers.h"

// Conditions; most are met now and then.
static const char *const conditions[] = {
	"",
	"kind: request",
	"kind: response",
	"transaction: [INVITE]",
	"transaction: [UPDATE]",
	"transaction: [INVITE, UPDATE]",
	"code: [2xx]",
	"code: [180..199, 480, 5xx]",
	"method: [INVITE], dialog: creating",
	"dialog: in",
	"ingress: [A]",
	"egress: [B]",
	"body: sdp",
	"body: none",
	"header: { name: Session-Expires, present: true }",
	"header: { name: Session-Expires, lt: 601 }",
	"header: { name: Session-Expires, matches: 'refresher *= *uac' }",
	"header: [ { name: Allow, contains: UPDATE }, { name: Supported, contains: timer } ]",
	"not: { header: { name: Min-SE, present: true } }",
	"any: [ { code: [200] }, { header: { name: Min-SE, ge: 90 } } ]",
	"all: [ { kind: request }, { not: { method: [ACK, BYE, CANCEL] } } ]",
	"header: { name: CSeq, matches: '^[0-9]*[13579] ' }",
	"header: { name: Subject, matches: '^(a+)+$' }",
};

// Actions. Not among them: drop and reject, which are a peer that does not answer or refuses, and
// disarm, which is meant to make text and state differ (rule-disarm.scn); a code of another class,
// which the model would take for a peer's.
static const char *const actions[] = {
	"strip_session_timer: true",
	"session_expires: { cap: 600 }",
	"session_expires: { cap: 90 }",
	"session_expires: { scale: 0.5 }",
	"session_expires: { scale: 2 }",
	"session_expires: { set: 300 }",
	"force_refresher: local",
	"force_refresher: remote",
	"hide_update: true",
	"min_se: { set: 120 }",
	"min_se: { cap: 90 }",
	"number: { header: Session-Expires, scale: 0.75 }",
	"number: { header: Session-Expires, max: 200 }",
	"number: { header: Min-SE, min: 100 }",
	"move: { option: timer, from: Require, to: Supported }",
	"option: { header: Supported, remove: [timer, replaces] }",
	"option: { header: Allow, remove: [UPDATE] }",
	"option: { header: Allow, add: [UPDATE, PUBLISH] }",
	"delete: Min-SE",
	"delete: { header: Session-Expires, matching: uac }",
	"substitute: { header: Session-Expires, match: ';.*', with: '' }",
	"substitute: { header: Session-Expires, match: 'uac', with: uas }",
	"substitute: { header: From, match: '<sip:', with: '<sip:9' }",
	"substitute: { header: To, match: ';tag=.*', with: '' }",
	"substitute: { header: Contact, match: '>', with: ';x=y>' }",
	"substitute: { header: Content-Type, match: '.*', with: text/plain }",
	"add: { header: X-Twice, value: '1' }",
	"add: { header: Session-Expires, value: '90' }",
	"set: { header: Subject, value: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab }",
	"set: { header: Subject, value: aaa }",
	"capture: { header: From, match: 'sip:(.*)@', as: u01 } }, { add: { header: X-Twice, "
	"value: 'was \\u01' }",
	"capture: { header: Session-Expires, match: '[0-9]+', as: u01 } }, { substitute: { header: "
	"Session-Expires, match: '[0-9]+', with: '\\u01\\u01' }",
	"capture: { header: Subject, match: '(a+)+$', as: u01 } }, { set: { header: Subject, "
	"value: '\\u01\\u01\\u01\\u01' }",
	"capture: { header: From, match: '.*', as: u01 } }, { uri: { header: To, user: '\\u01' }",
	"rename: { header: Subject, to: X-Subject }",
	"rename: { header: X-Subject, to: Min-SE }",
	"uri: { header: To, user: '4711', param: { x: y } }",
	"uri: { header: Request-URI, param: { user: phone } }",
	"status: { code: 183 }",
	"tag: t",
	"trace: true",
};

static const char *const presets[] = {
	"cube_half_deadline", "remove_session_expires", "hide_update",
	"no_timer_support",   "require_to_supported",	"fax_gateway_safe",
	"verge_refreshes",    "peer_refreshes",		"min_se_90",
};

// What no message is without.
static const enum sip_header once[] = {SIP_H_FROM, SIP_H_TO, SIP_H_CALL_ID, SIP_H_CSEQ,
				       SIP_H_CONTENT_LENGTH};

#define MODEL_RULES 6

#define PICK(m, list) (list)[network_random(&(m)->net, sizeof(list) / sizeof((list)[0]))]

static const char *random_rule(struct model *m)
{
	const char *second = "";

	if (network_random(&m->net, 2) != 0)
		second = arena_printf(&m->arena, ", { %s }", PICK(m, actions));
	return arena_printf(&m->arena, "{ when: { %s }, do: [ { %s }%s ] }", PICK(m, conditions),
			    PICK(m, actions), second);
}

// What --check would refuse (a reject of a response, a strip beside a cap ..) is not written.
static bool is_rule(struct model *m, const char *rule)
{
	struct conf *c = conf_new(&m->arena);
	struct config_errors errors = {0};
	struct config *config;

	conf_line(c, arena_printf(&m->arena, "rules.s: [ %s ]", rule));
	(void)config_load_text(&config, slice_of_str(conf_text(c)), "rule", NULL, NULL, &errors);
	config_errors_free(&errors);
	config_free(config);
	return config != NULL;
}

static const char *random_list(struct model *m, unsigned trunk, const char *direction)
{
	const char *list = "";

	for (unsigned i = 0; i < MODEL_RULES; i++)
		if (network_random(&m->net, 3) == 0)
			list = arena_printf(&m->arena, "%s%ss%u", list, *list != 0 ? ", " : "", i);
	if (network_random(&m->net, 3) == 0) {
		const char *preset = PICK(m, presets);

		if (strcmp(preset, "min_se_90") != 0 || strcmp(direction, "in") == 0)
			list = arena_printf(&m->arena, "%s%s%s", list, *list != 0 ? ", " : "",
					    preset);
	}
	return arena_printf(&m->arena, "trunks.%c.rules.%s: [%s]", "AB"[trunk], direction, list);
}

void model_rules_choose(struct model *m, struct conf *c)
{
	for (unsigned i = 0; i < MODEL_RULES; i++) {
		const char *rule = random_rule(m);

		for (unsigned k = 0; k < 100 && !is_rule(m, rule); k++)
			rule = random_rule(m);
		conf_line(c, arena_printf(&m->arena, "rules.s%u: [ %s ]", i, rule));
	}
	for (unsigned i = 0; i < 2; i++) {
		conf_line(c, random_list(m, i, "in"));
		conf_line(c, random_list(m, i, "out"));
	}
	if (m->trace != NULL)
		fprintf(m->trace, "%s\n", conf_text(c));
}

// --- judging

static bool find_leg(struct model *m, const char *call_id, struct leg_view *leg)
{
	struct slice id = slice_of_str(call_id);
	struct call_view view;

	for (unsigned i = 0; i < m->net.world.workers; i++) {
		uint32_t call = engine_find(m->net.world.engine[i], id);

		if (call == UINT32_MAX || engine_view(m->net.world.engine[i], call, &view) != 0)
			continue;
		for (unsigned side = 0; side < 2; side++)
			if (slice_eq(slice_of(view.legs[side].call_id, view.legs[side].call_id_len),
				     id)) {
				*leg = view.legs[side];
				return true;
			}
	}
	return false;
}

// The timer of the leg is what our 2xx, just sent for the first time, says of it.
static const char *judge_timer(struct model *m, uint32_t *judged, const struct sip_msg *msg,
			       const struct wire *w)
{
	struct sip_session_expires se = {0};
	struct sip_cseq cseq;
	struct leg_view leg;
	bool has = sip_session_expires_of(msg, &se) == 0;
	unsigned role = !has				    ? ST_ROLE_NONE
			: se.refresher == SIP_REFRESHER_UAS ? ST_ROLE_LOCAL
							    : ST_ROLE_REMOTE;

	if (msg->status / 100 != 2 || sip_cseq_of(msg, &cseq) != 0 ||
	    (cseq.method != SIP_INVITE && cseq.method != SIP_UPDATE) || cseq.number <= *judged ||
	    !find_leg(m, w->call_id, &leg) || leg.remote_cseq != cseq.number)
		return NULL; // sent again, or not the last word any more
	*judged = cseq.number;
	if (leg.timer.se_s == (has ? se.seconds : 0) && leg.timer.role == role)
		return NULL;
	return arena_printf(&m->arena, "the leg counts %u s, role %u, but its 2xx says %u, role %u",
			    leg.timer.se_s, leg.timer.role, se.seconds, role);
}

const char *model_rules_judge(struct model *m, struct peer *to, const uint8_t *bytes, uint32_t len,
			      const struct wire *w)
{
	struct dialog *d = peer_dialog_of(to, w->call_id);
	struct model_call *call = d != NULL ? model_call_of(m, d) : NULL;
	static struct sip_msg msg;

	if (sip_msg_parse(&msg, slice_of(bytes, len)) != 0 || msg.len != len ||
	    sip_msg_repeats(&msg))
		return "it cannot be read";
	if (len > RULES_MESSAGE_MAX)
		return "it is too long";
	for (unsigned i = 0; i < msg.n_fields; i++)
		if (sip_msg_field_value(&msg, &msg.field[i]).len > RULES_VALUE_MAX)
			return "a header is too long";
	for (unsigned i = 0; i < sizeof(once) / sizeof(once[0]); i++)
		if (!sip_msg_has(&msg, once[i]) ||
		    sip_msg_next(&msg, sip_msg_first(&msg, once[i])) != NULL)
			return "a header that has to be there once is not";
	return call != NULL ? judge_timer(m, &call->judged[model_side(m, to)], &msg, w) : NULL;
}
