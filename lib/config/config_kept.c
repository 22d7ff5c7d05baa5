// SPDX-License-Identifier: BSD-3-Clause
// Where the next snapshot goes. Control.
#include "config/config_kept.h"

#include <string.h>

#include "config/config_load.h"

// Only what a call looks at while it goes on; who may call and where to may change beside it.
static void note_treatment(void *arg, const struct config_change *change)
{
	static const char *const of_calls[] = {".session_timer.", ".rules.", ".profile"};
	bool *differs = arg;

	if (strncmp(change->path, "trunks.", 7) != 0) {
		*differs |= strncmp(change->path, "profiles.", 9) == 0 ||
			    strncmp(change->path, "rules.", 6) == 0;
		return;
	}
	*differs |= strcmp(change->to, "") == 0; // a trunk that is gone
	for (size_t i = 0; i < sizeof(of_calls) / sizeof(*of_calls); i++)
		*differs |= strstr(change->path, of_calls[i]) != NULL;
}

static bool treats_alike(const struct config *now, const struct config *next)
{
	bool differs = false;

	return config_compare(now, next, note_treatment, &differs) >= 0 && !differs;
}

unsigned config_kept_choose(const struct config_kept *k, const struct config *next,
			    const uint32_t calls[CONFIG_KEPT])
{
	unsigned oldest = CONFIG_KEPT;

	if (k->now == NULL)
		return 0;
	if (treats_alike(k->now, next))
		return k->now->kept;
	for (unsigned i = 0; i < CONFIG_KEPT; i++)
		if (k->at[i] != NULL && calls[i] == 0 && i != k->now->kept)
			return i;
	for (unsigned i = 0; i < CONFIG_KEPT; i++) {
		if (k->at[i] == NULL)
			return i;
		if (i == k->now->kept)
			continue;
		if (oldest == CONFIG_KEPT || k->at[i]->version < k->at[oldest]->version)
			oldest = i;
	}
	return oldest;
}
