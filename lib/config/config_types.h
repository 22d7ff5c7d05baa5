// SPDX-License-Identifier: BSD-3-Clause
// What the types of keys.def are in C: the words of choices.def as enums, addresses, lists.
// Any thread; plain data.
#pragma once

#include "base/slice.h"
#include "config/choices.def"

// CONFIG_TIMER_MODE_OFF, ...
#define CONFIG_CHOICE_ID(set, id, word, help) CONFIG_##set##_##id,
#define CONFIG_CHOICE_ENUM(set)		      enum config_##set{CONFIG_CHOICES_##set(CONFIG_CHOICE_ID)};
CONFIG_CHOICE_SETS(CONFIG_CHOICE_ENUM)
#undef CONFIG_CHOICE_ENUM
#undef CONFIG_CHOICE_ID

// An address in the layout of struct flow: network byte order, IPv4 in the first four bytes.
struct config_ip {
	uint8_t family; // 4 or 6; 0 = not given
	uint8_t bytes[16];
};

struct config_net {
	struct config_ip ip; // of an own address with its host bits, of a prefix without
	uint8_t len;	     // bits of the prefix
};

struct config_endpoint {
	struct config_ip ip;
	uint16_t udp; // host byte order; TCP for metrics.listen
};

struct config_cpus {
	const uint16_t *list;
	uint32_t n;
};
struct config_nets {
	const struct config_net *list;
	uint32_t n;
};
struct config_ips {
	const struct config_ip *list;
	uint32_t n;
};
struct config_endpoints {
	const struct config_endpoint *list;
	uint32_t n;
};
struct config_strings {
	const char *const *list;
	uint32_t n;
};
struct config_ids {
	const uint16_t *list; // trunk ids
	uint32_t n;
};

// What each TYPE of keys.def is in a struct.
#define CONFIG_C_U32		 uint32_t
#define CONFIG_C_SECONDS	 uint32_t
#define CONFIG_C_MS		 uint32_t
#define CONFIG_C_FRACTION	 uint32_t // thousandths
#define CONFIG_C_BOOL		 bool
#define CONFIG_C_STR		 const char *
#define CONFIG_C_SECRET		 const char *
#define CONFIG_C_ENUM(set)	 enum config_##set
#define CONFIG_C_SECTION(sec)	 struct config_##sec
#define CONFIG_C_CPUS		 struct config_cpus
#define CONFIG_C_NETS		 struct config_nets
#define CONFIG_C_PREFIXES	 struct config_nets
#define CONFIG_C_IPS		 struct config_ips
#define CONFIG_C_ENDPOINTS	 struct config_endpoints
#define CONFIG_C_LISTEN		 struct config_endpoint
#define CONFIG_C_STRINGS	 struct config_strings
#define CONFIG_C_STRINGS_OF(set) struct config_strings // each begins with a word of the set
#define CONFIG_C_PORT		 uint16_t	       // id of a port
#define CONFIG_C_PROFILE	 uint16_t	       // id of a profile
#define CONFIG_C_FROM		 uint16_t	       // id of a trunk; CONFIG_NONE = any
#define CONFIG_C_TRUNKS		 struct config_ids
