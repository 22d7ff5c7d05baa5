// SPDX-License-Identifier: BSD-3-Clause
// Log lines of verge: one event a line as key=value, to stderr, syslog or systemd's journal. Each
// kind of event is limited in rate; what was left out is said in the next line of that kind.
// Thread: control only (workers never log, they count).
#pragma once

#include "config/config.h"
#include "control/control.h"

struct log;

struct log_stats {
	uint64_t written; // handed over
	uint64_t limited; // left out: too many of their kind
	uint64_t lost;	  // whoever takes them did not keep up
};

// config NULL: level info to stderr. NULL when out of memory.
struct log *log_new(const struct config_log *config);
void log_free(struct log *log);
// Levels and destination anew. Errors: -EINVAL an entry of areas is not area=level; the others
// count.
int log_configure(struct log *log, const struct config_log *config);
// Level of all areas ("debug"), or of one ("refresh=debug"), until the next log_configure().
// -EINVAL: no such level or area.
int log_set_level(struct log *log, const char *word);

void log_stats(const struct log *log, struct log_stats *stats);

// Whether lines of this level and area are written, but for the limit of their rate.
bool log_wants(const struct log *log, enum control_level level, const char *area);
// text: name of the event, then key=value pairs; control characters become '?'. Never waits: a line
// that nobody takes is lost and counted.
void log_put(struct log *log, enum control_level level, const char *area, const char *text);
void log_event(struct log *log, enum control_level level, const char *area, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

// A value of a line in quotes, with quotes, backslashes and control characters escaped as JSON
// does, so that no value can end itself and begin another key. Cut at the room; *room has to live
// as long.
struct log_value {
	char text[640];
};
const char *log_quote(struct log_value *room, const char *value);

// --- for tests: what log_put() does, with the clock and the destination given

struct log_line {
	enum control_level level;
	uint32_t left_out; // lines of this kind that were not written since the last one
};
// Whether a line is to be written now; *line says how.
bool log_admit(struct log *log, struct log_line *line, const char *area, const char *event,
	       uint64_t now_us);
