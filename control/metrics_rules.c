// SPDX-License-Identifier: BSD-3-Clause
// Metrics of message rules: what each has done, and the calls that they tagged. Thread: control.
#include <stdio.h>

#include "control/metrics_rules.h"
#include "rules/rules.h"

static void put_results(struct prometheus_writer *w, const struct rules_program *p, uint32_t i)
{
	const struct rule_set *set;
	const struct rule *rule = rules_at(p, i, &set);
	struct rules_counts c;
	char name[160];

	rules_read(p, i, &c);
	snprintf(name, sizeof(name), SLICE_FMT "/" SLICE_FMT, SLICE_ARG(slice_first(set->name, 64)),
		 SLICE_ARG(slice_first(rule->name, 64)));
	const struct {
		const char *labels;
		uint64_t value;
	} rows[] = {
		{"result=\"evaluated\"", c.evaluated}, {"result=\"matched\"", c.matched},
		{"result=\"changed\"", c.changed},     {"result=\"refused\"", c.refused},
		{"result=\"gave_up\"", c.gave_up},
	};

	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
		prometheus_sample(w, "verge_rule_messages_total",
				  (struct prometheus_label){"rule", name}, rows[k].labels,
				  rows[k].value);
}

void metrics_rules(struct prometheus_writer *w, const struct control *core)
{
	const struct rules_program *p = control_config(core)->program;
	const struct control_stats *s = control_stats(core);
	char tag[RULE_MAX_LABEL + 1];

	if (p == NULL)
		return;
	prometheus_head(w, "verge_rule_messages_total", PROMETHEUS_COUNTER,
			"Messages on which a message rule (set/rule) was evaluated, matched, "
			"changed something, or was refused because its result would have been "
			"illegal; gave_up: a regular expression ran out of steps.");
	for (uint32_t i = 0; i < rules_count(p); i++)
		put_results(w, p, i);
	prometheus_head(w, "verge_calls_tagged_total", PROMETHEUS_COUNTER,
			"Calls that have ended, by the tag that a rule gave them.");
	for (unsigned i = 0; i < RULES_LABELS && rules_label(p, i).len != 0; i++) {
		snprintf(tag, sizeof(tag), SLICE_FMT, SLICE_ARG(rules_label(p, i)));
		prometheus_sample(w, "verge_calls_tagged_total",
				  (struct prometheus_label){"tag", tag}, "", s->tagged[i]);
	}
}
