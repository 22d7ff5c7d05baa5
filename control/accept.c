// SPDX-License-Identifier: BSD-3-Clause
// Reads an Accept header. Pure.
#include "control/accept.h"

// What comes before the next `mark`; *rest is what follows it.
static struct slice next_part(struct slice *rest, char mark)
{
	int64_t end = slice_find(*rest, mark);
	struct slice part = end >= 0 ? slice_first(*rest, (uint32_t)end) : *rest;

	*rest = end >= 0 ? slice_from(*rest, (uint32_t)end + 1) : SLICE_NONE;
	return slice_trim(part);
}

static bool begins(struct slice s, struct slice with)
{
	return s.len >= with.len && slice_eq_nocase(slice_first(s, with.len), with);
}

// "0.75" in thousandths; 0 if it is no quality.
static int quality_of(struct slice text)
{
	int quality = 0, unit = 100;

	if (text.len == 0 || (text.p[0] != '0' && text.p[0] != '1'))
		return 0;
	if (text.p[0] == '1')
		return 1000;
	for (uint32_t i = 2; i < text.len && unit != 0; i++, unit /= 10) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return 0;
		quality += (text.p[i] - '0') * unit;
	}
	return quality;
}

// Of one media range; false: another version than ours.
static bool read_parameters(struct slice rest, int *quality)
{
	bool ours = true;

	*quality = 1000;
	while (rest.len != 0) {
		struct slice parameter = next_part(&rest, ';');

		if (begins(parameter, SLICE_LIT("q=")))
			*quality = quality_of(slice_from(parameter, 2));
		else if (begins(parameter, SLICE_LIT("version=")) &&
			 !slice_eq(slice_from(parameter, 8), SLICE_LIT("1.0.0")))
			ours = false;
	}
	return ours;
}

bool accept_prefers_openmetrics(struct slice accept)
{
	int open = 0, text = 0;

	while (accept.len != 0) {
		struct slice range = next_part(&accept, ',');
		struct slice type = next_part(&range, ';');
		int quality;
		bool ours = read_parameters(range, &quality);

		if (slice_eq_nocase(type, SLICE_LIT("application/openmetrics-text"))) {
			if (ours && quality > open)
				open = quality;
		} else if (slice_eq_nocase(type, SLICE_LIT("text/plain")) && quality > text) {
			text = quality;
		}
	}
	return open != 0 && open >= text;
}
