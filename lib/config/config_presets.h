// SPDX-License-Identifier: BSD-3-Clause
// Ready-made sets of message rules: presets.def as a table.
// Any thread; constant.
#pragma once

#include "base/outbuf.h"

struct config_preset {
	const char *word;
	const char *lists;   // where it belongs: "in", "out" or "in, out"
	const char *symptom; // what an operator sees without it
	const char *yaml;    // a list of rules
};

uint32_t config_presets_count(void);
const struct config_preset *config_presets_at(uint32_t i);
const struct config_preset *config_presets_find(struct slice word); // NULL: none

// The table of all presets in Markdown, for the manual.
void config_presets_print(struct outbuf *out);
