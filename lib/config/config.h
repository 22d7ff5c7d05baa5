// SPDX-License-Identifier: BSD-3-Clause
// The configuration as one immutable snapshot. Its structs are expanded from keys.def and
// choices.def. Loading (config_load.h) allocates and runs on the control thread, never on the
// packet path. Once loaded nothing of a snapshot changes, so any thread reads it; who publishes it
// frees it after a grace period. Look-ups here neither allocate nor fail on any input, and are made
// for the packet path.
#pragma once

#include "base/sip_buf.h"
#include "config/config_types.h"
#include "rules/rule.h"

#define CONFIG_NONE	  UINT16_MAX // no such trunk, port or profile
#define CONFIG_MAX_PORTS  32
#define CONFIG_MAX_TRUNKS 4096
#define CONFIG_KEPT	  8  // snapshots that calls may go by at once
#define CONFIG_MAX_PREFIX 63 // bytes of a route's prefix

#define CONFIG_FIELD(field, key, type, ...) CONFIG_C_##type field;

struct config_capacity {
#define KEY_CAPACITY CONFIG_FIELD
#include "config/keys.def"
};
struct config_system {
#define KEY_SYSTEM CONFIG_FIELD
#include "config/keys.def"
};
struct config_timer {
#define KEY_TIMER CONFIG_FIELD
#include "config/keys.def"
};
struct config_rules {
#define KEY_RULES CONFIG_FIELD
#include "config/keys.def"
};
struct config_limits {
#define KEY_LIMITS CONFIG_FIELD
#include "config/keys.def"
};
struct config_credentials {
#define KEY_CREDENTIALS CONFIG_FIELD
#include "config/keys.def"
};
struct config_transaction {
#define KEY_TRANSACTION CONFIG_FIELD
#include "config/keys.def"
};
struct config_cdr {
#define KEY_CDR CONFIG_FIELD
#include "config/keys.def"
};
struct config_metrics {
#define KEY_METRICS CONFIG_FIELD
#include "config/keys.def"
};
struct config_trace {
#define KEY_TRACE CONFIG_FIELD
#include "config/keys.def"
};
struct config_hep {
#define KEY_HEP CONFIG_FIELD
#include "config/keys.def"
};
struct config_evidence {
#define KEY_EVIDENCE CONFIG_FIELD
#include "config/keys.def"
};
struct config_log {
#define KEY_LOG CONFIG_FIELD
#include "config/keys.def"
};

// Ports, profiles and trunks are numbered from 0. An id keeps its name for as long as verge runs: a
// reload gives known names their old ids, and a name that is gone keeps its place with gone set.
struct config_port {
	const char *name;
	uint16_t id;
	bool gone;
	uint32_t line; // where the file says it; 0 = it does not
#define KEY_PORT CONFIG_FIELD
#include "config/keys.def"
};
struct config_profile {
	const char *name;
	uint16_t id;
	bool gone;
	uint32_t line;
#define KEY_PROFILE CONFIG_FIELD
#include "config/keys.def"
};
struct config_trunk {
	const char *name;
	uint16_t id;
	bool gone; // no new calls; calls in progress go on
	uint32_t line;
#define KEY_TRUNK CONFIG_FIELD // .timer: the profile's with the trunk's own keys on top
#include "config/keys.def"
};
struct config_route {
	uint32_t line;
#define KEY_ROUTE CONFIG_FIELD
#include "config/keys.def"
};

struct config_sources; // by address
struct config_routing; // by prefix

struct config {
	struct config_system system; // capacity.transactions 0: as many as the calls need
	struct config_transaction timers;
	struct config_cdr cdr;
	struct config_metrics metrics;
	struct config_trace trace;
	struct config_hep hep;
	struct config_evidence evidence;
	struct config_log log;
	const struct config_port *ports; // [n_ports], index = id
	const struct config_profile *profiles;
	const struct config_trunk *trunks;
	const struct config_route *routes; // in the order of the file
	struct rule_book rules; // sets, and those of each trunk with its profile's before its own
	uint32_t n_ports, n_profiles, n_trunks, n_routes;
	uint8_t kept; // place among the snapshots that calls go by (config_kept.h); control sets it
	uint32_t version;		      // counts snapshots since start, from 1
	const uint16_t *names;		      // private to config.c: trunks by name
	uint32_t names_mask;		      // likewise
	const struct config_sources *sources; // private to config_lookup.c
	const struct config_routing *routing; // private to config_lookup.c
	struct rules_program *program;	      // of its message rules; NULL: there are none
	struct config_text *text; // private to config_load.c: the file, kept for overrides
};

// The trunk that a packet comes from: by the exact address and UDP port of a peer, else by the
// longest prefix among `sources` and the peers' addresses. A peer's address that two trunks share
// (on different UDP ports) counts for neither by itself. In:     port - id of the port it came in
// on; flow - family, peer_ip and peer_udp are read. Out:    trunk id, or -ENOENT. Cost:   one probe
// for each prefix length in use on that port, whatever the number of trunks.
int config_trunk_by_source(const struct config *c, uint8_t port, const struct flow *flow);

// Where a call goes: the route with the longest prefix of the called user.
// In:     from_trunk - ingress trunk; user - user part of a sip: URI or number of a tel: URI as it
// is
//         written: escapes are read, and in numbers visual separators and what follows ';' are
//         skipped.
// Out:    *to, *n - trunk ids in the order to try, owned by the snapshot; untouched on error.
//         Trunks that are gone are never among them.
// Errors: -ENOENT no route.
// Cost:   one probe for each prefix length that is in use, at most 64 for each of from and any.
int config_route(const struct config *c, uint16_t from_trunk, struct slice user,
		 const uint16_t **to, unsigned *n);

// Ids by name; -ENOENT, also for one that is gone. Names are compared in full and with case.
// O(1) for trunks, O(n) for the others: not for the packet path.
int config_trunk_find(const struct config *c, const char *name);
int config_port_find(const struct config *c, const char *name);
int config_profile_find(const struct config *c, const char *name);

// An entry of log.areas, "refresh=debug". Errors: -EINVAL it is none; CONFIG_LOG_AREA_HINT says
// what it must be. Words of choices.def, in its order.
int config_log_area(struct slice entry, enum config_log_area *area, enum config_log_level *level);
#define CONFIG_HINT_WORD(set, id, word, help) " " word
#define CONFIG_LOG_AREA_HINT                                   \
	"AREA=LEVEL, where areas are" CONFIG_CHOICES_log_area( \
		CONFIG_HINT_WORD) ", levels" CONFIG_CHOICES_log_level(CONFIG_HINT_WORD)

// The address that packets to `peer` leave port with: the first of its family; NULL if it has none.
const struct config_net *config_port_address(const struct config_port *port, uint8_t family);
// Next hop for a packet of this port: the peer itself if it is in a connected net, else the gateway
// of its family; NULL if there is no way.
const struct config_ip *config_port_next_hop(const struct config_port *port,
					     const struct config_ip *peer);
// Whether ip is one of the port's own addresses.
bool config_port_is_own(const struct config_port *port, const struct config_ip *ip);
