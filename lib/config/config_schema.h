// SPDX-License-Identifier: BSD-3-Clause
// The schema that keys.def describes, as tables, and the memory of a snapshot. Private to
// lib/config. Control thread; allocates.
#pragma once

#include "config/config_load.h"

enum config_type {
	CONFIG_T_U32,
	CONFIG_T_SECONDS,
	CONFIG_T_MS,
	CONFIG_T_FRACTION,
	CONFIG_T_BOOL,
	CONFIG_T_STR,
	CONFIG_T_SECRET,
	CONFIG_T_ENUM,
	CONFIG_T_SECTION,
	CONFIG_T_LISTEN,
	CONFIG_T_PORT,
	CONFIG_T_PROFILE,
	CONFIG_T_FROM,
	// lists: a pointer and a count
	CONFIG_T_CPUS,
	CONFIG_T_NETS,
	CONFIG_T_PREFIXES,
	CONFIG_T_IPS,
	CONFIG_T_ENDPOINTS,
	CONFIG_T_STRINGS,
	CONFIG_T_TRUNKS,
};

// For a switch over what an element of a list is: the types that are no lists.
#define CONFIG_CASES_OF_ONE_VALUE \
	case CONFIG_T_U32:        \
	case CONFIG_T_SECONDS:    \
	case CONFIG_T_MS:         \
	case CONFIG_T_FRACTION:   \
	case CONFIG_T_BOOL:       \
	case CONFIG_T_STR:        \
	case CONFIG_T_SECRET:     \
	case CONFIG_T_ENUM:       \
	case CONFIG_T_SECTION:    \
	case CONFIG_T_LISTEN:     \
	case CONFIG_T_PORT:       \
	case CONFIG_T_PROFILE:    \
	case CONFIG_T_FROM

struct config_choice {
	const char *word;
	const char *help;
};

struct config_section;

struct config_key {
	const char *name;
	const char *def; // YAML text; NULL = must be given
	double min, max;
	const char *unit;
	const char *help;
	const struct config_choice *choices;  // ENUM
	const struct config_section *section; // SECTION
	enum config_type type;
	uint32_t n_choices;
	uint32_t offset; // of the field in the section's struct
	bool live;
};

struct config_section {
	const char *name;
	const struct config_key *keys;
	uint32_t n;
};

extern const struct config_section config_schema_system, config_schema_port, config_schema_profile,
	config_schema_timer, config_schema_trunk, config_schema_route, config_schema_transaction,
	config_schema_cdr, config_schema_metrics, config_schema_trace, config_schema_hep,
	config_schema_evidence, config_schema_log, config_schema_capacity, config_schema_rules,
	config_schema_limits, config_schema_credentials;

// The keys of the file itself, in the order in which they are printed.
enum config_top {
	CONFIG_TOP_SYSTEM,
	CONFIG_TOP_PORTS,
	CONFIG_TOP_PROFILES,
	CONFIG_TOP_TRUNKS,
	CONFIG_TOP_ROUTES,
	CONFIG_TOP_RULES,
	CONFIG_TOP_TIMERS,
	CONFIG_TOP_CDR,
	CONFIG_TOP_METRICS,
	CONFIG_TOP_TRACE,
	CONFIG_TOP_HEP,
	CONFIG_TOP_EVIDENCE,
	CONFIG_TOP_LOG,
	CONFIG_TOP_N
};
struct config_top_row {
	const char *name;
	const struct config_section *section; // NULL: rules
	enum { CONFIG_ONE, CONFIG_NAMED, CONFIG_LIST } shape;
	uint32_t offset; // ONE: of the section in struct config
	const char *help;
};
extern const struct config_top_row config_schema_top[CONFIG_TOP_N];

// Key by name, or NULL.
const struct config_key *config_schema_find(const struct config_section *s, struct slice name);
// The known name that is nearest to a misspelt one; NULL if none is near.
const char *config_schema_nearest(const struct config_section *s, struct slice name);
// Whether a is near enough to text to be a misspelling of it: the number of edits, or UINT32_MAX.
uint32_t config_schema_distance(struct slice a, const char *text);
bool config_schema_is_list(enum config_type type);
// Bytes of one element of a list.
uint32_t config_schema_element(enum config_type type);

// All lists have this form; the typed ones of config.h are the same bytes.
struct config_list {
	const void *list;
	uint32_t n;
};

// The private part of a snapshot: its memory and what overrides need.
struct config_block {
	struct config_block *next;
	size_t used, size;
};
// A file that the text imports.
struct config_file {
	struct config_file *next;
	const char *path;
	struct slice text;
};
struct config_text {
	struct config_block *blocks;
	struct slice source;
	const char *name;
	const struct config_override *overrides;
	uint32_t n_overrides;
	struct config_file *files;
};

// Zeroed memory that lives as long as the snapshot; NULL when the machine has none.
void *config_schema_alloc(struct config_text *t, size_t size);
const char *config_schema_strdup(struct config_text *t, struct slice s);
// Deep copy of a section into other memory. -ENOMEM.
int config_schema_copy(struct config_text *t, const struct config_section *s, void *to,
		       const void *from);

// All memory of a snapshot; NULL is fine.
void config_load_release(struct config_text *t);
// The whole file in malloc'ed memory, to be freed also on errors. -errno, -EFBIG.
int config_load_file(const char *path, uint8_t **bytes, size_t *len);

// Index of the trunks' names, for config_trunk_find(). -ENOMEM.
int config_names_build(struct config *c, struct config_text *t);

// Whether all keys of two sections mean the same; both of one snapshot.
bool config_schema_same(const struct config_section *s, const void *a, const void *b);

// Sorts by line.
void config_errors_sort(struct config_errors *e);
