// SPDX-License-Identifier: BSD-3-Clause
// `vergectl rules`: what each message rule has done; `vergectl rules test`: what the rules of a
// trunk would do to a message, step by step. Thread: control, which is a user of the program of its
// own: workers are not disturbed.
#include <string.h>

#include "control/commands.h"
#include "rules/rules.h"
#include "sip/name_addr.h"
#include "sip/numbers.h"

#define RULES_STEP 128 // rules in one step

static struct rules_program *program(const struct commands_job *j)
{
	return control_config(j->view->core)->program;
}

static void put_rule(struct outbuf *o, const struct rule_set *set, const struct rule *rule)
{
	jsonout_string(o, "set", set->name);
	jsonout_string(o, "rule", rule->name);
	jsonout_u64(o, "line", rule->line);
}

bool commands_run_rules(struct commands_job *j)
{
	const struct rules_program *p = program(j);
	uint32_t n = p != NULL ? rules_count(p) : 0;
	struct outbuf *o = &j->out;

	if (j->at == 0)
		jsonout_open(o, "rules", '[');
	for (uint32_t i = 0; i < RULES_STEP && j->at < n; i++, j->at++) {
		const struct rule_set *set;
		const struct rule *rule = rules_at(p, (uint32_t)j->at, &set);
		struct rules_counts c;

		rules_read(p, (uint32_t)j->at, &c);
		jsonout_open(o, NULL, '{');
		put_rule(o, set, rule);
		jsonout_u64(o, "evaluated", c.evaluated);
		jsonout_u64(o, "matched", c.matched);
		jsonout_u64(o, "changed", c.changed);
		jsonout_u64(o, "refused", c.refused);
		jsonout_u64(o, "gave_up", c.gave_up);
		jsonout_close(o, '}');
	}
	if (j->at < n)
		return false;
	jsonout_close(o, ']');
	return true;
}

// --- test

static void put_step(void *ctx, const struct rules_step *step)
{
	struct outbuf *o = ctx;

	jsonout_open(o, NULL, '{');
	put_rule(o, step->set, step->rule);
	jsonout_bool(o, "matched", step->matched);
	jsonout_bool(o, "changed", step->changed);
	jsonout_str(o, "refused", step->refused);
	jsonout_close(o, '}');
}

static void put_result(struct commands_job *j, const struct rules_result *r,
		       const struct sip_msg *m)
{
	static const char *const verdicts[] = {"pass", "reject", "drop"};
	static const char *const refreshers[] = {NULL, "local", "remote"};
	static uint8_t text[RULES_MESSAGE_MAX];
	struct outbuf *o = &j->out, made = outbuf_of(text, sizeof(text));

	jsonout_str(o, "verdict", verdicts[r->verdict]);
	if (r->verdict == RULES_REJECT)
		jsonout_u64(o, "code", r->code);
	jsonout_bool(o, "strip_session_timer", r->strip_timer);
	jsonout_bool(o, "disarm", r->disarm);
	jsonout_bool(o, "hide_update", r->hide_update);
	jsonout_str(o, "force_refresher", refreshers[r->refresher]);
	jsonout_bool(o, "trace", r->trace);
	jsonout_open(o, "tags", '[');
	for (unsigned i = 0; i < RULES_LABELS; i++)
		if ((r->labels >> i & 1) != 0)
			jsonout_string(o, NULL, rules_label(program(j), i));
	jsonout_close(o, ']');
	jsonout_bool(o, "message_changed", r->changed);
	if (r->changed && sip_edit_apply(&made, m, r->edits) == 0)
		jsonout_string(o, "message", outbuf_slice(&made));
	else
		jsonout_string(o, "message", sip_msg_all(m));
}

// What is known of a message that no call belongs to.
static bool read_facts(struct commands_job *j, struct sip_msg *m, struct rules_facts *f)
{
	struct sip_name_addr to;
	struct slice tag = SLICE_NONE;
	struct sip_cseq cseq;

	if (sip_cseq_of(m, &cseq) != 0 || sip_name_addr_of(m, SIP_H_TO, &to) != 0 ||
	    sip_name_addr_tag(&to, &tag) != 0) {
		commands_refuse(j, "the message has no CSeq or no To that can be read");
		return false;
	}
	*f = (struct rules_facts){
		.msg = m,
		.ingress = f->trunk,
		.egress = RULES_NO_TRUNK,
		.trunk = f->trunk,
		.method = cseq.method,
		.direction = json_is_true(json_object_get(j->request, "out")) ? RULE_OUT : RULE_IN,
		.dialog = tag.len != 0 && sip_msg_is_request(m) ? RULE_DIALOG_IN
								: RULE_DIALOG_CREATING,
		.in_call = tag.len != 0 || cseq.method == SIP_INVITE,
	};
	if (f->direction == RULE_OUT) {
		f->egress = f->trunk;
		f->ingress = RULES_NO_TRUNK;
	}
	return true;
}

bool commands_run_rules_test(struct commands_job *j)
{
	static struct sip_msg m;
	const char *text = commands_text(j, "message", true);
	int trunk = commands_trunk(j);
	struct rules_watch watch = {put_step, &j->out};
	struct rules_facts facts = {.trunk = (uint16_t)trunk};
	struct rules_result result = {0};

	if (text == NULL || trunk < 0)
		return true;
	if (sip_msg_parse(&m, slice_of_str(text)) != 0) {
		commands_refuse(j, "the file holds no SIP message that can be read");
		return true;
	}
	if (!read_facts(j, &m, &facts))
		return true;
	jsonout_open(&j->out, "steps", '[');
	if (rules_any(program(j), facts.trunk, (enum rule_direction)facts.direction))
		(void)rules_apply(program(j), rules_users(program(j)) - 1, &facts, &result, &watch);
	jsonout_close(&j->out, ']');
	put_result(j, &result, &m);
	return true;
}
