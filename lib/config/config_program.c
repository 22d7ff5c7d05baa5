// SPDX-License-Identifier: BSD-3-Clause
// The message rules of a snapshot, compiled (rules/rules.h). Control thread; allocates.
#include "config/config_program.h"
#include "config/config_load.h"
#include "rules/rules.h"

#include <errno.h>

#define USERS_LEAST 4 // worlds in virtual time may have more workers than the configuration

static bool is_used(const struct config *c)
{
	for (uint32_t i = 0; i < c->rules.n_trunks; i++)
		if (c->rules.trunks[i].chain[RULE_IN].n != 0 ||
		    c->rules.trunks[i].chain[RULE_OUT].n != 0)
			return true;
	return false;
}

int config_program(struct config *c, const struct config *previous, struct config_errors *errors)
{
	uint32_t workers = c->system.workers.n > USERS_LEAST ? c->system.workers.n : USERS_LEAST;
	struct rules_fault fault;
	int rc;

	// once there were rules there is a program, so that tags of calls keep their numbers
	if (!is_used(c) && (previous == NULL || previous->program == NULL))
		return 0;
	rc = rules_compile(&c->program, &c->rules, workers + 1,
			   previous != NULL ? previous->program : NULL, &fault);
	if (rc == -EINVAL)
		config_errors_add(errors, false, fault.line, 0, "rules: %s", fault.text);
	else if (rc != 0)
		config_errors_add(errors, false, 0, 0, "rules: %s", fault.text);
	return rc;
}
