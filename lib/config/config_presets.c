// SPDX-License-Identifier: BSD-3-Clause
// presets.def as a table, read like rules of the operator.
// Any thread; reading allocates from the snapshot, on the control thread.
#include "config/config_presets.h"

#include <errno.h>

#include "config/config_rules.h"

static const struct config_preset presets[] = {
#define CONFIG_PRESET(word, lists, symptom, yaml) {word, lists, symptom, yaml},
#include "config/presets.def"
};

#define N_PRESETS (sizeof(presets) / sizeof(presets[0]))

uint32_t config_presets_count(void)
{
	return N_PRESETS;
}

const struct config_preset *config_presets_at(uint32_t i)
{
	return &presets[i];
}

const struct config_preset *config_presets_find(struct slice word)
{
	for (size_t i = 0; i < N_PRESETS; i++)
		if (slice_eq(word, slice_of_str(presets[i].word)))
			return &presets[i];
	return NULL;
}

int config_presets_read(struct config_rules_from *from, struct slice word, struct rule_set *set)
{
	const struct config_preset *p = config_presets_find(word);
	const char *words[N_PRESETS + 1] = {NULL};

	if (p != NULL)
		return config_rules_read_text(from, slice_of_str(p->yaml), p->word, NULL, set);
	for (size_t i = 0; i < N_PRESETS; i++)
		words[i] = presets[i].word;
	config_value_fault(&from->l->r,
			   "is \"%.*s\", which is no preset; write one like %s, or a list of rules",
			   (int)(word.len < 60 ? word.len : 60), word.p,
			   config_rules_near(word, words, presets[0].word));
	return -EINVAL;
}

void config_presets_print(struct outbuf *out)
{
	outbuf_put_lit(out,
		       "| preset | lists | the symptom that it cures |\n| --- | --- | --- |\n");
	for (size_t i = 0; i < N_PRESETS; i++) {
		outbuf_put_lit(out, "| `");
		outbuf_put_str(out, presets[i].word);
		outbuf_put_lit(out, "` | ");
		outbuf_put_str(out, presets[i].lists);
		outbuf_put_lit(out, " | ");
		outbuf_put_str(out, presets[i].symptom);
		outbuf_put_lit(out, " |\n");
	}
}
