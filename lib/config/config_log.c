// SPDX-License-Identifier: BSD-3-Clause
// Levels of single areas of the log, as log.areas and vergectl write them.
// Any thread; pure.
#include <errno.h>
#include <stddef.h>

#include "config/config.h"

#define WORD(set, id, word, help) word,

static int find(const char *const *words, size_t n, struct slice text)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq(text, slice_of_str(words[i])))
			return (int)i;
	return -1;
}

int config_log_area(struct slice entry, enum config_log_area *area, enum config_log_level *level)
{
	static const char *const areas[] = {CONFIG_CHOICES_log_area(WORD)};
	static const char *const levels[] = {CONFIG_CHOICES_log_level(WORD)};
	int64_t equals = slice_find(entry, '=');
	int a, l;

	if (equals < 0)
		return -EINVAL;
	a = find(areas, sizeof(areas) / sizeof(areas[0]), slice_first(entry, (uint32_t)equals));
	l = find(levels, sizeof(levels) / sizeof(levels[0]),
		 slice_from(entry, (uint32_t)equals + 1));
	if (a < 0 || l < 0)
		return -EINVAL;
	*area = (enum config_log_area)a;
	*level = (enum config_log_level)l;
	return 0;
}
